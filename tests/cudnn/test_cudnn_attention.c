/* test_cudnn_attention.c - the plans that attention gets from cuDNN on GPUs that need not be there. cuDNN chooses
 * engines and compiles its kernels; loading them is where a machine without a GPU, or with the toolkit's stub of the
 * driver, stops. */
#include <stdio.h>
#include <string.h>

#include "cuda/dnn_graphs.h"
#include "harness/weft_test.h"
#include "watch.h"

static const size_t most_workspace = (size_t)256 << 20;

typedef struct attention_case {
    const char *name;
    int64_t batch, heads, queries, keys, width, columns;
    bool causal, packed; /* packed: q, k and v are parts of rows [batch, queries, 3, heads, width] */
    int data_type;
} attention_case;

static const attention_case cases[] = {
    {"GPT-2", 4, 12, 1024, 1024, 64, 64, true, true, WEFT__DNN_DATA_BFLOAT16},
    {"all see all, other columns", 2, 4, 500, 1000, 128, 64, false, false, WEFT__DNN_DATA_HALF},
    {"a few queries after many keys", 1, 2, 17, 300, 72, 40, true, false, WEFT__DNN_DATA_BFLOAT16},
};

enum { CASES = sizeof cases / sizeof *cases };

static void set_strides(int64_t strides[3], const attention_case *c, int64_t rows, int64_t columns)
{
    const int64_t dense[] = {c->heads * rows * columns, rows * columns, columns};
    const int64_t packed[] = {rows * 3 * c->heads * columns, columns, 3 * c->heads * columns};
    memcpy(strides, c->packed ? packed : dense, sizeof dense);
}

/* As the launcher would have it on this GPU. */
static weft__dnn_attention attention_of(const attention_case *c, bool grad, int gpu)
{
    weft__dnn_attention a;
    memset(&a, 0, sizeof a);
    a.grad = grad;
    a.by_number = grad && gpu == WATCH_B200;
    a.causal = c->causal;
    a.data_type = c->data_type;
    a.batch = c->batch;
    a.heads = c->heads;
    a.queries = c->queries;
    a.keys = c->keys;
    a.width = c->width;
    a.columns = c->columns;
    set_strides(a.q, c, c->queries, c->width);
    set_strides(a.k, c, c->keys, c->width);
    set_strides(a.v, c, c->keys, c->columns);
    const int64_t y[] = {c->heads * c->queries * c->columns, c->queries * c->columns, c->columns};
    memcpy(a.y, y, sizeof y);
    memcpy(a.g, y, sizeof y);
    return a;
}

/* What an engine may be noted for: tensor cores, and NaN that spread. */
static bool is_bad_note(int note)
{
    return note != WEFT__DNN_NOTE_STRICT_NAN_PROP && note != WEFT__DNN_NOTE_TENSOR_CORE;
}

static void check_plan(const weft__dnn_api *api, const weft__dnn_target *target, int gpu, const attention_case *c,
                       bool grad)
{
    const weft__dnn_attention a = attention_of(c, grad, gpu);
    const weft__dnn_problem problem = weft__dnn_attention_problem(&a);
    const watch_record *seen = watch_seen();
    const int live = seen->live;
    char what[160];
    snprintf(what, sizeof what, "%s, %s%s", watch_names[gpu], c->name, grad ? ", gradients" : "");
    weft__dnn_plan plan;
    watch_forget();
    watch_one_failure(true);
    const bool made = weft__dnn_make_plan(api, target, &problem, most_workspace, &plan);
    watch_one_failure(false);
    if (!a.by_number && (!seen->graph || seen->offered == 0))
        WEFT_FAIL("%s: no engine was offered", what);
    if (seen->plans == 0)
        WEFT_FAIL("%s: none of %d engines was taken", what, (int)seen->offered);
    for (int64_t k = 0; k < seen->n_notes; k++)
        if (is_bad_note(seen->notes[k]))
            WEFT_FAIL("%s: an engine with numerical note %d was chosen", what, seen->notes[k]);
    if (!made && !watch_no_driver())
        WEFT_FAIL("%s: the plan ended with status %d, \"%s\", and not at the loading of its kernels", what,
                  seen->plan_status, seen->message);
    weft__dnn_drop_plan(api, &plan);
    if (seen->live != live)
        WEFT_FAIL("%s: %d descriptors were left", what, seen->live - live);
}

static void check_gpu(int gpu)
{
    char why[256];
    const weft__dnn_api *api = watch_cudnn_and_driver(why, sizeof why);
    if (!api)
        WEFT_SKIP("%s", why);
    const weft__dnn_target target = {.device_prop = watch_gpu(api, gpu)};
    for (int k = 0; target.device_prop && k < CASES; k++) {
        check_plan(api, &target, gpu, &cases[k], false);
        check_plan(api, &target, gpu, &cases[k], true);
    }
    api->unmake(target.device_prop);
}

WEFT_TEST(CudnnAttention, Sm80)
{
    check_gpu(0);
}

WEFT_TEST(CudnnAttention, Sm90)
{
    check_gpu(1);
}

WEFT_TEST(CudnnAttention, Sm100)
{
    check_gpu(2);
}

WEFT_TEST(CudnnAttention, Sm120)
{
    check_gpu(3);
}

/* What is refused comes back as no plan, with nothing left behind; an engine that wants too much work space, a matrix
 * of all scores in halves, is not even compiled. */
WEFT_TEST(CudnnAttention, Refused)
{
    static const attention_case too_much = {"", 64, 12, 1024, 1024, 64, 64, true, false, WEFT__DNN_DATA_BFLOAT16};
    static const attention_case odd = {"", 2, 4, 64, 64, 20, 20, true, false, WEFT__DNN_DATA_HALF};
    char why[256];
    const weft__dnn_api *api = watch_cudnn_and_driver(why, sizeof why);
    if (!api)
        WEFT_SKIP("%s", why);
    const weft__dnn_target target = {.device_prop = watch_gpu(api, 1)};
    const weft__dnn_attention refused[] = {attention_of(&too_much, true, 1), attention_of(&odd, false, 1)};
    for (int k = 0; target.device_prop && k < 2; k++) {
        const weft__dnn_problem problem = weft__dnn_attention_problem(&refused[k]);
        const int live = watch_seen()->live;
        weft__dnn_plan plan;
        watch_forget();
        WEFT_CHECK(!weft__dnn_make_plan(api, &target, &problem, most_workspace, &plan));
        WEFT_CHECK(plan.plan == NULL && plan.made.n == 0 && watch_seen()->live == live);
        WEFT_CHECK(watch_seen()->plans == 0);
        WEFT_CHECK(k != 0 || watch_seen()->offered > 0);
    }
    api->unmake(target.device_prop);
}
