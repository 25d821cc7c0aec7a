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
/* grid_made.c - composites that make a tensor of several, or several of one: grids of coordinates, their points, parts
 * of equal size, powers of a vector, a matrix of its diagonal. */
#include <string.h>
#include "made.h"

/* ---- Records ---- */

/* vectors...; i: whether the first two are x and y */
CALL(meshgrid)
{
    c->n_out = c->n_smooth = c->n_in;
    if (weft_meshgrid(c->in, c->n_in, c->i[0] != 0, c->out) != WEFT_OK)
        c->out[0] = NULL;
}

CALL(cartesian_prod)
{
    c->out[0] = weft_cartesian_prod(c->in, c->n_in);
}

/* i: dim, n */
CALL(chunk)
{
    if (c->i[1] > WEFT_SAMPLE_RESULTS) {
        weft__fail(c->ctx, c->op, WEFT_E_UNSUPPORTED, "a call by weft_sample_run has room for %d results",
                   WEFT_SAMPLE_RESULTS);
        return;
    }
    c->n_out = c->n_smooth = (int)c->i[1];
    if (weft_chunk(c->in[0], c->i[0], (int)c->i[1], c->out) != WEFT_OK)
        c->out[0] = NULL;
}

/* i: n, increasing */
CALL(vander)
{
    c->out[0] = weft_vander(c->in[0], c->i[0], c->i[1] != 0);
}

/* i: the diagonal */
CALL(diag)
{
    c->out[0] = weft_diag(c->in[0], c->i[0]);
}

#define VIEWS WORK(weft__terms_one, weft__flops_none, weft__bytes_none)
#define MOVED WORK(weft__terms_one, weft__flops_none, weft__bytes_once)

WEFT__DEFINE_COMPOSITE(MESHGRID, meshgrid, NO_PARTS(ANY_DTYPE),
                       GRADIENT("of each vector its grid's g, summed over the other dims"), VIEWS,
                       SAMPLE(call_meshgrid, RECIPE("xa xb", "0"), RECIPE("xa xb x3", "1")))
WEFT__DEFINE_COMPOSITE(CARTESIAN_PROD, cartesian_prod, PARTS(ANY_DTYPE, PART(CONCAT, AS_ALONE)),
                       GRADIENT("of each vector its column of g, summed over the points with the same element"), MOVED,
                       SAMPLE(call_cartesian_prod, RECIPE("xa xb", ""), RECIPE("x3 xa x2", "")))
WEFT__DEFINE_COMPOSITE(CHUNK, chunk, NO_PARTS(ANY_DTYPE), GRADIENT("the gradients of the parts, one after the other"),
                       VIEWS, SAMPLE(call_chunk, RECIPE("xab", "0 2"), RECIPE("xa7", "-1 3")))
WEFT__DEFINE_COMPOSITE(VANDER, vander, PARTS(FLOATS, PART(MUL, WIDE), PART(CONCAT, WIDE)),
                       GRADIENT("sum of k x^(k - 1) g over the powers k"), EACH_ONCE,
                       SAMPLE(call_vander, RECIPE("xab", "4 0"), RECIPE("xb", "3 1")))
WEFT__DEFINE_COMPOSITE(DIAG, diag, PARTS(ANY_DTYPE, PART(ARANGE, OF_I64), PART(SCATTER, AS_ALONE)),
                       GRADIENT("the diagonal of g; of a matrix g on the diagonal, 0 elsewhere"), MOVED,
                       SAMPLE(call_diag, RECIPE("xa", "0"), RECIPE("x7", "-2")))

/* ---- Grids ---- */

/* The grids of n vectors that are the context's, by xy with the first two dims in the other order. False: error
 * recorded. */
static bool grids(weft_ctx *ctx, int op, weft_tensor *const *vectors, int n, bool xy, weft_tensor **out)
{
    int64_t shape[WEFT__MAX_DIMS];
    for (int k = 0; k < n; k++) {
        if (!weft__need_rank(ctx, op, "a vector", vectors[k], 0, 1))
            return false;
        shape[xy && n > 1 && k < 2 ? 1 - k : k] = vectors[k]->a.count;
    }
    for (int k = 0; k < n; k++) {
        int64_t own[WEFT__MAX_DIMS];
        const int d = xy && n > 1 && k < 2 ? 1 - k : k;
        for (int j = 0; j < n; j++)
            own[j] = j == d ? vectors[k]->a.count : 1;
        if (!(out[k] = weft_expand(weft_reshape(vectors[k], own, n), shape, n)))
            return false;
    }
    return true;
}

weft_status weft_meshgrid(weft_tensor *const *vectors, int n, bool xy, weft_tensor **out)
{
    enum { OP = WEFT_OP_MESHGRID };
    for (int k = 0; out && k < n; k++)
        out[k] = NULL;
    if (!vectors || n < 1)
        return weft__note_lost("meshgrid", WEFT_E_INVALID, vectors ? "was given no vectors" : "was given NULL"),
               WEFT_E_INVALID;
    weft_tensor *own[WEFT__MAX_DIMS];
    weft_ctx *ctx = weft__enter(OP, vectors, n, 0);
    if (!ctx)
        return vectors[0] && vectors[0]->ctx ? vectors[0]->ctx->status : WEFT_E_NULL_ARGUMENT;
    bool fine = n <= WEFT__MAX_DIMS && out;
    if (!fine)
        weft__fail(ctx, OP, out ? WEFT_E_SHAPE : WEFT_E_NULL_ARGUMENT,
                   "%d vectors, of which at most %d are possible, need a place for each grid", n, WEFT__MAX_DIMS);
    for (int k = 0; fine && k < n; k++)
        own[k] = vectors[k];
    fine = fine && weft__localise(ctx, own, n) && grids(ctx, OP, own, n, xy, out);
    const weft_status status = ctx->status;
    for (int k = 0; status == WEFT_OK && k < n; k++)
        weft__ref(out[k]);
    for (int k = 0; status != WEFT_OK && out && k < n; k++)
        out[k] = NULL;
    (void)weft__leave_with(ctx, NULL); /* what was made on the way ends here, the grids are held */
    for (int k = 0; status == WEFT_OK && k < n; k++)
        weft__unref(out[k]);
    return status;
}

weft_tensor *weft_cartesian_prod(weft_tensor *const *vectors, int n)
{
    enum { OP = WEFT_OP_CARTESIAN_PROD };
    if (!vectors || n < 1)
        return weft__note_lost("cartesian_prod", WEFT_E_INVALID, vectors ? "was given no vectors" : "was given NULL"),
               NULL;
    weft_tensor *own[WEFT__MAX_DIMS], *grid[WEFT__MAX_DIMS];
    weft_ctx *ctx = weft__enter(OP, vectors, n, 0);
    if (!ctx)
        return NULL;
    if (n > WEFT__MAX_DIMS)
        REFUSE(CARTESIAN_PROD, WEFT_E_SHAPE, "%d vectors; at most %d are possible", n, WEFT__MAX_DIMS);
    for (int k = 0; k < n; k++)
        own[k] = vectors[k];
    if (!weft__localise(ctx, own, n) || !grids(ctx, OP, own, n, false, grid))
        return weft__leave_with(ctx, NULL);
    for (int k = 0; k < n; k++)
        grid[k] = weft_reshape(grid[k], (const int64_t[]){grid[0] ? grid[0]->a.count : 0}, 1);
    return weft__leave_with(ctx, weft_stack(grid, n, 1));
}

/* ---- Parts ---- */

weft_status weft_chunk(weft_tensor *x, int64_t dim, int n, weft_tensor **out)
{
    for (int k = 0; out && k < n; k++)
        out[k] = NULL;
    weft_ctx *ctx = weft__enter(WEFT_OP_CHUNK, &x, 1, 0);
    if (!ctx)
        return x && x->ctx ? x->ctx->status : WEFT_E_NULL_ARGUMENT;
    const int d = weft__dim(ctx, WEFT_OP_CHUNK, x, dim);
    if (d >= 0 && (n < 1 || !out))
        weft__fail(ctx, WEFT_OP_CHUNK, out ? WEFT_E_INVALID : WEFT_E_NULL_ARGUMENT,
                   "%d parts; at least one is needed, and out with a place for each", n);
    if (ctx->status == WEFT_OK) {
        const int64_t size = x->a.shape[d], each = size / n + (size % n != 0);
        for (int k = 0; k < n && ctx->status == WEFT_OK; k++) {
            const int64_t from = each * k < size ? each * k : size;
            out[k] = weft_slice(x, d, from, from + each < size ? from + each : size, 1);
        }
    }
    const weft_status status = ctx->status;
    if (status == WEFT_OK) {
        weft__leave(ctx);
        return status;
    }
    for (int k = 0; out && k < n; k++)
        out[k] = NULL;
    (void)weft__leave_with(ctx, NULL);
    return status;
}

/* ---- Matrices of a vector ---- */

weft_tensor *weft_vander(weft_tensor *x, int64_t n, bool increasing)
{
    enum { MOST = 1 << 16 };
    static const char *const names[] = {"x"};
    ENTER_COMPOSITE(VANDER, &x, 1);
    weft_dtype dtype;
    if (!weft__join_floats(ctx, WEFT_OP_VANDER, &x, names, 1, &dtype))
        return weft__leave_with(ctx, NULL);
    if (n < 1 || n > MOST)
        REFUSE(VANDER, WEFT_E_INVALID, "%lld columns; 1 to %d are possible", (long long)n, MOST);
    if (!weft__need_rank(ctx, WEFT_OP_VANDER, "x", x, 0, WEFT__MAX_DIMS - 1))
        return weft__leave_with(ctx, NULL);
    weft_tensor **powers = weft__host_array(ctx, n, sizeof *powers), *y = NULL;
    if (!powers)
        REFUSE(VANDER, WEFT_E_NOMEM, "out of memory for %lld columns", (long long)n);
    weft_tensor *power = weft_full_like(x, 1);
    for (int64_t k = 0; k < n; k++) {
        powers[increasing ? k : n - 1 - k] = power;
        power = k == 0 ? x : k + 1 < n ? weft_mul(power, x) : NULL;
    }
    if (ctx->status == WEFT_OK)
        y = weft_stack(powers, (int)n, -1);
    weft__host_free(ctx, powers, sizeof *powers * (size_t)n);
    return weft__leave_with(ctx, weft__narrowed(y, dtype));
}

weft_tensor *weft_diag(weft_tensor *x, int64_t diagonal)
{
    ENTER_COMPOSITE(DIAG, &x, 1);
    if (!weft__need_rank(ctx, WEFT_OP_DIAG, "x", x, 1, 2))
        return weft__leave_with(ctx, NULL);
    if (x->a.ndim == 2)
        return weft__leave_with(ctx, weft_diagonal(x, diagonal, 0, 1));
    const int64_t down = diagonal < 0 ? -diagonal : 0, right = diagonal > 0 ? diagonal : 0;
    const int64_t count = x->a.count, n = count + down + right;
    int64_t size;
    if (diagonal == INT64_MIN || n < 0 || __builtin_mul_overflow(n, n, &size))
        REFUSE(DIAG, WEFT_E_SHAPE, "no matrix is large enough for %s on diagonal %lld", weft__describe(x).s,
               (long long)diagonal);
    const int64_t start = down * n + right;
    weft_tensor *at = weft_arange(ctx, WEFT_I64, (double)start, (double)(start + count * (n + 1)), (double)(n + 1));
    weft_tensor *y = weft_scatter(weft_zeros(ctx, (weft_dtype)x->a.dtype, &size, 1), at, x, 0);
    return weft__leave_with(ctx, weft_reshape(y, (const int64_t[]){n, n}, 2));
}
