/* test_archive.h - npy, npz and safetensors files made in memory, byte by byte, right or wrong as a test wants them. */
#ifndef WEFT_TEST_ARCHIVE_H
#define WEFT_TEST_ARCHIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct test_bytes {
    unsigned char *p; /* free it */
    size_t n, room;
} test_bytes;

void test_put(test_bytes *b, const void *bytes, size_t n);
void test_put_number(test_bytes *b, uint64_t value, int bytes); /* little endian */

/* An npy file: its header says these texts, "'<f4'", "False", "(2, 3)". */
test_bytes test_npy(const char *descr, const char *fortran, const char *shape, const void *data, size_t n);

/* A zip archive: entries are added, then it is closed. */
typedef struct test_zip {
    test_bytes file, directory;
    unsigned n;
    const test_bytes *extra; /* the extra field of what is added from now on, in both its records; NULL: none */
    bool wide;               /* whose sizes it has: those in the directory are all ones */
} test_zip;

typedef enum test_method { TEST_STORED = 0, TEST_DEFLATED = 8 } test_method;

/* Deflated: in blocks of plain bytes, which need no compressor. Frees content. */
void test_zip_add(test_zip *z, const char *name, test_method method, test_bytes content);
/* One more name for the entry at that offset (of its local record), of n bytes. */
void test_zip_alias(test_zip *z, const char *name, uint64_t offset, const test_bytes *content);
test_bytes test_zip_close(test_zip *z);

/* A safetensors file of that header and data. */
test_bytes test_safetensors(const char *header, const void *data, size_t n);

#endif
