/* watch.c - see watch.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "watch.h"
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "harness/weft_test.h"

enum { OLDEST = 90800 /* takes descriptions of devices */, MOST_PLANS = 64 };
/* Of cudnnStatus_t: CUDNN_STATUS_NOT_SUPPORTED, CUDNN_STATUS_EXECUTION_FAILED_CUDA_DRIVER. */
enum { REFUSED = 3000, DRIVER_FAILED = 5001 };

/* CUDA_ERROR_STUB_LIBRARY, as cuDNN writes it */
static const char stub_error[] = "(34)";

static weft__dnn_api real;
static void (*last_error)(char *message, size_t size); /* cudnnGetLastErrorString */
static watch_record seen;
static weft__dnn_descriptor plans[MOST_PLANS]; /* that live */
static bool one_failure, no_plans;
static int notes[WATCH_NOTES]; /* of the last engine that was looked at */
static int64_t n_notes;

/* ---- The library ---- */

static bool resolve(void *handle, const char *name, void (**function)(void))
{
    void *symbol = dlsym(handle, name);
    memcpy(function, &symbol, sizeof symbol);
    return symbol != NULL;
}

static void open_library(char *why, size_t size)
{
    static const char *const names[WEFT__DNN_FUNCTION_COUNT] = {WEFT__DNN_FUNCTIONS};
    static const char *const places[] = {"libcudnn.so.9", "/usr/local/cuda/lib64/libcudnn.so.9"};
    const char *wish = getenv("WEFT_CUDNN");
    void *handle = NULL;
    for (int k = 0; !handle && k < 2; k++)
        handle = dlopen(wish && *wish ? wish : places[k], RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
        snprintf(why, size, "cuDNN is not here: %.200s", dlerror());
        return;
    }
    void (*functions[WEFT__DNN_FUNCTION_COUNT])(void), (*version)(void), (*words)(void);
    for (int k = 0; k < WEFT__DNN_FUNCTION_COUNT; k++)
        if (!resolve(handle, names[k], &functions[k]))
            snprintf(why, size, "cuDNN has no %s", names[k]);
    if (!resolve(handle, "cudnnGetVersion", &version))
        snprintf(why, size, "cuDNN has no cudnnGetVersion");
    if (why[0])
        return;
    memcpy(&real, functions, sizeof real);
    if (resolve(handle, "cudnnGetLastErrorString", &words))
        memcpy(&last_error, &words, sizeof words);
    const int number = (int)((size_t(*)(void))version)();
    if (number < OLDEST)
        snprintf(why, size, "cuDNN %d takes no descriptions of devices", number);
}

/* ---- The record ---- */

static int make(int kind, weft__dnn_descriptor *made)
{
    const int status = real.make(kind, made);
    seen.live += status == WEFT__DNN_SUCCESS;
    for (int k = 0; status == WEFT__DNN_SUCCESS && kind == WEFT__DNN_PLAN && k < MOST_PLANS; k++)
        if (!plans[k]) {
            plans[k] = *made;
            break;
        }
    return status;
}

static int plan_number(weft__dnn_descriptor d)
{
    for (int k = 0; k < MOST_PLANS; k++)
        if (d && plans[k] == d)
            return k;
    return -1;
}

static int unmake(weft__dnn_descriptor d)
{
    seen.live -= d != NULL;
    if (plan_number(d) >= 0)
        plans[plan_number(d)] = NULL;
    return real.unmake(d);
}

bool watch_no_driver(void)
{
    return seen.plan_status == DRIVER_FAILED && (!seen.message[0] || strstr(seen.message, stub_error));
}

void watch_one_failure(bool enough)
{
    one_failure = enough;
}

void watch_no_plans(bool none)
{
    no_plans = none;
}

static int finalize(weft__dnn_descriptor d)
{
    if (plan_number(d) < 0)
        return real.finalize(d);
    if (one_failure && watch_no_driver())
        return seen.plan_status;
    seen.plans++;
    const int status = no_plans ? REFUSED : real.finalize(d);
    seen.plan_status = status;
    seen.n_notes = n_notes;
    memcpy(seen.notes, notes, sizeof notes);
    if (status != WEFT__DNN_SUCCESS && !no_plans && last_error)
        last_error(seen.message, sizeof seen.message);
    return status;
}

static int set(weft__dnn_descriptor d, int attribute, int type, int64_t n, const void *values)
{
    return real.set(d, attribute, type, n, values);
}

static int get(weft__dnn_descriptor d, int attribute, int type, int64_t n, int64_t *got, void *values)
{
    const int status = real.get(d, attribute, type, n, got, values);
    if (status != WEFT__DNN_SUCCESS)
        return status;
    if (attribute == WEFT__DNN_HEUR_RESULTS) {
        seen.graph = true; /* a heuristic takes no other */
        seen.offered += *got;
    }
    if (attribute == WEFT__DNN_ENGINE_NUMERICAL_NOTE) {
        n_notes = *got < WATCH_NOTES ? *got : WATCH_NOTES;
        memcpy(notes, values, (size_t)n_notes * sizeof *notes);
    }
    return status;
}

const weft__dnn_api *watch_cudnn(char *why, size_t size)
{
    static weft__dnn_api watched;
    static char reason[256];
    static bool opened;
    if (!opened)
        open_library(reason, sizeof reason);
    opened = true;
    snprintf(why, size, "%s", reason);
    if (reason[0])
        return NULL;
    watched = (weft__dnn_api){.make = make, .unmake = unmake, .finalize = finalize, .set = set, .get = get};
    return &watched;
}

const weft__dnn_api *watch_cudnn_and_driver(char *why, size_t size)
{
    const weft__dnn_api *api = watch_cudnn(why, size);
    if (!api || dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL))
        return api;
    snprintf(why, size, "no driver to load kernels with, nor the toolkit's stub: %.150s", dlerror());
    return NULL;
}

const watch_record *watch_seen(void)
{
    return &seen;
}

void watch_forget(void)
{
    const watch_record none = {.live = seen.live};
    seen = none;
}

/* ---- Devices ---- */

const char *const watch_names[WATCH_GPUS] = {"NVIDIA A100-SXM4-80GB", "NVIDIA H100 80GB HBM3", "NVIDIA B200",
                                             "NVIDIA GeForce RTX 5090"};

weft__dnn_descriptor watch_gpu(const weft__dnn_api *api, int gpu)
{
    static const struct {
        int sm, multiprocessors, shared_opt_in;
    } gpus[WATCH_GPUS] = {{800, 108, 166912}, {900, 132, 232448}, {1000, 148, 232448}, {1200, 170, 101376}};
    char json[2048];
    int n =
        snprintf(json, sizeof json,
                 "{\"deviceName\":\"%s\",\"cudaDeviceId\":0,\"deviceVer\":%d,\"driverVer\":13000,\"isTccDriver\":0,"
                 "\"l2CacheSize\":52428800,\"maxCtasPerSM\":32,\"maxRegistersPerSM\":65536,"
                 "\"maxSharedMemoryPerBlock\":49152,\"maxSharedMemoryPerBlockOptin\":%d,\"maxThreadsPerBlock\":1024,"
                 "\"maxThreadsPerSM\":2048,\"memClockRateKHz\":2619000,\"multiProcessorCount\":%d,"
                 "\"pciDeviceId\":0,\"regsPerBlock\":65536,\"reservedSharedMemoryPerBlock\":1024,"
                 "\"smClockRateKHz\":1980000,\"supportCoopLaunch\":1,\"totalGlobalMem\":85014216704,"
                 "\"warpSize\":32,\"maxBlockSize\":[1024,1024,64],\"maxGridSize\":[2147483647,65535,65535]}",
                 watch_names[gpu], gpus[gpu].sm, gpus[gpu].shared_opt_in, gpus[gpu].multiprocessors);
    weft__dnn_descriptor d = NULL;
    if (api->make(WEFT__DNN_DEVICEPROP, &d) != WEFT__DNN_SUCCESS ||
        api->set(d, WEFT__DNN_DEVICEPROP_JSON, WEFT__DNN_TYPE_CHAR, n + 1, json) != WEFT__DNN_SUCCESS ||
        api->finalize(d) != WEFT__DNN_SUCCESS) {
        WEFT_FAIL("cuDNN does not take the description of %s", watch_names[gpu]);
        return NULL;
    }
    return d;
}
