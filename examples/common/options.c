#include "common/options.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft/text.h>

static const char *program(char **argv)
{
    const char *slash = strrchr(argv[0], '/');
    return slash ? slash + 1 : argv[0];
}

static void print_number(const char *format, double number)
{
    char text[64];
    weft_text(text, sizeof text, format, number);
    fputs(text, stdout);
}

static void print_help(char **argv, const char *what, const option *options, int n)
{
    printf("%s - %s\n\n", program(argv), what);
    for (int i = 0; i < n; i++) {
        const option *o = &options[i];
        int width = printf("  --%s %s", o->name, o->value);
        printf("%*s%s; ", width < 20 ? 20 - width : 1, "", o->help);
        if (o->text)
            printf("default %s\n", *o->text);
        else
            print_number("default %g\n", *o->number);
    }
    printf("  --help            this text\n");
    exit(0);
}

static void refuse(char **argv, const char *argument, const char *why)
{
    fprintf(stderr, "%s: %s: %s; --help lists the options\n", program(argv), argument, why);
    exit(2);
}

/* The option that argument names, with *value set to what follows '=' (NULL without one). */
static const option *find(const char *argument, const option *options, int n, const char **value)
{
    const char *equals = strchr(argument, '=');
    size_t length = equals ? (size_t)(equals - argument) : strlen(argument);
    *value = equals ? equals + 1 : NULL;
    for (int i = 0; i < n && length > 2 && strncmp(argument, "--", 2) == 0; i++) {
        const char *name = options[i].name;
        if (strlen(name) == length - 2 && strncmp(argument + 2, name, length - 2) == 0)
            return &options[i];
    }
    return NULL;
}

static void store(char **argv, const option *o, const char *argument, const char *value)
{
    if (o->text) {
        *o->text = value;
        return;
    }
    char why[96], *end;
    double number = weft_number(value, &end);
    bool fits = *value && !*end && number >= o->least && number <= o->most;
    weft_text(why, sizeof why, "'%.32s' is not a%s number from %g to %g", value, o->whole ? " whole" : "", o->least,
              o->most);
    if (!fits || (o->whole && number != floor(number)))
        refuse(argv, argument, why);
    *o->number = number;
}

void options_read(int argc, char **argv, const char *what, const option *options, int n)
{
    for (int i = 1; i < argc; i++) {
        const char *value, *argument = argv[i];
        if (strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0)
            print_help(argv, what, options, n);
        const option *o = find(argument, options, n, &value);
        if (!o)
            refuse(argv, argument, "no such option");
        if (!value && ++i < argc)
            value = argv[i];
        if (!value || !*value)
            refuse(argv, argument, "a value must follow");
        store(argv, o, argument, value);
    }
}
