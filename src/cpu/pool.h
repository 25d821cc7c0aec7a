/* pool.h - a small thread pool: the caller works too, chunks are handed out by an atomic counter. */
#ifndef WEFT_CPU_POOL_H
#define WEFT_CPU_POOL_H

#include <stdint.h>
#include "engine/backend.h"

typedef struct weft__pool weft__pool;

/* Works on [begin, end); worker is in [0, weft__pool_threads), for indexing per-worker buffers. */
typedef void (*weft__range_fn)(void *arg, int64_t begin, int64_t end, int worker);

/* Workers start at the first call that needs them, never before. NULL when out of memory. */
weft__pool *weft__pool_open(const weft__device_options *options);
void weft__pool_close(weft__pool *pool);
int weft__pool_threads(const weft__pool *pool);

/* Runs fn over [0, n) in chunks of grain elements (the last may be shorter). Chunk borders depend on n and grain alone,
 * never on the number of threads, so a kernel whose result depends only on its chunks is repeatable. With one chunk, or
 * one thread, everything runs in the caller, chunk by chunk. Nested calls run in the caller. */
void weft__pool_for(weft__pool *pool, int64_t n, int64_t grain, weft__range_fn fn, void *arg);

#endif
