/* bench_text.c - the report of `weft bench` as tables. */
#include "bench.h"
#include "terminal.h"

#include <math.h>
#include <string.h>

static void heading(FILE *out, const char *text, const char *more)
{
    say(out, "%s%s%s%s%s\n", style(out, STYLE_BOLD), text, style(out, STYLE_PLAIN), more[0] ? "  " : "", more);
}

static const char *ceiling_size(const weft_bench_ceiling *c)
{
    static char text[32];
    if (c->size <= 0)
        return "";
    if (c->unit == WEFT_BENCH_UNIT_BYTES)
        return text_bytes(c->size);
    weft_text(text, sizeof text, c->unit == WEFT_BENCH_UNIT_FLOPS ? "%.0f^3" : "%.0f B", c->size);
    return text;
}

static bool has_theory(const bench_device *d)
{
    for (int k = 0; k < d->n_ceilings; k++)
        if (d->ceilings[k].theory > 0)
            return true;
    return false;
}

static void add_theory(table *t, const weft_bench_ceiling *c)
{
    if (c->theory > 0)
        table_cell(t, STYLE_PLAIN, "%.0f %% of %s%s", 100 * c->value / c->theory, text_count(c->theory),
                   bench_unit_name(c->unit));
    else
        table_cell(t, STYLE_PLAIN, "%s", "");
}

/* The ceiling of a GPU is what Weft itself reaches; theory beside it tells when that is little. */
static void print_ceilings(const bench_device *d, FILE *out)
{
    char title[64];
    weft_text(title, sizeof title, "Ceilings of %s", d->name);
    heading(out, title, d->product);
    const bool theory = has_theory(d);
    table *t = theory ? table_open("lllrrrl", (const char *[]){"  what", "dtype", "size", "at best", "one takes",
                                                               "of theory", "measured by"})
                      : table_open("lllrrl",
                                   (const char *[]){"  what", "dtype", "size", "at best", "one takes", "measured by"});
    for (int k = 0; k < d->n_ceilings; k++) {
        const weft_bench_ceiling *c = &d->ceilings[k];
        table_cell(t, STYLE_PLAIN, "  %s", c->name);
        table_cell(t, STYLE_PLAIN, "%s", c->unit == WEFT_BENCH_UNIT_FLOPS ? weft_dtype_name(c->dtype) : "");
        table_cell(t, STYLE_PLAIN, "%s", ceiling_size(c));
        table_cell(t, STYLE_BOLD, "%s%s", text_count(c->value), bench_unit_name(c->unit));
        table_cell(t, STYLE_DIM, "%s", c->unit == WEFT_BENCH_UNIT_CALLS ? text_seconds(c->seconds.median) : "");
        if (theory)
            add_theory(t, c);
        table_cell(t, STYLE_DIM, "%s", c->source);
    }
    table_print(t, out);
}

/* ---- Cases ---- */

static double share_of(const bench_case *c)
{
    return c->error[0] ? (double)NAN : c->roof / c->seconds.median;
}

/* "#####....." of ten letters. */
static const char *bar(double share)
{
    static char text[11];
    for (int k = 0; k < 10; k++)
        text[k] = share * 10 >= k + 0.5 ? '#' : '.';
    return text;
}

static void add_rate(table *t, double work, double seconds, const char *unit)
{
    if (work > 0)
        table_cell(t, STYLE_PLAIN, "%s%s", text_count(work / seconds), unit);
    else
        table_cell(t, STYLE_DIM, "-");
}

static void add_share(table *t, const bench_case *c)
{
    double share = share_of(c);
    if (isnan(share)) {
        table_cell(t, STYLE_DIM, "-");
        table_cell(t, STYLE_DIM, "%s", "");
        return;
    }
    table_cell(t,
               share >= 0.7   ? STYLE_GOOD
               : share >= 0.3 ? STYLE_WARN
                              : STYLE_BAD,
               "%s %3.0f %%", bar(share), 100 * share);
    table_cell(t, STYLE_DIM, "%s", c->memory_bound ? "memory" : "compute");
}

static void add_case(table *t, const bench_case *c)
{
    table_cell(t, STYLE_BOLD, "  %s", c->name);
    table_cell(t, STYLE_PLAIN, "%s", c->what);
    table_cell(t, STYLE_PLAIN, "%s", weft_dtype_name(c->dtype));
    table_cell(t, STYLE_PLAIN, "%s", c->device);
    table_cell(t, STYLE_PLAIN, "%s", text_seconds(c->seconds.median));
    table_cell(t, STYLE_DIM, "%s .. %s", text_seconds(c->seconds.p10), text_seconds(c->seconds.p90));
    add_rate(t, c->bytes, c->seconds.median, "B/s");
    add_rate(t, c->flops, c->seconds.median, "flop/s");
    add_share(t, c);
}

static void print_kind(const bench_report *r, const char *kind, const char *title, FILE *out)
{
    static const char *const titles[] = {"  name",     "size",  "dtype", "device",       "median",
                                         "p10 .. p90", "bytes", "flops", "of the limit", "set by"};
    int n = 0;
    table *t = table_open("llllrlrrll", titles);
    for (int k = 0; k < r->n_cases; k++)
        if (strcmp(r->cases[k].kind, kind) == 0 && !r->cases[k].error[0]) {
            add_case(t, &r->cases[k]);
            n++;
        }
    if (n) {
        fputc('\n', out);
        heading(out, title, r->plan.quick ? "(--quick: the figures mean nothing)" : "");
    }
    table_print_or_drop(t, out, n > 0);
    for (int k = 0; k < r->n_cases; k++)
        if (strcmp(r->cases[k].kind, kind) == 0 && r->cases[k].error[0])
            say(out, "  %s%s %s on %s was not measured:%s %s\n", style(out, STYLE_WARN), r->cases[k].name,
                weft_dtype_name(r->cases[k].dtype), r->cases[k].device, style(out, STYLE_PLAIN), r->cases[k].error);
}

static void print_ratios(const bench_report *r, FILE *out)
{
    int n = 0;
    table *t = table_open("lllrrr", (const char *[]){"  name", "size", "dtype", "CPU", "GPU", "CPU : GPU"});
    for (int k = 0; k < r->n_cases; k++) {
        const bench_case *cpu = &r->cases[k], *gpu = bench_partner(r, k);
        if (!gpu || cpu->error[0] || gpu->error[0])
            continue;
        n++;
        table_cell(t, STYLE_BOLD, "  %s", cpu->name);
        table_cell(t, STYLE_PLAIN, "%s", cpu->what);
        table_cell(t, STYLE_PLAIN, "%s", weft_dtype_name(cpu->dtype));
        table_cell(t, STYLE_PLAIN, "%s", text_seconds(cpu->seconds.median));
        table_cell(t, STYLE_PLAIN, "%s", text_seconds(gpu->seconds.median));
        table_cell(t, STYLE_ACCENT, "%.1f", cpu->seconds.median / gpu->seconds.median);
    }
    if (n) {
        fputc('\n', out);
        heading(out, "CPU beside GPU", "");
    }
    table_print_or_drop(t, out, n > 0);
}

void bench_doubts(const bench_report *r, char *text, size_t size)
{
    int measured = 0, wide = 0;
    for (int k = 0; k < r->n_cases; k++) {
        const bench_case *c = &r->cases[k];
        measured += !c->error[0];
        wide += !c->error[0] && c->seconds.p90 > 1.5 * c->seconds.p10;
    }
    text[0] = '\0';
    if (r->plan.quick)
        weft_text(text, size, "Made with --quick: the figures mean nothing.");
    else if (measured > 0 && 3 * wide > measured)
        weft_text(text, size,
                  "%d of %d cases spread by more than half: the machine is busy with other things, and the figures are "
                  "as uncertain as that.",
                  wide, measured);
}

static void print_doubts(const bench_report *r, FILE *out)
{
    char text[256];
    bench_doubts(r, text, sizeof text);
    if (text[0])
        say(out, "\n%s%s%s\n", style(out, STYLE_WARN), text, style(out, STYLE_PLAIN));
}

void bench_print_text(const bench_report *r, FILE *out)
{
    char text[256], print[24];
    bench_fingerprint(r, print, sizeof print);
    weft_text(text, sizeof text, "%s, %d thread%s, kernels for %s, fingerprint %s", r->host.cpu, r->plan.threads,
              r->plan.threads == 1 ? "" : "s", r->host.isa, print);
    heading(out, "Machine", text);
    for (int k = 0; k < r->n_devices; k++) {
        fputc('\n', out);
        print_ceilings(&r->devices[k], out);
    }
    print_kind(r, "op", "Operations", out);
    print_kind(r, "gradient", "Gradients of operations", out);
    print_kind(r, "model", "Models", out);
    print_ratios(r, out);
    print_doubts(r, out);
}
