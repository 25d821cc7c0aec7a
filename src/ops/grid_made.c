/* grid_made.c - pictures read at places that a tensor says: grids of an affine map, and reading at a grid. */
#include "made.h"

/* i: sizes, whether corners are aligned */
CALL(affine_grid)
{
    c->out[0] = weft_affine_grid(c->in[0], c->i, c->ni - 1, c->i[c->ni - 1] != 0);
}

/* i: the way, what is outside, whether corners are aligned */
CALL(grid_sample)
{
    c->out[0] = weft_grid_sample(c->in[0], c->in[1], (weft_interpolation)c->i[0], (weft_outside)c->i[1], c->i[2] != 0);
}

/* Four products for each element of the result. */
static double flops_grid_sample(const weft__work *w)
{
    return 8 * weft__count(w->out[0]);
}

static double flops_affine_grid(const weft__work *w)
{
    return 2 * weft__count(w->out[0]) * (double)weft__extent(w->in[0], 1);
}

WEFT__DEFINE_COMPOSITE(AFFINE_GRID, affine_grid, PARTS(FLOATS, PART(MATMUL, WIDE)),
                       GRADIENT("the sum over all places of g times the place"),
                       WORK(weft__terms_columns, flops_affine_grid, weft__bytes_once),
                       SAMPLE(call_affine_grid, RECIPE("xa23", "4 5 0"), RECIPE("x234", "2 3 4 1")))
WEFT__DEFINE_COMPOSITE(
    GRID_SAMPLE, grid_sample,
    PARTS(FLOATS, PART(ADD_SCALAR, WIDE), PART(MUL_SCALAR, WIDE), PART(ABS, WIDE), PART(FLOOR, WIDE), PART(SUB, WIDE),
          PART(CLAMP, WIDE), PART(EQ, WIDE), PART(WHERE, WIDE), PART(MUL, WIDE), PART(ADD, WIDE), PART(EMBEDDING, WIDE),
          PART(MUL_SCALAR, OF_I64), PART(ADD, OF_I64), PART(ARANGE, OF_I64)),
    GRADIENT("of x: g in parts to the four pixels that were mixed; of the grid the slopes between them"),
    WORK(weft__terms_one, flops_grid_sample, weft__bytes_once),
    SAMPLE(call_grid_sample, RECIPE("x2a45 g2b32", "1 2 0"), RECIPE("x2334 g2232", "1 2 1")))

/* ---- Affine maps ---- */

/* Place i of n in [-1, 1]: the first and the last are the ends themselves, or the middles of the outer pixels. */
static double place_of(int64_t i, int64_t n, bool align)
{
    if (align)
        return n > 1 ? 2 * (double)i / (double)(n - 1) - 1 : 0;
    return (2 * (double)i + 1) / (double)n - 1;
}

/* [P, n + 1]: each of the P places with its coordinates, that along the last dim first, and 1. */
static weft_tensor *places(weft_ctx *ctx, const int64_t *sizes, int n, int64_t count, bool align)
{
    double *at = weft__host_array(ctx, count + 1, sizeof *at * (size_t)(n + 1));
    if (!at)
        return weft__fail(ctx, WEFT_OP_AFFINE_GRID, WEFT_E_NOMEM, "out of memory for %lld places", (long long)count),
               NULL;
    for (int64_t p = 0; p < count; p++) {
        int64_t rest = p;
        for (int d = n - 1; d >= 0; rest /= sizes[d--])
            at[p * (n + 1) + n - 1 - d] = place_of(rest % sizes[d], sizes[d], align);
        at[p * (n + 1) + n] = 1;
    }
    weft_tensor *made = weft_from_data(ctx, WEFT_F64, (const int64_t[]){count, n + 1}, 2, at);
    weft__host_free(ctx, at, sizeof *at * (size_t)(n + 1) * (size_t)(count + 1));
    return made;
}

weft_tensor *weft_affine_grid(weft_tensor *theta, const int64_t *sizes, int n, bool align_corners)
{
    static const char *const names[] = {"theta"};
    ENTER_COMPOSITE(AFFINE_GRID, &theta, 1);
    weft_dtype dtype;
    if (!weft__join_floats(ctx, WEFT_OP_AFFINE_GRID, &theta, names, 1, &dtype))
        return weft__leave_with(ctx, NULL);
    if (!sizes || n < 2 || n > 3)
        REFUSE(AFFINE_GRID, WEFT_E_INVALID, "needs 2 sizes (height, width) or 3 (depth first), not %d", n);
    if (theta->a.ndim != 3 || theta->a.shape[1] != n || theta->a.shape[2] != n + 1)
        REFUSE(AFFINE_GRID, WEFT_E_SHAPE, "theta %s must be [N, %d, %d] for a grid of %d sizes",
               weft__describe(theta).s, n, n + 1, n);
    const int64_t count = weft__count_of(sizes, n);
    if (count < 0 || count > INT64_MAX / 64)
        REFUSE(AFFINE_GRID, WEFT_E_SHAPE, "the sizes are %s, of which none may be negative, nor all together too large",
               weft__shape_text(sizes, n).s);
    weft_tensor *at = places(ctx, sizes, n, count, align_corners);
    at = at ? weft__cast(at, (weft_dtype)theta->a.dtype) : NULL;
    int64_t shape[5] = {theta->a.shape[0], sizes[0], sizes[1], n, n};
    if (n == 3)
        shape[3] = sizes[2];
    weft_tensor *y = weft_reshape(weft_matmul(at, weft_transpose(theta, -1, -2)), shape, n + 2);
    return weft__leave_with(ctx, weft__narrowed(y, dtype));
}

/* ---- Reading at a grid ---- */

/* Along one dim of a picture: the two pixels that a place lies between, and their weights. */
typedef struct axis {
    weft_tensor *pixel[2];  /* i64, within the picture */
    weft_tensor *weight[2]; /* 0 of a pixel outside of it */
} axis;

/* Places in [-1, 1] as numbers of pixels, n in all, 0 in the middle of the first one. */
static weft_tensor *in_pixels(weft_tensor *at, int64_t n, bool align)
{
    at = weft_add_scalar(at, 1);
    return align ? weft_mul_scalar(at, (double)(n - 1) / 2) : weft_add_scalar(weft_mul_scalar(at, (double)n / 2), -0.5);
}

/* Turned back at the borders, as often as it takes: those are the middles of the outer pixels, or their edges. */
static weft_tensor *reflected(weft_tensor *at, int64_t n, bool align)
{
    const double low = align ? 0 : -0.5, span = (double)(align ? n - 1 : n);
    if (span == 0)
        return at; /* one pixel, and all that follows limits it to that */
    at = weft_abs(weft_add_scalar(at, -low));
    at = weft_sub(at, weft_mul_scalar(weft_floor(weft_mul_scalar(at, 0.5 / span)), 2 * span));
    return weft_sub(weft__constant_like(at, span + low), weft_abs(weft_add_scalar(at, -span)));
}

static axis axis_of(weft_tensor *at, int64_t n, weft_interpolation way, weft_outside outside, bool align)
{
    axis a = {{NULL, NULL}, {NULL, NULL}};
    at = in_pixels(at, n, align);
    if (outside == WEFT_OUTSIDE_REFLECTION)
        at = reflected(at, n, align);
    /* beyond two pixels outside nothing changes: an infinity gets no further */
    const double beyond = outside == WEFT_OUTSIDE_ZERO ? 2 : 0;
    at = weft_clamp(at, -beyond, (double)(n - 1) + beyond);
    weft_tensor *first = way == WEFT_INTERPOLATION_NEAREST ? weft_round(at) : weft_floor(at);
    for (int k = 0; k < (way == WEFT_INTERPOLATION_NEAREST ? 1 : 2); k++) {
        weft_tensor *place = k ? weft_add_scalar(first, 1) : first;
        weft_tensor *inside = weft_clamp(place, 0, (double)(n - 1));
        weft_tensor *weight = weft__constant_like(at, 1);
        if (way == WEFT_INTERPOLATION_LINEAR)
            weight = k ? weft_sub(at, first) : weft_sub(weft_add_scalar(first, 1), at);
        a.pixel[k] = inside ? weft__cast(inside, WEFT_I64) : NULL;
        a.weight[k] = weft_where(weft_eq(place, inside), weight, weft_mul_scalar(at, 0)); /* a NaN stays one */
    }
    return a;
}

/* x [N, C, H, W] at places [N, P] of each picture: [N, P, C]. Pixels are rows of a table. */
static weft_tensor *mixed(weft_ctx *ctx, weft_tensor *x, const axis *rows, const axis *columns)
{
    const int64_t *s = x->a.shape;
    weft_tensor *table = weft_reshape(weft_permute(x, WEFT_DIMS(0, 2, 3, 1)), WEFT_DIMS(s[0] * s[2] * s[3], s[1]));
    weft_tensor *first = weft_mul_scalar(weft_arange(ctx, WEFT_I64, 0, (double)s[0], 1), (double)(s[2] * s[3]));
    first = weft_unsqueeze(first, 1);
    weft_tensor *y = NULL;
    for (int k = 0; k < 4; k++) {
        const int r = k / 2, c = k % 2;
        if (!rows->pixel[r] || !columns->pixel[c])
            continue; /* the nearest pixel is one */
        weft_tensor *index = weft_add(weft_mul_scalar(rows->pixel[r], (double)s[3]), columns->pixel[c]);
        weft_tensor *weight = weft_unsqueeze(weft_mul(rows->weight[r], columns->weight[c]), -1);
        weft_tensor *part = weft_mul(weft_embedding(table, weft_add(index, first)), weight);
        y = k ? weft_add(y, part) : part;
    }
    return y;
}

weft_tensor *weft_grid_sample(weft_tensor *x, weft_tensor *grid, weft_interpolation way, weft_outside outside,
                              bool align_corners)
{
    enum { OP = WEFT_OP_GRID_SAMPLE };
    static const char *const names[] = {"x", "the grid"};
    weft_tensor *in[] = {x, grid};
    ENTER_COMPOSITE(GRID_SAMPLE, in, 2);
    weft_dtype dtype;
    if (!weft__join_floats(ctx, OP, in, names, 2, &dtype) || !weft__need_rank(ctx, OP, "x", in[0], 4, 4) ||
        !weft__need_rank(ctx, OP, "the grid", in[1], 4, 4))
        return weft__leave_with(ctx, NULL);
    const int64_t *s = in[0]->a.shape, *g = in[1]->a.shape;
    if (g[0] != s[0] || g[3] != 2 || s[2] < 1 || s[3] < 1)
        REFUSE(GRID_SAMPLE, WEFT_E_SHAPE,
               "the grid %s must be [%lld, rows, columns, 2] for x %s, whose pictures need a pixel",
               weft__describe(in[1]).s, (long long)s[0], weft__describe(in[0]).s);
    if ((way != WEFT_INTERPOLATION_NEAREST && way != WEFT_INTERPOLATION_LINEAR) ||
        (unsigned)outside > WEFT_OUTSIDE_REFLECTION)
        REFUSE(GRID_SAMPLE, WEFT_E_INVALID,
               "the way is %d, but must be nearest or linear; what is outside is %d, but must be one of weft_outside",
               (int)way, (int)outside);
    weft_tensor *at = weft_reshape(in[1], WEFT_DIMS(g[0], g[1] * g[2], 2));
    const axis columns = axis_of(weft_select(at, 2, 0), s[3], way, outside, align_corners);
    const axis rows = axis_of(weft_select(at, 2, 1), s[2], way, outside, align_corners);
    weft_tensor *y = weft_reshape(mixed(ctx, in[0], &rows, &columns), WEFT_DIMS(g[0], g[1], g[2], s[1]));
    y = weft_contiguous(weft_permute(y, WEFT_DIMS(0, 3, 1, 2)));
    return weft__leave_with(ctx, weft__narrowed(y, dtype));
}
