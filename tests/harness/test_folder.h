/* test_folder.h - a folder for one test, and what lies in it. */
#ifndef WEFT_TEST_FOLDER_H
#define WEFT_TEST_FOLDER_H

#include <stdbool.h>
#include <stddef.h>

typedef struct test_folder {
    char path[64];
} test_folder;

bool test_folder_make(test_folder *f);
void test_folder_drop(test_folder *f); /* with the files in it, one level */

/* The path of a file in it: of static storage, good for eight calls. */
const char *test_path(const test_folder *f, const char *name);
int test_folder_count(const test_folder *f);

/* A whole file, or NULL; free it. */
unsigned char *test_file_read(const char *path, size_t *size);
bool test_file_write(const char *path, const void *bytes, size_t size);
bool test_file_is(const char *path, const void *bytes, size_t size);

#endif
