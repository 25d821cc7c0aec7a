/* files.c - loading and saving models by name. See weft/module.h. */
#define WEFT_NO_CALL_SITES
#include "tree.h"

#include <stdio.h>
#include <string.h>

enum { FAULTS = 3, TEXT = 480 };

/* A list that is to be loaded, and what was found wrong with it. */
typedef struct loading {
    weft__member *m;
    const char *function, *part;
    const weft_named_tensor *tensors;
    int n;
    weft_module_load_options options;
    int faults[FAULTS];
    char first[FAULTS][TEXT / 2]; /* the first of each kind */
    bool left;                    /* the report was left for good */
} loading;

/* The name that the model knows it by, or NULL: it does not count. */
static const char *name_of(const loading *l, int k)
{
    const size_t n = strlen(l->options.prefix);
    const char *name = l->tensors[k].name;
    return strncmp(name, l->options.prefix, n) == 0 ? name + n : NULL;
}

static weft__slot *slot_of(const loading *l, const char *name)
{
    weft__slot *slot = weft__find_slot(l->m, name);
    return slot && strstr(slot->path, l->part) ? slot : NULL;
}

static bool fits(const weft_tensor *a, const weft_tensor *b)
{
    const int ndim = weft_ndim(a);
    return ndim == weft_ndim(b) &&
           (ndim == 0 || memcmp(weft_shape(a), weft_shape(b), sizeof(int64_t) * (size_t)ndim) == 0);
}

static void add_fault(loading *l, weft_load_fault fault, const char *name, const char *text)
{
    if (l->faults[fault]++ == 0)
        weft_text(l->first[fault], sizeof l->first[fault], "%s", text);
    if (!l->options.report || l->left)
        return;
    const uint64_t call = weft_callback_begin(l->m->ctx, "the report of loading", true);
    if (!call)
        return;
    l->options.report(l->options.user, fault, name, text);
    l->left = !weft_callback_end(l->m->ctx, l->function, call);
}

/* Whether a tensor under another name has come. */
static bool is_given(const loading *l, const weft__slot *slot)
{
    weft__slots at = weft__slots_of(l->m->root);
    for (const weft__slot *other = weft__next_slot(&at); other; other = weft__next_slot(&at))
        if (other->given && other->tensor == slot->tensor)
            return true;
    return false;
}

static void look_at_given(loading *l)
{
    char text[TEXT], mine[160], given[160];
    for (int k = 0; k < l->n; k++) {
        const char *name = name_of(l, k);
        weft__slot *slot = name ? slot_of(l, name) : NULL;
        if (name && !slot) {
            weft_text(text, sizeof text, "%s is not the model's", name);
            add_fault(l, WEFT_LOAD_FAULT_UNEXPECTED, name, text);
        } else if (name) {
            slot->given = true;
            if (fits(slot->tensor, l->tensors[k].tensor))
                continue;
            weft_text(text, sizeof text, "%s is %s in the model and %s here", name,
                      weft__tensor_text(slot->tensor, mine, sizeof mine),
                      weft__tensor_text(l->tensors[k].tensor, given, sizeof given));
            add_fault(l, WEFT_LOAD_FAULT_SHAPE, name, text);
        }
    }
}

static void look_at_missing(loading *l)
{
    char text[TEXT], mine[160];
    weft__slots at = weft__slots_of(l->m);
    for (weft__slot *slot = weft__next_slot(&at); slot; slot = weft__next_slot(&at)) {
        const char *name = weft__name_from(l->m, slot->path);
        if (!strstr(slot->path, l->part) || is_given(l, slot))
            continue;
        weft_text(text, sizeof text, "%s, %s, is missing", name, weft__tensor_text(slot->tensor, mine, sizeof mine));
        add_fault(l, WEFT_LOAD_FAULT_MISSING, name, text);
    }
}

static weft_status judge(loading *l)
{
    const bool allowed[FAULTS] = {l->options.allow_missing, l->options.allow_unexpected, l->options.allow_other_shape};
    static const char *const remedy[FAULTS] = {"allow_missing", "allow_unexpected", "allow_other_shape"};
    char text[3 * TEXT] = "";
    int at = 0;
    for (int k = 0; k < FAULTS; k++)
        if (l->faults[k] && !allowed[k])
            at +=
                snprintf(text + at, sizeof text - (size_t)at, "%s%d %s%s (%s; option %s)", at ? "; " : "", l->faults[k],
                         k == WEFT_LOAD_FAULT_MISSING      ? "missing"
                         : k == WEFT_LOAD_FAULT_UNEXPECTED ? "unexpected"
                                                           : "of another shape",
                         l->faults[k] > 1 ? ", the first of them" : "", l->first[k], remedy[k]);
    return at ? weft_ctx_fail(l->m->ctx, WEFT_E_MISMATCH, "weft_%s: %s", l->function, text) : WEFT_OK;
}

static weft_status copy_all(loading *l)
{
    weft_ctx *ctx = l->m->ctx;
    const int mark = weft_scope_push_no_grad(ctx);
    for (int k = 0; k < l->n && weft_ctx_status(ctx) == WEFT_OK; k++) {
        const char *name = name_of(l, k);
        const weft__slot *slot = name ? slot_of(l, name) : NULL;
        if (slot && fits(slot->tensor, l->tensors[k].tensor))
            weft_copy_(slot->tensor, l->tensors[k].tensor);
    }
    return weft_scope_pop(ctx, mark);
}

weft_status weft__load_named(weft__member *m, const char *function, const char *part, const weft_named_tensor *tensors,
                             int n, const weft_module_load_options *options)
{
    static const weft_module_load_options defaults = WEFT_MODULE_LOAD_DEFAULTS;
    loading l = {.m = m, .function = function, .part = part, .tensors = tensors, .n = n};
    weft_status status = weft_ctx_status(m->ctx);
    if (status == WEFT_OK)
        status = weft_struct_in(m->ctx, function, "weft_module_load_options", &defaults, options, &l.options);
    if (status != WEFT_OK)
        return status;
    if ((!tensors && n > 0) || n < 0 || !l.options.prefix)
        return weft_ctx_fail(m->ctx, WEFT_E_NULL_ARGUMENT, "weft_%s: %s", function,
                             l.options.prefix ? "there is no list" : "the option prefix is NULL; \"\" is none");
    for (int k = 0; k < n; k++) {
        if (!tensors[k].name)
            return weft_ctx_fail(m->ctx, WEFT_E_NULL_ARGUMENT, "weft_%s: entry %d of the list has no name", function,
                                 k);
        status = weft_check(m->ctx, function, tensors[k].tensor, "tensor", k);
        if (status != WEFT_OK)
            return status;
    }
    weft_module *handle = m->handle;
    weft__slots at = weft__slots_of(m->root);
    while (weft__next_slot(&at))
        at.slot->given = false;
    look_at_given(&l);
    look_at_missing(&l);
    if (l.left || weft_ctx_status(m->ctx) != WEFT_OK || weft__module_if(handle) != m)
        return weft_ctx_status(m->ctx);
    status = judge(&l);
    return status == WEFT_OK ? copy_all(&l) : status;
}

weft_status weft_module_load_named(weft_module *module, const weft_named_tensor *tensors, int n,
                                   const weft_module_load_options *options)
{
    weft__member *m = weft__module_of("module_load_named", module, NULL);
    return m ? weft__load_named(m, "module_load_named", "", tensors, n, options) : WEFT_E_NULL_ARGUMENT;
}

weft_status weft__module_load_file(weft__member *m, const char *function, const char *part, const char *path,
                                   const weft_module_load_options *options)
{
    weft_named_tensor *tensors = NULL;
    int n = 0;
    weft_ctx *ctx = m->ctx;
    weft_source source = WEFT_SOURCE_DEFAULTS;
    if (!path)
        return weft_ctx_fail(ctx, WEFT_E_NULL_ARGUMENT, "weft_%s: path is NULL", function);
    source.path = path;
    const int mark = weft_scope_push_no_grad(ctx);
    if (weft_load(ctx, &source, NULL, &tensors, &n) == WEFT_OK)
        weft__load_named(m, function, part, tensors, n, options);
    weft_named_free(ctx, tensors, n);
    return weft_scope_pop(ctx, mark);
}

weft_status weft_module_load(weft_module *module, const char *path, const weft_module_load_options *options)
{
    weft__member *m = weft__module_of("module_load", module, NULL);
    return m ? weft__module_load_file(m, "module_load", "", path, options) : WEFT_E_NULL_ARGUMENT;
}

static bool ends_with(const char *text, const char *end)
{
    const size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

/* Of a list of n: those whose names have part in them, to the front, behind the prefix, which is written to names. */
static int choose(weft_named_tensor *list, int n, const char *part, const char *prefix, char *names)
{
    int chosen = 0;
    for (int k = 0; k < n; k++) {
        const weft_named_tensor entry = list[k];
        if (!strstr(entry.name, part))
            continue;
        list[chosen] = entry;
        if (prefix[0]) {
            list[chosen].name = names;
            names += sprintf(names, "%s%s", prefix, entry.name) + 1;
        }
        chosen++;
    }
    return chosen;
}

weft_status weft__module_save_file(weft__member *m, const char *function, const char *part, const char *path,
                                   const char *prefix, int flags)
{
    weft_ctx *ctx = m->ctx;
    if (weft_ctx_status(ctx) != WEFT_OK)
        return weft_ctx_status(ctx);
    if (!path)
        return weft_ctx_fail(ctx, WEFT_E_NULL_ARGUMENT, "weft_%s: path is NULL", function);
    const int n = weft_module_tensors(m->handle, flags, NULL, 0);
    const size_t bytes = sizeof(weft_named_tensor) * (size_t)n;
    weft_named_tensor *list = n > 0 ? weft_ctx_alloc(ctx, bytes) : NULL;
    if (n > 0 && !list)
        return weft_ctx_status(ctx);
    weft_module_tensors(m->handle, flags, list, n);
    size_t letters = 1;
    for (int k = 0; k < n; k++)
        letters += strlen(prefix) + strlen(list[k].name) + 1;
    char *names = weft_ctx_alloc(ctx, letters);
    if (names) {
        const int chosen = choose(list, n, part, prefix, names);
        const weft_status status = ends_with(path, ".npz") ? weft_save_npz(ctx, path, list, chosen)
                                                           : weft_save_safetensors(ctx, path, list, chosen);
        (void)status; /* it is the context's */
    }
    weft_ctx_free(ctx, names, letters);
    weft_ctx_free(ctx, list, bytes);
    return weft_ctx_status(ctx);
}

weft_status weft_module_save(weft_module *module, const char *path, int flags)
{
    weft__member *m = weft__module_of("module_save", module, NULL);
    return m ? weft__module_save_file(m, "module_save", "", path, "", flags) : WEFT_E_NULL_ARGUMENT;
}
