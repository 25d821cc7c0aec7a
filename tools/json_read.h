/* json_read.h - reads JSON into a tree. */
#ifndef WEFT_TOOLS_JSON_READ_H
#define WEFT_TOOLS_JSON_READ_H

#include <stddef.h>

typedef enum json_kind { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT } json_kind;

typedef struct json_value json_value;
struct json_value {
    json_kind kind;
    char *key;         /* in an object, else NULL */
    char *text;        /* STRING */
    double number;     /* NUMBER; BOOL: 0 or 1 */
    json_value *first; /* ARRAY, OBJECT: the elements, a list by next */
    json_value *next;
};

/* Parses text. NULL: it is no JSON, and message says what is wrong where. Free the result with json_free. */
json_value *json_parse(const char *text, char *message, size_t size);

/* Reads and parses a file. */
json_value *json_load(const char *path, char *message, size_t size);

void json_free(json_value *v); /* NULL is fine */

/* A member of an object; NULL if v is NULL, no object, or has none of this name. */
const json_value *json_get(const json_value *v, const char *key);

/* A member's text or number; the default if there is no such member of that kind. */
const char *json_get_text(const json_value *v, const char *key, const char *otherwise);
double json_get_number(const json_value *v, const char *key, double otherwise);

#endif
