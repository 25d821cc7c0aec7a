/* box_made.c - boxes [x1, y1, x2, y2]: how much they overlap, boxes from anchors, and which of many to keep. */
#include <math.h>
#include <stdlib.h>
#include "made.h"

CALL(box_iou)
{
    c->out[0] = weft_box_iou(c->in[0], c->in[1]);
}

CALL(generalized_box_iou)
{
    c->out[0] = weft_generalized_box_iou(c->in[0], c->in[1]);
}

/* f: scales of offsets and sizes, the limit */
CALL(box_decode)
{
    c->out[0] = weft_box_decode(c->in[0], c->in[1], c->f[0], c->f[1], c->f[2]);
}

/* f: the threshold */
CALL(nms)
{
    c->out[0] = weft_nms(c->in[0], c->in[1], c->f[0]);
}

#define OVERLAP                                                                                                        \
    PARTS(FLOATS, PART(MAX, WIDE), PART(MIN, WIDE), PART(SUB, WIDE), PART(RELU, WIDE), PART(MUL, WIDE),                \
          PART(ADD, WIDE), PART(GT, WIDE), PART(WHERE, WIDE), PART(DIV, WIDE))

WEFT__DEFINE_COMPOSITE(BOX_IOU, box_iou, OVERLAP, GRADIENT("that of the areas; 0 of boxes without one"), EACH_ONCE,
                       SAMPLE(call_box_iou, RECIPE("xa4 xb4", ""), RECIPE("x2a4 x234", "")))
WEFT__DEFINE_COMPOSITE(GENERALIZED_BOX_IOU, generalized_box_iou, OVERLAP,
                       GRADIENT("that of the areas; 0 of boxes without one"), EACH_ONCE,
                       SAMPLE(call_generalized_box_iou, RECIPE("xa4 xb4", ""), RECIPE("x2a4 x234", "")))
WEFT__DEFINE_COMPOSITE(BOX_DECODE, box_decode,
                       PARTS(FLOATS, PART(SUB, WIDE), PART(ADD, WIDE), PART(MUL_SCALAR, WIDE), PART(MUL, WIDE),
                             PART(CLAMP, WIDE), PART(EXP, WIDE), PART(CONCAT, WIDE)),
                       GRADIENT("that of the formula; 0 of a size beyond the limit"), EACH_ONCE,
                       SAMPLE(call_box_decode, RECIPE("xa4 xa4", "; 0.1 0.2 4"), RECIPE("xab4 xab4", "; 1 1 3")))
WEFT__DEFINE_COMPOSITE(NMS, nms, NO_PARTS(FLOATS), GRADIENT(NULL),
                       WORK(weft__terms_one, weft__flops_each, weft__bytes_once),
                       SAMPLE(call_nms, RECIPE("pa4 pa", "; 0.5")))

/* ---- Overlap ---- */

/* The first two (x1, y1) or the last two of each box. */
static weft_tensor *corner(weft_tensor *boxes, int k)
{
    return weft_slice(boxes, -1, 2 * k, 2 * k + 2, 1);
}

/* Width times height between two corners; 0 where one is negative. */
static weft_tensor *area(weft_tensor *low, weft_tensor *high)
{
    weft_tensor *size = weft_relu(weft_sub(high, low));
    return weft_mul(weft_select(size, -1, 0), weft_select(size, -1, 1));
}

/* a / b, and 0 where b is 0: without a division by it, so that the gradient is 0, too. */
static weft_tensor *ratio(weft_tensor *a, weft_tensor *b)
{
    weft_tensor *there = weft_gt(b, weft__constant_like(b, 0));
    return weft_div(a, weft_where(there, b, weft__constant_like(b, 1)));
}

static weft_tensor *overlap(int op, weft_tensor *a, weft_tensor *b)
{
    static const char *const names[] = {"a", "b"};
    weft_tensor *in[] = {a, b}, *of[2][2];
    weft_ctx *ctx = weft__enter(op, in, 2, 0);
    if (!ctx)
        return NULL;
    weft_dtype dtype;
    if (!weft__localise(ctx, in, 2) || !weft__join_floats(ctx, op, in, names, 2, &dtype))
        return weft__leave_with(ctx, NULL);
    for (int k = 0; k < 2; k++) {
        const weft__array *boxes = &in[k]->a;
        if (boxes->ndim < 2 || boxes->ndim >= WEFT__MAX_DIMS || boxes->shape[boxes->ndim - 1] != 4)
            return weft__fail(ctx, op, WEFT_E_SHAPE, "%s %s must be [..., boxes, 4], with at most %d dims", names[k],
                              weft__describe(in[k]).s, WEFT__MAX_DIMS - 1),
                   weft__leave_with(ctx, NULL);
        weft_tensor *apart = weft_unsqueeze(in[k], k ? -3 : -2); /* each of a meets each of b */
        of[k][0] = corner(apart, 0);
        of[k][1] = corner(apart, 1);
    }
    weft_tensor *both = area(weft_max(of[0][0], of[1][0]), weft_min(of[0][1], of[1][1]));
    weft_tensor *one = weft_sub(weft_add(area(of[0][0], of[0][1]), area(of[1][0], of[1][1])), both);
    weft_tensor *y = ratio(both, one);
    if (op == WEFT_OP_GENERALIZED_BOX_IOU) {
        weft_tensor *hull = area(weft_min(of[0][0], of[1][0]), weft_max(of[0][1], of[1][1]));
        y = weft_sub(y, ratio(weft_sub(hull, one), hull));
    }
    return weft__leave_with(ctx, weft__narrowed(y, dtype));
}

weft_tensor *weft_box_iou(weft_tensor *a, weft_tensor *b)
{
    return overlap(WEFT_OP_BOX_IOU, a, b);
}

weft_tensor *weft_generalized_box_iou(weft_tensor *a, weft_tensor *b)
{
    return overlap(WEFT_OP_GENERALIZED_BOX_IOU, a, b);
}

/* ---- Boxes from anchors ---- */

weft_tensor *weft_box_decode(weft_tensor *anchors, weft_tensor *offsets, double centre_scale, double size_scale,
                             double limit)
{
    enum { OP = WEFT_OP_BOX_DECODE };
    static const char *const names[] = {"the anchors", "the offsets"};
    weft_tensor *in[] = {anchors, offsets};
    ENTER_COMPOSITE(BOX_DECODE, in, 2);
    weft_dtype dtype;
    if (!weft__join_floats(ctx, OP, in, names, 2, &dtype))
        return weft__leave_with(ctx, NULL);
    for (int k = 0; k < 2; k++)
        if (in[k]->a.ndim < 1 || in[k]->a.shape[in[k]->a.ndim - 1] != 4)
            REFUSE(BOX_DECODE, WEFT_E_SHAPE, "%s %s must be [..., 4]", names[k], weft__describe(in[k]).s);
    if (isnan(limit))
        REFUSE(BOX_DECODE, WEFT_E_INVALID, "the limit is NaN; INFINITY is none");
    weft_tensor *size = weft_sub(corner(in[0], 1), corner(in[0], 0));
    weft_tensor *centre = weft_add(corner(in[0], 0), weft_mul_scalar(size, 0.5));
    centre = weft_add(centre, weft_mul(weft_mul_scalar(corner(in[1], 0), centre_scale), size));
    weft_tensor *grown = weft_clamp(weft_mul_scalar(corner(in[1], 1), size_scale), -INFINITY, limit);
    weft_tensor *half = weft_mul_scalar(weft_mul(weft_exp(grown), size), 0.5);
    weft_tensor *corners[] = {weft_sub(centre, half), weft_add(centre, half)};
    return weft__leave_with(ctx, weft__narrowed(weft_concat(corners, 2, -1), dtype));
}

/* ---- Which to keep ---- */

typedef struct candidate {
    double score;
    int64_t place;
} candidate;

/* The highest score first, of equals the first one; NaN comes first, as topk has it. */
static int by_score(const void *a, const void *b)
{
    const candidate *x = a, *y = b;
    if (isnan(x->score) != isnan(y->score))
        return isnan(x->score) ? -1 : 1;
    if (x->score > y->score || x->score < y->score)
        return x->score > y->score ? -1 : 1;
    return x->place < y->place ? -1 : x->place > y->place;
}

static double positive(double x)
{
    return x > 0 ? x : 0;
}

static double area_of(const double *box)
{
    return positive(box[2] - box[0]) * positive(box[3] - box[1]);
}

static double iou(const double *a, const double *b)
{
    const double low[] = {fmax(a[0], b[0]), fmax(a[1], b[1])}, high[] = {fmin(a[2], b[2]), fmin(a[3], b[3])};
    const double both = positive(high[0] - low[0]) * positive(high[1] - low[1]);
    const double one = area_of(a) + area_of(b) - both;
    return one > 0 ? both / one : 0;
}

/* Of boxes [n][4] and candidates in order, the places of those that stay: kept[0 .. result). */
static int64_t choose(const double *boxes, const candidate *ordered, int64_t n, double threshold, int64_t *kept)
{
    int64_t count = 0;
    for (int64_t k = 0; k < n; k++) {
        bool stays = true;
        for (int64_t j = 0; j < count && stays; j++)
            stays = !(iou(boxes + 4 * kept[j], boxes + 4 * ordered[k].place) > threshold);
        if (stays)
            kept[count++] = ordered[k].place;
    }
    return count;
}

/* The numbers of t in f64, on the host. */
static bool read_numbers(weft_ctx *ctx, weft_tensor *t, double *out)
{
    t = weft__cast(t, WEFT_F64);
    return t && weft__to_host(ctx, "nms", t, out) == WEFT_OK;
}

static weft_tensor *kept_of(weft_ctx *ctx, weft_tensor *boxes, weft_tensor *scores, double threshold)
{
    const int64_t n = scores->a.count;
    double *numbers = weft__host_array(ctx, n + 1, 5 * sizeof *numbers);
    candidate *ordered = weft__host_array(ctx, n + 1, sizeof *ordered);
    int64_t *kept = weft__host_array(ctx, n + 1, sizeof *kept);
    weft_tensor *y = NULL;
    if (!numbers || !ordered || !kept) {
        weft__fail(ctx, WEFT_OP_NMS, WEFT_E_NOMEM, "out of memory for %lld boxes", (long long)n);
    } else if (read_numbers(ctx, boxes, numbers) && read_numbers(ctx, scores, numbers + 4 * n)) {
        for (int64_t k = 0; k < n; k++)
            ordered[k] = (candidate){numbers[4 * n + k], k};
        qsort(ordered, (size_t)n, sizeof *ordered, by_score);
        const int64_t count = choose(numbers, ordered, n, threshold, kept);
        y = weft_from_data(ctx, WEFT_I64, &count, 1, kept);
    }
    if (numbers)
        weft__host_free(ctx, numbers, 5 * sizeof *numbers * (size_t)(n + 1));
    if (ordered)
        weft__host_free(ctx, ordered, sizeof *ordered * (size_t)(n + 1));
    if (kept)
        weft__host_free(ctx, kept, sizeof *kept * (size_t)(n + 1));
    return y;
}

weft_tensor *weft_nms(weft_tensor *boxes, weft_tensor *scores, double threshold)
{
    enum { OP = WEFT_OP_NMS };
    weft_tensor *in[] = {boxes, scores};
    ENTER_COMPOSITE(NMS, in, 2);
    if (!weft__need_float(ctx, OP, "the boxes", in[0]) || !weft__need_float(ctx, OP, "the scores", in[1]))
        return weft__leave_with(ctx, NULL);
    const weft__array *b = &in[0]->a, *s = &in[1]->a;
    if (b->ndim != 2 || b->shape[1] != 4 || s->ndim != 1 || s->shape[0] != b->shape[0])
        REFUSE(NMS, WEFT_E_SHAPE, "the boxes %s must be [N, 4], the scores %s [N]", weft__describe(in[0]).s,
               weft__describe(in[1]).s);
    if (isnan(threshold))
        REFUSE(NMS, WEFT_E_INVALID, "the threshold is NaN");
    return weft__leave_with(ctx, kept_of(ctx, in[0], in[1], threshold));
}
