/* test_pool.c - the thread pool: every element once whatever the sizes, nested calls, floating-point modes, eight pools
 * at a time, and a fork. Meant for TSan too. */
#include <fenv.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/host_memory.h"
#include "cpu/pool.h"
#include "harness/weft_test.h"

enum { MOST = 4096, POOLS = 8, JOBS = 300 };

typedef struct counts {
    weft__pool *pool;
    bool nested;
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
} span;

static void count_inner(void *arg, int64_t begin, int64_t end, int worker)
{
    const span *s = arg;
    (void)worker;
    for (int64_t i = begin; i < end; i++)
        s->c->hits[s->first + i]++;
}

static void count(void *arg, int64_t begin, int64_t end, int worker)
{
    counts *c = arg;
    if (worker < 0 || worker >= weft__pool_threads(c->pool))
        atomic_store(&c->bad_worker, 1);
    span s = {c, begin};
    if (c->nested)
        weft__pool_for(c->pool, end - begin, 3, count_inner, &s);
    else
        count_inner(&s, 0, end - begin, worker);
}

/* Jobs of changing sizes on one pool; returns the number of elements that were not visited exactly once. */
static int64_t count_jobs(int threads, unsigned seed)
{
    int64_t wrong = 0;
    counts *c = calloc(1, sizeof *c);
    if (!c)
        return -1;
    c->pool = open_pool(threads);
    for (int job = 0; job < JOBS; job++) {
        seed = seed * 1664525u + 1013904223u;
        int64_t n = seed >> 8 & (MOST - 1), grain = 1 + (seed >> 20) % 200;
        memset(c->hits, 0, sizeof c->hits);
        c->nested = job % 3 == 0;
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

WEFT_TEST(Pool, VisitsEveryElementOnce)
{
    for (int threads = 1; threads <= 5; threads++)
        WEFT_CHECK_EQ_INT(count_jobs(threads, (unsigned)threads), 0);
}

static void *count_in_thread(void *arg)
{
    int64_t *wrong = arg;
    *wrong = count_jobs(3, (unsigned)(uintptr_t)arg);
    return NULL;
}

WEFT_TEST(Pool, EightAtATime)
{
    pthread_t threads[POOLS];
    int64_t wrong[POOLS];
    for (int k = 0; k < POOLS; k++)
        WEFT_REQUIRE(pthread_create(&threads[k], NULL, count_in_thread, &wrong[k]) == 0);
    for (int k = 0; k < POOLS; k++) {
        pthread_join(threads[k], NULL);
        WEFT_CHECK_EQ_INT(wrong[k], 0);
    }
}

static void check_rounding(void *arg, int64_t begin, int64_t end, int worker)
{
    (void)begin, (void)end, (void)worker;
    volatile float one = 1, tiny = 1e-10f; /* so that the sum is made here and now */
    if (!(one + tiny > 1))
        atomic_fetch_add((atomic_int *)arg, 1);
    usleep(50); /* so that the others get a share */
}

WEFT_TEST(Pool, WorkersRoundAsTheCallerDoes)
{
#if defined(__x86_64__) || defined(__aarch64__)
    weft__pool *pool = open_pool(3);
    WEFT_REQUIRE(pool);
    atomic_int wrong = 0;
    weft__pool_for(pool, 2, 1, check_rounding, &(atomic_int){0}); /* starts the workers */
    int before = fegetround();
    fesetround(FE_UPWARD);
    weft__pool_for(pool, 50, 1, check_rounding, &wrong);
    fesetround(before);
    WEFT_CHECK_EQ_INT(atomic_load(&wrong), 0);
    weft__pool_close(pool);
#else
    WEFT_SKIP("the pool copies the floating-point mode on x86-64 and AArch64 only");
#endif
}

/* A child process has no workers; the pool still works there, and closes. */
WEFT_TEST(Pool, SurvivesFork)
{
    counts *c = calloc(1, sizeof *c);
    WEFT_REQUIRE(c);
    c->pool = open_pool(3);
    weft__pool_for(c->pool, MOST, 7, count, c);
    pid_t child = fork();
    if (child == 0) {
        weft__pool_for(c->pool, MOST, 7, count, c);
        weft__pool_close(c->pool);
        _exit(c->hits[0] == 2 && c->hits[MOST - 1] == 2 ? 0 : 1);
    }
    int status = -1;
    WEFT_CHECK(child > 0 && waitpid(child, &status, 0) == child);
    WEFT_CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    weft__pool_close(c->pool);
    free(c);
}
