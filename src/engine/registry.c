/* registry.c - the backends by name: the library's only global state that changes. Entries are only ever added, each
 * with a lock of its own, so that whoever opens a context on the CPU does not wait for the search for another kind's
 * module. */
#include "engine/registry.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "engine/engine.h"
#include "engine/module.h"

enum { MOST_KINDS = 16, NAME_SIZE = sizeof((weft_device_info *)NULL)->kind, WHY_SIZE = 512 };

typedef struct entry {
    char name[NAME_SIZE];
    const weft__backend *(*open)(char *why, size_t size); /* called once, on first use */
    pthread_mutex_t lock;                                 /* of what follows */
    bool tried;
    const weft__backend *backend;
    char why[WHY_SIZE]; /* backend NULL after open: the reason */
} entry;

static const weft__backend *open_cpu(char *why, size_t size)
{
    snprintf(why, size, "%s", "");
    return weft__parts_of_library.cpu();
}

static const weft__backend *open_cuda(char *why, size_t size)
{
    static const weft__module cuda = {
        .title = "CUDA", .file = "libweft_cuda.so", .symbol = "weft_cuda_module", .variable = "WEFT_CUDA_MODULE"};
    return weft__module_open(&cuda, why, size);
}

static entry entries[MOST_KINDS] = {{.name = "cpu", .open = open_cpu, .lock = PTHREAD_MUTEX_INITIALIZER},
                                    {.name = "cuda", .open = open_cuda, .lock = PTHREAD_MUTEX_INITIALIZER}};
static atomic_int n_entries = 2;
static pthread_mutex_t adding = PTHREAD_MUTEX_INITIALIZER;

static entry *entry_of(const char *name)
{
    const int n = atomic_load_explicit(&n_entries, memory_order_acquire);
    for (int k = 0; k < n; k++)
        if (strcmp(entries[k].name, name) == 0)
            return &entries[k];
    return NULL;
}

bool weft__backend_known(const char *kind)
{
    return entry_of(kind) != NULL;
}

const char *weft__backend_name(int k)
{
    return k >= 0 && k < atomic_load_explicit(&n_entries, memory_order_acquire) ? entries[k].name : NULL;
}

/* "\"x\" is no kind of device; "cpu" and "cuda" are". */
static void say_unknown(const char *kind, char *why, size_t size)
{
    const int n = atomic_load_explicit(&n_entries, memory_order_acquire);
    char names[MOST_KINDS * (NAME_SIZE + 8)] = "";
    size_t used = 0;
    for (int k = 0; k < n; k++)
        used += (size_t)snprintf(names + used, sizeof names - used, "%s\"%s\"",
                                 k == 0       ? ""
                                 : k == n - 1 ? " and "
                                              : ", ",
                                 entries[k].name);
    snprintf(why, size, "\"%.32s\" is no kind of device; %s are", kind, names);
}

const weft__backend *weft__backend_find(const char *kind, char *why, size_t size)
{
    entry *e = entry_of(kind);
    if (!e) {
        say_unknown(kind, why, size);
        return NULL;
    }
    pthread_mutex_lock(&e->lock);
    if (!e->tried) {
        e->tried = true;
        e->backend = e->open(e->why, sizeof e->why);
    }
    const weft__backend *backend = e->backend;
    snprintf(why, size, "%s", backend ? "" : e->why);
    pthread_mutex_unlock(&e->lock);
    return backend;
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

static bool is_name(const char *name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
    const size_t length = strlen(name);
    return length > 0 && length < NAME_SIZE && strspn(name, letters) == length;
}

/* The entry of that name, a new one if there is none; NULL: there is no room. */
static entry *entry_for(const char *name)
{
    pthread_mutex_lock(&adding);
    entry *e = entry_of(name);
    const int n = atomic_load_explicit(&n_entries, memory_order_relaxed);
    if (!e && n < MOST_KINDS && pthread_mutex_init(&entries[n].lock, NULL) == 0) {
        e = &entries[n];
        snprintf(e->name, sizeof e->name, "%s", name);
        e->tried = true;
        snprintf(e->why, sizeof e->why, "\"%s\" is being registered", name);
        atomic_store_explicit(&n_entries, n + 1, memory_order_release);
    }
    pthread_mutex_unlock(&adding);
    return e;
}

bool weft__backend_register(const weft__backend *backend)
{
    entry *e = is_name(backend->name) ? entry_for(backend->name) : NULL;
    if (!e)
        return false;
    pthread_mutex_lock(&e->lock);
    e->tried = true;
    e->backend = backend;
    pthread_mutex_unlock(&e->lock);
    return true;
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
