/* profile.h - what measuring, the device's timeline, the table and the trace share. */
#ifndef WEFT_PROFILE_PROFILE_H
#define WEFT_PROFILE_PROFILE_H

#include "engine/observe.h"
#include <weft/extend.h>
#include <weft/profile.h>

enum {
    WEFT__PHASES = 3,
    WEFT__MOST_EVENTS = 1 << 20,
    WEFT__EVENT_DIMS = 4,
    WEFT__MOST_CUSTOM = 32, /* user's operations with rows of their own; the rest share the last one */
    WEFT__MOST_NESTED = 8,  /* launches within a callback of the user's within another ... */
    WEFT__HALF = 256        /* launches that the host may be ahead of what has been read of the device's clock, twice */
};

/* One launch in the trace. Times since the profile began. */
typedef struct weft__event {
    double issued, issuing; /* the host's call, and how long it took */
    double start,
        seconds;  /* of the work: the same on the CPU, by the device's clock elsewhere; seconds < 0: none there */
    double inner; /* of seconds, what launches within it took */
    double bytes, flops;
    size_t live; /* bytes of tensor data */
    const char *name, *kernel, *file;
    int32_t line;
    uint8_t grad, phase;
    int8_t dtype, ndim; /* of the first result; ndim < 0: there is none */
    int64_t shape[WEFT__EVENT_DIMS];
} weft__event;

/* A launch in progress. */
typedef struct weft__open_launch {
    double issued, inner;
    bool queued; /* the device's clock has a mark at its start */
} weft__open_launch;

/* When the device did what the host queued (timeline.c). Launch k has the marks 2 i and 2 i + 1, i = k modulo 2
 * WEFT__HALF. */
typedef struct weft__timeline {
    void *clock;             /* NULL: the work is done when its launch returns */
    double base;             /* when the mark of base_mark was reached, since the profile began */
    int base_mark;           /* what the next times are counted from */
    int64_t marked, settled; /* launches so far: queued with their marks, and read */
    struct {
        weft_profile_op *row;
        int64_t event; /* its place in the trace; -1: none */
    } waiting[2 * WEFT__HALF];
} weft__timeline;

/* What a weft_profile * is the handle of. */
typedef struct weft__profile {
    weft__observer observer; /* first: the callbacks get its address */
    weft_ctx *ctx;
    bool running;
    double begun, wall; /* seconds */
    int depth;
    weft__open_launch open[WEFT__MOST_NESTED];
    weft_profile_total total;
    weft_profile_op ops[WEFT__PHASES][2][WEFT_OP_COUNT];
    weft_profile_op custom[WEFT__PHASES][2][WEFT__MOST_CUSTOM];
    char custom_names[WEFT__MOST_CUSTOM][48];
    int n_custom;
    weft__event *events;
    int64_t room;
    weft__timeline timeline;
} weft__profile;

extern const weft_object_kind weft__profile_kind;

/* Begins the profile that the environment variable WEFT_PROFILE asks for, when a context has been opened. */
void weft__profile_opened(weft_ctx *ctx);

/* As the public ones. */
weft_profile_total weft__profile_totals(weft__profile *p);
int weft__profile_ops(weft__profile *p, weft_profile_op *rows, int room, size_t size);

double weft__profile_now(void); /* seconds of a steady clock */
double weft__launch_bytes(const weft__launch *launch);
double weft__launch_flops(const weft__launch *launch);

/* Adds measured time to a row and to the launch's event. */
void weft__profile_measured(weft__profile *p, weft_profile_op *row, double seconds);

/* False: the device has a clock that cannot be had; the error is recorded in the context. */
bool weft__timeline_open(weft__profile *p);
void weft__timeline_make_room(weft__profile *p); /* may wait for work of long ago */
bool weft__timeline_start(weft__profile *p);     /* a launch begins; false: it cannot be timed */
void weft__timeline_end(weft__profile *p, weft_profile_op *row, int64_t event);
void weft__timeline_settle(weft__profile *p); /* waits for the device, and reads what is left */
void weft__timeline_close(weft__profile *p);

/* The trace of the environment variable WEFT_PROFILE, which nobody's status tells of: what goes wrong is told to the
 * log callback, or to standard error where there is none. Errors that stick in the context do not matter. */
void weft__profile_write(weft__profile *p, const char *path);
void weft__profile_complain(weft_ctx *ctx, const char *path, const char *why);

/* NVTX ranges; push and pop do nothing unless a tool is there to see them. */
void weft__nvtx_push(const char *name);
void weft__nvtx_pop(void);

#endif
