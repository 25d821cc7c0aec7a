/* json.c - see json.h. */
#include "json.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <weft/text.h>

json json_begin(FILE *out)
{
    return (json){.out = out};
}

static void put_string(FILE *out, const char *text)
{
    fputc('"', out);
    for (const char *c = text; *c;) {
        const int bytes = weft_text_character(c);
        if (*c == '"' || *c == '\\')
            fprintf(out, "\\%c", *c);
        else if (*c == '\n' || *c == '\t')
            fputs(*c == '\n' ? "\\n" : "\\t", out);
        else if ((unsigned char)*c < 0x20 || *c == 0x7f)
            fprintf(out, "\\u%04x", (unsigned)*c);
        else
            fprintf(out, "%.*s", bytes ? bytes : 3, bytes ? c : "\xef\xbf\xbd"); /* no UTF-8: U+FFFD */
        c += bytes ? bytes : 1;
    }
    fputc('"', out);
}

/* The comma, the line and the key that come before a value. */
static void lead(json *j, const char *key)
{
    if (j->depth > 0) {
        bool flat = j->levels[j->depth - 1].flat;
        if (j->levels[j->depth - 1].used)
            fputs(flat ? ", " : ",", j->out);
        if (!flat)
            fprintf(j->out, "\n%*s", 2 * j->depth, "");
        j->levels[j->depth - 1].used = true;
    }
    if (key) {
        put_string(j->out, key);
        fputs(": ", j->out);
    }
}

static void open_level(json *j, const char *key, char start, char end, bool flat)
{
    lead(j, key);
    fputc(start, j->out);
    if (j->depth == JSON_DEEPEST)
        abort();
    j->levels[j->depth].end = end;
    j->levels[j->depth].used = false;
    j->levels[j->depth].flat = flat;
    j->depth++;
}

void json_object(json *j, const char *key)
{
    open_level(j, key, '{', '}', false);
}

void json_array(json *j, const char *key)
{
    open_level(j, key, '[', ']', false);
}

void json_row(json *j, const char *key)
{
    open_level(j, key, '[', ']', true);
}

void json_close(json *j)
{
    j->depth--;
    if (j->levels[j->depth].used && !j->levels[j->depth].flat)
        fprintf(j->out, "\n%*s", 2 * j->depth, "");
    fputc(j->levels[j->depth].end, j->out);
    if (j->depth == 0)
        fputc('\n', j->out);
}

void json_text(json *j, const char *key, const char *text)
{
    lead(j, key);
    if (text)
        put_string(j->out, text);
    else
        fputs("null", j->out);
}

void json_real(json *j, const char *key, double value)
{
    if (!isfinite(value)) {
        json_null(j, key);
        return;
    }
    char text[32];
    for (int digits = 6; digits <= 17; digits++) {
        weft_text(text, sizeof text, "%.*g", digits, value);
        if (weft_number(text, NULL) == value)
            break;
    }
    lead(j, key);
    fputs(text, j->out);
}

void json_int(json *j, const char *key, int64_t value)
{
    lead(j, key);
    fprintf(j->out, "%" PRId64, value);
}

void json_bool(json *j, const char *key, bool value)
{
    lead(j, key);
    fputs(value ? "true" : "false", j->out);
}

void json_null(json *j, const char *key)
{
    lead(j, key);
    fputs("null", j->out);
}
