/* park.h - putting a thread to sleep until a 32-bit word changes: a futex on Linux, a condition variable elsewhere.
 *
 * The word is the truth, the sleeper only a way to wait for it: weft__park may return for no reason, so callers loop. A
 * waker changes the word first and then calls weft__unpark; a sleeper whose word has changed already does not sleep. */
#ifndef WEFT_CPU_PARK_H
#define WEFT_CPU_PARK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#if defined(__linux__) && !defined(WEFT__PARK_PORTABLE)

#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

typedef struct weft__parking {
    char nothing;
} weft__parking;

static inline bool weft__parking_open(weft__parking *p)
{
    (void)p;
    return true;
}

static inline void weft__parking_close(weft__parking *p)
{
    (void)p;
}

static inline void weft__park(weft__parking *p, atomic_uint *word, unsigned expected)
{
    (void)p;
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, NULL, NULL, 0);
}

static inline void weft__unpark(weft__parking *p, atomic_uint *word, int sleepers)
{
    (void)p;
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, sleepers, NULL, NULL, 0);
}

#else

#include <pthread.h>

typedef struct weft__parking {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
} weft__parking;

static inline bool weft__parking_open(weft__parking *p)
{
    if (pthread_mutex_init(&p->mutex, NULL) != 0)
        return false;
    if (pthread_cond_init(&p->changed, NULL) == 0)
        return true;
    pthread_mutex_destroy(&p->mutex);
    return false;
}

static inline void weft__parking_close(weft__parking *p)
{
    pthread_cond_destroy(&p->changed);
    pthread_mutex_destroy(&p->mutex);
}

static inline void weft__park(weft__parking *p, atomic_uint *word, unsigned expected)
{
    pthread_mutex_lock(&p->mutex);
    if (atomic_load(word) == expected)
        pthread_cond_wait(&p->changed, &p->mutex);
    pthread_mutex_unlock(&p->mutex);
}

/* One parking serves several words, so everybody is woken and looks for itself. */
static inline void weft__unpark(weft__parking *p, atomic_uint *word, int sleepers)
{
    (void)word, (void)sleepers;
    pthread_mutex_lock(&p->mutex);
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->mutex);
}

#endif
#endif
