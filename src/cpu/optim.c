/* optim.c - one step of SGD or Adam over many tensors, in one pass over their memory. The formulas stand in
 * <weft/params.h>.
 *
 * The tensors are cut into chunks of a fixed size, which threads take in any order. Every tensor is f32 or f64 by
 * itself; constants are computed in f64 and rounded once. */
#include "rows.h"

enum { CHUNK = 16384 };

typedef struct step {
    const weft__exec *e;
    int64_t n;             /* tensors */
    const int64_t *chunks; /* [n + 1]: the first chunk of every tensor */
    /* SGD */
    double lr, momentum, undamped, weight_decay; /* undamped: 1 - dampening */
    bool nesterov, first;
    /* Adam */
    double beta1, beta2, eps, keep; /* keep: what decoupled decay leaves of a parameter */
    double rate, root;              /* lr / (1 - beta1^t), 1 / sqrt(1 - beta2^t) */
} step;

#define WEFT_REAL f32
#include "optim.inc"
#undef WEFT_REAL
#define WEFT_REAL f64
#include "optim.inc"
#undef WEFT_REAL

/* Entry k of the group that starts at in[group * n]; NULL where it is missing. */
static void *data_of(const step *s, int64_t group, int64_t k)
{
    const int64_t i = group * s->n + k;
    return i < s->e->n_in && s->e->in[i] ? s->e->in[i]->data : NULL;
}

static void sgd_chunk(const step *s, int64_t k, int64_t begin, int64_t end)
{
    void *p = data_of(s, 0, k), *g = data_of(s, 1, k), *v = data_of(s, 2, k);
    if (s->e->in[k]->dtype == WEFT_F64)
        sgd_f64(s, p, g, v, begin, end);
    else
        sgd_f32(s, p, g, v, begin, end);
}

static void adam_chunk(const step *s, int64_t k, int64_t begin, int64_t end)
{
    void *p = data_of(s, 0, k), *g = data_of(s, 1, k), *m = data_of(s, 2, k), *v = data_of(s, 3, k);
    if (s->e->in[k]->dtype == WEFT_F64)
        adam_f64(s, p, g, m, v, begin, end);
    else
        adam_f32(s, p, g, m, v, begin, end);
}

/* Chunks [begin, end) of all tensors' chunks. */
static void run_chunks(const step *s, int64_t begin, int64_t end,
                       void (*run)(const step *s, int64_t k, int64_t begin, int64_t end))
{
    int64_t low = 0, high = s->n; /* the tensor of chunk begin: chunks[low] <= begin < chunks[high] */
    while (high - low > 1) {
        const int64_t middle = (low + high) / 2;
        *(s->chunks[middle] <= begin ? &low : &high) = middle;
    }
    for (int64_t chunk = begin; chunk < end; chunk++) {
        while (s->chunks[low + 1] <= chunk)
            low++;
        const int64_t first = (chunk - s->chunks[low]) * CHUNK;
        run(s, low, first, weft__least(first + CHUNK, s->e->in[low]->count));
    }
}

static void sgd_chunks(void *arg, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    run_chunks(arg, begin, end, sgd_chunk);
}

static void adam_chunks(void *arg, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    run_chunks(arg, begin, end, adam_chunk);
}

/* Numbers the chunks, none for tensors without a gradient, and runs fn over them. */
static weft_status run_step(const weft__exec *e, step *s, weft__range_fn fn)
{
    s->e = e;
    s->n = e->attrs->step.n;
    int64_t pair[2]; /* the driver steps half types one tensor at a time: work space for each would run out */
    int64_t *chunks = s->n == 1 ? pair : weft__scratch(e, s->n + 1, sizeof(int64_t));
    if (!chunks)
        return WEFT_E_NOMEM;
    chunks[0] = 0;
    for (int64_t k = 0; k < s->n; k++)
        chunks[k + 1] = chunks[k] + (e->in[s->n + k] ? weft__ceil_div(e->in[k]->count, CHUNK) : 0);
    s->chunks = chunks;
    weft__pool_for(weft__exec_pool(e), chunks[s->n], 1, fn, s);
    return WEFT_OK;
}

/* in params[n], grads[n], velocity[n], each [...]; master[n] all NULL, or missing */
weft_status WEFT__CPU(sgd_step)(const weft__exec *e)
{
    const weft__sgd_attrs *a = &e->attrs->sgd;
    step s = {.lr = a->lr,
              .momentum = a->momentum,
              .undamped = 1 - a->dampening,
              .weight_decay = a->weight_decay,
              .nesterov = a->nesterov != 0,
              .first = a->first_step != 0};
    return run_step(e, &s, sgd_chunks);
}

/* in params[n], grads[n], m[n], v[n], each [...]; master[n] likewise */
weft_status WEFT__CPU(adam_step)(const weft__exec *e)
{
    const weft__adam_attrs *a = &e->attrs->adam;
    const bool decoupled = a->decoupled != 0;
    const double t = (double)a->step, lr = a->lr, decay = a->weight_decay;
    step s = {.beta1 = a->beta1,
              .beta2 = a->beta2,
              .eps = a->eps,
              .weight_decay = decoupled ? 0 : decay,
              .keep = decoupled ? 1 - lr * decay : 1,
              .rate = lr / (1 - pow(a->beta1, t)),
              .root = 1 / sqrt(1 - pow(a->beta2, t))};
    return run_step(e, &s, adam_chunks);
}
