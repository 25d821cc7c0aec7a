/* profile_read.h - the table of a trace. */
#ifndef WEFT_TOOLS_PROFILE_READ_H
#define WEFT_TOOLS_PROFILE_READ_H

#include <stdbool.h>

/* Reads a trace that WEFT_PROFILE wrote and prints its kernels, longest time first. False after a complaint. */
bool profile_show(const char *path, bool as_json);

#endif
