/* lora.c - low-rank adapters of linear layers. See weft/nn.h. */
#define WEFT_NO_CALL_SITES
#include "tree.h"

#include <math.h>
#include <string.h>

static const char part[] = "lora_", prefix[] = "base_model.model.";

static bool is_chosen(const weft__member *root, const weft__member *m, const char *pattern)
{
    return weft__is_linear(m) && weft__named_by(pattern, weft__name_from(root, m->path));
}

static void take_away(weft__member *m)
{
    if (m->lora.a)
        weft__remove_slot(m, m->lora.a);
    if (m->lora.b)
        weft__remove_slot(m, m->lora.b);
    m->lora = (weft__lora){0};
}

static weft__slot *add(weft__member *m, const char *name, weft_tensor *t)
{
    weft_set_requires_grad(t, true);
    weft__slot *slot = weft__add_slot(m, "lora_add", name, t, false);
    weft_drop(t);
    return slot;
}

/* One adapter; what is not complete is taken away by the caller. */
static void give(weft__member *m, const weft_lora_options *o)
{
    weft_tensor *w = weft__own_tensor(m, "weight");
    if (!w || weft_ctx_status(m->ctx) != WEFT_OK)
        return;
    const int64_t in = weft_size(w, 1), out = weft_size(w, 0);
    m->lora.a = add(m, "lora_A.weight", weft_zeros(m->ctx, weft_dtype_of(w), WEFT_DIMS(o->rank, in)));
    m->lora.b = add(m, "lora_B.weight", weft_zeros(m->ctx, weft_dtype_of(w), WEFT_DIMS(out, o->rank)));
    m->lora.scale = o->alpha / (double)o->rank;
    m->lora.dropout = o->dropout;
    if (m->lora.a && m->lora.b)
        weft_init_layer_(m->lora.a->tensor, NULL);
}

static void freeze_others(weft__member *root)
{
    weft__slots at = weft__slots_of(root);
    for (const weft__slot *slot = weft__next_slot(&at); slot; slot = weft__next_slot(&at))
        if (!slot->buffer && slot != at.module->lora.a && slot != at.module->lora.b)
            weft_set_requires_grad(slot->tensor, false);
}

/* How many layers the pattern names; -1 if that cannot be. */
static int count(weft__member *root, const char *pattern, const weft_lora_options *o)
{
    int n = 0;
    if (!weft__at_least(root, "lora_add", "the option rank", o->rank, 1) ||
        !weft__is_share(root, "lora_add", "the option dropout", o->dropout))
        return -1;
    if (!isfinite(o->alpha)) {
        weft__layer_fail(root, "lora_add", WEFT_E_INVALID, "the option alpha is %g; it must be finite", o->alpha);
        return -1;
    }
    for (weft__member *m = root; m && pattern; m = weft__next_module(root, m)) {
        if (!is_chosen(root, m, pattern))
            continue;
        if (m->lora.a) {
            weft__layer_fail(m, "lora_add", WEFT_E_STATE, "it has an adapter already; weft_lora_remove takes it away");
            return -1;
        }
        n++;
    }
    if (n > 0)
        return n;
    weft__layer_fail(root, "lora_add", WEFT_E_INVALID, "no linear layer is named by \"%.60s\"",
                     pattern ? pattern : "(NULL)");
    return -1;
}

int weft_lora_add(weft_module *module, const char *pattern, const weft_lora_options *options)
{
    static const weft_lora_options defaults = WEFT_LORA_DEFAULTS;
    weft_lora_options o;
    weft__member *root = weft__module_of("lora_add", module, NULL);
    if (!root || weft_ctx_status(root->ctx) != WEFT_OK ||
        weft_struct_in(root->ctx, "lora_add", "weft_lora_options", &defaults, options, &o) != WEFT_OK)
        return -1;
    const int n = count(root, pattern, &o);
    if (n < 0)
        return -1;
    for (weft__member *m = root; m; m = weft__next_module(root, m))
        if (is_chosen(root, m, pattern))
            give(m, &o);
    const bool failed = weft_ctx_status(root->ctx) != WEFT_OK;
    for (weft__member *m = root; m && failed; m = weft__next_module(root, m))
        if (is_chosen(root, m, pattern))
            take_away(m);
    if (failed)
        return -1;
    if (o.freeze)
        freeze_others(root);
    return weft_ctx_status(root->ctx) == WEFT_OK ? n : -1;
}

/* weight += share B A, or -=. */
static void put_in(weft__member *m, double share)
{
    weft_tensor *w = weft__own_tensor(m, "weight"), *product = weft_matmul(m->lora.b->tensor, m->lora.a->tensor);
    weft_add_(w, weft_mul_scalar(product, share));
}

static weft_status merge(const char *function, weft_module *module, bool on)
{
    weft__member *root = weft__module_of(function, module, NULL);
    if (!root)
        return WEFT_E_NULL_ARGUMENT;
    for (weft__member *m = root; m && weft_ctx_status(root->ctx) == WEFT_OK; m = weft__next_module(root, m)) {
        if (!m->lora.a || m->lora.merged == on)
            continue;
        const int mark = weft_scope_push_no_grad(m->ctx);
        put_in(m, on ? m->lora.scale : -m->lora.scale);
        if (weft_scope_pop(m->ctx, mark) == WEFT_OK)
            m->lora.merged = on;
    }
    return weft_ctx_status(root->ctx);
}

weft_status weft_lora_merge(weft_module *module)
{
    return merge("lora_merge", module, true);
}

weft_status weft_lora_unmerge(weft_module *module)
{
    return merge("lora_unmerge", module, false);
}

weft_status weft_lora_remove(weft_module *module)
{
    weft__member *root = weft__module_of("lora_remove", module, NULL);
    if (!root)
        return WEFT_E_NULL_ARGUMENT;
    for (weft__member *m = root; m; m = weft__next_module(root, m))
        take_away(m);
    return weft_ctx_status(root->ctx);
}

weft_status weft_lora_save(weft_module *module, const char *path)
{
    weft__member *m = weft__module_of("lora_save", module, NULL);
    return m ? weft__module_save_file(m, "lora_save", part, path, prefix, 0) : WEFT_E_NULL_ARGUMENT;
}

weft_status weft_lora_load(weft_module *module, const char *path)
{
    weft_module_load_options o = WEFT_MODULE_LOAD_DEFAULTS;
    o.prefix = prefix;
    weft__member *m = weft__module_of("lora_load", module, NULL);
    return m ? weft__module_load_file(m, "lora_load", part, path, &o) : WEFT_E_NULL_ARGUMENT;
}
