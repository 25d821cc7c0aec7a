/* walk.h - positions of an array's outer dims one after another, with the memory offsets of one or two arrays. */
#ifndef WEFT_CPU_WALK_H
#define WEFT_CPU_WALK_H

#include "cpu.h"

typedef struct weft__walk {
    int n; /* dims */
    int64_t shape[WEFT__MAX_DIMS];
    int64_t strides[2][WEFT__MAX_DIMS];
    int64_t at[WEFT__MAX_DIMS]; /* the position */
    int64_t offset[2];
} weft__walk;

/* Goes to a position counted row-major. */
static inline void weft__walk_seek(weft__walk *w, int64_t position)
{
    w->offset[0] = w->offset[1] = 0;
    for (int d = w->n - 1; d >= 0; d--) {
        w->at[d] = position % w->shape[d];
        position /= w->shape[d];
        w->offset[0] += w->at[d] * w->strides[0][d];
        w->offset[1] += w->at[d] * w->strides[1][d];
    }
}

/* Goes to the next position; from the last one back to the first. */
static inline void weft__walk_next(weft__walk *w)
{
    for (int d = w->n - 1; d >= 0; d--) {
        w->offset[0] += w->strides[0][d];
        w->offset[1] += w->strides[1][d];
        if (++w->at[d] < w->shape[d])
            return;
        w->at[d] = 0;
        w->offset[0] -= w->shape[d] * w->strides[0][d];
        w->offset[1] -= w->shape[d] * w->strides[1][d];
    }
}

#endif
