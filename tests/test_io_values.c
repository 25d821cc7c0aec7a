/* test_io_values.c - files of tests/files/values, byte by byte as NumPy and other software write them, and of
 * tests/files/models, as PyTorch and gguf do: every tensor's dtype, shape and values, or the refusal. make_files.py and
 * make_models.py say what is in them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* clang-format off */
#include <weft/io.h>
/* clang-format on */
#include "harness/structs.h"
#include "harness/test_ctx.h"
#include "harness/weft_test.h"

#define FILES WEFT_SOURCE_DIR "/tests/files/"

enum { LONGEST = 8192, MOST_ELEMENTS = 256 };

/* A name as JSON writes it, in quotes, with escapes for all that is not ASCII. */
static void read_name(const char *json, char *name, size_t size)
{
    size_t n = 0;
    for (const char *c = json + 1; *c && *c != '"' && n + 5 < size; c++) {
        unsigned code = (unsigned char)*c;
        if (*c == '\\' && c[1] != 'u') {
            c++;
            code = *c == 't' ? '\t' : (unsigned char)*c;
        } else if (*c == '\\') {
            unsigned low;
            (void)sscanf(c + 2, "%4x", &code);
            c += 5;
            if (code >= 0xD800 && code < 0xDC00 && sscanf(c + 1, "\\u%4x", &low) == 1) {
                code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
                c += 6;
            }
        }
        if (code < 0x80) {
            name[n++] = (char)code;
            continue;
        }
        const int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
        name[n++] = (char)((more == 1 ? 0xC0 : more == 2 ? 0xE0 : 0xF0) | code >> 6 * more);
        for (int k = more - 1; k >= 0; k--)
            name[n++] = (char)(0x80 | (code >> 6 * k & 0x3F));
    }
    name[n] = 0;
}

/* line: tensor NAME DTYPE [shape] elements */
static void check_tensor(weft_ctx *ctx, const char *file, char *line, const weft_named_tensor *all, int n)
{
    char name[64], dtype[8];
    int64_t shape[WEFT_MAX_DIMS];
    int ndim = 0;
    const char *json = strtok(line, " ");
    read_name(json, name, sizeof name);
    snprintf(dtype, sizeof dtype, "%s", strtok(NULL, " "));
    char *word = strtok(NULL, " ");
    for (bool more = true; more; word = more ? strtok(NULL, " ") : word) {
        more = !strchr(word, ']');
        const char *digits = word + (*word == '[');
        if (*digits != ']')
            shape[ndim++] = strtoll(digits, NULL, 10);
    }
    weft_tensor *t = weft_named(all, n, name);
    if (!t) {
        WEFT_FAIL("%s: no tensor %s", file, json);
        return;
    }
    if (strcmp(weft_dtype_name(weft_dtype_of(t)), dtype) != 0 || weft_ndim(t) != ndim ||
        memcmp(weft_shape(t), shape, sizeof *shape * (size_t)ndim) != 0) {
        WEFT_FAIL("%s: %s is of another dtype or shape than %s", file, json, dtype);
        return;
    }
    const bool whole = !weft_dtype_is_float(weft_dtype_of(t));
    double real[MOST_ELEMENTS];
    int64_t integers[MOST_ELEMENTS];
    WEFT_REQUIRE(weft_count(t) <= MOST_ELEMENTS);
    const size_t bytes = 8 * (size_t)weft_count(t);
    WEFT_CHECK_OK(weft_read(ctx, weft_cast(t, whole ? WEFT_I64 : WEFT_F64), whole ? (void *)integers : real, bytes));
    for (int64_t k = 0; k < weft_count(t); k++) {
        const char *text = strtok(NULL, " ");
        if (!text) {
            WEFT_FAIL("%s: %s has fewer elements in expected.txt", file, json);
            return;
        }
        const double wanted = strtod(text, NULL);
        const bool same = whole ? integers[k] == strtoll(text, NULL, 10)
                                : memcmp(&real[k], &wanted, sizeof wanted) == 0; /* the sign of a zero too */
        if (!same)
            WEFT_FAIL("%s: element %lld of %s is not %s", file, (long long)k, json, text);
    }
    WEFT_CHECK(!strtok(NULL, " "));
}

typedef struct opened {
    const char *folder;
    weft_ctx *ctx;
    fault_memory memory;
    weft_named_tensor *all;
    char name[64];
    int n, checked, n_files;
    bool refused; /* by weft_load; its message is the context's */
} opened;

/* Ends the checks of a file. */
static void leave(opened *o)
{
    if (!o->name[0])
        return;
    if (!o->refused && o->checked != o->n)
        WEFT_FAIL("%s: %d tensors, of which %d are expected", o->name, o->n, o->checked);
    if (o->refused && o->checked != 1)
        WEFT_FAIL("%s: refused: %s", o->name, weft_ctx_message(o->ctx));
    weft_named_free(o->ctx, o->all, o->n);
    (void)weft_ctx_clear(o->ctx);
    fault_ctx_close(o->ctx, &o->memory);
}

static void enter(opened *o, const char *file)
{
    leave(o);
    *o = (opened){.folder = o->folder, .n_files = o->n_files + 1};
    snprintf(o->name, sizeof o->name, "%.*s", (int)sizeof o->name - 1, file);
    o->ctx = fault_ctx_open(&o->memory);
    char path[1200];
    snprintf(path, sizeof path, FILES "%s/%s", o->folder, o->name);
    weft_source source = WEFT_SOURCE_DEFAULTS;
    source.path = path;
    o->refused = weft_load(o->ctx, &source, NULL, &o->all, &o->n) != WEFT_OK;
}

static void look(opened *o, char *line)
{
    if (strncmp(line, "tensor ", 7) == 0 && o->refused)
        return; /* leave() says why */
    if (strncmp(line, "tensor ", 7) == 0) {
        check_tensor(o->ctx, o->name, line + 7, o->all, o->n);
    } else {
        const char *part = strlen(line) > 8 ? line + 8 : "", *why = strstr(weft_ctx_message(o->ctx), o->name);
        if (!o->refused)
            WEFT_FAIL("%s: taken, but must be refused", o->name);
        else if (!why || !strstr(why + strlen(o->name), part)) /* the file's name says it, too */
            WEFT_FAIL("%s: the message has neither its name nor \"%s\": %s", o->name, part, weft_ctx_message(o->ctx));
        o->n = o->refused ? 0 : o->n;
    }
    o->checked++;
}

static int check_folder(const char *folder)
{
    static char line[LONGEST];
    char path[1200];
    snprintf(path, sizeof path, FILES "%s/expected.txt", folder);
    FILE *list = fopen(path, "r");
    if (!list)
        return 0;
    opened o = {.folder = folder};
    while (fgets(line, sizeof line, list)) {
        line[strcspn(line, "\n")] = 0;
        if (strncmp(line, "file ", 5) == 0)
            enter(&o, line + 5);
        else if (line[0] != '#')
            look(&o, line);
    }
    leave(&o);
    fclose(list);
    return o.n_files;
}

WEFT_TEST(Files, ValuesOfOtherSoftware)
{
    WEFT_CHECK_EQ_INT(check_folder("values"), 72);
}

WEFT_TEST(Files, ModelsOfOtherSoftware)
{
    WEFT_CHECK_EQ_INT(check_folder("models"), 107);
}

WEFT_TEST(Files, AShardThatIsMissing)
{
    fault_memory memory = {0};
    weft_ctx *c = fault_ctx_open(&memory);
    weft_named_tensor *all;
    int n;
    const weft_source source = INIT_SOURCE(.path = FILES "models/missing.safetensors.index.json");
    WEFT_CHECK_EQ_INT(weft_load(c, &source, NULL, &all, &n), WEFT_E_IO);
    WEFT_CHECK_STR_HAS(weft_ctx_message(c), "models/gone.safetensors: No such file");
    weft_ctx_clear(c);
    fault_ctx_close(c, &memory);
}
