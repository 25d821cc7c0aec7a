#include "common/progress.h"
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>
#include <weft/text.h>

enum { BAR = 24 };

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

progress progress_begin(const char *label, int total)
{
    return (progress){.label = label, .total = total, .terminal = isatty(STDOUT_FILENO) == 1, .start = now()};
}

double progress_seconds(const progress *p)
{
    return now() - p->start;
}

static void draw_bar(const progress *p, int done)
{
    int filled = (int)((long)done * BAR / p->total);
    printf("\r\033[K%-8s ", p->label);
    for (int i = 0; i < BAR; i++)
        fputs(i < filled ? "\u2501" : "\u2500", stdout);
}

void progress_show(progress *p, int done, const char *note, ...)
{
    int tenths = (int)((long)done * 10 / p->total);
    if (!p->terminal && tenths <= p->printed)
        return;
    p->printed = tenths;
    if (p->terminal)
        draw_bar(p, done);
    else
        printf("%-8s", p->label);
    printf(" %*d of %d  ", p->total > 999 ? 4 : 3, done, p->total);
    char text[160], seconds[32];
    va_list values;
    va_start(values, note);
    weft_text_list(text, sizeof text, note, values);
    va_end(values);
    weft_text(seconds, sizeof seconds, "%.1f", progress_seconds(p));
    printf("%s  %s s%s", text, seconds, p->terminal && done < p->total ? "" : "\n");
    fflush(stdout);
}
