/* profile_read.c - see profile_read.h. The first line of a trace has the sums over all launches; the slices that
 * follow, of the first million, are for viewers. */
#include "profile_read.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "json_read.h"
#include "options.h"
#include "terminal.h"

static const char first_words[] = "{\"displayTimeUnit\":\"ns\",\"otherData\":{\"weft\":";

static double number(const json_value *v, const char *key)
{
    return json_get_number(v, key, 0);
}

static const char *kernel_word(const json_value *kernel, const char *key)
{
    return json_get_text(kernel, key, "?");
}

/* ---- One trace ---- */

static void print_row(table *t, const json_value *k, double all)
{
    const double calls = number(k, "calls"), seconds = number(k, "seconds");
    table_cell(t, STYLE_BOLD, "%s", kernel_word(k, "kernel"));
    table_cell(t, STYLE_PLAIN, "%s", kernel_word(k, "phase"));
    table_cell(t, STYLE_PLAIN, "%.0f", calls);
    table_cell(t, STYLE_PLAIN, "%s", text_seconds(seconds));
    table_cell(t, STYLE_PLAIN, "%.1f %%", all > 0 ? 100 * seconds / all : 0);
    table_cell(t, STYLE_PLAIN, "%s", text_seconds(calls > 0 ? seconds / calls : 0));
    table_cell(t, STYLE_PLAIN, "%.2f", seconds > 0 ? 1e-9 * number(k, "bytes") / seconds : 0);
    table_cell(t, STYLE_PLAIN, "%.2f", seconds > 0 ? 1e-9 * number(k, "flops") / seconds : 0);
}

static void print_text(const json_value *about)
{
    const json_value *kernels = json_get(about, "kernels");
    const double all = number(about, "kernel_seconds");
    table *t = table_open("llrrrrrr",
                          (const char *[]){"kernel", "phase", "calls", "time", "share", "each", "GB/s", "GFLOP/s"});
    for (const json_value *k = kernels ? kernels->first : NULL; k; k = k->next)
        print_row(t, k, all);
    table_print(t, stdout);
    const char *device = json_get_text(about, "device", "?");
    say(stdout, "\n%.0f launches on %s, %s in kernels of %s; at most %s of tensor data\n", number(about, "launches"),
        device, text_seconds(all), text_seconds(number(about, "wall_seconds")),
        text_bytes(number(about, "peak_bytes")));
    if (number(about, "traced") < number(about, "launches"))
        say(stdout, "the trace holds the first %.0f of them, the table all\n", number(about, "traced"));
    if (strcmp(device, "cpu") != 0)
        say(stdout, "the host spent %s in launching them\n", text_seconds(number(about, "issuing_seconds")));
}

static void print_json(json *j, const json_value *about)
{
    const json_value *kernels = json_get(about, "kernels");
    json_object(j, NULL);
    json_text(j, "device", json_get_text(about, "device", ""));
    json_real(j, "wall_seconds", number(about, "wall_seconds"));
    json_real(j, "kernel_seconds", number(about, "kernel_seconds"));
    json_real(j, "issuing_seconds", number(about, "issuing_seconds"));
    json_int(j, "launches", (int64_t)number(about, "launches"));
    json_int(j, "traced", (int64_t)number(about, "traced"));
    json_int(j, "peak_bytes", (int64_t)number(about, "peak_bytes"));
    json_array(j, "kernels");
    for (const json_value *k = kernels ? kernels->first : NULL; k; k = k->next) {
        json_object(j, NULL);
        json_text(j, "kernel", kernel_word(k, "kernel"));
        json_text(j, "phase", kernel_word(k, "phase"));
        json_int(j, "calls", (int64_t)number(k, "calls"));
        json_real(j, "seconds", number(k, "seconds"));
        json_real(j, "bytes", number(k, "bytes"));
        json_real(j, "flops", number(k, "flops"));
        json_close(j);
    }
    json_close(j);
    json_close(j);
}

/* The first line of a trace as an object; NULL after a complaint. */
static json_value *read_head(const char *path)
{
    FILE *file = fopen(path, "rb");
    char *line = NULL, message[256] = "it is no trace of Weft";
    size_t room = 0;
    json_value *head = NULL;
    if (!file) {
        complain("%s: %s", path, strerror(errno));
        return NULL;
    }
    const ssize_t length = getline(&line, &room, file);
    if (length > 2 && strcmp(line + length - 2, ",\n") == 0 &&
        strncmp(line, first_words, sizeof first_words - 1) == 0) {
        line[length - 2] = '}'; /* the slices are left out */
        line[length - 1] = '\0';
        head = json_parse(line, message, sizeof message);
    }
    if (!head)
        complain("%s: %s", path, message);
    free(line);
    fclose(file);
    return head;
}

bool profile_is_trace(const char *path)
{
    char start[sizeof first_words] = "";
    FILE *file = fopen(path, "rb");
    if (!file)
        return false;
    const size_t got = fread(start, 1, sizeof start - 1, file);
    fclose(file);
    return got == sizeof start - 1 && memcmp(start, first_words, got) == 0;
}

/* ---- All of them ---- */

const char *profile_path(const char *path, int number, char *room, size_t size)
{
    weft_text(room, size, number > 1 ? "%s.%d" : "%s", path, number);
    return room;
}

static int by_number(const void *a, const void *b)
{
    const int x = *(const int *)a, y = *(const int *)b;
    return (x > y) - (x < y);
}

int *profile_found(const char *folder, int *n)
{
    int *numbers = take(sizeof *numbers), room = 1;
    DIR *all = opendir(folder);
    *n = 0;
    for (const struct dirent *e = all ? readdir(all) : NULL; e; e = readdir(all)) {
        if (strncmp(e->d_name, "trace", 5) != 0)
            continue;
        if (*n == room)
            numbers = grow(numbers, sizeof *numbers * (size_t)(room *= 2));
        numbers[(*n)++] = e->d_name[5] == '.' ? atoi(e->d_name + 6) : 1;
    }
    if (all)
        closedir(all);
    qsort(numbers, (size_t)*n, sizeof *numbers, by_number);
    return numbers;
}

/* One context's trace; j NULL: as text. False after a complaint. */
static bool show_one(const char *path, json *j)
{
    json_value *head = read_head(path);
    if (head && j)
        print_json(j, json_get(head, "otherData"));
    else if (head)
        print_text(json_get(head, "otherData"));
    json_free(head);
    return head != NULL;
}

bool profile_show(const char *folder, const int *numbers, int n, bool as_json)
{
    char base[4096], name[4096];
    bool fine = true;
    json j = {0};
    weft_text(base, sizeof base, "%s/trace", folder);
    if (n > 0 && as_json) {
        j = json_begin(stdout);
        json_object(&j, NULL);
        json_text(&j, "schema", "weft-profile/1");
        json_array(&j, "contexts");
    }
    for (int k = 0; k < n && fine; k++) {
        if (k > 0 && !as_json)
            say(stdout, "\n");
        fine = show_one(profile_path(base, numbers[k], name, sizeof name), as_json ? &j : NULL);
    }
    if (n > 0 && as_json) {
        json_close(&j);
        json_close(&j);
    }
    if (n == 0)
        complain("the program left no profile: it opened no context of Weft, or did not close it (weft_ctx_close)");
    return n > 0 && fine;
}
