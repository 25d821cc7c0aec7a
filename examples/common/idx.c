#include "common/idx.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

typedef struct idx {
    weft_ctx *ctx;
    char path[4096];
    FILE *file;
    int ndim;
    int64_t shape[WEFT_MAX_DIMS];
    uint64_t count;
} idx;

static bool refuse(idx *f, const char *why)
{
    weft_ctx_fail(f->ctx, WEFT_E_IO, "%s: %s", f->path, why);
    return false;
}

static bool read_size(idx *f, int64_t *size)
{
    uint8_t b[4];
    if (fread(b, 1, 4, f->file) != 4)
        return refuse(f, "ends inside its header; it needs to be fetched again");
    *size = (int64_t)((uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3]);
    return true;
}

/* The header: two zeros, the element type (8: bytes), the number of dims, then their sizes. */
static bool read_header(idx *f)
{
    uint8_t head[4];
    char why[96];
    size_t got = fread(head, 1, 4, f->file);
    if (ferror(f->file))
        return refuse(f, strerror(errno));
    if (got != 4)
        return refuse(f, "ends inside its header; it needs to be fetched again");
    if (head[0] == 0x1f && head[1] == 0x8b)
        return refuse(f, "is compressed; rename it to end in .gz and unpack it with gzip -dk");
    if (head[0] != 0 || head[1] != 0 || head[2] != 8)
        return refuse(f, "is not an idx file of bytes, which begins with 00 00 08");
    if (head[3] != f->ndim) {
        snprintf(why, sizeof why, "has %d dims instead of %d: are images and labels exchanged?", head[3], f->ndim);
        return refuse(f, why);
    }
    f->count = 1;
    for (int i = 0; i < f->ndim; i++) {
        if (!read_size(f, &f->shape[i]))
            return false;
        f->count *= (uint64_t)f->shape[i]; /* sizes are below 2^32 and f->count is at most 2^32 here */
        if (f->count < 1 || f->count > UINT32_MAX)
            return refuse(f, "has impossible sizes in its header; it needs to be fetched again");
    }
    return true;
}

/* Whether as many bytes follow as the header says. */
static bool check_length(idx *f)
{
    char why[128];
    long start = ftell(f->file);
    if (start < 0 || fseek(f->file, 0, SEEK_END) != 0)
        return refuse(f, strerror(errno));
    uint64_t held = (uint64_t)(ftell(f->file) - start);
    if (fseek(f->file, start, SEEK_SET) != 0)
        return refuse(f, strerror(errno));
    if (held == f->count)
        return true;
    snprintf(why, sizeof why, "has %llu bytes of data instead of %llu; it needs to be fetched again",
             (unsigned long long)held, (unsigned long long)f->count);
    return refuse(f, why);
}

static weft_tensor *read_bytes(idx *f)
{
    uint8_t *bytes = weft_ctx_alloc(f->ctx, f->count);
    if (!bytes)
        return NULL;
    weft_tensor *t = NULL;
    if (fread(bytes, 1, f->count, f->file) == f->count)
        t = weft_from_data(f->ctx, WEFT_U8, f->shape, f->ndim, bytes);
    else
        refuse(f, "could not be read to its end");
    weft_ctx_free(f->ctx, bytes, f->count);
    return t;
}

/* Opens folder/name, under either of its usual names. */
static bool open_file(idx *f, const char *folder, const char *name)
{
    if (snprintf(f->path, sizeof f->path - sizeof ".gz", "%s/%s", folder, name) >= (int)(sizeof f->path - sizeof ".gz"))
        return refuse(f, "this path is too long");
    f->file = fopen(f->path, "rb");
    char *dash = strstr(f->path + strlen(folder), "-idx");
    if (f->file || !dash)
        return f->file || refuse(f, strerror(errno));
    int why = errno;
    char text[256];
    *dash = '.';
    f->file = fopen(f->path, "rb");
    if (f->file)
        return true;
    *dash = '-';
    size_t length = strlen(f->path);
    strcpy(f->path + length, ".gz");
    FILE *packed = fopen(f->path, "rb");
    if (packed) {
        fclose(packed);
        snprintf(text, sizeof text, "must be unpacked first, as by: gzip -dk %.200s/*.gz", folder);
        return refuse(f, text);
    }
    f->path[length] = '\0';
    snprintf(text, sizeof text, "%s; name the folder of the idx files", strerror(why));
    return refuse(f, text);
}

weft_tensor *idx_load(weft_ctx *ctx, const char *folder, const char *name, int ndim)
{
    idx f = {.ctx = ctx, .ndim = ndim};
    if (!open_file(&f, folder, name))
        return NULL;
    weft_tensor *t = read_header(&f) && check_length(&f) ? read_bytes(&f) : NULL;
    fclose(f.file);
    return t;
}
