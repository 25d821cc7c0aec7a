/* summary.c - a model as one forward pass shows it. See weft/module.h. */
#define WEFT_NO_CALL_SITES
#include "tree.h"

#include <stdio.h>
#include <string.h>
#include <weft/profile.h>

enum { KERNELS = 1024 };

/* What is known of one module. */
typedef struct record {
    weft_module *handle;
    weft_summary_row row;
    double flops, bytes; /* of the context when it began */
    bool training;       /* before */
} record;

typedef struct looking {
    weft__watch watch; /* first: the callbacks get its address */
    weft_ctx *ctx;
    weft_profile *profile;
    weft_profile_op *kernels;
    record *records;
    int n;
} looking;

/* Work of the context so far. */
static void work_of(looking *l, double *flops, double *bytes)
{
    const int n = weft_profile_ops(l->profile, l->kernels, KERNELS, sizeof *l->kernels);
    *flops = *bytes = 0;
    for (int k = 0; k < n && k < KERNELS; k++) {
        *flops += l->kernels[k].flops;
        *bytes += l->kernels[k].bytes;
    }
}

static void begin(weft__watch *watch, weft__member *m)
{
    record *r = m->watched;
    if (r)
        work_of((looking *)(void *)watch, &r->flops, &r->bytes);
}

static void end(weft__watch *watch, weft__member *m, weft_tensor *y)
{
    record *r = m->watched;
    double flops, bytes;
    if (!r || !y)
        return;
    work_of((looking *)(void *)watch, &flops, &bytes);
    r->row.flops += flops - r->flops;
    r->row.bytes += bytes - r->bytes;
    r->row.ndim = weft_ndim(y);
    r->row.dtype = weft_dtype_of(y);
    r->row.calls++;
    for (int d = 0; d < r->row.ndim; d++)
        r->row.shape[d] = weft_size(y, d);
}

static int depth_of(const weft__member *root, const weft__member *m)
{
    int depth = 0;
    for (; m != root; m = m->parent)
        depth++;
    return depth;
}

/* Every module gets its record and goes to evaluation mode. */
static void begin_all(looking *l, weft__member *root)
{
    record *r = l->records;
    for (weft__member *m = root; m; m = weft__next_module(root, m), r++) {
        weft_module_counts counts = {0};
        weft_module_count(m->handle, &counts, sizeof counts);
        *r = (record){.handle = m->handle, .training = m->training};
        r->row = (weft_summary_row){.path = m->path,
                                    .kind = m->layer->name,
                                    .depth = depth_of(root, m),
                                    .ndim = -1,
                                    .parameters = counts.parameters,
                                    .trainable = counts.trainable};
        m->watched = r;
        m->training = false;
    }
}

static void end_all(looking *l)
{
    for (int k = 0; k < l->n; k++) {
        weft__member *m = weft__module_if(l->records[k].handle);
        if (m) {
            m->watched = NULL;
            m->training = l->records[k].training;
        }
    }
}

/* Runs the model with the records in place. */
static weft_status run(looking *l, weft_module *module, weft_tensor *x)
{
    weft__member *m = weft__module_if(module);
    const int mark = weft_scope_push_no_grad(l->ctx);
    weft__member *root = m->root;
    weft_module *root_handle = root->handle;
    if (weft_profile_begin(l->ctx, &l->profile) == WEFT_OK) {
        begin_all(l, m);
        root->watch = &l->watch;
        weft_forward(module, x);
        if (weft__module_if(root_handle) == root)
            root->watch = NULL;
        end_all(l);
    }
    weft_profile_free(l->profile);
    return weft_scope_pop(l->ctx, mark);
}

/* Calls row for each module; calls_back: it is the program's. */
static weft_status look(const char *function, weft_module *module, weft_tensor *x,
                        void (*row)(void *user, const weft_summary_row *row), void *user, bool calls_back)
{
    weft__member *m = weft__module_of(function, module, weft_ctx_of(x));
    if (!m)
        return WEFT_E_NULL_ARGUMENT;
    looking l = {.watch = {begin, end}, .ctx = m->ctx};
    if (weft_ctx_status(l.ctx) != WEFT_OK)
        return weft_ctx_status(l.ctx);
    if (m->root->watch || !row)
        return weft_ctx_fail(l.ctx, row ? WEFT_E_STATE : WEFT_E_NULL_ARGUMENT, "weft_%s: %s", function,
                             row ? "the model is being looked at already" : "row is NULL");
    for (weft__member *at = m; at; at = weft__next_module(m, at))
        l.n++;
    const size_t bytes = sizeof(record) * (size_t)l.n, kernels = sizeof(weft_profile_op) * KERNELS;
    l.records = weft_ctx_alloc(l.ctx, bytes);
    l.kernels = l.records ? weft_ctx_alloc(l.ctx, kernels) : NULL;
    weft_status status = l.kernels ? run(&l, module, x) : weft_ctx_status(l.ctx);
    for (int k = 0; k < l.n && status == WEFT_OK; k++) {
        if (!weft__module_if(l.records[k].handle))
            continue; /* its names are gone */
        const uint64_t call = calls_back ? weft_callback_begin(l.ctx, "the rows of weft_summary", true) : 1;
        if (call)
            row(user, &l.records[k].row);
        if (!call || (calls_back && !weft_callback_end(l.ctx, function, call)))
            status = weft_ctx_status(l.ctx);
    }
    weft_ctx_free(l.ctx, l.kernels, kernels);
    weft_ctx_free(l.ctx, l.records, bytes);
    return status;
}

weft_status weft_summary(weft_module *module, weft_tensor *x, void (*row)(void *user, const weft_summary_row *row),
                         void *user)
{
    return look("summary", module, x, row, user, true);
}

/* ---- As text ---- */

typedef struct table {
    char *buffer;
    size_t size;
    int at; /* letters */
} table;

static void put(table *t, const char *format, ...) WEFT_PRINTF(2, 3);
static void put(table *t, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    const size_t left = (size_t)t->at < t->size ? t->size - (size_t)t->at : 0;
    const int n = weft_text_list(left ? t->buffer + t->at : NULL, left, format, list);
    va_end(list);
    t->at += n > 0 ? n : 0;
}

/* "1.23 M" */
static const char *amount(double value, char *text, size_t size)
{
    static const char letters[] = " kMGTPE";
    int k = 0;
    for (; value >= 9999.5 && letters[k + 1]; k++)
        value /= 1000;
    weft_text(text, size, k ? "%.4g %c" : "%.0f", value, letters[k]);
    return text;
}

static void put_row(void *user, const weft_summary_row *row)
{
    table *t = user;
    char name[80], shape[120] = "", parameters[24], flops[24], bytes[24];
    const char *last = strrchr(row->path, '.');
    weft_text(name, sizeof name, "%*s%s%s%s", 2 * row->depth, "",
              row->depth == 0 ? row->path
              : last          ? last + 1
                              : row->path,
              row->depth == 0 && !row->path[0] ? "" : ": ", row->kind);
    for (int d = 0, at = 0; d < row->ndim && at < (int)sizeof shape; d++)
        at += snprintf(shape + at, sizeof shape - (size_t)at, "%s%lld%s", d ? ", " : "[", (long long)row->shape[d],
                       d + 1 == row->ndim ? "]" : "");
    if (row->ndim == 0)
        weft_text(shape, sizeof shape, "[]");
    put(t, "%-40s %-22s %10s %10s %10s%s\n", name, row->calls ? shape : "(not called)",
        amount((double)row->parameters, parameters, sizeof parameters), amount(row->flops, flops, sizeof flops),
        amount(row->bytes, bytes, sizeof bytes), row->parameters > 0 && row->trainable == 0 ? "  frozen" : "");
}

int weft_summary_text(weft_module *module, weft_tensor *x, char *buffer, size_t size)
{
    table t = {.buffer = buffer, .size = buffer ? size : 0};
    char trainable[24], bytes[24];
    weft_module_counts counts = {0};
    if (t.size)
        buffer[0] = '\0';
    put(&t, "%-40s %-22s %10s %10s %10s\n", "module", "result", "parameters", "FLOPs", "bytes");
    if (look("summary_text", module, x, put_row, &t, false) != WEFT_OK ||
        weft_module_count(module, &counts, sizeof counts) != WEFT_OK)
        return -1;
    put(&t, "%lld parameters, %s trainable, and %lld values of buffers: %s bytes\n", (long long)counts.parameters,
        amount((double)counts.trainable, trainable, sizeof trainable), (long long)counts.buffers,
        amount((double)counts.bytes, bytes, sizeof bytes));
    return t.at;
}
