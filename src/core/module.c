/* module.c - finds the backend of a device: the CPU's is part of the library, others are modules that are opened on
 * first use and stay for the life of the process. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* dladdr */
#endif
#include "module.h"
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "core.h"

#define CUDA_MODULE "libweft_cuda.so"

enum { PATH_SIZE = 4096, WHY_SIZE = 512 };

static struct {
    pthread_mutex_t lock;
    const weft__backend *cuda;
    bool tried; /* the module has been looked for */
    char why[WHY_SIZE];
} registry = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- Looking for the module ---- */

/* The folder of path with its slash, or "". */
static void keep_folder(char *path)
{
    char *slash = strrchr(path, '/');
    path[slash ? slash + 1 - path : 0] = '\0';
}

/* The folder of the file that this code is in: the shared library, or a program that links the static one. */
static void own_folder(char *folder, size_t size)
{
    Dl_info info;
    folder[0] = '\0';
    if (dladdr((const void *)&registry, &info) && info.dli_fname && strchr(info.dli_fname, '/'))
        snprintf(folder, size, "%s", info.dli_fname);
    keep_folder(folder);
}

static void program_folder(char *folder, size_t size)
{
    ssize_t n = readlink("/proc/self/exe", folder, size - 1);
    folder[n > 0 ? n : 0] = '\0';
    keep_folder(folder);
}

/* The backend in an opened module. */
static const weft__backend *ask(void *module, const char *path, char *why, size_t size)
{
    char message[WHY_SIZE] = "";
    weft__module_host host = {
        .struct_size = sizeof host, .interface = weft__interface_hash(), .version = weft__version_text};
    void *symbol = dlsym(module, "weft_cuda_module");
    if (!symbol) {
        snprintf(why, size, "%.200s is not a CUDA module of Weft: it has no symbol weft_cuda_module", path);
        return NULL;
    }
    weft__module_entry *entry;
    memcpy(&entry, &symbol, sizeof entry); /* POSIX gives functions as object pointers */
    const weft__backend *backend = entry(&host, message, sizeof message);
    if (!backend)
        snprintf(why, size, "%.200s does not fit this library: %.250s", path, message);
    return backend;
}

static const weft__backend *open_at(const char *path, char *why, size_t size)
{
    void *module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (module)
        return ask(module, path, why, size);
    const char *error = dlerror();
    snprintf(why, size, "%.200s could not be opened: %.250s", path, error ? error : "no reason given");
    return NULL;
}

/* At the path in the environment; else beside the library or the program; else where the loader looks. A file that is
 * there but does not load ends the search, so that its error is not hidden by a later one. */
static const weft__backend *look(char *why, size_t size)
{
    const char *given = getenv("WEFT_CUDA_MODULE");
    if (given && *given)
        return open_at(given, why, size);
    void (*const folders[])(char *folder, size_t size) = {own_folder, program_folder};
    for (size_t k = 0; k < sizeof folders / sizeof *folders; k++) {
        char path[PATH_SIZE + sizeof CUDA_MODULE];
        folders[k](path, PATH_SIZE);
        if (!path[0])
            continue;
        strcat(path, CUDA_MODULE);
        if (access(path, F_OK) == 0)
            return open_at(path, why, size);
    }
    const weft__backend *backend = open_at(CUDA_MODULE, why, size);
    if (backend || !strstr(why, "No such file"))
        return backend;
    snprintf(why, size,
             "there is no CUDA module: " CUDA_MODULE
             " is neither beside the library nor where the dynamic loader looks; "
             "install it there, or set WEFT_CUDA_MODULE to its path");
    return NULL;
}

/* ---- The registry ---- */

static const weft__backend *find_cuda(char *why, size_t size)
{
    pthread_mutex_lock(&registry.lock);
    if (!registry.tried) {
        registry.tried = true;
        registry.cuda = look(registry.why, sizeof registry.why);
    }
    const weft__backend *backend = registry.cuda;
    snprintf(why, size, "%s", backend ? "" : registry.why);
    pthread_mutex_unlock(&registry.lock);
    return backend;
}

const weft__backend *weft__backend_find(const char *kind, char *why, size_t size)
{
    if (strcmp(kind, "cpu") == 0)
        return weft__parts_of_library.cpu();
    if (strcmp(kind, "cuda") == 0)
        return find_cuda(why, size);
    snprintf(why, size, "\"%.32s\" is no kind of device; \"cpu\" and \"cuda\" are", kind);
    return NULL;
}

const weft__backend *weft__backend_for(const char *kind, int index, char *why, size_t size)
{
    const weft__backend *backend = weft__backend_find(kind, why, size);
    int n = backend ? backend->count(why, size) : 0;
    if (n > 0 && (index < 0 || index >= n))
        snprintf(why, size, "there is no device \"%s:%d\"; %d of that kind can be used, counted from 0", kind, index,
                 n);
    return index >= 0 && index < n ? backend : NULL;
}

void weft__backend_register(const weft__backend *backend)
{
    pthread_mutex_lock(&registry.lock);
    registry.tried = true;
    registry.cuda = backend;
    pthread_mutex_unlock(&registry.lock);
}

bool weft__device_parse(const char *text, char *kind, size_t size, int *index)
{
    size_t length = strcspn(text, ":");
    *index = 0;
    if (length == 0 || length >= size)
        return false;
    memcpy(kind, text, length);
    kind[length] = '\0';
    if (text[length] == '\0')
        return true;
    const char *digits = text + length + 1;
    size_t n = strspn(digits, "0123456789");
    if (n < 1 || n > 4 || digits[n])
        return false;
    *index = atoi(digits);
    return true;
}
