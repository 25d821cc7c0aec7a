/* ops.c - `weft ops`: the reference of operations, searchable. */
#include "command.h"
#include "functions.h"
#include "json.h"
#include "options.h"
#include "terminal.h"

#include <weft/sample.h>

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <weft/sample.h>

static const usage ops_usage = {
    "weft ops", "[NAME | WORD...] [--family NAME] [--coverage] [--json]",
    "The reference of operations, and of what else the headers declare: makers, views of data, optimisers, files,\n"
    "structs of parameters. A name shows one in full: prototype, formula, derivative, domain. Other words look for "
    "what\n"
    "has all of them in its name or description. Without words: all operations, by family.",
    "  weft ops                     every operation, a line each\n"
    "  weft ops gelu                all about weft_gelu\n"
    "  weft ops pool                operations that have to do with pooling\n"
    "  weft ops --family reduce     the reductions\n"
    "  weft ops weft_backward       a function that is no operation\n"
    "  weft ops conv2d_params       a struct; `weft ops conv2d` shows it too\n"
    "  weft ops --coverage          how many operations each family has, with derivatives, in PyTorch, NumPy, ONNX\n"
    "  weft ops --family function   every function that is no operation\n"
    "  weft ops gelu --json         for programs\n"};

/* ---- Searching ---- */

static bool has_word(const char *text, const char *word)
{
    size_t length = strlen(word);
    for (; *text; text++) {
        size_t k = 0;
        while (k < length && text[k] && tolower((unsigned char)text[k]) == tolower((unsigned char)word[k]))
            k++;
        if (k == length)
            return true;
    }
    return false;
}

static bool fits(const weft_op_description *op, int n_words, char **words, const char *family)
{
    if (family && strcmp(op->family_name, family) != 0)
        return false;
    for (int w = 0; w < n_words; w++)
        if (!has_word(op->name, words[w]) && !has_word(op->doc, words[w]) && !has_word(op->family_name, words[w]))
            return false;
    return true;
}

static weft_op_description describe(int index)
{
    weft_op_description op = {0};
    (void)weft_op_describe(index, &op, sizeof op);
    return op;
}

/* Fills found with the indices that fit, at most weft_op_count() of them. */
static int search(int *found, int n_words, char **words, const char *family)
{
    int n = 0;
    for (int k = 0; k < weft_op_count(); k++) {
        weft_op_description op = describe(k);
        if (fits(&op, n_words, words, family))
            found[n++] = k;
    }
    return n;
}

/* What an operation's parameters are declared as, and other functions and types that fit. */
static bool declared_fits(const declared *d, int n_words, char **words, const char *family)
{
    if (family && strcmp(d->kind, family) != 0)
        return false;
    for (int w = 0; w < n_words; w++)
        if (!has_word(d->name, words[w]) && !has_word(d->doc, words[w]) && !has_word(d->header, words[w]))
            return false;
    return true;
}

static int search_declared(const declared **found, int n_words, char **words, const char *family)
{
    int n = 0;
    for (int k = 0; k < declared_count(); k++)
        if (declared_fits(declared_at(k), n_words, words, family))
            found[n++] = declared_at(k);
    return n;
}

/* ---- Text ---- */

static void field(const char *key, const char *text)
{
    if (text)
        say(stdout, "  %s%-16s%s %s\n", style(stdout, STYLE_DIM), key, style(stdout, STYLE_PLAIN), text);
}

static void print_kink(const weft_op_description *op)
{
    char text[64];
    if (isnan(op->kink))
        return;
    if (isinf(op->kink))
        weft_text(text, sizeof text, "the derivative jumps at steps or ties");
    else
        weft_text(text, sizeof text, "the derivative jumps at %g", op->kink);
    field("kink", text);
}

/* Other operations whose name has this one's name in it. */
static void print_related(const char *name)
{
    int n = 0;
    for (int k = 0; k < weft_op_count(); k++) {
        weft_op_description op = describe(k);
        if (strcmp(op.name, name) != 0 && has_word(op.name, name))
            say(stdout, "%s%s", n++ ? ", " : "\n  see also: ", op.name);
    }
    if (n)
        putchar('\n');
}

static bool is_name_letter(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

/* Whether name stands in text by itself. */
static bool mentions(const char *text, const char *name)
{
    const size_t length = strlen(name);
    for (const char *at = strstr(text, name); at; at = strstr(at + 1, name))
        if ((at == text || !is_name_letter(at[-1])) && !is_name_letter(at[length]))
            return true;
    return false;
}

/* The structs and enums that a parameter list names. */
static void print_types(const char *parameters)
{
    static const char *const known[] = {"weft_tensor", "weft_ctx", "weft_status", "weft_dtype"};
    for (int k = 0; k < declared_count(); k++) {
        const declared *d = declared_at(k);
        bool plain = strcmp(d->kind, "type") != 0 || !mentions(parameters, d->name);
        for (size_t j = 0; j < sizeof known / sizeof *known; j++)
            plain = plain || strcmp(d->name, known[j]) == 0;
        if (!plain)
            say(stdout, "\n%s%s%s%s\n", d->doc, d->doc[0] ? "\n" : "", d->text, ";");
    }
}

/* The dtypes that an operation may be called with on the devices of a kind: "f32, f64", "every dtype", "no dtype". */
static const char *dtypes_on(const char *kind, const char *name, char text[64])
{
    size_t used = 0;
    int n = 0;
    text[0] = 0;
    for (int d = 0; d < WEFT_DTYPE_COUNT; d++) {
        if (weft_device_supports(kind, name, (weft_dtype)d, NULL, 0) != WEFT_OK)
            continue;
        used += (size_t)weft_text(text + used, 64 - used, "%s%s", n++ ? ", " : "", weft_dtype_name((weft_dtype)d));
    }
    return n == 0 ? "no dtype" : n == WEFT_DTYPE_COUNT ? "every dtype" : text;
}

/* Where it runs: a line for each kind of device that this machine has. */
static void print_devices(const char *name)
{
    char key[32], text[64];
    for (int k = 0; weft_device_kind(k); k++) {
        if (weft_device_count(weft_device_kind(k)) == 0)
            continue;
        weft_text(key, sizeof key, "on %s", weft_device_kind(k));
        field(key, dtypes_on(weft_device_kind(k), name, text));
    }
}

/* What it is elsewhere, and how exact. */
static void print_elsewhere(const weft_op_description *op)
{
    char text[64];
    field("PyTorch", op->pytorch);
    field("NumPy", op->numpy);
    field("ONNX", op->onnx);
    if (isnan(op->ulp))
        return;
    weft_text(text, sizeof text, "%.2f ulp at most in f32", op->ulp);
    field("error", text);
}

static const char *gradient_in_words(const char *op)
{
    weft_sample_description how;
    return weft_sample_describe(weft_op_find(op), &how, sizeof how) == WEFT_OK ? how.gradient : NULL;
}

static void print_one(const weft_op_description *op)
{
    const char *space = strchr(op->result, '*') ? "" : " ";
    say(stdout, "%s%s%sweft_%s%s%s\n\n  %s\n\n", op->result, space, style(stdout, STYLE_BOLD), op->name,
        style(stdout, STYLE_PLAIN), op->parameters, op->doc);
    field("family", op->family_name);
    if (op->formula || op->family == WEFT_OP_FAMILY_REDUCE)
        field("dtypes",
              op->floating_only ? "floating; integers become f32 first" : "all; integers are computed in i64");
    print_devices(op->name);
    field("value", op->formula);
    field(op->gradient_b ? "gradient of a" : "gradient", op->gradient);
    field("gradient of b", op->gradient_b);
    if (op->differentiable && !op->gradient)
        field("gradient", gradient_in_words(op->name));
    if (op->differentiable)
        field("derivatives", "of every order");
    field("not differentiable", op->no_gradient);
    print_elsewhere(op);
    if (op->gradient) {
        char text[64];
        weft_text(text, sizeof text, "[%g, %g]", op->lo, op->hi);
        field("test domain", text);
        print_kink(op);
        say(stdout,
            "\n  %sM(f) is the math function f for the dtype, K(c) a constant of it, p and q the numbers,\n"
            "  y the result, g the gradient that arrives.%s\n",
            style(stdout, STYLE_DIM), style(stdout, STYLE_PLAIN));
    }
    print_types(op->parameters);
    if (op->differentiable)
        say(stdout, "\n  weft gradcheck %s     checks this derivative on this machine\n", op->name);
    print_related(op->name);
}

static void print_declared(const declared *d)
{
    say(stdout, "%s;\n\n", d->text);
    if (d->doc[0])
        say(stdout, "  %s\n\n", d->doc);
    field("header", d->header);
    if (strcmp(d->kind, "function") == 0)
        print_types(d->text);
}

static void print_declared_list(const declared *const *found, int n)
{
    const char *header = "";
    for (int k = 0; k < n; k++) {
        const declared *d = found[k];
        if (strcmp(header, d->header) != 0)
            say(stdout, "\n%s%s%s, no operations\n", style(stdout, STYLE_BOLD), d->header, style(stdout, STYLE_PLAIN));
        header = d->header;
        const size_t room = (size_t)terminal_width(stdout) - 34, end = strcspn(d->doc, ".:;");
        const size_t shown = end < room ? end : room;
        say(stdout, "  %s%-30s%s %.*s\n", style(stdout, STYLE_ACCENT), d->name, style(stdout, STYLE_PLAIN), (int)shown,
            d->doc);
    }
}

static void print_list(const int *found, int n)
{
    const char *family = "";
    for (int k = 0; k < n; k++) {
        weft_op_description op = describe(found[k]);
        if (strcmp(family, op.family_name) != 0)
            say(stdout, "%s%s%s%s\n", k ? "\n" : "", style(stdout, STYLE_BOLD), op.family_name,
                style(stdout, STYLE_PLAIN));
        family = op.family_name;
        int room = terminal_width(stdout) - 24;
        bool cut = is_terminal(stdout) && room > 20 && (int)strlen(op.doc) > room;
        say(stdout, "  %s%-20s%s %.*s%s\n", style(stdout, STYLE_ACCENT), op.name, style(stdout, STYLE_PLAIN),
            cut ? room - 3 : 1000, op.doc, cut ? "..." : "");
    }
    if (n > 1 && is_terminal(stdout))
        say(stdout, "\n%d operations; `weft ops NAME` shows one in full, `weft ops --family function` what is none\n",
            n);
}

/* ---- JSON ---- */

static void json_device(json *j, const char *kind, const char *name)
{
    json_object(j, NULL);
    json_text(j, "kind", kind);
    json_row(j, "dtypes");
    for (int d = 0; d < WEFT_DTYPE_COUNT; d++)
        if (weft_device_supports(kind, name, (weft_dtype)d, NULL, 0) == WEFT_OK)
            json_text(j, NULL, weft_dtype_name((weft_dtype)d));
    json_close(j);
    json_close(j);
}

static void json_op(json *j, const weft_op_description *op)
{
    json_object(j, NULL);
    json_text(j, "name", op->name);
    json_text(j, "family", op->family_name);
    json_text(j, "result", op->result);
    json_text(j, "parameters", op->parameters);
    json_text(j, "doc", op->doc);
    json_bool(j, "floating_only", op->floating_only);
    json_bool(j, "differentiable", op->differentiable);
    json_text(j, "no_gradient", op->no_gradient);
    json_text(j, "formula", op->formula);
    json_text(j, "gradient", op->gradient || !op->differentiable ? op->gradient : gradient_in_words(op->name));
    json_text(j, "gradient_b", op->gradient_b);
    json_row(j, "domain");
    json_real(j, NULL, op->lo);
    json_real(j, NULL, op->hi);
    json_close(j);
    json_text(j, "pytorch", op->pytorch);
    json_text(j, "numpy", op->numpy);
    json_text(j, "onnx", op->onnx);
    json_real(j, "ulp", op->ulp);
    json_array(j, "devices");
    for (int k = 0; weft_device_kind(k); k++)
        if (weft_device_count(weft_device_kind(k)) > 0)
            json_device(j, weft_device_kind(k), op->name);
    json_close(j);
    json_close(j);
}

static void json_declared(json *j, const declared *d)
{
    json_object(j, NULL);
    json_text(j, "name", d->name);
    json_text(j, "kind", d->kind);
    json_text(j, "header", d->header);
    json_text(j, "declaration", d->text);
    json_text(j, "doc", d->doc);
    json_close(j);
}

static void print_json(const int *found, int n, const declared *const *others, int n_others)
{
    json j = json_begin(stdout);
    json_object(&j, NULL);
    json_text(&j, "schema", "weft-ops/1");
    json_array(&j, "ops");
    for (int k = 0; k < n; k++) {
        weft_op_description op = describe(found[k]);
        json_op(&j, &op);
    }
    json_close(&j);
    json_array(&j, "declared");
    for (int k = 0; k < n_others; k++)
        json_declared(&j, others[k]);
    json_close(&j);
    json_close(&j);
}

/* ---- Coverage ---- */

/* Those of operations come first. */
static const char *const families[] = {"unary",  "unary_p", "predicate", "binary", "compare",  "integer", "ternary",
                                       "reduce", "view",    "composite", "custom", "function", "type"};
enum { N_FAMILIES = sizeof families / sizeof *families, OP_FAMILIES = N_FAMILIES - 2 };

typedef struct coverage {
    int operations, differentiable, pytorch, numpy, onnx;
} coverage;

static void cover(coverage *c, const weft_op_description *op)
{
    c->operations++;
    c->differentiable += op->differentiable;
    c->pytorch += op->pytorch[0] != '-';
    c->numpy += op->numpy[0] != '-';
    c->onnx += op->onnx[0] != '-';
}

static coverage cover_family(const char *family)
{
    coverage c = {0};
    for (int k = 0; k < weft_op_count(); k++) {
        const weft_op_description op = describe(k);
        if (!family || strcmp(op.family_name, family) == 0)
            cover(&c, &op);
    }
    return c;
}

static void print_coverage_line(const char *family, const coverage *c)
{
    say(stdout, "%-12s %10d %14d %8d %8d %8d\n", family, c->operations, c->differentiable, c->pytorch, c->numpy,
        c->onnx);
}

static void print_coverage(void)
{
    say(stdout, "%s%-12s %10s %14s %8s %8s %8s%s\n", style(stdout, STYLE_BOLD), "family", "operations",
        "differentiable", "PyTorch", "NumPy", "ONNX", style(stdout, STYLE_PLAIN));
    for (int f = 0; f < OP_FAMILIES; f++) {
        const coverage c = cover_family(families[f]);
        print_coverage_line(families[f], &c);
    }
    const coverage all = cover_family(NULL);
    print_coverage_line("all", &all);
    say(stdout,
        "\n  Derivatives exist to every order. PyTorch, NumPy, ONNX: there is an operation or an expression for\n"
        "  it; `weft ops NAME` says which.\n");
}

static void json_coverage(void)
{
    json j = json_begin(stdout);
    json_object(&j, NULL);
    json_text(&j, "schema", "weft-coverage/1");
    json_array(&j, "families");
    for (int f = 0; f < OP_FAMILIES; f++) {
        const coverage c = cover_family(families[f]);
        json_object(&j, NULL);
        json_text(&j, "family", families[f]);
        json_int(&j, "operations", c.operations);
        json_int(&j, "differentiable", c.differentiable);
        json_int(&j, "pytorch", c.pytorch);
        json_int(&j, "numpy", c.numpy);
        json_int(&j, "onnx", c.onnx);
        json_close(&j);
    }
    json_close(&j);
    json_close(&j);
}

/* ---- The command ---- */

static bool is_family(const char *name)
{
    for (int k = 0; k < N_FAMILIES; k++)
        if (strcmp(families[k], name) == 0)
            return true;
    const char *near = suggest(name, families, N_FAMILIES);
    complain("there is no family \"%s\"%s%s%s; `weft ops --help` lists them", name, near ? "; did you mean \"" : "",
             near ? near : "", near ? "\"" : "");
    return false;
}

static const char *nearest(const char *word)
{
    const int n_ops = weft_op_count(), n = n_ops + declared_count();
    const char **names = take((size_t)n * sizeof *names);
    for (int k = 0; k < n; k++)
        names[k] = k < n_ops ? describe(k).name : declared_at(k - n_ops)->name;
    const char *near = suggest(word, names, n);
    free(names);
    return near;
}

static int nothing_found(int n, char **words, const char *family)
{
    const char *near = n == 1 && !family ? nearest(words[0]) : NULL;
    const int known = n == 1 ? weft_op_find(words[0]) : -1;
    if (known >= 0)
        complain("weft_%s is of the family %s, not of %s", describe(known).name, describe(known).family_name, family);
    else if (n == 1)
        complain("no operation, function or type fits \"%s\"%s%s%s%s; `weft ops` lists the operations", words[0],
                 family ? " in the family " : "", family ? family : "", near ? "; did you mean " : "",
                 near ? near : "");
    else
        complain("no operation, function or type has all of these words%s%s; `weft ops` lists the operations",
                 family ? " in the family " : "", family ? family : "");
    return EXIT_USAGE;
}

/* What was found: one operation or one other thing in full, more as lists. */
static void print_found(const int *ops, int n_ops, const declared *const *others, int n_others)
{
    if (n_ops == 1 && n_others == 0) {
        const weft_op_description op = describe(ops[0]);
        print_one(&op);
    } else if (n_ops == 0 && n_others == 1) {
        print_declared(others[0]);
    } else {
        print_list(ops, n_ops);
        print_declared_list(others, n_others);
    }
}

int command_ops(int argc, char **argv)
{
    bool as_json = false, only_coverage = false;
    const char *family = NULL;
    const option options[] = {{"family", "NAME",
                               "unary, unary_p, predicate, binary, compare, integer, ternary, reduce, view, composite, "
                               "custom; function, type",
                               OPTION_TEXT, &family, 0, 0},
                              {"coverage", NULL, "count what there is, by family", OPTION_FLAG, &only_coverage, 0, 0},
                              {"json", NULL, "print JSON (schema weft-ops/1)", OPTION_FLAG, &as_json, 0, 0},
                              {0}};
    int status;
    if (!options_parse(&ops_usage, options, &argc, argv, &status))
        return status;
    if (family && !is_family(family))
        return EXIT_USAGE;
    if (only_coverage) {
        if (argc > 1 || family) {
            complain("--coverage counts every operation: it takes no names and no family");
            return EXIT_USAGE;
        }
        if (as_json)
            json_coverage();
        else
            print_coverage();
        return EXIT_FINE;
    }
    const int n_words = argc - 1, exact = n_words == 1 && !family ? weft_op_find(argv[1]) : -1;
    const declared *named = n_words == 1 && !family && exact < 0 ? declared_find(argv[1]) : NULL;
    int *ops = take((size_t)weft_op_count() * sizeof *ops), n_ops = 0, n_others = 0;
    const declared **others = take((size_t)declared_count() * sizeof *others);
    if (exact >= 0)
        ops[n_ops++] = exact;
    else if (named)
        others[n_others++] = named;
    else
        n_ops = search(ops, n_words, argv + 1, family);
    if (exact < 0 && !named && (n_words > 0 || family))
        n_others = search_declared(others, n_words, argv + 1, family);
    if (n_ops + n_others == 0)
        status = nothing_found(n_words, argv + 1, family);
    else if (as_json)
        print_json(ops, n_ops, others, n_others);
    else
        print_found(ops, n_ops, others, n_others);
    free(ops);
    free(others);
    return n_ops + n_others == 0 ? status : EXIT_FINE;
}
