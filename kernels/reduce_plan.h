/* reduce_plan.h - how a reduction is cut into work: which dims threads run along, and how many pieces there are.
 *
 * The dims of x fall into kept and reduced ones; neighbours that lie on one line in memory are joined. One reduced dim,
 * the rows, is gone through by the threads that share an output; the other reduced dims number its segments. Two ways:
 *
 *   by rows      a group of 1 to 256 threads makes one output; where the rows are dense it loads 16 bytes at a time
 *   by columns   a block makes a tile of outputs that lie side by side along one kept dim, the columns; it is cut into
 *                strands, which take different rows and are joined at the end
 *
 * What lies behind an output is counted in units: a piece of the rows of one segment. Few outputs over many units are
 * split into chunks of units, whose partial results a second kernel joins in a fixed order. All borders follow from
 * shape and strides, so the bits depend on nothing else; with batch_invariant from the sizes of the reduced dims. */
#ifndef WEFT_KERNELS_REDUCE_PLAN_H
#define WEFT_KERNELS_REDUCE_PLAN_H

#include "base/array.h"
#include "space.h"

enum {
    WEFT_REDUCE_THREADS = 256,
    WEFT_REDUCE_RESIDENT = 3,  /* blocks on a multiprocessor, for the compiler's choice of registers */
    WEFT_REDUCE_BLOCKS = 2048, /* that many keep a device busy to the end; half of them are not split further */
    WEFT_REDUCE_CHUNK = 65536, /* elements of a chunk, where no number of blocks decides */
    WEFT_REDUCE_UNROLL = 4,    /* loads of a thread that are under way together */
    WEFT_REDUCE_LONG_ROW = 16  /* from this length a dense row is reduced by itself */
};

struct weft_axis {
    int64_t n, stride;
    int64_t step; /* kept: distance in the output; reduced: weight in the position */
};

struct weft_axes {
    int32_t ndim;
    weft_axis axis[WEFT__MAX_DIMS];
};

struct weft_reduce_plan {
    weft_axes kept, reduced; /* without the two below */
    weft_axis rows;          /* the reduced dim that threads run along; n 1 where there is none */
    weft_axis cols;          /* by columns: the kept dim along which outputs of a tile lie */
    int64_t count;           /* elements behind an output */
    int64_t outputs;
    bool by_columns;
    bool invariant;        /* cut by the reduced dims alone */
    bool dense;            /* by rows: elements are loaded in packs */
    bool packed;           /* by columns: a thread's columns are loaded as one pack */
    int32_t group;         /* threads on a row; by columns: threads side by side in a tile */
    int64_t tiles;         /* outputs, or tiles of columns ... */
    int64_t strips;        /* ... of which there are that many along cols */
    int64_t piece, pieces; /* rows in a unit, units along rows */
    int64_t units;         /* behind an output */
    int64_t chunks, chunk_units;
};

inline int64_t weft_ceil_div(int64_t a, int64_t b)
{
    return a / b + (a % b != 0);
}

/* The power of two from low to high that is at least n, if there is one. */
inline int32_t weft_power_above(int64_t n, int32_t low, int32_t high)
{
    int32_t p = low;
    while (p < n && p < high)
        p *= 2;
    return p;
}

/* Appends a dim, or joins it to the one before where the two make one line. */
inline void weft_axes_add(weft_axes &a, int64_t n, int64_t stride)
{
    if (n == 1)
        return;
    if (a.ndim > 0 && a.axis[a.ndim - 1].stride == n * stride) {
        a.axis[a.ndim - 1].n *= n;
        a.axis[a.ndim - 1].stride = stride;
        return;
    }
    a.axis[a.ndim++] = {n, stride, 0};
}

/* Fills in the steps, counting row-major; returns the number of positions. */
inline int64_t weft_axes_number(weft_axes &a)
{
    int64_t step = 1;
    for (int d = a.ndim - 1; d >= 0; d--) {
        a.axis[d].step = step;
        step *= a.axis[d].n;
    }
    return step;
}

inline int64_t weft_axes_count(const weft_axes &a)
{
    int64_t n = 1;
    for (int d = 0; d < a.ndim; d++)
        n *= a.axis[d].n;
    return n;
}

/* Of the dims of at least `least` elements the one whose elements lie closest, else the longest; -1 if there is none.
 * Broadcast dims (stride 0) come last. */
inline int weft_axes_closest(const weft_axes &a, int64_t least)
{
    int best = -1, longest = a.ndim - 1;
    for (int d = a.ndim - 1; d >= 0; d--) {
        const int64_t stride = weft_magnitude(a.axis[d].stride);
        if (a.axis[d].n > a.axis[longest].n)
            longest = d;
        if (stride != 0 && a.axis[d].n >= least && (best < 0 || stride < weft_magnitude(a.axis[best].stride)))
            best = d;
    }
    return best < 0 ? longest : best;
}

inline weft_axis weft_axes_take_out(weft_axes &a, int d)
{
    if (d < 0)
        return {1, 1, 1};
    const weft_axis out = a.axis[d];
    a.ndim--;
    for (; d < a.ndim; d++)
        a.axis[d] = a.axis[d + 1];
    return out;
}

/* Every step along these dims keeps a multiple of width elements. */
inline bool weft_axes_keep(const weft_axes &a, int64_t width)
{
    for (int d = 0; d < a.ndim; d++)
        if (a.axis[d].stride % width != 0)
            return false;
    return true;
}

/* By rows where the rows lie at least as close as the outputs do. */
inline void weft_reduce_dims(weft_reduce_plan &p, const weft__array *x, int64_t mask)
{
    for (int d = 0; d < x->ndim; d++)
        weft_axes_add((mask >> d & 1) != 0 ? p.reduced : p.kept, x->shape[d], x->strides[d]);
    p.outputs = weft_axes_number(p.kept);
    p.count = weft_axes_number(p.reduced);
    const int k = weft_axes_closest(p.kept, 1), r = weft_axes_closest(p.reduced, WEFT_REDUCE_LONG_ROW);
    p.by_columns = k >= 0;
    if (k >= 0 && r >= 0) {
        const weft_axis &rows = p.reduced.axis[r];
        const int64_t apart = weft_magnitude(p.kept.axis[k].stride);
        p.by_columns = rows.n < WEFT_REDUCE_LONG_ROW || rows.stride == 0 || weft_magnitude(rows.stride) > apart;
    }
    p.rows = weft_axes_take_out(p.reduced, r);
    p.cols = weft_axes_take_out(p.kept, p.by_columns ? k : -1);
}

/* With batch_invariant: nothing looks at the kept dims' sizes, at strides, or at what lies on one line. By columns
 * where the last dim is kept (a sum over a dim of one is none). */
inline void weft_reduce_dims_invariant(weft_reduce_plan &p, const weft__array *x, int64_t mask)
{
    for (int d = 0; d < x->ndim; d++) {
        if ((mask >> d & 1) == 0)
            weft_axes_add(p.kept, x->shape[d], x->strides[d]);
        else if (x->shape[d] != 1)
            p.reduced.axis[p.reduced.ndim++] = {x->shape[d], x->strides[d], 0};
    }
    p.outputs = weft_axes_number(p.kept);
    p.count = weft_axes_number(p.reduced);
    const int last = x->ndim - 1;
    p.by_columns = last >= 0 && ((mask >> last & 1) == 0 || x->shape[last] == 1);
    p.rows = weft_axes_take_out(p.reduced, p.reduced.ndim - 1);
    p.cols = weft_axes_take_out(p.kept, p.by_columns ? weft_axes_closest(p.kept, 1) : -1);
}

/* At most `strands` x 4 rows make a thread's part of a column long enough to be worth joining. */
inline void weft_reduce_tile_columns(weft_reduce_plan &p, const void *x, int64_t element, int64_t width)
{
    p.packed = p.cols.stride == 1 && p.cols.n % width == 0 && p.rows.stride % width == 0 &&
               weft_axes_keep(p.kept, width) && weft_axes_keep(p.reduced, width) &&
               reinterpret_cast<uintptr_t>(x) % static_cast<uintptr_t>(element * width) == 0;
    int32_t strands = 1;
    while (strands < 8 && strands * 8 <= p.count)
        strands *= 2;
    p.group = p.invariant ? WEFT_REDUCE_THREADS / strands
                          : weft_power_above(weft_ceil_div(p.cols.n, width), 1, WEFT_REDUCE_THREADS / strands);
    strands = WEFT_REDUCE_THREADS / p.group;
    p.strips = weft_ceil_div(p.cols.n, p.group * width);
    p.tiles = p.strips * weft_axes_count(p.kept);
    p.piece = strands * 4 * WEFT_REDUCE_UNROLL;
}

inline void weft_reduce_group_rows(weft_reduce_plan &p, int64_t width)
{
    p.dense = p.rows.stride == 1 && !p.invariant;
    const int64_t pack = p.dense ? width : 1;
    p.group = weft_power_above(p.rows.n / (pack * WEFT_REDUCE_UNROLL), 4, WEFT_REDUCE_THREADS);
    p.strips = 1;
    p.tiles = p.outputs;
    p.piece = p.group * pack * WEFT_REDUCE_UNROLL;
}

/* How many chunks the units behind an output are split into. */
inline int64_t weft_reduce_chunks_wanted(const weft_reduce_plan &p)
{
    if (p.invariant) {
        const int64_t want = p.count / WEFT_REDUCE_CHUNK;
        return want < WEFT_REDUCE_BLOCKS ? want : int64_t{WEFT_REDUCE_BLOCKS};
    }
    const int64_t blocks = p.by_columns ? p.tiles : weft_ceil_div(p.tiles, WEFT_REDUCE_THREADS / p.group);
    return blocks < WEFT_REDUCE_BLOCKS / 2 ? weft_ceil_div(WEFT_REDUCE_BLOCKS, blocks) : 1;
}

/* Elements are `element` bytes each; by rows they are loaded in packs of row_width, by columns of column_width. */
inline weft_reduce_plan weft_make_reduce_plan(const weft__array *x, int64_t mask, int64_t element, int64_t row_width,
                                              int64_t column_width, bool invariant)
{
    weft_reduce_plan p = {};
    p.invariant = invariant;
    if (invariant)
        weft_reduce_dims_invariant(p, x, mask);
    else
        weft_reduce_dims(p, x, mask);
    if (p.by_columns)
        weft_reduce_tile_columns(p, x->data, element, column_width);
    else
        weft_reduce_group_rows(p, row_width);
    p.pieces = weft_ceil_div(p.rows.n, p.piece);
    p.units = p.count == 0 ? 0 : p.pieces * weft_axes_count(p.reduced);
    int64_t want = weft_reduce_chunks_wanted(p);
    want = want < p.units ? want : p.units;
    p.chunk_units = want > 1 ? weft_ceil_div(p.units, want) : p.units;
    p.chunks = p.units == 0 ? 1 : weft_ceil_div(p.units, p.chunk_units);
    return p;
}

#endif
