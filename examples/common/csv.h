/* csv.h - tables of numbers. */
#ifndef EXAMPLES_CSV_H
#define EXAMPLES_CSV_H

#include <weft/weft.h>

/* Reads a file of numbers separated by commas, rows lines of them after one line of names. Returns an f32 tensor
 * [rows, columns]; or NULL with the error recorded in ctx: what is wrong and in which line. */
weft_tensor *csv_load(weft_ctx *ctx, const char *path, int rows, int columns);

#endif
