/* functions.h - what the public headers declare, operations aside: functions and types with their comments. */
#ifndef WEFT_TOOLS_FUNCTIONS_H
#define WEFT_TOOLS_FUNCTIONS_H

typedef struct declared {
    const char *name, *kind; /* "weft_ones"; "function" or "type" */
    const char *header;      /* "tensor.h" */
    const char *text;        /* the declaration; of structs with their comments and line ends */
    const char *doc;         /* the comment, "" if there is none */
} declared;

int declared_count(void);
const declared *declared_at(int k);

/* By name, with weft_ or without; NULL: there is none. */
const declared *declared_find(const char *name);

#endif
