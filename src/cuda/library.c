/* library.c - see library.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* dladdr */
#endif
#include "library.h"
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "host.h"

#define TEXT2(x) #x
#define TEXT(x) TEXT2(x)

/* Of one toolkit, so that their major versions go with the CUDA version that the module was built with. */
enum { CUDA_MAJOR = CUDART_VERSION / 1000 };
#if CUDART_VERSION >= 14000
#error "which cuBLASLt, NVRTC, cuFFT and cuSOLVER belong to this toolkit?"
#elif CUDART_VERSION >= 13000
#define CUDA_SONAME "13"
#define MATHS_SONAME "12" /* cuFFT and cuSOLVER count one behind */
#else
#define CUDA_SONAME "12"
#define MATHS_SONAME "11"
#endif

typedef struct library {
    const char *name, *file, *variable;
    const char *version_function;
    int (*version)(void (*function)(void)); /* 10000 major + 100 minor + patch; 0: it would not tell */
    int oldest, newest;                     /* versions in [oldest, newest) will do */
    const char *loss;                       /* what doing without means */
} library;

/* size_t cublasLtGetVersion(void), size_t cudnnGetVersion(void): already in our form. */
static int plain_version(void (*function)(void))
{
    return (int)((size_t(*)(void))function)();
}

/* nvrtcResult nvrtcVersion(int *major, int *minor), 0 for success */
static int nvrtc_version(void (*function)(void))
{
    int major = 0, minor = 0;
    return ((int (*)(int *, int *))function)(&major, &minor) == 0 ? 10000 * major + 100 * minor : 0;
}

/* ncclResult_t ncclGetVersion(int *version), 0 for success: 1000 major + 100 minor + patch before 2.9, then in our
 * form. */
static int nccl_version(void (*function)(void))
{
    int version = 0;
    if (((int (*)(int *))function)(&version) != 0)
        return 0;
    return version < 10000 ? 10000 * (version / 1000) + version % 1000 : version;
}

/* cufftResult cufftGetVersion(int *version) and cusolverStatus_t cusolverGetVersion(int *version), 0 for success: 1000
 * major + 100 minor + patch. */
static int maths_version(void (*function)(void))
{
    int version = 0;
    if (((int (*)(int *))function)(&version) != 0)
        return 0;
    return 10000 * (version / 1000) + version % 1000;
}

static const library libraries[WEFT__CUDA_LIBRARIES] = {
    [WEFT__CUDA_CUBLASLT] = {"cuBLASLt", "libcublasLt.so." CUDA_SONAME, "WEFT_CUBLASLT", "cublasLtGetVersion",
                             plain_version, 10000 * CUDA_MAJOR, 10000 * (CUDA_MAJOR + 1), "matrix products are slower"},
    [WEFT__CUDA_CUDNN] = {"cuDNN", "libcudnn.so.9", "WEFT_CUDNN", "cudnnGetVersion", plain_version, 90000, 100000,
                          "convolution and attention are slower"},
    [WEFT__CUDA_NVRTC] = {"NVRTC", "libnvrtc.so." CUDA_SONAME, "WEFT_NVRTC", "nvrtcVersion", nvrtc_version,
                          10000 * CUDA_MAJOR, 10000 * (CUDA_MAJOR + 1),
                          "nothing is lost: no operation is compiled at run time"},
    [WEFT__CUDA_NCCL] = {"NCCL", "libnccl.so.2", "WEFT_NCCL", "ncclGetVersion", nccl_version, 20000, 30000,
                         "nothing is lost: gradients are not summed over several GPUs"},
    [WEFT__CUDA_CUFFT] = {"cuFFT", "libcufft.so." MATHS_SONAME, "WEFT_CUFFT", "cufftGetVersion", maths_version,
                          10000 * (CUDA_MAJOR - 1), 10000 * CUDA_MAJOR,
                          "Fourier transforms of long lines, and of lengths with large prime factors, are slower"},
    [WEFT__CUDA_CUSOLVER] = {"cuSOLVER", "libcusolver.so." MATHS_SONAME, "WEFT_CUSOLVER", "cusolverGetVersion",
                             maths_version, 10000 * (CUDA_MAJOR - 1), 10000 * CUDA_MAJOR,
                             "linear algebra of large matrices is slower"},
};

static bool is_file_missing(const char *error)
{
    return strstr(error, "No such file") != NULL;
}

/* dlopen, with the loader's words in reason if it fails. */
static void *try_open(const char *path, char *reason, size_t size)
{
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (handle)
        return handle;
    const char *error = dlerror();
    snprintf(reason, size, "%.200s", error ? error : "dlopen gives no reason");
    return NULL;
}

static void *find(const library *l, char *reason, size_t size)
{
    const char *wish = getenv(l->variable);
    if (wish && strcmp(wish, "none") == 0) {
        snprintf(reason, size, "switched off by %s=none", l->variable);
        return NULL;
    }
    if (wish && strcmp(wish, "self") == 0)
        return try_open(NULL, reason, size);
    if (wish && *wish)
        return try_open(wish, reason, size);
    void *handle = try_open(l->file, reason, size);
    if (handle || !is_file_missing(reason))
        return handle;
    char path[128];
    snprintf(path, sizeof path, "/usr/local/cuda/lib64/%s", l->file);
    handle = try_open(path, reason, size);
    if (!handle && is_file_missing(reason))
        snprintf(reason, size,
                 "%s is not installed where the loader looks; install it, or set %s to its path; until "
                 "then %s",
                 l->file, l->variable, l->loss);
    return handle;
}

static bool find_function(void *handle, const char *name, void (**function)(void))
{
    void *symbol = dlsym(handle, name);
    memcpy(function, &symbol, sizeof symbol); /* POSIX gives functions as object pointers */
    return symbol != NULL;
}

static void note_path(weft__cuda_opened *opened, void (*function)(void))
{
    Dl_info info;
    void *address;
    memcpy(&address, &function, sizeof address);
    if (dladdr(address, &info) && info.dli_fname)
        snprintf(opened->path, sizeof opened->path, "%s", info.dli_fname);
}

void weft__cuda_library_open(weft__cuda_library which, weft__cuda_opened *opened)
{
    const library *l = &libraries[which];
    void (*version)(void);
    memset(opened, 0, sizeof *opened);
    void *handle = find(l, opened->reason, sizeof opened->reason);
    if (!handle)
        return;
    opened->reason[0] = '\0';
    if (!find_function(handle, l->version_function, &version)) {
        snprintf(opened->reason, sizeof opened->reason, "what was opened has no %s and so is no %s",
                 l->version_function, l->name);
        return;
    }
    note_path(opened, version);
    opened->version = l->version(version);
    if (opened->version < l->oldest || opened->version >= l->newest) {
        snprintf(opened->reason, sizeof opened->reason,
                 "%.100s is version %d.%d, but %d.%d or later, before %d, is needed; until then %s", opened->path,
                 opened->version / 10000, opened->version / 100 % 100, l->oldest / 10000, l->oldest / 100 % 100,
                 l->newest / 10000, l->loss);
        return;
    }
    opened->handle = handle;
}

bool weft__cuda_library_functions(weft__cuda_opened *opened, int n, const char *const *names, void (**functions)(void))
{
    for (int k = 0; opened->handle && k < n; k++) {
        if (find_function(opened->handle, names[k], &functions[k]))
            continue;
        snprintf(opened->reason, sizeof opened->reason, "%.150s has no function %.60s", opened->path, names[k]);
        opened->handle = NULL;
    }
    return opened->handle != NULL;
}

int64_t weft__cuda_library_from(const char *variable)
{
    const char *text = getenv(variable);
    int64_t from = 0;
    for (; text && *text >= '0' && *text <= '9' && from < INT32_MAX; text++)
        from = 10 * from + (*text - '0');
    return from;
}

void weft__cuda_describe_libraries(weft_device_info *info)
{
    _Static_assert((int)WEFT__CUDA_LIBRARIES <= WEFT_DEVICE_LIBRARIES, "there is room for every library");
    for (int k = 0; k < WEFT__CUDA_LIBRARIES; k++) {
        weft_device_library *to = &info->libraries[k];
        weft__cuda_opened opened;
        weft__cuda_library_open((weft__cuda_library)k, &opened);
        snprintf(to->name, sizeof to->name, "%s", libraries[k].name);
        snprintf(to->path, sizeof to->path, "%s", opened.path);
        snprintf(to->reason, sizeof to->reason, "%s", opened.reason);
        if (opened.handle)
            snprintf(to->version, sizeof to->version, "%d.%d.%d", opened.version / 10000, opened.version / 100 % 100,
                     opened.version % 100);
    }
    info->n_libraries = WEFT__CUDA_LIBRARIES;
}
