/* test_pool.c - the thread pool: every element once whatever the sizes, nested calls, floating-point modes, eight pools
 * at a time, and a fork. Meant for TSan too. */
#include <fenv.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include "harness/weft_test.h"
#include "pool_jobs.h"

enum { POOLS = 8, JOBS = 300 };

WEFT_TEST(Pool, VisitsEveryElementOnce)
{
    for (int threads = 1; threads <= 5; threads++)
        WEFT_CHECK_EQ_INT(count_jobs(threads, (unsigned)threads, JOBS, MOST), 0);
}

static void *count_in_thread(void *arg)
{
    int64_t *wrong = arg;
    *wrong = count_jobs(3, (unsigned)(uintptr_t)arg, JOBS, MOST);
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

typedef struct meeting {
    atomic_int there;
    bool met;
} meeting;

/* Two chunks wait for each other, for 20 seconds at most. */
static void meet(void *arg, int64_t begin, int64_t end, int worker)
{
    meeting *m = arg;
    (void)end, (void)worker;
    atomic_fetch_add(&m->there, 1);
    for (int k = 0; k < 20000 && atomic_load(&m->there) < 2; k++)
        usleep(1000);
    if (begin == 0)
        m->met = atomic_load(&m->there) == 2;
}

/* Each job again: after one that the caller ran alone, after one that was spread, after the workers fell asleep. */
WEFT_TEST(Pool, SpreadsEachJob)
{
    weft__pool *pool = open_pool(2);
    WEFT_REQUIRE(pool);
    for (int k = 0; k < 4; k++) {
        meeting m = {.met = false};
        weft__pool_for(pool, 2, 1, meet, &m);
        if (!m.met)
            WEFT_FAIL("job %d ran on one thread", k);
        if (!m.met)
            break;
        usleep(k == 2 ? 1000 : 0);
    }
    weft__pool_close(pool);
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
