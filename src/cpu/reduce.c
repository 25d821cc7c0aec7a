/* reduce.c - the REDUCE rows: sum, mean, prod, max_over, min_over, logsumexp, norm, argmax, argmin, any, all; and those
 * of two results: max_with_index, min_with_index, var_mean.
 *
 *   in x [...] any strides, any dtype      out y [kept dims of x], of the fold's type; second, of its second type
 *
 * Folds take f32, f64 or i64. Other elements are converted a buffer at a time, never as a whole.
 *
 * The dims of x fall into kept and reduced ones; neighbours that lie on one line in memory are joined. Outputs are made
 * in tiles: one output (when the reduced dim is the one that is contiguous) or a strip of up to TILE outputs along a
 * kept dim. The elements behind a tile are cut into units of a fixed size, and units are handed in spans (rows x cols,
 * the cols contiguous) to the operation's fold, which takes them into one accumulator an output. Few tiles over many
 * elements are also split into chunks of units, whose accumulators are merged in order. All borders follow from the
 * shape alone, so the bits do not depend on the number of threads.
 *
 * With batch_invariant they follow from the reduced dims alone, and so do the rows that are taken together: no look at
 * sizes of kept dims, at strides, or at which dims lie on one line. The last dim decides: if it is reduced, outputs are
 * made one by one, else in strips. */
#include <stdalign.h>
#include <stdlib.h>
#include "loop.h"
#include "moments.h"
#include "rows.h"
#include "counter.h"

enum {
    TILE = 512,      /* outputs in a tile at most */
    BUFFER = 4096,   /* elements gathered at a time where they are not contiguous */
    UNIT = 16384,    /* elements in a unit, about */
    MANY_TILES = 64, /* that many tiles are not split further */
    CHUNK = 32768,   /* elements in a chunk at least */
    MAX_ACC = 24,    /* bytes of an accumulator at most */
    STRIP = 128,     /* outputs in a tile, and ... */
    STRIP_ROWS = 32, /* ... rows taken at a time, with batch_invariant: as many as fit into the buffer */
    LONG_ROW = 16,   /* from this length a contiguous row is reduced by itself */
    SHORT_RUN = 64   /* runs below this length are gathered before they are taken */
};

/* A block of elements x[i * step + j], i < rows, j < cols; element (i, j) goes to accumulator j. Its position among the
 * reduced elements is base + i * weight. */
typedef struct span {
    int64_t rows, step;
    int64_t cols;
    int64_t base, weight;
    bool strip; /* added up as columns, even if it is one */
} span;

/* Where the results of some accumulators go, and what they are made with. */
typedef struct results {
    void *y, *second;  /* second: of a fold with two results */
    int64_t count;     /* elements reduced */
    double correction; /* of var_mean */
} results;

/* One operation on one type. acc is an array of accumulators. */
typedef struct fold {
    size_t acc_size, out_size, second_size; /* second_size 0: one result */
    void (*init)(void *acc, int64_t n);
    void (*take)(void *acc, const void *x, const span *s);
    void (*merge)(void *acc, const void *other, int64_t n);
    void (*finish)(const results *to, const void *acc, int64_t n);
} fold;

/* A row of consecutive elements: nothing to spread over columns. */
static inline bool is_row(const span *s)
{
    return s->cols == 1 && s->step == 1 && !s->strip;
}

typedef int64_t weft__real_i64;
typedef int64_t weft__int_i64;

#define WEFT_REAL f32
#include "rows.inc"
#include "reduce.inc"
#include "reduce_real.inc"
#undef WEFT_REAL
#define WEFT_REAL f64
#include "rows.inc"
#include "reduce.inc"
#include "reduce_real.inc"
#undef WEFT_REAL
#define WEFT_REAL i64
#define WEFT_INTEGER
#include "reduce.inc"
#undef WEFT_INTEGER
#undef WEFT_REAL

/* ---- The norm of f64 where squares overflow or vanish: scale^2 * sum, scale the largest |x| so far ---- */

typedef struct scaled {
    double scale, sum;
} scaled;

static void scaled_init(void *acc, int64_t n)
{
    memset(acc, 0, (size_t)n * sizeof(scaled));
}

static void scaled_join(scaled *a, scaled b)
{
    if (b.scale > a->scale) {
        scaled t = *a;
        *a = b;
        b = t;
    }
    double ratio = b.scale == a->scale ? 1 : b.scale / a->scale; /* 1 for two infinities as well */
    a->sum += b.sum * ratio * ratio;
}

static void scaled_take(void *acc, const void *x, const span *s)
{
    scaled *a = acc;
    const double *p = x;
    for (int64_t i = 0; i < s->rows; i++)
        for (int64_t j = 0; j < s->cols; j++) {
            double v = fabs(p[i * s->step + j]);
            if (v != v)
                a[j].sum = v;
            else if (v > 0)
                scaled_join(&a[j], (scaled){.scale = v, .sum = 1});
        }
}

static void scaled_merge(void *acc, const void *other, int64_t n)
{
    scaled *a = acc;
    const scaled *b = other;
    for (int64_t j = 0; j < n; j++)
        scaled_join(&a[j], b[j]);
}

static void scaled_finish(const results *to, const void *acc, int64_t n)
{
    double *y = to->y;
    const scaled *a = acc;
    for (int64_t j = 0; j < n; j++)
        y[j] = a[j].sum == 0 ? 0 : a[j].scale * sqrt(a[j].sum);
}

static const fold safe_norm_f64 = {
    .acc_size = sizeof(scaled),
    .out_size = sizeof(double),
    .init = scaled_init,
    .take = scaled_take,
    .merge = scaled_merge,
    .finish = scaled_finish,
};

/* ---- The plan ---- */

typedef struct axis {
    int64_t n, stride;
    int64_t step; /* kept: distance in the output; reduced: weight in the position */
} axis;

typedef struct axes {
    int n;
    axis axis[WEFT__MAX_DIMS];
} axes;

typedef struct plan {
    const fold *fold;
    const char *x;
    char *out, *second;
    double correction;
    int32_t dtype;      /* of x */
    size_t size;        /* of an element of x */
    size_t taken;       /* of an element that the fold takes */
    bool native;        /* x has such elements */
    bool strip;         /* batch_invariant, and the last dim is kept */
    int64_t count;      /* elements behind an output */
    axes kept, reduced; /* without the two below */
    axis cols, rows;    /* the kept and the reduced dim that spans run along; n 1 where there is none */
    int64_t width;      /* of a tile along cols */
    int64_t strips;     /* tiles along cols */
    int64_t tiles;
    int64_t piece;  /* rows in a unit */
    int64_t pieces; /* units along rows */
    int64_t units;  /* behind a tile */
    int64_t chunks, chunk_units;
    char *partial; /* accumulators [tiles][chunks][width] when chunks > 1 */
} plan;

/* Appends a dim, or joins it to the one before where the two make one line. */
static void axes_add(axes *a, int64_t n, int64_t stride)
{
    if (n == 1)
        return;
    axis *last = a->n > 0 ? &a->axis[a->n - 1] : NULL;
    if (last && last->stride == n * stride) {
        last->n *= n;
        last->stride = stride;
        return;
    }
    a->axis[a->n++] = (axis){.n = n, .stride = stride};
}

/* Fills in the steps, counting row-major; returns the number of positions. */
static int64_t axes_number(axes *a)
{
    int64_t step = 1;
    for (int d = a->n - 1; d >= 0; d--) {
        a->axis[d].step = step;
        step *= a->axis[d].n;
    }
    return step;
}

static int64_t axes_count(const axes *a)
{
    int64_t n = 1;
    for (int d = 0; d < a->n; d++)
        n *= a->axis[d].n;
    return n;
}

/* The dim whose elements lie closest, -1 if there is none; broadcast dims (stride 0) come last. */
static int axes_closest(const axes *a)
{
    int best = -1;
    for (int d = a->n - 1; d >= 0; d--) {
        int64_t s = llabs(a->axis[d].stride);
        if (s != 0 && (best < 0 || s < llabs(a->axis[best].stride)))
            best = d;
    }
    return best < 0 ? a->n - 1 : best;
}

static axis axes_take_out(axes *a, int d)
{
    if (d < 0)
        return (axis){.n = 1, .stride = 1, .step = 1};
    axis out = a->axis[d];
    a->n--;
    for (; d < a->n; d++)
        a->axis[d] = a->axis[d + 1];
    return out;
}

/* Memory offset of position i (row-major) and its place in terms of the steps. */
static int64_t axes_offset(const axes *a, int64_t i, int64_t *place)
{
    int64_t offset = 0;
    *place = 0;
    for (int d = a->n - 1; d >= 0; d--) {
        const axis *x = &a->axis[d];
        int64_t at = i;
        if (d > 0) {
            i /= x->n;
            at -= i * x->n;
        }
        offset += at * x->stride;
        *place += at * x->step;
    }
    return offset;
}

static void plan_dims_invariant(plan *p, const weft__array *x, int64_t mask)
{
    for (int d = 0; d < x->ndim; d++) {
        if ((mask >> d & 1) == 0)
            axes_add(&p->kept, x->shape[d], x->strides[d]);
        else if (x->shape[d] != 1)
            p->reduced.axis[p->reduced.n++] = (axis){.n = x->shape[d], .stride = x->strides[d]};
    }
    axes_number(&p->kept);
    p->count = axes_number(&p->reduced);
    const int last = x->ndim - 1;
    p->strip = last >= 0 && ((mask >> last & 1) == 0 || x->shape[last] == 1); /* a sum over a dim of one is none */
    p->rows = axes_take_out(&p->reduced, p->reduced.n - 1);
    p->cols = axes_take_out(&p->kept, p->strip ? axes_closest(&p->kept) : -1);
}

static void plan_cuts_invariant(plan *p)
{
    p->width = p->strip ? weft__least(p->cols.n, STRIP) : 1;
    p->strips = weft__ceil_div(p->cols.n, p->width);
    p->tiles = p->strips * axes_count(&p->kept);
    p->piece = weft__least(p->rows.n, p->strip ? STRIP_ROWS : BUFFER);
    p->pieces = p->rows.n == 0 ? 0 : weft__ceil_div(p->rows.n, p->piece);
    p->units = p->pieces * axes_count(&p->reduced);
    const int64_t want = weft__most(1, weft__least(weft__least(MANY_TILES, p->count / CHUNK), p->units));
    p->chunk_units = weft__most(1, weft__ceil_div(p->units, want));
    p->chunks = weft__most(1, weft__ceil_div(p->units, p->chunk_units));
}

static void plan_dims(plan *p, const weft__array *x, int64_t mask)
{
    for (int d = 0; d < x->ndim; d++)
        axes_add((mask >> d & 1) != 0 ? &p->reduced : &p->kept, x->shape[d], x->strides[d]);
    axes_number(&p->kept);
    p->count = axes_number(&p->reduced);
    int k = axes_closest(&p->kept), r = axes_closest(&p->reduced);
    int64_t kept_stride = k < 0 ? INT64_MAX : llabs(p->kept.axis[k].stride);
    bool by_rows = k < 0;
    if (k >= 0 && r >= 0) {
        const axis *along = &p->reduced.axis[r];
        by_rows = along->n >= LONG_ROW && along->stride != 0 && llabs(along->stride) <= kept_stride;
    }
    p->rows = axes_take_out(&p->reduced, r);
    p->cols = axes_take_out(&p->kept, by_rows ? -1 : k);
}

static void plan_cuts(plan *p)
{
    p->width = weft__least(p->cols.n, TILE);
    p->strips = weft__ceil_div(p->cols.n, p->width);
    p->tiles = p->strips * axes_count(&p->kept);
    p->piece = weft__least(p->rows.n, weft__most(8, UNIT / p->width / 8 * 8));
    p->pieces = p->rows.n == 0 ? 0 : weft__ceil_div(p->rows.n, p->piece);
    p->units = p->pieces * axes_count(&p->reduced);
    int64_t want = 1;
    if (p->tiles < MANY_TILES)
        want = weft__least(weft__ceil_div(MANY_TILES, p->tiles), p->count * p->width / CHUNK);
    want = weft__most(1, weft__least(want, p->units));
    p->chunk_units = weft__most(1, weft__ceil_div(p->units, want));
    p->chunks = weft__most(1, weft__ceil_div(p->units, p->chunk_units));
}

/* ---- Running it ---- */

/* gather of elements that the fold does not take */
static void convert(const plan *p, char *dst, const char *src, int64_t rows, int64_t cols)
{
    const int64_t size = (int64_t)p->size, step = p->rows.stride * size, stride = p->cols.stride * size;
    if (cols == 1)
        WEFT__CPU(load)(rows, p->dtype, src, step, dst);
    else if (step == cols * stride)
        WEFT__CPU(load)(rows * cols, p->dtype, src, stride, dst);
    else
        for (int64_t i = 0; i < rows; i++)
            WEFT__CPU(load)(cols, p->dtype, src + i * step, stride, dst + i * cols * (int64_t)p->taken);
}

/* dst[i * cols + j] = src[i * step + j * stride] */
static void gather(const plan *p, void *dst, const char *src, int64_t rows, int64_t cols)
{
    const int64_t step = p->rows.stride, stride = p->cols.stride;
    if (!p->native) {
        convert(p, dst, src, rows, cols);
        return;
    }
    if (p->size == 4) {
        uint32_t *d = dst;
        const uint32_t *s = (const uint32_t *)(const void *)src;
        for (int64_t i = 0; i < rows; i++)
            for (int64_t j = 0; j < cols; j++)
                d[i * cols + j] = s[i * step + j * stride];
        return;
    }
    uint64_t *d = dst;
    const uint64_t *s = (const uint64_t *)(const void *)src;
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < cols; j++)
            d[i * cols + j] = s[i * step + j * stride];
}

/* One unit: s->rows x s->cols elements from src on, wherever they lie. */
static void take_unit(const plan *p, void *acc, const char *src, span s)
{
    bool direct = s.cols == 1 && !s.strip ? p->rows.stride == 1 : s.cols == 1 || p->cols.stride == 1;
    if (direct && p->native) {
        s.step = p->rows.stride;
        p->fold->take(acc, src, &s);
        return;
    }
    alignas(64) char buffer[BUFFER * 8];
    const int64_t rows = s.rows, block = BUFFER / s.cols;
    for (int64_t i = 0; i < rows; i += block) {
        span part = s;
        part.rows = weft__least(block, rows - i);
        part.step = s.cols;
        part.base = s.base + i * s.weight;
        gather(p, buffer, src + i * p->rows.stride * (int64_t)p->size, part.rows, s.cols);
        p->fold->take(acc, buffer, &part);
    }
}

/* A single output over many short runs, whose positions follow one another: they are gathered into one row. */
static bool takes_short_runs(const plan *p, int64_t cols)
{
    return cols == 1 && !p->strip && p->pieces == 1 && p->rows.n < SHORT_RUN && p->rows.step == 1 && p->reduced.n > 0;
}

static void take_short_runs(const plan *p, void *acc, const char *x, int64_t begin, int64_t end)
{
    alignas(64) char buffer[BUFFER * 8];
    const int64_t n = p->rows.n, batch = BUFFER / n;
    weft__counter c = {.n = p->reduced.n};
    for (int d = 0; d < c.n; d++) {
        c.shape[d] = p->reduced.axis[d].n;
        c.strides[0][d] = p->reduced.axis[d].stride;
    }
    weft__counter_seek(&c, begin);
    for (int64_t u = begin; u < end; u += batch) {
        const int64_t runs = weft__least(batch, end - u);
        for (int64_t k = 0; k < runs; k++, weft__counter_next(&c))
            gather(p, buffer + k * n * (int64_t)p->taken, x + c.offset[0] * (int64_t)p->size, n, 1);
        p->fold->take(acc, buffer, &(span){.rows = runs * n, .step = 1, .cols = 1, .base = u * n, .weight = 1});
    }
}

/* Units [begin, end) behind a tile of the given number of columns that starts at x. */
static void take_units(const plan *p, void *acc, const char *x, int64_t cols, int64_t begin, int64_t end)
{
    if (begin < end && takes_short_runs(p, cols)) {
        take_short_runs(p, acc, x, begin, end);
        return;
    }
    for (int64_t u = begin; u < end; u++) {
        int64_t outer = p->pieces == 1 ? u : u / p->pieces;
        int64_t row = (u - outer * p->pieces) * p->piece, place;
        int64_t offset = axes_offset(&p->reduced, outer, &place) + row * p->rows.stride;
        span s = {.rows = weft__least(p->piece, p->rows.n - row), .cols = cols, .strip = p->strip};
        s.weight = p->rows.step;
        s.base = place + row * s.weight;
        take_unit(p, acc, x + offset * (int64_t)p->size, s);
    }
}

static void spread(char *out, const char *from, int64_t n, int64_t step, size_t size)
{
    for (int64_t j = 0; j < n; j++)
        memcpy(out + j * step * (int64_t)size, from + j * (int64_t)size, size);
}

/* Writes the results of a tile to outputs first, first + cols.step ... */
static void finish_tile(const plan *p, int64_t first, const void *acc, int64_t cols)
{
    const size_t size = p->fold->out_size, second_size = p->fold->second_size;
    char *out = p->out + first * (int64_t)size, *second = second_size ? p->second + first * (int64_t)second_size : NULL;
    results to = {.y = out, .second = second, .count = p->count, .correction = p->correction};
    if (p->cols.step == 1) {
        p->fold->finish(&to, acc, cols);
        return;
    }
    alignas(64) char buffer[TILE * 8], second_buffer[TILE * 8];
    to.y = buffer;
    to.second = second_buffer;
    p->fold->finish(&to, acc, cols);
    spread(out, buffer, cols, p->cols.step, size);
    if (second_size)
        spread(second, second_buffer, cols, p->cols.step, second_size);
}

/* Where a tile lies: its first element, its first output, its columns. */
typedef struct place {
    const char *x;
    int64_t out, cols;
} place;

static place find_tile(const plan *p, int64_t tile)
{
    place at;
    int64_t outer = p->strips == 1 ? tile : tile / p->strips;
    int64_t col = (tile - outer * p->strips) * p->width;
    int64_t offset = axes_offset(&p->kept, outer, &at.out) + col * p->cols.stride;
    at.x = p->x + offset * (int64_t)p->size;
    at.out += col * p->cols.step;
    at.cols = weft__least(p->width, p->cols.n - col);
    return at;
}

static void run_tiles(void *arg, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const plan *p = arg;
    alignas(64) char acc[TILE * MAX_ACC];
    for (int64_t tile = begin; tile < end; tile++) {
        place at = find_tile(p, tile);
        p->fold->init(acc, at.cols);
        take_units(p, acc, at.x, at.cols, 0, p->units);
        finish_tile(p, at.out, acc, at.cols);
    }
}

static char *partial_of(const plan *p, int64_t item)
{
    return p->partial + item * p->width * (int64_t)p->fold->acc_size;
}

static void run_chunks(void *arg, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const plan *p = arg;
    for (int64_t item = begin; item < end; item++) {
        int64_t tile = item / p->chunks, first = (item - tile * p->chunks) * p->chunk_units;
        place at = find_tile(p, tile);
        p->fold->init(partial_of(p, item), at.cols);
        take_units(p, partial_of(p, item), at.x, at.cols, first, weft__least(first + p->chunk_units, p->units));
    }
}

static weft_status run_split(const weft__exec *e, plan *p)
{
    p->partial = weft__scratch(e, p->tiles * p->chunks * p->width, p->fold->acc_size);
    if (!p->partial)
        return WEFT_E_NOMEM;
    weft__pool_for(weft__exec_pool(e), p->tiles * p->chunks, 1, run_chunks, p);
    for (int64_t tile = 0; tile < p->tiles; tile++) {
        place at = find_tile(p, tile);
        char *acc = partial_of(p, tile * p->chunks);
        for (int64_t c = 1; c < p->chunks; c++)
            p->fold->merge(acc, partial_of(p, tile * p->chunks + c), at.cols);
        finish_tile(p, at.out, acc, at.cols);
    }
    return WEFT_OK;
}

static weft_status reduce(const weft__exec *e, const fold *fold)
{
    const weft__array *x = e->in[0];
    if (e->out[0]->count == 0)
        return WEFT_OK;
    const weft__compute_type type = weft__compute_type_of(x->dtype);
    plan p = {.fold = fold,
              .x = x->data,
              .out = e->out[0]->data,
              .second = fold->second_size ? e->out[1]->data : NULL,
              .correction = e->op == WEFT_OP_VAR_MEAN ? e->attrs->var.correction : 0,
              .dtype = x->dtype,
              .size = weft_dtype_size((weft_dtype)x->dtype),
              .taken = type == WEFT__COMPUTE_F32 ? 4 : 8,
              .native = weft__is_native(x->dtype, type)};
    if (weft__exec_invariant(e)) {
        plan_dims_invariant(&p, x, e->attrs->reduce.dims);
        plan_cuts_invariant(&p);
    } else {
        plan_dims(&p, x, e->attrs->reduce.dims);
        plan_cuts(&p);
    }
    if (p.chunks > 1)
        return run_split(e, &p);
    weft__pool_for(weft__exec_pool(e), p.tiles, weft__grain(p.count * p.width), run_tiles, &p);
    return WEFT_OK;
}

/* ---- The rows ---- */

static weft_status reduce_float(const weft__exec *e, const fold *f32, const fold *f64)
{
    return reduce(e, e->in[0]->dtype == WEFT_F64 ? f64 : f32);
}

static weft_status reduce_number(const weft__exec *e, const fold *f32, const fold *f64, const fold *i64)
{
    return weft__compute_type_of(e->in[0]->dtype) == WEFT__COMPUTE_I64 ? reduce(e, i64) : reduce_float(e, f32, f64);
}

weft_status WEFT__CPU(sum)(const weft__exec *e)
{
    return reduce_number(e, &sum_f32, &sum_f64, &sum_i64);
}

weft_status WEFT__CPU(mean)(const weft__exec *e)
{
    return reduce_float(e, &mean_f32, &mean_f64);
}

weft_status WEFT__CPU(prod)(const weft__exec *e)
{
    return reduce_number(e, &prod_f32, &prod_f64, &prod_i64);
}

weft_status WEFT__CPU(max_over)(const weft__exec *e)
{
    return reduce_number(e, &max_f32, &max_f64, &max_i64);
}

weft_status WEFT__CPU(min_over)(const weft__exec *e)
{
    return reduce_number(e, &min_f32, &min_f64, &min_i64);
}

weft_status WEFT__CPU(logsumexp)(const weft__exec *e)
{
    return reduce_float(e, &logsumexp_f32, &logsumexp_f64);
}

/* The squares of f32 fit into f64. Those of f64 may overflow or vanish: the plain sum is tried first, since nearly all
 * data is harmless, and a result that looks suspicious brings the careful, slower fold. */
#define LOOKS_HARMLESS(norm) ((norm) >= 1e-140 && (norm) <= 1e150)

/* With batch_invariant the others keep what they have. */
static weft_status put_right(const weft__exec *e)
{
    double *y = e->out[0]->data;
    if (!weft__exec_invariant(e))
        return reduce(e, &safe_norm_f64);
    weft__array safe = *e->out[0];
    weft__exec other = *e;
    other.out = (weft__array *[]){&safe};
    double *from = safe.data = weft__scratch(e, safe.count, sizeof *y);
    if (!from)
        return WEFT_E_NOMEM;
    const weft_status status = reduce(&other, &safe_norm_f64);
    for (int64_t i = 0; status == WEFT_OK && i < safe.count; i++)
        if (!LOOKS_HARMLESS(y[i]))
            y[i] = from[i];
    return status;
}

weft_status WEFT__CPU(norm)(const weft__exec *e)
{
    weft_status status = reduce_float(e, &norm_f32, &norm_f64);
    if (status != WEFT_OK || e->in[0]->dtype != WEFT_F64 || e->in[0]->count == 0)
        return status;
    const double *y = e->out[0]->data;
    for (int64_t i = 0; i < e->out[0]->count; i++)
        if (!LOOKS_HARMLESS(y[i]))
            return put_right(e);
    return WEFT_OK;
}

weft_status WEFT__CPU(argmax)(const weft__exec *e)
{
    return reduce_number(e, &argmax_f32, &argmax_f64, &argmax_i64);
}

weft_status WEFT__CPU(argmin)(const weft__exec *e)
{
    return reduce_number(e, &argmin_f32, &argmin_f64, &argmin_i64);
}

weft_status WEFT__CPU(any)(const weft__exec *e)
{
    return reduce_number(e, &any_f32, &any_f64, &any_i64);
}

weft_status WEFT__CPU(all)(const weft__exec *e)
{
    return reduce_number(e, &all_f32, &all_f64, &all_i64);
}

/* ---- Two results ---- */

weft_status WEFT__CPU(max_with_index)(const weft__exec *e)
{
    return reduce_number(e, &first_max_f32, &first_max_f64, &first_max_i64);
}

weft_status WEFT__CPU(min_with_index)(const weft__exec *e)
{
    return reduce_number(e, &first_min_f32, &first_min_f64, &first_min_i64);
}

weft_status WEFT__CPU(var_mean)(const weft__exec *e)
{
    return reduce_float(e, &moments_f32, &moments_f64);
}
