/* profile.c - `weft profile`: runs a program that is linked with Weft, with its contexts profiled. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "command.h"
#include "json_read.h"
#include "options.h"
#include "profile_read.h"
#include "terminal.h"

enum { NOT_FOUND = 127 }; /* the exit code of a program that could not be started, also by a shell */

static const usage profile_usage = {
    "weft profile", "[options] -- PROGRAM [ARGUMENT...]",
    "Runs a program that is linked with Weft and shows where the time of its operations goes. The trace, a slice for\n"
    "each kernel and the tensor memory over time, opens in ui.perfetto.dev or chrome://tracing; that of a second\n"
    "context is in FILE.2, and so on. On a GPU it has the host's launches and the stream as two lanes.\n"
    "The exit code is the program's. With --json what it prints goes to standard error.",
    "  weft profile -- ./train --epochs 1             a table of kernels\n"
    "  weft profile --trace step.json -- ./train      and keeps the trace\n"
    "  weft profile --json -- ./train > profile.json\n"};

/* Becomes the program. Where standard output is for our JSON, the program prints to standard error. */
static void become(char **words, const char *trace, bool json)
{
    setenv("WEFT_PROFILE", trace, 1);
    if (json)
        dup2(STDERR_FILENO, STDOUT_FILENO);
    execvp(words[0], words);
    complain("%s: %s", words[0], strerror(errno));
    _exit(NOT_FOUND);
}

/* Runs words with WEFT_PROFILE set. The program's exit code, 128 and the signal as a shell has it, or -1 if it was not
 * started; all but 0 after a complaint. */
static int run_program(char **words, const char *trace, bool json)
{
    fflush(NULL);
    const pid_t child = fork();
    if (child == 0)
        become(words, trace, json);
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) < 0) {
        complain("%s could not be started: %s", words[0], strerror(errno));
        return -1;
    }
    if (WIFSIGNALED(status)) {
        complain("%s ended by signal %d; contexts that it had not closed are missing", words[0], WTERMSIG(status));
        return 128 + WTERMSIG(status);
    }
    const int code = WEXITSTATUS(status);
    if (code == NOT_FOUND)
        return -1;
    if (code != 0)
        complain("%s ended with exit code %d", words[0], code);
    return code;
}

/* Runs the program, then shows what it left. Its exit code, which goes before ours. */
static int run_and_show(char **words, const char *trace, bool json)
{
    profile_remove(trace); /* those of an earlier run */
    const int code = run_program(words, trace, json);
    if (code < 0)
        return EXIT_USAGE;
    const bool shown = profile_show(trace, json);
    return code == 0 && !shown ? EXIT_USAGE : code;
}

int command_profile(int argc, char **argv)
{
    const char *trace = NULL;
    bool json = false;
    const option options[] = {{"trace", "FILE", "keep the trace here", OPTION_TEXT, &trace},
                              {"json", NULL, "print JSON (schema weft-profile/1)", OPTION_FLAG, &json},
                              {0}};
    int status;
    if (!options_parse(&profile_usage, options, &argc, argv, &status))
        return status;
    if (argc < 2) {
        complain("weft profile needs a program to run, as in `weft profile -- ./train`");
        return EXIT_USAGE;
    }
    argv[argc] = NULL; /* the words have moved up */
    char folder[] = "/tmp/weft_profile_XXXXXX", inside[sizeof folder + 8];
    if (!trace && !mkdtemp(folder)) {
        complain("%s: %s", folder, strerror(errno));
        return EXIT_USAGE;
    }
    snprintf(inside, sizeof inside, "%s/trace", folder);
    const char *path = trace ? trace : inside;
    const int code = run_and_show(argv + 1, path, json);
    if (!trace) {
        profile_remove(path);
        rmdir(folder);
    }
    return code;
}
