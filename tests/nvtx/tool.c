/* tool.c - what a profiler puts in NVTX_INJECTION64_PATH, as small as can be: it counts ranges and keeps the last
 * name. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef NVTX_HEADERS
#include <nvtx3/nvToolsExt.h>
#else
/* The part of nvtxTypes.h that is used here. */
#define NVTX_VERSION 3
enum { NVTX_ETID_CALLBACKS = 1, NVTX_ETID_VERSIONINFO = 3 };
enum { NVTX_CBID_CORE_RangePushA = 9, NVTX_CBID_CORE_RangePop = 11, NVTX_CBID_CORE_SIZE = 16 };
enum { NVTX_CBID_CORE2_SIZE = 16 };
typedef enum NvtxCallbackModule {
    NVTX_CB_MODULE_CORE = 1,
    NVTX_CB_MODULE_CUDA,
    NVTX_CB_MODULE_OPENCL,
    NVTX_CB_MODULE_CUDART,
    NVTX_CB_MODULE_CORE2,
    NVTX_CB_MODULE_SYNC,
    NVTX_CB_MODULE_SIZE
} NvtxCallbackModule;
typedef void (*NvtxFunctionPointer)(void);
typedef NvtxFunctionPointer **NvtxFunctionTable;
typedef struct NvtxExportTableCallbacks {
    size_t struct_size;
    int (*GetModuleFunctionTable)(NvtxCallbackModule module, NvtxFunctionTable *table, unsigned *size);
} NvtxExportTableCallbacks;
typedef struct NvtxExportTableVersionInfo {
    size_t struct_size;
    uint32_t version, reserved0;
    void (*SetInjectionNvtxVersion)(uint32_t version);
} NvtxExportTableVersionInfo;
typedef const void *(*NvtxGetExportTableFunc_t)(uint32_t id);
#endif

#define EXPORT __attribute__((visibility("default")))

EXPORT int tool_pushes, tool_pops, tool_problems;
EXPORT char tool_last_name[64];
EXPORT int InitializeInjectionNvtx2(NvtxGetExportTableFunc_t export_table);

static int push(const char *name)
{
    strncpy(tool_last_name, name, sizeof tool_last_name - 1);
    return tool_pushes++ - tool_pops;
}

static int pop(void)
{
    return tool_pushes - ++tool_pops;
}

/* Everything is asked for that a profiler may ask for. Afterwards tool_problems is what was not as NVIDIA's headers do
 * it. */
EXPORT int InitializeInjectionNvtx2(NvtxGetExportTableFunc_t export_table)
{
    const NvtxExportTableCallbacks *callbacks = export_table(NVTX_ETID_CALLBACKS);
    const NvtxExportTableVersionInfo *version = export_table(NVTX_ETID_VERSIONINFO);
    NvtxFunctionTable table = NULL;
    unsigned size = 0;
    if (!callbacks || callbacks->struct_size < sizeof *callbacks)
        return 0;
    tool_problems += export_table(2) != NULL;
    tool_problems += !version || version->struct_size != sizeof *version || version->version != NVTX_VERSION;
    version->SetInjectionNvtxVersion(NVTX_VERSION);
    for (int module = NVTX_CB_MODULE_CORE; module < NVTX_CB_MODULE_SIZE; module++) {
        tool_problems += !callbacks->GetModuleFunctionTable((NvtxCallbackModule)module, &table, &size) || table[0];
        for (unsigned k = 1; k < size; k++)
            tool_problems += !table[k] || *table[k];
        tool_problems += table[size] != NULL;
    }
    tool_problems += callbacks->GetModuleFunctionTable(NVTX_CB_MODULE_SIZE, &table, &size) != 0;
    if (!callbacks->GetModuleFunctionTable(NVTX_CB_MODULE_CORE, &table, &size) || size != NVTX_CBID_CORE_SIZE)
        return 0;
    *table[NVTX_CBID_CORE_RangePushA] = (NvtxFunctionPointer)push;
    *table[NVTX_CBID_CORE_RangePop] = (NvtxFunctionPointer)pop;
    return 1;
}
