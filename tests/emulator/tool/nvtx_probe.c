/* nvtx_probe.c - stands in for a profiler: NVTX loads it where NVTX_INJECTION64_PATH names it, and it writes each range to the
 * file WEFT_TEST_NVTX, a push as "+ name", a pop as "-". */
#include <nvtx3/nvToolsExt.h>
#include <stdio.h>
#include <stdlib.h>

static FILE *out;
static int depth;

static int NVTX_API push(const char *name)
{
    fprintf(out, "+ %s\n", name);
    fflush(out);
    return depth++;
}

static int NVTX_API pop(void)
{
    fprintf(out, "-\n");
    fflush(out);
    return --depth;
}

__attribute__((visibility("default"))) int InitializeInjectionNvtx2(NvtxGetExportTableFunc_t tables)
{
    const NvtxExportTableCallbacks *callbacks = tables(NVTX_ETID_CALLBACKS);
    const char *path = getenv("WEFT_TEST_NVTX");
    NvtxFunctionTable table;
    unsigned size;
    out = path ? fopen(path, "w") : NULL;
    if (!out || !callbacks || !callbacks->GetModuleFunctionTable(NVTX_CB_MODULE_CORE, &table, &size))
        return 0;
    *table[NVTX_CBID_CORE_RangePushA] = (NvtxFunctionPointer)push;
    *table[NVTX_CBID_CORE_RangePop] = (NvtxFunctionPointer)pop;
    return 1;
}
