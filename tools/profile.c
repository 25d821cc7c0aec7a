/* profile.c - `weft profile`: runs a program that is linked with Weft, with its contexts profiled. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "command.h"
#include "options.h"
#include "profile_read.h"
#include "terminal.h"

enum {
    NOT_STARTED = 127, /* the exit code of a program that could not be started, also by a shell */
    PATH_ROOM = 4096
};

static const usage profile_usage = {
    "weft profile", "[options] -- PROGRAM [ARGUMENT...]",
    "Runs a program that is linked with Weft and shows where the time of its operations goes. The trace, a slice for\n"
    "each kernel and the tensor memory over time, opens in ui.perfetto.dev or chrome://tracing; that of a second\n"
    "context is in FILE.2, and so on. On a GPU it has the host's launches and the stream as two tracks.\n"
    "FILE is replaced when the program has ended and left a trace. A device or a pipe is written to as it is.\n"
    "The exit code is the program's. With --json what it prints goes to standard error.",
    "  weft profile -- ./train --epochs 1             a table of kernels\n"
    "  weft profile --trace step.json -- ./train      and keeps the trace\n"
    "  weft profile --json -- ./train > profile.json\n"};

/* ---- The program ---- */

/* What the handler of signals reads. */
static volatile sig_atomic_t child_id;

/* A terminal sends Ctrl-C to the program too; what is sent to us alone is passed on. Either way we live on until the
 * program has ended, and clean up. */
static void pass_on(int number, siginfo_t *about, void *context)
{
    (void)context;
    if (child_id > 0 && about && about->si_code <= 0) /* by kill, not by the terminal */
        kill((pid_t)child_id, number);
}

static const int passed[] = {SIGINT, SIGQUIT, SIGTERM, SIGHUP};
enum { N_PASSED = sizeof passed / sizeof *passed };

/* They wait until *before is restored, when it is known whom to pass them on to. */
static void handle_signals(sigset_t *before)
{
    struct sigaction action = {.sa_sigaction = pass_on, .sa_flags = SA_SIGINFO};
    sigset_t held;
    sigemptyset(&held);
    for (int k = 0; k < N_PASSED; k++)
        sigaddset(&held, passed[k]);
    sigprocmask(SIG_BLOCK, &held, before);
    for (int k = 0; k < N_PASSED; k++) {
        struct sigaction was;
        if (sigaction(passed[k], NULL, &was) == 0 && was.sa_handler != SIG_IGN) /* nohup */
            sigaction(passed[k], &action, NULL);
    }
}

/* In the program, before it is one: as we were started. */
static void forget_signals(void)
{
    for (int k = 0; k < N_PASSED; k++) {
        struct sigaction now;
        if (sigaction(passed[k], NULL, &now) == 0 && now.sa_sigaction == pass_on)
            signal(passed[k], SIG_DFL);
    }
}

/* Becomes the program. Where standard output is for our JSON, the program prints to standard error. */
static void become(char **words, const char *trace, bool json)
{
    setenv("WEFT_PROFILE", trace, 1);
    if (json)
        dup2(STDERR_FILENO, STDOUT_FILENO);
    execvp(words[0], words);
    complain("%s: %s", words[0], strerror(errno));
    _exit(NOT_STARTED);
}

/* Runs words with WEFT_PROFILE set. The program's exit code, 128 and the signal as a shell has it, or -1 if it was not
 * started; all but 0 after a complaint. */
static int run_program(char **words, const char *trace, bool json)
{
    sigset_t before;
    fflush(NULL);
    handle_signals(&before);
    const pid_t child = fork();
    child_id = (sig_atomic_t)child;
    if (child == 0)
        forget_signals();
    sigprocmask(SIG_SETMASK, &before, NULL);
    if (child == 0)
        become(words, trace, json);
    int status = 0, ended = child;
    while (child > 0 && (ended = waitpid(child, &status, 0)) < 0 && errno == EINTR)
        continue;
    child_id = 0;
    if (ended < 0) {
        complain("%s could not be started: %s", words[0], strerror(errno));
        return -1;
    }
    if (WIFSIGNALED(status)) {
        complain("%s ended by signal %d; contexts that it had not closed are missing", words[0], WTERMSIG(status));
        return 128 + WTERMSIG(status);
    }
    const int code = WEXITSTATUS(status);
    if (code == NOT_STARTED)
        return -1;
    if (code != 0)
        complain("%s ended with exit code %d", words[0], code);
    return code;
}

/* ---- Where the traces go ---- */

/* The program writes into a folder of ours, so that no file of the user's is touched before there is something to put
 * there. */
typedef struct place {
    const char *wanted; /* --trace, or NULL */
    char target[PATH_ROOM], folder[PATH_ROOM];
    bool as_it_is; /* a device or a pipe: written to, not replaced */
} place;

static bool refuse(const char *path, const char *why)
{
    complain("--trace %s: %s", path, why);
    return false;
}

/* Follows links, so that what they lead to is replaced. */
static bool find_target(place *p)
{
    struct stat about;
    const bool there = stat(p->wanted, &about) == 0;
    if (!there && errno != ENOENT)
        return refuse(p->wanted, strerror(errno));
    if (there && S_ISDIR(about.st_mode))
        return refuse(p->wanted, strerror(EISDIR));
    if (there && access(p->wanted, W_OK) != 0)
        return refuse(p->wanted, strerror(errno));
    p->as_it_is = there && !S_ISREG(about.st_mode);
    char *real = there && !p->as_it_is ? realpath(p->wanted, NULL) : NULL;
    const int length = weft_text(p->target, sizeof p->target, "%s", real ? real : p->wanted);
    free(real);
    return length < PATH_ROOM - 64 || refuse(p->wanted, strerror(ENAMETOOLONG));
}

/* A folder beside the target, so that traces can be renamed. */
static bool make_folder(place *p)
{
    const char *slash = strrchr(p->target, '/'), *temporary = getenv("TMPDIR");
    if (p->wanted && !p->as_it_is)
        weft_text(p->folder, sizeof p->folder, "%.*s.weft_profile_XXXXXX", slash ? (int)(slash - p->target) + 1 : 0,
                  p->target);
    else
        weft_text(p->folder, sizeof p->folder, "%s/weft_profile_XXXXXX", temporary && *temporary ? temporary : "/tmp");
    char *made = mkdtemp(p->folder), *real = made ? realpath(made, NULL) : NULL;
    if (real) /* the program may change its folder */
        weft_text(p->folder, sizeof p->folder, "%s", real);
    free(real);
    if (made)
        return true;
    if (p->wanted)
        return refuse(p->wanted, strerror(errno));
    complain("%s: %s", p->folder, strerror(errno));
    return false;
}

static const char *trace_in(const place *p, int number, char *room)
{
    char base[PATH_ROOM];
    weft_text(base, sizeof base, "%s/trace", p->folder);
    return profile_path(base, number, room, PATH_ROOM);
}

static bool copy_file(const char *from, const char *to)
{
    FILE *in = fopen(from, "rb"), *out = in ? fopen(to, "wb") : NULL;
    char block[1 << 14];
    bool fine = out != NULL;
    for (size_t got; fine && (got = fread(block, 1, sizeof block, in)) > 0;)
        fine = fwrite(block, 1, got, out) == got;
    const int error = errno;
    fine = fine && !ferror(in);
    if (in)
        fclose(in);
    if (out && fclose(out) != 0)
        return refuse(to, strerror(errno));
    return fine || refuse(to, strerror(error));
}

static bool move_file(const char *from, const char *to)
{
    struct stat about;
    if (stat(to, &about) == 0 && !S_ISREG(about.st_mode))
        return refuse(to, "it is no regular file");
    return rename(from, to) == 0 || refuse(to, strerror(errno));
}

/* Traces of an earlier run with more contexts would seem to belong to this one. Nothing but traces is removed. */
static void remove_older(const place *p, int number)
{
    char name[PATH_ROOM];
    while (profile_is_trace(profile_path(p->target, number, name, sizeof name)) && unlink(name) == 0)
        number++;
}

/* Puts the traces where they are wanted. False after a complaint. */
static bool keep(const place *p, const int *numbers, int n)
{
    char from[PATH_ROOM], to[PATH_ROOM];
    bool fine = true;
    for (int k = 0; k < n && fine && !p->as_it_is; k++)
        fine = move_file(trace_in(p, numbers[k], from), profile_path(p->target, numbers[k], to, sizeof to));
    if (fine && n > 0 && !p->as_it_is)
        remove_older(p, numbers[n - 1] + 1);
    if (n > 0 && p->as_it_is) {
        fine = copy_file(trace_in(p, numbers[0], from), p->target);
        if (n > 1)
            fine = refuse(p->wanted,
                          "the program had several contexts; of a device or pipe only the first gets its place");
    }
    return fine;
}

static void clean_up(const place *p, const int *numbers, int n)
{
    char name[PATH_ROOM];
    for (int k = 0; k < n; k++)
        unlink(trace_in(p, numbers[k], name));
    rmdir(p->folder);
}

/* ---- The command ---- */

/* Runs the program, then shows and keeps what it left. Its exit code, which goes before ours. */
static int run_and_show(char **words, const place *p, bool json)
{
    char trace[PATH_ROOM];
    int n;
    const int code = run_program(words, trace_in(p, 1, trace), json);
    int *numbers = profile_found(p->folder, &n);
    bool fine = code >= 0 && profile_show(p->folder, numbers, n, json);
    if (code >= 0 && p->wanted)
        fine = keep(p, numbers, n) && fine;
    clean_up(p, numbers, n);
    free(numbers);
    if (code < 0)
        return EXIT_USAGE;
    return code == 0 && !fine ? EXIT_USAGE : code;
}

int command_profile(int argc, char **argv)
{
    place p = {.wanted = NULL};
    bool json = false;
    const option options[] = {{"trace", "FILE", "keep the trace here", OPTION_TEXT, &p.wanted, 0, 0},
                              {"json", NULL, "print JSON (schema weft-profile/1)", OPTION_FLAG, &json, 0, 0},
                              {0}};
    int status;
    if (!options_parse(&profile_usage, options, &argc, argv, &status))
        return status;
    if (argc < 2) {
        complain("weft profile needs a program to run, as in `weft profile -- ./train`");
        return EXIT_USAGE;
    }
    argv[argc] = NULL; /* the words have moved up */
    if ((p.wanted && !find_target(&p)) || !make_folder(&p))
        return EXIT_USAGE;
    return run_and_show(argv + 1, &p, json);
}
