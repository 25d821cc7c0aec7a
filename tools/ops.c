/* ops.c - `weft ops`: the reference of operations, searchable. */
#include "command.h"
#include "json.h"
#include "options.h"
#include "terminal.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <weft/weft.h>

static const usage ops_usage = {
    "weft ops", "[NAME | WORD...] [--family NAME] [--json]",
    "The reference of operations. A name shows one in full: prototype, formula, derivative, domain. Other words look\n"
    "for operations whose name or description has all of them. Without words: all, by family.",
    "  weft ops                     every operation, a line each\n"
    "  weft ops gelu                all about weft_gelu\n"
    "  weft ops pool                operations that have to do with pooling\n"
    "  weft ops --family reduce     the reductions\n"
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
    (void)weft_op_describe(index, &op);
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

static void print_one(const weft_op_description *op)
{
    const char *space = strchr(op->result, '*') ? "" : " ";
    say(stdout, "%s%s%sweft_%s%s%s\n\n  %s\n\n", op->result, space, style(stdout, STYLE_BOLD), op->name,
        style(stdout, STYLE_PLAIN), op->parameters, op->doc);
    field("family", op->family_name);
    if (op->formula || op->family == WEFT_FAMILY_REDUCE)
        field("dtypes",
              op->floating_only ? "floating; integers become f32 first" : "all; integers are computed in i64");
    field("value", op->formula);
    field(op->gradient_b ? "gradient of a" : "gradient", op->gradient);
    field("gradient of b", op->gradient_b);
    field("not differentiable", op->no_gradient);
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
    if (op->differentiable)
        say(stdout, "\n  weft gradcheck %s     checks this derivative on this machine\n", op->name);
    print_related(op->name);
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
        say(stdout, "\n%d operations; `weft ops NAME` shows one in full\n", n);
}

/* ---- JSON ---- */

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
    json_text(j, "gradient", op->gradient);
    json_text(j, "gradient_b", op->gradient_b);
    json_row(j, "domain");
    json_real(j, NULL, op->lo);
    json_real(j, NULL, op->hi);
    json_close(j);
    json_close(j);
}

static void print_json(const int *found, int n)
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
    json_close(&j);
}

/* ---- The command ---- */

static int nothing_found(const char *word)
{
    const char **names = take((size_t)weft_op_count() * sizeof *names);
    for (int k = 0; k < weft_op_count(); k++)
        names[k] = describe(k).name;
    const char *near = suggest(word, names, weft_op_count());
    free(names);
    complain("no operation fits \"%s\"%s%s; `weft ops` lists all", word, near ? "; did you mean " : "",
             near ? near : "");
    return EXIT_USAGE;
}

int command_ops(int argc, char **argv)
{
    bool as_json = false;
    const char *family = NULL;
    const option options[] = {{"family", "NAME",
                               "unary, unary_p, predicate, binary, compare, ternary, reduce, view, composite or custom",
                               OPTION_TEXT, &family, 0, 0},
                              {"json", NULL, "print JSON (schema weft-ops/1)", OPTION_FLAG, &as_json, 0, 0},
                              {0}};
    int status;
    if (!options_parse(&ops_usage, options, &argc, argv, &status))
        return status;
    int *found = take((size_t)weft_op_count() * sizeof *found);
    int exact = argc == 2 ? weft_op_find(argv[1]) : -1, n = 1;
    found[0] = exact;
    if (exact < 0)
        n = search(found, argc - 1, argv + 1, family);
    weft_op_description op = describe(n ? found[0] : 0);
    if (n == 0)
        status = nothing_found(argc > 1 ? argv[1] : family ? family : "");
    else if (as_json)
        print_json(found, n);
    else if (n == 1)
        print_one(&op);
    else
        print_list(found, n);
    free(found);
    return n == 0 ? status : EXIT_FINE;
}
