/* report.c - a profile as a table and as a trace. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "core/sheet.h"
#include "io/json_text.h"
#include "profile.h"

/* ---- Table ---- */

int weft_profile_table(const weft_profile *p, char *buffer, size_t size)
{
    enum { MOST = 64 };
    weft__sheet s = {buffer, size, 0};
    weft_profile_op rows[MOST];
    const weft_profile_total total = weft_profile_totals(p);
    const int n = weft_profile_ops(p, rows, MOST);
    if (!p)
        return 0;
    weft__put(&s, "%-30s %-10s %8s %11s %7s %11s %8s %8s\n", "kernel", "phase", "calls", "time", "share", "each",
              "GB/s", "GFLOP/s");
    for (int k = 0; k < n && k < MOST; k++) {
        const weft_profile_op *r = &rows[k];
        char name[48];
        snprintf(name, sizeof name, "%.32s%s", r->kernel, r->gradient ? " (gradient)" : "");
        weft__put(&s, "%-30s %-10s %8lld %8.3f ms %6.1f%% %8.2f us %8.2f %8.2f\n", name, r->phase, (long long)r->calls,
                  1e3 * r->seconds, total.in_kernels > 0 ? 100 * r->seconds / total.in_kernels : 0,
                  1e6 * r->seconds / (double)r->calls, 1e-9 * r->bytes / r->seconds, 1e-9 * r->flops / r->seconds);
    }
    if (n > MOST)
        weft__put(&s, "... and %d more\n", n - MOST);
    weft__put(&s, "%lld launches, %.3f ms in kernels of %.3f ms; at most %.2f MiB of tensor data\n",
              (long long)total.launches, 1e3 * total.in_kernels, 1e3 * total.wall, (double)total.peak_bytes / 1048576);
    return s.used;
}

/* ---- Trace: the format is Chrome's, "Trace Event Format", which Perfetto reads ---- */

static void write_shape(FILE *out, const weft__event *e)
{
    weft__json_put(out, "\"result\":\"%s [", weft_dtype_name((weft_dtype)e->dtype));
    for (int d = 0; d < e->ndim && d < WEFT__EVENT_DIMS; d++)
        weft__json_put(out, "%s%lld", d ? ", " : "", (long long)e->shape[d]);
    weft__json_put(out, "%s]\"", e->ndim > WEFT__EVENT_DIMS ? ", ..." : "");
}

static void write_event(FILE *out, const weft__event *e, bool device)
{
    weft__json_put(out, ",\n{\"ph\":\"X\",\"pid\":1,\"tid\":%d,\"ts\":%.3f,\"dur\":%.3f,\"cat\":\"%s\",\"name\":",
                   device ? 2 : 1, 1e6 * e->start, 1e6 * e->seconds, weft__phase_name((weft__phase)e->phase));
    weft__json_string(out, e->name);
    weft__json_put(out, ",\"args\":{\"kernel\":\"%s%s\",\"phase\":\"%s\",", weft__ops[e->op].name,
                   e->grad ? " (gradient)" : "", weft__phase_name((weft__phase)e->phase));
    write_shape(out, e);
    weft__json_put(out, ",\"bytes\":%.0f,\"flops\":%.0f", e->bytes, e->flops);
    if (e->file) {
        weft__json_put(out, ",\"file\":");
        weft__json_string(out, e->file);
        weft__json_put(out, ",\"line\":%d", e->line);
    }
    weft__json_put(out, "}},\n{\"ph\":\"C\",\"pid\":1,\"ts\":%.3f,\"name\":\"tensor memory\",\"args\":{\"bytes\":%zu}}",
                   1e6 * e->start, e->live);
}

weft_status weft_profile_trace(const weft_profile *p, const char *path)
{
    if (!p || !path)
        return WEFT_E_NULL_ARGUMENT;
    FILE *out = fopen(path, "w");
    if (!out)
        return weft__fail_named(p->ctx, "profile_trace", WEFT_E_IO, "%s: %s", path, strerror(errno));
    const weft_profile_total total = weft_profile_totals(p);
    const bool device = !p->ctx->backend->host_memory;
    weft__json_put(out,
                   "{\"displayTimeUnit\":\"ns\",\"otherData\":{\"weft\":\"%s\",\"device\":\"%s\",\"launches\":%lld,"
                   "\"wall_seconds\":%.9g,\"kernel_seconds\":%.9g,\"peak_bytes\":%zu},\n\"traceEvents\":[\n"
                   "{\"ph\":\"M\",\"pid\":1,\"name\":\"process_name\",\"args\":{\"name\":\"Weft\"}},\n"
                   "{\"ph\":\"M\",\"pid\":1,\"tid\":%d,\"name\":\"thread_name\",\"args\":{\"name\":\"%s\"}}",
                   weft_version(), p->ctx->backend->name, (long long)total.launches, total.wall, total.in_kernels,
                   total.peak_bytes, device ? 2 : 1, device ? "GPU stream" : "CPU kernels");
    for (int64_t k = 0; k < total.kept; k++)
        write_event(out, &p->events[k], device);
    weft__json_put(out, "\n]}\n");
    const bool bad = ferror(out) != 0;
    if (fclose(out) != 0 || bad)
        return weft__fail_named(p->ctx, "profile_trace", WEFT_E_IO, "%s: writing failed; is the disk full?", path);
    return WEFT_OK;
}
