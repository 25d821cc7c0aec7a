/* bench_charts.c - see bench_charts.h. */
#include "bench_charts.h"
#include "terminal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { HEIGHT = 380, LEFT = 78, RIGHT = 22, TOP = 16, BOTTOM = 44 };

typedef struct box {
    double x, y, width;
} box;

typedef struct plot {
    int width;             /* in pixels at full size */
    double x0, x1, y0, y1; /* exponents of ten at the borders */
    box *taken;            /* where dots and labels are */
    int n_taken;
    struct {
        double bend, top; /* flops per byte, flop/s */
    } roofs[BENCH_MOST_DTYPES];
    int n_roofs;
} plot;

/* About how wide a text is in a font without serifs of the page's size; rather too wide, since labels may not touch. */
static double text_width(const char *text)
{
    double width = 0;
    for (; *text; text++)
        width += strchr("mMW", *text) ? 12 : *text == 'w' ? 10 : strchr("fijlrt.,:", *text) ? 5 : 7.7;
    return width;
}

static double to_x(const plot *p, double value)
{
    return LEFT + (log10(value) - p->x0) / (p->x1 - p->x0) * (p->width - LEFT - RIGHT);
}

static double to_y(const plot *p, double value)
{
    return HEIGHT - BOTTOM - (log10(value) - p->y0) / (p->y1 - p->y0) * (HEIGHT - TOP - BOTTOM);
}

static bool is_drawn(const bench_case *c, const bench_device *d)
{
    return strcmp(c->device, d->name) == 0 && !c->error[0] && c->bytes > 0 && c->flops > 0;
}

/* The seconds that a byte takes, and that a flop takes, at the ceilings; through the roofline of one of each. */
static double memory_speed(const bench_device *d)
{
    return 1 / weft_bench_roofline(d->ceilings, d->n_ceilings, WEFT_F32, 1, 0, NULL);
}

static double peak(const bench_device *d, weft_dtype dtype)
{
    return 1 / weft_bench_roofline(d->ceilings, d->n_ceilings, dtype, 0, 1, NULL);
}

static void take_place(plot *p, double x, double y, double width)
{
    p->taken[p->n_taken++] = (box){x, y, width};
}

/* The height of a roof over a point of the page. */
static double roof_y(const plot *p, int roof, double x)
{
    const double flops_per_byte = pow(10, p->x0 + (x - LEFT) / (p->width - LEFT - RIGHT) * (p->x1 - p->x0));
    return to_y(p, p->roofs[roof].top * fmin(1, flops_per_byte / p->roofs[roof].bend));
}

static bool is_on_a_roof(const plot *p, double x, double y, double width)
{
    for (int k = 0; k < p->n_roofs; k++)
        if (roof_y(p, k, x + width) < y + 4 && roof_y(p, k, x) > y - 12)
            return true;
    return false;
}

static bool is_free(const plot *p, double x, double y, double width)
{
    for (int k = 0; k < p->n_taken; k++)
        if (fabs(p->taken[k].y - y) < 15 && x < p->taken[k].x + p->taken[k].width && p->taken[k].x < x + width)
            return false;
    return x + width <= p->width && x > LEFT && y > TOP + 10 && y < HEIGHT - BOTTOM && !is_on_a_roof(p, x, y, width);
}

/* ---- Axes ---- */

static void fit(plot *p, const bench_report *r, const bench_device *d)
{
    double least_y = INFINITY, most_y = 0, least_x = 0.1, most_x = 10;
    for (int t = 0; t < r->plan.n_dtypes; t++) {
        double top = peak(d, r->plan.dtypes[t]);
        most_y = fmax(most_y, top);
        most_x = fmax(most_x, 4 * top / memory_speed(d));
    }
    for (int k = 0; k < r->n_cases; k++) {
        const bench_case *c = &r->cases[k];
        if (!is_drawn(c, d))
            continue;
        least_x = fmin(least_x, c->flops / c->bytes / 1.5);
        most_x = fmax(most_x, c->flops / c->bytes * 2);
        least_y = fmin(least_y, c->flops / c->seconds.median / 1.5);
        most_y = fmax(most_y, c->flops / c->seconds.median);
    }
    least_y = fmin(least_y, most_y / 100);
    p->x0 = floor(2 * log10(least_x)) / 2;
    p->x1 = ceil(2 * log10(most_x)) / 2;
    p->y0 = floor(2 * log10(least_y)) / 2;
    p->y1 = ceil(2 * log10(1.5 * most_y)) / 2;
}

static void put_axes(FILE *out, const plot *p)
{
    for (int e = (int)ceil(p->x0); e <= (int)floor(p->x1); e++) {
        double x = to_x(p, pow(10, e));
        say(out, "<line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\"/>", x, x, TOP, HEIGHT - BOTTOM);
        say(out, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%g</text>\n", x, HEIGHT - BOTTOM + 17, pow(10, e));
    }
    for (int e = (int)ceil(p->y0); e <= (int)floor(p->y1); e++) {
        double y = to_y(p, pow(10, e));
        say(out, "<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>", LEFT, p->width - RIGHT, y, y);
        say(out, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n", LEFT - 8, y + 4, text_count(pow(10, e)));
    }
    say(out, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">flops per byte</text>\n", (LEFT + p->width) / 2,
        HEIGHT - 8);
    say(out, "<text x=\"14\" y=\"%d\" transform=\"rotate(-90 14 %d)\" text-anchor=\"middle\">flop/s</text>\n",
        HEIGHT / 2, HEIGHT / 2);
}

/* Up along the memory's speed, then level at the peak. */
static void put_roof(FILE *out, plot *p, const bench_device *d, weft_dtype dtype)
{
    double speed = memory_speed(d), top = peak(d, dtype), bend = top / speed;
    double first = fmax(pow(10, p->x0), pow(10, p->y0) / speed);
    p->roofs[p->n_roofs].bend = bend;
    p->roofs[p->n_roofs++].top = top;
    say(out, "<polyline class=\"roof\" points=\"%.1f,%.1f %.1f,%.1f %.1f,%.1f\"/>\n", to_x(p, first),
        to_y(p, first * speed), to_x(p, bend), to_y(p, top), to_x(p, pow(10, p->x1)), to_y(p, top));
}

/* One label for dtypes that share a roof. */
static void name_roof(FILE *out, plot *p, const bench_report *r, const bench_device *d, int t)
{
    double top = peak(d, r->plan.dtypes[t]);
    char names[64] = "";
    for (int k = 0; k < r->plan.n_dtypes; k++) {
        bool same = peak(d, r->plan.dtypes[k]) == top;
        if (same && k < t)
            return;
        size_t used = strlen(names);
        if (same)
            weft_text(names + used, sizeof names - used, "%s%s", used ? ", " : "", weft_dtype_name(r->plan.dtypes[k]));
    }
    char label[96];
    weft_text(label, sizeof label, "%s: %sflop/s", names, text_count(top));
    const double width = text_width(label), x = p->width - RIGHT - width;
    for (int k = 0; k < 16;
         k++) { /* above and below the line, ever farther; more to the left where that is all taken */
        const double y = to_y(p, top) + (k % 8 % 2 ? 16 + 15 * (k % 8 / 2) : -6 - 15 * (k % 8 / 2)),
                     left = k < 8 ? x : x / 2;
        if (!is_free(p, left, y, width))
            continue;
        say(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n", left + width, y, label);
        take_place(p, left, y, width);
        return;
    }
}

/* ---- Dots ---- */

/* Writes the name beside the dot where there is room, else not at all: the table has every figure. */
static void put_label(FILE *out, plot *p, const char *name, double x, double y)
{
    static const double places[][2] = {{9, 4}, {9, 17}, {9, -9}, {-1, 4}, {-1, 17}, {-1, -9}, {9, 30}, {9, -22}};
    double width = text_width(name);
    for (size_t k = 0; k < sizeof places / sizeof places[0]; k++) {
        double at = places[k][0] > 0 ? x + 9 : x - 9 - width, level = y + places[k][1];
        if (!is_free(p, at, level, width))
            continue;
        take_place(p, at, level, width);
        say(out, "<text class=\"name\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", places[k][0] > 0 ? x + 9 : x - 9,
            level, places[k][0] > 0 ? "start" : "end");
        html_text(out, name);
        fputs("</text>\n", out);
        return;
    }
}

static double case_x(const plot *p, const bench_case *c)
{
    return to_x(p, c->flops / c->bytes);
}

static double case_y(const plot *p, const bench_case *c)
{
    return to_y(p, c->flops / c->seconds.median);
}

int dtype_colour(const bench_report *r, weft_dtype dtype)
{
    for (int t = 0; t < r->plan.n_dtypes; t++)
        if (r->plan.dtypes[t] == dtype)
            return t + 1;
    return 1;
}

static void put_dot(FILE *out, const bench_report *r, const plot *p, const bench_case *c)
{
    double x = case_x(p, c), y = case_y(p, c);
    say(out,
        "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"5\" fill=\"var(--s%d)\" stroke=\"var(--card)\" stroke-width=\"2\"><title>",
        x, y, dtype_colour(r, c->dtype));
    html_text(out, c->name);
    say(out, " %s %s: %s, %sflop/s", c->what, weft_dtype_name(c->dtype), text_seconds(c->seconds.median),
        text_count(c->flops / c->seconds.median));
    if (!isnan(case_share(c)))
        say(out, ", %.0f %% of the limit", 100 * case_share(c));
    fputs("</title></circle>\n", out);
}

/* Whether an earlier case of the same name is labelled already, as those of other dtypes and of the same operation
 * are. */
static bool is_named(const bench_report *r, const bench_device *d, int k)
{
    for (int j = 0; j < k; j++)
        if (is_drawn(&r->cases[j], d) && strcmp(r->cases[j].name, r->cases[k].name) == 0)
            return true;
    return false;
}

static void draw(FILE *out, const bench_report *r, const bench_device *d, int width, const char *shown)
{
    plot p = {.width = width, .taken = take(sizeof(box) * (size_t)(2 * r->n_cases + BENCH_MOST_DTYPES))};
    fit(&p, r, d);
    say(out, "<svg class=\"%s\" viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"roofline of %s\">\n", shown, width,
        HEIGHT, d->name);
    put_axes(out, &p);
    for (int t = 0; t < r->plan.n_dtypes; t++)
        put_roof(out, &p, d, r->plan.dtypes[t]);
    for (int k = 0; k < r->n_cases; k++)
        if (is_drawn(&r->cases[k], d)) {
            put_dot(out, r, &p, &r->cases[k]);
            take_place(&p, case_x(&p, &r->cases[k]) - 6, case_y(&p, &r->cases[k]) + 4, 12);
        }
    for (int t = 0; t < r->plan.n_dtypes; t++)
        name_roof(out, &p, r, d, t);
    for (int k = 0; k < r->n_cases; k++)
        if (is_drawn(&r->cases[k], d) && !is_named(r, d, k))
            put_label(out, &p, r->cases[k].name, case_x(&p, &r->cases[k]), case_y(&p, &r->cases[k]));
    fputs("</svg>\n", out);
    free(p.taken);
}

void chart_roofline(FILE *out, const bench_report *r, const bench_device *d)
{
    draw(out, r, d, 860, "on-wide");
    draw(out, r, d, 380, "on-narrow");
    fputs("<div class=\"legend\">", out);
    for (int t = 0; t < r->plan.n_dtypes && r->plan.n_dtypes > 1; t++)
        say(out, "<span><b style=\"background:var(--s%d)\"></b>%s</span>", t + 1, weft_dtype_name(r->plan.dtypes[t]));
    fputs("<span>Line: the limit. A dot on the line uses all that the machine has.</span></div>\n", out);
}
