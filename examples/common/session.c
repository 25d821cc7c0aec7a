#include "common/session.h"
#include <stdlib.h>
#include <string.h>

static void print_message(void *user, weft_log_level level, const char *message)
{
    (void)user;
    if (level != WEFT_LOG_LEVEL_INFO)
        fprintf(stderr, "%s\n", message);
}

/* Whether the name is well formed: "cpu", "cuda" or "cuda:1". */
static bool names_device(const char *name)
{
    if (strncmp(name, "cuda:", 5) == 0)
        return name[5] && name[5 + strspn(name + 5, "0123456789")] == '\0';
    return strcmp(name, "cpu") == 0 || strcmp(name, "cuda") == 0;
}

weft_ctx *session_open(const char *device, uint64_t seed)
{
    weft_ctx *ctx;
    weft_options options = WEFT_OPTIONS_DEFAULTS;
    options.device = device;
    options.seed = seed;
    options.threads = -1;
    options.log = print_message;
    if (weft_ctx_open(&options, &ctx) != WEFT_OK)
        exit(names_device(device) ? 1 : 2);
    return ctx;
}

void session_layer(weft_ctx *ctx, weft_tensor **p, const int64_t *shape, int ndim)
{
    p[0] = weft_set_name(weft_zeros(ctx, WEFT_F32, shape, ndim), "weights");
    p[1] = weft_set_name(weft_zeros(ctx, WEFT_F32, shape, 1), "bias");
    weft_init_layer_(p[0], p[1]);
    for (int i = 0; i < 2; i++)
        weft_set_requires_grad(p[i], true);
}

/* SplitMix64 (Steele et al. 2014). */
static uint64_t next(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

weft_tensor *session_shuffled(weft_tensor *x, uint64_t seed)
{
    if (!x)
        return NULL;
    weft_ctx *ctx = weft_ctx_of(x);
    int64_t n = weft_size(x, 0);
    size_t bytes = (size_t)n * sizeof(int64_t);
    int64_t *order = weft_ctx_alloc(ctx, bytes);
    if (!order)
        return NULL;
    for (int64_t i = 0; i < n; i++) { /* Fisher and Yates, inside out */
        int64_t j = (int64_t)(next(&seed) % (uint64_t)(i + 1));
        order[i] = order[j];
        order[j] = i;
    }
    weft_tensor *rows = weft_index_select(x, weft_from_data(ctx, WEFT_I64, WEFT_DIMS(n), order), 0);
    weft_ctx_free(ctx, order, bytes);
    return rows;
}

double session_accuracy(weft_ctx *ctx, weft_tensor *logits, weft_tensor *y)
{
    weft_tensor *right = weft_eq(weft_argmax(logits, WEFT_DIMS(-1), false), y);
    return 100 * weft_item(ctx, weft_mean(weft_cast(right, WEFT_F32), WEFT_ALL, false));
}

int session_close(weft_ctx *ctx)
{
    weft_status status = weft_ctx_status(ctx);
    weft_ctx_close(ctx);
    return status != WEFT_OK;
}
