/* main.c - `weft`: finds the subcommand and runs it. */
#include "command.h"
#include "options.h"
#include "terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <weft/weft.h>

static const command commands[] = {
    {"info", "what this machine has: CPU, GPUs, libraries, and why a GPU is not used", command_info},
    {"ops", "the reference of operations, searchable", command_ops},
    {"gradcheck", "check derivatives against central differences", command_gradcheck},
    {"compare", "where two devices, precisions or files part", command_compare},
    {"profile", "where the time of a program goes, kernel by kernel", command_profile},
    {"bench", "how fast operations and models run, against the limits of the machine", command_bench},
};
#define N_COMMANDS (sizeof commands / sizeof commands[0])

static void print_help(FILE *out)
{
    say(out, "%sweft%s %s: a tensor and autograd engine in C, from the command line\n\nusage: weft COMMAND ...\n\n",
        style(out, STYLE_BOLD), style(out, STYLE_PLAIN), weft_version());
    for (size_t i = 0; i < N_COMMANDS; i++)
        say(out, "  %s%-11s%s %s\n", style(out, STYLE_BOLD), commands[i].name, style(out, STYLE_PLAIN),
            commands[i].summary);
    fputs("\n`weft COMMAND --help` explains one with examples. Every command takes --json for other programs.\n"
          "Exit codes: 0 fine, 1 the answer is no (a wrong gradient, a regression), 2 a mistake in the command line.\n",
          out);
}

static const command *find(const char *name)
{
    for (size_t i = 0; i < N_COMMANDS; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

static int unknown(const char *name)
{
    const char *names[N_COMMANDS];
    for (size_t i = 0; i < N_COMMANDS; i++)
        names[i] = commands[i].name;
    const char *near = suggest(name, names, (int)N_COMMANDS);
    complain("there is no command \"%s\"%s%s%s; `weft help` lists them", name, near ? "; did you mean \"" : "",
             near ? near : "", near ? "\"" : "");
    return EXIT_USAGE;
}

static int run(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return EXIT_USAGE;
    }
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || (strcmp(name, "help") == 0 && argc == 2)) {
        print_help(stdout);
        return EXIT_FINE;
    }
    if (strcmp(name, "--version") == 0) {
        say(stdout, "weft %s\n", weft_version());
        return EXIT_FINE;
    }
    if (strcmp(name, "help") == 0) { /* `weft help bench` is `weft bench --help` */
        const command *topic = find(argv[2]);
        char *help[] = {argv[2], "--help", NULL};
        return topic ? topic->run(2, help) : unknown(argv[2]);
    }
    const command *chosen = find(name);
    return chosen ? chosen->run(argc - 1, argv + 1) : unknown(name);
}

/* A stream that the shell closed (>&-) must not become the next file that is opened. What takes its place refuses to be
 * read or written, as a closed one does. */
static void occupy_streams(void)
{
    for (int k = STDIN_FILENO; k <= STDERR_FILENO; k++)
        if (fcntl(k, F_GETFD) < 0)
            (void)open("/dev/null", k == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

/* The command's exit code, unless what it printed did not arrive. */
static int finish(int code)
{
    errno = 0;
    const bool flushed = fflush(stdout) == 0;
    if (flushed && !ferror(stdout))
        return code;
    complain("standard output could not be written: %s", errno ? strerror(errno) : "an earlier write failed");
    return EXIT_USAGE;
}

int main(int argc, char **argv)
{
    occupy_streams();
    return finish(run(argc, argv));
}
