/* options.c - see options.h. */
#include "options.h"
#include "command.h"
#include "terminal.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void complain(const char *format, ...)
{
    progress_clear();
    va_list list;
    va_start(list, format);
    char *text = text_to_say(format, list);
    va_end(list);
    say(stderr, "%sweft:%s %s\n", style(stderr, STYLE_BAD), style(stderr, STYLE_PLAIN), text);
    free(text);
}

/* ---- Suggestions ---- */

enum { LONGEST_WORD = 40 };

/* How many letters must be added, dropped, replaced or swapped with their neighbour to make b of a. */
static int distance(const char *a, const char *b)
{
    int n = (int)strlen(a), m = (int)strlen(b);
    if (n > LONGEST_WORD || m > LONGEST_WORD)
        return INT_MAX;
    int d[LONGEST_WORD + 1][LONGEST_WORD + 1];
    for (int i = 0; i <= n; i++)
        d[i][0] = i;
    for (int j = 0; j <= m; j++)
        d[0][j] = j;
    for (int i = 1; i <= n; i++) {
        for (int j = 1; j <= m; j++) {
            int best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            if (d[i - 1][j] + 1 < best)
                best = d[i - 1][j] + 1;
            if (d[i][j - 1] + 1 < best)
                best = d[i][j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && d[i - 2][j - 2] + 1 < best)
                best = d[i - 2][j - 2] + 1;
            d[i][j] = best;
        }
    }
    return d[n][m];
}

const char *suggest(const char *word, const char *const *names, int n)
{
    const char *best = NULL;
    int limit = (int)strlen(word) / 3 + 1, least = limit + 1;
    for (int i = 0; i < n; i++) {
        int far = distance(word, names[i]);
        if (far < least) {
            least = far;
            best = names[i];
        }
    }
    return best;
}

/* ---- Help ---- */

static void print_help(const usage *usage, const option *options)
{
    const char *bold = style(stdout, STYLE_BOLD), *plain = style(stdout, STYLE_PLAIN);
    say(stdout, "%susage:%s %s %s\n\n%s\n", bold, plain, usage->command, usage->synopsis, usage->about);
    say(stdout, "\n%sOptions%s\n", bold, plain);
    for (const option *o = options; o->name; o++) {
        char left[64];
        weft_text(left, sizeof left, "--%s%s%s", o->name, o->value ? " " : "", o->value ? o->value : "");
        say(stdout, "  %-24s %s\n", left, o->help);
    }
    say(stdout, "  %-24s %s\n", "--help", "this text");
    say(stdout, "\n%sExamples%s\n%s", bold, plain, usage->examples);
}

/* ---- Reading ---- */

static const option *find(const option *options, const char *name, size_t length)
{
    for (const option *o = options; o->name; o++)
        if (strlen(o->name) == length && strncmp(o->name, name, length) == 0)
            return o;
    return NULL;
}

static bool unknown_option(const usage *usage, const option *options, const char *word)
{
    const char *names[32];
    int n = 0;
    for (const option *o = options; o->name && n < 31; o++)
        names[n++] = o->name;
    names[n++] = "help";
    char name[64];
    weft_text(name, sizeof name, "%.*s", (int)strcspn(word, "="), word);
    const char *near = suggest(name, names, n);
    complain("%s has no option --%s%s%s; `%s --help` lists them", usage->command, name, near ? "; did you mean --" : "",
             near ? near : "", usage->command);
    return false;
}

static bool store(const usage *usage, const option *o, const char *text)
{
    char *end = NULL;
    errno = 0;
    if (o->kind == OPTION_TEXT) {
        *(const char **)o->to = text;
        return true;
    }
    const bool whole = o->kind == OPTION_INT;
    const double value = whole ? (double)strtol(text, &end, 10) : weft_number(text, &end);
    if (end == text || *end || isspace((unsigned char)*text) || errno != 0 ||
        !(value >= o->least && value <= o->most)) {
        complain("%s: --%s takes a %snumber from %g to %g, not \"%s\"", usage->command, o->name, whole ? "whole " : "",
                 o->least, o->most, text);
        return false;
    }
    if (whole)
        *(int *)o->to = (int)value;
    else
        *(double *)o->to = value;
    return true;
}

/* Reads the option argv[*i], and its value, which may be the next word. */
static bool read_option(const usage *usage, const option *options, int argc, char **argv, int *i)
{
    const char *word = argv[*i] + 2;
    size_t length = strcspn(word, "=");
    const option *o = find(options, word, length);
    if (!o)
        return unknown_option(usage, options, word);
    const char *value = word[length] ? word + length + 1 : NULL;
    if (o->kind == OPTION_FLAG) {
        if (value) {
            complain("%s: --%s takes no value", usage->command, o->name);
            return false;
        }
        *(bool *)o->to = true;
        return true;
    }
    if (!value && *i + 1 < argc)
        value = argv[++*i];
    if (!value) {
        complain("%s: --%s needs a value: --%s %s", usage->command, o->name, o->name, o->value);
        return false;
    }
    return store(usage, o, value);
}

bool options_parse(const usage *usage, const option *options, int *argc, char **argv, int *status)
{
    int words = 1;
    bool over = false;
    for (int i = 1; i < *argc; i++) {
        if (over || argv[i][0] != '-' || !argv[i][1]) {
            argv[words++] = argv[i];
            continue;
        }
        if (strcmp(argv[i], "--") == 0) {
            over = true;
            continue;
        }
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            print_help(usage, options);
            *status = EXIT_FINE;
            return false;
        }
        *status = EXIT_USAGE;
        if (argv[i][1] != '-') {
            complain("%s: options have two dashes, as in --help; \"%s\" is none", usage->command, argv[i]);
            return false;
        }
        if (!read_option(usage, options, *argc, argv, &i))
            return false;
    }
    *argc = words;
    return true;
}
