/* test_large.c - sizes that the golden records are too small for: products and convolutions over several cache blocks,
 * reductions and elementwise loops over several chunks of work, against plain loops in double; with one and with three
 * threads, which must give the same bits. */
#include <math.h>
#include <stdlib.h>

#include "harness/structs.h"
#include "harness/weft_test.h"
#include "samples/compare.h"
#include "samples/layout.h"

enum { MOST_REPORTS = 3, MANY_THREADS = 3 };

/* ---- Data ---- */

/* Values in (-1, 1) with 24 significant bits: exact in f32. */
static double *values(int64_t n, uint64_t seed)
{
    double *list = malloc(sizeof *list * (size_t)(n + 1));
    uint64_t state = seed * 0x9E3779B97F4A7C15u + 1;
    for (int64_t k = 0; k < n; k++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        list[k] = ((double)(state >> 40) - 8388607.5) / 8388608;
    }
    return list;
}

static double *zeros(int64_t n)
{
    return calloc((size_t)n + 1, sizeof(double));
}

static weft_tensor *tensor_of(weft_ctx *ctx, weft_dtype dtype, const double *data, const int64_t *shape, int ndim)
{
    gold_tensor t = {.kind = 'v', .ndim = ndim, .count = 1, .f = (double *)(uintptr_t)data};
    for (int d = 0; d < ndim; d++) {
        t.shape[d] = shape[d];
        t.count *= shape[d];
    }
    return lay_out(ctx, &t, dtype, LAYOUT_CONTIGUOUS);
}

/* y against want[count], every element off by at most tolerance * scale[k]. */
static void check_values(weft_ctx *ctx, const char *what, weft_tensor *y, const double *want, const double *scale,
                         int64_t count, double tolerance)
{
    double *got = y && weft_count(y) == count ? read_doubles(ctx, y) : NULL;
    if (!got) {
        WEFT_FAIL("%s: %s", what, y ? "another number of elements" : weft_ctx_message(ctx));
        return;
    }
    for (int64_t k = 0; k < count; k++)
        if (!(fabs(got[k] - want[k]) <= tolerance * scale[k]) && weft_test_failures() < MOST_REPORTS)
            WEFT_FAIL("%s, element %lld: %.9g, not %.9g; %.3g of %.3g allowed", what, (long long)k, got[k], want[k],
                      fabs(got[k] - want[k]) / scale[k], tolerance);
    free(got);
}

/* ---- With one thread and with several ---- */

/* Makes a result in ctx; user is the case. */
typedef weft_tensor *(*maker)(weft_ctx *ctx, const void *user);

static void *bytes_with(int threads, maker make, const void *user, size_t *size)
{
    test_memory memory;
    weft_ctx *ctx = test_ctx_open(&memory, threads);
    weft_tensor *y = make(ctx, user);
    *size = (size_t)weft_count(y) * weft_dtype_size(weft_dtype_of(y));
    void *data = malloc(*size + 1);
    if (!y || weft_read(ctx, y, data, *size) != WEFT_OK)
        WEFT_FAIL("%s", weft_ctx_message(ctx));
    test_ctx_close(ctx, &memory);
    return data;
}

static void check_threads(const char *what, maker make, const void *user)
{
    size_t one_size, many_size;
    void *one = bytes_with(1, make, user, &one_size), *many = bytes_with(MANY_THREADS, make, user, &many_size);
    if (one_size != many_size || memcmp(one, many, one_size) != 0)
        WEFT_FAIL("%s: %d threads give other bits than one", what, MANY_THREADS);
    free(one);
    free(many);
}

/* ---- Matrix products ---- */

typedef struct product {
    int64_t batch, m, k, n;
    bool a_transposed, b_transposed;
    weft_dtype dtype;
} product;

static weft_tensor *make_product(weft_ctx *ctx, const void *user)
{
    const product *p = user;
    double *a = values(p->batch * p->m * p->k, 1), *b = values(p->batch * p->k * p->n, 2);
    int64_t sa[3] = {p->batch, p->a_transposed ? p->k : p->m, p->a_transposed ? p->m : p->k};
    int64_t sb[3] = {p->batch, p->b_transposed ? p->n : p->k, p->b_transposed ? p->k : p->n};
    weft_tensor *ta = tensor_of(ctx, p->dtype, a, sa, 3), *tb = tensor_of(ctx, p->dtype, b, sb, 3);
    free(a);
    free(b);
    return weft_matmul(p->a_transposed ? weft_transpose(ta, 1, 2) : ta,
                       p->b_transposed ? weft_transpose(tb, 1, 2) : tb);
}

static void reference_product(const product *p, double *y, double *scale)
{
    double *a = values(p->batch * p->m * p->k, 1), *b = values(p->batch * p->k * p->n, 2);
    for (int64_t s = 0; s < p->batch; s++)
        for (int64_t i = 0; i < p->m; i++)
            for (int64_t j = 0; j < p->n; j++)
                for (int64_t k = 0; k < p->k; k++) {
                    double left = a[s * p->m * p->k + (p->a_transposed ? k * p->m + i : i * p->k + k)];
                    double right = b[s * p->k * p->n + (p->b_transposed ? j * p->k + k : k * p->n + j)];
                    y[(s * p->m + i) * p->n + j] += left * right;
                    scale[(s * p->m + i) * p->n + j] += fabs(left * right);
                }
    free(a);
    free(b);
}

WEFT_TEST(Large, MatrixProducts)
{
    static const product products[] = {
        {1, 1, 1000, 300, false, false, WEFT_F32},
        {1, 300, 1000, 1, false, true, WEFT_F32},
        {1, 129, 513, 65, false, false, WEFT_F32},
        {1, 64, 700, 530, true, false, WEFT_F32},
        {1, 257, 400, 33, false, true, WEFT_F32},
        {1, 70, 300, 90, true, true, WEFT_F32},
        {3, 37, 129, 50, false, false, WEFT_F32},
        {1, 6, 16, 2000, false, false, WEFT_F32},
        {1, 611, 7, 9, false, false, WEFT_F32},
        {1, 300, 2, 300, false, true, WEFT_F32},
        {20, 5, 64, 5, false, true, WEFT_F32},
        {1, 131, 270, 140, false, false, WEFT_F64},
        {2, 33, 600, 47, true, false, WEFT_F64},
        {1, 90, 300, 70, false, true, WEFT_F16},
        {1, 90, 300, 70, true, false, WEFT_BF16},
        /* in place: whole and partial tiles of every height */
        {1, 64, 64, 64, false, false, WEFT_F32},
        {1, 27, 50, 37, true, false, WEFT_F32},
        {2, 13, 40, 64, false, false, WEFT_F32},
        {1, 12, 31, 64, false, false, WEFT_F32},
        {1, 11, 31, 70, false, false, WEFT_F32},
        {1, 10, 31, 20, false, false, WEFT_F32},
        {1, 9, 31, 64, false, false, WEFT_F64},
        {1, 7, 31, 64, true, false, WEFT_F32},
        {1, 5, 31, 64, false, false, WEFT_F32},
        {1, 3, 31, 33, false, false, WEFT_F64},
        /* few contiguous columns: dot products */
        {1, 64, 256, 10, false, true, WEFT_F32},
        {1, 7, 75, 3, false, true, WEFT_F32},
        {1, 900, 1000, 16, false, true, WEFT_F32},
        {1, 21, 133, 7, false, true, WEFT_F64},
    };
    for (size_t c = 0; c < sizeof products / sizeof products[0]; c++) {
        const product *p = &products[c];
        int64_t count = p->batch * p->m * p->n;
        double *want = zeros(count), *scale = zeros(count);
        test_memory memory;
        weft_ctx *ctx = test_ctx_open(&memory, 1);
        reference_product(p, want, scale);
        bool half = p->dtype == WEFT_F16 || p->dtype == WEFT_BF16; /* there the operands are rounded first */
        check_values(ctx, "matmul", make_product(ctx, p), want, scale, count,
                     reduction_tolerance(p->dtype, p->k) * (half ? 2 : 1));
        test_ctx_close(ctx, &memory);
        check_threads("matmul", make_product, p);
        free(want);
        free(scale);
    }
}

/* ---- Convolutions ---- */

typedef enum conv_way { FORWARD, TRANSPOSE, WEIGHT } conv_way;

typedef struct convolution {
    int64_t n, c, h, w, k, r, s, stride, padding, dilation, groups;
    conv_way way;
} convolution;

static void conv_sizes(const convolution *v, int64_t *x, int64_t *w, int64_t *y)
{
    int64_t p = (v->h + 2 * v->padding - v->dilation * (v->r - 1) - 1) / v->stride + 1;
    int64_t q = (v->w + 2 * v->padding - v->dilation * (v->s - 1) - 1) / v->stride + 1;
    memcpy(x, (int64_t[]){v->n, v->c, v->h, v->w}, 4 * sizeof *x);
    memcpy(w, (int64_t[]){v->k, v->c / v->groups, v->r, v->s}, 4 * sizeof *w);
    memcpy(y, (int64_t[]){v->n, v->k, p, q}, 4 * sizeof *y);
}

static int64_t count4(const int64_t *shape)
{
    return shape[0] * shape[1] * shape[2] * shape[3];
}

/* What the transpose must be told to give x's size back. */
static int64_t lost(int64_t size, int64_t kernel, const convolution *v)
{
    return (size + 2 * v->padding - v->dilation * (kernel - 1) - 1) % v->stride;
}

static weft_tensor *make_convolution(weft_ctx *ctx, const void *user)
{
    const convolution *v = user;
    int64_t sx[4], sw[4], sy[4];
    conv_sizes(v, sx, sw, sy);
    double *x = values(count4(sx), 3), *w = values(count4(sw), 4), *y = values(count4(sy), 5);
    weft_tensor *tx = tensor_of(ctx, WEFT_F32, x, sx, 4), *tw = tensor_of(ctx, WEFT_F32, w, sw, 4);
    weft_tensor *ty = tensor_of(ctx, WEFT_F32, y, sy, 4);
    free(x);
    free(w);
    free(y);
    weft_conv2d_params params = INIT_CONV2D(.stride = {v->stride, v->stride}, .padding = {v->padding, v->padding},
                                            .dilation = {v->dilation, v->dilation}, .groups = v->groups);
    if (v->way == FORWARD)
        return weft_conv2d(tx, tw, NULL, &params);
    if (v->way == WEIGHT)
        return weft_conv2d_weight(tx, ty, (const int64_t[]){v->r, v->s}, &params);
    params.output_padding[0] = lost(v->h, v->r, v);
    params.output_padding[1] = lost(v->w, v->s, v);
    return weft_conv2d_transpose(ty, tw, NULL, &params);
}

/* One loop over all (x, w, y) triples serves the three ways. */
static void reference_convolution(const convolution *v, double *out, double *scale)
{
    int64_t sx[4], sw[4], sy[4];
    conv_sizes(v, sx, sw, sy);
    double *x = values(count4(sx), 3), *w = values(count4(sw), 4), *y = values(count4(sy), 5);
    int64_t per = v->c / v->groups, each = v->k / v->groups;
    for (int64_t yi = 0; yi < count4(sy); yi++) {
        int64_t q = yi % sy[3], p = yi / sy[3] % sy[2], k = yi / (sy[3] * sy[2]) % sy[1],
                n = yi / (sy[3] * sy[2] * sy[1]);
        for (int64_t wi = k * per * v->r * v->s; wi < (k + 1) * per * v->r * v->s; wi++) {
            int64_t s = wi % v->s, r = wi / v->s % v->r, c = k / each * per + wi / (v->s * v->r) % per;
            int64_t row = p * v->stride - v->padding + r * v->dilation,
                    column = q * v->stride - v->padding + s * v->dilation;
            if (row < 0 || row >= v->h || column < 0 || column >= v->w)
                continue;
            int64_t xi = ((n * v->c + c) * v->h + row) * v->w + column;
            int64_t at = v->way == FORWARD ? yi : v->way == WEIGHT ? wi : xi;
            double term = v->way == FORWARD ? x[xi] * w[wi] : v->way == WEIGHT ? x[xi] * y[yi] : y[yi] * w[wi];
            out[at] += term;
            scale[at] += fabs(term);
        }
    }
    free(x);
    free(w);
    free(y);
}

WEFT_TEST(Large, Convolutions)
{
    static const convolution shapes[] = {
        {2, 64, 14, 14, 64, 3, 3, 1, 1, 1, 1, FORWARD},
        {1, 3, 33, 35, 16, 7, 7, 2, 3, 1, 1, FORWARD},
        {2, 32, 9, 9, 48, 1, 1, 1, 0, 1, 1, FORWARD},
        {2, 40, 12, 13, 40, 3, 3, 1, 1, 1, 40, FORWARD},
        {1, 24, 11, 30, 36, 3, 3, 1, 1, 1, 4, FORWARD},
        {1, 20, 17, 19, 24, 3, 3, 1, 2, 2, 1, FORWARD},
        {1, 130, 5, 5, 97, 3, 3, 1, 1, 1, 1, FORWARD},
        {3, 17, 16, 70, 9, 5, 3, 2, 1, 1, 1, FORWARD},
        {1, 16, 40, 40, 32, 3, 3, 2, 1, 1, 1, FORWARD},
        {1, 64, 8, 8, 64, 1, 1, 2, 0, 1, 1, FORWARD},
        /* steps above one: several blocks of columns, of channels; groups; gaps between taps; more taps than a block
         * has */
        {1, 40, 61, 67, 6, 3, 3, 2, 1, 1, 1, FORWARD},
        {2, 12, 20, 21, 8, 3, 3, 2, 1, 1, 2, FORWARD},
        {1, 5, 29, 31, 7, 3, 4, 3, 4, 2, 1, FORWARD},
        {1, 2, 30, 28, 3, 19, 17, 2, 8, 1, 1, FORWARD},
        /* depthwise: several bands, gaps, wide borders, several channels into one, steps of two */
        {1, 3, 90, 120, 3, 3, 3, 1, 1, 1, 3, FORWARD},
        {2, 4, 23, 21, 4, 3, 5, 1, 4, 2, 4, FORWARD},
        {1, 5, 9, 11, 5, 1, 1, 1, 2, 1, 5, FORWARD},
        {2, 24, 15, 17, 8, 3, 3, 1, 1, 1, 8, FORWARD},
        {1, 6, 40, 37, 6, 3, 3, 2, 1, 1, 6, FORWARD},
        /* rows longer than a block of columns, so that blocks begin in the middle of the border's rows */
        {1, 2, 3, 2500, 5, 3, 3, 1, 1, 1, 1, FORWARD},
        {1, 3, 4, 3000, 3, 3, 3, 2, 1, 1, 3, FORWARD},
    };
    for (size_t c = 0; c < sizeof shapes / sizeof shapes[0]; c++)
        for (int way = FORWARD; way <= WEIGHT; way++) {
            convolution v = shapes[c];
            v.way = (conv_way)way;
            int64_t sx[4], sw[4], sy[4];
            conv_sizes(&v, sx, sw, sy);
            int64_t count = count4(way == FORWARD ? sy : way == WEIGHT ? sw : sx);
            int64_t terms = way == FORWARD  ? sw[1] * v.r * v.s
                            : way == WEIGHT ? sy[0] * sy[2] * sy[3]
                                            : sw[0] / v.groups * v.r * v.s;
            double *want = zeros(count), *scale = zeros(count);
            reference_convolution(&v, want, scale);
            test_memory memory;
            weft_ctx *ctx = test_ctx_open(&memory, 1);
            static const char *const names[] = {"conv2d", "conv2d_transpose", "conv2d_weight"};
            check_values(ctx, names[way], make_convolution(ctx, &v), want, scale, count,
                         reduction_tolerance(WEFT_F32, terms));
            test_ctx_close(ctx, &memory);
            check_threads(names[way], make_convolution, &v);
            free(want);
            free(scale);
        }
}

/* ---- Reductions ---- */

typedef struct reduction {
    weft_tensor *(*function)(weft_tensor *x, const int64_t *dims, int n, bool keepdim);
    const char *name;
    int64_t rows, columns;
    int64_t dim; /* 0, 1, or 2 for all */
} reduction;

static weft_tensor *make_reduction(weft_ctx *ctx, const void *user)
{
    const reduction *r = user;
    double *x = values(r->rows * r->columns, 6);
    weft_tensor *t = tensor_of(ctx, WEFT_F32, x, (const int64_t[]){r->rows, r->columns}, 2);
    free(x);
    return r->dim == 2 ? r->function(t, WEFT_ALL, false) : r->function(t, &r->dim, 1, false);
}

/* Sum, sum of squares, sum of e^x and the largest of each group; and the sum of magnitudes. */
typedef struct totals {
    double sum, squares, exps, largest, magnitudes;
} totals;

static totals *group_totals(const reduction *r, int64_t groups)
{
    double *x = values(r->rows * r->columns, 6);
    totals *list = calloc((size_t)groups, sizeof *list);
    for (int64_t g = 0; g < groups; g++)
        list[g].largest = -2;
    for (int64_t k = 0; k < r->rows * r->columns; k++) {
        totals *t = &list[r->dim == 2 ? 0 : r->dim == 0 ? k % r->columns : k / r->columns];
        t->sum += x[k];
        t->squares += x[k] * x[k];
        t->exps += exp(x[k]);
        t->largest = fmax(t->largest, x[k]);
        t->magnitudes += fabs(x[k]);
    }
    free(x);
    return list;
}

static void check_reduction(const reduction *r)
{
    int64_t groups = r->dim == 2 ? 1 : r->dim == 0 ? r->columns : r->rows, terms = r->rows * r->columns / groups;
    totals *all = group_totals(r, groups);
    double *want = zeros(groups), *scale = zeros(groups);
    for (int64_t g = 0; g < groups; g++) {
        const totals *t = &all[g];
        if (strcmp(r->name, "sum") == 0 || strcmp(r->name, "mean") == 0) {
            double over = r->name[0] == 's' ? 1 : (double)terms;
            want[g] = t->sum / over;
            scale[g] = t->magnitudes / over;
        } else {
            want[g] = strcmp(r->name, "norm") == 0 ? sqrt(t->squares) : r->name[0] == 'l' ? log(t->exps) : t->largest;
            scale[g] = fabs(want[g]);
        }
    }
    test_memory memory;
    weft_ctx *ctx = test_ctx_open(&memory, 1);
    double tolerance = strcmp(r->name, "max_over") == 0 ? 0 : reduction_tolerance(WEFT_F32, terms);
    check_values(ctx, r->name, make_reduction(ctx, r), want, scale, groups, tolerance);
    test_ctx_close(ctx, &memory);
    check_threads(r->name, make_reduction, r);
    free(all);
    free(want);
    free(scale);
}

WEFT_TEST(Large, Reductions)
{
    static const int64_t sizes[][2] = {{1000, 257}, {3, 100003}, {100003, 3}, {70000, 1}, {513, 512}};
#define FUNCTION(name)                                                                                                 \
    {                                                                                                                  \
        (weft_##name), #name, 0, 0, 0                                                                                  \
    }
    static const reduction functions[] = {FUNCTION(sum), FUNCTION(mean), FUNCTION(norm), FUNCTION(logsumexp),
                                          FUNCTION(max_over)};
    for (size_t f = 0; f < sizeof functions / sizeof functions[0]; f++)
        for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++)
            for (int dim = 0; dim < 3; dim++) {
                reduction r = functions[f];
                r.rows = sizes[s][0];
                r.columns = sizes[s][1];
                r.dim = dim;
                check_reduction(&r);
            }
}

/* ---- Softmax and elementwise, many chunks ---- */

typedef struct softmax_case {
    int64_t rows, columns;
    int dim;
} softmax_case;

static weft_tensor *make_softmax(weft_ctx *ctx, const void *user)
{
    const softmax_case *s = user;
    double *x = values(s->rows * s->columns, 7);
    weft_tensor *t = tensor_of(ctx, WEFT_F32, x, (const int64_t[]){s->rows, s->columns}, 2);
    free(x);
    return weft_softmax(t, s->dim);
}

WEFT_TEST(Large, Softmax)
{
    static const softmax_case sizes[] = {{7, 5000, 1}, {5000, 7, 0}, {3000, 40, 1}, {40, 3000, 0}, {1, 60000, 1}};
    for (size_t c = 0; c < sizeof sizes / sizeof sizes[0]; c++) {
        const softmax_case *s = &sizes[c];
        int64_t count = s->rows * s->columns;
        double *x = values(count, 7), *sums = zeros(s->dim ? s->rows : s->columns), *want = zeros(count);
        for (int64_t k = 0; k < count; k++)
            sums[s->dim ? k / s->columns : k % s->columns] += exp(x[k]);
        for (int64_t k = 0; k < count; k++)
            want[k] = exp(x[k]) / sums[s->dim ? k / s->columns : k % s->columns];
        test_memory memory;
        weft_ctx *ctx = test_ctx_open(&memory, 1);
        check_values(ctx, "softmax", make_softmax(ctx, s), want, want, count, 1e-6);
        test_ctx_close(ctx, &memory);
        check_threads("softmax", make_softmax, s);
        free(x);
        free(sums);
        free(want);
    }
}

enum { ROWS = 1001, COLUMNS = 203 };

/* tanh(x + row) of every second column, the rows stored as columns: strides, broadcasting and chunks at once. */
static weft_tensor *make_elementwise(weft_ctx *ctx, const void *user)
{
    (void)user;
    double *x = values((int64_t)ROWS * COLUMNS, 8), *row = values(COLUMNS, 9);
    weft_tensor *t = weft_transpose(tensor_of(ctx, WEFT_F32, x, (const int64_t[]){COLUMNS, ROWS}, 2), 0, 1);
    weft_tensor *r = tensor_of(ctx, WEFT_F32, row, (const int64_t[]){COLUMNS}, 1);
    free(x);
    free(row);
    return weft_tanh(weft_slice(weft_add(t, r), 1, 0, COLUMNS, 2));
}

WEFT_TEST(Large, Elementwise)
{
    enum { KEPT = (COLUMNS + 1) / 2 };
    double *x = values((int64_t)ROWS * COLUMNS, 8), *row = values(COLUMNS, 9), *want = zeros((int64_t)ROWS * KEPT),
           *scale = zeros((int64_t)ROWS * KEPT);
    for (int64_t k = 0; k < (int64_t)ROWS * KEPT; k++) {
        int64_t column = k % KEPT * 2;
        want[k] = tanh((double)(float)(x[column * ROWS + k / KEPT] + row[column]));
        scale[k] = fabs(want[k]);
    }
    test_memory memory;
    weft_ctx *ctx = test_ctx_open(&memory, 1);
    check_values(ctx, "elementwise", make_elementwise(ctx, NULL), want, scale, (int64_t)ROWS * KEPT, 2.4e-7);
    test_ctx_close(ctx, &memory);
    check_threads("elementwise", make_elementwise, NULL);
    free(x);
    free(row);
    free(want);
    free(scale);
}

/* ---- Linear layers with an activation ---- */

typedef struct activated {
    int64_t m, k, n;
    weft_dtype dtype;
    weft_activation act;
    bool fused, learns;
} activated;

static weft_tensor *make_activated(weft_ctx *ctx, const void *user)
{
    const activated *a = user;
    double *x = values(a->m * a->k, 11), *w = values(a->n * a->k, 12), *b = values(a->n, 13);
    weft_tensor *in[] = {tensor_of(ctx, a->dtype, x, (const int64_t[]){a->m, a->k}, 2),
                         tensor_of(ctx, a->dtype, w, (const int64_t[]){a->n, a->k}, 2),
                         tensor_of(ctx, a->dtype, b, &a->n, 1)};
    free(x);
    free(w);
    free(b);
    if (a->learns)
        weft_set_requires_grad(in[1], true);
    if (a->fused)
        return weft_linear_act(in[0], in[1], in[2], a->act);
    weft_tensor *sums = weft_linear(in[0], in[1], in[2]);
    return a->act == WEFT_ACTIVATION_RELU ? weft_relu(sums) : weft_gelu_tanh(sums);
}

/* The sums are the same; a vectorised formula may differ in the last bits from one length to another. */
static void check_activated(activated a)
{
    test_memory memory;
    weft_ctx *ctx = test_ctx_open(&memory, 1);
    weft_tensor *fused = (a.fused = true, make_activated(ctx, &a)), *two = (a.fused = false, make_activated(ctx, &a));
    weft_tensor *off =
        weft_max_over(weft_abs(weft_sub(weft_cast(fused, WEFT_F64), weft_cast(two, WEFT_F64))), WEFT_ALL, false);
    const double most = a.act == WEFT_ACTIVATION_RELU ? 0
                        : a.dtype == WEFT_F64         ? 1e-13
                        : a.dtype == WEFT_F32         ? 1e-5
                        : a.dtype == WEFT_F16         ? 0.04
                                                      : 0.3;
    if (!(weft_item(ctx, off) <= most))
        WEFT_FAIL("linear_act of %lld x %lld x %lld in %s: %g off", (long long)a.m, (long long)a.k, (long long)a.n,
                  weft_dtype_name(a.dtype), weft_item(ctx, off));
    weft_ctx_clear(ctx);
    test_ctx_close(ctx, &memory);
    a.fused = true;
    check_threads("linear_act", make_activated, &a);
}

WEFT_TEST(Large, LinearLayersWithAnActivation)
{
    static const int64_t sizes[][3] = {{128, 784, 512}, {300, 257, 1100}, {1, 700, 500}, {64, 256, 10},
                                       {5, 3, 7},       {600, 40, 1},     {900, 3, 33}};
    static const weft_dtype dtypes[] = {WEFT_F32, WEFT_F64, WEFT_F16, WEFT_BF16};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++)
        for (int d = 0; d < 4; d++)
            for (int act = WEFT_ACTIVATION_RELU; act <= WEFT_ACTIVATION_GELU_TANH; act++)
                for (int learns = 0; learns < 2; learns++)
                    check_activated((activated){.m = sizes[k][0],
                                                .k = sizes[k][1],
                                                .n = sizes[k][2],
                                                .dtype = dtypes[d],
                                                .act = (weft_activation)act,
                                                .learns = learns});
}
