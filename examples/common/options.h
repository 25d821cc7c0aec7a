/* options.h - the command line of the examples: --name VALUE or --name=VALUE, and --help. */
#ifndef EXAMPLES_OPTIONS_H
#define EXAMPLES_OPTIONS_H

#include <stdbool.h>

/* One option. Exactly one of text and number says where its value goes; what is there before is the default. */
typedef struct option {
    const char *name;  /* without the dashes */
    const char *value; /* how the help calls the value: "NAME" */
    const char *help;
    const char **text;
    double *number;
    double least, most; /* of the number */
    bool whole;         /* whether it must be an integer */
} option;

/* Reads the command line. --help prints what the program does and its options, and exits with 0; anything that does not
 * fit is explained on stderr, and exits with 2. */
void options_read(int argc, char **argv, const char *what, const option *options, int n);

#endif
