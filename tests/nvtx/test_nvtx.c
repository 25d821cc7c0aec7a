/* test_nvtx.c - ranges reach a tool that is named in NVTX_INJECTION64_PATH. */
#include <dlfcn.h>
#include <stdlib.h>
#include "harness/weft_test.h"
#include "profile/profile.h"

WEFT_TEST(Nvtx, RangesReachTheToolInTheEnvironment)
{
    WEFT_REQUIRE(setenv("NVTX_INJECTION64_PATH", WEFT_NVTX_TOOL, 1) == 0);
    weft__nvtx_push("outer");
    weft__nvtx_push("matmul");
    weft__nvtx_pop();
    void *tool = dlopen(WEFT_NVTX_TOOL, RTLD_NOW | RTLD_NOLOAD);
    WEFT_REQUIRE(tool); /* the range has opened it */
    const int *pushes = dlsym(tool, "tool_pushes"), *pops = dlsym(tool, "tool_pops"),
              *problems = dlsym(tool, "tool_problems");
    const char *last_name = dlsym(tool, "tool_last_name");
    WEFT_REQUIRE(pushes && pops && problems && last_name);
    WEFT_CHECK_EQ_INT(*problems, 0);
    WEFT_CHECK_EQ_INT(*pushes, 2);
    WEFT_CHECK_EQ_INT(*pops, 1);
    WEFT_CHECK_STR_HAS(last_name, "matmul");
    weft__nvtx_pop();
    WEFT_CHECK_EQ_INT(*pops, 2);
    dlclose(tool);
}
