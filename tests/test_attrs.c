/* test_attrs.c - what records say of attributes, against every launch of every operation's samples and of their
 * derivatives: how many there are, and which of them change from one step of a training loop to the next. */
#include <string.h>
#include "engine/observe.h"
#include "base/op_def.h"
#include "harness/weft_test.h"
#include "ops/sample.h"
#include "samples/layout.h"

enum { MOST_LAUNCHES = 400, WORDS = WEFT__MAX_INT_ATTRS + WEFT__MAX_REAL_ATTRS };

typedef struct seen_launch {
    int op;
    bool has_attrs;
    weft__attrs attrs;
} seen_launch;

typedef struct watcher {
    weft__observer observer; /* first: the callbacks get its address */
    int n;
    seen_launch launches[MOST_LAUNCHES];
} watcher;

static void check_counts(int op, const weft__attrs *a)
{
    const weft__op_def *def = weft__defs[op];
    const int ni = a ? a->ni : 0, nf = a ? a->nf : 0;
    if (nf != def->n_reals || (def->any_length ? ni > def->n_ints : ni != def->n_ints))
        WEFT_FAIL("%s was given %d whole and %d real attributes; its record says %d and %d", weft__ops[op].name, ni, nf,
                  def->n_ints, def->n_reals);
}

static void begin(weft__observer *observer, const weft__launch *launch)
{
    watcher *w = (watcher *)observer;
    if (launch->op == WEFT_OP_COUNT)
        return;
    check_counts(launch->op, launch->attrs);
    if (w->n == MOST_LAUNCHES) {
        WEFT_FAIL("%s: more launches than there is room for", launch->name);
        return;
    }
    seen_launch *l = &w->launches[w->n++];
    memset(l, 0, sizeof *l);
    l->op = launch->op;
    l->has_attrs = launch->attrs != NULL;
    if (!launch->attrs)
        return;
    for (int k = 0; k < launch->attrs->ni; k++)
        l->attrs.numbers.i[k] = launch->attrs->numbers.i[k];
    for (int k = 0; k < launch->attrs->nf; k++)
        l->attrs.numbers.f[k] = launch->attrs->numbers.f[k];
}

static void end(weft__observer *observer, const weft__launch *launch, weft_status status)
{
    (void)observer, (void)launch, (void)status;
}

/* One step with a learning rate: the sample's call and its gradient, the values drawn as at any other call. */
static void run(watcher *w, weft_ctx *c, int op, int recipe, double rate)
{
    const int mark = weft_scope_push(c);
    weft_sample_options o = {.recipe = recipe, .dtype = WEFT_F32, .sizes = {3, 4, -1}, .random = true};
    weft_sample_call call = {.ctx = NULL};
    if (strchr(weft__defs[op]->recipes[recipe].operands, 'd'))
        memcpy(o.sizes, (const int64_t[]){2, 2, 4, 4}, sizeof o.sizes);
    w->n = 0;
    if (weft__sample_make(c, op, &o, &call) == WEFT_OK) {
        for (int k = 0; k < call.n_in; k++)
            if (call.in[k] && call.smooth[k])
                call.in[k] = weft_set_requires_grad(weft_clone(call.in[k]), true);
        if (weft__defs[op]->effect == WEFT__STEPS)
            call.f[0] = rate;
        weft_sample_run(&call);
        if (call.n_smooth > 0 && weft_requires_grad(call.out[0]))
            weft_backward(c, weft_sum(call.out[0], WEFT_ALL, false));
    }
    WEFT_CHECK_OK(weft_scope_pop(c, mark));
}

/* The words of two launches that differ, as bits. */
static uint32_t differing(const seen_launch *a, const seen_launch *b)
{
    uint64_t x[WORDS], y[WORDS];
    uint32_t bits = 0;
    memcpy(x, &a->attrs.numbers, sizeof x);
    memcpy(y, &b->attrs.numbers, sizeof y);
    for (int k = 0; k < WORDS; k++)
        bits |= (uint32_t)(x[k] != y[k]) << k;
    return bits;
}

static void check_steps(const watcher *first, const watcher *second, int op, uint32_t *changed)
{
    const char *name = weft__ops[op].name;
    if (first->n == 0 || first->n != second->n) {
        WEFT_FAIL("%s: %d launches, then %d", name, first->n, second->n);
        return;
    }
    for (int k = 0; k < first->n; k++) {
        const seen_launch *a = &first->launches[k], *b = &second->launches[k];
        const uint32_t bits = differing(a, b), varying = weft__defs[a->op]->varying;
        if (a->op != b->op || a->has_attrs != b->has_attrs)
            WEFT_FAIL("%s: launch %d is another in the second step", name, k);
        else if (bits & ~varying)
            WEFT_FAIL("%s: attributes of %s change from step to step (bits %x), which its record does not say (%x)",
                      name, weft__ops[a->op].name, bits, varying);
        changed[a->op] |= bits;
    }
}

WEFT_TEST(Attrs, AreWhatRecordsSay)
{
    static watcher first, second;
    static uint32_t changed[WEFT_OP_COUNT];
    memset(changed, 0, sizeof changed);
    first.observer = second.observer = (weft__observer){.begin = begin, .end = end};
    test_memory memory;
    weft_ctx *c = test_ctx_open(&memory, 1);
    WEFT_REQUIRE(c);
    for (int op = 0; op < WEFT_OP_COUNT; op++) {
        const weft__op_def *def = weft__defs[op];
        if (!def->call || weft__ops[op].family == WEFT__COMPOSITE || weft__ops[op].family == WEFT__VIEW)
            continue;
        for (int recipe = 0; recipe < WEFT__MAX_RECIPES && def->recipes[recipe].operands; recipe++) {
            weft__observe(c, &first.observer);
            run(&first, c, op, recipe, 0.1);
            weft__unobserve(c, &first.observer);
            weft__observe(c, &second.observer);
            run(&second, c, op, recipe, 0.05);
            weft__unobserve(c, &second.observer);
            check_steps(&first, &second, op, changed);
        }
    }
    /* What is said to change does: the number of the random call, and the learning rate. */
    for (int op = 0; op < WEFT_OP_COUNT; op++) {
        const weft__effect effect = weft__defs[op]->effect;
        if ((weft__defs[op]->varying != 0) != (effect == WEFT__DRAWS || effect == WEFT__STEPS))
            WEFT_FAIL("%s: varying is %x", weft__ops[op].name, weft__defs[op]->varying);
        if ((changed[op] != 0) != (weft__defs[op]->varying != 0))
            WEFT_FAIL("%s: of what may change from step to step nothing did", weft__ops[op].name);
    }
    test_ctx_close(c, &memory);
}

WEFT_TEST(Attrs, MarkWhatReplayMustAskFor)
{
    const uint32_t real = (uint32_t)1 << WEFT__MAX_INT_ATTRS, draws = 1u << 0 | 1u << 1; /* seed, call */
    WEFT_CHECK_EQ_INT(weft__defs[WEFT_OP_RAND]->varying, draws);
    WEFT_CHECK_EQ_INT(weft__defs[WEFT_OP_RANDINT]->varying, draws);
    WEFT_CHECK_EQ_INT(weft__defs[WEFT_OP_DROPOUT]->varying, draws);
    WEFT_CHECK_EQ_INT(weft__defs[WEFT_OP_SGD_STEP]->varying, 1u << 1 | real);  /* first_step, lr */
    WEFT_CHECK_EQ_INT(weft__defs[WEFT_OP_ADAM_STEP]->varying, 1u << 1 | real); /* step, lr */
    WEFT_CHECK_EQ_INT(weft__defs[WEFT_OP_DROPOUT_GRAD]->varying, 0);
}
