/* report.c - a profile as a table and as a trace. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/text_buffer.h"
#include "io/json_text.h"
#include "io/replace.h"
#include "profile.h"

/* ---- Table ---- */

/* In billions a second. */
static double rate(double amount, double seconds)
{
    return seconds > 0 ? 1e-9 * amount / seconds : 0;
}

int weft_profile_table(weft_profile *p, char *buffer, size_t size)
{
    enum { MOST = 64 };
    weft__text_buffer s = {buffer, size, 0};
    weft_profile_op rows[MOST];
    weft_profile_total total;
    (void)weft_profile_totals(p, &total, sizeof total);
    const int n = weft_profile_ops(p, rows, MOST, sizeof *rows);
    if (!weft_owned(&weft__profile_kind, p))
        return 0;
    weft__put(&s, "%-30s %-10s %8s %11s %7s %11s %8s %8s\n", "kernel", "phase", "calls", "time", "share", "each",
              "GB/s", "GFLOP/s");
    for (int k = 0; k < n && k < MOST; k++) {
        const weft_profile_op *r = &rows[k];
        char name[64];
        weft_text(name, sizeof name, "%s%s", r->kernel, r->gradient ? " (gradient)" : "");
        weft__put(&s, "%-30s %-10s %8lld %8.3f ms %6.1f%% %8.2f us %8.2f %8.2f\n", name, r->phase, (long long)r->calls,
                  1e3 * r->seconds, total.in_kernels > 0 ? 100 * r->seconds / total.in_kernels : 0,
                  1e6 * r->seconds / (double)r->calls, rate(r->bytes, r->seconds), rate(r->flops, r->seconds));
    }
    if (n > MOST)
        weft__put(&s, "... and %d more\n", n - MOST);
    weft__put(&s, "%lld launches, %.3f ms in kernels of %.3f ms; at most %.2f MiB of tensor data\n",
              (long long)total.launches, 1e3 * total.in_kernels, 1e3 * total.wall, (double)total.peak_bytes / 1048576);
    return s.used;
}

/* ---- Trace: the format is Chrome's, "Trace Event Format", which Perfetto reads ---- */

enum { HOST_TRACK = 1, DEVICE_TRACK = 2 };

static void write_shape(FILE *out, const weft__event *e)
{
    if (e->ndim < 0)
        return;
    weft__json_put(out, ",\"result\":\"%s [", weft_dtype_name((weft_dtype)e->dtype));
    for (int d = 0; d < e->ndim && d < WEFT__EVENT_DIMS; d++)
        weft__json_put(out, "%s%lld", d ? ", " : "", (long long)e->shape[d]);
    weft__json_put(out, "%s]\"", e->ndim > WEFT__EVENT_DIMS ? ", ..." : "");
}

static void begin_slice(FILE *out, const weft__event *e, int track, double start, double seconds, const char *category)
{
    weft__json_put(out,
                   ",\n{\"ph\":\"X\",\"pid\":1,\"tid\":%d,\"ts\":%.3f,\"dur\":%.3f,\"cat\":\"%s\",\"name\":", track,
                   1e6 * start, 1e6 * seconds, category);
    weft__json_string(out, e->name);
    weft__json_put(out, ",\"args\":{");
}

static void write_place(FILE *out, const weft__event *e)
{
    write_shape(out, e);
    if (!e->file)
        return;
    weft__json_put(out, ",\"file\":");
    weft__json_string(out, e->file);
    weft__json_put(out, ",\"line\":%d", e->line);
}

/* The work of a launch. own: microseconds of it that are not of launches within. */
static void write_work(FILE *out, const weft__event *e, int track)
{
    const char *phase = weft__phase_name((weft__phase)e->phase);
    char kernel[64];
    weft_text(kernel, sizeof kernel, "%s%s", e->kernel, e->grad ? " (gradient)" : "");
    begin_slice(out, e, track, e->start, e->seconds, phase);
    weft__json_put(out, "\"kernel\":");
    weft__json_string(out, kernel);
    weft__json_put(out, ",\"phase\":\"%s\"", phase);
    write_place(out, e);
    weft__json_put(out, ",\"bytes\":%.0f,\"flops\":%.0f,\"own\":%.3f}}", e->bytes, e->flops,
                   1e6 * (e->seconds - e->inner));
}

/* The host's call that queued it, and an arrow from there to the work. */
static void write_call(FILE *out, const weft__event *e, long long number)
{
    begin_slice(out, e, HOST_TRACK, e->issued, e->issuing, "launch");
    weft__json_put(out, "\"launches\":");
    weft__json_string(out, e->kernel);
    write_place(out, e);
    weft__json_put(out, "}}");
    if (e->seconds < 0)
        return;
    const char *const format =
        ",\n{\"ph\":\"%s\",\"id\":%lld,\"pid\":1,\"tid\":%d,\"ts\":%.3f,\"cat\":\"launch\",\"name\":"
        "\"queued\"%s}";
    weft__json_put(out, format, "s", number, HOST_TRACK, 1e6 * e->issued, "");
    weft__json_put(out, format, "f", number, DEVICE_TRACK, 1e6 * e->start, ",\"bp\":\"e\"");
}

static void write_event(FILE *out, const weft__event *e, bool device, long long number)
{
    if (device)
        write_call(out, e, number);
    if (e->seconds >= 0)
        write_work(out, e, device ? DEVICE_TRACK : HOST_TRACK);
    weft__json_put(out, ",\n{\"ph\":\"C\",\"pid\":1,\"ts\":%.3f,\"name\":\"tensor memory\",\"args\":{\"bytes\":%zu}}",
                   1e6 * e->issued, e->live);
}

/* Every launch, those that are not in the trace too. */
static void write_row(FILE *out, const weft_profile_op *r)
{
    char kernel[64];
    weft_text(kernel, sizeof kernel, "%s%s", r->kernel, r->gradient ? " (gradient)" : "");
    weft__json_put(out, "{\"kernel\":");
    weft__json_string(out, kernel);
    weft__json_put(out, ",\"phase\":\"%s\",\"calls\":%lld,\"seconds\":%.9g,\"bytes\":%.17g,\"flops\":%.17g}", r->phase,
                   (long long)r->calls, r->seconds, r->bytes, r->flops);
}

/* False: there was no memory for them. */
static bool write_rows(FILE *out, weft__profile *p)
{
    const int n = weft__profile_ops(p, NULL, 0, sizeof(weft_profile_op));
    const size_t bytes = sizeof(weft_profile_op) * (size_t)(n + 1);
    weft_profile_op *rows = weft__host_alloc(p->ctx, bytes);
    if (!rows)
        return false;
    const int filled = weft__profile_ops(p, rows, n, sizeof *rows);
    for (int k = 0; k < filled && k < n; k++) {
        weft__json_put(out, "%s", k ? "," : "");
        write_row(out, &rows[k]);
    }
    weft__host_free(p->ctx, rows, bytes);
    return filled == n;
}

/* One line, which `weft profile` reads alone. False: out of memory. */
static bool write_head(FILE *out, weft__profile *p, const weft_profile_total *total)
{
    weft__json_put(out,
                   "{\"displayTimeUnit\":\"ns\",\"otherData\":{\"weft\":\"%s\",\"device\":\"%s\",\"launches\":%lld,"
                   "\"traced\":%lld,\"wall_seconds\":%.9g,\"kernel_seconds\":%.9g,\"issuing_seconds\":%.9g,"
                   "\"peak_bytes\":%zu,\"kernels\":[",
                   weft_version(), p->ctx->backend->name, (long long)total->launches, (long long)total->kept,
                   total->wall, total->in_kernels, total->issuing, total->peak_bytes);
    const bool whole = write_rows(out, p);
    weft__json_put(out, "]},\n\"traceEvents\":[\n");
    weft__json_put(out, "{\"ph\":\"M\",\"pid\":1,\"name\":\"process_name\",\"args\":{\"name\":\"Weft\"}}");
    const bool device = !p->ctx->backend->host_memory;
    const char *const track =
        ",\n{\"ph\":\"M\",\"pid\":1,\"tid\":%d,\"name\":\"thread_name\",\"args\":{\"name\":\"%s\"}}";
    weft__json_put(out, track, HOST_TRACK, device ? "CPU: launches" : "CPU: kernels");
    if (device)
        weft__json_put(out, track, DEVICE_TRACK, "GPU: stream");
    return whole;
}

/* WEFT_OK, or why not: *r has a sentence about path then. What was at path before stays until all is written. */
static weft_status write_trace(weft__profile *p, const char *path, weft__replace *r)
{
    if (!weft__replace_open(r, path))
        return WEFT_E_IO;
    const weft_profile_total total = weft__profile_totals(p);
    const bool whole = write_head(r->out, p, &total);
    for (int64_t k = 0; k < total.kept; k++)
        write_event(r->out, &p->events[k], !p->ctx->backend->host_memory, (long long)k);
    weft__json_put(r->out, "\n]}\n");
    if (whole)
        return weft__replace_commit(r) ? WEFT_OK : WEFT_E_IO;
    weft__replace_drop(r);
    weft_text(r->why, sizeof r->why, "out of memory for the table of kernels");
    return WEFT_E_NOMEM;
}

weft_status weft_profile_trace(weft_profile *handle, const char *path)
{
    weft__replace r;
    weft__profile *p = weft_owned(&weft__profile_kind, handle);
    if (!p)
        return weft_owned_fail(NULL, "profile_trace", &weft__profile_kind, handle);
    if (!path)
        return weft__fail_named(p->ctx, "profile_trace", WEFT_E_NULL_ARGUMENT, "the path is NULL");
    const weft_status status = write_trace(p, path, &r);
    return status == WEFT_OK ? WEFT_OK : weft__fail_named(p->ctx, "profile_trace", status, "%s: %s", path, r.why);
}

void weft__profile_complain(weft_ctx *ctx, const char *path, const char *why)
{
    char text[WEFT__MESSAGE_SIZE];
    if (ctx->options.log) {
        weft__log(ctx, WEFT_LOG_LEVEL_WARNING, "WEFT_PROFILE: %s: %s", path, why);
        return;
    }
    const int length = weft_text(text, sizeof text, "weft: WEFT_PROFILE: %s: %s\n", path, why);
    const size_t bytes = length < 0 ? 0 : (size_t)length < sizeof text ? (size_t)length : strlen(text);
    if (write(STDERR_FILENO, text, bytes) < 0) /* nobody can be told */
        return;
}

void weft__profile_write(weft__profile *p, const char *path)
{
    weft__replace r;
    if (write_trace(p, path, &r) != WEFT_OK)
        weft__profile_complain(p->ctx, path, r.why);
}
