/* bench_charts.h - drawings for the page of `weft bench`. */
#ifndef WEFT_TOOLS_BENCH_CHARTS_H
#define WEFT_TOOLS_BENCH_CHARTS_H

#include "bench.h"

/* An SVG: flops per byte across, flops per second up, both logarithmic; the roof of each dtype and a dot for each
 * case. */
void chart_roofline(FILE *out, const bench_report *r, const bench_device *d);

/* The number of the style's colour --sN for a dtype of the report. */
int dtype_colour(const bench_report *r, weft_dtype dtype);

/* Text with <, & and quotes escaped. */
void html_text(FILE *out, const char *text);

/* What the limit allows over what was measured; NAN if either is not known. */
double case_share(const bench_case *c);

#endif
