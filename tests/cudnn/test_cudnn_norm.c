/* test_cudnn_norm.c - why batch norm stays with Weft's kernels: cuDNN's engines work on channels that lie next to each
 * other, and copy images whose channels are planes, as Weft's are, into that order and back. Ours read them as they
 * are.
 *
 * What is looked at is the work space: room for x and y once more. Should this test fail one day, cuDNN has learned
 * better, and batch norm is worth another look. */
#include <stdio.h>
#include <string.h>

#include "cuda/dnn_plan.h"
#include "harness/weft_test.h"
#include "watch.h"

/* cuDNN's numbers for norms (cudnn_graph.h). */
enum { BATCH_NORM = 2, TRAINING = 1, TYPE_NORM_MODE = 27, TYPE_NORM_PHASE = 28, NORM_FORWARD = 29, NORM_BACKWARD = 30 };
enum { FORWARD_MODE = 2000, FORWARD_PHASE = 2001, BACKWARD_MODE = 2100 };

/* The attributes of tensors and what they are. */
enum { IMAGE, CHANNELS, NUMBER };

typedef struct part {
    int attribute, kind;
} part;

static const part forward_parts[] = {{2002, IMAGE} /* x */,
                                     {2013, IMAGE} /* y */,
                                     {2003, CHANNELS} /* mean */,
                                     {2004, CHANNELS} /* rstd */,
                                     {2005, CHANNELS} /* w */,
                                     {2006, CHANNELS} /* b */,
                                     {2007, NUMBER} /* eps */};
static const part backward_parts[] = {
    {2101, IMAGE} /* x */,       {2104, IMAGE} /* dy */,   {2109, IMAGE} /* dx */,    {2102, CHANNELS} /* mean */,
    {2103, CHANNELS} /* rstd */, {2105, CHANNELS} /* w */, {2107, CHANNELS} /* dw */, {2108, CHANNELS} /* db */};

typedef struct norm {
    int64_t backward, data_type, planes; /* planes: a channel's elements are contiguous, else those of a pixel are */
    int64_t n, c, side;
} norm;

static weft__dnn_descriptor tensor(weft__dnn_graph *g, const norm *b, int64_t id, int kind)
{
    const int64_t pixels = b->side * b->side;
    const weft__dnn_layout channels = {{1, b->c, 1, 1}, {b->c, 1, b->c, b->c}};
    weft__dnn_layout image = {{b->n, b->c, b->side, b->side}, {b->c * pixels, 1, b->c * b->side, b->c}};
    if (b->planes) {
        image.strides[1] = pixels;
        image.strides[2] = b->side;
        image.strides[3] = 1;
    }
    return kind == NUMBER  ? weft__dnn_scalar(g, id, WEFT__DNN_DATA_FLOAT)
           : kind == IMAGE ? weft__dnn_array(g, id, (int)b->data_type, &image)
                           : weft__dnn_array(g, id, WEFT__DNN_DATA_FLOAT, &channels);
}

static void build(weft__dnn_graph *g, const void *what)
{
    const norm *b = what;
    const part *parts = b->backward ? backward_parts : forward_parts;
    const int n = (int)(b->backward ? sizeof backward_parts : sizeof forward_parts) / (int)sizeof *parts;
    weft__dnn_descriptor tensors[8];
    for (int k = 0; k < n; k++)
        tensors[k] = tensor(g, b, k + 1, parts[k].kind);
    weft__dnn_descriptor d = weft__dnn_make(g, b->backward ? NORM_BACKWARD : NORM_FORWARD);
    weft__dnn_set_enum(g, d, b->backward ? BACKWARD_MODE : FORWARD_MODE, TYPE_NORM_MODE, BATCH_NORM);
    if (!b->backward)
        weft__dnn_set_enum(g, d, FORWARD_PHASE, TYPE_NORM_PHASE, TRAINING);
    for (int k = 0; k < n; k++)
        weft__dnn_set_descriptor(g, d, parts[k].attribute, tensors[k]);
    weft__dnn_append(g, d);
}

static int64_t copies(const norm *b)
{
    return 2 * b->n * b->c * b->side * b->side * (b->data_type == WEFT__DNN_DATA_FLOAT ? 4 : 2);
}

/* Whether cuDNN has an engine that does without room for x and y. It is not compiled. */
static bool does_without_copies(const weft__dnn_api *api, const weft__dnn_target *target, const norm *b)
{
    const weft__dnn_problem problem = {build, b, sizeof *b};
    weft__dnn_plan plan;
    watch_forget();
    watch_no_plans(true);
    (void)weft__dnn_make_plan(api, target, &problem, (size_t)copies(b) - 1, &plan);
    watch_no_plans(false);
    weft__dnn_drop_plan(api, &plan);
    if (watch_seen()->offered == 0)
        WEFT_FAIL("no engine is offered for %s of data type %d", b->backward ? "gradients" : "batch norm",
                  (int)b->data_type);
    return watch_seen()->plans > 0;
}

WEFT_TEST(CudnnNorm, PlanesAreCopied)
{
    static const int types[] = {WEFT__DNN_DATA_FLOAT, WEFT__DNN_DATA_HALF, WEFT__DNN_DATA_BFLOAT16};
    char why[256];
    const weft__dnn_api *api = watch_cudnn_and_driver(why, sizeof why);
    if (!api)
        WEFT_SKIP("%s", why);
    for (int gpu = 0; gpu < WATCH_GPUS; gpu++) {
        const weft__dnn_target target = {.device_prop = watch_gpu(api, gpu)};
        for (int k = 0; target.device_prop && k < 6; k++) {
            norm b = {.backward = k % 2, .data_type = types[k / 2], .n = 64, .c = 64, .side = 56};
            WEFT_CHECK(does_without_copies(api, &target, &b));
            b.planes = 1;
            WEFT_CHECK(!does_without_copies(api, &target, &b));
        }
        api->unmake(target.device_prop);
    }
    WEFT_CHECK(watch_seen()->live == 0);
}
