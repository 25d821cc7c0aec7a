/* watch.h - cuDNN on a machine without a GPU: the library, descriptions of GPUs, and a record of what was asked of
 * it. */
#ifndef WEFT_TESTS_CUDNN_WATCH_H
#define WEFT_TESTS_CUDNN_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "cuda/dnn_plan.h"

/* The library's functions, each call of which is noted in watch_seen; NULL: there is none, for the reason in why (at
 * most size bytes). */
const weft__dnn_api *watch_cudnn(char *why, size_t size);

/* The same where there is a driver too, or the toolkit's stub of it, without which cuDNN offers nothing that it
 * compiles. */
const weft__dnn_api *watch_cudnn_and_driver(char *why, size_t size);

enum { WATCH_NOTES = 64 };

typedef struct watch_record {
    int live;          /* descriptors */
    bool graph;        /* an operation graph was finalised */
    int64_t offered;   /* engine configurations, by all heuristics that were asked */
    int plans;         /* plans that were asked for ... */
    int plan_status;   /* ... what became of the last one ... */
    char message[256]; /* ... and cuDNN's words about it, where it has any */
    int notes[WATCH_NOTES];
    int64_t n_notes; /* of the engine of the last plan */
} watch_record;

/* Since watch_forget; live counts on. */
const watch_record *watch_seen(void);
void watch_forget(void);

/* The driver failed because it is the toolkit's stub, or because there is no GPU to load kernels on. */
bool watch_no_driver(void);
/* After such a failure, until watch_forget, no more plans are made: each would be compiled for up to a second first. */
void watch_one_failure(bool enough);
/* Plans are noted but refused: what is asked is only whether any would be made. */
void watch_no_plans(bool none);

enum { WATCH_B200 = 2, WATCH_GPUS = 4 };

extern const char *const watch_names[WATCH_GPUS];

/* A finalised description of a GPU of compute capability 8.0, 9.0, 10.0 or 12.0; NULL after reporting a failure. */
weft__dnn_descriptor watch_gpu(const weft__dnn_api *api, int gpu);

#endif
