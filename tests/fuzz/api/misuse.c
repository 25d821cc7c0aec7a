/* misuse.c - functions that a program calls seldom, with NULL and senseless arguments: a status, and where there is a
 * context a sentence in it. */
#include <string.h>
#include "fuzz.h"

static weft_status step_of_nothing(weft_ctx *ctx, void *model, int step, double *loss)
{
    (void)model, (void)step;
    *loss = weft_item(ctx, weft_sum(weft_ones(ctx, WEFT_F32, WEFT_DIMS(3)), WEFT_ALL, false));
    return weft_ctx_status(ctx);
}

/* A call that must have failed did not, or failed without a word. */
static void expect_error(fuzz *f, const char *call, weft_status status)
{
    if (status == WEFT_OK)
        fuzz_broken(f, "%s returned OK", call);
    else if (weft_ctx_status(f->ctx) == WEFT_OK)
        fuzz_broken(f, "%s returned %s without a sentence", call, weft_status_name(status));
}

#define REFUSED(call) expect_error(f, #call, call)

static void null_arguments(fuzz *f)
{
    weft_ctx *c = f->ctx;
    weft_lockstep_report report = {0};
    weft_difference difference;
    weft_profile *profile = NULL;
    weft_named_tensor *list = NULL;
    weft_tensor *t = fuzz_alive(f), *out = NULL;
    int64_t many;
    int n;
    switch (fuzz_below(f, 22)) {
    case 0:
        REFUSED(weft_lockstep(c, NULL, NULL, NULL, step_of_nothing, NULL, &report, sizeof report));
        break;
    case 1:
        REFUSED(weft_lockstep(c, NULL, f->other, NULL, NULL, NULL, &report, sizeof report));
        break;
    case 2:
        REFUSED(weft_lockstep(c, NULL, f->other, NULL, step_of_nothing, NULL, NULL, 0));
        break;
    case 3:
        REFUSED(weft_replay(c, NULL, &difference, sizeof difference));
        break;
    case 4:
        REFUSED(weft_replay(c, "/nowhere/at/all.npz", &difference, sizeof difference));
        break;
    case 5:
        REFUSED(weft_compare_ops(c, NULL, NULL, NULL, NULL, &many));
        break;
    case 6:
        REFUSED(weft_compare_ops(c, c, NULL, NULL, NULL, &many));
        break;
    case 7:
        REFUSED(weft_profile_begin(c, NULL));
        break;
    case 8:
        if (t)
            REFUSED(weft_add_hook(t, NULL, NULL));
        break;
    case 9:
        REFUSED(weft_save_npz(c, NULL, NULL, 0));
        break;
    case 10:
        REFUSED(weft_load_npz(c, "/nowhere/at/all.npz", &list, &n));
        break;
    case 11:
        REFUSED(weft_load_safetensors(c, NULL, &list, &n));
        break;
    case 12:
        REFUSED(weft_grad(c, NULL, NULL, 1, &t, 1, 0, &out));
        break;
    case 13:
        REFUSED(weft_backward_with(c, NULL, NULL, -1));
        break;
    case 14:
        REFUSED(weft_zero_grad(c, NULL, 3));
        break;
    case 15:
        REFUSED(weft_gradcheck(c, &t, 1, NULL, NULL, NULL));
        break;
    case 16:
        REFUSED(weft_print(c, t, NULL));
        break;
    case 17:
        REFUSED(weft_optim_step(c, NULL));
        break;
    case 18:
        REFUSED(weft_compare_files(c, NULL, NULL, 0, 0, NULL, NULL));
        break;
    case 19:
        REFUSED(weft_read(c, NULL, &many, sizeof many));
        break;
    case 20:
        REFUSED(weft_write(c, t, NULL, (size_t)-1));
        break;
    default:
        if (weft_profile_begin(c, &profile) == WEFT_OK) {
            fuzz_row(f);
            weft_profile_end(profile);
        } else if (profile) {
            fuzz_broken(f, "weft_profile_begin failed and set its result");
        }
        weft_profile_free(profile);
    }
}

static void makers(fuzz *f)
{
    int64_t shape[WEFT_MAX_DIMS + 2];
    int ndim = fuzz_below(f, WEFT_MAX_DIMS + 3);
    weft_dtype dtype = (weft_dtype)(fuzz_chance(f, 10) ? (int)fuzz_int(f) : fuzz_below(f, WEFT_DTYPE_COUNT));
    int32_t numbers[600] = {0};
    for (int d = 0; d < ndim; d++)
        shape[d] = fuzz_chance(f, 3) ? fuzz_int(f) : 2;
    if (fuzz_chance(f, 10))
        ndim = (int)fuzz_int(f);
    weft_ctx *c = f->ctx;
    weft_tensor *t = NULL;
    int64_t count = 1;
    switch (fuzz_below(f, 8)) {
    case 0:
        t = weft_zeros(c, dtype, shape, ndim);
        break;
    case 1:
        t = weft_arange(c, dtype, fuzz_real(f), fuzz_real(f), fuzz_real(f));
        break;
    case 2:
        t = weft_linspace(c, dtype, fuzz_real(f), fuzz_real(f), fuzz_int(f));
        break;
    case 3:
        t = weft_eye(c, dtype, fuzz_int(f), fuzz_int(f));
        break;
    case 4:
        t = weft_rand(c, dtype, shape, ndim, fuzz_real(f), fuzz_real(f));
        break;
    case 5:
        t = weft_randint(c, dtype, shape, ndim, fuzz_int(f), fuzz_int(f));
        break;
    case 6:
        t = weft_bernoulli(c, dtype, shape, ndim, fuzz_real(f));
        break;
    default:
        for (int d = 0; d < ndim && d < WEFT_MAX_DIMS; d++)
            count = shape[d] > 0 && shape[d] < 9 ? count * shape[d] : 0;
        if (count > 0 && count <= 300 && ndim >= 0 && ndim <= WEFT_MAX_DIMS)
            t = weft_from_data(c, dtype, shape, ndim, numbers);
        else
            t = weft_from_data(c, dtype, shape, ndim, NULL);
    }
    fuzz_take(f, t);
}

static void context(fuzz *f)
{
    weft_ctx *c = f->ctx;
    switch (fuzz_below(f, 10)) {
    case 0:
        weft_memory_trim(c);
        break;
    case 1:
        weft_memory_reset_peak(c);
        break;
    case 2:
        weft_seed(c, fuzz_draw(f));
        break;
    case 3:
        weft_leaks(c, NULL, NULL);
        break;
    case 4:
        weft_ctx_fail(c, fuzz_status(f), "own error %s", "here");
        break;
    case 5:
        weft_ctx_fail(c, WEFT_E_INVALID, NULL);
        break;
    case 6: {
        size_t bytes = (size_t)fuzz_int(f);
        weft_ctx_free(c, weft_ctx_alloc(c, bytes), bytes);
        break;
    }
    case 7:
        weft_synchronise(c);
        break;
    case 8:
        weft_scope_pop(c, FUZZ_MARKS + 60 + fuzz_below(f, 9)) == WEFT_OK
            ? fuzz_broken(f, "a scope that is not open was popped")
            : (void)0;
        break;
    default:
        weft_set_grad_enabled(c, fuzz_below(f, 4) > 0);
    }
}

void fuzz_misuse_step(fuzz *f)
{
    switch (fuzz_below(f, 3)) {
    case 0:
        f->at = "null_arguments";
        null_arguments(f);
        break;
    case 1:
        f->at = "makers";
        makers(f);
        break;
    default:
        f->at = "context";
        context(f);
    }
}
