/* walk.c - going through the tree of a model: lists, counts, modes, freezing. See weft/module.h. */
#define WEFT_NO_CALL_SITES
#include "tree.h"

#include <string.h>

weft__member *weft__next_module(weft__member *root, weft__member *m)
{
    if (!m)
        return root;
    if (m->first)
        return m->first;
    while (m != root && !m->next)
        m = m->parent;
    return m == root ? NULL : m->next;
}

weft__slots weft__slots_of(weft__member *root)
{
    return (weft__slots){root, NULL, NULL};
}

weft__slot *weft__next_slot(weft__slots *at)
{
    at->slot = at->slot ? at->slot->next : NULL;
    while (!at->slot) {
        at->module = weft__next_module(at->root, at->module);
        if (!at->module)
            return NULL;
        at->slot = at->module->slots;
    }
    return at->slot;
}

bool weft__is_first(const weft__slots *at)
{
    weft__slots before = weft__slots_of(at->root);
    for (const weft__slot *slot = weft__next_slot(&before); slot && slot != at->slot; slot = weft__next_slot(&before))
        if (slot->tensor == at->slot->tensor)
            return false;
    return true;
}

/* ---- Modules ---- */

weft_module *weft_module_find(weft_module *module, const char *path)
{
    weft__member *m = weft__module_of("module_find", module, NULL),
                 *found = m && path ? weft__find_module(m, path) : NULL;
    return found ? found->handle : NULL;
}

weft_module *weft_module_next(weft_module *module, weft_module *last)
{
    weft__member *m = weft__module_of("module_next", module, NULL), *before = last ? weft__module_if(last) : NULL;
    if (!m)
        return NULL;
    if (last && !before)
        weft__module_of("module_next", last, m->ctx);
    for (const weft__member *up = before; up != m && last; up = up->parent)
        if (!up)
            return NULL; /* not of this tree */
    weft__member *next = weft__next_module(m, before);
    return next ? next->handle : NULL;
}

weft_ctx *weft_module_ctx(weft_module *module)
{
    const weft__member *m = weft__module_if(module);
    return m ? m->ctx : NULL;
}

const char *weft_module_path(weft_module *module)
{
    const weft__member *m = weft__module_if(module);
    return m ? m->path : NULL;
}

const char *weft_module_kind(weft_module *module)
{
    const weft__member *m = weft__module_if(module);
    return m ? m->layer->name : NULL;
}

weft_status weft_module_train(weft_module *module, bool on)
{
    weft__member *m = weft__module_of("module_train", module, NULL);
    if (!m)
        return WEFT_E_NULL_ARGUMENT;
    for (weft__member *at = m; at; at = weft__next_module(m, at))
        at->training = on;
    return weft_ctx_status(m->ctx);
}

bool weft_module_training(weft_module *module)
{
    const weft__member *m = weft__module_if(module);
    return m && m->training;
}

/* ---- Tensors ---- */

weft_tensor *weft_module_tensor(weft_module *module, const char *name)
{
    weft__member *m = weft__module_of("module_tensor", module, NULL);
    const weft__slot *slot = m && name ? weft__find_slot(m, name) : NULL;
    return slot ? slot->tensor : NULL;
}

static weft_status put(const char *function, weft__member *m, const char *name, weft_tensor *t)
{
    char mine[160], given[160];
    weft__slot *slot = name ? weft__find_slot(m, name) : NULL;
    if (!slot)
        return weft_ctx_fail(m->ctx, WEFT_E_INVALID, "weft_%s: the model has no tensor %.60s", function,
                             name ? name : "NULL");
    weft_status status = weft_check_params(m->ctx, function, &t, 1, 0);
    if (status != WEFT_OK)
        return status;
    const int ndim = weft_ndim(t);
    const size_t bytes = sizeof(int64_t) * (size_t)ndim;
    if (ndim != weft_ndim(slot->tensor) || (ndim && memcmp(weft_shape(t), weft_shape(slot->tensor), bytes) != 0) ||
        (!slot->buffer && !weft_dtype_is_float(weft_dtype_of(t))))
        return weft_ctx_fail(
            m->ctx, WEFT_E_SHAPE, "weft_%s: %s is %s, and what is to take its place %s; shapes must agree", function,
            slot->path, weft__tensor_text(slot->tensor, mine, sizeof mine), weft__tensor_text(t, given, sizeof given));
    if (!slot->buffer && !weft_requires_grad(t) && weft_requires_grad(slot->tensor))
        weft_set_requires_grad(t, true);
    weft_tensor *before = slot->tensor;
    slot->tensor = weft_owned_keep(t);
    weft_owned_release(before);
    return weft_ctx_status(m->ctx);
}

weft_status weft_module_set(weft_module *module, const char *name, weft_tensor *t)
{
    weft__member *m = weft__module_of("module_set", module, weft_ctx_of(t));
    return m ? put("module_set", m, name, t) : WEFT_E_NULL_ARGUMENT;
}

weft_status weft_module_tie(weft_module *module, const char *name, const char *other)
{
    weft__member *m = weft__module_of("module_tie", module, NULL);
    if (!m)
        return WEFT_E_NULL_ARGUMENT;
    const weft__slot *slot = other ? weft__find_slot(m, other) : NULL;
    if (!slot)
        return weft_ctx_fail(m->ctx, WEFT_E_INVALID, "weft_module_tie: the model has no tensor %.60s",
                             other ? other : "NULL");
    return put("module_tie", m, name, slot->tensor);
}

static bool is_wanted(const weft__slots *at, int flags)
{
    const weft__slot *slot = at->slot;
    return !((flags & WEFT_MODULE_TENSORS_PARAMETERS && slot->buffer) ||
             (flags & WEFT_MODULE_TENSORS_BUFFERS && !slot->buffer) ||
             (flags & WEFT_MODULE_TENSORS_TRAINABLE && !weft_requires_grad(slot->tensor)) ||
             (flags & WEFT_MODULE_TENSORS_ONCE && !weft__is_first(at)));
}

int weft_module_tensors(weft_module *module, int flags, weft_named_tensor *list, int room)
{
    weft__member *m = weft__module_of("module_tensors", module, NULL);
    if (!m)
        return -1;
    int n = 0;
    weft__slots at = weft__slots_of(m);
    while (weft__next_slot(&at)) {
        if (!is_wanted(&at, flags))
            continue;
        if (list && n < room)
            list[n] = (weft_named_tensor){weft__name_from(m, at.slot->path), at.slot->tensor};
        n++;
    }
    return n;
}

weft_tensor *const *weft_module_parameters(weft_module *module, int *n)
{
    const int flags = WEFT_MODULE_TENSORS_PARAMETERS | WEFT_MODULE_TENSORS_TRAINABLE | WEFT_MODULE_TENSORS_ONCE;
    weft__member *m = weft__module_of("module_parameters", module, NULL);
    if (n)
        *n = 0;
    if (!m || !n || weft_ctx_status(m->ctx) != WEFT_OK)
        return NULL;
    const int number = weft_module_tensors(module, flags, NULL, 0);
    const size_t bytes = sizeof(weft_tensor *) * (size_t)number;
    weft_ctx_free(m->ctx, m->list, m->list_bytes);
    m->list = number > 0 ? weft_ctx_alloc(m->ctx, bytes) : NULL;
    m->list_bytes = bytes;
    if (!m->list)
        return NULL;
    weft__slots at = weft__slots_of(m);
    while (weft__next_slot(&at))
        if (is_wanted(&at, flags))
            m->list[(*n)++] = at.slot->tensor;
    return m->list;
}

weft_status weft_module_count(weft_module *module, weft_module_counts *out, size_t size)
{
    weft_module_counts counts = {0};
    weft__member *m = weft__module_of("module_count", module, NULL);
    if (!m)
        return WEFT_E_NULL_ARGUMENT;
    if (!out)
        return weft_ctx_fail(m->ctx, WEFT_E_NULL_ARGUMENT, "weft_module_count: out is NULL");
    weft__slots at = weft__slots_of(m);
    for (const weft__slot *slot = weft__next_slot(&at); slot; slot = weft__next_slot(&at)) {
        if (!weft__is_first(&at))
            continue;
        const int64_t elements = weft_count(slot->tensor);
        counts.tensors++;
        counts.parameters += slot->buffer ? 0 : elements;
        counts.buffers += slot->buffer ? elements : 0;
        counts.trainable += !slot->buffer && weft_requires_grad(slot->tensor) ? elements : 0;
        counts.bytes += weft_bytes(slot->tensor);
    }
    return weft_struct_out(m->ctx, "module_count", "weft_module_counts", &counts, sizeof counts, out, size);
}

/* ---- Freezing ---- */

bool weft__named_by(const char *pattern, const char *name)
{
    for (; *pattern != '*'; pattern++, name++) {
        if (!*pattern)
            return !*name || *name == '.'; /* a path stands for what is below it */
        if (!*name || (*pattern != '?' && *pattern != *name))
            return false;
    }
    while (!weft__named_by(pattern + 1, name))
        if (!*name++)
            return false;
    return true;
}

static int set_trainable(const char *function, weft_module *module, const char *pattern, bool on)
{
    weft__member *m = weft__module_of(function, module, NULL);
    if (!m || weft_ctx_status(m->ctx) != WEFT_OK)
        return -1;
    int n = 0;
    weft__slots at = weft__slots_of(m);
    for (const weft__slot *slot = weft__next_slot(&at); slot && pattern; slot = weft__next_slot(&at)) {
        if (slot->buffer || !weft__named_by(pattern, weft__name_from(m, slot->path)))
            continue;
        weft_set_requires_grad(slot->tensor, on);
        n++;
    }
    if (n > 0)
        return weft_ctx_status(m->ctx) == WEFT_OK ? n : -1;
    weft_ctx_fail(m->ctx, WEFT_E_INVALID, "weft_%s: no parameter is named by \"%.60s\"%s%.60s", function,
                  pattern ? pattern : "(NULL)", m->path[0] ? " in " : "", m->path);
    return -1;
}

int weft_module_freeze(weft_module *module, const char *pattern)
{
    return set_trainable("module_freeze", module, pattern, false);
}

int weft_module_unfreeze(weft_module *module, const char *pattern)
{
    return set_trainable("module_unfreeze", module, pattern, true);
}
