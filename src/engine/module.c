/* module.c - opens backends that are modules of their own, beside the library: on first use, for the life of the
 * process. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* dladdr */
#endif
#include "engine/module.h"
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "engine/engine.h"

enum { PATH_SIZE = 4096, FILE_SIZE = 64, WHY_SIZE = 512 };

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
    if (dladdr((const void *)weft__version_text, &info) && info.dli_fname && strchr(info.dli_fname, '/'))
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
static const weft__backend *ask(const weft__module *m, void *opened, const char *path, char *why, size_t size)
{
    char message[WHY_SIZE] = "";
    weft__module_host host = {
        .struct_size = sizeof host, .interface = weft__interface_hash(), .version = weft__version_text};
    void *symbol = dlsym(opened, m->symbol);
    if (!symbol) {
        snprintf(why, size, "%.200s is not a %s module of Weft: it has no symbol %s", path, m->title, m->symbol);
        return NULL;
    }
    weft__module_entry *entry;
    memcpy(&entry, &symbol, sizeof entry); /* POSIX gives functions as object pointers */
    const weft__backend *backend = entry(&host, message, sizeof message);
    if (!backend)
        snprintf(why, size, "%.200s does not fit this library: %.250s", path, message);
    return backend;
}

static const weft__backend *open_at(const weft__module *m, const char *path, char *why, size_t size)
{
    void *opened = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (opened)
        return ask(m, opened, path, why, size);
    const char *error = dlerror();
    snprintf(why, size, "%.200s could not be opened: %.250s", path, error ? error : "no reason given");
    return NULL;
}

/* At the path in the environment; else beside the library or the program; else where the loader looks. A file that is
 * there but does not load ends the search, so that its error is not hidden by a later one. */
const weft__backend *weft__module_open(const weft__module *m, char *why, size_t size)
{
    const char *given = getenv(m->variable);
    if (given && *given)
        return open_at(m, given, why, size);
    void (*const folders[])(char *folder, size_t size) = {own_folder, program_folder};
    for (size_t k = 0; k < sizeof folders / sizeof *folders; k++) {
        char path[PATH_SIZE + FILE_SIZE];
        folders[k](path, PATH_SIZE);
        if (!path[0])
            continue;
        strncat(path, m->file, FILE_SIZE - 1);
        if (access(path, F_OK) == 0)
            return open_at(m, path, why, size);
    }
    const weft__backend *backend = open_at(m, m->file, why, size);
    if (backend || !strstr(why, "No such file"))
        return backend;
    snprintf(why, size,
             "there is no %s module: %s is neither beside the library nor where the dynamic loader looks; install it "
             "there, or set %s to its path",
             m->title, m->file, m->variable);
    return NULL;
}
