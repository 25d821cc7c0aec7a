/* bench_models.c - measures whole models (tools/models), a forward run and a training step with AdamW. */
#include "bench.h"
#include "net.h"
#include "options.h"
#include "terminal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N_USUAL = 3 }; /* of the models, the first */

typedef struct step {
    net n;
    const model *m;
    weft_optim *optim;
    char message[512]; /* of the context's errors */
} step;

/* ---- The work ---- */

static weft_status forward(void *user, int64_t times)
{
    step *s = user;
    weft_status status = WEFT_OK;
    for (int64_t k = 0; k < times && status == WEFT_OK; k++) {
        int mark = weft_scope_push_no_grad(s->n.ctx);
        s->m->loss(&s->n);
        status = weft_scope_pop(s->n.ctx, mark);
    }
    return status;
}

static weft_status train(void *user, int64_t times)
{
    step *s = user;
    weft_status status = WEFT_OK;
    for (int64_t k = 0; k < times && status == WEFT_OK; k++) {
        int mark = weft_scope_push(s->n.ctx);
        weft_backward(s->n.ctx, s->m->loss(&s->n));
        weft_optim_step(s->n.ctx, s->optim);
        weft_optim_zero_grad(s->n.ctx, s->optim);
        status = weft_scope_pop(s->n.ctx, mark);
    }
    return status;
}

/* ---- Measuring ---- */

static double param_bytes(const net *n)
{
    double bytes = 0;
    for (int k = 0; k < n->n_params; k++)
        bytes += (double)weft_count(n->params[k]) * (double)weft_dtype_size(n->dtype);
    return bytes;
}

/* The parameters' bytes and the products' flops; activations are not counted. A training step has three times the flops
 * (forward, and the gradients of both factors; no gradient of the model's input) and touches the parameters ten times:
 * two reads, the gradient written and read, and AdamW's reads and writes of parameter and both moments. */
static void measure(const bench_report *r, const bench_device *d, step *s, bench_case *c, bool training)
{
    weft_bench_options how = bench_options(&r->plan, s->n.ctx);
    how.most_seconds = 10;
    c->bytes = param_bytes(&s->n) * (training ? 10 : 1);
    c->flops = training ? 3 * s->n.flops - s->n.spared : s->n.flops;
    (void)weft_bench_measure(training ? train : forward, s, &how, &c->seconds);
    c->roof = weft_bench_roofline(d->ceilings, d->n_ceilings, c->dtype, c->bytes, c->flops, &c->memory_bound);
    if (weft_ctx_status(s->n.ctx) != WEFT_OK)
        weft_text(c->error, sizeof c->error, "%s", weft_ctx_message(s->n.ctx));
    weft_ctx_clear(s->n.ctx);
}

static bench_case *add_case(bench_report *r, const model *m, const bench_device *d, weft_dtype dtype, int batch,
                            const char *what)
{
    bench_case *c = bench_add(r, "model", m->name, d->name, dtype);
    weft_text(c->what, sizeof c->what, "%s, batch %d", what, batch);
    c->roof = (double)NAN;
    return c;
}

static void run_model(bench_report *r, const model *m, const bench_device *d, weft_dtype dtype)
{
    const bool gpu = strncmp(d->name, "cuda", 4) == 0;
    const int batch = r->plan.batch           ? r->plan.batch
                      : r->plan.quick         ? 2
                      : gpu && !r->plan.alike ? m->gpu_batch
                                              : m->cpu_batch;
    bench_case *c = add_case(r, m, d, dtype, batch, "forward");
    step *s = take(sizeof *s);
    *s = (step){.m = m, .n = {.dtype = dtype, .batch = batch, .large_device = gpu && !r->plan.alike}};
    s->n.ctx = bench_open(r, d, s->message);
    if (!s->n.ctx) {
        weft_text(c->error, sizeof c->error, "%s", s->message);
        free(s);
        return;
    }
    m->build(&s->n);
    measure(r, d, s, c, false);
    c = add_case(r, m, d, dtype, batch, "train step");
    if (weft_adamw_open(s->n.ctx, s->n.params, s->n.n_params, NULL, &s->optim) == WEFT_OK)
        measure(r, d, s, c, true);
    else
        weft_text(c->error, sizeof c->error, "%s", weft_ctx_message(s->n.ctx));
    weft_optim_close(s->optim);
    net_close(&s->n);
    weft_ctx_close(s->n.ctx);
    free(s);
}

/* ---- Choosing ---- */

bool bench_run_models(bench_report *r, char **names, int n)
{
    const model *chosen[MODELS];
    int count = n ? n : N_USUAL;
    if (count > MODELS) {
        complain("weft bench models takes each model once");
        return false;
    }
    for (int k = 0; k < count; k++) {
        chosen[k] = n ? find_model(names[k]) : all_models[k];
        if (!chosen[k])
            return false;
    }
    for (int k = 0; k < count; k++)
        for (int t = 0; t < r->plan.n_dtypes; t++)
            for (int d = 0; d < r->n_devices; d++) {
                progress_show("bench %s (%s), %s on %s", chosen[k]->name, chosen[k]->about,
                              weft_dtype_name(r->plan.dtypes[t]), r->devices[d].name);
                run_model(r, chosen[k], &r->devices[d], r->plan.dtypes[t]);
            }
    progress_clear();
    return true;
}
