/* test_records_inferred.c - every row whose record infers its results, by its samples: what infer says of the operands
 * as they were given is what the call made, in dtype and shape, and the kernel wrote all of it. Operands are those of
 * the recipes, empty ones, smaller ones that broadcast, and ones without dims; where such a call is wrong, it is an
 * error that names the operation. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/infer.h"
#include "engine/observe.h"
#include "harness/structs.h"
#include "harness/weft_test.h"
#include "ops/sample.h"
#include "samples/device.h"
#include "samples/layout.h"

enum { MOST_REPORTS = 6 };

/* What becomes of the operands of a recipe. */
typedef enum change {
    AS_THEY_ARE,
    NO_ROWS,     /* size a is 0 */
    NO_COLUMNS,  /* size b is 0 */
    ONE_LIKE,    /* all but the first operand have dims of size 1 */
    ONE_FIRST,   /* the first has */
    NO_DIMS,     /* all operands have none */
    OTHER_DTYPE, /* the first is f64, what it is converted to or with */
    CHANGES
} change;

static const char *const changes[] = {
    "as they are",       "without rows", "without columns", "one element beside the first",
    "one element first", "without dims", "the first in f64"};

/* The attributes with which the row's kernel ran. */
typedef struct watcher {
    weft__observer observer; /* first: the callbacks get its address */
    int op;
    bool seen;
    weft__attrs attrs;
} watcher;

static void begin(weft__observer *observer, const weft__launch *l)
{
    watcher *w = (watcher *)observer;
    if (l->custom || l->op != w->op || l->grad || w->seen)
        return;
    w->seen = true;
    if (l->attrs)
        w->attrs = *l->attrs;
}

static void end(weft__observer *observer, const weft__launch *l, weft_status status)
{
    (void)observer, (void)l, (void)status;
}

typedef struct trial {
    weft_ctx *ctx;
    int op, recipe;
    change how;
    weft_dtype dtype;
    weft_sample_call call;
    watcher watch;
    int checked; /* results */
} trial;

static void report(const trial *t, const char *what, const char *text)
{
    if (weft_test_failures() < MOST_REPORTS)
        WEFT_FAIL("%s, recipe %d, %s, %s: %s: %s", weft__ops[t->op].name, t->recipe, weft_dtype_name(t->dtype),
                  changes[t->how], what, text);
}

/* ---- Operands ---- */

static weft_tensor *first_element(weft_tensor *x, bool keep_dims)
{
    for (int d = 0; d < weft_ndim(x) && keep_dims; d++)
        x = weft_slice(x, d, 0, 1, 1);
    while (!keep_dims && weft_ndim(x) > 0)
        x = weft_select(x, 0, 0);
    return x;
}

static bool make(trial *t)
{
    weft_sample_options o = INIT_SAMPLE(.recipe = t->recipe, .dtype = t->dtype, .sizes = {3, 4, -1});
    if (strchr(weft__defs[t->op]->recipes[t->recipe].operands, 'd'))
        memcpy(o.sizes, (const int64_t[]){2, 2, 4, 4}, sizeof o.sizes);
    if (t->how == NO_ROWS)
        o.sizes[0] = 0;
    if (t->how == NO_COLUMNS)
        o.sizes[1] = 0;
    if (weft__sample_make(t->ctx, t->op, &o, &t->call) != WEFT_OK)
        return false;
    for (int k = 0; k < t->call.n_in; k++) {
        weft_tensor *x = t->call.in[k];
        if (!x)
            continue;
        if ((t->how == ONE_LIKE && k > 0) || (t->how == ONE_FIRST && k == 0))
            x = first_element(x, true);
        else if (t->how == NO_DIMS)
            x = first_element(x, false);
        else if (t->how == OTHER_DTYPE && k == 0)
            x = weft_cast(x, WEFT_F64);
        t->call.in[k] = t->call.smooth[k] && weft_dtype_is_float(weft_dtype_of(x))
                            ? weft_set_requires_grad(weft_detach(x), true)
                            : x;
    }
    return weft_ctx_status(t->ctx) == WEFT_OK;
}

/* ---- One call ---- */

static bool is_operand(const trial *t, const weft_tensor *y)
{
    for (int k = 0; k < t->call.n_in; k++)
        if (y == t->call.in[k])
            return true;
    return false;
}

/* Fresh memory is all ones in a test's context: as a float NaN, which no result of a sample is, and no bool. */
static bool is_written(weft_ctx *c, weft_tensor *y)
{
    if (!weft_dtype_is_float(weft_dtype_of(y)) && weft_dtype_of(y) != WEFT_BOOL)
        return true;
    const size_t bytes = (size_t)weft_count(y) * weft_dtype_size(weft_dtype_of(y)),
                 size = weft_dtype_size(weft_dtype_of(y));
    unsigned char *values = malloc(bytes + 1);
    WEFT_CHECK_OK(weft_read(c, y, values, bytes));
    bool written = true;
    for (size_t at = 0; at < bytes && written; at += size) {
        size_t ones = 0;
        while (ones < size && values[at + ones] == 0xFF)
            ones++;
        written = ones < size;
    }
    free(values);
    return written;
}

static void compare(trial *t, const weft__infer *q)
{
    char text[400];
    const weft__op_def *def = weft__defs[t->op];
    for (int k = 0; k < t->call.n_out && k < def->n_out; k++) {
        weft_tensor *y = t->call.out[k];
        const weft__array *a = &q->out[k];
        if (is_operand(t, y) && def->effect != WEFT__IN_PLACE)
            continue;
        bool same = a->dtype == (int32_t)weft_dtype_of(y) && a->ndim == weft_ndim(y);
        for (int d = 0; same && d < a->ndim; d++)
            same = a->shape[d] == weft_shape(y)[d];
        snprintf(text, sizeof text, "%s was inferred, %s was made", weft__array_text(a).s, weft__array_text(&y->a).s);
        if (!same)
            report(t, "infer differs", text);
        else if (!is_written(t->ctx, y))
            report(t, "not all of it was written", text);
        t->checked++;
    }
}

/* The attributes are those of the launch, or of the tape; views that have none are not recorded. False: there was
 * neither. */
static bool attrs_of(const trial *t, weft__attrs *attrs)
{
    const weft_tensor *y = t->call.out[0];
    memset(attrs, 0, sizeof *attrs);
    if (t->watch.seen)
        *attrs = t->watch.attrs;
    else if (y->node && y->node->op == t->op)
        weft__node_attrs(y->node, attrs);
    else
        return weft__ops[t->op].family == WEFT__VIEW && !weft__ops[t->op].differentiable;
    return true;
}

static void infer_as_given(trial *t)
{
    const weft__array *in[WEFT_SAMPLE_OPERANDS] = {NULL};
    const weft__op_def *def = weft__defs[t->op];
    weft__attrs attrs;
    if (!attrs_of(t, &attrs))
        return;
    for (int k = 0; k < t->call.n_in; k++)
        in[k] = t->call.in[k] ? &t->call.in[k]->a : NULL;
    weft__array out[WEFT__MAX_DEF_RESULTS];
    weft__infer q = {.def = def,
                     .out = out,
                     .n_in = def->arity == WEFT__LIST ? t->call.n_in : def->n_in,
                     .in = in,
                     .attrs = &attrs,
                     .records = weft_requires_grad(t->call.out[0])};
    if (weft__infer_call(&q))
        compare(t, &q);
    else
        report(t, "infer refuses what was done", q.message);
}

static void run(trial *t)
{
    const int mark = weft_scope_push(t->ctx);
    t->watch = (watcher){.observer = {.begin = begin, .end = end}, .op = t->op};
    if (make(t)) {
        weft__observe(t->ctx, &t->watch.observer);
        const weft_status status = weft_sample_run(&t->call);
        (void)weft_synchronise(t->ctx);
        weft__unobserve(t->ctx, &t->watch.observer);
        if (status == WEFT_OK && weft_ctx_status(t->ctx) == WEFT_OK)
            infer_as_given(t);
    }
    if (weft_ctx_status(t->ctx) != WEFT_OK && t->how == AS_THEY_ARE)
        report(t, "an error of the sample itself", weft_ctx_message(t->ctx));
    else if (weft_ctx_status(t->ctx) != WEFT_OK && !strstr(weft_ctx_message(t->ctx), weft__ops[t->op].name) &&
             t->call.out[0] == NULL && t->call.in[0])
        report(t, "an error that does not name it", weft_ctx_message(t->ctx));
    weft_ctx_clear(t->ctx);
    WEFT_CHECK_OK(weft_scope_pop(t->ctx, mark));
    weft_memory_trim(t->ctx); /* so that the next results are of fresh memory */
}

/* ---- All of a row ---- */

static void check_row(void *user)
{
    static const weft_dtype dtypes[] = {WEFT_F32, WEFT_BF16, WEFT_I32};
    const int op = *(const int *)user;
    test_memory memory;
    weft_ctx *c = test_ctx_open(&memory, 1);
    WEFT_REQUIRE(c);
    int plain = 0, changed = 0;
    for (int r = 0; r < WEFT__MAX_RECIPES && weft__defs[op]->recipes[r].operands; r++)
        for (int d = 0; d < 3; d++)
            for (int how = 0; how < CHANGES; how++) {
                trial t = {.ctx = c, .op = op, .recipe = r, .how = (change)how, .dtype = dtypes[d]};
                if (d == 2 && how == AS_THEY_ARE)
                    continue; /* an operation may refuse integers */
                run(&t);
                plain += how == AS_THEY_ARE ? t.checked : 0;
                changed += how == AS_THEY_ARE ? 0 : t.checked;
            }
    if (plain == 0 || changed == 0)
        WEFT_FAIL("%s: infer was compared %d times on the sample, %d times on other operands", weft__ops[op].name,
                  plain, changed);
    weft_test_property("compared", plain + changed);
    test_ctx_close(c, &memory);
}

/* ---- Products of vectors, as NumPy has them: the kernel sees matrices, but infer need not ---- */

typedef struct product {
    int64_t a[3], b[3], y[3];
    int na, nb, ny; /* dims; ny -1: they do not fit */
} product;

WEFT_TEST(Infer, ProductsOfVectorsAndMatrices)
{
    static const product products[] = {
        {{3}, {3}, {0}, 1, 1, 0},
        {{3}, {3, 4}, {4}, 1, 2, 1},
        {{2, 3}, {3}, {2}, 2, 1, 1},
        {{3}, {5, 3, 4}, {5, 4}, 1, 3, 2},
        {{5, 2, 3}, {3}, {5, 2}, 3, 1, 2},
        {{0}, {0}, {0}, 1, 1, 0},
        {{5, 2, 3}, {1, 3, 4}, {5, 2, 4}, 3, 3, 3},
        {{3}, {4}, {0}, 1, 1, -1},
        {{3}, {4, 3}, {0}, 1, 2, -1},
        {{2, 3}, {2}, {0}, 2, 1, -1},
        {{0}, {3}, {0}, 0, 1, -1},
    };
    for (size_t k = 0; k < sizeof products / sizeof *products; k++) {
        const product *p = &products[k];
        weft__array a = {.dtype = WEFT_F16, .ndim = p->na}, b = {.dtype = WEFT_F32, .ndim = p->nb};
        memcpy(a.shape, p->a, sizeof p->a);
        memcpy(b.shape, p->b, sizeof p->b);
        weft__array out[1];
        weft__attrs none = {.ni = 0};
        weft__infer q = {.def = weft__defs[WEFT_OP_MATMUL],
                         .n_in = 2,
                         .in = (const weft__array *[]){&a, &b},
                         .out = out,
                         .attrs = &none};
        WEFT_CHECK(weft__infer_call(&q) == (p->ny >= 0));
        if (p->ny < 0) {
            WEFT_CHECK_STR_HAS(q.message, weft__shape_text(p->a, p->na).s); /* as they were given */
            continue;
        }
        WEFT_CHECK_EQ_INT(q.out[0].dtype, WEFT_F32);
        WEFT_CHECK_EQ_INT(q.out[0].ndim, p->ny);
        WEFT_CHECK(memcmp(q.out[0].shape, p->y, sizeof *p->y * (size_t)p->ny) == 0);
    }
}

static int ops[WEFT_OP_COUNT];

WEFT_TEST_INIT(inferred)
{
    for (int op = 0; op < WEFT_OP_COUNT; op++)
        if (weft__defs[op]->infer) {
            ops[op] = op;
            weft_test_add("RecordsInferred", weft__ops[op].name, check_row, &ops[op], __FILE__, __LINE__);
        }
}
