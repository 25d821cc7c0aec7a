/* module.h - what libweft and a backend module tell each other when the module is opened. */
#ifndef WEFT_ENGINE_MODULE_H
#define WEFT_ENGINE_MODULE_H

#include "engine/backend.h"

/* A module must come from the same build: it shares structs and the op table with the library. */
typedef struct weft__module_host {
    size_t struct_size;
    uint64_t interface; /* weft__interface_hash of the library */
    const char *version;
} weft__module_host;

/* The one symbol that a module exports (weft_cuda_module). NULL with a message (at most size bytes) if it does not fit
 * the library. The table lives as long as the process. */
typedef const weft__backend *weft__module_entry(const weft__module_host *host, char *message, size_t size);

/* FNV-1a (64 bits) over the text of every row of the op table and the sizes of the structs that cross the border. */
static inline uint64_t weft__interface_hash(void)
{
    static const char *const rows[] = {
#define WEFT_UNARY(...) "unary " #__VA_ARGS__,
#define WEFT_UNARY_P(...) "unary_p " #__VA_ARGS__,
#define WEFT_PREDICATE(...) "predicate " #__VA_ARGS__,
#define WEFT_BINARY(...) "binary " #__VA_ARGS__,
#define WEFT_COMPARE(...) "compare " #__VA_ARGS__,
#define WEFT_INTEGER(...) "integer " #__VA_ARGS__,
#define WEFT_TERNARY(...) "ternary " #__VA_ARGS__,
#define WEFT_REDUCE(...) "reduce " #__VA_ARGS__,
#define WEFT_VIEW(...) "view " #__VA_ARGS__,
#define WEFT_COMPOSITE(...) "composite " #__VA_ARGS__,
#define WEFT_CUSTOM(...) "custom " #__VA_ARGS__,
#define WEFT_STEP(...) "step " #__VA_ARGS__,
#define WEFT_KERNEL(...) "kernel " #__VA_ARGS__,
#define WEFT_ATTRS(...) "attrs " #__VA_ARGS__,
#include "ops/ops.def"
    };
    static const size_t sizes[] = {
        sizeof(weft__array),          sizeof(weft__attrs),   sizeof(weft__exec),       sizeof(weft__host),
        sizeof(weft__device_options), sizeof(weft__backend), sizeof(weft_device_info), sizeof(weft__needs),
        sizeof(weft__exception),      WEFT_DTYPE_COUNT,
    };
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++)
        for (const char *c = rows[k]; *c; c++)
            hash = (hash ^ (unsigned char)*c) * 0x100000001b3u;
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++)
        hash = (hash ^ sizes[k]) * 0x100000001b3u;
    return hash;
}

/* A module that libweft can open, and where it is looked for. */
typedef struct weft__module {
    const char *title;    /* "CUDA", for messages */
    const char *file;     /* "libweft_cuda.so" */
    const char *symbol;   /* a weft__module_entry */
    const char *variable; /* of the environment: the path of the file, if set */
} weft__module;

/* The backend in a module, which stays open for the life of the process. NULL: why tells the reason (at most size
 * bytes). */
const weft__backend *weft__module_open(const weft__module *m, char *why, size_t size);

#endif
