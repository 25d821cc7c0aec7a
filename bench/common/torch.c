/* torch.c - see torch.h. */
#include "torch.h"
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATIENCE_MS = 60000, LINE = 4096 };

struct bench_torch {
    pid_t pid;
    int to, from; /* pipes */
    bool dead;
    size_t used; /* bytes of line that have come */
    char line[LINE];
};

/* ---- Lines ---- */

static bool send_line(bench_torch *t, const char *text)
{
    for (size_t left = strlen(text); left > 0;) {
        const ssize_t n = write(t->to, text, left);
        if (n <= 0)
            return false;
        text += n;
        left -= (size_t)n;
    }
    return true;
}

/* The next whole line, without its end. */
static bool receive_line(bench_torch *t)
{
    struct pollfd p = {.fd = t->from, .events = POLLIN};
    for (t->used = 0; t->used < LINE - 1;) {
        if (poll(&p, 1, PATIENCE_MS) <= 0 || read(t->from, t->line + t->used, 1) != 1)
            return false;
        if (t->line[t->used] == '\n') {
            t->line[t->used] = '\0';
            return true;
        }
        t->used++;
    }
    return false;
}

/* Sends a line and waits for the answer, which is in t->line. */
static bool ask(bench_torch *t, const char *text, char *message, size_t size)
{
    if (!t->dead && send_line(t, text) && receive_line(t)) {
        if (strncmp(t->line, "error ", 6) != 0)
            return true;
        snprintf(message, size, "%s", t->line + 6);
        return false;
    }
    t->dead = true;
    snprintf(message, size, "PyTorch's side does not answer");
    return false;
}

/* ---- Life ---- */

bench_torch *bench_torch_open(const char *command, char *note, size_t size)
{
    int to[2], from[2];
    bench_torch *t = calloc(1, sizeof *t);
    if (!t || pipe(to) != 0 || pipe(from) != 0) {
        snprintf(note, size, "no pipes or memory for PyTorch's side");
        free(t);
        return NULL;
    }
    signal(SIGPIPE, SIG_IGN); /* its end is noticed by the failing write */
    t->pid = fork();
    if (t->pid == 0) {
        dup2(to[0], STDIN_FILENO);
        dup2(from[1], STDOUT_FILENO);
        close(to[1]);
        close(from[0]);
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    close(to[0]);
    close(from[1]);
    t->to = to[1];
    t->from = from[0];
    if (t->pid > 0)
        return t;
    snprintf(note, size, "no process for PyTorch's side");
    bench_torch_close(t);
    return NULL;
}

void bench_torch_close(bench_torch *t)
{
    if (!t)
        return;
    close(t->to); /* the end of its input ends it */
    close(t->from);
    if (t->pid > 0)
        waitpid(t->pid, NULL, 0);
    free(t);
}

bool bench_torch_greet(bench_torch *t, char *note, size_t size)
{
    t->dead = !receive_line(t);
    snprintf(note, size, "%s", t->dead ? "PyTorch's side does not start; it may have said why" : t->line);
    return !t->dead;
}

bool bench_torch_prepare(bench_torch *t, const char *object, char *message, size_t size)
{
    char line[LINE];
    snprintf(line, sizeof line, "case %s\n", object);
    return ask(t, line, message, size);
}

double bench_torch_run(bench_torch *t, int64_t times, char *message, size_t size)
{
    char line[64], *end;
    snprintf(line, sizeof line, "run %lld\n", (long long)times);
    if (!ask(t, line, message, size))
        return NAN;
    const double seconds = strtod(t->line, &end);
    if (end != t->line && seconds > 0)
        return seconds;
    snprintf(message, size, "PyTorch's side answers \"%.100s\"", t->line);
    return NAN;
}
