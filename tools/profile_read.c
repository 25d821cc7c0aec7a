/* profile_read.c - see profile_read.h. */
#include "profile_read.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "json.h"
#include "json_read.h"
#include "options.h"
#include "terminal.h"

enum { MOST_ROWS = 512, MOST_CONTEXTS = 64 };

typedef struct row {
    const char *kernel, *phase;
    double calls, seconds, bytes, flops;
} row;

static row *find(row *rows, int *n, const char *kernel, const char *phase)
{
    for (int k = 0; k < *n; k++)
        if (strcmp(rows[k].kernel, kernel) == 0 && strcmp(rows[k].phase, phase) == 0)
            return &rows[k];
    if (*n == MOST_ROWS)
        return NULL;
    rows[*n] = (row){.kernel = kernel, .phase = phase};
    return &rows[(*n)++];
}

static int gather(const json_value *trace, row *rows)
{
    int n = 0;
    const json_value *events = json_get(trace, "traceEvents");
    for (const json_value *e = events ? events->first : NULL; e; e = e->next) {
        const json_value *args = json_get(e, "args");
        if (strcmp(json_get_text(e, "ph", ""), "X") != 0 || !json_get(args, "kernel"))
            continue; /* what the host did to queue it has a slice of its own */
        row *r = find(rows, &n, json_get_text(args, "kernel", "?"), json_get_text(args, "phase", "?"));
        if (!r)
            continue;
        r->calls++;
        r->seconds += 1e-6 * json_get_number(args, "own", 0);
        r->bytes += json_get_number(args, "bytes", 0);
        r->flops += json_get_number(args, "flops", 0);
    }
    return n;
}

static int by_time(const void *a, const void *b)
{
    const double x = ((const row *)a)->seconds, y = ((const row *)b)->seconds;
    return x < y ? 1 : x > y ? -1 : 0;
}

static void print_text(const json_value *about, const row *rows, int n)
{
    const double all = json_get_number(about, "kernel_seconds", 0);
    table *t = table_open("llrrrrrr",
                          (const char *[]){"kernel", "phase", "calls", "time", "share", "each", "GB/s", "GFLOP/s"});
    for (int k = 0; k < n; k++) {
        const row *r = &rows[k];
        table_cell(t, STYLE_BOLD, "%s", r->kernel);
        table_cell(t, STYLE_PLAIN, "%s", r->phase);
        table_cell(t, STYLE_PLAIN, "%.0f", r->calls);
        table_cell(t, STYLE_PLAIN, "%s", text_seconds(r->seconds));
        table_cell(t, STYLE_PLAIN, "%.1f %%", all > 0 ? 100 * r->seconds / all : 0);
        table_cell(t, STYLE_PLAIN, "%s", text_seconds(r->seconds / r->calls));
        table_cell(t, STYLE_PLAIN, "%.2f", r->seconds > 0 ? 1e-9 * r->bytes / r->seconds : 0);
        table_cell(t, STYLE_PLAIN, "%.2f", r->seconds > 0 ? 1e-9 * r->flops / r->seconds : 0);
    }
    table_print(t, stdout);
    const char *device = json_get_text(about, "device", "?");
    printf("\n%.0f launches on %s, %s in kernels of %s; at most %s of tensor data\n",
           json_get_number(about, "launches", 0), device, text_seconds(all),
           text_seconds(json_get_number(about, "wall_seconds", 0)),
           text_bytes(json_get_number(about, "peak_bytes", 0)));
    if (strcmp(device, "cpu") != 0)
        printf("the host spent %s in launching them\n", text_seconds(json_get_number(about, "issuing_seconds", 0)));
}

static void print_json(json *j, const json_value *about, const row *rows, int n)
{
    json_object(j, NULL);
    json_text(j, "device", json_get_text(about, "device", ""));
    json_real(j, "wall_seconds", json_get_number(about, "wall_seconds", 0));
    json_real(j, "kernel_seconds", json_get_number(about, "kernel_seconds", 0));
    json_real(j, "issuing_seconds", json_get_number(about, "issuing_seconds", 0));
    json_int(j, "launches", (int64_t)json_get_number(about, "launches", 0));
    json_int(j, "peak_bytes", (int64_t)json_get_number(about, "peak_bytes", 0));
    json_array(j, "kernels");
    for (int k = 0; k < n; k++) {
        json_object(j, NULL);
        json_text(j, "kernel", rows[k].kernel);
        json_text(j, "phase", rows[k].phase);
        json_int(j, "calls", (int64_t)rows[k].calls);
        json_real(j, "seconds", rows[k].seconds);
        json_real(j, "bytes", rows[k].bytes);
        json_real(j, "flops", rows[k].flops);
        json_close(j);
    }
    json_close(j);
    json_close(j);
}

/* One context's trace; j NULL: as text. False after a complaint. */
static bool show_one(const char *path, json *j)
{
    char message[256] = "";
    json_value *trace = json_load(path, message, sizeof message);
    if (!trace) {
        complain("%s: %s", path, message);
        return false;
    }
    row *rows = take(sizeof *rows * MOST_ROWS);
    const int n = gather(trace, rows);
    qsort(rows, (size_t)n, sizeof *rows, by_time);
    if (j)
        print_json(j, json_get(trace, "otherData"), rows, n);
    else
        print_text(json_get(trace, "otherData"), rows, n);
    free(rows);
    json_free(trace);
    return true;
}

/* As WEFT_PROFILE numbers the contexts of a program. */
static const char *path_of(const char *path, int number, char *room, size_t size)
{
    snprintf(room, size, number > 1 ? "%s.%d" : "%s", path, number);
    return room;
}

static bool is_there(const char *path)
{
    struct stat about;
    return stat(path, &about) == 0 && about.st_size > 0;
}

bool profile_show(const char *path, bool as_json)
{
    char name[4096];
    int found = 0;
    bool fine = true;
    json j = {0};
    for (int k = 1; k <= MOST_CONTEXTS && fine; k++) {
        if (!is_there(path_of(path, k, name, sizeof name)))
            continue;
        if (found++ == 0 && as_json) {
            j = json_begin(stdout);
            json_object(&j, NULL);
            json_text(&j, "schema", "weft-profile/1");
            json_array(&j, "contexts");
        } else if (found > 1 && !as_json) {
            printf("\n");
        }
        fine = show_one(name, as_json ? &j : NULL);
    }
    if (found > 0 && as_json && fine) {
        json_close(&j);
        json_close(&j);
    }
    if (found == 0)
        complain("the program left no profile: it opened no context of Weft, or did not close it (weft_ctx_close)");
    return found > 0 && fine;
}

void profile_remove(const char *path)
{
    char name[4096];
    for (int k = 1; k <= MOST_CONTEXTS; k++)
        unlink(path_of(path, k, name, sizeof name));
}
