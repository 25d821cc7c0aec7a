/* pool_jobs.h - jobs of changing sizes on the thread pool, counted: included by tests of the pool as it is, and of
 * copies of it whose functions have other names. */
#ifndef WEFT_TESTS_POOL_JOBS_H
#define WEFT_TESTS_POOL_JOBS_H

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/host_memory.h"
#include "cpu/pool.h"

enum { MOST = 4096 };

typedef struct counts {
    weft__pool *pool;
    bool nested, spread;
    atomic_int bad_worker;
    int hits[MOST];
} counts;

static weft__pool *open_pool(int threads)
{
    weft__device_options o = {.threads = threads, .alloc = weft__default_alloc, .free = weft__default_free};
    return weft__pool_open(&o);
}

typedef struct span {
    counts *c;
    int64_t first;
    int worker;
} span;

static void count_inner(void *arg, int64_t begin, int64_t end, int worker)
{
    const span *s = arg;
    if (s->c->spread && worker != s->worker) /* within a chunk it is the same thread, and has the same buffers */
        atomic_store(&s->c->bad_worker, 1);
    for (int64_t i = begin; i < end; i++)
        s->c->hits[s->first + i]++;
}

static void count(void *arg, int64_t begin, int64_t end, int worker)
{
    counts *c = arg;
    if (worker < 0 || worker >= weft__pool_threads(c->pool))
        atomic_store(&c->bad_worker, 1);
    span s = {c, begin, worker};
    if (c->nested)
        weft__pool_for(c->pool, end - begin, 3, count_inner, &s);
    else
        count_inner(&s, 0, end - begin, worker);
}

/* Jobs of up to most elements on one pool; returns the number of elements that were not visited exactly once. */
static int64_t count_jobs(int threads, unsigned seed, int jobs, int64_t most)
{
    int64_t wrong = 0;
    counts *c = calloc(1, sizeof *c);
    if (!c)
        return -1;
    c->pool = open_pool(threads);
    for (int job = 0; job < jobs; job++) {
        seed = seed * 1664525u + 1013904223u;
        int64_t n = (int64_t)(seed >> 8) % most, grain = 1 + (seed >> 20) % 200;
        memset(c->hits, 0, sizeof c->hits);
        c->nested = job % 3 == 0;
        c->spread = n > grain; /* else the caller runs it alone, and what it calls may be spread */
        weft__pool_for(c->pool, n, grain, count, c);
        for (int64_t i = 0; i < MOST; i++)
            wrong += c->hits[i] != (i < n);
        if (job % 50 == 0)
            usleep(100); /* long enough for the workers to fall asleep */
    }
    wrong += atomic_load(&c->bad_worker);
    weft__pool_close(c->pool);
    free(c);
    return wrong;
}

#endif
