/* driver.c - what the CPU's kernels take: f32, f64 and i64, mostly contiguous (the contracts stand in ops/ops.def). */
#include "driver.h"

static weft_status run(const weft__exec *e)
{
    return ((const weft__cpu_device *)e->device)->table->run[e->op](e);
}

static const weft__exception exceptions[WEFT_OP_COUNT] = {
#define WEFT_REDUCE(ID, ...) [WEFT_OP_##ID] = {.any_dtype = 1},
#include "ops/ops.def"
    [WEFT_OP_MAX_WITH_INDEX] = {.any_dtype = 1}, [WEFT_OP_MIN_WITH_INDEX] = {.any_dtype = 1},
    [WEFT_OP_VAR_MEAN] = {.any_dtype = 1},       [WEFT_OP_ATTENTION] = {.dense = 7},
    [WEFT_OP_ATTENTION_GRAD] = {.dense = 39},
};

const weft__needs weft__cpu_needs = {.copy = run, .step = weft__cpu_step, .exceptions = exceptions};

weft_status weft__cpu_drive(const weft__exec *e)
{
    return e->host->drive(e, &weft__cpu_needs, run);
}
