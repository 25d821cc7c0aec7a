/* test_archive.c - see test_archive.h. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test_archive.h"

void test_put(test_bytes *b, const void *bytes, size_t n)
{
    while (b->n + n > b->room)
        b->p = realloc(b->p, b->room = b->room ? 2 * b->room : 256);
    if (n)
        memcpy(b->p + b->n, bytes, n);
    b->n += n;
}

void test_put_number(test_bytes *b, uint64_t value, int bytes)
{
    for (int k = 0; k < bytes; k++)
        test_put(b, &(unsigned char){(unsigned char)(value >> (8 * k))}, 1);
}

test_bytes test_npy(const char *descr, const char *fortran, const char *shape, const void *data, size_t n)
{
    char text[512];
    test_bytes b = {0};
    const int length =
        snprintf(text, sizeof text, "{'descr': %s, 'fortran_order': %s, 'shape': %s, }\n", descr, fortran, shape);
    test_put(&b, "\x93NUMPY\x01\x00", 8);
    test_put_number(&b, (uint64_t)length, 2);
    test_put(&b, text, (size_t)length);
    test_put(&b, data, n);
    return b;
}

/* Bit by bit: the tests do not take the library's word for it. */
static uint32_t crc_of(const unsigned char *p, size_t n)
{
    uint32_t crc = ~0u;
    for (size_t k = 0; k < n; k++) {
        crc ^= p[k];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
    }
    return ~crc;
}

static test_bytes plain_blocks(const test_bytes *content)
{
    test_bytes b = {0};
    size_t done = 0;
    do {
        const size_t n = content->n - done < 65535 ? content->n - done : 65535;
        test_put_number(&b, done + n == content->n, 1);
        test_put_number(&b, n, 2);
        test_put_number(&b, ~(uint64_t)n, 2);
        test_put(&b, content->p + done, n);
        done += n;
    } while (done < content->n);
    return b;
}

static void put_common(test_bytes *b, const char *name, test_method method, uint32_t crc, size_t packed, size_t size,
                       const test_bytes *extra)
{
    test_put_number(b, 20, 2);
    test_put_number(b, 0x800, 2);
    test_put_number(b, method, 2);
    test_put_number(b, 0, 4);
    test_put_number(b, crc, 4);
    test_put_number(b, packed, 4);
    test_put_number(b, size, 4);
    test_put_number(b, strlen(name), 2);
    test_put_number(b, extra ? extra->n : 0, 2);
}

static void put_central(test_zip *z, const char *name, test_method method, uint32_t crc, size_t packed, size_t size,
                        uint64_t offset)
{
    test_bytes *d = &z->directory;
    test_put(d, "PK\1\2\x14\0", 6);
    put_common(d, name, method, crc, z->wide ? UINT32_MAX : packed, z->wide ? UINT32_MAX : size, z->extra);
    test_put_number(d, 0, 8); /* comment, disk, attributes */
    test_put_number(d, 0, 2);
    test_put_number(d, offset, 4);
    test_put(d, name, strlen(name));
    if (z->extra)
        test_put(d, z->extra->p, z->extra->n);
    z->n++;
}

void test_zip_add(test_zip *z, const char *name, test_method method, test_bytes content)
{
    const uint32_t crc = crc_of(content.p, content.n);
    test_bytes packed = method == TEST_DEFLATED ? plain_blocks(&content) : content;
    put_central(z, name, method, crc, packed.n, content.n, z->file.n);
    test_put(&z->file, "PK\3\4", 4);
    put_common(&z->file, name, method, crc, packed.n, content.n, z->extra);
    test_put(&z->file, name, strlen(name));
    if (z->extra)
        test_put(&z->file, z->extra->p, z->extra->n);
    test_put(&z->file, packed.p, packed.n);
    if (packed.p != content.p)
        free(packed.p);
    free(content.p);
}

void test_zip_alias(test_zip *z, const char *name, uint64_t offset, const test_bytes *content)
{
    put_central(z, name, TEST_STORED, crc_of(content->p, content->n), content->n, content->n, offset);
}

test_bytes test_zip_close(test_zip *z)
{
    const size_t at = z->file.n;
    test_put(&z->file, z->directory.p, z->directory.n);
    test_put(&z->file, "PK\5\6\0\0\0\0", 8);
    test_put_number(&z->file, z->n, 2);
    test_put_number(&z->file, z->n, 2);
    test_put_number(&z->file, z->directory.n, 4);
    test_put_number(&z->file, at, 4);
    test_put_number(&z->file, 0, 2);
    free(z->directory.p);
    z->directory = (test_bytes){0};
    return z->file;
}

test_bytes test_safetensors(const char *header, const void *data, size_t n)
{
    test_bytes b = {0};
    test_put_number(&b, strlen(header), 8);
    test_put(&b, header, strlen(header));
    test_put(&b, data, n);
    return b;
}
