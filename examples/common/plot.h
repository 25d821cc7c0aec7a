/* plot.h - learning curves as a picture (SVG, for light and dark screens) and as a table (CSV).
 *
 * A plot has one or two panels side by side, over the same x values and with the same curves: loss and accuracy,
 * say. */
#ifndef EXAMPLES_PLOT_H
#define EXAMPLES_PLOT_H

#include <stdbool.h>

enum { PLOT_PANELS = 2, PLOT_CURVES = 4 };

typedef struct plot_panel {
    const char *title;
    const char *unit;             /* after the numbers at the axis: " %" or "" */
    bool log;                     /* a logarithmic axis; values that are not positive are left out */
    const double *y[PLOT_CURVES]; /* n_points values of each curve; NaN leaves a gap */
} plot_panel;

typedef struct plot {
    const char *title;
    const char *subtitle;
    const char *x_label;
    const double *x; /* n_points values, rising; NULL: 1, 2, 3 ... */
    int n_points;
    const char *curves[PLOT_CURVES + 1]; /* names, for the legend; NULL after the last */
    plot_panel panels[PLOT_PANELS + 1];  /* without a title after the last */
} plot;

/* Writes folder/name.svg and folder/name.csv, making the folder (one level) if it does not exist, and prints their
 * names. Returns 0, or 1 after saying on stderr what went wrong. */
int plot_save(const plot *p, const char *folder, const char *name);

#endif
