/* profile.h - what measuring, the table and the trace share. */
#ifndef WEFT_PROFILE_PROFILE_H
#define WEFT_PROFILE_PROFILE_H

#include "core/observe.h"
#include <weft/profile.h>

enum { WEFT__PHASES = 3, WEFT__MOST_EVENTS = 1 << 20, WEFT__EVENT_DIMS = 4 };

/* One launch in the trace. */
typedef struct weft__event {
    double start, seconds; /* start: since the profile began */
    double bytes, flops;
    size_t live; /* bytes of tensor data */
    const char *name, *file;
    int32_t line;
    uint16_t op;
    uint8_t grad, phase;
    int8_t dtype, ndim; /* of the first result */
    int64_t shape[WEFT__EVENT_DIMS];
} weft__event;

struct weft_profile {
    weft__observer observer; /* first: the callbacks get its address */
    weft_ctx *ctx;
    bool running;
    double begun, wall; /* seconds */
    double launched;    /* when the kernel in progress began */
    weft_profile_total total;
    weft_profile_op ops[WEFT__PHASES][2][WEFT_OP_COUNT];
    weft__event *events;
    int64_t room;
};

double weft__launch_bytes(const weft__launch *launch);
double weft__launch_flops(const weft__launch *launch);

/* NVTX ranges; push and pop do nothing unless a tool is there to see them. */
void weft__nvtx_push(const char *name);
void weft__nvtx_pop(void);

#endif
