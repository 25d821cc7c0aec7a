/* ops_measure.c - contexts, contestants, and a measurement of all of them in turns. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "ops.h"

/* ---- Contexts ---- */

static weft_ctx *open_context(const ops_bench *b, bool tf32, bool timed, char *message, size_t size)
{
    weft_ctx *ctx = NULL;
    weft_options options = WEFT_OPTIONS_DEFAULTS;
    options.device = b->device;
    options.seed = 1;
    options.allow_tf32 = tf32;
    options.time_matmul = timed;
    if (b->plan->every)
        options.threads = 1;
    const weft_status status = weft_ctx_open(&options, &ctx);
    if (status == WEFT_OK)
        return ctx;
    weft_device_info info = {0};
    const int index = strncmp(b->device, "cuda:", 5) == 0 ? atoi(b->device + 5) : 0;
    weft_device_info_get(b->gpu ? "cuda" : "cpu", index, &info, sizeof info);
    snprintf(message, size, "%.100s: %.400s", weft_status_text(status), info.note);
    return NULL;
}

/* Calls the operation and differentiates by all that can be. */
static void run_both_ways(weft_sample_call *call)
{
    weft_tensor *inputs[WEFT_SAMPLE_OPERANDS], *gradients[WEFT_SAMPLE_OPERANDS];
    int n = 0;
    for (int k = 0; k < call->n_in; k++)
        if (call->smooth[k])
            inputs[n++] = call->in[k] = weft_set_requires_grad(call->in[k], true);
    if (weft_sample_run(call) != WEFT_OK)
        return; /* the error sticks: the caller sees it */
    weft_tensor *y = call->out[0], *g = weft_full_like(y, 1);
    weft_grad(call->ctx, &y, &g, 1, inputs, n, 0, gradients);
}

/* Everything for which a context opens a library of NVIDIA's. */
static void use_libraries(weft_ctx *c)
{
    static const char *const names[] = {"matmul", "conv2d", "attention", "batch_norm"};
    static const weft_dtype dtypes[] = {WEFT_F32, WEFT_BF16};
    const int mark = weft_scope_push(c);
    for (int op = 0; op < 4; op++)
        for (int k = 0; k < 2; k++) {
            weft_sample_options o = WEFT_SAMPLE_DEFAULTS;
            weft_sample_call call;
            const int64_t sizes[] = {2, 8, 16, 64};
            memcpy(o.sizes, sizes, sizeof sizes);
            o.dtype = dtypes[k];
            o.random = true;
            if (weft_sample_make(c, weft_op_find(names[op]), &o, &call) == WEFT_OK)
                run_both_ways(&call);
        }
    weft_synchronise(c);
    if (weft_scope_pop(c, mark) != WEFT_OK)
        return; /* likewise */
}

static void restore(const char *name, const char *value)
{
    if (value)
        setenv(name, value, 1);
    else
        unsetenv(name);
}

/* A context whose operations are done by our kernels alone: libraries are opened by the first operation that profits,
 * so those first ones run where the environment forbids them. */
static weft_ctx *open_own(const ops_bench *b, bool tf32)
{
    char message[512];
    const char *blas = getenv("WEFT_CUBLASLT"), *dnn = getenv("WEFT_CUDNN");
    char *old_blas = blas ? strdup(blas) : NULL, *old_dnn = dnn ? strdup(dnn) : NULL;
    setenv("WEFT_CUBLASLT", "none", 1);
    setenv("WEFT_CUDNN", "none", 1);
    weft_ctx *ctx = open_context(b, tf32, false, message, sizeof message);
    if (ctx)
        use_libraries(ctx);
    restore("WEFT_CUBLASLT", old_blas);
    restore("WEFT_CUDNN", old_dnn);
    free(old_blas);
    free(old_dnn);
    if (ctx && weft_ctx_status(ctx) != WEFT_OK) {
        printf("our kernels cannot be measured beside the libraries: %s\n", weft_ctx_message(ctx));
        weft_ctx_close(ctx);
        return NULL;
    }
    return ctx;
}

static const weft_device_library *find_library(const ops_bench *b, const char *name)
{
    for (int k = 0; k < b->info.n_libraries; k++)
        if (strcmp(b->info.libraries[k].name, name) == 0)
            return &b->info.libraries[k];
    return NULL;
}

static bool has_library(const ops_bench *b, const char *name)
{
    const weft_device_library *l = name ? find_library(b, name) : NULL;
    return l && l->version[0];
}

/* tf32: the three contexts are for products that may round to it. */
static void open_contexts(ops_bench *b, bool tf32)
{
    char message[512];
    weft_ctx **c = b->contexts[tf32];
    if (c[OPS_WEFT])
        return;
    c[OPS_WEFT] = open_context(b, tf32, false, message, sizeof message);
    if (!c[OPS_WEFT]) {
        fprintf(stderr, "%s\n", message);
        exit(1);
    }
    if (b->gpu && (has_library(b, "cuBLASLt") || has_library(b, "cuDNN")))
        c[OPS_OWN] = open_own(b, tf32);
    if (has_library(b, "cuBLASLt"))
        c[OPS_TIMED] = open_context(b, tf32, true, message, sizeof message);
    c[OPS_REFERENCE] = c[OPS_WEFT];
}

void ops_open(ops_bench *b, const bench_plan *plan)
{
    *b = (ops_bench){.plan = plan, .device = plan->device ? plan->device : "cpu"};
    b->gpu = strncmp(b->device, "cuda", 4) == 0;
    const int index = b->gpu && b->device[4] == ':' ? atoi(b->device + 5) : 0;
    if (plan->torch)
        b->torch = bench_torch_open(plan->torch, b->torch_note, sizeof b->torch_note);
    else
        snprintf(b->torch_note, sizeof b->torch_note, "not asked for (--torch)");
    if (weft_device_info_get(b->gpu ? "cuda" : "cpu", index, &b->info, sizeof b->info) != WEFT_OK) {
        fprintf(stderr, "%s\n", b->info.note);
        exit(1);
    }
    open_contexts(b, false);
    if (b->torch && !bench_torch_greet(b->torch, b->torch_note, sizeof b->torch_note)) {
        bench_torch_close(b->torch);
        b->torch = NULL;
    }
    const weft_device_library *l = find_library(b, "cuBLASLt");
    if (has_library(b, "cuBLASLt"))
        b->lt = bench_lt_open(b->contexts[0][OPS_WEFT], l->path, b->lt_note, sizeof b->lt_note);
    else
        snprintf(b->lt_note, sizeof b->lt_note, "%s", l ? l->reason : "the device has none");
}

void ops_close(ops_bench *b)
{
    bench_lt_close(b->lt);
    bench_torch_close(b->torch);
    if (b->torch_data[0])
        unlink(b->torch_data);
    for (int k = 0; k < 2; k++)
        for (int who = OPS_WEFT; who < OPS_TORCH; who++)
            weft_ctx_close(b->contexts[k][who]);
}

static int64_t at_most(int64_t size, int64_t most)
{
    return size < most ? size : most;
}

int64_t ops_size(const ops_bench *b, int64_t size)
{
    return b->plan->quick ? at_most(size, 16) : b->gpu ? size : at_most(size, 1024);
}

int64_t ops_batch(const ops_bench *b, int64_t batch)
{
    return b->plan->quick ? 1 : b->gpu ? batch : at_most(batch, 4);
}

/* ---- Contestants ---- */

/* One contestant at work on one way. */
typedef struct job {
    ops_bench *bench;
    weft_ctx *ctx; /* NULL: PyTorch */
    const ops_subject *s;
    const ops_way *way;
    weft_sample_call call;
    weft_tensor *out, *cotangent;       /* where a derivative is measured */
    bench_lt_plan *plans[OPS_PRODUCTS]; /* of the reference, where that is cuBLASLt */
    char *message;                      /* [512] what went wrong; "" */
} job;

enum { MESSAGE = sizeof((ops_result *)0)->errors[0] };

/* Takes ctx's error, if there is one, as the job's: true. */
static bool has_failed(job *j)
{
    if (weft_ctx_status(j->ctx) == WEFT_OK)
        return false;
    if (!j->message[0])
        snprintf(j->message, MESSAGE, "%s", weft_ctx_message(j->ctx));
    weft_ctx_clear(j->ctx);
    return true;
}

/* Whether the gradient by operand k is measured. */
static bool is_wanted(const job *j, int k)
{
    return j->call.smooth[k] && j->way->wrt >> k & 1;
}

static void run_gradient(job *j)
{
    weft_tensor *inputs[WEFT_SAMPLE_OPERANDS], *gradients[WEFT_SAMPLE_OPERANDS], *out = j->out, *g = j->cotangent;
    int n = 0;
    if (j->way->both) {
        if (weft_sample_run(&j->call) != WEFT_OK)
            return; /* the context keeps the error */
        out = j->call.out[0];
    }
    for (int k = 0; k < j->call.n_in; k++)
        if (is_wanted(j, k))
            inputs[n++] = j->call.in[k];
    weft_grad(j->ctx, &out, &g, 1, inputs, n, j->way->both ? WEFT_GRAD_ALLOW_UNUSED : 0, gradients);
}

static void run_once(job *j)
{
    if (j->plans[0])
        for (int k = 0; k < j->way->n_products; k++)
            bench_lt_run(j->plans[k]);
    else if (j->way->wrt)
        run_gradient(j);
    else
        (void)weft_sample_run(&j->call); /* the context keeps the error */
}

static double run_job(void *arg, int64_t times)
{
    job *j = arg;
    double (*const clock)(void) = j->bench->plan->every && !j->bench->gpu ? bench_cpu_now : bench_now;
    const double start = clock();
    for (int64_t t = 0; t < times; t++) {
        const int mark = weft_scope_push(j->ctx);
        run_once(j);
        if (weft_scope_pop(j->ctx, mark) != WEFT_OK)
            break;
    }
    weft_synchronise(j->ctx);
    const double seconds = clock() - start;
    return has_failed(j) ? (double)NAN : seconds;
}

static double run_torch(void *arg, int64_t times)
{
    job *j = arg;
    return bench_torch_run(j->bench->torch, times, j->message, MESSAGE);
}

static bool prepare_job(job *j)
{
    const ops_subject *s = j->s;
    weft_sample_options o = WEFT_SAMPLE_DEFAULTS;
    o.recipe = s->recipe;
    o.dtype = s->dtype;
    o.random = true;
    o.operands = s->words;
    o.numbers = s->numbers[0] ? s->numbers : NULL;
    memcpy(o.sizes, s->sizes, sizeof o.sizes);
    memcpy(o.more_sizes, s->sizes + 4, sizeof o.more_sizes);
    (void)weft_sample_make(j->ctx, weft_op_find(s->op), &o, &j->call); /* the context keeps the error */
    for (int k = 0; k < j->call.n_in; k++)
        if (is_wanted(j, k))
            j->call.in[k] = weft_set_requires_grad(j->call.in[k], true);
    if (j->way->wrt && weft_sample_run(&j->call) == WEFT_OK) {
        j->out = j->call.out[0];
        j->cotangent = weft_full_like(j->out, 0.5);
    }
    return !has_failed(j);
}

/* cuBLASLt's best of each product that the way consists of. */
static bool prepare_products(job *j, int *candidates)
{
    bench_lt *lt = j->bench->lt;
    for (int k = 0; k < j->way->n_products; k++) {
        j->plans[k] = lt ? bench_lt_prepare(lt, &j->way->products[k], j->message, MESSAGE) : NULL;
        if (!j->plans[k])
            return false;
        *candidates += bench_lt_candidates(j->plans[k]);
    }
    return true;
}

/* Appends to text, as much as fits. */
static void append(char *text, size_t size, const char *format, ...)
{
    const size_t used = strlen(text);
    va_list values;
    va_start(values, format);
    vsnprintf(text + used, size - used, format, values);
    va_end(values);
}

static void append_operand(char *text, size_t size, const weft_sample_call *call, int k)
{
    const weft_tensor *x = call->in[k];
    append(text, size, k ? ", " : "");
    if (!x) {
        append(text, size, "null");
        return;
    }
    append(text, size, "{\"classes\": %lld, \"turned\": %s, \"dtype\": \"%s\", \"shape\": [", (long long)call->below[k],
           weft_is_contiguous(x) ? "false" : "true", weft_dtype_name(weft_dtype_of(x)));
    for (int d = 0; d < weft_ndim(x); d++)
        append(text, size, "%s%lld", d ? ", " : "", (long long)weft_shape(x)[d]);
    append(text, size, "]}");
}

/* Writes Weft's operands, one after the other and each contiguous, to the file that PyTorch reads. */
static bool hand_over(ops_bench *b, const job *weft)
{
    if (!b->torch_data[0]) {
        snprintf(b->torch_data, sizeof b->torch_data, "/tmp/bench_ops_XXXXXX");
        const int made = mkstemp(b->torch_data);
        if (made < 0)
            return b->torch_data[0] = '\0', false;
        close(made);
    }
    FILE *f = fopen(b->torch_data, "wb");
    bool fine = f != NULL;
    for (int k = 0; fine && k < weft->call.n_in; k++) {
        weft_tensor *x = weft->call.in[k];
        const size_t bytes = x ? weft_bytes(x) : 0;
        void *data = malloc(bytes + 1);
        fine = data && (!x || weft_read(weft->ctx, x, data, bytes) == WEFT_OK) && fwrite(data, 1, bytes, f) == bytes;
        free(data);
    }
    return f && fclose(f) == 0 && fine;
}

/* The case as torch_ops.py takes it: the call that Weft measures. */
static bool prepare_torch(job *j, const job *weft)
{
    const weft_sample_call *call = &weft->call;
    char text[3900] = "";
    unsigned wrt = 0;
    if (call->n_in == 0) {
        snprintf(j->message, MESSAGE, "Weft has no operands");
        return false;
    }
    if (j->s->same_numbers && !hand_over(j->bench, weft)) {
        snprintf(j->message, MESSAGE, "no file for the operands");
        return false;
    }
    append(text, sizeof text, "{\"op\": \"%s\", \"dtype\": \"%s\", \"tf32\": %s, \"i\": [", j->s->op,
           weft_dtype_name(j->s->dtype), j->s->tf32 ? "true" : "false");
    for (int k = 0; k < call->ni; k++)
        append(text, sizeof text, "%s%lld", k ? ", " : "", (long long)call->i[k]);
    append(text, sizeof text, "], \"f\": [");
    for (int k = 0; k < call->nf; k++)
        append(text, sizeof text, "%s%.17g", k ? ", " : "", call->f[k]);
    for (int k = 0; k < call->n_in; k++)
        wrt |= is_wanted(weft, k) ? 1u << k : 0;
    append(text, sizeof text, "], \"wrt\": %u, \"both\": %s, \"data\": \"%s\", \"operands\": [", wrt,
           j->way->both ? "true" : "false", j->s->same_numbers ? j->bench->torch_data : "");
    for (int k = 0; k < call->n_in; k++)
        append_operand(text, sizeof text, call, k);
    append(text, sizeof text, "]}");
    return bench_torch_prepare(j->bench->torch, text, j->message, MESSAGE);
}

/* ---- A measurement ---- */

/* A copy of as many bytes as operand 0 has, whose words are the first ones of `words`. */
static ops_subject copy_of(const ops_subject *s, char *words, size_t size)
{
    ops_subject c = {.name = "copy", .op = "copy_", .words = words, .dtype = s->dtype};
    weft_sample_description about;
    (void)weft_sample_describe(weft_op_find(s->op), &about, sizeof about); /* an operation that there is */
    const char *first = s->words ? s->words : about.operands[s->recipe];
    const int length = (int)strcspn(first, " ") - 1;
    snprintf(words, size, "r%.*s r%.*s", length, first + 1, length, first + 1);
    memcpy(c.sizes, s->sizes, sizeof c.sizes);
    return c;
}

static bool takes_part(const ops_bench *b, ops_who who, const ops_subject *s, const ops_way *way)
{
    switch (who) {
    case OPS_REFERENCE:
        return way->n_products ? b->lt != NULL : way->bytes > 0;
    case OPS_OWN:
        return has_library(b, s->library) && b->contexts[s->tf32][who];
    case OPS_TIMED:
        return way->n_products > 0 && b->contexts[s->tf32][who];
    case OPS_TORCH:
        return b->torch != NULL;
    default:
        return true;
    }
}

static bool prepare(job *jobs, ops_who who, ops_result *found)
{
    job *j = &jobs[who];
    if (who == OPS_TORCH)
        return prepare_torch(j, &jobs[OPS_WEFT]);
    if (who == OPS_REFERENCE && j->way->n_products)
        return prepare_products(j, &found->candidates);
    if (!prepare_job(j))
        return false;
    if (who == OPS_WEFT)
        found->elements = (double)weft_count(j->call.in[0]);
    return true;
}

void ops_find(ops_bench *b, const ops_subject *s, const ops_way *way, ops_result *result)
{
    static const ops_way once = {.name = "forward"};
    char words[32];
    const ops_subject copied = copy_of(s, words, sizeof words);
    job jobs[OPS_CONTESTANTS];
    int marks[OPS_CONTESTANTS];
    ops_result found = {0};
    if (s->tf32)
        open_contexts(b, true);
    weft_ctx **contexts = b->contexts[s->tf32];
    for (int who = 0; who < OPS_CONTESTANTS; who++) {
        job *j = &jobs[who];
        const bool copies = who == OPS_REFERENCE && way->bytes > 0;
        *j = (job){.bench = b, .s = copies ? &copied : s, .way = copies ? &once : way, .message = found.errors[who]};
        if (!takes_part(b, who, s, way))
            continue;
        j->ctx = who == OPS_REFERENCE && b->lt && way->n_products ? b->contexts[0][OPS_WEFT] : contexts[who];
        marks[who] = j->ctx ? weft_scope_push(j->ctx) : 0;
        if (prepare(jobs, (ops_who)who, &found))
            found.cases[who] = (bench_case){.clocked = who == OPS_TORCH ? run_torch : run_job, .arg = j};
    }
    bench_measure(found.cases, OPS_CONTESTANTS, b->plan);
    for (int who = OPS_CONTESTANTS - 1; who >= 0; who--) {
        for (int k = 0; k < OPS_PRODUCTS; k++)
            if (jobs[who].plans[k])
                bench_lt_drop(jobs[who].plans[k]);
        if (jobs[who].ctx) {
            (void)has_failed(&jobs[who]); /* the next operation begins anew */
            if (weft_scope_pop(jobs[who].ctx, marks[who]) != WEFT_OK)
                (void)has_failed(&jobs[who]);
        }
    }
    *result = found;
}

void ops_measure(ops_bench *b, const ops_subject *s, const ops_way *way)
{
    ops_result found;
    ops_find(b, s, way, &found);
    ops_report_add(&b->report, s, way, &found);
}
