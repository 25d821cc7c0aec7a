/* torch.h - PyTorch as a peer: torch_ops.py runs beside us and takes its turns by line over two pipes.
 *
 *     we: case {"op": "softmax", ...}      it: ok            or: error TEXT
 *     we: run 12                           it: 0.00517       seconds of 12 repetitions; or: error TEXT
 *
 * Its first line is its version. */
#ifndef BENCH_TORCH_H
#define BENCH_TORCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct bench_torch bench_torch;

/* Starts the command by the shell, without waiting for it. NULL: note says why not. */
bench_torch *bench_torch_open(const char *command, char *note, size_t size);
void bench_torch_close(bench_torch *t);

/* Waits for its first line, which becomes the note. False: none came, note says so. */
bool bench_torch_greet(bench_torch *t, char *note, size_t size);

/* Prepares a case, described by a JSON object without line breaks. False: message says why. */
bool bench_torch_prepare(bench_torch *t, const char *object, char *message, size_t size);

/* Seconds of so many repetitions of the case, by its own clock; NAN: message says why. */
double bench_torch_run(bench_torch *t, int64_t times, char *message, size_t size);

#endif
