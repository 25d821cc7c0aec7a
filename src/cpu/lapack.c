/* lapack.c - see lapack.h. Compiled once. */
#include "lapack.h"
#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static weft__lapack functions;
static bool found;

/* The function of that name. POSIX gives functions as object pointers. */
static bool find(void *library, const char *name, void *to)
{
    void *symbol = dlsym(library, name);
    memcpy(to, &symbol, sizeof symbol);
    return symbol != NULL;
}

static bool find_all(void *library)
{
    weft__lapack *f = &functions;
    return find(library, "dgeqrf_", &f->geqrf) && find(library, "dorgqr_", &f->orgqr) &&
           find(library, "dsyevd_", &f->syevd) && find(library, "dgesdd_", &f->gesdd);
}

static void open_once(void)
{
    static const char *const usual[] = {"libopenblas.so.0", "liblapack.so.3"};
    const char *wanted = getenv("WEFT_LAPACK");
    const bool is_set = wanted && *wanted;
    if (is_set && strcmp(wanted, "none") == 0)
        return;
    for (int k = 0; k < (is_set ? 1 : 2) && !found; k++) {
        void *library = dlopen(is_set ? wanted : usual[k], RTLD_NOW | RTLD_LOCAL);
        found = library && find_all(library);
        if (library && !found)
            dlclose(library);
    }
}

const weft__lapack *weft__lapack_open(void)
{
    (void)pthread_once(&once, open_once);
    return found ? &functions : NULL;
}
