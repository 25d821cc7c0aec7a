/* meshgrid_made.c - composites that make a tensor of several, or several of one: grids of coordinates, their points,
 * parts of equal size, powers of a vector, a matrix of its diagonal. */
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
