/* functions.c - prints a C table of what the public headers declare: functions and types with their comments, for `weft
 * ops`.
 *
 *     weft_gen_functions include/weft/tensor.h include/weft/io.h ... > functions.inc
 *
 * It reads C as these headers are written: declarations that begin with WEFT_API, `typedef` of structs, enums and
 * functions, comments above them (one holds for all lines up to the next blank one) or behind them. */
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct text {
    char s[1 << 14];
    size_t n;
} text;

static void add(text *t, char c)
{
    if (t->n + 1 < sizeof t->s)
        t->s[t->n++] = c;
    t->s[t->n] = '\0';
}

/* One blank, whatever stood there; none at the start. */
static void add_blank(text *t)
{
    if (t->n > 0 && t->s[t->n - 1] != ' ')
        add(t, ' ');
}

static void trim(text *t)
{
    while (t->n > 0 && isspace((unsigned char)t->s[t->n - 1]))
        t->s[--t->n] = '\0';
}

static bool starts(const char *at, const char *word)
{
    return strncmp(at, word, strlen(word)) == 0;
}

/* Reads a comment to out, on one line without the stars at the heads of lines; returns what follows. */
static const char *read_comment(const char *at, text *out)
{
    out->n = 0;
    add(out, '\0');
    out->n = 0;
    for (at += 2; *at && !starts(at, "*/"); at++) {
        if (*at == '\n') {
            add_blank(out);
            while (at[1] == ' ')
                at++;
            if (at[1] == '*' && at[2] != '/')
                at++;
        } else if (isspace((unsigned char)*at)) {
            add_blank(out);
        } else {
            add(out, *at);
        }
    }
    trim(out);
    return *at ? at + 2 : at;
}

static const char *skip_line(const char *at)
{
    while (*at && *at != '\n')
        at += *at == '\\' && at[1] ? 2 : 1;
    return at;
}

/* Reads up to the semicolon outside of braces and parentheses. as_it_is: with comments and line ends, as for structs.
 * */
static const char *read_declaration(const char *at, bool as_it_is, text *out)
{
    text comment;
    out->n = 0;
    for (int depth = 0; *at && !(*at == ';' && depth == 0);) {
        if (starts(at, "/*") && !as_it_is) {
            at = read_comment(at, &comment);
            continue;
        }
        if (starts(at, "/*")) { /* parentheses of comments need not match */
            const char *end = read_comment(at, &comment);
            while (at < end)
                add(out, *at++);
            continue;
        }
        if (*at == '#' && !as_it_is) {
            at = skip_line(at);
            continue;
        }
        depth += (*at == '(') + (*at == '{') - (*at == ')') - (*at == '}');
        if (isspace((unsigned char)*at) && !as_it_is)
            add_blank(out);
        else
            add(out, *at);
        at++;
    }
    trim(out);
    return *at ? at + 1 : at;
}

/* The comment that follows on the same line. */
static const char *read_behind(const char *at, text *comment)
{
    const char *next = at;
    while (*next == ' ')
        next++;
    return starts(next, "/*") ? read_comment(next, comment) : at;
}

/* ---- Output ---- */

static void put_literal(const char *s)
{
    putchar('"');
    for (; *s; s++) {
        if (*s == '\n')
            fputs("\\n\"\n     \"", stdout);
        else if (*s == '"' || *s == '\\')
            printf("\\%c", *s);
        else
            putchar(*s);
    }
    putchar('"');
}

/* The name that a declaration gives: what stands before the first parenthesis, or in (*name), or at the end. */
static void name_of(const char *declaration, char *name, size_t size)
{
    const char *brace = strchr(declaration, '{'), *end = strchr(declaration, '(');
    if (end && end[1] == '*')
        end += 1 + strcspn(end, ")");
    if (brace && (!end || end > brace))
        end = NULL;
    if (!end)
        end = declaration + strlen(declaration);
    const char *start = end;
    while (start > declaration && (isalnum((unsigned char)start[-1]) || start[-1] == '_'))
        start--;
    snprintf(name, size, "%.*s", (int)(end - start), start);
}

static void put_row(const char *kind, const char *header, const text *declaration, const text *doc)
{
    char name[64];
    name_of(declaration->s, name, sizeof name);
    if (!starts(name, "weft_"))
        return;
    printf("    {\"%s\", \"%s\", \"%s\",\n     ", name, kind, header);
    put_literal(declaration->s);
    fputs(",\n     ", stdout);
    put_literal(doc->s);
    fputs("},\n", stdout);
}

/* ---- Headers ---- */

static void remove_word(text *t, const char *word)
{
    char *at;
    while ((at = strstr(t->s, word))) {
        memmove(at, at + strlen(word), strlen(at + strlen(word)) + 1);
        t->n = strlen(t->s);
    }
}

/* WEFT_PRINTF(1, 2) at the end. */
static void remove_attributes(text *t)
{
    char *at = strstr(t->s, " WEFT_PRINTF(");
    remove_word(t, "WEFT_API ");
    remove_word(t, "WEFT_MUST_CHECK ");
    at = strstr(t->s, " WEFT_PRINTF(");
    if (at)
        *at = '\0';
    t->n = strlen(t->s);
}

static void put_header(const char *header, const char *at)
{
    static text comment, declaration, doc;
    comment.n = 0;
    comment.s[0] = '\0';
    while (*at) {
        const bool function = starts(at, "WEFT_API "), type = starts(at, "typedef ");
        if (starts(at, "/*")) {
            at = read_comment(at, &comment);
        } else if (*at == '#') {
            at = skip_line(at);
        } else if (starts(at, "\n\n")) {
            comment.n = 0;
            comment.s[0] = '\0';
            at++;
        } else if (function || type) {
            at = read_declaration(at, type, &declaration);
            doc = comment;
            at = read_behind(at, &doc);
            remove_attributes(&declaration);
            put_row(function ? "function" : "type", header, &declaration, &doc);
        } else {
            at++;
        }
    }
}

static char *read_file(const char *path)
{
    enum { ROOM = 1 << 18 };
    FILE *file = fopen(path, "rb");
    char *all = malloc(ROOM);
    if (!file || !all) {
        fprintf(stderr, "%s cannot be read\n", path);
        exit(1);
    }
    const size_t n = fread(all, 1, ROOM - 1, file);
    fclose(file);
    all[n] = '\0';
    return all;
}

int main(int argc, char **argv)
{
    printf("/* Made by weft_gen_functions from the public headers. */\n");
    for (int k = 1; k < argc; k++) {
        const char *slash = strrchr(argv[k], '/');
        char *all = read_file(argv[k]);
        put_header(slash ? slash + 1 : argv[k], all);
        free(all);
    }
    return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}
