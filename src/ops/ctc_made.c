/* ctc_made.c - connectionist temporal classification (Graves 2006): the probability of a label sequence over all ways
 * to spread it over the steps. Forward in logarithms, step after step, all sequences of the batch at once; its
 * derivative, of every order, is that of the steps. */
#include <math.h>
#include "loss.h"
#include "made.h"

/* i: blank, whether infinite losses are 0, reduction, then the lengths of inputs and those of targets, or none */
CALL(ctc_loss)
{
    const int n = (c->ni - 3) / 2;
    c->out[0] = weft_ctc_loss(c->in[0], c->in[1], n ? c->i + 3 : NULL, n ? c->i + 3 + n : NULL, c->i[0], c->i[1] != 0,
                              (weft_reduction)c->i[2]);
}

/* Three terms for each step of each place. */
static double flops_ctc(const weft__work *w)
{
    const weft__array *x = w->in[0], *target = w->in[1];
    return x && target && x->ndim == 3 && target->ndim == 2
               ? 3 * (double)x->shape[0] * (double)x->shape[1] * (2 * (double)target->shape[1] + 1)
               : 0;
}

WEFT__DEFINE_COMPOSITE(
    CTC_LOSS, ctc_loss,
    PARTS(FLOATS, PART(CONCAT, OF_I64), PART(CONCAT, OF_BOOL), PART(NE, OF_I64), PART(LOGICAL_AND, OF_BOOL),
          PART(GATHER, WIDE), PART(CLAMP, WIDE), PART(WHERE, WIDE), PART(PAD, WIDE), PART(ADD, WIDE),
          PART(LOGADDEXP, WIDE), PART(LOGSUMEXP, WIDE), PART(NEG, WIDE), PART(LT, WIDE), PART(MUL, WIDE),
          PART(MEAN, WIDE)),
    GRADIENT("of log_probs -g times how probable it is that the step has that class, given the target"),
    WORK(weft__terms_one, flops_ctc, weft__bytes_once), SAMPLE(call_ctc_loss, RECIPE("x62a i23<a", "a-1 0 1 6 5 3 2")))

/* The logarithm of what cannot be. Not -inf, whose differences are no numbers: all orders of the derivative stay
 * finite. Sums of fewer than 1e8 of it are finite in f32; what is less than half of it cannot be. */
#define NEVER (-1e30)

/* ---- Tables that the lengths alone decide ---- */

/* How sequences and targets are laid out. */
typedef struct problem {
    weft_ctx *ctx;
    int64_t steps, batch, labels, places; /* T, N, S, 2 S + 1 */
    const int64_t *input_lengths, *target_lengths;
    int64_t blank;
} problem;

static int64_t steps_of(const problem *p, int64_t n)
{
    return p->input_lengths ? p->input_lengths[n] : p->steps;
}

static int64_t labels_of(const problem *p, int64_t n)
{
    return p->target_lengths ? p->target_lengths[n] : p->labels;
}

static weft_tensor *running_at(const problem *p, int64_t t, bool *room)
{
    bool all = true;
    for (int64_t n = 0; n < p->batch; n++) {
        room[n] = t < steps_of(p, n);
        all = all && room[n];
    }
    return all ? NULL : weft_from_data(p->ctx, WEFT_BOOL, WEFT_DIMS(p->batch, 1), room);
}

static weft_tensor *last_places(const problem *p, bool *room)
{
    for (int64_t n = 0; n < p->batch; n++)
        for (int64_t k = 0; k < p->places; k++)
            room[n * p->places + k] = k == 2 * labels_of(p, n) || k + 1 == 2 * labels_of(p, n);
    return weft_from_data(p->ctx, WEFT_BOOL, WEFT_DIMS(p->batch, p->places), room);
}

/* ---- Steps ---- */

/* The classes of all places: a blank before, between and after the labels: [N, L]. */
static weft_tensor *classes_of(const problem *p, weft_tensor *targets)
{
    weft_tensor *blanks = weft_full(p->ctx, WEFT_I64, WEFT_DIMS(p->batch, p->labels, 1), (double)p->blank);
    weft_tensor *pairs[] = {blanks, weft_unsqueeze(targets, 2)};
    weft_tensor *between = weft_reshape(weft_concat(pairs, 2, 2), WEFT_DIMS(p->batch, 2 * p->labels));
    weft_tensor *all[] = {between, weft_full(p->ctx, WEFT_I64, WEFT_DIMS(p->batch, 1), (double)p->blank)};
    return weft_concat(all, 2, 1);
}

/* x [N, L] moved by so many places to the right. */
static weft_tensor *moved(weft_tensor *x, int64_t by)
{
    const int64_t places = x ? x->a.shape[1] : 0;
    return weft_pad(weft_slice(x, 1, 0, places - by, 1), (const int64_t[]){0, by}, (const int64_t[]){0, 0}, 2, NEVER);
}

/* The logarithm of the probability to be at each place after step t, from that after the step before. */
static weft_tensor *next(const problem *p, weft_tensor *before, weft_tensor *here, weft_tensor *skips)
{
    weft_tensor *sum = before;
    if (p->places > 1) {
        weft_tensor *far = moved(before, 2);
        sum = weft_logaddexp(sum, moved(before, 1));
        sum = weft_logaddexp(sum, weft_where(skips, far, weft__constant_like(far, NEVER)));
    }
    return weft_add(sum, here);
}

/* The logarithm of each sequence's probability, [N]. room: as many truth values as places and sequences. */
static weft_tensor *total(const problem *p, weft_tensor *log_probs, weft_tensor *targets, bool *room)
{
    weft_tensor *classes = classes_of(p, targets);
    /* a blank between two labels may be left out unless they are one: from the second label on */
    weft_tensor *skips = NULL;
    if (p->places > 1) {
        weft_tensor *later = weft_slice(classes, 1, 2, p->places, 1),
                    *earlier = weft_slice(classes, 1, 0, p->places - 2, 1);
        weft_tensor *blank = weft_full(p->ctx, WEFT_I64, WEFT_SCALAR, (double)p->blank);
        weft_tensor *parts[] = {weft_zeros(p->ctx, WEFT_BOOL, WEFT_DIMS(p->batch, 2)),
                                weft_logical_and(weft_ne(later, earlier), weft_ne(later, blank))};
        skips = weft_concat(parts, 2, 1);
    }
    if (!weft_gather(weft_select(log_probs, 0, 0), targets, 1)) /* an index that is none is named as it stands there */
        return NULL;
    weft_tensor *index = weft_expand(weft_unsqueeze(classes, 0), WEFT_DIMS(p->steps, p->batch, p->places));
    weft_tensor *each = weft_clamp(weft_gather(log_probs, index, 2), NEVER, INFINITY);
    if (!each)
        return NULL;
    for (int64_t k = 0; k < p->places; k++)
        room[k] = k < 2;
    weft_tensor *begins = weft_from_data(p->ctx, WEFT_BOOL, &p->places, 1, room);
    weft_tensor *at = weft_where(begins, weft_select(each, 0, 0), weft__constant_like(each, NEVER));
    for (int64_t t = 1; t < p->steps && p->ctx->status == WEFT_OK; t++) {
        weft_tensor *running = running_at(p, t, room), *then = next(p, at, weft_select(each, 0, t), skips);
        at = running ? weft_where(running, then, at) : then;
    }
    weft_tensor *ends = weft_where(last_places(p, room), at, weft__constant_like(each, NEVER));
    return weft_logsumexp(ends, WEFT_DIMS(-1), false);
}

/* ---- Front end ---- */

static bool lengths_fit(const problem *p, const weft_tensor *log_probs, const weft_tensor *targets)
{
    enum { OP = WEFT_OP_CTC_LOSS };
    for (int64_t n = 0; n < p->batch; n++) {
        if (steps_of(p, n) < 1 || steps_of(p, n) > p->steps)
            return weft__fail(p->ctx, OP, WEFT_E_INVALID,
                              "input length %lld is %lld, but must be from 1 to the %lld steps of log_probs %s",
                              (long long)n, (long long)steps_of(p, n), (long long)p->steps,
                              weft__describe(log_probs).s),
                   false;
        if (labels_of(p, n) < 0 || labels_of(p, n) > p->labels)
            return weft__fail(p->ctx, OP, WEFT_E_INVALID,
                              "target length %lld is %lld, but must be from 0 to the %lld labels of the targets %s",
                              (long long)n, (long long)labels_of(p, n), (long long)p->labels,
                              weft__describe(targets).s),
                   false;
    }
    return true;
}

/* The losses of the batch reduced; of a mean each is divided by its target's length first. */
static weft_tensor *reduced(const problem *p, weft_tensor *loss, weft_reduction reduction, weft_dtype dtype)
{
    if (reduction == WEFT_REDUCTION_MEAN && loss) {
        double *share = weft__host_array(p->ctx, p->batch + 1, sizeof *share);
        if (!share)
            return weft__fail(p->ctx, WEFT_OP_CTC_LOSS, WEFT_E_NOMEM, "out of memory for %lld lengths",
                              (long long)p->batch),
                   NULL;
        for (int64_t n = 0; n < p->batch; n++)
            share[n] = labels_of(p, n) > 0 ? 1 / (double)labels_of(p, n) : 1;
        weft_tensor *shares = weft_from_data(p->ctx, WEFT_F64, &p->batch, 1, share);
        weft__host_free(p->ctx, share, sizeof *share * (size_t)(p->batch + 1));
        loss = weft_mul(loss, shares ? weft__cast(shares, (weft_dtype)loss->a.dtype) : NULL);
    }
    return weft__reduced_loss(p->ctx, WEFT_OP_CTC_LOSS, loss, reduction, dtype);
}

weft_tensor *weft_ctc_loss(weft_tensor *log_probs, weft_tensor *targets, const int64_t *input_lengths,
                           const int64_t *target_lengths, int64_t blank, bool zero_infinity, weft_reduction reduction)
{
    enum { OP = WEFT_OP_CTC_LOSS };
    static const char *const names[] = {"log_probs"};
    weft_tensor *in[] = {log_probs, targets};
    ENTER_COMPOSITE(CTC_LOSS, in, 2);
    weft_dtype dtype;
    if (!weft__join_floats(ctx, OP, in, names, 1, &dtype) || !weft__need_index(ctx, OP, "the targets", in[1]) ||
        !weft__need_rank(ctx, OP, "log_probs", in[0], 3, 3) || !weft__need_rank(ctx, OP, "the targets", in[1], 2, 2))
        return weft__leave_with(ctx, NULL);
    const int64_t *s = in[0]->a.shape;
    const problem p = {ctx,           s[0],           s[1], in[1]->a.shape[1], 2 * in[1]->a.shape[1] + 1,
                       input_lengths, target_lengths, blank};
    if (in[1]->a.shape[0] != s[1] || s[0] < 1)
        REFUSE(CTC_LOSS, WEFT_E_SHAPE,
               "log_probs %s are [T, N, C] with at least one step, the targets %s must be [N, S]: %lld sequences",
               weft__describe(in[0]).s, weft__describe(in[1]).s, (long long)s[1]);
    if (blank < 0 || blank >= s[2] || (unsigned)reduction > WEFT_REDUCTION_SUM)
        REFUSE(CTC_LOSS, WEFT_E_INVALID,
               "blank is %lld, but must be one of the %lld classes of log_probs %s; the reduction is %d, but must be "
               "one of "
               "weft_reduction",
               (long long)blank, (long long)s[2], weft__describe(in[0]).s, (int)reduction);
    if (!lengths_fit(&p, in[0], in[1]))
        return weft__leave_with(ctx, NULL);
    in[1] = weft__cast(in[1], WEFT_I64);
    const int64_t count = weft__count_of((const int64_t[]){s[1] + 1, p.places}, 2);
    bool *room = count < 0 ? NULL : weft__host_array(ctx, count, sizeof *room);
    if (!room)
        REFUSE(CTC_LOSS, WEFT_E_NOMEM, "out of memory for the places of the targets %s", weft__describe(in[1]).s);
    weft_tensor *log_p = total(&p, in[0], in[1], room);
    weft__host_free(ctx, room, (size_t)count);
    weft_tensor *impossible = weft_lt(log_p, weft__constant_like(log_p, NEVER / 2));
    weft_tensor *loss =
        weft_where(impossible, weft__constant_like(log_p, zero_infinity ? 0 : INFINITY), weft_neg(log_p));
    return weft__leave_with(ctx, reduced(&p, loss, reduction, dtype));
}
