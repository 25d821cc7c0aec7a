/* profile_read.h - the tables of the traces that a program left: FILE, and FILE.2 ... of further contexts. */
#ifndef WEFT_TOOLS_PROFILE_READ_H
#define WEFT_TOOLS_PROFILE_READ_H

#include <stdbool.h>

/* Reads the traces that WEFT_PROFILE wrote and prints their kernels, longest time first. False after a complaint. */
bool profile_show(const char *path, bool as_json);

void profile_remove(const char *path);

#endif
