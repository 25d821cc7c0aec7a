/* replace.h - writing a file so that its path holds the old contents or the new ones, whole, whatever happens between.
 *
 *     weft__replace r;
 *     if (!weft__replace_open(&r, path))
 *         complain(r.why);
 *     fprintf(r.out, ...);                      // errors need no look before the end
 *     if (!weft__replace_commit(&r))
 *         complain(r.why);
 *
 * An ordinary file is written beside its path, brought to the disk and renamed onto it; a symbolic link stays and the
 * file that it names is replaced; mode and owner of the old file stay as far as the system lets them. Until the rename
 * the new file has no name where the file system can do that (O_TMPFILE), else one of .weft-*.tmp in the same folder:
 * only there can a killed process leave something behind. What is no ordinary file - a device, a FIFO, /dev/stdout -
 * cannot be replaced: it is written as it comes. A closed pipe or a limit on the file's size is an error, no signal. */
#ifndef WEFT_IO_REPLACE_H
#define WEFT_IO_REPLACE_H

#include <stdbool.h>
#include <stdio.h>

enum { WEFT__REPLACE_PATH = 4096 };

typedef struct weft__replace {
    FILE *out;                       /* to write to; buffered */
    char why[256];                   /* after a failure: a sentence, without the path */
    int fd, error;                   /* error: errno of the first write that failed */
    bool stream;                     /* written as it comes */
    char target[WEFT__REPLACE_PATH]; /* the path with its last links followed */
    char beside[WEFT__REPLACE_PATH]; /* the name before the rename; "": none yet */
} weft__replace;

/* False: why is set, and there is nothing to give back. */
bool weft__replace_open(weft__replace *r, const char *path);

/* The same with a name from the beginning, as on file systems without O_TMPFILE. For tests. */
bool weft__replace_open_named(weft__replace *r, const char *path);

/* Puts the new file in the place of the old one and ends r. False: why is set, the old file is as it was (if only the
 * folder could not be brought to the disk, it is the new one). */
bool weft__replace_commit(weft__replace *r);

/* Gives up the new file and ends r. */
void weft__replace_drop(weft__replace *r);

#endif
