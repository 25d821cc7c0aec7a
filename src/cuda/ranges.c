/* ranges.c - named ranges on the host's timeline for NVIDIA's profilers (NVTX 3, which is headers alone: a profiler brings
 * the rest into the process that it watches, and without one a range costs a branch). */
#include "host.h"

#if __has_include(<nvtx3/nvToolsExt.h>)
#include <nvtx3/nvToolsExt.h>

void weft__cuda_range_push(const char *name)
{
    (void)nvtxRangePushA(name);
}

void weft__cuda_range_pop(void)
{
    (void)nvtxRangePop();
}
#else
/* Built with a toolkit that has no such headers. */
void weft__cuda_range_push(const char *name)
{
    (void)name;
}

void weft__cuda_range_pop(void)
{
}
#endif
