/* pool.c - the thread pool. What it promises, and why:
 *
 * - The caller works too and never waits for a worker that has not started on the job: beside a busy process a pool
 * that
 *   waits for everybody is slower than one thread. A job is a gate that workers pass while it is open; the first one to
 *   find no chunk left shuts it, and the caller waits only for those inside.
 * - An idle worker spins for about 10 us, so that a run of small jobs costs no system calls, then sleeps.
 * - Chunks are handed out by one atomic counter; their borders do not depend on who takes them.
 * - Workers round and flush denormals as the caller does, whatever it has set since they were started. */
#if defined(__linux__) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE /* syscall */
#endif
#include "pool.h"
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "park.h"

#define GATE_OPEN 0x80000000u /* the other bits of the gate count the workers inside */

enum { SPIN_NS = 10000, SPINS_PER_LOOK = 16, MAX_THREADS = 1024, LINE = 64 };

typedef struct job {
    weft__range_fn fn;
    void *arg;
    int64_t n, grain, chunks;
    uint64_t fp_mode; /* of the caller */
} job;

typedef struct worker {
    pthread_t thread;
    weft__pool *pool;
    int index;
} worker;

struct weft__pool {
    weft__device_options options;
    size_t bytes; /* of this block */
    int threads;  /* limit, the caller included */
    int started;  /* workers running */
    bool tried;   /* workers have been started, as far as the system let us */
    pid_t owner;  /* process that started them: after a fork there is nothing to join or to wake */
    weft__parking parking;
    job job; /* written while the gate is shut and empty, read by those inside */

    _Alignas(LINE) atomic_uint gate; /* see above; the caller sleeps on it */
    atomic_bool caller_sleeps;
    _Alignas(LINE) atomic_uint posted; /* changes with every job; workers sleep on it */
    atomic_int sleepers;
    atomic_bool quit;
    _Alignas(LINE) atomic_int_fast64_t next; /* chunk to hand out */

    worker workers[]; /* [threads - 1] */
};

/* The job whose chunk this thread is running, for nested calls. One that the caller runs alone does not count: what it
 * calls may still be spread. */
static _Thread_local struct {
    const weft__pool *pool;
    int worker;
} inside;

static inline void cpu_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__) || defined(__arm__)
    __asm__ volatile("yield");
#endif
}

/* The modes of the floating-point unit: rounding, denormals. */
static uint64_t fp_mode(void)
{
#if defined(__x86_64__)
    return __builtin_ia32_stmxcsr() & ~0x3fu; /* without the exception flags */
#elif defined(__aarch64__)
    uint64_t fpcr;
    __asm__ volatile("mrs %0, fpcr" : "=r"(fpcr));
    return fpcr;
#else
    return 0;
#endif
}

static void set_fp_mode(uint64_t mode)
{
    if (mode == fp_mode())
        return;
#if defined(__x86_64__)
    __builtin_ia32_ldmxcsr((unsigned)mode);
#elif defined(__aarch64__)
    __asm__ volatile("msr fpcr, %0" : : "r"(mode));
#endif
}

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Spins while *word & mask is `value`; false when the time is up. The clock is read only every few pauses. */
static bool spin_while(atomic_uint *word, unsigned mask, unsigned value)
{
    int64_t end = 0;
    for (;;) {
        for (int k = 0; k < SPINS_PER_LOOK; k++) {
            if ((atomic_load_explicit(word, memory_order_acquire) & mask) != value)
                return true;
            cpu_relax();
        }
        int64_t now = now_ns();
        if (end == 0)
            end = now + SPIN_NS;
        else if (now >= end)
            return false;
    }
}

/* ---- Taking part in a job ---- */

static void run_chunk(const job *j, int64_t chunk, int index)
{
    int64_t begin = chunk * j->grain;
    int64_t end = j->n - begin > j->grain ? begin + j->grain : j->n;
    j->fn(j->arg, begin, end, index);
}

/* Works until no chunk is left, then shuts the gate behind everybody. */
static void take_chunks(weft__pool *pool, int index)
{
    const weft__pool *outer_pool = inside.pool;
    int outer_worker = inside.worker;
    inside.pool = pool;
    inside.worker = index;
    for (;;) {
        int64_t chunk = atomic_fetch_add_explicit(&pool->next, 1, memory_order_relaxed);
        if (chunk >= pool->job.chunks)
            break;
        run_chunk(&pool->job, chunk, index);
    }
    inside.pool = outer_pool;
    inside.worker = outer_worker;
    atomic_fetch_and(&pool->gate, ~GATE_OPEN);
}

/* ---- Workers ---- */

static bool pass_gate(weft__pool *pool)
{
    unsigned gate = atomic_load_explicit(&pool->gate, memory_order_relaxed);
    while (gate & GATE_OPEN)
        if (atomic_compare_exchange_weak_explicit(&pool->gate, &gate, gate + 1, memory_order_acq_rel,
                                                  memory_order_relaxed))
            return true;
    return false;
}

static void leave_gate(weft__pool *pool)
{
    if (atomic_fetch_sub(&pool->gate, 1) == 1 && atomic_load(&pool->caller_sleeps))
        weft__unpark(&pool->parking, &pool->gate, 1);
}

/* Returns when posted is no longer `seen`. The order (count as a sleeper, then let the system compare the word) pairs
 * with post (change the word, then look for sleepers): one of the two always sees the other. */
static void wait_for_job(weft__pool *pool, unsigned seen)
{
    if (spin_while(&pool->posted, ~0u, seen))
        return;
    atomic_fetch_add(&pool->sleepers, 1);
    while (atomic_load(&pool->posted) == seen)
        weft__park(&pool->parking, &pool->posted, seen);
    atomic_fetch_sub(&pool->sleepers, 1);
}

static void *worker_main(void *arg)
{
    worker *w = arg;
    weft__pool *pool = w->pool;
    for (;;) {
        unsigned seen = atomic_load(&pool->posted); /* before the gate, so that no job is slept through */
        if (atomic_load(&pool->quit))
            return NULL;
        if (pass_gate(pool)) {
            set_fp_mode(pool->job.fp_mode);
            take_chunks(pool, w->index);
            leave_gate(pool);
        }
        wait_for_job(pool, seen);
    }
}

/* Signals of the host program are for its own threads; faults stay with the thread that made them. */
static void block_signals(sigset_t *before)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS};
    sigset_t all;
    sigfillset(&all);
    for (size_t k = 0; k < sizeof faults / sizeof *faults; k++)
        sigdelset(&all, faults[k]);
    pthread_sigmask(SIG_BLOCK, &all, before);
}

/* As many as the system allows: fewer workers, or none, change nothing but the time. */
static void start_workers(weft__pool *pool)
{
    sigset_t before;
    block_signals(&before);
    pool->tried = true;
    pool->owner = getpid();
    for (; pool->started < pool->threads - 1; pool->started++) {
        worker *w = &pool->workers[pool->started];
        w->pool = pool;
        w->index = pool->started + 1;
        if (pthread_create(&w->thread, NULL, worker_main, w) != 0)
            break;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void stop_workers(weft__pool *pool)
{
    atomic_store(&pool->quit, true);
    atomic_fetch_add(&pool->posted, 1);
    weft__unpark(&pool->parking, &pool->posted, pool->started);
    for (int k = 0; k < pool->started; k++)
        pthread_join(pool->workers[k].thread, NULL);
}

static void post(weft__pool *pool, int64_t chunks)
{
    atomic_store_explicit(&pool->next, 0, memory_order_relaxed);
    atomic_fetch_or(&pool->gate, GATE_OPEN);
    atomic_fetch_add(&pool->posted, 1);
    int sleepers = atomic_load(&pool->sleepers);
    if (sleepers > 0)
        weft__unpark(&pool->parking, &pool->posted, sleepers < chunks - 1 ? sleepers : (int)(chunks - 1));
}

/* Until nobody is inside. The gate is shut, so its count only falls. */
static void wait_for_workers(weft__pool *pool)
{
    unsigned gate;
    while ((gate = atomic_load_explicit(&pool->gate, memory_order_acquire)) != 0) {
        if (spin_while(&pool->gate, ~0u, gate))
            continue;
        atomic_store(&pool->caller_sleeps, true);
        while ((gate = atomic_load(&pool->gate)) != 0)
            weft__park(&pool->parking, &pool->gate, gate);
        atomic_store(&pool->caller_sleeps, false);
    }
}

/* ---- Interface ---- */

weft__pool *weft__pool_open(const weft__device_options *options)
{
    int threads = options->threads < 1 ? 1 : options->threads > MAX_THREADS ? MAX_THREADS : options->threads;
    size_t bytes = sizeof(weft__pool) + (size_t)(threads - 1) * sizeof(worker);
    weft__pool *pool = options->alloc(options->user, bytes, LINE);
    if (!pool)
        return NULL;
    memset(pool, 0, bytes);
    pool->options = *options;
    pool->bytes = bytes;
    pool->threads = threads;
    atomic_init(&pool->gate, 0);
    atomic_init(&pool->caller_sleeps, false);
    atomic_init(&pool->posted, 0);
    atomic_init(&pool->sleepers, 0);
    atomic_init(&pool->quit, false);
    atomic_init(&pool->next, 0);
    if (weft__parking_open(&pool->parking))
        return pool;
    options->free(options->user, pool, bytes);
    return NULL;
}

void weft__pool_close(weft__pool *pool)
{
    if (!pool)
        return;
    bool forked = pool->started > 0 && pool->owner != getpid();
    if (!forked) {
        stop_workers(pool);
        weft__parking_close(&pool->parking);
    }
    weft__device_options options = pool->options;
    options.free(options.user, pool, pool->bytes);
}

int weft__pool_threads(const weft__pool *pool)
{
    return pool->threads;
}

static void run_alone(const job *j, int index)
{
    for (int64_t chunk = 0; chunk < j->chunks; chunk++)
        run_chunk(j, chunk, index);
}

void weft__pool_for(weft__pool *pool, int64_t n, int64_t grain, weft__range_fn fn, void *arg)
{
    if (n <= 0)
        return;
    if (grain < 1)
        grain = 1;
    job j = {.fn = fn, .arg = arg, .n = n, .grain = grain, .chunks = (n - 1) / grain + 1};
    if (inside.pool == pool) {
        run_alone(&j, inside.worker);
        return;
    }
    if (j.chunks == 1 || pool->threads == 1) {
        run_alone(&j, 0);
        return;
    }
    if (!pool->tried)
        start_workers(pool);
    if (pool->started == 0) {
        run_alone(&j, 0);
        return;
    }
    j.fp_mode = fp_mode();
    pool->job = j;
    post(pool, j.chunks);
    take_chunks(pool, 0);
    wait_for_workers(pool);
}
