/* tree.c - the tree of a model: its modules, their tensors, and their end. See weft/module.h. */
#define WEFT_NO_CALL_SITES
#include "tree.h"

#include <stdio.h>
#include <string.h>

enum { LONGEST_PATH = 1000, NAME_BYTES = 47 };

static const weft__layer no_layer = {"module", NULL};

/* ---- Making and ending ---- */

static void give_back(weft__member *m, weft__slot *slot)
{
    weft_owned_release(slot->tensor);
    weft_ctx_free(m->ctx, slot, slot->bytes);
}

/* Of a module whose children have ended. */
static void end(void *object)
{
    weft__member *m = object;
    while (m->slots) {
        weft__slot *slot = m->slots;
        m->slots = slot->next;
        give_back(m, slot);
    }
    if (m->parent) {
        weft__member **link = &m->parent->first;
        while (*link != m)
            link = &(*link)->next;
        *link = m->next;
    }
    weft_ctx_free(m->ctx, m->list, m->list_bytes);
    weft_ctx_free(m->ctx, m, m->bytes);
}

/* A model is reported when it is left open, and not each of its modules. */
static const weft_object_kind model_kind = {sizeof model_kind, "model", "weft_module_close", end, false};
static const weft_object_kind part_kind = {sizeof part_kind, "module", "weft_module_close", end, true};

static void end_tree(weft__member *m)
{
    while (m->first)
        end_tree(m->first);
    weft_owned_end(m->parent ? &part_kind : &model_kind, m->handle);
}

weft__member *weft__module_if(const weft_module *handle)
{
    weft__member *m = weft_owned(&part_kind, handle);
    return m ? m : weft_owned(&model_kind, handle);
}

weft__member *weft__module_of(const char *function, weft_module *handle, weft_ctx *ctx)
{
    weft__member *m = weft__module_if(handle);
    if (!m)
        weft_owned_fail(ctx, function, &part_kind, handle);
    return m;
}

/* A module without a parent yet; own: where its name begins in path. */
static weft__member *make(weft_ctx *ctx, const char *function, weft__member *parent, const char *path, int own)
{
    const size_t bytes = sizeof(weft__member) + strlen(path) + 1;
    weft__member *m = weft_ctx_alloc(ctx, bytes);
    if (!m)
        return NULL;
    memset(m, 0, bytes);
    m->ctx = ctx;
    m->bytes = bytes;
    m->own = own;
    m->layer = &no_layer;
    m->training = true;
    memcpy(m->path, path, strlen(path) + 1);
    m->handle = weft_own(ctx, parent ? &part_kind : &model_kind, m, function);
    if (!m->handle) {
        weft_ctx_free(ctx, m, bytes);
        return NULL;
    }
    m->root = parent ? parent->root : m;
    m->parent = parent;
    if (parent) {
        weft__member **link = &parent->first;
        while (*link)
            link = &(*link)->next;
        *link = m;
        m->dtype = parent->dtype;
        m->training = parent->training;
    }
    return m;
}

weft_status weft_module_open(weft_ctx *ctx, const weft_module_options *options, weft_module **out)
{
    static const weft_module_options defaults = WEFT_MODULE_DEFAULTS;
    weft_module_options own;
    const char *function = "module_open";
    if (out)
        *out = NULL;
    if (!ctx)
        return WEFT_E_NULL_ARGUMENT;
    if (weft_ctx_status(ctx) != WEFT_OK)
        return weft_ctx_status(ctx);
    if (!out)
        return weft_ctx_fail(ctx, WEFT_E_NULL_ARGUMENT, "weft_%s: out is NULL", function);
    const weft_status status = weft_struct_in(ctx, function, "weft_module_options", &defaults, options, &own);
    if (status != WEFT_OK)
        return status;
    if (!weft_dtype_is_float(own.dtype))
        return weft_ctx_fail(ctx, WEFT_E_DTYPE, "weft_%s: the option dtype is %s; parameters have a floating dtype",
                             function, weft_dtype_name(own.dtype));
    weft__member *m = make(ctx, function, NULL, "", 0);
    if (!m)
        return weft_ctx_status(ctx);
    m->dtype = own.dtype;
    *out = m->handle;
    return WEFT_OK;
}

void weft_module_close(weft_module *handle)
{
    weft__member *m = weft__module_if(handle);
    if (m)
        end_tree(m);
}

/* ---- Names ---- */

/* How long the first name of a path is: up to its dot. */
static size_t first_name(const char *path)
{
    return strcspn(path, ".");
}

/* Whether every name of a path is one. */
static bool is_path(const char *path)
{
    for (const char *at = path;; at++) {
        const size_t n = first_name(at);
        for (size_t k = 0; k < n; k++)
            if ((unsigned char)at[k] <= ' ' || at[k] == 127)
                return false;
        if (n == 0)
            return false;
        at += n;
        if (!*at)
            return strlen(path) < LONGEST_PATH;
    }
}

static bool same(const char *name, const char *text, size_t n)
{
    return strncmp(name, text, n) == 0 && name[n] == '\0';
}

static weft__member *child_of(const weft__member *m, const char *name, size_t n)
{
    for (weft__member *child = m->first; child; child = child->next)
        if (same(child->path + child->own, name, n))
            return child;
    return NULL;
}

static weft__slot *slot_of(const weft__member *m, const char *name)
{
    for (weft__slot *slot = m->slots; slot; slot = slot->next)
        if (strcmp(slot->path + slot->own, name) == 0)
            return slot;
    return NULL;
}

weft__member *weft__find_module(weft__member *root, const char *path)
{
    while (root && *path) {
        const size_t n = first_name(path);
        root = child_of(root, path, n);
        path += n + (path[n] == '.');
    }
    return root;
}

weft__slot *weft__find_slot(weft__member *root, const char *name)
{
    const char *dot = strchr(name, '.');
    weft__slot *slot = slot_of(root, name); /* "lora_A.weight" has a dot in its own name */
    while (!slot && root && dot) {
        root = child_of(root, name, (size_t)(dot - name));
        name = dot + 1;
        dot = strchr(name, '.');
        slot = root ? slot_of(root, name) : NULL;
    }
    return slot;
}

const char *weft__name_from(const weft__member *root, const char *path)
{
    const size_t n = strlen(root->path);
    return path + n + (n > 0 && path[n] == '.');
}

weft_tensor *weft__own_tensor(const weft__member *m, const char *name)
{
    const weft__slot *slot = slot_of(m, name);
    return slot ? slot->tensor : NULL;
}

/* ---- Children ---- */

/* Joins the paths of a module and of what is in it. */
static void join(const weft__member *m, const char *name, size_t n, char *path, size_t size)
{
    snprintf(path, size, "%s%s%.*s", m->path, m->path[0] ? "." : "", (int)n, name);
}

/* The place that is free for a new child, by its number. */
static void number_name(const weft__member *m, char *name, size_t size)
{
    int n = 0;
    for (const weft__member *child = m->first; child; child = child->next)
        n++;
    do
        snprintf(name, size, "%d", n++);
    while (child_of(m, name, strlen(name)));
}

static weft__member *add_child(const char *function, weft__member *m, const char *name)
{
    char path[2 * LONGEST_PATH + 2];
    weft__member *top = NULL; /* what was made first for this one */
    int above = 0;
    for (;;) {
        const size_t n = first_name(name);
        weft__member *child = child_of(m, name, n);
        join(m, name, n, path, sizeof path);
        if (strlen(path) >= LONGEST_PATH || (!child && weft__own_tensor(m, path + strlen(path) - n)) ||
            (child && !name[n])) {
            weft_ctx_fail(m->ctx, WEFT_E_INVALID,
                          strlen(path) >= LONGEST_PATH ? "weft_%s: the path %.60s... has 1000 letters or more"
                                                       : "weft_%s: the model has %s already",
                          function, path);
            child = NULL;
        } else if (!child) {
            child = make(m->ctx, function, m, path, (int)(strlen(path) - n));
            top = top ? top : child;
            if (child)
                child->on_the_way = name[n] ? 0 : above;
            above++;
        }
        if (!child && top)
            end_tree(top);
        if (!child || !name[n])
            return child;
        m = child;
        name += n + 1;
    }
}

weft__member *weft__layer_open(const char *function, weft_module *parent, const char *name, const weft__layer *layer)
{
    char number[16];
    weft__member *m = weft__module_of(function, parent, NULL);
    if (!m || weft_ctx_status(m->ctx) != WEFT_OK)
        return NULL;
    if (!name) {
        number_name(m, number, sizeof number);
        name = number;
    }
    if (!is_path(name)) {
        weft_ctx_fail(
            m->ctx, WEFT_E_INVALID,
            "weft_%s: \"%.60s\" is no name for a module; it is made of letters without blanks, and dots stand "
            "between names",
            function, name);
        return NULL;
    }
    m = add_child(function, m, name);
    if (m)
        m->layer = layer;
    return m;
}

weft_module *weft__layer_done(weft__member *m)
{
    if (!m)
        return NULL;
    if (weft_ctx_status(m->ctx) == WEFT_OK)
        return m->handle;
    for (int above = m->on_the_way; above > 0; above--)
        m = m->parent;
    end_tree(m);
    return NULL;
}

weft_module *weft_module_child(weft_module *parent, const char *name)
{
    return weft__layer_done(weft__layer_open("module_child", parent, name, &no_layer));
}

/* ---- Tensors ---- */

weft__slot *weft__add_slot(weft__member *m, const char *function, const char *name, weft_tensor *t, bool buffer)
{
    char path[2 * LONGEST_PATH + 2];
    if (!t || weft_ctx_status(m->ctx) != WEFT_OK)
        return NULL;
    join(m, name, strlen(name), path, sizeof path);
    if (slot_of(m, name) || child_of(m, name, strlen(name)) || strlen(path) >= LONGEST_PATH) {
        weft_ctx_fail(m->ctx, WEFT_E_INVALID, "weft_%s: the model has %.60s already, or its path is too long", function,
                      path);
        return NULL;
    }
    const size_t bytes = sizeof(weft__slot) + strlen(path) + 1;
    weft__slot *slot = weft_ctx_alloc(m->ctx, bytes), **link = &m->slots;
    if (!slot)
        return NULL;
    memset(slot, 0, bytes);
    memcpy(slot->path, path, strlen(path) + 1);
    slot->own = (int)(strlen(path) - strlen(name));
    slot->bytes = bytes;
    slot->buffer = buffer;
    slot->tensor = weft_owned_keep(t);
    while (*link && (buffer || !(*link)->buffer)) /* parameters before buffers */
        link = &(*link)->next;
    slot->next = *link;
    *link = slot;
    if (!weft_name(t)[0])
        weft_set_name(t, strlen(path) > NAME_BYTES ? path + strlen(path) - NAME_BYTES : path);
    return slot;
}

void weft__remove_slot(weft__member *m, weft__slot *slot)
{
    weft__slot **link = &m->slots;
    while (*link && *link != slot)
        link = &(*link)->next;
    if (*link) {
        *link = slot->next;
        give_back(m, slot);
    }
}

static weft_tensor *fresh(weft__member *m, const char *name, weft_dtype dtype, const int64_t *shape, int ndim,
                          double value, bool buffer)
{
    if (!m || weft_ctx_status(m->ctx) != WEFT_OK)
        return NULL;
    weft_tensor *t = weft_full(m->ctx, dtype, shape, ndim, value);
    if (!buffer)
        weft_set_requires_grad(t, true);
    weft__slot *slot = weft__add_slot(m, "module_child", name, t, buffer);
    weft_drop(t); /* it is the module's now, or nobody's */
    return slot ? t : NULL;
}

weft_tensor *weft__new_parameter(weft__member *m, const char *name, const int64_t *shape, int ndim, double value)
{
    return fresh(m, name, m ? m->dtype : WEFT_F32, shape, ndim, value, false);
}

weft_tensor *weft__new_buffer(weft__member *m, const char *name, weft_dtype dtype, const int64_t *shape, int ndim,
                              double value)
{
    return fresh(m, name, dtype, shape, ndim, value, true);
}

static weft_tensor *add_tensor(const char *function, weft_module *module, const char *name, weft_tensor *t, bool buffer)
{
    weft__member *m = weft__module_of(function, module, weft_ctx_of(t));
    if (!m || weft_check_params(m->ctx, function, &t, 1, 0) != WEFT_OK)
        return NULL;
    if (!name || !is_path(name) || strchr(name, '.')) {
        weft_ctx_fail(m->ctx, WEFT_E_INVALID,
                      "weft_%s: \"%.60s\" is no name for a tensor; it is made of letters without blanks and dots",
                      function, name ? name : "");
        return NULL;
    }
    if (!buffer && !weft_dtype_is_float(weft_dtype_of(t))) {
        weft_ctx_fail(m->ctx, WEFT_E_DTYPE, "weft_%s: %s is %s; a parameter has a floating dtype, a buffer any",
                      function, name, weft_dtype_name(weft_dtype_of(t)));
        return NULL;
    }
    weft__slot *slot = weft__add_slot(m, function, name, t, buffer);
    if (!slot)
        return NULL;
    if (buffer || weft_set_requires_grad(t, true))
        return t;
    weft__remove_slot(m, slot);
    return NULL;
}

weft_tensor *weft_module_add_parameter(weft_module *module, const char *name, weft_tensor *t)
{
    return add_tensor("module_add_parameter", module, name, t, false);
}

weft_tensor *weft_module_add_buffer(weft_module *module, const char *name, weft_tensor *t)
{
    return add_tensor("module_add_buffer", module, name, t, true);
}

/* ---- Checks that layers share ---- */

void weft__layer_fail(weft__member *m, const char *function, weft_status status, const char *format, ...)
{
    char text[400];
    va_list list;
    va_start(list, format);
    weft_text_list(text, sizeof text, format, list);
    va_end(list);
    weft_ctx_fail(m->ctx, status, "weft_%s: %s %s: %s", function, m->layer->name, m->path[0] ? m->path : "(the model)",
                  text);
}

bool weft__at_least(weft__member *m, const char *function, const char *what, int64_t value, int64_t least)
{
    if (!m || weft_ctx_status(m->ctx) != WEFT_OK)
        return false;
    if (value >= least)
        return true;
    weft__layer_fail(m, function, WEFT_E_INVALID, "%s is %lld; it must be at least %lld", what, (long long)value,
                     (long long)least);
    return false;
}

bool weft__is_share(weft__member *m, const char *function, const char *what, double p)
{
    if (!m || weft_ctx_status(m->ctx) != WEFT_OK)
        return false;
    if (p >= 0 && p <= 1)
        return true;
    weft__layer_fail(m, function, WEFT_E_INVALID, "%s is %g; it must be in [0, 1]", what, p);
    return false;
}

const char *weft__tensor_text(const weft_tensor *t, char *text, size_t size)
{
    if (!t) {
        snprintf(text, size, "NULL");
        return text;
    }
    int at = snprintf(text, size, "%s [", weft_dtype_name(weft_dtype_of(t)));
    for (int d = 0; d < weft_ndim(t) && at >= 0 && (size_t)at < size; d++)
        at += snprintf(text + at, size - (size_t)at, "%s%lld", d ? ", " : "", (long long)weft_size(t, d));
    if (at >= 0 && (size_t)at < size)
        snprintf(text + at, size - (size_t)at, "]");
    return text;
}
