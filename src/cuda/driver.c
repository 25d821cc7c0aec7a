/* driver.c - what the launchers take beside what the row says (the contracts stand in kernels.h): every dtype as it
 * comes, but that integers add up, and are compared where they are scattered, in i64. */
#include "host.h"

static weft_status copy(const weft__exec *e)
{
    return weft__cuda_kernels.run[WEFT_OP_COPY](e);
}

static const weft__exception exceptions[WEFT_OP_COUNT] = {
    [WEFT_OP_SCATTER_ADD] = {.wide = true},  [WEFT_OP_SCATTER_MAX] = {.wide = true},
    [WEFT_OP_SCATTER_MIN] = {.wide = true},  [WEFT_OP_INDEX_ADD] = {.wide = true},
    [WEFT_OP_SCATTER_ADD_] = {.wide = true}, [WEFT_OP_INDEX_ADD_] = {.wide = true},
};

/* The same, but for launchers of rows that may be strided which take no strides. */
static const weft__exception dense[WEFT_OP_COUNT] = {
    [WEFT_OP_ATTENTION] = {.dense = UINT8_MAX},
    [WEFT_OP_ATTENTION_GRAD] = {.dense = UINT8_MAX},
};

static const weft__needs needs = {.copy = copy, .halves = true, .small_integers = true, .exceptions = exceptions},
                         dense_needs = {.copy = copy, .halves = true, .small_integers = true, .exceptions = dense};

weft_status weft__cuda_drive(const weft__exec *e)
{
    return e->host->drive(e, &needs, weft__cuda_kernels.run[e->op]);
}

weft_status weft__cuda_drive_dense(const weft__exec *e, weft__kernel launch)
{
    return e->host->drive(e, &dense_needs, launch);
}
