/* load.c - loading tensors from files, and listing them. The catalogue of the file comes first; then all that was asked
 * for is weighed against the limits; then the data is read, straight into the tensors' memory. */
#include <stdlib.h>
#include <string.h>
#include "gguf.h"
#include "named.h"
#include "safetensors.h"
#include "stream.h"
#include "torch.h"
#include "utf8.h"

enum { PIECE = 65536 };

typedef enum format { ANY, NPY, NPZ, SAFETENSORS, TORCH, GGUF, INDEX } format;

/* ---- Opening ---- */

/* What a file is, by its first bytes; PyTorch's archives are zip archives at first. */
static format sniff(const unsigned char *p, size_t n, uint64_t size)
{
    if (n >= 9 && p[8] == '{' && weft__little(p, 8) <= size - 8)
        return SAFETENSORS;
    if (n >= 6 && memcmp(p, "\x93NUMPY", 6) == 0)
        return NPY;
    if (n >= 4 && memcmp(p, "GGUF", 4) == 0)
        return GGUF;
    if (weft__torch_is_old(p, n))
        return TORCH;
    if (n > 0 && p[0] == '{')
        return INDEX;
    const bool zip = n >= 4 && p[0] == 'P' && p[1] == 'K';
    return zip && ((p[2] == 3 && p[3] == 4) || (p[2] == 5 && p[3] == 6) || (p[2] == 6 && p[3] == 6)) ? NPZ : ANY;
}

static weft_status open_zip(weft__catalogue *c, format wanted)
{
    const weft_status status = weft__zip_open(c);
    if (status != WEFT_OK || !weft__torch_is(c))
        return status;
    if (wanted == NPZ)
        return weft__source_fail(&c->source, WEFT_E_IO, "it is a file of PyTorch's: weft_load reads it");
    return weft__torch_open(c);
}

static weft_status open_format(weft__catalogue *c, format wanted)
{
    static const char *const names[] = {[NPY] = "an npy",      [NPZ] = "an npz",  [SAFETENSORS] = "a safetensors",
                                        [TORCH] = "a PyTorch", [GGUF] = "a GGUF", [INDEX] = "a JSON"};
    unsigned char start[9];
    const size_t n = c->source.size < sizeof start ? (size_t)c->source.size : sizeof start;
    const weft_status status = weft__source_read(&c->source, 0, start, n);
    if (status != WEFT_OK)
        return status;
    const format is = sniff(start, n, c->source.size);
    const bool fits = wanted == ANY || is == ANY || is == wanted || (wanted == NPZ && is == NPY) ||
                      (wanted == SAFETENSORS && is == INDEX);
    if (!fits)
        return weft__source_fail(&c->source, WEFT_E_IO, "it is %s file: %s", names[is],
                                 is == SAFETENSORS        ? "weft_load_safetensors reads it, or weft_load"
                                 : is == NPZ || is == NPY ? "weft_load_npz reads it, or weft_load"
                                                          : "weft_load reads it");
    switch (is == ANY ? wanted : is) {
    case NPY:
        return weft__npy_open(c);
    case NPZ:
        return open_zip(c, wanted);
    case SAFETENSORS:
        return weft__safetensors_open(c);
    case TORCH:
        return weft__torch_open_old(c);
    case GGUF:
        return weft__gguf_open(c);
    case INDEX:
        return weft__shards_open(c);
    default:
        break;
    }
    return weft__source_fail(&c->source, WEFT_E_IO,
                             "it begins neither like an npz, an npy, a safetensors, a PyTorch nor a GGUF file");
}

static weft_status read_options(weft_ctx *ctx, const char *function, const weft_load_options *given,
                                weft_load_options *o)
{
    static const weft_load_options defaults = WEFT_LOAD_DEFAULTS;
    return weft_struct_in(ctx, function, "weft_load_options", &defaults, given, o);
}

static weft_status check_options(weft_ctx *ctx, const char *function, const weft_load_options *o)
{
    if (o->n_names < 0 || o->max_tensors < 0)
        return weft_ctx_fail(ctx, WEFT_E_INVALID,
                             "weft_%s: n_names is %d and max_tensors %lld; neither may be negative", function,
                             o->n_names, (long long)o->max_tensors);
    for (int k = 0; o->names && k < o->n_names; k++)
        if (!o->names[k])
            return weft_ctx_fail(ctx, WEFT_E_NULL_ARGUMENT, "weft_%s: names[%d] is NULL", function, k);
    return WEFT_OK;
}

static weft_status open_catalogue(weft__catalogue *c, weft_ctx *ctx, const char *function, const weft_source *source,
                                  const weft_load_options *o, format wanted)
{
    *c = (weft__catalogue){.ctx = ctx};
    weft_status status = check_options(ctx, function, o);
    if (status != WEFT_OK)
        return status;
    c->max_bytes = o->max_bytes;
    c->max_tensors = (uint64_t)o->max_tensors;
    c->max_name = o->max_name;
    status = weft__source_open(&c->source, ctx, function, source);
    if (status != WEFT_OK)
        return status;
    status = open_format(c, wanted);
    if (status != WEFT_OK)
        weft__catalogue_close(c);
    return status;
}

/* ---- What is asked for ---- */

static uint64_t bytes_of(const weft__entry *e)
{
    return (uint64_t)e->count * weft_dtype_size(e->element.dtype);
}

static int name_is(const void *name, const void *entry)
{
    return strcmp(name, (*(weft__entry *const *)entry)->name);
}

static weft_status by_names(const weft__catalogue *c, const weft_load_options *o, weft__entry **chosen)
{
    weft_status status = WEFT_OK;
    weft__entry **sorted = weft__catalogue_sort(c, weft__by_name, &status);
    for (int k = 0; k < o->n_names && status == WEFT_OK; k++) {
        weft__entry **found = sorted ? bsearch(o->names[k], sorted, c->n, sizeof *sorted, name_is) : NULL;
        if (found)
            chosen[k] = *found;
        else
            status = weft__source_fail(&c->source, WEFT_E_IO,
                                       "it holds no tensor \"%s\"; weft_list_tensors tells what it holds",
                                       weft__show(o->names[k]).text);
    }
    weft__catalogue_unsort(c, sorted);
    return status;
}

/* Limits hold for all that is loaded together. */
static weft_status weigh(weft__catalogue *c, weft__entry *const *chosen, size_t n)
{
    uint64_t bytes = 0;
    for (size_t k = 0; k < n; k++) {
        const weft_status status = weft__npy_describe(c, chosen[k]);
        if (status != WEFT_OK)
            return status;
        if (chosen[k]->why)
            return weft__entry_fail(c, chosen[k], chosen[k]->why);
        if (__builtin_add_overflow(bytes, bytes_of(chosen[k]), &bytes))
            bytes = UINT64_MAX;
    }
    if (bytes > c->max_bytes)
        return weft__source_fail(&c->source, WEFT_E_IO, "its tensors hold %llu bytes; max_bytes is %llu",
                                 (unsigned long long)bytes, (unsigned long long)c->max_bytes);
    weft_memory_info m;
    const weft_status status = weft_memory(c->ctx, &m, sizeof m);
    if (status == WEFT_OK && (bytes > m.budget_bytes || m.live_bytes > m.budget_bytes - bytes))
        return weft__source_fail(&c->source, WEFT_E_NOMEM,
                                 "its tensors hold %llu bytes; of the context's memory_budget, %zu, %zu are in use",
                                 (unsigned long long)bytes, m.budget_bytes, m.live_bytes);
    return status;
}

/* ---- Data ---- */

/* Where the elements of a file go, one after the other: in Fortran order the first index runs fastest. */
typedef struct place {
    const weft__entry *e;
    unsigned char *to;
    size_t width;
    int64_t at[WEFT_MAX_DIMS], strides[WEFT_MAX_DIMS], offset;
} place;

static place first_place(const weft__entry *e, unsigned char *to)
{
    place p = {.e = e, .to = to, .width = weft_dtype_size(e->element.dtype)};
    int64_t stride = 1;
    for (int d = e->ndim - 1; d >= 0; d--) {
        p.strides[d] = stride;
        stride *= e->shape[d];
    }
    return p;
}

static void next_place(place *p)
{
    if (!p->e->fortran) {
        p->offset++;
        return;
    }
    for (int d = 0; d < p->e->ndim; d++) {
        p->offset += p->strides[d];
        if (++p->at[d] < p->e->shape[d])
            return;
        p->offset -= p->strides[d] * p->e->shape[d];
        p->at[d] = 0;
    }
}

static weft_status convert_all(weft__stream *s, const weft__entry *e, unsigned char *to, const char **why)
{
    const size_t size = (size_t)e->element.bytes, in_piece = PIECE / size;
    weft_status status = WEFT_OK;
    unsigned char *piece = weft__take(s->c->ctx, PIECE, &status);
    place p = first_place(e, to);
    for (int64_t done = 0; piece && done < e->count && status == WEFT_OK && !*why;) {
        const size_t n = e->count - done < (int64_t)in_piece ? (size_t)(e->count - done) : in_piece;
        status = weft__stream_read(s, piece, n * size, why);
        for (size_t k = 0; k < n && status == WEFT_OK && !*why; k++, next_place(&p))
            weft__element_convert(&e->element, piece + k * size, p.to + (size_t)p.offset * p.width);
        done += (int64_t)n;
    }
    weft_ctx_free(s->c->ctx, piece, piece ? PIECE : 0);
    return status;
}

/* Blocks of GGUF files; e has whole ones. */
static weft_status expand_all(weft__stream *s, const weft__entry *e, unsigned char *to, const char **why)
{
    unsigned char block[WEFT__BLOCK_BYTES_MOST];
    float values[WEFT__BLOCK];
    weft_status status = WEFT_OK;
    const size_t bytes = (size_t)weft__block_bytes(e->blocks);
    for (int64_t done = 0; done < e->count && status == WEFT_OK && !*why; done += WEFT__BLOCK) {
        status = weft__stream_read(s, block, bytes, why);
        weft__block_expand(e->blocks, block, values);
        memcpy(to + (size_t)done * sizeof *values, values, sizeof values);
    }
    return status;
}

/* Views of PyTorch's: the bytes that the elements lie in are read at once. */
static weft_status gather(const weft__catalogue *c, const weft__entry *e, unsigned char *to)
{
    weft_status status = WEFT_OK;
    const size_t size = (size_t)e->element.bytes, width = weft_dtype_size(e->element.dtype);
    unsigned char *const from = weft__take(c->ctx, (size_t)e->size, &status);
    if (!from)
        return status;
    int64_t at[WEFT_MAX_DIMS] = {0}, offset = 0;
    status = weft__source_read(&c->source, e->offset, from, (size_t)e->size);
    for (int64_t k = 0; k < e->count && status == WEFT_OK; k++) {
        weft__element_convert(&e->element, from + (size_t)offset * size, to + (size_t)k * width);
        for (int d = e->ndim - 1; d >= 0; d--) {
            offset += e->strides[d];
            if (++at[d] < e->shape[d])
                break;
            offset -= e->strides[d] * e->shape[d];
            at[d] = 0;
        }
    }
    weft_ctx_free(c->ctx, from, (size_t)e->size);
    return status;
}

/* The elements of e, row-major, to `to`. */
static weft_status read_elements(const weft__catalogue *whole, const weft__entry *e, unsigned char *to)
{
    const weft__catalogue *const c = e->in ? e->in : whole;
    weft__stream s;
    const char *why = NULL;
    if (e->strided)
        return gather(c, e, to);
    weft_status status = weft__stream_open(&s, c, e, &why);
    for (uint64_t left = e->head; left > 0 && status == WEFT_OK && !why;) {
        unsigned char skipped[1024];
        const size_t n = left < sizeof skipped ? (size_t)left : sizeof skipped;
        status = weft__stream_read(&s, skipped, n, &why);
        left -= n;
    }
    const bool plain = weft__element_is_plain(&e->element) && (!e->fortran || e->ndim < 2);
    if (status == WEFT_OK && !why)
        status = e->blocks ? expand_all(&s, e, to, &why)
                 : plain   ? weft__stream_read(&s, to, (size_t)bytes_of(e), &why)
                           : convert_all(&s, e, to, &why);
    if (status == WEFT_OK && !why)
        status = weft__stream_finish(&s, &why);
    weft__stream_close(&s);
    return status == WEFT_OK && why ? weft__entry_fail(c, e, why) : status;
}

static weft_status after(weft_ctx *ctx, const weft_tensor *t)
{
    const weft_status status = weft_ctx_status(ctx);
    return t || status != WEFT_OK ? status : WEFT_E_NOMEM; /* a log callback may have cleared it */
}

/* Kept, so that it lives whatever a callback does to its scope. */
static weft_status make_tensor(const weft__catalogue *c, const weft__entry *e, weft_tensor **t)
{
    weft_status status = WEFT_OK;
    if (weft_ctx_on_host(c->ctx)) {
        *t = weft_keep(weft_zeros(c->ctx, e->element.dtype, e->shape, e->ndim));
        status = after(c->ctx, *t);
        return status == WEFT_OK ? read_elements(c, e, weft_data(*t)) : status;
    }
    const size_t bytes = (size_t)bytes_of(e);
    unsigned char *values = weft__take(c->ctx, bytes, &status);
    if (values)
        status = read_elements(c, e, values);
    if (status == WEFT_OK) {
        *t = weft_keep(weft_from_data(c->ctx, e->element.dtype, e->shape, e->ndim, values));
        status = after(c->ctx, *t);
    }
    weft_ctx_free(c->ctx, values, values ? bytes : 0);
    return status;
}

/* In a scope of their own until all are there: half a list is none. */
static weft_status make_all(const weft__catalogue *c, weft__entry *const *chosen, weft_named_tensor *list, size_t n)
{
    const int mark = weft_scope_push(c->ctx);
    weft_status status = mark < 0 ? after(c->ctx, NULL) : WEFT_OK;
    for (size_t k = 0; k < n && status == WEFT_OK; k++)
        status = make_tensor(c, chosen[k], &list[k].tensor);
    for (size_t k = 0; k < n && status == WEFT_OK; k++)
        status = after(c->ctx, weft_escape(list[k].tensor));
    for (size_t k = 0; k < n; k++)
        weft_release(list[k].tensor);
    if (mark < 0)
        return status;
    const weft_status popped = weft_scope_pop(c->ctx, mark);
    return status != WEFT_OK ? status : popped;
}

static weft_status load_chosen(weft__catalogue *c, const weft_load_options *o, weft__entry **chosen, size_t n,
                               weft_named_tensor **tensors)
{
    for (size_t k = 0; !o->names && k < n; k++)
        chosen[k] = &c->entries[k];
    weft_status status = o->names ? by_names(c, o, chosen) : WEFT_OK;
    if (status == WEFT_OK)
        status = weigh(c, chosen, n);
    weft_named_tensor *list = status == WEFT_OK ? weft__named_make(c, chosen, n, &status) : NULL;
    if (!list)
        return status;
    status = make_all(c, chosen, list, n);
    if (status == WEFT_OK)
        *tensors = list;
    else
        weft_named_free(c->ctx, list, (int)n);
    return status;
}

static weft_status load(weft__catalogue *c, const weft_load_options *o, weft_named_tensor **tensors, int *n)
{
    const size_t count = o->names ? (size_t)o->n_names : c->n;
    weft_status status = WEFT_OK;
    if (count > INT32_MAX)
        return weft__source_fail(&c->source, WEFT_E_IO, "it holds %zu tensors, more than 2^31 - 1", count);
    if (count == 0)
        return WEFT_OK;
    weft__entry **chosen = weft__take(c->ctx, count * sizeof *chosen, &status);
    if (!chosen)
        return status;
    status = load_chosen(c, o, chosen, count, tensors);
    weft_ctx_free(c->ctx, chosen, count * sizeof *chosen);
    if (status == WEFT_OK)
        *n = (int)count;
    return status;
}

/* ---- Public ---- */

static weft_status run_load(weft_ctx *ctx, const char *function, const weft_source *source,
                            const weft_load_options *options, format wanted, weft_named_tensor **tensors, int *n)
{
    weft_load_options o;
    weft__catalogue c;
    if (tensors)
        *tensors = NULL;
    if (n)
        *n = 0;
    if (!ctx)
        return WEFT_E_NULL_ARGUMENT;
    if (weft_ctx_status(ctx) != WEFT_OK)
        return weft_ctx_status(ctx);
    if (!tensors || !n || !source)
        return weft_ctx_fail(ctx, WEFT_E_NULL_ARGUMENT, "weft_%s: %s is NULL", function,
                             !source    ? (wanted == ANY ? "the source" : "the path")
                             : !tensors ? "tensors, where the list goes,"
                                        : "n, where its length goes,");
    weft_status status = read_options(ctx, function, options, &o);
    if (status == WEFT_OK)
        status = open_catalogue(&c, ctx, function, source, &o, wanted);
    if (status != WEFT_OK)
        return status;
    status = load(&c, &o, tensors, n);
    weft__catalogue_close(&c);
    return status;
}

static weft_status load_path(weft_ctx *ctx, const char *function, const char *path, format wanted,
                             weft_named_tensor **tensors, int *n)
{
    weft_source source = WEFT_SOURCE_DEFAULTS;
    source.path = path;
    return run_load(ctx, function, path ? &source : NULL, NULL, wanted, tensors, n);
}

weft_status weft_load_npz(weft_ctx *ctx, const char *path, weft_named_tensor **tensors, int *n)
{
    return load_path(ctx, "load_npz", path, NPZ, tensors, n);
}

weft_status weft_load_safetensors(weft_ctx *ctx, const char *path, weft_named_tensor **tensors, int *n)
{
    return load_path(ctx, "load_safetensors", path, SAFETENSORS, tensors, n);
}

weft_status weft_load(weft_ctx *ctx, const weft_source *source, const weft_load_options *options,
                      weft_named_tensor **tensors, int *n)
{
    return run_load(ctx, "load", source, options, ANY, tensors, n);
}

static weft_file_tensor row_of(const weft__entry *e)
{
    weft_file_tensor t = {.name = e->name, .as = e->element.dtype, .ndim = e->ndim, .problem = e->why};
    memcpy(t.dtype, e->dtype, sizeof t.dtype);
    memcpy(t.shape, e->shape, sizeof t.shape);
    t.bytes = e->why ? 0 : bytes_of(e);
    if (!t.problem && e->method == WEFT__DEFLATED && !weft__inflate_here())
        t.problem = "it is compressed, and zlib (libz.so.1) is not on this machine";
    return t;
}

weft_status weft_list_tensors(weft_ctx *ctx, const weft_source *source, const weft_load_options *options,
                              void (*row)(void *user, const weft_file_tensor *tensor), void *user)
{
    weft_load_options o;
    weft__catalogue c;
    if (!ctx)
        return WEFT_E_NULL_ARGUMENT;
    if (weft_ctx_status(ctx) != WEFT_OK)
        return weft_ctx_status(ctx);
    if (!source || !row)
        return weft_ctx_fail(ctx, WEFT_E_NULL_ARGUMENT, "weft_list_tensors: %s is NULL", source ? "row" : "the source");
    weft_status status = read_options(ctx, "list_tensors", options, &o);
    if (status != WEFT_OK)
        return status;
    o.names = NULL;
    o.n_names = 0;
    status = open_catalogue(&c, ctx, "list_tensors", source, &o, ANY);
    if (status != WEFT_OK)
        return status;
    for (size_t k = 0; k < c.n && status == WEFT_OK; k++) {
        status = weft__npy_describe(&c, &c.entries[k]);
        if (status == WEFT_OK) {
            const weft_file_tensor t = row_of(&c.entries[k]);
            const uint64_t call = weft_callback_begin(ctx, "a row callback of weft_list_tensors", false);
            if (call)
                row(user, &t);
            status = call && weft_callback_end(ctx, "list_tensors", call) ? weft_ctx_status(ctx) : WEFT_E_STATE;
        }
    }
    weft__catalogue_close(&c);
    return status;
}
