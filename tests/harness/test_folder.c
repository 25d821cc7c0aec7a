/* test_folder.c - see test_folder.h. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "test_folder.h"

bool test_folder_make(test_folder *f)
{
    strcpy(f->path, "/tmp/weft_test_XXXXXX");
    return mkdtemp(f->path) != NULL;
}

const char *test_path(const test_folder *f, const char *name)
{
    static char paths[8][512];
    static unsigned next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", f->path, name);
    return path;
}

static int each(const test_folder *f, bool remove)
{
    DIR *dir = opendir(f->path);
    int n = 0;
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        n++;
        if (remove)
            unlink(test_path(f, entry->d_name));
    }
    if (dir)
        closedir(dir);
    return n;
}

int test_folder_count(const test_folder *f)
{
    return each(f, false);
}

void test_folder_drop(test_folder *f)
{
    each(f, true);
    rmdir(f->path);
}

unsigned char *test_file_read(const char *path, size_t *size)
{
    FILE *f = fopen(path, "rb");
    size_t room = 4096, n = 0;
    unsigned char *bytes = f ? malloc(room) : NULL;
    while (bytes) {
        const size_t got = fread(bytes + n, 1, room - n, f);
        n += got;
        if (got == 0)
            break;
        if (n == room)
            bytes = realloc(bytes, room *= 2);
    }
    if (f)
        fclose(f);
    *size = n;
    return bytes;
}

bool test_file_write(const char *path, const void *bytes, size_t size)
{
    FILE *f = fopen(path, "wb");
    if (!f)
        return false;
    const bool fine = fwrite(bytes, 1, size, f) == size;
    return fclose(f) == 0 && fine;
}

bool test_file_is(const char *path, const void *bytes, size_t size)
{
    size_t n;
    unsigned char *found = test_file_read(path, &n);
    const bool same = found && n == size && memcmp(found, bytes, n) == 0;
    free(found);
    return same;
}
