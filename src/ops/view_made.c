/* view_made.c - composites that move elements: rolled, repeated, cut to triangles, on diagonals, between channels
 * and pixels. */
#include <string.h>
#include "made.h"

/* ---- Records ---- */

/* i: shift, dim */
CALL(roll)
{
    c->out[0] = weft_roll(c->in[0], c->i[0], c->i[1]);
}

/* i: repeats... */
CALL(tile)
{
    c->out[0] = weft_tile(c->in[0], c->i, c->ni);
}

/* i: repeats, dim */
CALL(repeat_interleave)
{
    c->out[0] = weft_repeat_interleave(c->in[0], c->i[0], c->i[1]);
}

/* i: the diagonal */
CALL(tril)
{
    c->out[0] = weft_tril(c->in[0], c->i[0]);
}

/* i: the diagonal */
CALL(triu)
{
    c->out[0] = weft_triu(c->in[0], c->i[0]);
}

/* i: offset, two dims */
CALL(diagonal)
{
    c->out[0] = weft_diagonal(c->in[0], c->i[0], c->i[1], c->i[2]);
}

CALL(diag_embed)
{
    c->out[0] = weft_diag_embed(c->in[0]);
}

CALL(trace)
{
    c->out[0] = weft_trace(c->in[0]);
}

/* i: classes, dtype */
CALL(one_hot)
{
    c->out[0] = weft_one_hot(c->in[0], c->i[0], (weft_dtype)c->i[1]);
}

/* i: from, to */
CALL(movedim)
{
    c->out[0] = weft_movedim(c->in[0], c->i[0], c->i[1]);
}

/* i: dim, sizes... */
CALL(unflatten)
{
    c->out[0] = weft_unflatten(c->in[0], c->i[0], c->i + 1, c->ni - 1);
}

/* i: quarter turns, two dims */
CALL(rot90)
{
    c->out[0] = weft_rot90(c->in[0], c->i[0], c->i[1], c->i[2]);
}

/* i: factor */
CALL(pixel_shuffle)
{
    c->out[0] = weft_pixel_shuffle(c->in[0], c->i[0]);
}

/* i: factor */
CALL(pixel_unshuffle)
{
    c->out[0] = weft_pixel_unshuffle(c->in[0], c->i[0]);
}

/* i: groups */
CALL(channel_shuffle)
{
    c->out[0] = weft_channel_shuffle(c->in[0], c->i[0]);
}

#define MOVED WORK(weft__terms_one, weft__flops_none, weft__bytes_once)
#define TRIANGLE(ID) PARTS(ANY_DTYPE, PART(ARANGE, OF_I64), PART(SUB, OF_I64), PART(ID, OF_I64), PART(WHERE, AS_ALONE))

WEFT__DEFINE_COMPOSITE(ROLL, roll, PARTS(ANY_DTYPE, PART(CONCAT, AS_ALONE)), GRADIENT("g, rolled back"), MOVED,
                       SAMPLE(call_roll, RECIPE("xab", "1 0"), RECIPE("xab", "-1 1")))
WEFT__DEFINE_COMPOSITE(TILE, tile, NO_PARTS(ANY_DTYPE), GRADIENT("the sum of g over the copies"), MOVED,
                       SAMPLE(call_tile, RECIPE("xab", "2 3"), RECIPE("xb", "2 2")))
WEFT__DEFINE_COMPOSITE(REPEAT_INTERLEAVE, repeat_interleave, NO_PARTS(ANY_DTYPE),
                       GRADIENT("the sum of g over the copies"), MOVED,
                       SAMPLE(call_repeat_interleave, RECIPE("xab", "2 1"), RECIPE("xab", "3 0")))
WEFT__DEFINE_COMPOSITE(TRIL, tril, TRIANGLE(LE), GRADIENT("g there, else 0"), MOVED,
                       SAMPLE(call_tril, RECIPE("xab", "0"), RECIPE("xabc", "1")))
WEFT__DEFINE_COMPOSITE(TRIU, triu, TRIANGLE(GE), GRADIENT("g there, else 0"), MOVED,
                       SAMPLE(call_triu, RECIPE("xab", "0"), RECIPE("xabc", "-1")))
WEFT__DEFINE_COMPOSITE(DIAGONAL, diagonal, PARTS(ANY_DTYPE, PART(ARANGE, OF_I64), PART(INDEX_SELECT, AS_ALONE)),
                       GRADIENT("g on the diagonal, 0 elsewhere"), MOVED,
                       SAMPLE(call_diagonal, RECIPE("xab", "0 0 1"), RECIPE("x345a", "1 -1 0")))
WEFT__DEFINE_COMPOSITE(DIAG_EMBED, diag_embed,
                       PARTS(ANY_DTYPE, PART(ARANGE, OF_I64), PART(EQ, OF_I64), PART(WHERE, AS_ALONE)),
                       GRADIENT("the diagonal of g"), MOVED,
                       SAMPLE(call_diag_embed, RECIPE("xab5", ""), RECIPE("x7", "")))
WEFT__DEFINE_COMPOSITE(TRACE, trace,
                       PARTS(ANY_DTYPE, PART(ARANGE, OF_I64), PART(INDEX_SELECT, AS_ALONE), PART(SUM, AS_ALONE)),
                       GRADIENT("g on the diagonal, 0 elsewhere"), ROW_ONCE, SAMPLE(call_trace, RECIPE("xab", "")))
WEFT__DEFINE_COMPOSITE(ONE_HOT, one_hot, PARTS(ANY_DTYPE, PART(SCATTER_ADD, OF_I64)), GRADIENT(NULL), MOVED,
                       SAMPLE(call_one_hot, RECIPE("iab<5", "5 4")))
WEFT__DEFINE_COMPOSITE(MOVEDIM, movedim, NO_PARTS(ANY_DTYPE), GRADIENT("g, its dims moved back"),
                       WORK(weft__terms_one, weft__flops_none, weft__bytes_none),
                       SAMPLE(call_movedim, RECIPE("xabc", "0 -1")))
WEFT__DEFINE_COMPOSITE(UNFLATTEN, unflatten, NO_PARTS(ANY_DTYPE), GRADIENT("g in x's shape"),
                       WORK(weft__terms_one, weft__flops_none, weft__bytes_none),
                       SAMPLE(call_unflatten, RECIPE("xa6", "1 2 -1")))
WEFT__DEFINE_COMPOSITE(ROT90, rot90, PARTS(ANY_DTYPE, PART(FLIP, AS_ALONE)), GRADIENT("g, turned back"), MOVED,
                       SAMPLE(call_rot90, RECIPE("xab", "1 0 1"), RECIPE("xabc", "-1 1 2")))
WEFT__DEFINE_COMPOSITE(PIXEL_SHUFFLE, pixel_shuffle, NO_PARTS(ANY_DTYPE), GRADIENT("pixel_unshuffle of g"), MOVED,
                       SAMPLE(call_pixel_shuffle, RECIPE("x18ab", "2"), RECIPE("x2943", "3")))
WEFT__DEFINE_COMPOSITE(PIXEL_UNSHUFFLE, pixel_unshuffle, NO_PARTS(ANY_DTYPE), GRADIENT("pixel_shuffle of g"), MOVED,
                       SAMPLE(call_pixel_unshuffle, RECIPE("xab46", "2"), RECIPE("x2163", "3")))
WEFT__DEFINE_COMPOSITE(CHANNEL_SHUFFLE, channel_shuffle, NO_PARTS(ANY_DTYPE), GRADIENT("g, its channels shuffled back"),
                       MOVED, SAMPLE(call_channel_shuffle, RECIPE("xa6b", "2"), RECIPE("x26ab", "3")))

/* ---- Copies side by side ---- */

weft_tensor *weft_roll(weft_tensor *x, int64_t shift, int64_t dim)
{
    ENTER_COMPOSITE(ROLL, &x, 1);
    const int d = weft__dim(ctx, WEFT_OP_ROLL, x, dim);
    if (d < 0)
        return weft__leave_with(ctx, NULL);
    const int64_t n = x->a.shape[d], from = n > 0 ? ((-shift % n) + n) % n : 0;
    weft_tensor *parts[] = {weft_slice(x, d, from, n, 1), weft_slice(x, d, 0, from, 1)};
    return weft__leave_with(ctx, weft_concat(parts, 2, d));
}

/* x with each element of dim d n times: all of them one after the other (inner), or the whole as often. */
static weft_tensor *repeated(weft_tensor *x, int d, int64_t n, bool inner)
{
    if (!x || n == 1)
        return x;
    int64_t shape[WEFT__MAX_DIMS];
    const int at = inner ? d + 1 : d;
    weft_tensor *wide = weft_unsqueeze(x, at);
    if (!wide)
        return NULL;
    memcpy(shape, wide->a.shape, sizeof shape);
    shape[at] = n;
    return weft_flatten(weft_expand(wide, shape, wide->a.ndim), d, d + 1);
}

weft_tensor *weft_tile(weft_tensor *x, const int64_t *repeats, int n)
{
    ENTER_COMPOSITE(TILE, &x, 1);
    if (n < 0 || n > WEFT__MAX_DIMS || (n > 0 && !repeats))
        REFUSE(TILE, WEFT_E_INVALID, "needs up to %d repeats, not %d", WEFT__MAX_DIMS, n);
    for (int k = 0; k < n; k++)
        if (repeats[k] < 0)
            REFUSE(TILE, WEFT_E_INVALID, "repeat %d is %lld", k, (long long)repeats[k]);
    weft_tensor *y = x;
    while (y && y->a.ndim < n)
        y = weft_unsqueeze(y, 0);
    const int first = y ? y->a.ndim - n : 0; /* fewer repeats than dims count from the last one */
    for (int k = 0; k < n && y; k++)
        y = repeated(y, first + k, repeats[k], false);
    return weft__leave_with(ctx, y == x ? weft_clone(x) : y);
}

weft_tensor *weft_repeat_interleave(weft_tensor *x, int64_t repeats, int64_t dim)
{
    ENTER_COMPOSITE(REPEAT_INTERLEAVE, &x, 1);
    const int d = weft__dim(ctx, WEFT_OP_REPEAT_INTERLEAVE, x, dim);
    if (d < 0)
        return weft__leave_with(ctx, NULL);
    if (repeats < 0)
        REFUSE(REPEAT_INTERLEAVE, WEFT_E_INVALID, "repeats is %lld", (long long)repeats);
    weft_tensor *y = repeated(x, d, repeats, true);
    return weft__leave_with(ctx, y == x ? weft_clone(x) : y);
}

/* ---- Diagonals ---- */

/* Whole numbers from 0 on along dim d of two, the other of size 1. */
static weft_tensor *counted(weft_ctx *ctx, int64_t n, int d)
{
    int64_t shape[2] = {1, 1};
    shape[d] = n;
    return weft_reshape(weft_arange(ctx, WEFT_I64, 0, (double)n, 1), shape, 2);
}

/* x where each column's number minus the row's, of its last two dims, compares so with the diagonal, 0 elsewhere. */
static weft_tensor *triangle(int op, weft_tensor *x, int64_t diagonal,
                             weft_tensor *(*compare)(weft_tensor *, weft_tensor *))
{
    weft_ctx *ctx = weft__enter(op, &x, 1, 0);
    if (!ctx)
        return NULL;
    if (!weft__localise(ctx, &x, 1) || !weft__need_rank(ctx, op, "x", x, 2, WEFT__MAX_DIMS))
        return weft__leave_with(ctx, NULL);
    const int64_t *shape = x->a.shape + x->a.ndim - 2;
    weft_tensor *across = weft_sub(counted(ctx, shape[1], 1), counted(ctx, shape[0], 0));
    weft_tensor *kept = compare(across, weft_scalar(ctx, WEFT_I64, (double)diagonal));
    return weft__leave_with(ctx, weft_where(kept, x, weft__constant_like(x, 0)));
}

weft_tensor *weft_tril(weft_tensor *x, int64_t diagonal)
{
    return triangle(WEFT_OP_TRIL, x, diagonal, weft_le);
}

weft_tensor *weft_triu(weft_tensor *x, int64_t diagonal)
{
    return triangle(WEFT_OP_TRIU, x, diagonal, weft_ge);
}

/* The diagonal of dims a and b, as the last dim. */
static weft_tensor *diagonal_of(weft_ctx *ctx, int op, weft_tensor *x, int64_t offset, int64_t dim0, int64_t dim1)
{
    const int a = weft__dim(ctx, op, x, dim0), b = a < 0 ? -1 : weft__dim(ctx, op, x, dim1);
    if (a < 0 || b < 0)
        return NULL;
    if (a == b)
        return weft__fail(ctx, op, WEFT_E_INVALID, "both dims are %d", a), NULL;
    int64_t order[WEFT__MAX_DIMS];
    int n = 0;
    for (int d = 0; d < x->a.ndim; d++)
        if (d != a && d != b)
            order[n++] = d;
    order[n++] = a;
    order[n++] = b;
    const int64_t rows = x->a.shape[a], columns = x->a.shape[b];
    const int64_t down = offset < 0 ? -offset : 0, right = offset > 0 ? offset : 0;
    int64_t length = rows - down < columns - right ? rows - down : columns - right;
    length = length < 0 ? 0 : length;
    const int64_t start = down * columns + right, step = columns + 1;
    weft_tensor *flat = weft_flatten(weft_permute(x, order, n), -2, -1);
    const double last = (double)(start + length * step);
    weft_tensor *index = weft_arange(ctx, WEFT_I64, (double)start, last, (double)step);
    return weft_index_select(flat, index, -1);
}

weft_tensor *weft_diagonal(weft_tensor *x, int64_t offset, int64_t dim0, int64_t dim1)
{
    ENTER_COMPOSITE(DIAGONAL, &x, 1);
    return weft__leave_with(ctx, diagonal_of(ctx, WEFT_OP_DIAGONAL, x, offset, dim0, dim1));
}

weft_tensor *weft_diag_embed(weft_tensor *x)
{
    ENTER_COMPOSITE(DIAG_EMBED, &x, 1);
    if (!weft__need_rank(ctx, WEFT_OP_DIAG_EMBED, "x", x, 1, WEFT__MAX_DIMS - 1))
        return weft__leave_with(ctx, NULL);
    const int64_t n = x->a.shape[x->a.ndim - 1];
    weft_tensor *on = weft_eq(counted(ctx, n, 1), counted(ctx, n, 0));
    return weft__leave_with(ctx, weft_where(on, weft_unsqueeze(x, -1), weft__constant_like(x, 0)));
}

weft_tensor *weft_trace(weft_tensor *x)
{
    ENTER_COMPOSITE(TRACE, &x, 1);
    if (!weft__need_rank(ctx, WEFT_OP_TRACE, "x", x, 2, 2))
        return weft__leave_with(ctx, NULL);
    return weft__leave_with(ctx, weft_sum(diagonal_of(ctx, WEFT_OP_TRACE, x, 0, 0, 1), WEFT_ALL, false));
}

weft_tensor *weft_one_hot(weft_tensor *index, int64_t classes, weft_dtype dtype)
{
    ENTER_COMPOSITE(ONE_HOT, &index, 1);
    if (!weft__need_index(ctx, WEFT_OP_ONE_HOT, "the index", index) ||
        !weft__need_rank(ctx, WEFT_OP_ONE_HOT, "the index", index, 0, WEFT__MAX_DIMS - 1))
        return weft__leave_with(ctx, NULL);
    if (classes < 0)
        REFUSE(ONE_HOT, WEFT_E_INVALID, "%lld classes", (long long)classes);
    int64_t shape[WEFT__MAX_DIMS];
    memcpy(shape, index->a.shape, sizeof shape);
    shape[index->a.ndim] = classes;
    weft_tensor *places = weft_unsqueeze(index, -1), *none = weft_zeros(ctx, WEFT_I64, shape, index->a.ndim + 1);
    if (!places)
        return weft__leave_with(ctx, NULL);
    weft_tensor *ones = weft_ones(ctx, WEFT_I64, places->a.shape, places->a.ndim);
    return weft__leave_with(ctx, weft_cast(weft_scatter_add(none, places, ones, -1), dtype));
}

/* ---- Dims ---- */

weft_tensor *weft_movedim(weft_tensor *x, int64_t from, int64_t to)
{
    ENTER_COMPOSITE(MOVEDIM, &x, 1);
    const int a = weft__dim(ctx, WEFT_OP_MOVEDIM, x, from), b = a < 0 ? -1 : weft__dim(ctx, WEFT_OP_MOVEDIM, x, to);
    if (a < 0 || b < 0)
        return weft__leave_with(ctx, NULL);
    int64_t order[WEFT__MAX_DIMS];
    for (int d = 0, next = 0; d < x->a.ndim; d++) {
        next += next == a; /* the others keep their order */
        order[d] = d == b ? a : next++;
    }
    return weft__leave_with(ctx, weft_permute(x, order, x->a.ndim));
}

weft_tensor *weft_unflatten(weft_tensor *x, int64_t dim, const int64_t *sizes, int n)
{
    ENTER_COMPOSITE(UNFLATTEN, &x, 1);
    const int d = weft__dim(ctx, WEFT_OP_UNFLATTEN, x, dim);
    if (d < 0)
        return weft__leave_with(ctx, NULL);
    if (n < 1 || x->a.ndim - 1 + n > WEFT__MAX_DIMS || !sizes)
        REFUSE(UNFLATTEN, WEFT_E_INVALID, "%d sizes in the place of one of %d dims; at most %d dims are possible", n,
               x->a.ndim, WEFT__MAX_DIMS);
    int64_t shape[WEFT__MAX_DIMS], made = 1;
    int ndim = 0;
    for (int k = 0; k < d; k++)
        shape[ndim++] = x->a.shape[k];
    for (int k = 0; k < n; k++) {
        shape[ndim++] = sizes[k];
        if (__builtin_mul_overflow(made, sizes[k], &made))
            REFUSE(UNFLATTEN, WEFT_E_SHAPE, "size %d is %lld", k, (long long)sizes[k]);
    }
    if (made >= 0 && made != x->a.shape[d]) /* where one is -1, reshape finds out */
        REFUSE(UNFLATTEN, WEFT_E_SHAPE, "dim %d of %s has %lld elements, %s has %lld", d, weft__describe(x).s,
               (long long)x->a.shape[d], weft__shape_text(sizes, n).s, (long long)made);
    for (int k = d + 1; k < x->a.ndim; k++)
        shape[ndim++] = x->a.shape[k];
    return weft__leave_with(ctx, weft_reshape(x, shape, ndim));
}

weft_tensor *weft_rot90(weft_tensor *x, int64_t turns, int64_t dim0, int64_t dim1)
{
    ENTER_COMPOSITE(ROT90, &x, 1);
    const int a = weft__dim(ctx, WEFT_OP_ROT90, x, dim0), b = a < 0 ? -1 : weft__dim(ctx, WEFT_OP_ROT90, x, dim1);
    if (a < 0 || b < 0)
        return weft__leave_with(ctx, NULL);
    if (a == b)
        REFUSE(ROT90, WEFT_E_INVALID, "both dims are %d", a);
    const int64_t quarter = (turns % 4 + 4) % 4;
    weft_tensor *y = x;
    if (quarter == 0)
        y = weft_clone(x);
    else if (quarter == 2)
        y = weft_flip(x, WEFT_DIMS(a, b));
    else
        y = weft_transpose(weft_flip(x, WEFT_DIMS(quarter == 1 ? b : a)), a, b);
    return weft__leave_with(ctx, y);
}

/* ---- Channels ---- */

/* The last three dims are channels, height and width; those before them are kept. Factor >= 1. */
static bool is_picture(weft_ctx *ctx, int op, const weft_tensor *x, int64_t factor)
{
    if (!weft__need_rank(ctx, op, "x", x, 3, WEFT__MAX_DIMS - 2))
        return false;
    if (factor >= 1)
        return true;
    weft__fail(ctx, op, WEFT_E_INVALID, "the factor is %lld", (long long)factor);
    return false;
}

/* x's leading dims but for the last n, then the sizes; the number of dims. */
static int shape_after(const weft_tensor *x, int n, const int64_t *sizes, int n_sizes, int64_t *shape)
{
    const int lead = x->a.ndim - n;
    memcpy(shape, x->a.shape, sizeof *shape * (size_t)lead);
    memcpy(shape + lead, sizes, sizeof *shape * (size_t)n_sizes);
    return lead + n_sizes;
}

/* Reshapes the last three dims to five, takes those in another order, and joins them to three. */
static weft_tensor *reordered(weft_tensor *x, const int64_t *five, const int *order, const int64_t *three)
{
    int64_t shape[WEFT__MAX_DIMS], dims[WEFT__MAX_DIMS];
    int ndim = shape_after(x, 3, five, 5, shape);
    weft_tensor *wide = weft_reshape(x, shape, ndim);
    for (int d = 0; d < ndim; d++)
        dims[d] = d < ndim - 5 ? d : ndim - 5 + order[d - (ndim - 5)];
    wide = weft_permute(wide, dims, ndim);
    ndim = shape_after(x, 3, three, 3, shape);
    return weft_reshape(wide, shape, ndim);
}

weft_tensor *weft_pixel_shuffle(weft_tensor *x, int64_t factor)
{
    ENTER_COMPOSITE(PIXEL_SHUFFLE, &x, 1);
    if (!is_picture(ctx, WEFT_OP_PIXEL_SHUFFLE, x, factor))
        return weft__leave_with(ctx, NULL);
    const int64_t *s = x->a.shape + x->a.ndim - 3, r = factor;
    if (r > INT32_MAX || s[0] % (r * r) != 0)
        REFUSE(PIXEL_SHUFFLE, WEFT_E_SHAPE, "the %lld channels of %s are no multiple of %lld^2", (long long)s[0],
               weft__describe(x).s, (long long)r);
    return weft__leave_with(ctx, reordered(x, (const int64_t[]){s[0] / (r * r), r, r, s[1], s[2]},
                                           (const int[]){0, 3, 1, 4, 2},
                                           (const int64_t[]){s[0] / (r * r), s[1] * r, s[2] * r}));
}

weft_tensor *weft_pixel_unshuffle(weft_tensor *x, int64_t factor)
{
    ENTER_COMPOSITE(PIXEL_UNSHUFFLE, &x, 1);
    if (!is_picture(ctx, WEFT_OP_PIXEL_UNSHUFFLE, x, factor))
        return weft__leave_with(ctx, NULL);
    const int64_t *s = x->a.shape + x->a.ndim - 3, r = factor;
    if (s[1] % r != 0 || s[2] % r != 0)
        REFUSE(PIXEL_UNSHUFFLE, WEFT_E_SHAPE, "height and width of %s are no multiples of %lld", weft__describe(x).s,
               (long long)r);
    return weft__leave_with(ctx, reordered(x, (const int64_t[]){s[0], s[1] / r, r, s[2] / r, r},
                                           (const int[]){0, 2, 4, 1, 3},
                                           (const int64_t[]){s[0] * r * r, s[1] / r, s[2] / r}));
}

weft_tensor *weft_channel_shuffle(weft_tensor *x, int64_t groups)
{
    ENTER_COMPOSITE(CHANNEL_SHUFFLE, &x, 1);
    if (!weft__need_rank(ctx, WEFT_OP_CHANNEL_SHUFFLE, "x", x, 2, WEFT__MAX_DIMS - 1))
        return weft__leave_with(ctx, NULL);
    if (groups < 1 || x->a.shape[1] % groups != 0)
        REFUSE(CHANNEL_SHUFFLE, WEFT_E_SHAPE, "the %lld channels (dim 1) of %s are no multiple of %lld groups",
               (long long)x->a.shape[1], weft__describe(x).s, (long long)groups);
    int64_t shape[WEFT__MAX_DIMS] = {x->a.shape[0], groups, x->a.shape[1] / groups};
    for (int d = 2; d < x->a.ndim; d++)
        shape[d + 1] = x->a.shape[d];
    weft_tensor *y = weft_transpose(weft_reshape(x, shape, x->a.ndim + 1), 1, 2);
    return weft__leave_with(ctx, weft_reshape(y, x->a.shape, x->a.ndim));
}
