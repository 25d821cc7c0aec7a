/* save.c - see save.h. */
#include "save.h"

#include <stdlib.h>
#include <string.h>
#include "utf8.h"

/* ---- Looking first ---- */

static weft_status refuse(const weft__saver *s, weft_status status, int k, const char *why)
{
    const char *name = s->tensors[k].name;
    return weft_ctx_fail(s->ctx, status, "weft_%s: %s: entry %d%s%s%s %s", s->function, s->path, k, name ? ", \"" : "",
                         name ? weft__show(name).text : "", name ? "\"," : "", why);
}

static weft_status check_name(const weft__saver *s, int k)
{
    const char *name = s->tensors[k].name;
    if (!name)
        return refuse(s, WEFT_E_INVALID, k, "has no name");
    const size_t length = strlen(name);
    if (length > s->max_name)
        return weft_ctx_fail(s->ctx, WEFT_E_INVALID,
                             "weft_%s: %s: entry %d, \"%s\", has a name of %zu bytes; at most %zu are possible",
                             s->function, s->path, k, weft__show(name).text, length, s->max_name);
    if (!weft__is_utf8(name, length))
        return weft_ctx_fail(s->ctx, WEFT_E_INVALID,
                             "weft_%s: %s: the name of entry %d is not UTF-8: nobody could read it back", s->function,
                             s->path, k);
    if (s->reserved && strcmp(name, s->reserved) == 0)
        return refuse(s, WEFT_E_INVALID, k, "has a name that the format keeps for itself");
    return WEFT_OK;
}

static weft_status check_tensor(const weft__saver *s, int k)
{
    weft_tensor *t = s->tensors[k].tensor;
    if (!t)
        return refuse(s, WEFT_E_INVALID, k, "has no tensor: it is NULL; the call that made it may have failed");
    if (!weft_data(t)) /* which says so itself, in the tensor's context */
        return refuse(s, WEFT_E_DEAD_TENSOR, k,
                      "is a tensor that was freed, usually by the end of its scope: save it before, or weft_keep it");
    if (weft_ctx_of(t) && weft_ctx_of(t) != s->ctx)
        return refuse(s, WEFT_E_MIXED_CONTEXTS, k, "is a tensor of another context: save it with that one");
    const uint64_t count = (uint64_t)weft_count(t), size = weft_dtype_size(weft_dtype_of(t));
    if (count > PTRDIFF_MAX / size)
        return refuse(s, WEFT_E_SHAPE, k, "has more elements than a file can hold");
    return WEFT_OK;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static weft_status check_unique(const weft__saver *s)
{
    weft_status status = WEFT_OK;
    if (s->n < 2)
        return WEFT_OK;
    const size_t bytes = sizeof(char *) * (size_t)s->n;
    const char **names = weft__take(s->ctx, bytes, &status);
    if (!names)
        return status;
    for (int k = 0; k < s->n; k++)
        names[k] = s->tensors[k].name;
    qsort(names, (size_t)s->n, sizeof *names, by_name);
    for (int k = 1; k < s->n && status == WEFT_OK; k++)
        if (strcmp(names[k - 1], names[k]) == 0)
            status = weft_ctx_fail(s->ctx, WEFT_E_INVALID,
                                   "weft_%s: %s: two entries are named \"%s\"; a file holds a name once", s->function,
                                   s->path, weft__show(names[k]).text);
    weft_ctx_free(s->ctx, names, bytes);
    return status;
}

weft_status weft__save_check(const weft__saver *s)
{
    if (!s->ctx)
        return WEFT_E_NULL_ARGUMENT;
    if (weft_ctx_status(s->ctx) != WEFT_OK)
        return weft_ctx_status(s->ctx);
    if (!s->path || (s->n > 0 && !s->tensors))
        return weft_ctx_fail(s->ctx, WEFT_E_NULL_ARGUMENT, "weft_%s: %s is NULL", s->function,
                             s->path ? "the list of tensors" : "the path");
    if (s->n < 0)
        return weft_ctx_fail(s->ctx, WEFT_E_INVALID, "weft_%s: n is %d; the number of tensors must not be negative",
                             s->function, s->n);
    for (int k = 0; k < s->n; k++) {
        weft_status status = check_name(s, k);
        if (status == WEFT_OK)
            status = check_tensor(s, k);
        if (status != WEFT_OK)
            return status;
    }
    return check_unique(s);
}

/* ---- Writing ---- */

weft_status weft__save_file(weft__saver *s, weft_status (*write)(weft__saver *s, void *user), void *user)
{
    if (!weft__replace_open(&s->file, s->path))
        return weft_ctx_fail(s->ctx, WEFT_E_IO, "weft_%s: %s: %s", s->function, s->path, s->file.why);
    const weft_status status = write(s, user);
    if (status != WEFT_OK) {
        weft__replace_drop(&s->file);
        return status;
    }
    if (weft__replace_commit(&s->file))
        return WEFT_OK;
    return weft_ctx_fail(s->ctx, WEFT_E_IO, "weft_%s: %s: %s", s->function, s->path, s->file.why);
}

void weft__save_put(weft__saver *s, const void *bytes, size_t n)
{
    fwrite(bytes, 1, n, s->file.out); /* what fails is seen by weft__replace_commit */
    s->at += n;
}

size_t weft__save_bytes(const weft_tensor *t)
{
    return (size_t)weft_count(t) * weft_dtype_size(weft_dtype_of(t));
}

static bool in_place(const weft__saver *s, const weft_tensor *t)
{
    return weft_is_contiguous(t) && weft_ctx_on_host(s->ctx);
}

const unsigned char *weft__save_elements(weft__saver *s, weft_tensor *t, weft_status *status)
{
    if (in_place(s, t))
        return weft_data(t);
    const size_t bytes = weft__save_bytes(t);
    unsigned char *copy = weft__take(s->ctx, bytes, status);
    if (!copy)
        return NULL;
    *status = weft_read(s->ctx, t, copy, bytes);
    if (*status == WEFT_OK)
        return copy;
    weft_ctx_free(s->ctx, copy, bytes);
    return NULL;
}

void weft__save_drop(weft__saver *s, weft_tensor *t, const unsigned char *elements)
{
    if (!in_place(s, t))
        weft_ctx_free(s->ctx, (unsigned char *)(uintptr_t)elements, weft__save_bytes(t)); /* made above, not const */
}
