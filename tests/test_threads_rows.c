/* test_threads_rows.c - every row by its samples at sizes that are a multiple of nothing: results and gradients have
 * the same bits with 1 to 9 threads. Sums above all, whose order would show how the work was cut. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/op_def.h"
#include "harness/structs.h"
#include "harness/weft_test.h"
#include "ops/sample.h"

enum { MOST_THREADS = 9, MOST_PARTS = WEFT_SAMPLE_RESULTS + WEFT_SAMPLE_OPERANDS };

/* Bytes of results and gradients, one after the other. */
typedef struct outcome {
    unsigned char *bytes;
    size_t n;
} outcome;

static void append(weft_ctx *c, outcome *o, weft_tensor *t)
{
    const size_t n = weft_bytes(t);
    unsigned char *more = realloc(o->bytes, o->n + n + 1);
    if (!more)
        abort();
    o->bytes = more;
    WEFT_CHECK_OK(weft_read(c, t, o->bytes + o->n, n));
    o->n += n;
}

/* Gradients from a cotangent that differs from element to element. */
static void derive(weft_ctx *c, weft_sample_call *call, outcome *o)
{
    weft_tensor *y = weft_sample_result(call), *found[WEFT_SAMPLE_OPERANDS], *leaves[WEFT_SAMPLE_OPERANDS];
    int n = 0;
    for (int k = 0; k < call->n_in; k++)
        if (call->smooth[k])
            leaves[n++] = call->in[k];
    if (!y || n == 0 || !weft_requires_grad(y))
        return;
    weft_tensor *g = weft_rand(c, weft_dtype_of(y), weft_shape(y), weft_ndim(y), -1, 1);
    WEFT_CHECK_OK(weft_grad(c, &y, &g, 1, leaves, n, WEFT_GRAD_ALLOW_UNUSED, found));
    for (int k = 0; k < n; k++)
        if (found[k])
            append(c, o, found[k]);
}

static outcome run(int op, const weft_sample_options *o, int threads)
{
    outcome found = {0};
    weft_ctx *c = NULL;
    weft_sample_call call;
    if (weft_ctx_open(&WITH_OPTIONS(.threads = threads, .seed = 5), &c) != WEFT_OK)
        return found;
    WEFT_CHECK_OK(weft__sample_make(c, op, o, &call));
    for (int k = 0; k < call.n_in; k++)
        if (call.smooth[k])
            weft_set_requires_grad(call.in[k], true);
    weft_seed(c, 6);
    WEFT_CHECK_OK(weft_sample_run(&call));
    for (int k = 0; k < call.n_out && weft_ctx_status(c) == WEFT_OK; k++)
        append(c, &found, call.out[k]);
    if (weft_ctx_status(c) == WEFT_OK)
        derive(c, &call, &found);
    if (weft_ctx_status(c) != WEFT_OK)
        WEFT_FAIL("%s: %s", weft__ops[op].name, weft_ctx_message(c));
    weft_ctx_close(c);
    return found;
}

/* Norms with every number of threads, the others with a third of them for each size and recipe, in turns. */
static void check(int op, const weft_sample_options *o, int turn)
{
    const bool norm = strstr(weft__ops[op].name, "_norm") != NULL;
    const outcome alone = run(op, o, 1);
    for (int threads = norm ? 2 : 2 + turn % 3; threads <= MOST_THREADS && weft_test_failures() == 0;
         threads += norm ? 1 : 3) {
        const outcome several = run(op, o, threads);
        if (several.n != alone.n || (alone.n && memcmp(several.bytes, alone.bytes, alone.n) != 0))
            WEFT_FAIL("%s, recipe %d, %s, [%lld, %lld]: %d threads give other bits than one", weft__ops[op].name,
                      o->recipe, weft_dtype_name(o->dtype), (long long)o->sizes[0], (long long)o->sizes[1], threads);
        free(several.bytes);
    }
    free(alone.bytes);
}

/* Many rows, long rows; images; what has three sizes is a product. */
static void run_row(void *user)
{
    static const int64_t flat[][4] = {{1009, 67, 31, 0}, {67, 1009, 31, 0}, {3, 30011, 3, 0}};
    static const int64_t images[][4] = {{11, 19, 23, 17}, {3, 5, 61, 67}};
    static const weft_dtype dtypes[] = {WEFT_F32, WEFT_F64, WEFT_BF16};
    const int op = (int)(intptr_t)user;
    const weft__op_def *def = weft__defs[op];
    for (int r = 0; r < WEFT__MAX_RECIPES && def->recipes[r].operands; r++) {
        const bool four = strchr(def->recipes[r].operands, 'd');
        for (int s = 0; s < (four ? 2 : 3); s++) {
            weft_sample_options o = INIT_SAMPLE(.recipe = r, .dtype = dtypes[(r + s) % 3]);
            memcpy(o.sizes, four ? images[s] : flat[s], sizeof o.sizes);
            check(op, &o, r + s);
        }
    }
}

WEFT_TEST_INIT(threads_of_rows)
{
    for (int op = 0; op < WEFT_OP_COUNT; op++)
        if (weft__defs[op]->recipes[0].operands)
            weft_test_add("ThreadsOfRows", weft__ops[op].name, run_row, (void *)(intptr_t)op, __FILE__, __LINE__);
}
