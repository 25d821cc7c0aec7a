/* program.c - a program that is linked with Weft, for the tests of `weft profile` and of locales.
 *
 *     program text [TRACE]    in the locale of the environment: prints what Weft writes, "," or "." of printf first
 *     program names           custom operations whose names have control characters and long ones of UTF-8
 *     program steps N         N additions
 *     program wait FILE       makes FILE within a context, then waits to be stopped; a signal closes the context */
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weft/compare.h>
#include <weft/profile.h>

static weft_ctx *ctx;

static weft_tensor *numbers(void)
{
    return weft_from_data(ctx, WEFT_F64, WEFT_DIMS(4), (const double[]){0.5, 1e-3, -2.25, 100});
}

/* Everything that does not depend on time. */
static void print_all(void)
{
    char text[4096], *end;
    const weft_drift drift[] = {{1, 1, 1e-7, 2e-7}, {1, 1, 3e-7, 1e-6}};
    weft_print(ctx, weft_add(numbers(), weft_scalar(ctx, WEFT_F64, 0)), stdout);
    weft_print(ctx, weft_scalar(ctx, WEFT_F32, 0.5), stdout);
    weft_drift_svg(drift, 2, text, sizeof text);
    puts(text);
    weft_drift_plot(drift, 2, text, sizeof text);
    puts(text);
    (void)weft_dropout(numbers(), 1.5, true);
    puts(weft_ctx_message(ctx));
    weft_ctx_clear(ctx);
    weft_text(text, sizeof text, "%.2f %g %s", 1.5, 2.5e-7, "end");
    puts(text);
    const double number = weft_number("0.75 next", &end);
    weft_text(text, sizeof text, "%g%s", number, end);
    puts(text);
}

static int show_text(const char *trace)
{
    weft_profile *p;
    setlocale(LC_ALL, "");
    printf("%.1f\n", 0.5);
    if (weft_profile_begin(ctx, &p) != WEFT_OK)
        return 1;
    print_all();
    weft_profile_end(p);
    const bool written = !trace || weft_profile_trace(p, trace) == WEFT_OK;
    weft_profile_free(p);
    return !written;
}

static weft_status same(weft_ctx *c, const weft_array *in, int n, weft_array *out, void *user)
{
    (void)c, (void)n, (void)user;
    memcpy(out->data, in[0].data, sizeof(double) * (size_t)in[0].count);
    return WEFT_OK;
}

static int run_names(void)
{
    static const weft_custom_op ops[] = {
        {.struct_size = sizeof(weft_custom_op), .name = "red\033[31m\033]0;title\007 \302\233end", .forward = same},
        {.struct_size = sizeof(weft_custom_op),
         .name = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\303\244\303\266\303\274",
         .forward = same}};
    weft_tensor *x = numbers();
    for (int k = 0; k < 6; k++)
        (void)weft_custom(&ops[k % 2], &x, 1);
    return 0;
}

static int run_steps(long n)
{
    weft_tensor *x = weft_ones(ctx, WEFT_F32, WEFT_DIMS(1));
    for (long k = 0; k < n; k++) {
        const int mark = weft_scope_push(ctx);
        (void)weft_add(x, x);
        if (weft_scope_pop(ctx, mark) != WEFT_OK)
            return 1;
    }
    return 0;
}

static volatile sig_atomic_t stopped;

static void stop(int number)
{
    stopped = number;
}

static int run_wait(const char *path)
{
    signal(SIGINT, stop);
    signal(SIGTERM, stop);
    (void)weft_add(numbers(), numbers());
    FILE *file = fopen(path, "w");
    if (!file || fclose(file) != 0)
        return 1;
    for (int k = 0; k < 3000 && !stopped; k++)
        usleep(10000);
    return stopped ? 7 : 1;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "", *with = argc > 2 ? argv[2] : NULL;
    int code = 2;
    if (weft_ctx_open(NULL, &ctx) != WEFT_OK)
        return 1;
    if (strcmp(what, "text") == 0)
        code = show_text(with);
    else if (strcmp(what, "names") == 0)
        code = run_names();
    else if (strcmp(what, "steps") == 0 && with)
        code = run_steps(atol(with));
    else if (strcmp(what, "wait") == 0 && with)
        code = run_wait(with);
    weft_ctx_close(ctx);
    return code;
}
