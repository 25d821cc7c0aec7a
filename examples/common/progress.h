/* progress.h - how far a training is: a bar on a terminal, a line now and then elsewhere (a file, a pipe, CI). */
#ifndef EXAMPLES_PROGRESS_H
#define EXAMPLES_PROGRESS_H

#include <stdbool.h>

typedef struct progress {
    const char *label;
    int total;
    int printed; /* tenths of the total that have had their line */
    bool terminal;
    double start;
} progress;

/* Begins a task of total steps. label must outlive it. */
progress progress_begin(const char *label, int total);

/* done steps of the total are finished; the note is added, printf style. At done = total the line is completed. */
void progress_show(progress *p, int done, const char *note, ...) __attribute__((format(printf, 3, 4)));

/* Seconds since progress_begin. */
double progress_seconds(const progress *p);

#endif
