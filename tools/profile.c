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

static const usage profile_usage = {
    "weft profile", "[options] -- PROGRAM [ARGUMENT...]",
    "Runs a program that is linked with Weft and shows where the time of its operations goes. The trace, a slice for\n"
    "each kernel and the tensor memory over time, opens in ui.perfetto.dev or chrome://tracing; that of a second\n"
    "context is in FILE.2, and so on. On a GPU it has the host's launches and the stream as two lanes.",
    "  weft profile -- ./train --epochs 1             a table of kernels\n"
    "  weft profile --trace step.json -- ./train      and keeps the trace\n"
    "  weft profile --json -- ./train > profile.json\n"};

/* Runs words with WEFT_PROFILE set. The program's exit code, or -1 after a complaint. */
static int run_program(char **words, const char *trace)
{
    fflush(NULL);
    const pid_t child = fork();
    if (child == 0) {
        setenv("WEFT_PROFILE", trace, 1);
        execvp(words[0], words);
        complain("%s: %s", words[0], strerror(errno));
        _exit(127);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) < 0) {
        complain("%s could not be started: %s", words[0], strerror(errno));
        return -1;
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    if (WIFSIGNALED(status))
        complain("%s ended by signal %d; its contexts were not closed", words[0], WTERMSIG(status));
    else if (WEXITSTATUS(status) != 127)
        complain("%s ended with exit code %d", words[0], WEXITSTATUS(status));
    return -1;
}

int command_profile(int argc, char **argv)
{
    const char *trace = NULL;
    bool json = false;
    const option options[] = {{"trace", "FILE", "keep the trace here", OPTION_TEXT, &trace},
                              {"json", NULL, "print JSON", OPTION_FLAG, &json},
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
    profile_remove(path); /* those of an earlier run */
    int code = run_program(argv + 1, path) == 0 ? EXIT_FINE : EXIT_USAGE;
    if (code == EXIT_FINE && !profile_show(path, json))
        code = EXIT_USAGE;
    if (!trace) {
        profile_remove(path);
        rmdir(folder);
    }
    return code;
}
