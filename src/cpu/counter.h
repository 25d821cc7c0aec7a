/* counter.h - counts through the positions of an array's outer dims, with the memory offsets of one or two arrays. */
#ifndef WEFT_CPU_COUNTER_H
#define WEFT_CPU_COUNTER_H

#include "cpu.h"

/* Indices that advance row-major, with carries. */
typedef struct weft__counter {
    int n; /* dims */
    int64_t shape[WEFT__MAX_DIMS];
    int64_t strides[2][WEFT__MAX_DIMS];
    int64_t at[WEFT__MAX_DIMS]; /* the position */
    int64_t offset[2];
} weft__counter;

/* Goes to a position counted row-major. */
static inline void weft__counter_seek(weft__counter *c, int64_t position)
{
    c->offset[0] = c->offset[1] = 0;
    for (int d = c->n - 1; d >= 0; d--) {
        c->at[d] = position % c->shape[d];
        position /= c->shape[d];
        c->offset[0] += c->at[d] * c->strides[0][d];
        c->offset[1] += c->at[d] * c->strides[1][d];
    }
}

/* Goes to the next position; from the last one back to the first. */
static inline void weft__counter_next(weft__counter *c)
{
    for (int d = c->n - 1; d >= 0; d--) {
        c->offset[0] += c->strides[0][d];
        c->offset[1] += c->strides[1][d];
        if (++c->at[d] < c->shape[d])
            return;
        c->at[d] = 0;
        c->offset[0] -= c->shape[d] * c->strides[0][d];
        c->offset[1] -= c->shape[d] * c->strides[1][d];
    }
}

#endif
