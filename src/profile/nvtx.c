/* nvtx.c - NVTX ranges, through the library if it is on this machine. */
#include <dlfcn.h>
#include <pthread.h>
#include <string.h>
#include "profile.h"

static struct {
    int (*push)(const char *name);
    int (*pop)(void);
} nvtx;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void find(void *library, const char *name, void *function)
{
    void *symbol = dlsym(library, name);
    memcpy(function, &symbol, sizeof symbol); /* POSIX gives functions as object pointers */
}

static void open_nvtx(void)
{
    void *library = dlopen("libnvToolsExt.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return;
    find(library, "nvtxRangePushA", &nvtx.push);
    find(library, "nvtxRangePop", &nvtx.pop);
}

void weft__nvtx_push(const char *name)
{
    pthread_once(&once, open_nvtx);
    if (nvtx.push && nvtx.pop)
        nvtx.push(name);
}

void weft__nvtx_pop(void)
{
    if (nvtx.push && nvtx.pop)
        nvtx.pop();
}
