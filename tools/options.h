/* options.h - command lines: long options, --help, mistakes explained.
 *
 *     bool json = false;
 *     const char *device = "cpu";
 *     const option options[] = {{"device", "NAME", "cpu or cuda", OPTION_TEXT, &device, 0, 0},
 *                               {"json", NULL, "print JSON", OPTION_FLAG, &json, 0, 0},
 *                               {0}};
 *     int status;
 *     if (!options_parse(&usage, options, &argc, argv, &status))
 *         return status;
 *     // the words that are no options are argv[1] ... argv[argc - 1] */
#ifndef WEFT_TOOLS_OPTIONS_H
#define WEFT_TOOLS_OPTIONS_H

#include <stdbool.h>

typedef enum option_kind {
    OPTION_FLAG, /* to: bool *, set to true */
    OPTION_TEXT, /* to: const char ** */
    OPTION_INT,  /* to: int *, from least to most */
    OPTION_REAL  /* to: double *, from least to most; NaN is none of them */
} option_kind;

typedef struct option {
    const char *name;  /* without the dashes; NULL ends the list */
    const char *value; /* what the value is called in the help, "FILE"; NULL for flags */
    const char *help;
    option_kind kind;
    void *to;
    double least, most; /* of numbers; without a range only 0 is taken */
} option;

typedef struct usage {
    const char *command;  /* "weft bench ops" */
    const char *synopsis; /* "[NAME...] [options]" */
    const char *about;    /* a paragraph, lines of at most 100 characters */
    const char *examples; /* lines "  weft bench ops add     what that answers\n" */
} usage;

/* Reads --name value, --name=value and flags; "--" ends the options. The other words move to argv[1...], and *argc
 * counts them and argv[0]. False when the command is over, after --help or a mistake: return *status. */
bool options_parse(const usage *usage, const option *options, int *argc, char **argv, int *status);

/* The name nearest to a misspelt one, or NULL if none is near. */
const char *suggest(const char *word, const char *const *names, int n);

/* "weft: ..." on the error stream, printf style, with a newline. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
