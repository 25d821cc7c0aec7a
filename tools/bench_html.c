/* bench_html.c - the report of `weft bench` as one page: no network, no script, light and dark, wide and narrow. */
#include "bench.h"
#include "bench_charts.h"
#include "terminal.h"

#include <math.h>
#include <string.h>

static const char css[] =
    ":root{--page:#f9f9f7;--card:#fcfcfb;--ink:#0b0b0b;--soft:#52514e;--faint:#898781;--grid:#e1e0d9;--line:#c3c2b7;"
    "--s1:#2a78d6;--s2:#eb6834;--s3:#1baf7a;--s4:#eda100;--track:#e8e7e1}\n"
    "@media(prefers-color-scheme:dark){:root{--page:#0d0d0d;--card:#1a1a19;--ink:#fff;--soft:#c3c2b7;--faint:#898781;"
    "--grid:#2c2c2a;--line:#383835;--s1:#3987e5;--s2:#d95926;--s3:#199e70;--s4:#c98500;--track:#2c2c2a}}\n"
    "*{box-sizing:border-box}body{margin:0;background:var(--page);color:var(--ink);"
    "font:15px/1.5 system-ui,-apple-system,'Segoe UI',sans-serif}\n"
    "main{max-width:1000px;margin:0 auto;padding:24px 16px 48px}h1{font-size:26px;margin:0 0 4px;text-wrap:balance}"
    "h2{font-size:18px;margin:32px 0 8px}p{margin:4px 0 12px;color:var(--soft);max-width:72ch}\n"
    ".card{background:var(--card);border:1px solid var(--grid);border-radius:10px;padding:16px;margin:0 0 16px}"
    ".wide{overflow-x:auto}\n"
    ".tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(140px,1fr));gap:12px}"
    ".tile b{display:block;font-size:22px;font-weight:600}.tile span{color:var(--soft);font-size:13px}\n"
    "table{border-collapse:collapse;width:100%;font-size:13px;font-variant-numeric:tabular-nums}"
    "th{text-align:left;color:var(--soft);font-weight:500;border-bottom:1px solid var(--line);padding:4px 10px 4px 0}"
    "td{padding:4px 10px 4px 0;border-bottom:1px solid var(--grid);white-space:nowrap}.n{text-align:right}\n"
    ".bars{display:grid;grid-template-columns:minmax(110px,max-content) 1fr 74px;gap:7px 10px;align-items:center;"
    "font-size:13px;font-variant-numeric:tabular-nums}.bars i{font-style:normal;color:var(--faint)}"
    ".track{background:var(--track);height:14px;border-radius:4px;overflow:hidden}"
    ".track div{height:14px;border-radius:4px}\n"
    "svg{width:100%;height:auto;display:block}.on-narrow{display:none}svg text{font:12px "
    "system-ui,sans-serif;fill:var(--soft)}"
    "svg .name{fill:var(--ink)}.grid{stroke:var(--grid)}.roof{stroke:var(--ink);stroke-width:2;fill:none}"
    ".legend{display:flex;flex-wrap:wrap;gap:4px 16px;font-size:13px;color:var(--soft);margin-top:8px}"
    ".legend b{display:inline-block;width:10px;height:10px;border-radius:5px;margin-right:6px}"
    ".warn{border-left:4px solid var(--s2);padding:6px 12px;color:var(--ink)}.why{white-space:normal}"
    ".bad{color:var(--soft)}@media(max-width:520px){.on-wide{display:none}.on-narrow{display:block}.bars{grid-template-"
    "columns:1fr 62px}.bars .label{grid-column:1/3;"
    "margin-bottom:-5px}h1{font-size:22px}}\n";

void html_text(FILE *out, const char *text)
{
    for (; *text; text++)
        if (*text == '<')
            fputs("&lt;", out);
        else if (*text == '&')
            fputs("&amp;", out);
        else if (*text == '"')
            fputs("&quot;", out);
        else
            fputc(*text, out);
}

double case_share(const bench_case *c)
{
    return c->error[0] ? (double)NAN : c->roof / c->seconds.median;
}

/* ---- Ceilings ---- */

static const weft_bench_ceiling *find_ceiling(const bench_device *d, const char *name, weft_bench_unit unit)
{
    const weft_bench_ceiling *best = NULL;
    for (int k = 0; k < d->n_ceilings; k++) {
        const weft_bench_ceiling *c = &d->ceilings[k];
        if (c->unit != unit || (name && strcmp(c->name, name) != 0))
            continue;
        if (!best || (unit == WEFT_BENCH_UNIT_FLOPS ? c->value > best->value : c->size >= best->size))
            best = c;
    }
    return best;
}

static void put_tile(FILE *out, const char *value, const char *unit, const char *label, const weft_bench_ceiling *c)
{
    say(out, "<div class=\"tile\"><b>%s%s</b><span>%s", value, unit, label);
    if (c->theory > 0)
        say(out, "<br>%.0f %% of %s%s in theory", 100 * c->value / c->theory, text_count(c->theory),
            bench_unit_name(c->unit));
    fputs("<br>by ", out);
    html_text(out, c->source);
    fputs("</span></div>\n", out);
}

static void put_tiles(FILE *out, const bench_device *d)
{
    static const struct {
        const char *name, *label;
    } rates[] = {{"copy", "memory, copying"},
                 {"read", "memory, reading"},
                 {"host_to_device", "from the host"},
                 {"device_to_host", "to the host"}};
    fputs("<div class=\"tiles\">\n", out);
    for (size_t k = 0; k < sizeof rates / sizeof rates[0]; k++) {
        const weft_bench_ceiling *c = find_ceiling(d, rates[k].name, WEFT_BENCH_UNIT_BYTES);
        if (c)
            put_tile(out, text_count(c->value), "B/s", rates[k].label, c);
    }
    for (int k = 0; k < d->n_ceilings; k++) {
        char label[64];
        weft_text(label, sizeof label, "arithmetic, %s", weft_dtype_name(d->ceilings[k].dtype));
        if (d->ceilings[k].unit == WEFT_BENCH_UNIT_FLOPS)
            put_tile(out, text_count(d->ceilings[k].value), "flop/s", label, &d->ceilings[k]);
    }
    const weft_bench_ceiling *launch = find_ceiling(d, "launch", WEFT_BENCH_UNIT_CALLS);
    if (launch)
        put_tile(out, text_seconds(launch->seconds.median), "", "to start an operation", launch);
    fputs("</div>\n", out);
}

/* ---- Bars and tables ---- */

static void put_bars(FILE *out, const bench_report *r, const bench_device *d, const char *kind)
{
    fputs("<div class=\"bars\">\n", out);
    for (int k = 0; k < r->n_cases; k++) {
        const bench_case *c = &r->cases[k];
        double share = case_share(c), shown = fmin(share, 1);
        if (isnan(share) || strcmp(c->kind, kind) != 0 || strcmp(c->device, d->name) != 0)
            continue;
        fputs("<div class=\"label\">", out);
        html_text(out, c->name);
        say(out,
            " <i>%s%s%s</i></div><div class=\"track\"><div style=\"width:%.1f%%;background:var(--s%d)\"></div></div>",
            strcmp(kind, "model") == 0 ? c->what : "", strcmp(kind, "model") == 0 ? " " : "", weft_dtype_name(c->dtype),
            100 * shown, dtype_colour(r, c->dtype));
        say(out, "<div class=\"n\">%.0f %%</div>\n", 100 * share);
    }
    fputs("</div>\n", out);
}

static void put_share(FILE *out, const bench_case *c)
{
    if (isnan(case_share(c)))
        fputs("<td></td>", out);
    else
        say(out, "<td class=\"n\">%.0f %% <span class=\"bad\">%s</span></td>", 100 * case_share(c),
            c->memory_bound ? "memory" : "compute");
}

/* What matters most comes first: a phone shows three columns, and the rest when it is moved. */
static void put_row(FILE *out, const bench_case *c)
{
    fputs("<tr><td>", out);
    html_text(out, c->name);
    fputs("</td>", out);
    if (c->error[0]) {
        say(out, "<td colspan=\"8\" class=\"bad why\">%s, %s on %s: ", c->what, weft_dtype_name(c->dtype), c->device);
        html_text(out, c->error);
        fputs("</td></tr>\n", out);
        return;
    }
    put_share(out, c);
    say(out, "<td class=\"n\">%s</td><td>%s</td><td>%s</td><td>%s</td>", text_seconds(c->seconds.median), c->what,
        weft_dtype_name(c->dtype), c->device);
    say(out, "<td class=\"n\">%s &ndash; %s</td><td class=\"n\">%s</td><td class=\"n\">%s</td></tr>\n",
        text_seconds(c->seconds.p10), text_seconds(c->seconds.p90),
        c->bytes > 0 ? text_count(c->bytes / c->seconds.median) : "",
        c->flops > 0 ? text_count(c->flops / c->seconds.median) : "");
}

static void put_table(FILE *out, const bench_report *r, const char *kind)
{
    fputs("<div class=\"card wide\"><table><tr><th>name<th class=\"n\">of the limit<th class=\"n\">median<th>size"
          "<th>dtype<th>device<th class=\"n\">p10 &ndash; p90<th class=\"n\">bytes/s<th class=\"n\">flop/s</tr>\n",
          out);
    for (int k = 0; k < r->n_cases; k++)
        if (strcmp(r->cases[k].kind, kind) == 0)
            put_row(out, &r->cases[k]);
    fputs("</table></div>\n", out);
}

static void put_ratios(FILE *out, const bench_report *r)
{
    bool any = false;
    for (int k = 0; k < r->n_cases; k++) {
        const bench_case *cpu = &r->cases[k], *gpu = bench_partner(r, k);
        if (!gpu || cpu->error[0] || gpu->error[0])
            continue;
        if (!any)
            fputs("<h2>CPU beside GPU</h2><div class=\"card wide\"><table><tr><th>name<th>size<th>dtype<th "
                  "class=\"n\">CPU<th class=\"n\">GPU<th class=\"n\">CPU : GPU</tr>\n",
                  out);
        any = true;
        say(out,
            "<tr><td>%s</td><td>%s</td><td>%s</td><td class=\"n\">%s</td><td class=\"n\">%s</td><td class=\"n\">"
            "%.1f</td></tr>\n",
            cpu->name, cpu->what, weft_dtype_name(cpu->dtype), text_seconds(cpu->seconds.median),
            text_seconds(gpu->seconds.median), cpu->seconds.median / gpu->seconds.median);
    }
    if (any)
        fputs("</table></div>\n", out);
}

/* ---- The page ---- */

enum { N_KINDS = 3 };
static const struct {
    const char *name, *title;
} kinds[N_KINDS] = {{"op", "Operations"}, {"gradient", "Gradients of operations"}, {"model", "Models"}};

static int count_kind(const bench_report *r, const char *kind)
{
    int n = 0;
    for (int k = 0; k < r->n_cases; k++)
        n += strcmp(r->cases[k].kind, kind) == 0;
    return n;
}

static void put_device(FILE *out, const bench_report *r, const bench_device *d)
{
    say(out, "<h2>%s: ", strncmp(d->name, "cuda", 4) == 0 ? "GPU" : "CPU");
    html_text(out, d->product);
    fputs("</h2>\n<p>What it does at best, measured just before.</p>\n<div class=\"card\">\n", out);
    put_tiles(out, d);
    fputs("</div>\n", out);
    if (r->n_cases == 0)
        return;
    fputs("<div class=\"card\">\n", out);
    chart_roofline(out, r, d);
    fputs("</div>\n", out);
    for (int k = 0; k < N_KINDS; k++) {
        if (count_kind(r, kinds[k].name) == 0)
            continue;
        say(out, "<h3>%s, share of the limit</h3>\n<div class=\"card\">\n", kinds[k].title);
        put_bars(out, r, d, kinds[k].name);
        fputs("</div>\n", out);
    }
}

void bench_print_html(const bench_report *r, FILE *out)
{
    fputs("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n<meta name=\"viewport\" "
          "content=\"width=device-width,initial-scale=1\">\n<title>weft bench</title>\n<style>\n",
          out);
    fputs(css, out);
    fputs("</style></head><body><main>\n<h1>How fast, against the limit</h1>\n<p>", out);
    html_text(out, r->host.cpu);
    char print[24];
    bench_fingerprint(r, print, sizeof print);
    say(out, ", %d thread%s, kernels for %s, %s. weft %s. Fingerprint of the machine: %s.</p>\n", r->plan.threads,
        r->plan.threads == 1 ? "" : "s", r->host.isa, r->host.system, weft_version(), print);
    char doubts[256];
    bench_doubts(r, doubts, sizeof doubts);
    if (doubts[0])
        say(out, "<p class=\"warn\">%s</p>\n", doubts);
    for (int k = 0; k < r->n_devices; k++)
        put_device(out, r, &r->devices[k]);
    put_ratios(out, r);
    for (int k = 0; k < N_KINDS; k++) {
        if (count_kind(r, kinds[k].name) == 0)
            continue;
        say(out, "<h2>%s</h2>\n", kinds[k].title);
        put_table(out, r, kinds[k].name);
    }
    fputs("<p>The limit is the roofline: the least time that the bytes an operation must move, at the speed of a large "
          "copy, or its floating-point operations, at the peak, can take. What only reads, or finds its data in a "
          "cache, can "
          "beat it. Operands rotate through more memory than the caches hold; times are medians with the 10th and "
          "90th percentile.</p>\n</main></body></html>\n",
          out);
}
