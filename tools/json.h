/* json.h - writes JSON, one value after the other:
 *
 *     json j = json_begin(stdout);
 *     json_object(&j, NULL);                     // the key is NULL in arrays and outermost
 *     json_text(&j, "name", "gelu");
 *     json_array(&j, "samples");
 *     json_real(&j, NULL, 0.25);
 *     json_close(&j);                            // the array
 *     json_close(&j);                            // the object, and the line */
#ifndef WEFT_TOOLS_JSON_H
#define WEFT_TOOLS_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { JSON_DEEPEST = 16 };

typedef struct json {
    FILE *out;
    int depth;
    struct {
        char end;  /* what closes it */
        bool used; /* something is in it: a comma comes first */
        bool flat; /* on one line */
    } levels[JSON_DEEPEST];
} json;

json json_begin(FILE *out);
void json_object(json *j, const char *key);
void json_array(json *j, const char *key);
void json_row(json *j, const char *key); /* an array on one line: for numbers */
void json_close(json *j);

void json_text(json *j, const char *key, const char *text); /* NULL becomes null */
void json_real(json *j, const char *key, double value);     /* shortest text that reads back the same; NaN, inf: null */
void json_int(json *j, const char *key, int64_t value);
void json_bool(json *j, const char *key, bool value);
void json_null(json *j, const char *key);

#endif
