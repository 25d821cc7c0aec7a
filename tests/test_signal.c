/* test_signal.c - windows and mel filters against figures of SciPy 1.16 (scipy.signal.get_window) and of the
 * formulas of librosa's and torchaudio's filters, computed by NumPy. */
#include <math.h>
#include <stdlib.h>

#include "harness/test_ctx.h"
#include "harness/weft_test.h"

static void check_near(weft_ctx *ctx, const char *what, weft_tensor *made, const double *expected, int64_t n)
{
    double *got = malloc(sizeof *got * (size_t)n);
    WEFT_CHECK(got && made && weft_count(made) == n);
    if (got && made && weft_count(made) == n && weft_read(ctx, made, got, sizeof *got * (size_t)n) == WEFT_OK)
        for (int64_t k = 0; k < n; k++)
            if (!(fabs(got[k] - expected[k]) <= 1e-15 + 1e-13 * fabs(expected[k])))
                WEFT_FAIL("%s, element %lld: %.17g, not %.17g", what, (long long)k, got[k], expected[k]);
    free(got);
}

enum { N = 7 };

static const struct {
    const char *what;
    weft_window_kind kind;
    double beta;
    double periodic[N], symmetric[N];
} windows[] = {
    {"hann",
     WEFT_WINDOW_KIND_HANN,
     0,
     {0, 0.18825509907063326, 0.61126046697815717, 0.95048443395120952, 0.95048443395120952, 0.61126046697815717,
      0.18825509907063326},
     {0, 0.25, 0.75, 1, 0.75, 0.25, 0}},
    {"hamming",
     WEFT_WINDOW_KIND_HAMMING,
     0,
     {0.08, 0.25319469114498266, 0.64235962961990467, 0.95444567923511281, 0.95444567923511281, 0.64235962961990467,
      0.25319469114498266},
     {0.08, 0.31, 0.77, 1, 0.77, 0.31, 0.08}},
    {"blackman",
     WEFT_WINDOW_KIND_BLACKMAN,
     0,
     {0, 0.090453424354128079, 0.45918295754596367, 0.92036361809990819, 0.92036361809990819, 0.45918295754596367,
      0.090453424354128079},
     {0, 0.13, 0.63, 1, 0.63, 0.13, 0}},
    {"bartlett",
     WEFT_WINDOW_KIND_BARTLETT,
     0,
     {0, 0.2857142857142857, 0.5714285714285714, 0.8571428571428571, 0.85714285714285721, 0.5714285714285714,
      0.28571428571428581},
     {0, 0.33333333333333331, 0.66666666666666663, 1, 0.66666666666666674, 0.33333333333333326, 0}},
    {"kaiser",
     WEFT_WINDOW_KIND_KAISER,
     8.6,
     {0.0013325139979024198, 0.091136512928265356, 0.45964377459338085, 0.92046158325815741, 0.92046158325815741,
      0.45964377459338085, 0.091136512928265356},
     {0.0013325139979024198, 0.13040194654166437, 0.63041192733594054, 1, 0.63041192733594054, 0.13040194654166437,
      0.0013325139979024198}},
};
enum { WINDOWS = sizeof windows / sizeof windows[0] };

WEFT_TEST(Signal, Windows)
{
    fault_memory memory = {0};
    weft_ctx *ctx = fault_ctx_open(&memory);
    for (int k = 0; k < WINDOWS; k++) {
        const weft_window_kind kind = windows[k].kind;
        const double beta = windows[k].beta;
        check_near(ctx, windows[k].what, weft_window(ctx, WEFT_F64, kind, N, true, beta), windows[k].periodic, N);
        check_near(ctx, windows[k].what, weft_window(ctx, WEFT_F64, kind, N, false, beta), windows[k].symmetric, N);
        check_near(ctx, "of one", weft_window(ctx, WEFT_F64, kind, 1, false, beta), (const double[]){1}, 1);
        WEFT_CHECK(weft_count(weft_window(ctx, WEFT_F64, kind, 0, true, beta)) == 0);
        WEFT_CHECK(weft_dtype_of(weft_window(ctx, WEFT_BF16, kind, 5, true, beta)) == WEFT_BF16);
    }
    /* the largest beta: nothing overflows */
    double ends[3] = {0};
    weft_tensor *narrow = weft_window(ctx, WEFT_F64, WEFT_WINDOW_KIND_KAISER, 3, false, 700);
    WEFT_CHECK_OK(weft_read(ctx, narrow, ends, sizeof ends));
    WEFT_CHECK(ends[1] == 1 && ends[0] > 0 && ends[0] < 1e-300 && ends[0] == ends[2]);
    fault_ctx_close(ctx, &memory);
}

WEFT_TEST(Signal, MelFilters)
{
    static const double htk[] = {0,
                                 0.8760724803506601,
                                 0,
                                 0,
                                 0,
                                 0,
                                 0,
                                 0,
                                 0,
                                 0,
                                 0.12392751964933994,
                                 0.89048314290230091,
                                 0.16615976644961516,
                                 0,
                                 0,
                                 0,
                                 0,
                                 0,
                                 0,
                                 0,
                                 0.10951685709769915,
                                 0.83384023355038484,
                                 0.60829425191024611,
                                 0.099981590626693526,
                                 0,
                                 0,
                                 0,
                                 0,
                                 0,
                                 0,
                                 0,
                                 0.39170574808975395,
                                 0.90001840937330646,
                                 0.71344311124285709,
                                 0.35672155562142838,
                                 0};
    static const double slaney[] = {0,
                                    0.0019854422809503333,
                                    0,
                                    0,
                                    0,
                                    0,
                                    0,
                                    0,
                                    0,
                                    0,
                                    0,
                                    0.0019228612608437209,
                                    0.00027908998291799808,
                                    0,
                                    0,
                                    0,
                                    0,
                                    0,
                                    0,
                                    0,
                                    5.1527430035954896e-06,
                                    0.0011254482413921105,
                                    0.00073027451511571868,
                                    2.5173275674367287e-05,
                                    0,
                                    0,
                                    0,
                                    0,
                                    0,
                                    0,
                                    0,
                                    0.00036846105211173007,
                                    0.00081227580703744067,
                                    0.00055872967310517782,
                                    0.00027936483655258891,
                                    0};
    fault_memory memory = {0};
    weft_ctx *ctx = fault_ctx_open(&memory);
    check_near(ctx, "htk", weft_mel_filters(ctx, WEFT_F64, 4, 9, 8000, 100, 4000, WEFT_MEL_SCALE_HTK), htk, 36);
    check_near(ctx, "slaney", weft_mel_filters(ctx, WEFT_F64, 4, 9, 8000, 100, 4000, WEFT_MEL_SCALE_SLANEY), slaney,
               36);
    fault_ctx_close(ctx, &memory);
}

WEFT_TEST(Signal, SaysWhatDoesNotFit)
{
    fault_memory memory = {0};
    weft_ctx *ctx = fault_ctx_open(&memory);
    const weft_window_kind kaiser = WEFT_WINDOW_KIND_KAISER;
    check_no_result(ctx, weft_window(ctx, WEFT_I32, kaiser, 3, true, 1), WEFT_E_DTYPE, "weft_window: dtype is i32");
    check_no_result(ctx, weft_window(ctx, WEFT_F32, kaiser, -1, true, 1), WEFT_E_SHAPE, "n is -1");
    check_no_result(ctx, weft_window(ctx, WEFT_F32, kaiser, 3, true, 701), WEFT_E_INVALID, "beta 701");
    check_no_result(ctx, weft_window(ctx, WEFT_F32, kaiser, 3, true, (double)NAN), WEFT_E_INVALID, "beta nan");
    check_no_result(ctx, weft_window(ctx, WEFT_F32, (weft_window_kind)9, 3, true, 1), WEFT_E_INVALID, "kind is 9");
    check_no_result(ctx, weft_mel_filters(ctx, WEFT_F32, 0, 9, 8e3, 0, 4e3, WEFT_MEL_SCALE_HTK), WEFT_E_SHAPE,
                    "0 mels");
    check_no_result(ctx, weft_mel_filters(ctx, WEFT_F32, 4, 9, 8e3, 0, 5e3, WEFT_MEL_SCALE_HTK), WEFT_E_INVALID,
                    "to 5000 Hz");
    WEFT_CHECK(!weft_window(NULL, WEFT_F32, kaiser, 3, true, 1));
    WEFT_CHECK(!weft_mel_filters(NULL, WEFT_F32, 4, 9, 8e3, 0, 4e3, WEFT_MEL_SCALE_HTK));
    fault_ctx_close(ctx, &memory);
}

/* Each allocation fails in turn: no crash, nothing left, NULL with an error. */
WEFT_TEST(Signal, OutOfMemory)
{
    for (long at = 1;; at++) {
        fault_memory memory = {0};
        weft_ctx *ctx = fault_ctx_open(&memory);
        memory.fail_at = memory.calls + at;
        const weft_tensor *made = weft_window(ctx, WEFT_F64, WEFT_WINDOW_KIND_KAISER, 64, true, 2);
        const bool failed = memory.calls >= memory.fail_at;
        memory.fail_at = 0;
        if (failed && !made) {
            WEFT_CHECK_STATUS(weft_ctx_status(ctx), WEFT_E_NOMEM);
            weft_ctx_clear(ctx);
        }
        fault_ctx_close(ctx, &memory);
        if (!failed)
            break;
        WEFT_REQUIRE(at < 1000);
    }
}
