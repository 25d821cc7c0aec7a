/* entry.c - the one symbol that the module exports. */
#include <stdio.h>
#include "engine/module.h"
#include "host.h"

WEFT_API const weft__backend *weft_cuda_module(const weft__module_host *host, char *message, size_t size);

const weft__backend *weft_cuda_module(const weft__module_host *host, char *message, size_t size)
{
    if (host->struct_size == sizeof *host && host->interface == weft__interface_hash())
        return &weft__cuda_backend;
    bool known = host->struct_size >= sizeof *host;
    snprintf(message, size, "the module is of another build than the library%s%.32s; install both from one build",
             known ? ", which is Weft " : "", known ? host->version : "");
    return NULL;
}
