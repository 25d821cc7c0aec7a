/* json_read.c - see json_read.h: recursive descent, at most 64 levels deep. */
#include "json_read.h"
#include "terminal.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { DEEPEST = 64 };

typedef struct reader {
    const char *start, *at;
    const char *error; /* the first one, at `at` */
    int depth;
} reader;

static json_value *read_value(reader *r);

static void skip_space(reader *r)
{
    while (*r->at == ' ' || *r->at == '\t' || *r->at == '\n' || *r->at == '\r')
        r->at++;
}

static bool fail(reader *r, const char *error)
{
    if (!r->error)
        r->error = error;
    return false;
}

static bool expect(reader *r, char c, const char *error)
{
    skip_space(r);
    if (*r->at != c)
        return fail(r, error);
    r->at++;
    return true;
}

/* ---- Strings ---- */

static int put_utf8(char *out, unsigned code)
{
    if (code < 0x80)
        return out[0] = (char)code, 1;
    if (code < 0x800) {
        out[0] = (char)(0xc0 | code >> 6);
        out[1] = (char)(0x80 | (code & 0x3f));
        return 2;
    }
    out[0] = (char)(0xe0 | code >> 12);
    out[1] = (char)(0x80 | (code >> 6 & 0x3f));
    out[2] = (char)(0x80 | (code & 0x3f));
    return 3;
}

/* The letter after a backslash; returns how many bytes it became, 0 after an error. */
static int read_escape(reader *r, char *out)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    char letter = *r->at++;
    const char *found = letter ? strchr(from, letter) : NULL;
    if (found) {
        *out = to[found - from];
        return 1;
    }
    char digits[5] = "";
    if (letter == 'u' && strlen(r->at) >= 4) {
        memcpy(digits, r->at, 4);
        char *end;
        unsigned code = (unsigned)strtoul(digits, &end, 16);
        r->at += 4;
        if (end == digits + 4)
            return put_utf8(out, code);
    }
    fail(r, "a bad escape in a string");
    return 0;
}

static char *read_string(reader *r)
{
    if (!expect(r, '"', "a string was expected"))
        return NULL;
    size_t length = strcspn(r->at, "\""), used = 0;
    for (const char *p = r->at + length; *p && p > r->at && p[-1] == '\\'; p = r->at + length)
        length += 1 + strcspn(p + 1, "\""); /* an upper bound is enough */
    char *text = take(length + 4);
    while (*r->at && *r->at != '"') {
        if (*r->at == '\\') {
            r->at++;
            int n = read_escape(r, text + used);
            if (n == 0)
                break;
            used += (size_t)n;
        } else {
            text[used++] = *r->at++;
        }
    }
    text[used] = 0;
    if (!expect(r, '"', "a string does not end")) {
        free(text);
        return NULL;
    }
    return text;
}

/* ---- Values ---- */

static json_value *new_value(json_kind kind)
{
    json_value *v = take(sizeof *v);
    *v = (json_value){.kind = kind};
    return v;
}

/* The elements of an array or object, up to its end. */
static void read_elements(reader *r, json_value *parent, char end)
{
    json_value **last = &parent->first;
    skip_space(r);
    if (*r->at == end) {
        r->at++;
        return;
    }
    for (;;) {
        char *key = parent->kind == JSON_OBJECT ? (skip_space(r), read_string(r)) : NULL;
        if (key)
            (void)expect(r, ':', "a colon was expected");
        json_value *element = r->error ? NULL : read_value(r);
        if (!element) {
            free(key);
            return;
        }
        element->key = key;
        *last = element;
        last = &element->next;
        skip_space(r);
        if (*r->at == ',') {
            r->at++;
            continue;
        }
        (void)expect(r, end, end == ']' ? "a comma or ] was expected" : "a comma or } was expected");
        return;
    }
}

static json_value *read_word(reader *r)
{
    static const struct {
        const char *word;
        json_kind kind;
        double number;
    } words[] = {{"null", JSON_NULL, 0}, {"true", JSON_BOOL, 1}, {"false", JSON_BOOL, 0}};
    for (int k = 0; k < 3; k++) {
        size_t length = strlen(words[k].word);
        if (strncmp(r->at, words[k].word, length) == 0) {
            r->at += length;
            json_value *v = new_value(words[k].kind);
            v->number = words[k].number;
            return v;
        }
    }
    char *end;
    double number = weft_number(r->at, &end);
    if (end == r->at || (*r->at != '-' && (*r->at < '0' || *r->at > '9'))) {
        fail(r, "a value was expected");
        return NULL;
    }
    r->at = end;
    json_value *v = new_value(JSON_NUMBER);
    v->number = number;
    return v;
}

static json_value *read_value(reader *r)
{
    skip_space(r);
    if (*r->at == '"') {
        char *text = read_string(r);
        if (!text)
            return NULL;
        json_value *v = new_value(JSON_STRING);
        v->text = text;
        return v;
    }
    if (*r->at != '[' && *r->at != '{')
        return read_word(r);
    if (r->depth == DEEPEST) {
        fail(r, "nested too deeply");
        return NULL;
    }
    json_value *v = new_value(*r->at == '[' ? JSON_ARRAY : JSON_OBJECT);
    r->at++;
    r->depth++;
    read_elements(r, v, v->kind == JSON_ARRAY ? ']' : '}');
    r->depth--;
    return v;
}

json_value *json_parse(const char *text, char *message, size_t size)
{
    reader r = {.start = text, .at = text};
    json_value *v = read_value(&r);
    skip_space(&r);
    if (!r.error && *r.at)
        fail(&r, "something follows the value");
    if (!r.error)
        return v;
    int line = 1;
    for (const char *p = r.start; p < r.at; p++)
        line += *p == '\n';
    weft_text(message, size, "line %d: %s", line, r.error);
    json_free(v);
    return NULL;
}

json_value *json_load(const char *path, char *message, size_t size)
{
    FILE *file = fopen(path, "rb");
    if (!file) {
        weft_text(message, size, "%s", strerror(errno));
        return NULL;
    }
    size_t used = 0, room = 1 << 16;
    char *text = take(room);
    size_t got;
    while ((got = fread(text + used, 1, room - used - 1, file)) > 0) {
        used += got;
        if (room - used < 2)
            text = grow(text, room *= 2);
    }
    fclose(file);
    text[used] = 0;
    json_value *v = json_parse(text, message, size);
    free(text);
    return v;
}

void json_free(json_value *v)
{
    while (v) {
        json_value *next = v->next;
        json_free(v->first);
        free(v->key);
        free(v->text);
        free(v);
        v = next;
    }
}

/* ---- Looking ---- */

const json_value *json_get(const json_value *v, const char *key)
{
    if (!v || v->kind != JSON_OBJECT)
        return NULL;
    for (const json_value *e = v->first; e; e = e->next)
        if (e->key && strcmp(e->key, key) == 0)
            return e;
    return NULL;
}

const char *json_get_text(const json_value *v, const char *key, const char *otherwise)
{
    const json_value *e = json_get(v, key);
    return e && e->kind == JSON_STRING ? e->text : otherwise;
}

double json_get_number(const json_value *v, const char *key, double otherwise)
{
    const json_value *e = json_get(v, key);
    return e && e->kind == JSON_NUMBER ? e->number : otherwise;
}
