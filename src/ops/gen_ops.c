/* gen_ops.c - two programs: weft_gen_ops prints include/weft/ops.h from the table, its only input, because the
 * library cannot be built without that header; weft_gen_docs prints docs/ops.md, takes derivatives in words and
 * equivalents from the library, and counts records of tests in the folder of sources that it is called with. */
#ifdef WEFT_GEN_DOCS
#define _POSIX_C_SOURCE 200809L /* opendir */
#include <dirent.h>
#include <math.h>
#endif
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef WEFT_GEN_DOCS
#include <weft/sample.h>
#endif

typedef struct row {
    const char *name, *family, *result, *params, *doc, *formula, *gradient, *gradient_b, *note, *kind;
} row;

/* Before the doc: dtypes and errors, each with a mark behind it. */
#define MARK '\1'
#define WEFT_TAKES(dtypes, errors) dtypes "\1" errors "\1"

#define YES ""
#define NO(why) why
#define TENSOR "weft_tensor *"

/* Parameters of UNARY_P rows come as "(double lo, double hi)": the tensor goes in front when printed. */
static const row rows[] = {
#define WEFT_UNARY(ID, name, cls, saves, f, dx, lo, hi, kink, doc)                                                     \
    {#name, "unary", TENSOR, "(weft_tensor *x)", doc, #f, #dx, NULL, #cls, NULL},
#define WEFT_UNARY_P(ID, name, cls, saves, params, args, f, dx, lo, hi, kink, doc)                                     \
    {#name, "unary_p", TENSOR, #params, doc, #f, #dx, NULL, #cls, NULL},
#define WEFT_PREDICATE(ID, name, f, doc)                                                                               \
    {#name, "predicate", TENSOR, "(weft_tensor *x)", doc, #f, NULL, NULL, "NUM", NULL},
#define WEFT_BINARY(ID, name, cls, saves, f, da, db, lo, hi, kink, doc)                                                \
    {#name, "binary", TENSOR, "(weft_tensor *a, weft_tensor *b)", doc, #f, #da, #db, #cls, NULL},
#define WEFT_COMPARE(ID, name, f, doc)                                                                                 \
    {#name, "compare", TENSOR, "(weft_tensor *a, weft_tensor *b)", doc, #f, NULL, NULL, "NUM", NULL},
#define WEFT_INTEGER(ID, name, joins, f, doc)                                                                          \
    {#name, "integer", TENSOR, "(weft_tensor *a, weft_tensor *b)", doc, #f, NULL, NULL, #joins, NULL},
#define WEFT_TERNARY(ID, name, f, da, db, doc)                                                                         \
    {#name, "ternary", TENSOR, "(weft_tensor *c, weft_tensor *a, weft_tensor *b)", doc, #f, #da, #db, "NUM", NULL},
#define WEFT_REDUCE(ID, name, cls, result, saves, agrees, grad, words, doc)                                            \
    {#name, "reduce", TENSOR, "(weft_tensor *x, const int64_t *dims, int ndim, bool keepdim)", doc, NULL, NULL,        \
     NULL,  #cls,     #result},
#define WEFT_VIEW(ID, name, params, doc) {#name, "view", TENSOR, #params, doc, NULL, NULL, NULL, "", NULL},
#define WEFT_COMPOSITE(ID, name, result, params, grad, doc)                                                            \
    {#name, "composite", #result, #params, doc, NULL, NULL, NULL, grad, NULL},
#define WEFT_CUSTOM(ID, name, result, params, grad, doc)                                                               \
    {#name, "custom", #result, #params, doc, NULL, NULL, NULL, grad, NULL},
#define WEFT_STEP(ID, name, attrs, type, states, unset, constants, element, doc)                                       \
    {#name,                                                                                                            \
     "step",                                                                                                           \
     "weft_status",                                                                                                    \
     "(weft_ctx *ctx, const weft_step_lists *lists, const " #type " *options)",                                        \
     WEFT_STEP_TAKES doc,                                                                                              \
     #element,                                                                                                         \
     #constants,                                                                                                       \
     NULL,                                                                                                             \
     NULL,                                                                                                             \
     NULL},
#define WEFT_KERNEL(ID, name, doc)
#include "ops.def"
};
#define N_ROWS (sizeof rows / sizeof rows[0])

static const struct {
    const char *family, *title, *text;
} families[] = {
    {"unary", "Elementwise, one operand", "The result has x's shape."},
    {"unary_p", "Elementwise, one operand and numbers",
     "As above; the numbers are converted to the dtype that is computed in."},
    {"predicate", "Questions", "The result is bool, of x's shape."},
    {"binary", "Elementwise, two operands", "Shapes broadcast as in NumPy; dtypes are promoted (dtype.h)."},
    {"compare", "Comparisons",
     "Shapes broadcast, dtypes are promoted; the result is bool. A comparison with NaN is false, but for ne."},
    {"integer", "Whole numbers, two operands", "Shapes broadcast, dtypes are promoted; computed in 64 bits."},
    {"ternary", "Choice", "All three shapes broadcast."},
    {"reduce", "Reductions",
     "Over the ndim dims listed (negative ones count from the end; none: all). keepdim keeps them with size 1."},
    {"view", "Views", "The result shares x's storage; no data moves."},
    {"composite", "Made of other operations", "Derivatives of every order and all devices come with the parts."},
    {"custom", "Everything else", ""},
    {"step", "Steps of optimisers",
     "Over n parameters at once, in place: see weft_step_lists in optim.h, which has the formulas, too."},
};
#define N_FAMILIES (sizeof families / sizeof families[0])

enum { COLUMNS = 120 };

/* Lines of at most COLUMNS, broken at blanks (after commas alone, if so); all but the first begin with lead and so many
 * blanks. */
static void print_wrapped(const char *text, bool at_commas, const char *lead, int indent)
{
    int room = COLUMNS;
    while ((int)strlen(text) > room) {
        int end = room;
        while (end > 0 && !(text[end] == ' ' && (!at_commas || text[end - 1] == ',')))
            end--;
        if (end == 0) /* no blank: the word is longer than a line */
            end = (int)strcspn(text, " ");
        printf("%.*s\n%s%*s", end, text, lead, indent, "");
        text += end + (text[end] == ' ');
        room = COLUMNS - (int)strlen(lead) - indent;
    }
    puts(text);
}

/* ---- Dtypes and errors ---- */

/* What operands and the result are, by class and family. */
static const char *class_dtypes(const row *r)
{
    const bool whole = strcmp(r->note, "NUM") == 0, reduces = strcmp(r->family, "reduce") == 0;
    if (strcmp(r->family, "ternary") == 0)
        return "c any, nonzero is true; a and b promoted, and the result has that dtype";
    if (strcmp(r->family, "predicate") == 0)
        return "any; the result is bool";
    if (strcmp(r->family, "compare") == 0)
        return "any, promoted; the result is bool";
    if (strcmp(r->family, "integer") == 0)
        return strcmp(r->note, "JOIN") == 0
                   ? "integers and bool, promoted; the result has that dtype"
                   : "integers and bool, promoted, bool with bool counts as i64; the result has that dtype";
    if (reduces && strcmp(r->kind, "INDEX") == 0)
        return "any; the result is i64";
    if (reduces && strcmp(r->kind, "BOOLEAN") == 0)
        return "any; the result is bool";
    if (reduces && whole && !strstr(r->name, "_over"))
        return "any; the result has it, or is i64 of integers and bool";
    if (strcmp(r->family, "binary") == 0)
        return whole ? "any, promoted, bool with bool counts as i64; the result has that dtype"
                     : "any, promoted, integers and bool become f32; the result has that dtype";
    return whole ? "any, bool counts as i64; the result has it"
                 : "floating; integers and bool become f32; the result has that dtype";
}

static const char *class_errors(const row *r)
{
    if (strcmp(r->family, "binary") == 0 || strcmp(r->family, "compare") == 0 || strcmp(r->family, "ternary") == 0)
        return "SHAPE";
    if (strcmp(r->family, "integer") == 0)
        return "DTYPE SHAPE";
    if (strcmp(r->family, "reduce") == 0)
        return strstr(r->name, "_over") || strncmp(r->name, "arg", 3) == 0 ? "INVALID SHAPE" : "INVALID";
    return strcmp(r->family, "unary_p") == 0 && strcmp(r->note, "NUM") == 0 ? "DTYPE" : "";
}

/* The doc without the marks before it. */
static const char *doc_of(const row *r)
{
    const char *end = strrchr(r->doc, MARK);
    return end ? end + 1 : r->doc;
}

static bool is_marked(const row *r)
{
    return strchr(r->doc, MARK) != NULL;
}

/* "Dtypes: ... Errors: WEFT_E_SHAPE, WEFT_E_INVALID." with `before` in front of each line. */
static void print_contract(const row *r, const char *before, const char *between)
{
    const char *dtypes = is_marked(r) ? r->doc : class_dtypes(r);
    const char *errors = is_marked(r) ? strchr(r->doc, MARK) + 1 : class_errors(r);
    printf("%sDtypes: %.*s.", before, (int)strcspn(dtypes, "\1"), dtypes);
    if (!*errors || *errors == MARK)
        return;
    printf("%sErrors: ", between);
    for (const char *end; *errors && *errors != MARK; errors = *end == ' ' ? end + 1 : end) {
        end = errors + strcspn(errors, " \1");
        printf("WEFT_E_%.*s%s", (int)(end - errors), errors, *end == ' ' ? ", " : ".");
    }
}

/* False, and says so, for a row that says nothing of its dtypes and errors. */
static bool all_say(void)
{
    bool fine = true;
    for (size_t i = 0; i < N_ROWS; i++) {
        const char *f = rows[i].family;
        const bool own = strcmp(f, "view") == 0 || strcmp(f, "composite") == 0 || strcmp(f, "custom") == 0;
        if (own && !is_marked(&rows[i]))
            fine = (fprintf(stderr, "ops.def: the doc of %s does not begin with WEFT_TAKES\n", rows[i].name), false);
    }
    return fine;
}

static void print_prototype(const row *r, const char *prefix)
{
    const char *star = strchr(r->result, '*');
    const int plain = star ? (int)(star - r->result) : (int)strlen(r->result);
    char text[1024];
    int n = snprintf(text, sizeof text, "%s%.*s%sweft_%s", prefix, plain, r->result, star ? "*" : " ", r->name);
    const int open = n;
    if (strcmp(r->family, "unary_p") == 0)
        n += snprintf(text + n, sizeof text - (size_t)n, "(weft_tensor *x, %s;", r->params + 1);
    else
        n += snprintf(text + n, sizeof text - (size_t)n, "%s;", r->params);
    if (n >= (int)sizeof text) {
        fprintf(stderr, "the prototype of weft_%s is too long\n", r->name);
        exit(1);
    }
    print_wrapped(text, true, "", open + 1);
}

#ifndef WEFT_GEN_DOCS
static void print_comment(const char *doc)
{
    char text[2048];
    if (snprintf(text, sizeof text, "/* %s.", doc) >= (int)sizeof text) {
        fprintf(stderr, "too long: %s\n", doc);
        exit(1);
    }
    putchar('\n');
    print_wrapped(text, false, " * ", 0);
}

static void print_header(void)
{
    puts("/* ops.h - every operation. GENERATED from src/ops/ops.def (target update_ops): do not edit.\n"
         " *\n"
         " * Every operation returns a new tensor of the innermost scope, or NULL after an error (recorded in the "
         "context).\n"
         " * Inputs are not consumed. A NULL input gives NULL. docs/ops.md has formulas and derivatives.\n"
         " *\n"
         " * Dtypes: what operands may be; \"promoted\": to their joint dtype by the table in dtype.h. Errors: those "
         "that an\n"
         " * operation gives for what it was called with. Any can give besides: WEFT_E_NULL_ARGUMENT, "
         "WEFT_E_DEAD_TENSOR,\n"
         " * WEFT_E_MIXED_CONTEXTS, WEFT_E_STATE (all operands are shared; within a callback that only looks), "
         "WEFT_E_NOMEM,\n"
         " * WEFT_E_SHAPE (a result beyond 2^63 - 1 bytes), WEFT_E_UNSUPPORTED (the device has no such kernel), "
         "WEFT_E_DEVICE,\n"
         " * WEFT_E_THREAD, and WEFT_E_NOT_FINITE under nan_watch.\n"
         " *\n"
         " * Part of the public API; include <weft/weft.h>. */\n"
         "#ifndef WEFT_OPS_H\n#define WEFT_OPS_H\n\n"
         "#include <weft/optim.h>\n#include <weft/params.h>\n#include <weft/tensor.h>\n\n"
         "#ifdef __cplusplus\nextern \"C\" {\n#endif");
    for (size_t f = 0; f < N_FAMILIES; f++) {
        printf("\n/* ---- %s ----%s%s */\n", families[f].title, families[f].text[0] ? "\n * " : "", families[f].text);
        for (size_t i = 0; i < N_ROWS; i++) {
            if (strcmp(rows[i].family, families[f].family) != 0)
                continue;
            print_comment(doc_of(&rows[i]));
            print_contract(&rows[i], " * ", "\n * ");
            puts(" */");
            print_prototype(&rows[i], "WEFT_API ");
        }
    }
    puts("\n#ifdef __cplusplus\n}\n#endif\n\n"
         "/* Each call records its place in the source, for error messages and leak reports. */\n"
         "#ifndef WEFT_NO_CALL_SITES");
    for (size_t i = 0; i < N_ROWS; i++) {
        const char *const name = rows[i].name, *const gap = strlen(name) > 26 ? " \\\n    " : " "; /* 120 columns */
        printf("#define weft_%s(...)%s(WEFT_HERE(\"%s\"), weft_%s(__VA_ARGS__))\n", name, gap, name, name);
    }
    puts("#endif\n#endif");
}

int main(void) /* the folder of sources, which it is called with, is not needed */
{
    if (!all_say())
        return 1;
    print_header();
    return 0;
}
#else
/* A formula in a Markdown table cell: bars would end the cell. */
static void print_code(const char *text)
{
    putchar('`');
    for (; *text; text++) {
        if (*text == '|')
            putchar('\\');
        putchar(*text);
    }
    putchar('`');
}

/* The derivative of what has no formula. */
static void print_words(const char *name)
{
    weft_sample_description how = {0};
    if (weft_sample_describe(weft_op_find(name), &how, sizeof how) == WEFT_OK && how.gradient)
        printf("\nGradient: %s.\n", how.gradient);
}

/* ---- Coverage ---- */

/* How many records tests/ops and tests/parity have for each row. */
static int golden[N_ROWS], parity[N_ROWS];

static void count_line(const char *line, int *counts)
{
    char name[128];
    if (sscanf(line, "op %127s", name) != 1)
        return;
    for (size_t i = 0; i < N_ROWS; i++)
        if (strcmp(rows[i].name, name) == 0)
            counts[i]++;
}

static bool count_file(const char *path, int *counts)
{
    static char line[1 << 16];
    FILE *file = fopen(path, "r");
    bool begins = true;
    while (file && fgets(line, sizeof line, file)) {
        if (begins)
            count_line(line, counts);
        begins = strchr(line, '\n') != NULL;
    }
    return file && fclose(file) == 0;
}

static bool count_folder(const char *sources, const char *folder, const char *ending, int *counts)
{
    char path[1024];
    int n = 0;
    snprintf(path, sizeof path, "%s/%s", sources, folder);
    DIR *open = opendir(path);
    for (struct dirent *entry = open ? readdir(open) : NULL; entry; entry = readdir(open)) {
        const char *dot = strrchr(entry->d_name, '.');
        if (!dot || strcmp(dot, ending) != 0)
            continue;
        snprintf(path, sizeof path, "%s/%s/%s", sources, folder, entry->d_name);
        n += count_file(path, counts);
    }
    if (open)
        closedir(open);
    if (!n)
        fprintf(stderr, "%s/%s has no files *%s\n", sources, folder, ending);
    return n > 0;
}

static weft_op_description describe(const row *r)
{
    weft_op_description op = {0};
    if (weft_op_describe(weft_op_find(r->name), &op, sizeof op) == WEFT_OK)
        return op;
    fprintf(stderr, "%s is not in the library\n", r->name);
    exit(1);
}

typedef struct coverage {
    int rows, differentiable, pytorch, numpy, onnx, golden, parity;
} coverage;

static coverage cover(const char *family)
{
    coverage c = {0};
    for (size_t i = 0; i < N_ROWS; i++) {
        if (family && strcmp(rows[i].family, family) != 0)
            continue;
        const weft_op_description op = describe(&rows[i]);
        c.rows++;
        c.differentiable += op.differentiable;
        c.pytorch += op.pytorch[0] != '-';
        c.numpy += op.numpy[0] != '-';
        c.onnx += op.onnx[0] != '-';
        c.golden += golden[i];
        c.parity += parity[i];
    }
    return c;
}

static void print_coverage_row(const char *title, const coverage *c)
{
    printf("| %s | %d | %d | %d | %d | %d | %d | %d |\n", title, c->rows, c->differentiable, c->pytorch, c->numpy,
           c->onnx, c->golden, c->parity);
}

static void print_coverage(void)
{
    puts(
        "\n## Coverage\n\n"
        "Every operation runs on the CPU and on CUDA: one without a kernel for either does not link. Derivatives exist "
        "to every order,\n"
        "because they are written in operations; tests take them to the third (`tests/test_orders.c`). Golden records "
        "(`tests/ops`) are\n"
        "computed without Weft's formulas; those of PyTorch (`tests/parity`) are what PyTorch 2.15 gives, with two "
        "orders of gradients.\n"
        "Results in f32 are held to 4 ulp of the golden ones where they are elementwise (elementary functions say how "
        "far "
        "they are off), and\n"
        "where they are sums to 3e-7 to 1e-5 of the sum of magnitudes, by its length (`tests/samples/compare.c`).\n"
        "In PyTorch, NumPy, ONNX: an operation, or an expression; what has none says why. `F.` is "
        "`torch.nn.functional.`. Complex dtypes and\n"
        "sparse tensors are out of scope.\n\n"
        "| family | operations | differentiable | in PyTorch | NumPy | ONNX | golden records | PyTorch's |\n"
        "|---|---|---|---|---|---|---|---|");
    for (size_t f = 0; f < N_FAMILIES; f++) {
        const coverage c = cover(families[f].family);
        print_coverage_row(families[f].title, &c);
    }
    const coverage all = cover(NULL);
    print_coverage_row("all", &all);
}

static void print_name(const char *whose, const char *text, const char *after)
{
    if (text[0] == '-')
        printf("%s: %s%s", whose, text + 2, after);
    else
        printf("%s: `%s`%s", whose, text, after);
}

/* What it is elsewhere, its orders and its error. */
static void print_elsewhere(const row *r)
{
    const weft_op_description op = describe(r);
    putchar('\n');
    print_name("PyTorch", op.pytorch, "; ");
    print_name("NumPy", op.numpy, "; ");
    print_name("ONNX", op.onnx, ".\n");
    if (op.differentiable)
        fputs("Derivatives of every order.", stdout);
    if (!isnan(op.ulp))
        printf("%sIn f32 within %.2f ulp.", op.differentiable ? " " : "", op.ulp);
    if (op.differentiable || !isnan(op.ulp))
        putchar('\n');
}

/* ---- Differences from PyTorch ---- */

static const struct {
    const char *name, *part, *what, *why;
} differences[] = {
#define VALUE "value"
#define GRADIENT "gradient"
#define SECOND "second gradient"
#define DIFFERS(ID, part, records, what, why) {#ID, part, what, why},
#define COARSER(ID, part, relative, why) {#ID, part, "an error up to " #relative, why},
#include "equivalents.def"
};

static void print_lower(const char *name)
{
    for (; *name; name++)
        putchar(*name >= 'A' && *name <= 'Z' ? *name - 'A' + 'a' : *name);
}

static void print_differences(void)
{
    puts("\n## Where Weft differs from PyTorch\n\n"
         "On purpose, as `tests/test_parity.c` sees it on records of `tests/parity`; "
         "[pytorch.md](pytorch.md) has more, of calls and conventions.\n\n"
         "| operation | of its | PyTorch 2.15 has | why Weft has not |\n|---|---|---|---|");
    for (size_t k = 0; k < sizeof differences / sizeof *differences; k++) {
        fputs("| `", stdout);
        print_lower(differences[k].name);
        printf("` | %s | %s | %s |\n", differences[k].part, differences[k].what, differences[k].why);
    }
}

/* The table that tests/right/make_right.py wrote. */
static bool print_right(const char *sources)
{
    char path[1024], line[1024];
    snprintf(path, sizeof path, "%s/tests/right/right.md", sources);
    FILE *file = fopen(path, "r");
    if (!file) {
        fprintf(stderr, "%s cannot be read\n", path);
        return false;
    }
    puts("\n## Right where PyTorch 2.15 is not\n");
    while (fgets(line, sizeof line, file))
        fputs(line, stdout);
    return fclose(file) == 0;
}

static void print_docs(void)
{
    puts("# Operations\n\nGenerated from `src/ops/ops.def` (target `update_docs`): do not edit. In formulas `M(f)` is "
         "the math\n"
         "function f for the dtype, `K(c)` a constant of it, `p` and `q` the operation's numbers, `y` its result, `g` "
         "the\n"
         "gradient that arrives. Of steps p is the parameter, `s0`, `s1` ... its state, `T` the type, `VALUE` and "
         "`FLAG` name a\n"
         "constant. The `*_slope` functions stand in `src/base/scalar_slope.inc`.");
    print_coverage();
    for (size_t f = 0; f < N_FAMILIES; f++) {
        printf("\n## %s\n\n%s%s", families[f].title, families[f].text, families[f].text[0] ? "\n" : "");
        for (size_t i = 0; i < N_ROWS; i++) {
            const row *r = &rows[i];
            if (strcmp(r->family, families[f].family) != 0)
                continue;
            printf("\n### weft_%s\n\n```c\n", r->name);
            print_prototype(r, "");
            printf("```\n\n%s.\n", doc_of(r));
            print_contract(r, "\n", " ");
            putchar('\n');
            print_elsewhere(r);
            if (strcmp(r->family, "step") == 0) {
                fputs("\n- constants, of the attributes a: ", stdout);
                print_code(r->gradient);
                fputs("\n- for each element: ", stdout);
                print_code(r->formula);
                putchar('\n');
                continue;
            }
            if (r->formula) {
                fputs("\n- class ", stdout);
                printf("%s\n- value: ", r->note);
                print_code(r->formula);
                if (r->gradient) {
                    fputs(r->gradient_b ? "\n- gradient of a: " : "\n- gradient: ", stdout);
                    print_code(r->gradient);
                }
                if (r->gradient_b) {
                    fputs("\n- gradient of b: ", stdout);
                    print_code(r->gradient_b);
                }
                putchar('\n');
                continue;
            }
            if (strcmp(r->family, "custom") == 0 && r->note[0])
                printf("\nNot differentiable: %s.\n", r->note);
            print_words(r->name);
        }
    }
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "weft_gen_docs SOURCES\n");
        return 2;
    }
    if (!all_say() || !count_folder(argv[1], "tests/ops", ".gold", golden) ||
        !count_folder(argv[1], "tests/parity", ".parity", parity))
        return 1;
    print_docs();
    print_differences();
    return print_right(argv[1]) ? 0 : 1;
}
#endif
