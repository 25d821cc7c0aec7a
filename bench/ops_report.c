/* ops_report.c - what was found: a line of a table, and a JSON object on a line of its own. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "ops.h"

/* How the contestants are called in the JSON. */
static const char *const fields[OPS_CONTESTANTS] = {"reference", "weft", "own", "timed", "torch"};

/* ---- JSON ---- */

static void json_text(FILE *f, const char *key, const char *text)
{
    fprintf(f, ", \"%s\": \"", key);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            fputc('\\', f);
        fputc((unsigned char)*text < ' ' ? ' ' : *text, f);
    }
    fputc('"', f);
}

static void json_number(FILE *f, const char *key, double x)
{
    if (isfinite(x))
        fprintf(f, ", \"%s\": %.6g", key, x);
}

/* Written out at once: what comes later may not come back. */
static void end_line(FILE *f)
{
    fputs("}\n", f);
    fflush(f);
}

void ops_report_begin(ops_bench *b)
{
    b->report = (ops_report){.judges = b->gpu && !b->plan->quick};
    if (!b->plan->json)
        return;
    FILE *f = b->report.json = fopen(b->plan->json, "a");
    if (!f) {
        fprintf(stderr, "%s: cannot be written\n", b->plan->json);
        exit(1);
    }
    fprintf(f, "{\"program\": \"bench_ops\"");
    json_text(f, "weft", weft_version());
    json_text(f, "device", b->device);
    json_text(f, "name", b->info.name);
    json_text(f, "driver", b->info.driver);
    json_text(f, "runtime", b->info.runtime);
    fprintf(f, ", \"quick\": %s, \"rounds\": %d", b->plan->quick ? "true" : "false", b->plan->rounds);
    for (int k = 0; k < b->info.n_libraries; k++)
        json_text(f, b->info.libraries[k].name, b->info.libraries[k].version);
    json_text(f, "cublaslt_peer", b->lt ? "yes" : b->lt_note);
    json_text(f, "torch_peer", b->torch_note);
    end_line(f);
}

/* ---- Ratios ---- */

/* How much of the reference's speed this contestant has. */
static double share(const ops_result *found, const ops_way *way, ops_who who)
{
    const bench_case *reference = &found->cases[OPS_REFERENCE];
    return way->n_products ? bench_speed_ratio(&found->cases[who], 1, reference, 1)
                           : bench_speed_ratio(&found->cases[who], way->bytes, reference, 2);
}

/* How many times as fast as another one. */
static double speed(const ops_result *found, ops_who who, ops_who other)
{
    return bench_speed_ratio(&found->cases[who], 1, &found->cases[other], 1);
}

/* What the reference copies is operand 0 once read and once written; way->bytes counts in the same unit. */
static ops_way in_operands(const ops_subject *s, const ops_way *way, const ops_result *found)
{
    ops_way w = *way;
    w.bytes /= found->elements * (double)weft_dtype_size(s->dtype);
    return w;
}

/* ---- A row ---- */

static void print_row(const ops_report *r, const ops_subject *s, const ops_way *way, const ops_result *found,
                      double share_of_reference)
{
    const double seconds = bench_median(&found->cases[OPS_WEFT]);
    printf("%-13s %-15s %-24s %-5s", s->name, way->name, s->shape, s->tf32 ? "tf32" : weft_dtype_name(s->dtype));
    if (isnan(seconds)) {
        printf("  FAILED: %s\n", found->errors[OPS_WEFT]);
        return;
    }
    printf("%s us", bench_number(seconds * 1e6, 9, 1));
    if (way->bytes > 0)
        printf("%s GB/s  ", bench_number(way->bytes / seconds * 1e-9, 7, 0));
    else
        printf("%s TFLOP/s", bench_number(way->flops / seconds * 1e-12, 7, 2));
    if (way->bytes > 0 || way->n_products)
        printf("%s %% of %s", bench_number(100 * share_of_reference, 4, 0),
               way->n_products ? "cuBLASLt's best" : "a copy");
    if (r->judges && way->goal > 0 && isfinite(share_of_reference))
        printf(", goal %.0f: %s", 100 * way->goal, share_of_reference >= way->goal ? "met" : "NOT MET");
    if (found->cases[OPS_TIMED].rounds > 0)
        printf(", %s %% with time_matmul", bench_number(100 * share(found, way, OPS_TIMED), 0, 0));
    if (found->cases[OPS_OWN].rounds > 0)
        printf("; own kernels / %s %sx", s->library, bench_number(speed(found, OPS_OWN, OPS_WEFT), 0, 2));
    if (found->cases[OPS_TORCH].rounds > 0)
        printf("; %sx PyTorch", bench_number(speed(found, OPS_WEFT, OPS_TORCH), 0, 2));
    printf("\n");
}

static void write_row(const ops_report *r, const ops_subject *s, const ops_way *way, const ops_result *found,
                      double share_of_reference)
{
    FILE *f = r->json;
    const double seconds = bench_median(&found->cases[OPS_WEFT]);
    fprintf(f, "{\"op\": \"%s\"", s->name);
    json_text(f, "way", way->name);
    json_text(f, "shape", s->shape);
    json_text(f, "dtype", s->tf32 ? "tf32" : weft_dtype_name(s->dtype));
    json_number(f, "seconds", seconds);
    json_number(f, "gbps", way->bytes > 0 ? way->bytes / seconds * 1e-9 : (double)NAN);
    json_number(f, "tflops", way->flops > 0 ? way->flops / seconds * 1e-12 : (double)NAN);
    json_number(f, way->n_products ? "share_of_best" : "share_of_copy", share_of_reference);
    if (r->judges && way->goal > 0 && isfinite(share_of_reference))
        fprintf(f, ", \"goal\": %.2f, \"goal_met\": %s", way->goal, share_of_reference >= way->goal ? "true" : "false");
    if (found->candidates)
        fprintf(f, ", \"best_of\": %d", found->candidates);
    json_number(f, "timed_share_of_best", way->n_products ? share(found, way, OPS_TIMED) : (double)NAN);
    json_number(f, "own_to_library", speed(found, OPS_OWN, OPS_WEFT));
    json_number(f, "weft_to_torch", speed(found, OPS_WEFT, OPS_TORCH));
    for (int who = 0; who < OPS_CONTESTANTS; who++) {
        char key[32];
        snprintf(key, sizeof key, "%s_seconds", fields[who]);
        json_number(f, key, bench_median(&found->cases[who]));
        snprintf(key, sizeof key, "%s_error", fields[who]);
        if (found->errors[who][0])
            json_text(f, key, found->errors[who]);
    }
    end_line(f);
}

void ops_report_add(ops_report *r, const ops_subject *s, const ops_way *way, const ops_result *found)
{
    const ops_way relative = in_operands(s, way, found);
    const double of_reference = share(found, &relative, OPS_WEFT);
    if (r->judges && way->goal > 0 && isfinite(of_reference)) {
        r->goals++;
        r->goals_met += of_reference >= way->goal;
    }
    r->failed += found->cases[OPS_WEFT].rounds == 0;
    print_row(r, s, way, found, of_reference);
    for (int who = 0; who < OPS_CONTESTANTS; who++)
        if (who != OPS_WEFT && found->errors[who][0])
            printf("    %s: %s\n", fields[who], found->errors[who]);
    fflush(stdout);
    if (r->json)
        write_row(r, s, way, found, of_reference);
}

void ops_report_peer(ops_report *r, const char *family, const ops_subject *s, const ops_way *way,
                     const ops_result *found, double low, double high)
{
    FILE *f = r->json;
    fprintf(f, "{\"op\": \"%s\"", s->name);
    json_text(f, "family", family);
    json_text(f, "way", way->name);
    json_text(f, "shape", s->shape);
    json_text(f, "numbers", s->numbers);
    json_text(f, "dtype", weft_dtype_name(s->dtype));
    json_number(f, "seconds", bench_median(&found->cases[OPS_WEFT]));
    json_number(f, "torch_seconds", bench_median(&found->cases[OPS_TORCH]));
    json_number(f, "weft_to_torch", speed(found, OPS_WEFT, OPS_TORCH));
    json_number(f, "least", low);
    json_number(f, "most", high);
    if (found->errors[OPS_WEFT][0])
        json_text(f, "weft_error", found->errors[OPS_WEFT]);
    if (found->errors[OPS_TORCH][0])
        json_text(f, "torch_error", found->errors[OPS_TORCH]);
    end_line(f);
}

void ops_report_end(ops_report *r)
{
    if (r->goals)
        printf("\n%d of %d goals met\n", r->goals_met, r->goals);
    if (r->failed)
        printf("%d measurements failed\n", r->failed);
    if (r->json)
        fclose(r->json);
}
