/* ops_measure.c - contexts, contestants, and a measurement of all of them in turns. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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
    const weft_status status = weft_ctx_open(&options, &ctx);
    if (status == WEFT_OK)
        return ctx;
    weft_device_info info = {0};
    const int index = strncmp(b->device, "cuda:", 5) == 0 ? atoi(b->device + 5) : 0;
    weft_device_info_get(b->gpu ? "cuda" : "cpu", index, &info, sizeof info);
    snprintf(message, size, "%.100s: %.400s", weft_status_text(status), info.note);
    return NULL;
}

/* Everything for which a context opens a library of NVIDIA's. */
static void use_libraries(weft_ctx *c)
{
    static const weft_dtype dtypes[] = {WEFT_F32, WEFT_BF16};
    const int mark = weft_scope_push(c);
    weft_conv2d_params same = WEFT_CONV2D_DEFAULTS;
    same.padding[0] = same.padding[1] = 1;
    for (int k = 0; k < 2; k++) {
        weft_tensor *x = weft_set_requires_grad(weft_rand(c, dtypes[k], WEFT_DIMS(2, 8, 16, 64), -1, 1), true);
        weft_tensor *w = weft_rand(c, dtypes[k], WEFT_DIMS(8, 8, 3, 3), -1, 1),
                    *one = weft_ones(c, dtypes[k], WEFT_DIMS(8));
        weft_tensor *y[] = {
            weft_matmul(x, weft_transpose(x, -1, -2)), weft_conv2d(x, w, NULL, &same),
            weft_attention(x, x, x, WEFT_ATTENTION_SCALE, true),
            weft_batch_norm(x, one, one, NULL, NULL,
                            &(weft_batch_norm_params){sizeof(weft_batch_norm_params), 0.1, 1e-5, true})};
        for (int i = 0; i < 4; i++) {
            weft_tensor *g = weft_full_like(y[i], 1), *dx;
            weft_grad(c, &y[i], &g, 1, &x, 1, 0, &dx);
        }
    }
    weft_synchronise(c);
    if (weft_scope_pop(c, mark) != WEFT_OK)
        return; /* the error sticks: the caller sees it */
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
    weft_tensor *in[OPS_INPUTS], *out, *cotangent; /* out and its gradient: where a derivative is measured */
    bench_lt_plan *plans[OPS_PRODUCTS];            /* of the reference, where that is cuBLASLt */
    char *message;                                 /* [512] what went wrong; "" */
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

static void run_gradient(const job *j)
{
    weft_tensor *inputs[OPS_INPUTS], *gradients[OPS_INPUTS], *out = j->out, *g = j->cotangent;
    int n = 0;
    for (int k = 0; k < j->s->n; k++)
        if (j->way->wrt >> k & 1)
            inputs[n++] = j->in[k];
    weft_grad(j->ctx, &out, &g, 1, inputs, n, 0, gradients);
}

static void run_once(const job *j)
{
    if (j->plans[0]) {
        for (int k = 0; k < j->way->n_products; k++)
            bench_lt_run(j->plans[k]);
    } else if (j->way->wrt) {
        run_gradient(j);
    } else {
        j->s->run(j->s, j->in);
    }
}

static double run_job(void *arg, int64_t times)
{
    job *j = arg;
    const double start = bench_now();
    for (int64_t t = 0; t < times; t++) {
        const int mark = weft_scope_push(j->ctx);
        run_once(j);
        if (weft_scope_pop(j->ctx, mark) != WEFT_OK)
            break;
    }
    weft_synchronise(j->ctx);
    const double seconds = bench_now() - start;
    return has_failed(j) ? (double)NAN : seconds;
}

static double run_torch(void *arg, int64_t times)
{
    job *j = arg;
    return bench_torch_run(j->bench->torch, times, j->message, MESSAGE);
}

static void make_operands(job *j)
{
    const ops_subject *s = j->s;
    for (int k = 0; k < s->n; k++) {
        const ops_operand *o = &s->in[k];
        j->in[k] = o->classes ? weft_randint(j->ctx, WEFT_I64, o->shape, o->ndim, 0, o->classes)
                              : weft_rand(j->ctx, s->dtype, o->shape, o->ndim, -1, 1);
        if (j->way->wrt >> k & 1)
            weft_set_requires_grad(j->in[k], true);
    }
}

static bool prepare_job(job *j)
{
    make_operands(j);
    if (j->way->wrt) {
        j->out = j->s->run(j->s, j->in);
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

/* The case as torch_ops.py takes it. */
static bool prepare_torch(job *j)
{
    const ops_subject *s = j->s;
    char text[900] = "";
    append(text, sizeof text, "{\"op\": \"%s\", \"dtype\": \"%s\", \"tf32\": %s, \"stride\": %d, \"padding\": %d",
           s->op, weft_dtype_name(s->dtype), s->tf32 ? "true" : "false",
           s->conv.struct_size ? (int)s->conv.stride[0] : 1, (int)s->conv.padding[0]);
    append(text, sizeof text, ", \"wrt\": %u, \"operands\": [", j->way->wrt);
    for (int k = 0; k < s->n; k++) {
        append(text, sizeof text, "%s{\"classes\": %lld, \"shape\": [", k ? ", " : "", (long long)s->in[k].classes);
        for (int d = 0; d < s->in[k].ndim; d++)
            append(text, sizeof text, "%s%lld", d ? ", " : "", (long long)s->in[k].shape[d]);
        append(text, sizeof text, "]}");
    }
    append(text, sizeof text, "]}");
    return bench_torch_prepare(j->bench->torch, text, j->message, MESSAGE);
}

/* ---- A measurement ---- */

static weft_tensor *copy(const ops_subject *s, weft_tensor *const *in)
{
    (void)s;
    return weft_copy_(in[1], in[0]);
}

/* A copy of as many bytes as operand 0 has. */
static ops_subject copy_of(const ops_subject *s)
{
    ops_subject c = {.op = "copy", .run = copy, .dtype = s->dtype, .n = 2, .in = {s->in[0], s->in[0]}};
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

static bool prepare(job *j, ops_who who, int *candidates)
{
    if (who == OPS_TORCH)
        return prepare_torch(j);
    if (who == OPS_REFERENCE && j->way->n_products)
        return prepare_products(j, candidates);
    return prepare_job(j);
}

void ops_measure(ops_bench *b, const ops_subject *s, const ops_way *way)
{
    static const ops_way once = {.name = "forward"};
    const ops_subject copied = copy_of(s);
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
        if (prepare(j, who, &found.candidates))
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
    ops_report_add(&b->report, s, way, &found);
}
