/* optim.c - steps of optimisers over many tensors, each in one pass over its memory: the loops of the STEP rows of
 * ops.def, whose formulas stand there.
 *
 * The tensors are cut into chunks of a fixed size, which threads take in any order. Every tensor is f32 or f64 by
 * itself; constants are computed in f64 and rounded once. State that a call does not have, or that holds nothing yet,
 * is read from a block of zeros, and what becomes of state that a call does not have is written to a block that nobody
 * reads: so one loop serves all calls of a row. */
#include "base/scalar_step.h"
#include "rows.h"

enum { CHUNK = 16384, BLOCK = 1024, MOST_STATES = 4, PARAM = 0, GRAD = 1, STATE = 2 };

/* Elements [0, n) of one tensor. from and to: where the state is read and written. */
typedef void (*loop)(const void *constants, void *param, const void *grad, const void *const *from, void *const *to,
                     int64_t n);

/* A row in one type. */
typedef struct stepper {
    loop run;
    const void *constants;
} stepper;

typedef struct step {
    const weft__exec *e;
    int64_t n;             /* tensors */
    const int64_t *chunks; /* [n + 1]: the first chunk of every tensor */
    int states;
    bool unset; /* the state holds nothing yet */
    stepper f32, f64;
} step;

#define WEFT_REAL f32
#include "optim.inc"
#undef WEFT_REAL
#define WEFT_REAL f64
#include "optim.inc"
#undef WEFT_REAL

/* Entry k of a list, from element `at` on; NULL where it is missing. */
static char *data_of(const step *s, int list, int64_t k, int64_t at, size_t size)
{
    const weft__array *a = s->e->in[list * s->n + k];
    return a ? (char *)a->data + at * (int64_t)size : NULL;
}

/* Elements [begin, end) of tensor k. */
static void run_chunk(const step *s, int64_t k, int64_t begin, int64_t end)
{
    static const double zeros[BLOCK];
    double unread[BLOCK];
    const bool is_f64 = s->e->in[k]->dtype == WEFT_F64;
    const size_t size = is_f64 ? sizeof(double) : sizeof(float);
    const stepper *f = is_f64 ? &s->f64 : &s->f32;
    const void *from[MOST_STATES];
    void *to[MOST_STATES];
    int64_t block = s->unset ? BLOCK : end - begin;
    for (int state = 0; state < s->states; state++)
        block = data_of(s, STATE + state, k, 0, size) ? block : BLOCK;
    for (int64_t at = begin; at < end; at += block) {
        for (int state = 0; state < s->states; state++) {
            char *data = data_of(s, STATE + state, k, at, size);
            from[state] = data && !s->unset ? (const void *)data : zeros;
            to[state] = data ? (void *)data : unread;
        }
        f->run(f->constants, data_of(s, PARAM, k, at, size), data_of(s, GRAD, k, at, size), from, to,
               weft__least(block, end - at));
    }
}

/* Chunks [begin, end) of all tensors' chunks. */
static void run_chunks(void *arg, int64_t begin, int64_t end, int worker)
{
    const step *s = arg;
    int64_t low = 0, high = s->n; /* the tensor of chunk begin: chunks[low] <= begin < chunks[high] */
    (void)worker;
    while (high - low > 1) {
        const int64_t middle = (low + high) / 2;
        *(s->chunks[middle] <= begin ? &low : &high) = middle;
    }
    for (int64_t chunk = begin; chunk < end; chunk++) {
        while (s->chunks[low + 1] <= chunk)
            low++;
        const int64_t first = (chunk - s->chunks[low]) * CHUNK;
        run_chunk(s, low, first, weft__least(first + CHUNK, s->e->in[low]->count));
    }
}

/* Numbers the chunks and runs over them. */
static weft_status run_step(const weft__exec *e, step *s)
{
    const int lists = STATE + s->states + 1; /* the last one: master weights, which the driver sees to */
    s->e = e;
    s->n = e->n_in / lists;
    int64_t pair[2]; /* the driver steps half types one tensor at a time: work space for each would run out */
    int64_t *chunks = s->n == 1 ? pair : weft__scratch(e, s->n + 1, sizeof(int64_t));
    if (!chunks)
        return WEFT_E_NOMEM;
    chunks[0] = 0;
    for (int64_t k = 0; k < s->n; k++)
        chunks[k + 1] = chunks[k] + weft__ceil_div(e->in[k]->count, CHUNK);
    s->chunks = chunks;
    weft__pool_for(weft__exec_pool(e), chunks[s->n], 1, run_chunks, s);
    return WEFT_OK;
}

#define WEFT_OP(ID, name, family, doc)
#define WEFT_STEP(ID, name, members, type, n_states, when, constants, element, doc)                                    \
    static_assert(n_states <= MOST_STATES, "no room for so many states");                                              \
    weft_status WEFT__CPU(name)(const weft__exec *e)                                                                   \
    {                                                                                                                  \
        const weft__constants_##name##_f32 narrow = weft__find_##name##_f32(e->attrs);                                 \
        const weft__constants_##name##_f64 wide = weft__find_##name##_f64(e->attrs);                                   \
        step s = {.states = n_states,                                                                                  \
                  .unset = weft__unset_##name(&e->attrs->members),                                                     \
                  .f32 = {name##_f32, &narrow},                                                                        \
                  .f64 = {name##_f64, &wide}};                                                                         \
        return run_step(e, &s);                                                                                        \
    }
#include "ops/ops.def"
