/* samples.c - see samples.h. */
#include "samples.h"
#include "sample_points.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Recipes ----
 * Operands are words: a kind, then a letter for each dim: a, b, c, d are the sizes of the shape (c of two: the inner
 * size), a digit is itself.
 *   x  reals of [-1, 1], with gradient     p  reals of [0.2, 1.2], with gradient
 *   r  as x, without gradient              o  ones: what works in place may run many times over
 *   i  indices below the letter after '<'   c  truth values */
struct recipe {
    const char *name;
    const char *operands;
    weft_tensor *(*run)(weft_ctx *ctx, weft_tensor *const *in);
    double flops_each;      /* of each point of the space below; 0: one for each element of the first operand */
    const char *flops_over; /* letters of the dims whose sizes multiply */
};

#define RUN(name) static weft_tensor *run_##name(weft_ctx *ctx, weft_tensor *const *in)
#define UNUSED (void)ctx

static int64_t size_of(weft_tensor *const *in, int dim)
{
    return weft_size(in[0], dim);
}

RUN(reshape)
{
    UNUSED;
    return weft_reshape(in[0], WEFT_DIMS(size_of(in, 1), size_of(in, 0)));
}

RUN(transpose)
{
    UNUSED;
    return weft_transpose(in[0], 0, 1);
}

RUN(permute)
{
    UNUSED;
    return weft_permute(in[0], WEFT_AXES(2, 0, 3, 1));
}

RUN(expand)
{
    UNUSED;
    return weft_expand(in[0], WEFT_DIMS(2, size_of(in, 0), size_of(in, 1)));
}

RUN(squeeze)
{
    UNUSED;
    return weft_squeeze(in[0], WEFT_AXES(1));
}

RUN(unsqueeze)
{
    UNUSED;
    return weft_unsqueeze(in[0], 1);
}

RUN(slice)
{
    UNUSED;
    return weft_slice(in[0], 1, 1, size_of(in, 1), 2);
}

RUN(select)
{
    UNUSED;
    return weft_select(in[0], 0, 1);
}

RUN(detach)
{
    UNUSED;
    return weft_detach(in[0]);
}

RUN(flatten)
{
    UNUSED;
    return weft_flatten(in[0], 1, -1);
}

RUN(stack)
{
    UNUSED;
    return weft_stack(in, 2, 0);
}

RUN(split)
{
    UNUSED;
    const int64_t sizes[] = {1, size_of(in, 0) - 1};
    weft_tensor *parts[2] = {NULL, NULL};
    if (weft_split(in[0], 0, sizes, 2, parts) != WEFT_OK)
        return NULL;
    weft_tensor *back[] = {parts[1], parts[0]};
    return weft_concat(back, 2, 0);
}

RUN(unbind)
{
    const int64_t n = size_of(in, 0);
    const size_t bytes = sizeof(weft_tensor *) * (size_t)n;
    weft_tensor **parts = weft_ctx_alloc(ctx, bytes), *y = NULL;
    if (parts && weft_unbind(in[0], 0, (int)n, parts) == WEFT_OK)
        y = weft_concat(parts, (int)n, 0);
    weft_ctx_free(ctx, parts, bytes);
    return y;
}

RUN(var)
{
    UNUSED;
    return weft_var(in[0], WEFT_AXES(-1), false, 1);
}

RUN(mse)
{
    UNUSED;
    return weft_mse(in[0], in[1]);
}

RUN(huber)
{
    UNUSED;
    return weft_huber(in[0], in[1], 0.5);
}

RUN(bce_with_logits)
{
    UNUSED;
    return weft_bce_with_logits(in[0], in[1]);
}

RUN(nll)
{
    UNUSED;
    return weft_nll(in[0], in[1]);
}

RUN(cross_entropy)
{
    UNUSED;
    return weft_cross_entropy(in[0], in[1]);
}

RUN(cross_entropy_with)
{
    UNUSED;
    return weft_cross_entropy_with(in[0], in[1], -100, 0.1, WEFT_REDUCTION_SUM);
}

RUN(clone)
{
    UNUSED;
    return weft_clone(in[0]);
}

RUN(contiguous)
{
    UNUSED;
    return weft_contiguous(weft_transpose(in[0], 0, 1));
}

RUN(cast)
{
    UNUSED; /* f64 stays: differences of a narrower result would say nothing */
    weft_dtype from = weft_dtype_of(in[0]);
    return weft_cast(in[0], from == WEFT_F64 ? WEFT_F64 : from == WEFT_F32 ? WEFT_BF16 : WEFT_F32);
}

RUN(matmul)
{
    UNUSED;
    return weft_matmul(in[0], in[1]);
}

RUN(linear)
{
    UNUSED;
    return weft_linear(in[0], in[1], in[2]);
}

RUN(linear_act)
{
    UNUSED;
    return weft_linear_act(in[0], in[1], in[2], WEFT_ACTIVATION_GELU_TANH);
}

RUN(attention)
{
    UNUSED;
    return weft_attention(in[0], in[1], in[2], 0, true);
}

RUN(concat)
{
    UNUSED;
    return weft_concat(in, 2, 1);
}

RUN(pad)
{
    UNUSED;
    return weft_pad(in[0], (const int64_t[]){1, 0}, (const int64_t[]){0, 2}, 2, 0.5);
}

RUN(flip)
{
    UNUSED;
    return weft_flip(in[0], WEFT_AXES(1));
}

RUN(gather)
{
    UNUSED;
    return weft_gather(in[0], in[1], 1);
}

RUN(scatter_add)
{
    UNUSED;
    return weft_scatter_add(in[0], in[2], in[1], 1);
}

RUN(index_select)
{
    UNUSED;
    return weft_index_select(in[0], in[1], 0);
}

RUN(index_add)
{
    UNUSED;
    return weft_index_add(in[0], in[2], in[1], 0);
}

RUN(embedding)
{
    UNUSED;
    return weft_embedding(in[0], in[1]);
}

RUN(softmax)
{
    UNUSED;
    return weft_softmax(in[0], -1);
}

RUN(log_softmax)
{
    UNUSED;
    return weft_log_softmax(in[0], -1);
}

RUN(layer_norm)
{
    UNUSED;
    return weft_layer_norm(in[0], in[1], in[2], 1e-5);
}

RUN(rms_norm)
{
    UNUSED;
    return weft_rms_norm(in[0], in[1], 1e-5);
}

RUN(batch_norm)
{
    UNUSED;
    weft_batch_norm_params params = WEFT_BATCH_NORM_DEFAULTS;
    params.training = true;
    return weft_batch_norm(in[0], in[1], in[2], NULL, NULL, &params);
}

RUN(dropout)
{
    weft_seed(ctx, 7); /* the same mask at each call */
    return weft_dropout(in[0], 0.25, true);
}

static const weft_conv2d_params same_size = {.padding = {1, 1}};
static const weft_pool2d_params halves = {.kernel = {2, 2}};

RUN(conv2d)
{
    UNUSED;
    return weft_conv2d(in[0], in[1], in[2], &same_size);
}

RUN(conv2d_transpose)
{
    UNUSED;
    return weft_conv2d_transpose(in[0], in[1], in[2], &same_size);
}

RUN(conv2d_weight)
{
    UNUSED;
    return weft_conv2d_weight(in[0], in[1], (const int64_t[]){3, 3}, &same_size);
}

RUN(max_pool2d)
{
    UNUSED;
    return weft_max_pool2d(in[0], &halves);
}

RUN(avg_pool2d)
{
    UNUSED;
    return weft_avg_pool2d(in[0], &halves);
}

RUN(avg_unpool2d)
{
    UNUSED;
    return weft_avg_unpool2d(in[0], (const int64_t[]){2 * size_of(in, 2), 2 * size_of(in, 3)}, &halves);
}

RUN(add_)
{
    UNUSED;
    return weft_add_(in[0], in[1]);
}

RUN(sub_)
{
    UNUSED;
    return weft_sub_(in[0], in[1]);
}

RUN(mul_)
{
    UNUSED;
    return weft_mul_(in[0], in[1]);
}

RUN(div_)
{
    UNUSED;
    return weft_div_(in[0], in[1]);
}

RUN(copy_)
{
    UNUSED;
    return weft_copy_(in[0], in[1]);
}

RUN(fill_)
{
    UNUSED;
    return weft_fill_(in[0], 0.5);
}

#define RECIPE(name, operands, flops)                                                                                  \
    {                                                                                                                  \
#name, operands, run_##name, flops, ""                                                                         \
    }
#define PRODUCT(name, operands, flops, over)                                                                           \
    {                                                                                                                  \
#name, operands, run_##name, flops, over                                                                       \
    }
static const recipe recipes[] = {
    RECIPE(reshape, "xab", 0),
    RECIPE(transpose, "xab", 0),
    RECIPE(permute, "xabcd", 0),
    RECIPE(expand, "xab", 0),
    RECIPE(squeeze, "xa1b", 0),
    RECIPE(unsqueeze, "xab", 0),
    RECIPE(slice, "xab", 0),
    RECIPE(select, "xab", 0),
    RECIPE(detach, "xab", 0),
    RECIPE(flatten, "xabcd", 0),
    RECIPE(stack, "xab xab", 0),
    RECIPE(split, "xab", 0),
    RECIPE(unbind, "xab", 0),
    RECIPE(var, "xab", 0),
    RECIPE(mse, "xab xab", 0),
    RECIPE(huber, "xab xab", 0),
    RECIPE(bce_with_logits, "xab pab", 0),
    RECIPE(nll, "xab ia<b", 0),
    RECIPE(cross_entropy, "xab ia<b", 0),
    RECIPE(cross_entropy_with, "xab ia<b", 0),
    RECIPE(clone, "xab", 0),
    RECIPE(contiguous, "xab", 0),
    RECIPE(cast, "xab", 0),
    PRODUCT(matmul, "xac xcb", 2, "abc"),
    PRODUCT(linear, "xac xbc xb", 2, "abc"),
    PRODUCT(linear_act, "xac xbc xb", 2, "abc"),
    PRODUCT(attention, "xabcd xabcd xabcd", 2, "abccd"), /* causal: half of the two products */
    RECIPE(concat, "xab xab", 0),
    RECIPE(pad, "xab", 0),
    RECIPE(flip, "xab", 0),
    RECIPE(gather, "xab iab<b", 0),
    RECIPE(scatter_add, "xab xab iab<b", 0),
    RECIPE(index_select, "xab ia<a", 0),
    RECIPE(index_add, "xab xab ia<a", 0),
    RECIPE(embedding, "xab ia<a", 0),
    RECIPE(softmax, "xab", 0),
    RECIPE(log_softmax, "xab", 0),
    RECIPE(layer_norm, "xab pb xb", 0),
    RECIPE(rms_norm, "xab pb", 0),
    RECIPE(batch_norm, "xabcd pb xb", 0),
    RECIPE(dropout, "xab", 0),
    PRODUCT(conv2d, "xabcd xbb33 xb", 18, "abbcd"),
    PRODUCT(conv2d_transpose, "xabcd xbb33 xb", 18, "abbcd"),
    PRODUCT(conv2d_weight, "xabcd xabcd", 18, "abbcd"),
    RECIPE(max_pool2d, "xabcd", 0),
    RECIPE(avg_pool2d, "xabcd", 0),
    RECIPE(avg_unpool2d, "xabcd", 0),
    RECIPE(add_, "rab oab", 0),
    RECIPE(sub_, "rab oab", 0),
    RECIPE(mul_, "rab oab", 0),
    RECIPE(div_, "rab oab", 0),
    RECIPE(copy_, "rab rab", 0),
    RECIPE(fill_, "rab", 0),
};

/* The operands of the families that weft_op_describe can call; 'x' takes its values from the row's own domain there. */
static const char *family_operands(weft_op_family family)
{
    switch (family) {
    case WEFT_OP_FAMILY_BINARY:
    case WEFT_OP_FAMILY_COMPARE:
        return "xab xab";
    case WEFT_OP_FAMILY_TERNARY:
        return "cab xab xab";
    case WEFT_OP_FAMILY_UNARY:
    case WEFT_OP_FAMILY_UNARY_P:
    case WEFT_OP_FAMILY_PREDICATE:
    case WEFT_OP_FAMILY_REDUCE:
        return "xab";
    default:
        return NULL;
    }
}

static const char *operands_of(const sample *s)
{
    return s->how ? s->how->operands : family_operands(s->op.family);
}

bool sample_find(int index, sample *s)
{
    *s = (sample){0};
    if (weft_op_describe(index, &s->op) != WEFT_OK)
        return false;
    for (size_t k = 0; k < sizeof recipes / sizeof recipes[0]; k++)
        if (strcmp(recipes[k].name, s->op.name) == 0)
            s->how = &recipes[k];
    const char *words = operands_of(s);
    s->rank = words && strchr(words, 'd') ? 4 : 2;
    s->inner = s->how && s->rank == 2 && strchr(s->how->flops_over, 'c');
    return words != NULL;
}

/* ---- Operands ---- */

/* count values of [lo, hi], evenly spread in an order that looks random: multiples of the golden ratio. which shifts
 * them, so that two operands have no equal elements but those of sample_points. */
static weft_tensor *spread_values(const sample *s, weft_ctx *ctx, weft_dtype dtype, const int64_t *shape, int ndim,
                                  double lo, double hi, int which)
{
    int64_t count = 1;
    for (int k = 0; k < ndim; k++)
        count *= shape[k];
    double *values = malloc((size_t)(count + 1) * sizeof *values);
    if (!values) {
        weft_ctx_fail(ctx, WEFT_E_NOMEM, "no memory for %lld sample values", (long long)count);
        return NULL;
    }
    for (int64_t k = 0; k < count; k++) {
        double turn = 0.1373 + 0.2911 * which + 0.61803398874989485 * (double)k;
        values[k] = lo + (hi - lo) * (turn - floor(turn));
    }
    sample_points(s, which, values, count);
    weft_tensor *made = weft_from_data(ctx, WEFT_F64, shape, ndim, values);
    free(values);
    return dtype == WEFT_F64 ? made : weft_cast(made, dtype);
}

static int64_t letter_size(char letter, const int64_t *shape)
{
    if (isdigit((unsigned char)letter))
        return letter - '0';
    return letter == 'c' && shape[2] == 0 ? shape[1] : shape[letter - 'a'];
}

static weft_tensor *make_operand(const sample *s, weft_ctx *ctx, weft_dtype dtype, const int64_t *shape,
                                 const char *word, bool spread, int which)
{
    int64_t dims[WEFT_MAX_DIMS];
    int ndim = 0;
    const char *at = word + 1;
    for (; *at && *at != ' ' && *at != '<'; at++)
        dims[ndim++] = letter_size(*at, shape);
    if (*word == 'i') {
        if (!spread)
            return weft_randint(ctx, WEFT_I64, dims, ndim, 0, letter_size(at[1], shape));
        double below = (double)letter_size(at[1], shape) - 1e-6;
        return weft_cast(spread_values(s, ctx, WEFT_F64, dims, ndim, 0, below, which), WEFT_I64);
    }
    if (*word == 'o')
        return weft_ones(ctx, dtype, dims, ndim);
    if (*word == 'c')
        return weft_bernoulli(ctx, WEFT_BOOL, dims, ndim, 0.5);
    double lo = s->how ? (*word == 'p' ? 0.2 : -1) : s->op.lo, hi = s->how ? (*word == 'p' ? 1.2 : 1) : s->op.hi;
    if (!spread)
        return weft_rand(ctx, dtype, dims, ndim, lo, hi);
    return spread_values(s, ctx, dtype, dims, ndim, lo, hi, which);
}

bool sample_make(const sample *s, weft_ctx *ctx, weft_dtype dtype, const int64_t *shape, bool spread, operands *out)
{
    *out = (operands){.n = 0};
    weft_seed(ctx, 1);
    for (const char *word = operands_of(s); word; word = strchr(word, ' ')) {
        word += *word == ' ';
        weft_tensor *made = make_operand(s, ctx, dtype, shape, word, spread, out->n);
        if (!made)
            return false;
        out->smooth[out->n] = *word == 'x' || *word == 'p';
        out->in[out->n++] = made;
    }
    return true;
}

/* ---- Running ---- */

weft_tensor *sample_run(const sample *s, weft_ctx *ctx, weft_tensor *const *in)
{
    if (s->how)
        return s->how->run(ctx, in);
    switch (s->op.family) {
    case WEFT_OP_FAMILY_BINARY:
    case WEFT_OP_FAMILY_COMPARE:
        return s->op.call.binary(in[0], in[1]);
    case WEFT_OP_FAMILY_TERNARY:
        return s->op.call.ternary(in[0], in[1], in[2]);
    case WEFT_OP_FAMILY_REDUCE:
        return s->op.call.reduce(in[0], WEFT_AXES(-1), false);
    case WEFT_OP_FAMILY_UNARY_P: /* numbers inside every domain that such rows have */
        return s->op.numbers == 2 ? s->op.call.unary_2(in[0], -1.3, 1.7) : s->op.call.unary_1(in[0], 1.5);
    default:
        return s->op.call.unary(in[0]);
    }
}

/* Whether the result is another view of the operand's memory. */
static bool moves_nothing(const sample *s)
{
    return s->op.family == WEFT_OP_FAMILY_VIEW || strcmp(s->op.name, "flatten") == 0;
}

double sample_bytes(const sample *s, const operands *all, weft_tensor *result)
{
    if (moves_nothing(s))
        return 0;
    bool only_writes = strcmp(s->op.name, "copy_") == 0 || strcmp(s->op.name, "fill_") == 0;
    double bytes = (double)weft_count(result) * (double)weft_dtype_size(weft_dtype_of(result));
    for (int k = only_writes; k < all->n; k++)
        bytes += (double)weft_count(all->in[k]) * (double)weft_dtype_size(weft_dtype_of(all->in[k]));
    return bytes;
}

double sample_flops(const sample *s, const operands *all, const int64_t *shape)
{
    if (moves_nothing(s))
        return 0;
    if (!s->how || s->how->flops_each == 0)
        return (double)weft_count(all->in[0]);
    double flops = s->how->flops_each;
    for (const char *letter = s->how->flops_over; *letter; letter++)
        flops *= (double)letter_size(*letter, shape);
    return flops;
}

/* ---- Gradients ---- */

bool sample_has_gradient(const sample *s)
{
    const char *first = operands_of(s);
    return s->op.differentiable && (strchr(first, 'x') || strchr(first, 'p'));
}

double sample_gradient_bytes(const sample *s, const operands *all, weft_tensor *result)
{
    if (moves_nothing(s))
        return 0;
    double bytes = (double)weft_count(result) * (double)weft_dtype_size(weft_dtype_of(result));
    for (int k = 0; k < all->n; k++)
        if (all->smooth[k])
            bytes += (double)weft_count(all->in[k]) * (double)weft_dtype_size(weft_dtype_of(all->in[k]));
    return bytes;
}

double sample_gradient_flops(const sample *s, const operands *all, const int64_t *shape)
{
    int n = 0;
    for (int k = 0; k < all->n; k++)
        n += all->smooth[k] && weft_ndim(all->in[k]) >= 2;
    return n * sample_flops(s, all, shape);
}
