/* profile_read.h - the tables of the traces that a program left in a folder: trace, and trace.2 ... of further
 * contexts. */
#ifndef WEFT_TOOLS_PROFILE_READ_H
#define WEFT_TOOLS_PROFILE_READ_H

#include <stdbool.h>
#include <stddef.h>

/* As WEFT_PROFILE numbers the contexts of a program: path for the first, path.2 ... */
const char *profile_path(const char *path, int number, char *room, size_t size);

/* The numbers of the contexts whose traces lie in folder, in order; the caller frees them. */
int *profile_found(const char *folder, int *n);

/* Whether the file is a trace of Weft. */
bool profile_is_trace(const char *path);

/* Prints the kernels of the traces, longest time first. False after a complaint. */
bool profile_show(const char *folder, const int *numbers, int n, bool as_json);

#endif
