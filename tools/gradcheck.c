/* gradcheck.c - `weft gradcheck`: derivatives against central differences, on this machine, of any operation. */
#include "command.h"
#include "json.h"
#include "options.h"
#include "samples.h"
#include "terminal.h"

#include <stdlib.h>
#include <string.h>

static const usage gradcheck_usage = {"weft gradcheck", "NAME... | all [--device NAME] [--json]",
                                      "Compares first and second derivatives of operations with central differences in "
                                      "f64, at points of each operation's\n"
                                      "test domain. Exit code 1 if one is wrong.",
                                      "  weft gradcheck gelu             first and second derivative of weft_gelu\n"
                                      "  weft gradcheck all              every differentiable operation\n"
                                      "  weft gradcheck all --device cuda --json > gradients.json\n"};

typedef struct verdict {
    const char *name;
    const char *skipped;       /* why there is nothing to check, or NULL */
    weft_status first, second; /* WEFT_OK, or why not */
    char message[512];
} verdict;

/* A sample as the function that weft_gradcheck wants: of the smooth operands only. */
typedef struct smooth {
    weft_sample_call call;
    int slot[WEFT_SAMPLE_OPERANDS];
} smooth;

static weft_tensor *evaluate(weft_ctx *ctx, weft_tensor *const *inputs, int n, void *user)
{
    const smooth *f = user;
    weft_sample_call call = f->call;
    for (int k = 0; k < n; k++)
        call.in[f->slot[k]] = inputs[k];
    weft_seed(ctx, 7); /* the same random numbers at each call */
    return sample_run(&call);
}

typedef weft_status (*checker)(weft_ctx *ctx, weft_tensor *const *inputs, int n, weft_function f, void *user,
                               const weft_gradcheck_options *options);

static weft_status check_recipe(weft_ctx *ctx, const sample *s, int recipe, checker check, char *message, size_t size)
{
    static const int64_t small[][4] = {{3, 4}, {2, 2, 4, 4}};
    int mark = weft_scope_push(ctx), n = 0;
    smooth f;
    weft_tensor *inputs[WEFT_SAMPLE_OPERANDS];
    bool made = sample_make(s, ctx, WEFT_F64, small[s->rank == 4], recipe, &f.call);
    for (int k = 0; made && k < f.call.n_in; k++)
        if (f.call.smooth[k]) {
            f.slot[n] = k;
            inputs[n++] = weft_set_requires_grad(f.call.in[k], true);
        }
    if (made)
        (void)check(ctx, inputs, n, evaluate, &f, NULL);
    weft_status status = weft_ctx_status(ctx);
    if (status != WEFT_OK)
        weft_text(message, size, "%s", weft_ctx_message(ctx));
    weft_ctx_clear(ctx);
    weft_status popped = weft_scope_pop(ctx, mark);
    return status == WEFT_OK ? popped : status;
}

static weft_status run_check(weft_ctx *ctx, const sample *s, checker check, char *message, size_t size)
{
    weft_status status = WEFT_OK;
    for (int recipe = 0; recipe < s->how.recipes && status == WEFT_OK; recipe++)
        status = check_recipe(ctx, s, recipe, check, message, size);
    return status;
}

static verdict check_op(weft_ctx *ctx, int index)
{
    sample s;
    bool known = sample_find(index, &s);
    verdict v = {.name = s.op.name};
    if (!s.op.differentiable) {
        v.skipped = s.op.no_gradient;
        return v;
    }
    if (!known) {
        v.first = v.second = WEFT_E_UNSUPPORTED;
        weft_text(v.message, sizeof v.message, "there is no way to run weft_%s by itself", s.op.name);
        return v;
    }
    v.first = run_check(ctx, &s, weft_gradcheck, v.message, sizeof v.message);
    v.second = run_check(ctx, &s, weft_gradgradcheck, v.message, sizeof v.message);
    return v;
}

/* ---- Output ---- */

static bool is_wrong(const verdict *v)
{
    return !v->skipped && (v->first != WEFT_OK || v->second != WEFT_OK);
}

static void print_text(const verdict *all, int n, const char *device)
{
    int right = 0, wrong = 0, skipped = 0;
    for (int k = 0; k < n; k++) {
        const verdict *v = &all[k];
        right += !v->skipped && !is_wrong(v);
        wrong += is_wrong(v);
        skipped += v->skipped != NULL;
        text_style look = v->skipped ? STYLE_DIM : is_wrong(v) ? STYLE_BAD : STYLE_GOOD;
        const char *word = v->skipped ? "none" : is_wrong(v) ? "WRONG" : "right";
        say(stdout, "%-20s %s%-5s%s  ", v->name, style(stdout, look), word, style(stdout, STYLE_PLAIN));
        if (v->skipped)
            say(stdout, "%s\n", v->skipped);
        else if (is_wrong(v))
            say(stdout, "%s derivative: %s\n", v->first != WEFT_OK ? "first" : "second", v->message);
        else
            puts("first and second derivative");
    }
    if (n > 1)
        say(stdout, "\n%d right, %d wrong, %d not differentiable, on %s\n", right, wrong, skipped, device);
}

static void json_status(json *j, const char *key, const verdict *v, weft_status status)
{
    json_text(j, key, v->skipped ? "none" : status == WEFT_OK ? "right" : weft_status_name(status));
}

static void print_json(const verdict *all, int n, const char *device)
{
    json j = json_begin(stdout);
    json_object(&j, NULL);
    json_text(&j, "schema", "weft-gradcheck/1");
    json_text(&j, "device", device);
    json_array(&j, "ops");
    for (int k = 0; k < n; k++) {
        json_object(&j, NULL);
        json_text(&j, "name", all[k].name);
        json_bool(&j, "right", !is_wrong(&all[k]));
        json_status(&j, "first", &all[k], all[k].first);
        json_status(&j, "second", &all[k], all[k].second);
        json_text(&j, "why", all[k].skipped ? all[k].skipped : all[k].message);
        json_close(&j);
    }
    json_close(&j);
    json_close(&j);
}

/* ---- The command ---- */

static void keep_message(void *user, weft_log_level level, const char *message)
{
    if (level == WEFT_LOG_LEVEL_ERROR)
        weft_text(user, 512, "%s", message);
}

/* Fills chosen with the indices of the named operations. False after a complaint. */
static bool choose(int argc, char **argv, int *chosen, int *n)
{
    *n = 0;
    if (argc == 2 && strcmp(argv[1], "all") == 0)
        while (*n < weft_op_count()) {
            chosen[*n] = *n;
            ++*n;
        }
    for (int k = 1; k < argc && *n == k - 1 && *n < weft_op_count(); k++) {
        chosen[*n] = weft_op_find(argv[k]);
        if (chosen[*n] < 0) {
            complain("there is no operation \"%s\"; `weft ops %s` looks for one", argv[k], argv[k]);
            return false;
        }
        ++*n;
    }
    return true;
}

static int check_all(weft_ctx *ctx, const int *chosen, int n, const char *device, bool as_json)
{
    verdict *all = take((size_t)n * sizeof *all);
    bool wrong = false;
    for (int k = 0; k < n; k++) {
        weft_op_description op = {0};
        (void)weft_op_describe(chosen[k], &op, sizeof op);
        progress_show("gradcheck %d/%d  %s", k + 1, n, op.name);
        all[k] = check_op(ctx, chosen[k]);
        wrong |= is_wrong(&all[k]);
    }
    progress_clear();
    (as_json ? print_json : print_text)(all, n, device);
    free(all);
    return wrong ? EXIT_FAILED : EXIT_FINE;
}

int command_gradcheck(int argc, char **argv)
{
    bool as_json = false;
    const char *device = "cpu";
    const option options[] = {{"device", "NAME", "cpu (the default), cuda, cuda:1 ...", OPTION_TEXT, &device, 0, 0},
                              {"json", NULL, "print JSON (schema weft-gradcheck/1)", OPTION_FLAG, &as_json, 0, 0},
                              {0}};
    int status;
    if (!options_parse(&gradcheck_usage, options, &argc, argv, &status))
        return status;
    if (argc < 2) {
        complain("weft gradcheck needs an operation, or all: `weft gradcheck gelu`");
        return EXIT_USAGE;
    }
    char message[512] = "";
    weft_ctx *ctx = NULL;
    weft_options how = WEFT_OPTIONS_DEFAULTS;
    how.device = device;
    how.log = keep_message;
    how.log_user = message;
    if (weft_ctx_open(&how, &ctx) != WEFT_OK) {
        complain("%s", message);
        return EXIT_USAGE;
    }
    int *chosen = take((size_t)(weft_op_count() + argc) * sizeof *chosen), n;
    status = choose(argc, argv, chosen, &n) ? check_all(ctx, chosen, n, device, as_json) : EXIT_USAGE;
    free(chosen);
    weft_ctx_close(ctx);
    return status;
}
