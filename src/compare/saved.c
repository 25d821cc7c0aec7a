/* saved.c - one launch in an npz file, with what is needed to run it again:
 *
 *   launch        i64: version, gradient of the row?, phase, n_in, n_out, has attributes, line
 *   op, name      u8: texts      file  u8: the source file of the call
 *   ints, reals   the attributes
 *   in_K, out_K   inputs, and results of the reference, in row-major order; absent ones are missing
 *   in_K_strides  i64: how input K lay in memory; out_K_strides likewise; last entry: the input whose memory it is,
 *                 or -1
 *   other_K       results of the other context: for reading, not needed for a rerun */
#include <stdio.h>
#include <string.h>
#include "lockstep.h"
#include <weft/io.h>

enum { VERSION = 1, MOST_ENTRIES = 4096, HEADER = 7 };

typedef struct saver {
    weft_ctx *ctx;
    weft_named_tensor *entries;
    char (*names)[24];
    int n, room;
} saver;

static void add(saver *s, weft_tensor *t, const char *format, int k)
{
    if (s->n == s->room || !t)
        return;
    const int length = weft_text(s->names[s->n], sizeof s->names[0], format, k);
    if (length < 0 || (size_t)length >= sizeof s->names[0])
        return;
    s->entries[s->n] = (weft_named_tensor){s->names[s->n], t};
    s->n++;
}

static weft_tensor *numbers(weft_ctx *ctx, const int64_t *i, int n)
{
    return weft_from_data(ctx, WEFT_I64, (const int64_t[]){n}, 1, i);
}

static weft_tensor *text_tensor(weft_ctx *ctx, const char *text)
{
    return weft_from_data(ctx, WEFT_U8, (const int64_t[]){(int64_t)strlen(text)}, 1, text);
}

/* Row-major elements of a held array. */
static weft_tensor *dense(weft_ctx *ctx, const weft__held *h)
{
    weft_tensor *t = weft__new(ctx, -1, (weft_dtype)h->a.dtype, h->a.shape, h->a.ndim);
    if (!t || t->a.count == 0)
        return t;
    const weft_status status = weft__copy_array(ctx, &h->a, &t->a); /* ctx is on the CPU, as the held array */
    return status == WEFT_OK ? t : NULL;
}

static void add_held(saver *s, const weft__held *h, const char *data, const char *strides, int k)
{
    if (!h->block)
        return;
    add(s, dense(s->ctx, h), data, k);
    int64_t layout[WEFT__MAX_DIMS + 1];
    memcpy(layout, h->a.strides, sizeof h->a.strides);
    layout[h->a.ndim] = h->shares;
    if (strides)
        add(s, numbers(s->ctx, layout, h->a.ndim + 1), strides, k);
}

static void add_all(saver *s, const weft__frozen *f, const weft__held *got)
{
    const int64_t header[HEADER] = {VERSION, f->grad, f->phase, f->n_in, f->n_out, f->has_attrs, f->site.line};
    add(s, numbers(s->ctx, header, HEADER), "launch", 0);
    add(s, text_tensor(s->ctx, weft__ops[f->op].name), "op", 0);
    add(s, text_tensor(s->ctx, f->name), "name", 0);
    add(s, text_tensor(s->ctx, f->site.file ? f->site.file : ""), "file", 0);
    if (f->has_attrs) {
        add(s, numbers(s->ctx, f->attrs.numbers.i, f->attrs.ni), "ints", 0);
        add(s, weft_from_data(s->ctx, WEFT_F64, (const int64_t[]){f->attrs.nf}, 1, f->attrs.numbers.f), "reals", 0);
    }
    for (int k = 0; k < f->n_in; k++)
        add_held(s, &f->in[k], "in_%d", "in_%d_strides", k);
    for (int k = 0; k < f->n_out; k++) {
        add_held(s, &f->out[k], "out_%d", "out_%d_strides", k);
        add_held(s, &got[k], "other_%d", NULL, k);
    }
}

weft_status weft__save_launch(weft_ctx *ctx, const char *path, const weft__frozen *f, const weft__held *got)
{
    saver s = {.ctx = ctx, .room = 2 * f->n_in + 3 * f->n_out + HEADER};
    const size_t entries = sizeof *s.entries * (size_t)s.room, names = sizeof *s.names * (size_t)s.room;
    const int mark = weft_scope_push(ctx);
    s.entries = weft__host_alloc(ctx, entries);
    s.names = weft__host_alloc(ctx, names);
    if (s.entries && s.names && mark >= 0) {
        add_all(&s, f, got);
        if (ctx->status == WEFT_OK && weft_save_npz(ctx, path, s.entries, s.n) != WEFT_OK)
            weft__log(f->owner, WEFT_LOG_LEVEL_WARNING, "weft_lockstep: the bad operation is not saved: %s",
                      ctx->message);
    }
    if (s.entries)
        weft__host_free(ctx, s.entries, entries);
    if (s.names)
        weft__host_free(ctx, s.names, names);
    return mark >= 0 ? weft_scope_pop(ctx, mark) : ctx->status;
}

/* ---- Reading it back ---- */

typedef struct loader {
    weft_ctx *ctx; /* on the CPU */
    const weft_named_tensor *all;
    int n;
    const char *path;
    char name[48], file[256];
} loader;

static weft_status unfit(const loader *l, const char *what)
{
    return weft__fail_named(l->ctx, "replay", WEFT_E_IO,
                            "%s is not a launch that weft_lockstep saved: %s; save it again with this version", l->path,
                            what);
}

static weft_tensor *entry(const loader *l, const char *format, int k, weft_dtype dtype)
{
    char name[32];
    weft_text(name, sizeof name, format, k);
    weft_tensor *t = weft_named(l->all, l->n, name);
    return t && (dtype == WEFT_DTYPE_COUNT || (t->a.dtype == (int32_t)dtype && t->a.ndim == 1)) ? t : NULL;
}

static void read_text(const loader *l, const char *name, char *text, size_t size)
{
    const weft_tensor *t = entry(l, name, 0, WEFT_U8);
    const size_t n = t ? (size_t)t->a.count < size - 1 ? (size_t)t->a.count : size - 1 : 0;
    if (n)
        memcpy(text, t->a.data, n);
    text[n] = '\0';
}

/* The context is on the CPU, which has every kernel there is. */
static int find_op(const weft_ctx *ctx, const char *name)
{
    for (int op = 0; op < WEFT_OP_COUNT; op++)
        if (strcmp(weft__ops[op].name, name) == 0 && (ctx->backend->run[op] || ctx->backend->grad[op]))
            return op;
    return -1;
}

/* The array of entry k in the layout that it had. Strides that reach beyond eight times the data are refused. */
static weft_status load_held(const loader *l, weft__frozen *f, weft__held *h, const char *data, const char *strides,
                             int k)
{
    weft_tensor *t = entry(l, data, k, WEFT_DTYPE_COUNT), *layout = entry(l, strides, k, WEFT_I64);
    h->shares = -1;
    if (!t)
        return WEFT_OK;
    if (!layout || layout->a.count != t->a.ndim + 1)
        return unfit(l, "strides are missing");
    weft__array a = t->a;
    int64_t reach = 1;
    for (int d = 0; d < a.ndim; d++) {
        const int64_t stride = ((const int64_t *)layout->a.data)[d];
        a.strides[d] = stride;
        if (stride < -(INT64_C(1) << 40) || stride > INT64_C(1) << 40)
            return unfit(l, "a stride is absurd");
        reach += (stride < 0 ? -stride : stride) * (a.shape[d] > 0 ? a.shape[d] - 1 : 0);
        if (reach > 8 * (a.count + 4096))
            return unfit(l, "strides reach far beyond the data");
    }
    weft__refresh(&a);
    if (!weft__held_make(f->owner, &a, h))
        return weft__fail_named(l->ctx, "replay", WEFT_E_NOMEM, "out of memory for %s", weft__describe(t).s);
    memset(h->block, 0xFF, h->bytes);
    const int64_t shares = ((const int64_t *)layout->a.data)[a.ndim];
    h->shares = shares >= 0 && shares < f->n_in ? (int)shares : -1;
    return a.count > 0 ? weft__copy_array(l->ctx, &t->a, &h->a) : WEFT_OK;
}

static weft_status load_attrs(const loader *l, weft__frozen *f)
{
    const weft_tensor *ints = entry(l, "ints", 0, WEFT_I64), *reals = entry(l, "reals", 0, WEFT_F64);
    if (!ints || !reals || ints->a.count > WEFT__MAX_INT_ATTRS || reals->a.count > WEFT__MAX_REAL_ATTRS)
        return unfit(l, "attributes are missing or too many");
    f->attrs.ni = (int32_t)ints->a.count;
    f->attrs.nf = (int32_t)reals->a.count;
    if (ints->a.count)
        memcpy(f->attrs.numbers.i, ints->a.data, sizeof *f->attrs.numbers.i * (size_t)ints->a.count);
    if (reals->a.count)
        memcpy(f->attrs.numbers.f, reals->a.data, sizeof *f->attrs.numbers.f * (size_t)reals->a.count);
    return WEFT_OK;
}

static weft_status load_launch(loader *l, weft__frozen *f)
{
    char op[48];
    const weft_tensor *header = entry(l, "launch", 0, WEFT_I64);
    if (!header || header->a.count != HEADER || ((const int64_t *)header->a.data)[0] != VERSION)
        return unfit(l, "there is no entry \"launch\" of this version");
    const int64_t *h = header->a.data;
    read_text(l, "op", op, sizeof op);
    read_text(l, "name", l->name, sizeof l->name);
    read_text(l, "file", l->file, sizeof l->file);
    f->op = find_op(l->ctx, op);
    if (f->op < 0 || h[3] < 0 || h[3] > MOST_ENTRIES || h[4] < 0 || h[4] > MOST_ENTRIES || h[2] < 0 || h[2] > 2)
        return unfit(l, "it names no operation");
    f->grad = h[1] != 0;
    if (!(f->grad ? l->ctx->backend->grad : l->ctx->backend->run)[f->op])
        return unfit(l, "the operation has no such kernel");
    f->phase = (weft__phase)h[2];
    f->n_in = (int)h[3];
    f->n_out = (int)h[4];
    f->has_attrs = h[5] != 0;
    f->site = (weft__site){l->file[0] ? l->file : NULL, (int)h[6]};
    snprintf(f->name, sizeof f->name, "%s", l->name);
    weft_status status = f->has_attrs ? load_attrs(l, f) : WEFT_OK;
    if (status == WEFT_OK)
        status = weft__frozen_lists(f) ? WEFT_OK : WEFT_E_NOMEM;
    for (int k = 0; k < f->n_in && status == WEFT_OK; k++)
        status = load_held(l, f, &f->in[k], "in_%d", "in_%d_strides", k);
    for (int k = 0; k < f->n_out && status == WEFT_OK; k++)
        status = load_held(l, f, &f->out[k], "out_%d", "out_%d_strides", k);
    return status;
}

static weft_status replay(weft_ctx *ctx, weft_ctx *arbiter, const weft__frozen *f, weft_difference *difference)
{
    weft__verdict v;
    weft__held *got = weft__rerun(ctx, f, WEFT__AS_IT_WAS);
    if (!got)
        return ctx->status;
    const bool judged = weft__judge(f, got, arbiter, &v);
    if (judged)
        weft__describe_difference(f, &v, got, arbiter, difference);
    if (judged && v.agrees)
        difference->error = v.relative_l2;
    weft__results_drop(f, got);
    if (!judged) /* where the arbiter does not say why, a copy on the host could not be had */
        return arbiter->status != WEFT_OK ? arbiter->status : WEFT_E_NOMEM;
    return v.agrees ? WEFT_OK : WEFT_E_MISMATCH;
}

weft_status weft_replay(weft_ctx *ctx, const char *path, weft_difference *difference, size_t size)
{
    weft_difference found = {0};
    if (difference) /* also where the call is refused */
        (void)weft_struct_out(NULL, "replay", "weft_difference", &found, sizeof found, difference, size);
    if (!ctx || !path || !difference)
        return weft__fail_named(ctx, "replay", WEFT_E_NULL_ARGUMENT, "needs a path and a place for the difference");
    weft_status status = weft_struct_out(ctx, "replay", "weft_difference", &found, sizeof found, difference, size);
    if (status != WEFT_OK)
        return status;
    weft_ctx *arbiter = weft__open_arbiter(ctx);
    if (!arbiter)
        return ctx->status;
    loader l = {.ctx = arbiter, .path = path};
    weft_named_tensor *all = NULL;
    weft__frozen f = {.owner = arbiter};
    status = weft_load_npz(arbiter, path, &all, &l.n);
    l.all = all;
    if (status == WEFT_OK)
        status = load_launch(&l, &f);
    if (status == WEFT_OK)
        status = replay(ctx, arbiter, &f, &found);
    const bool failed =
        status != WEFT_OK && status != WEFT_E_MISMATCH; /* once judged, only the f64 values may be missing */
    if (failed && arbiter->status != WEFT_OK)
        weft__fail_named(ctx, "replay", arbiter->status, "%s", arbiter->message);
    else if (failed && ctx->status == WEFT_OK)
        weft__fail_named(ctx, "replay", status, "out of host memory for the operation in %s", path);
    weft__frozen_drop(&f);
    weft_named_free(arbiter, all, l.n);
    weft_ctx_close(arbiter);
    (void)weft_struct_out(NULL, "replay", "weft_difference", &found, sizeof found, difference, size);
    return status;
}
