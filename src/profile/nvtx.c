/* nvtx.c - NVTX ranges, by the protocol of NVTX 3: a tool such as Nsight Systems names a library of its own in
 * NVTX_INJECTION64_PATH; the program opens it and shows it where its function pointers are, and the tool fills in those
 * that it wants to be called by. There is no library of NVTX between them. NVIDIA's side of it is in headers,
 * nvtxTypes.h and nvtxInit.h in nvtx3/nvtxDetail, whose layout this follows; libweft is built without CUDA. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "profile.h"

typedef void (*any_function)(void);

/* NvtxCallbackModule, and of NvtxCallbackIdCore what is called here. */
enum { MODULE_CORE = 1, MODULES = 7, RANGE_PUSH_A = 9, RANGE_POP = 11, MOST_FUNCTIONS = 16 };

/* Functions of each module, the unused number 0 included: CORE, CUDA, OPENCL, CUDART, CORE2, SYNC. */
static const unsigned module_sizes[MODULES] = {0, 16, 9, 15, 7, 16, 7};

static any_function functions[MODULES][MOST_FUNCTIONS];      /* NULL: no tool asks for it */
static any_function *addresses[MODULES][MOST_FUNCTIONS + 1]; /* what the tool gets: [0] and the last are NULL */
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* 1: done, 0: no such module. Either of the pointers may be NULL. */
static int module_table(uint32_t module, any_function ***table, unsigned *size)
{
    if (module >= MODULES || module_sizes[module] == 0)
        return 0;
    if (table)
        *table = addresses[module];
    if (size)
        *size = module_sizes[module];
    return 1;
}

static void note_tool_version(uint32_t version)
{
    (void)version;
}

/* NvtxExportTableCallbacks */
static const struct {
    size_t struct_size;
    int (*module_table)(uint32_t module, any_function ***table, unsigned *size);
} callbacks = {sizeof callbacks, module_table};

/* NvtxExportTableVersionInfo */
static const struct {
    size_t struct_size;
    uint32_t version, reserved;
    void (*note_tool_version)(uint32_t version);
} version_info = {sizeof version_info, 3, 0, note_tool_version};

/* NvtxExportTableID: 1 and 3 */
static const void *export_table(uint32_t id)
{
    return id == 1 ? (const void *)&callbacks : id == 3 ? (const void *)&version_info : NULL;
}

/* Calls the tool's entry point. False: it is none, or does not want to. */
static bool attach(void *library)
{
    int (*initialize)(const void *(*)(uint32_t));
    void *symbol = dlsym(library, "InitializeInjectionNvtx2");
    if (!symbol)
        return false;
    memcpy(&initialize, &symbol, sizeof symbol); /* POSIX gives functions as object pointers */
    return initialize(export_table) != 0;
}

static void open_tool(void)
{
    const char *path = getenv(sizeof(void *) == 4 ? "NVTX_INJECTION32_PATH" : "NVTX_INJECTION64_PATH");
    void *library = path ? dlopen(path, RTLD_LAZY) : NULL;
    if (!library)
        return;
    for (int module = 0; module < MODULES; module++)
        for (unsigned k = 1; k < module_sizes[module]; k++)
            addresses[module][k] = &functions[module][k];
    if (attach(library))
        return;
    memset(functions, 0, sizeof functions);
    dlclose(library);
}

void weft__nvtx_push(const char *name)
{
    pthread_once(&once, open_tool);
    if (functions[MODULE_CORE][RANGE_PUSH_A])
        ((int (*)(const char *))functions[MODULE_CORE][RANGE_PUSH_A])(name);
}

void weft__nvtx_pop(void)
{
    pthread_once(&once, open_tool);
    if (functions[MODULE_CORE][RANGE_POP])
        ((int (*)(void))functions[MODULE_CORE][RANGE_POP])();
}
