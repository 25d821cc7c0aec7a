/* bench.h - what the files of `weft bench` share: a report, and the functions that fill and show it. */
#ifndef WEFT_TOOLS_BENCH_H
#define WEFT_TOOLS_BENCH_H

#include "machine.h"

#include <stdio.h>
#include <weft/weft.h>

enum { BENCH_MOST_DEVICES = 4, BENCH_MOST_DTYPES = 4 };

/* One thing that was measured on one device. */
typedef struct bench_case {
    char kind[12];   /* "op", "gradient" of one, or "model" */
    char name[40];   /* "gelu", "gpt2-tiny" */
    char what[48];   /* "1024x768", "train step" */
    char device[16]; /* "cpu" */
    weft_dtype dtype;
    double bytes, flops; /* of one run; 0: not known */
    double roof;         /* least seconds by the roofline; NAN: not known */
    bool memory_bound;
    weft_bench_result seconds;
    char error[512]; /* why it could not be measured, or "" */
} bench_case;

typedef struct bench_device {
    char name[16];                /* "cuda:1" */
    char product[128];            /* "NVIDIA H100 80GB HBM3" */
    char driver[32], runtime[32]; /* CUDA versions, "" for the CPU */
    weft_bench_ceiling ceilings[WEFT_BENCH_CEILINGS];
    int n_ceilings;
} bench_device;

typedef struct bench_plan {
    bool quick;  /* short samples of little work: shows that it works, the figures mean nothing */
    int threads; /* CPU threads */
    int samples;
    int64_t shape[WEFT_MAX_DIMS]; /* --shape */
    int rank;                     /* 0: not given */
    int batch;                    /* of the models; 0: their own */
    bool gradients;               /* of the operations too */
    bool alike;                   /* CPU and GPU get the same shapes, to be compared */
    weft_dtype dtypes[BENCH_MOST_DTYPES];
    int n_dtypes;
} bench_plan;

typedef struct bench_report {
    machine host;
    bench_plan plan;
    bench_device devices[BENCH_MOST_DEVICES];
    int n_devices;
    bench_case *cases;
    int n_cases, room;
} bench_report;

/* ---- Filling ---- */

/* The settings of one measurement. */
weft_bench_options bench_options(const bench_plan *plan, weft_ctx *ctx);

/* Adds an empty case; valid until the next one is added. */
bench_case *bench_add(bench_report *r, const char *kind, const char *name, const char *device, weft_dtype dtype);

/* Opens a context for device d; its errors go to message[512]. NULL after an error. */
weft_ctx *bench_open(const bench_report *r, const bench_device *d, char *message);

/* Measures operations (indices of weft_op_describe) on all devices and dtypes of the report. */
void bench_run_ops(bench_report *r, const int *ops, int n);

/* Measures models by name, forward and training. False after a complaint about an unknown name; n 0: the usual ones. */
bool bench_run_models(bench_report *r, char **names, int n);

/* ---- Showing ---- */

/* A sentence where the figures deserve doubt, else "". */
void bench_doubts(const bench_report *r, char *text, size_t size);

void bench_print_text(const bench_report *r, FILE *out);
void bench_print_json(const bench_report *r, FILE *out); /* schema weft-bench/1, docs/bench-json.md */
void bench_print_html(const bench_report *r, FILE *out);

/* The same text, 16 letters, for reports that may be compared: processor, kernels, threads, memory, devices. */
void bench_fingerprint(const bench_report *r, char *text, size_t size);

const char *bench_unit_name(weft_bench_unit unit); /* "B/s" */

/* The same case on a GPU, for case k on the CPU; NULL: none. */
const bench_case *bench_partner(const bench_report *r, int k);

/* `weft bench diff` and `weft bench invariance`. */
int bench_diff(int argc, char **argv);
int bench_invariance(int argc, char **argv);

#endif
