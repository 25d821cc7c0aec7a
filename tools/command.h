/* command.h - the subcommands of `weft`, and the exit codes that all of them use. A new one is a function here, a file
 * NAME.c with it, and a row in the table of main.c. */
#ifndef WEFT_TOOLS_COMMAND_H
#define WEFT_TOOLS_COMMAND_H

enum {
    EXIT_FINE = 0,
    EXIT_FAILED = 1, /* the work was done and the answer is no: a gradient is wrong, a regression was found */
    EXIT_USAGE = 2   /* the command line makes no sense, or the work could not be done */
};

typedef struct command {
    const char *name;
    const char *summary;               /* one line, for `weft help` */
    int (*run)(int argc, char **argv); /* argv[0] is the subcommand's name; returns the exit code */
} command;

int command_info(int argc, char **argv);
int command_ops(int argc, char **argv);
int command_gradcheck(int argc, char **argv);
int command_bench(int argc, char **argv);
int command_compare(int argc, char **argv);
int command_profile(int argc, char **argv);

#endif
