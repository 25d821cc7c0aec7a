#include "common/plot.h"
#include "common/ticks.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <weft/text.h>

enum { WIDTH = 880, HEIGHT = 432, EDGE = 32, TOP = 156, BOTTOM = 64, AXIS = 54, GAP = 36 };

/* Told apart with every common kind of colour vision, and seen on white as on black. */
static const char *const colours[PLOT_CURVES] = {"#2f7de1", "#f07f13", "#12a37a", "#d6519b"};

static const char style[] =
    "  <style>\n"
    "    text { font: 13px system-ui, 'Segoe UI', Helvetica, 'DejaVu Sans', sans-serif; fill: #3c4657 }\n"
    "    .title { font-size: 20px; font-weight: 600; fill: #161c26 }\n"
    "    .panel { font-weight: 600; fill: #161c26 }\n"
    "    .tick { font-size: 12px; fill: #657084 }\n"
    "    .card { fill: #ffffff; stroke: #d9dee6 }\n"
    "    .grid { stroke: #e8ebf0 }\n"
    "    .axis { stroke: #9aa4b4 }\n"
    "    .dot { stroke: #ffffff; stroke-width: 2 }\n"
    "    .curve { fill: none; stroke-width: 2.5; stroke-linejoin: round; stroke-linecap: round }\n"
    "    @media (prefers-color-scheme: dark) {\n"
    "      text { fill: #b4bdcb }\n"
    "      .title, .panel { fill: #f0f3f8 }\n"
    "      .tick { fill: #8f9aad }\n"
    "      .card { fill: #12161d; stroke: #2b323d }\n"
    "      .grid { stroke: #252c37 }\n"
    "      .axis { stroke: #5c6779 }\n"
    "      .dot { stroke: #12161d }\n"
    "    }\n"
    "  </style>\n";

/* Where a panel lies on the page, and what its edges mean. */
typedef struct frame {
    double left, right, top, bottom;
    ticks x, y;
} frame;

static double across(const frame *f, double value)
{
    return f->left + ticks_position(&f->x, value) * (f->right - f->left);
}

static double up(const frame *f, double value)
{
    return f->bottom - ticks_position(&f->y, value) * (f->bottom - f->top);
}

/* printf with a point in numbers, which SVG wants in every locale. */
static void put(FILE *out, const char *format, ...) WEFT_PRINTF(2, 3);

static void put(FILE *out, const char *format, ...)
{
    char text[512];
    va_list list;
    va_start(list, format);
    weft_text_list(text, sizeof text, format, list);
    va_end(list);
    fputs(text, out);
}

/* Writes text with what XML reserves replaced. */
static void escaped(FILE *out, const char *text)
{
    for (; *text; text++) {
        switch (*text) {
        case '&':
            fputs("&amp;", out);
            break;
        case '<':
            fputs("&lt;", out);
            break;
        default:
            fputc(*text, out);
        }
    }
}

static void write_text(FILE *out, double x, double y, const char *class, const char *anchor, const char *text)
{
    put(out, "  <text x=\"%.1f\" y=\"%.1f\" class=\"%s\" text-anchor=\"%s\">", x, y, class, anchor);
    escaped(out, text);
    fputs("</text>\n", out);
}

static void write_line(FILE *out, const char *class, double x1, double y1, double x2, double y2)
{
    put(out, "  <line class=\"%s\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n", class, x1, y1, x2, y2);
}

static bool shown(const plot_panel *panel, double value)
{
    return isfinite(value) && (!panel->log || value > 0);
}

static double x_of(const plot *p, int i)
{
    return p->x ? p->x[i] : i + 1;
}

static frame frame_of(const plot *p, int index)
{
    const plot_panel *panel = &p->panels[index];
    double lo = INFINITY, hi = -INFINITY;
    for (int c = 0; p->curves[c]; c++) {
        for (int i = 0; i < p->n_points; i++) {
            if (shown(panel, panel->y[c][i])) {
                lo = fmin(lo, panel->y[c][i]);
                hi = fmax(hi, panel->y[c][i]);
            }
        }
    }
    if (lo > hi) /* nothing to show */
        lo = hi = 1;
    int panels = p->panels[1].title ? 2 : 1;
    double width = (double)(WIDTH - 2 * EDGE - (panels - 1) * GAP) / panels;
    double left = EDGE + index * (width + GAP);
    frame f = {.left = left + AXIS, .right = left + width, .top = TOP, .bottom = HEIGHT - BOTTOM};
    f.x = ticks_inside(x_of(p, 0), x_of(p, p->n_points - 1));
    f.y = panel->log ? ticks_log(lo, hi) : ticks_around(lo, hi);
    return f;
}

static void write_axes(FILE *out, const plot *p, int index, const frame *f)
{
    const plot_panel *panel = &p->panels[index];
    char label[48];
    write_text(out, f->left, TOP - 18, "panel", "start", panel->title);
    for (int i = 0; i < f->y.n; i++) {
        double y = up(f, f->y.at[i]);
        write_line(out, "grid", f->left, y, f->right, y);
        weft_text(label, sizeof label, "%g%s", f->y.at[i], panel->unit);
        write_text(out, f->left - 10, y + 4, "tick", "end", label);
    }
    for (int i = 0; i < f->x.n; i++) {
        double x = across(f, f->x.at[i]);
        write_line(out, "axis", x, f->bottom, x, f->bottom + 5);
        weft_text(label, sizeof label, "%g", f->x.at[i]);
        write_text(out, x, f->bottom + 21, "tick", "middle", label);
    }
    write_line(out, "axis", f->left, f->bottom, f->right, f->bottom);
    write_text(out, (f->left + f->right) / 2, f->bottom + 42, "tick", "middle", p->x_label);
}

static void write_curve(FILE *out, const plot *p, int index, const frame *f, int curve)
{
    const plot_panel *panel = &p->panels[index];
    const double *y = panel->y[curve];
    int last = -1;
    put(out, "  <path class=\"curve\" stroke=\"%s\" d=\"", colours[curve]);
    for (int i = 0; i < p->n_points; i++) {
        if (!shown(panel, y[i]))
            continue;
        put(out, "%c%.1f %.1f", last >= 0 && last == i - 1 ? 'L' : 'M', across(f, x_of(p, i)), up(f, y[i]));
        last = i;
    }
    fputs("\"/>\n", out);
    if (last >= 0)
        put(out, "  <circle class=\"dot\" fill=\"%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"5\"/>\n", colours[curve],
            across(f, x_of(p, last)), up(f, y[last]));
}

static void write_legend(FILE *out, const plot *p)
{
    double x = EDGE;
    for (int c = 0; p->curves[c]; c++) {
        put(out, "  <path class=\"curve\" stroke=\"%s\" d=\"M%.1f 100h22\"/>\n", colours[c], x + 2);
        write_text(out, x + 32, 104.5, "name", "start", p->curves[c]);
        x += 32 + 8.0 * (double)strlen(p->curves[c]) + 24; /* 8: no font is wider on average at this size */
    }
}

static void write_svg(FILE *out, const plot *p)
{
    put(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\">\n", WIDTH,
        HEIGHT, WIDTH, HEIGHT);
    fputs("  <title>", out);
    escaped(out, p->title);
    fputs("</title>\n", out);
    fputs(style, out);
    put(out, "  <rect class=\"card\" x=\"0.5\" y=\"0.5\" width=\"%d\" height=\"%d\" rx=\"10\"/>\n", WIDTH - 1,
        HEIGHT - 1);
    write_text(out, EDGE, 44, "title", "start", p->title);
    write_text(out, EDGE, 68, "subtitle", "start", p->subtitle);
    write_legend(out, p);
    for (int i = 0; p->panels[i].title; i++) {
        frame f = frame_of(p, i);
        write_axes(out, p, i, &f);
        for (int c = 0; p->curves[c]; c++)
            write_curve(out, p, i, &f, c);
    }
    fputs("</svg>\n", out);
}

static void write_csv(FILE *out, const plot *p)
{
    fputs(p->x_label, out);
    for (int k = 0; p->panels[k].title; k++)
        for (int c = 0; p->curves[c]; c++)
            put(out, ",%s%s of %s", p->panels[k].title, p->panels[k].unit, p->curves[c]);
    fputc('\n', out);
    for (int i = 0; i < p->n_points; i++) {
        put(out, "%g", x_of(p, i));
        for (int k = 0; p->panels[k].title; k++)
            for (int c = 0; p->curves[c]; c++)
                put(out, ",%.6g", p->panels[k].y[c][i]);
        fputc('\n', out);
    }
}

static int save(const plot *p, const char *folder, const char *name, const char *ending,
                void (*write)(FILE *out, const plot *p))
{
    char path[1024];
    if (snprintf(path, sizeof path, "%s/%s.%s", folder, name, ending) >= (int)sizeof path)
        path[0] = '\0';
    FILE *out = fopen(path, "w");
    if (!out) {
        put(stderr, "%s: %s\n", *path ? path : folder, *path ? strerror(errno) : "this path is too long");
        return 1;
    }
    write(out, p);
    bool failed = ferror(out) != 0;
    failed |= fclose(out) != 0;
    if (failed)
        put(stderr, "%s: could not be written; is the disk full?\n", path);
    else
        printf("wrote %s\n", path);
    return failed;
}

int plot_save(const plot *p, const char *folder, const char *name)
{
    mkdir(folder, 0777); /* if that fails, opening the files says why, unless it exists */
    return save(p, folder, name, "svg", write_svg) | save(p, folder, name, "csv", write_csv);
}
