/* ops.h - the parts of bench_ops: operations, the contexts and peers that they are measured in, the report. */
#ifndef BENCH_OPS_H
#define BENCH_OPS_H

#include <stdio.h>
#include <weft/sample.h>
#include "common/cublaslt.h"
#include "common/measure.h"
#include "common/torch.h"

enum { OPS_PRODUCTS = 2 };

/* ---- What is measured ---- */

/* An operation on operands of given sizes and one dtype. What the operands are, and how it is called, its record says
 * (weft/sample.h); a bench chooses the sizes, and numbers and arrangement where it wants others. */
typedef struct ops_subject {
    const char *name;  /* in the report */
    const char *op;    /* of the table */
    char shape[64];    /* in words, for the report */
    int recipe;        /* of the record */
    const char *words; /* operands in the place of the recipe's; NULL: those */
    char numbers[48];  /* likewise; "": those */
    int64_t sizes[8];  /* of the letters a to h */
    weft_dtype dtype;
    bool tf32;           /* in contexts that allow it */
    bool same_numbers;   /* PyTorch gets Weft's operands, and calls what tests/parity/calls.py says */
    const char *library; /* of NVIDIA, that does it if it is there; NULL: our kernels always do */
} ops_subject;

/* One way through it: forward, or a gradient. Exactly one of bytes and flops is the work that is counted. */
typedef struct ops_way {
    const char *name;
    unsigned wrt;                         /* bit k: the gradient by operand k is wanted; OPS_ALL; 0: forward */
    bool both;                            /* with wrt: forward and backward, not backward alone */
    double bytes;                         /* that must be read and written, once */
    double flops;                         /* a multiply-add is two */
    double goal;                          /* least share of a copy, or of cuBLASLt's best, on a GPU; 0: none was set */
    bench_product products[OPS_PRODUCTS]; /* what it is to cuBLASLt */
    int n_products;                       /* 0: it is no product */
} ops_way;

#define OPS_ALL (~0u) /* by every operand that is to be differentiated */

/* ---- Who does it, in turns ---- */

typedef enum ops_who {
    OPS_REFERENCE, /* a copy of operand 0, or the fastest that cuBLASLt can do */
    OPS_WEFT,      /* as programs get it */
    OPS_OWN,       /* without NVIDIA's libraries: our kernels */
    OPS_TIMED,     /* products: with the option time_matmul */
    OPS_TORCH,     /* the same in PyTorch */
    OPS_CONTESTANTS
} ops_who;

/* What they found. Seconds are NAN where somebody did not take part; then error may say why. */
typedef struct ops_result {
    bench_case cases[OPS_CONTESTANTS];
    char errors[OPS_CONTESTANTS][512];
    double elements; /* of operand 0, which the reference copies */
    int candidates;  /* algorithms that cuBLASLt's best was chosen from */
} ops_result;

typedef struct ops_report {
    FILE *json;
    bool judges; /* goals are for GPUs, and for figures that mean something */
    int goals, goals_met, failed;
} ops_report;

typedef struct ops_bench {
    const bench_plan *plan;
    const char *device;
    bool gpu;
    weft_device_info info;
    weft_ctx *contexts[2][OPS_CONTESTANTS]; /* [allow_tf32]; NULL: not opened, or there is no such contestant */
    bench_lt *lt;                           /* NULL: lt_note says why */
    char lt_note[256];
    bench_torch *torch;   /* NULL: torch_note says why */
    char torch_note[256]; /* else its version */
    char torch_data[32];  /* the file by which PyTorch gets operands; "": none yet */
    ops_report report;
} ops_bench;

/* Prints why and exits where the device cannot be opened: nothing is lost then. */
void ops_open(ops_bench *b, const bench_plan *plan);
void ops_close(ops_bench *b);

/* A size as it is on a GPU, or a smaller one for the CPU or --quick. Batches shrink to 4 or 1. */
int64_t ops_size(const ops_bench *b, int64_t size);
int64_t ops_batch(const ops_bench *b, int64_t batch);

/* Measures one way in all contestants and reports it. Whatever fails is reported too, and the next may come. */
void ops_measure(ops_bench *b, const ops_subject *s, const ops_way *way);

/* The same without a report. */
void ops_find(ops_bench *b, const ops_subject *s, const ops_way *way, ops_result *found);

/* ---- Report: a line of the table and one JSON object on a line of its own, written out at once ---- */

void ops_report_begin(ops_bench *b);
void ops_report_add(ops_report *r, const ops_subject *s, const ops_way *way, const ops_result *found);
/* A row of --every, in the JSON alone; low and high: the ratios of single rounds. */
void ops_report_peer(ops_report *r, const char *family, const ops_subject *s, const ops_way *way,
                     const ops_result *found, double low, double high);
void ops_report_end(ops_report *r);

/* ---- The groups ---- */

void ops_rows(ops_bench *b);
void ops_products(ops_bench *b);
void ops_images(ops_bench *b);
void ops_attention(ops_bench *b);
void ops_every(ops_bench *b); /* with --every, instead of the others */

#endif
