/* bench_json.c - the report of `weft bench` as JSON: schema weft-bench/1, described in docs/bench-json.md. */
#include "bench.h"
#include "json.h"

#include <math.h>
#include <string.h>

static void mix(uint64_t *hash, const char *text)
{
    for (; *text; text++)
        *hash = (*hash ^ (unsigned char)*text) * 1099511628211u;
    *hash = (*hash ^ 0xffu) * 1099511628211u;
}

/* FNV-1a, 64 bits. */
void bench_fingerprint(const bench_report *r, char *text, size_t size)
{
    uint64_t hash = 14695981039346656037u;
    char numbers[64];
    weft_text(numbers, sizeof numbers, "%d %d %zu", r->host.processors, r->plan.threads, r->host.memory >> 30);
    mix(&hash, r->host.cpu);
    mix(&hash, r->host.isa);
    mix(&hash, numbers);
    for (int k = 0; k < r->n_devices; k++)
        mix(&hash, r->devices[k].product);
    weft_text(text, size, "%016llx", (unsigned long long)hash);
}

static void put_machine(json *j, const bench_report *r)
{
    char print[24];
    bench_fingerprint(r, print, sizeof print);
    json_object(j, "machine");
    json_text(j, "fingerprint", print);
    json_text(j, "cpu", r->host.cpu);
    json_text(j, "isa", r->host.isa);
    json_text(j, "system", r->host.system);
    json_int(j, "processors", r->host.processors);
    json_int(j, "memory", (int64_t)r->host.memory);
    json_int(j, "last_cache", (int64_t)machine_last_cache(&r->host));
    json_close(j);
    json_object(j, "settings");
    json_int(j, "threads", r->plan.threads);
    json_bool(j, "quick", r->plan.quick);
    json_bool(j, "same_sizes", r->plan.alike);
    json_close(j);
}

static void put_seconds(json *j, const weft_bench_result *s)
{
    json_object(j, "seconds");
    json_real(j, "median", s->n ? s->median : (double)NAN);
    json_real(j, "p10", s->n ? s->p10 : (double)NAN);
    json_real(j, "p90", s->n ? s->p90 : (double)NAN);
    json_real(j, "best", s->n ? s->best : (double)NAN);
    json_int(j, "runs_per_sample", s->times);
    json_row(j, "samples");
    for (int k = 0; k < s->n; k++)
        json_real(j, NULL, s->samples[k]);
    json_close(j);
    json_close(j);
}

static void put_device(json *j, const bench_device *d)
{
    json_object(j, NULL);
    json_text(j, "name", d->name);
    json_text(j, "product", d->product);
    json_text(j, "driver", d->driver);
    json_text(j, "runtime", d->runtime);
    json_array(j, "ceilings");
    for (int k = 0; k < d->n_ceilings; k++) {
        const weft_bench_ceiling *c = &d->ceilings[k];
        json_object(j, NULL);
        json_text(j, "name", c->name);
        json_text(j, "dtype", c->unit == WEFT_BENCH_UNIT_FLOPS ? weft_dtype_name(c->dtype) : NULL);
        json_text(j, "unit", bench_unit_name(c->unit));
        json_real(j, "size", c->size);
        json_real(j, "value", c->value);
        json_text(j, "source", c->source);
        json_real(j, "theory", c->theory > 0 ? c->theory : (double)NAN);
        put_seconds(j, &c->seconds);
        json_close(j);
    }
    json_close(j);
    json_close(j);
}

static void put_case(json *j, const bench_case *c)
{
    const bool measured = !c->error[0];
    char id[160];
    weft_text(id, sizeof id, "%s/%s/%s/%s/%s", c->kind, c->name, c->what, weft_dtype_name(c->dtype), c->device);
    json_object(j, NULL);
    json_text(j, "id", id);
    json_text(j, "kind", c->kind);
    json_text(j, "name", c->name);
    json_text(j, "size", c->what);
    json_text(j, "dtype", weft_dtype_name(c->dtype));
    json_text(j, "device", c->device);
    json_real(j, "bytes", c->bytes);
    json_real(j, "flops", c->flops);
    json_real(j, "limit_seconds", measured ? c->roof : (double)NAN);
    json_text(j, "limited_by", measured && !isnan(c->roof) ? c->memory_bound ? "memory" : "compute" : NULL);
    json_real(j, "share_of_limit", measured ? c->roof / c->seconds.median : (double)NAN);
    json_text(j, "error", measured ? NULL : c->error);
    put_seconds(j, &c->seconds);
    json_close(j);
}

static void put_ratios(json *j, const bench_report *r)
{
    json_array(j, "cpu_to_gpu");
    for (int k = 0; k < r->n_cases; k++) {
        const bench_case *cpu = &r->cases[k], *gpu = bench_partner(r, k);
        if (!gpu || cpu->error[0] || gpu->error[0])
            continue;
        json_object(j, NULL);
        json_text(j, "kind", cpu->kind);
        json_text(j, "name", cpu->name);
        json_text(j, "size", cpu->what);
        json_text(j, "dtype", weft_dtype_name(cpu->dtype));
        json_text(j, "gpu", gpu->device);
        json_real(j, "ratio", cpu->seconds.median / gpu->seconds.median);
        json_close(j);
    }
    json_close(j);
}

void bench_print_json(const bench_report *r, FILE *out)
{
    json j = json_begin(out);
    json_object(&j, NULL);
    json_text(&j, "schema", "weft-bench/1");
    json_text(&j, "weft", weft_version());
    put_machine(&j, r);
    json_array(&j, "devices");
    for (int k = 0; k < r->n_devices; k++)
        put_device(&j, &r->devices[k]);
    json_close(&j);
    json_array(&j, "cases");
    for (int k = 0; k < r->n_cases; k++)
        put_case(&j, &r->cases[k]);
    json_close(&j);
    put_ratios(&j, r);
    json_close(&j);
}
