/* shards.c - a model in several safetensors files: model.safetensors.index.json says under "weight_map" which of the
 * files beside it holds which tensor. The format: https://huggingface.co/docs/safetensors (sharded checkpoints) */
#include <string.h>
#include "catalogue.h"
#include "json_read.h"
#include "utf8.h"

enum { MOST_INDEX = 100000000, MOST_FILES = 4096, MOST_DEPTH = 64, MOST_PATH = 4096 };

static weft_status broken(const weft__catalogue *c)
{
    return weft__source_fail(
        &c->source, WEFT_E_IO,
        "it is no index of safetensors files: JSON with file names under tensor names in \"weight_map\"");
}

/* The name of a file beside the index, and of nothing else. */
static bool is_file_name(const char *name, size_t length)
{
    return length > 0 && length < 256 && strlen(name) == length && name[0] != '.' && !strchr(name, '/');
}

static weft_status take_pair(weft__catalogue *c, weft__json *j)
{
    weft__entry *e;
    if (!weft__json_text(j))
        return broken(c);
    const char *const name = j->text;
    weft_status status = weft__catalogue_name(c, name, j->length);
    if (status != WEFT_OK)
        return status;
    if (!weft__json_take(j, ':') || !weft__json_text(j))
        return broken(c);
    if (!is_file_name(j->text, j->length))
        return weft__source_fail(&c->source, WEFT_E_IO, "\"%s\" is no name of a file beside it",
                                 weft__show(j->text).text);
    status = weft__catalogue_add(c, &e);
    if (status == WEFT_OK)
        *e = (weft__entry){.name = name, .file = j->text};
    return status;
}

static weft_status take_map(weft__catalogue *c, weft__json *j)
{
    weft_status status = WEFT_OK;
    if (!weft__json_take(j, '{'))
        return broken(c);
    if (weft__json_take(j, '}'))
        return WEFT_OK;
    do
        status = take_pair(c, j);
    while (status == WEFT_OK && weft__json_take(j, ','));
    return status == WEFT_OK && !weft__json_take(j, '}') ? broken(c) : status;
}

static weft_status take_index(weft__catalogue *c, weft__json *j)
{
    weft_status status = WEFT_OK;
    bool found = false;
    if (!weft__json_take(j, '{'))
        return broken(c);
    do {
        if (!weft__json_text(j) || !weft__json_take(j, ':'))
            return broken(c);
        if (strcmp(j->text, "weight_map") == 0 && !found)
            status = take_map(c, j), found = true;
        else if (!weft__json_skip(j, MOST_DEPTH))
            return broken(c);
    } while (status == WEFT_OK && weft__json_take(j, ','));
    return status == WEFT_OK && (!found || !weft__json_take(j, '}')) ? broken(c) : status;
}

static weft_status read_index(weft__catalogue *c)
{
    weft_status status = WEFT_OK;
    if (c->source.size > MOST_INDEX)
        return broken(c);
    status = weft__catalogue_text(c, c->source.size);
    if (status == WEFT_OK)
        status = weft__source_read(&c->source, 0, c->text, c->text_bytes);
    if (status != WEFT_OK)
        return status;
    if (!weft__is_utf8((const char *)c->text, c->text_bytes))
        return broken(c);
    weft__json j = {.p = c->text, .end = c->text + c->text_bytes};
    status = take_index(c, &j);
    weft__json_space(&j);
    if (status == WEFT_OK && j.p != j.end)
        return broken(c);
    return status == WEFT_OK ? weft__catalogue_unique(c) : status;
}

/* ---- The files ---- */

static int by_file(const void *a, const void *b)
{
    const weft__entry *x = *(weft__entry *const *)a, *y = *(weft__entry *const *)b;
    const int order = strcmp(x->file, y->file);
    return order ? order : strcmp(x->name, y->name);
}

static weft_status open_part(weft__catalogue *c, weft__catalogue *part, const char *file)
{
    char path[MOST_PATH];
    const char *const end = strrchr(c->source.path, '/');
    const int folder = end ? (int)(end + 1 - c->source.path) : 0;
    weft_source source = WEFT_SOURCE_DEFAULTS;
    const int length = weft_text(path, sizeof path, "%.*s%s", folder, c->source.path, file);
    if (length < 0 || (size_t)length >= sizeof path)
        return weft__source_fail(&c->source, WEFT_E_IO, "its path is too long");
    source.path = path;
    *part = (weft__catalogue){
        .ctx = c->ctx, .max_bytes = UINT64_MAX, .max_tensors = c->max_tensors, .max_name = c->max_name};
    const weft_status status = weft__source_open(&part->source, c->ctx, c->source.function, &source);
    part->source.path = NULL; /* it ends with this call */
    return status == WEFT_OK ? weft__safetensors_open(part) : status;
}

/* The n entries, sorted by name, are in one file: each becomes what that says. */
static weft_status take_part(weft__catalogue *c, weft__catalogue *part, weft__entry **entries, size_t n)
{
    weft_status status = open_part(c, part, entries[0]->file);
    weft__entry **sorted = status == WEFT_OK ? weft__catalogue_sort(part, weft__by_name, &status) : NULL;
    size_t at = 0;
    for (size_t k = 0; k < n && status == WEFT_OK; k++) {
        weft__entry *const e = entries[k];
        while (sorted && at < part->n && strcmp(sorted[at]->name, e->name) < 0)
            at++;
        if (!sorted || at == part->n || strcmp(sorted[at]->name, e->name) != 0) {
            status =
                weft__source_fail(&c->source, WEFT_E_IO, "%s does not hold the tensor \"%s\" that it is said to hold",
                                  e->file, weft__show(e->name).text);
            break;
        }
        const weft__entry from_index = *e;
        *e = *sorted[at];
        e->name = from_index.name;
        e->file = from_index.file;
        e->in = part;
    }
    weft__catalogue_unsort(part, sorted);
    return status;
}

static weft_status take_parts(weft__catalogue *c, weft__entry **sorted)
{
    weft_status status = WEFT_OK;
    size_t files = 1, part = 0, end;
    for (size_t k = 1; k < c->n; k++)
        files += strcmp(sorted[k]->file, sorted[k - 1]->file) != 0;
    if (files > MOST_FILES)
        return weft__source_fail(&c->source, WEFT_E_IO, "it names %zu files; at most %d are read", files, MOST_FILES);
    c->parts = weft__take(c->ctx, files * sizeof *c->parts, &status);
    if (!c->parts)
        return status;
    c->n_parts = files;
    for (size_t k = 0; k < files; k++)
        c->parts[k] = (weft__catalogue){.ctx = c->ctx, .source.fd = -1};
    for (size_t first = 0; first < c->n && status == WEFT_OK; first = end, part++) {
        for (end = first + 1; end < c->n && strcmp(sorted[end]->file, sorted[first]->file) == 0;)
            end++;
        status = take_part(c, &c->parts[part], sorted + first, end - first);
    }
    return status;
}

weft_status weft__shards_open(weft__catalogue *c)
{
    if (!c->source.path)
        return weft__source_fail(&c->source, WEFT_E_IO, "an index is read from its path, as its files lie beside it");
    weft_status status = read_index(c);
    weft__entry **sorted = status == WEFT_OK ? weft__catalogue_sort(c, by_file, &status) : NULL;
    if (sorted)
        status = take_parts(c, sorted);
    weft__catalogue_unsort(c, sorted);
    return status;
}
