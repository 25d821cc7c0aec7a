/* structs.h - structs of options with some fields changed, in one expression:
 *
 *     weft_adam_open(c, p, n, &WITH_ADAM(.lr = 0.2), &opt)
 *     static const weft_conv2d_params same = INIT_CONV2D(.padding = {1, 1});
 *
 * The fields that are named win over the defaults, which tests/test_sized.c compares with those of the public macros.
 * A program would begin with WEFT_ADAM_DEFAULTS and then assign. */
#ifndef WEFT_TEST_STRUCTS_H
#define WEFT_TEST_STRUCTS_H

#include <string.h>
#include <weft/compare.h>
#include <weft/io.h>
#include <weft/profile.h>
#include <weft/sample.h>
#include <weft/weft.h>

#if defined(__clang__)
#pragma clang diagnostic ignored "-Winitializer-overrides"
#else
#pragma GCC diagnostic ignored "-Woverride-init"
#endif

#define INIT_OPTIONS(...)                                                                                              \
    {                                                                                                                  \
        .struct_size = sizeof(weft_options), .device = "cpu", .threads = 1, .memory_budget = SIZE_MAX, __VA_ARGS__     \
    }
#define INIT_CONV2D(...)                                                                                               \
    {                                                                                                                  \
        .struct_size = sizeof(weft_conv2d_params), .stride = {1, 1}, .dilation = {1, 1}, .groups = 1, __VA_ARGS__      \
    }
#define INIT_POOL2D(...)                                                                                               \
    {                                                                                                                  \
        .struct_size = sizeof(weft_pool2d_params), .stride = {-1, -1}, __VA_ARGS__                                     \
    }
#define INIT_SGD(...)                                                                                                  \
    {                                                                                                                  \
        .struct_size = sizeof(weft_sgd_options), .lr = 0.01, __VA_ARGS__                                               \
    }
#define INIT_ADAM(...)                                                                                                 \
    {                                                                                                                  \
        .struct_size = sizeof(weft_adam_options), .lr = 1e-3, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, __VA_ARGS__   \
    }
#define INIT_ADAGRAD(...)                                                                                              \
    {                                                                                                                  \
        .struct_size = sizeof(weft_adagrad_options), .lr = 0.01, .eps = 1e-10, __VA_ARGS__                             \
    }
#define INIT_ADADELTA(...)                                                                                             \
    {                                                                                                                  \
        .struct_size = sizeof(weft_adadelta_options), .lr = 1, .rho = 0.9, .eps = 1e-6, __VA_ARGS__                    \
    }
#define INIT_NADAM(...)                                                                                                \
    {                                                                                                                  \
        .struct_size = sizeof(weft_nadam_options), .lr = 2e-3, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8,              \
        .momentum_decay = 4e-3, __VA_ARGS__                                                                            \
    }
#define INIT_LION(...)                                                                                                 \
    {                                                                                                                  \
        .struct_size = sizeof(weft_lion_options), .lr = 1e-4, .beta1 = 0.9, .beta2 = 0.99, __VA_ARGS__                 \
    }
#define INIT_STEP_LISTS(...)                                                                                           \
    {                                                                                                                  \
        .struct_size = sizeof(weft_step_lists), __VA_ARGS__                                                            \
    }
#define INIT_GRADCHECK(...)                                                                                            \
    {                                                                                                                  \
        .struct_size = sizeof(weft_gradcheck_options), .eps = 1e-6, .atol = 1e-5, .rtol = 1e-3, __VA_ARGS__            \
    }
#define INIT_BENCH(...)                                                                                                \
    {                                                                                                                  \
        .struct_size = sizeof(weft_bench_options), .samples = 21, .sample_seconds = 0.005, .warm_seconds = 0.05,       \
        .most_seconds = 5, __VA_ARGS__                                                                                 \
    }
#define INIT_LOCKSTEP(...)                                                                                             \
    {                                                                                                                  \
        .struct_size = sizeof(weft_lockstep_options), .steps = 1, __VA_ARGS__                                          \
    }
#define INIT_COMPARE_OPS(...)                                                                                          \
    {                                                                                                                  \
        .struct_size = sizeof(weft_compare_ops_options), .dtypes = (1u << WEFT_DTYPE_COUNT) - 1,                       \
        .layouts = (1u << WEFT_LAYOUT_COUNT) - 1, __VA_ARGS__                                                          \
    }
#define INIT_LOAD(...)                                                                                                 \
    {                                                                                                                  \
        .struct_size = sizeof(weft_load_options), .max_bytes = UINT64_MAX, .max_tensors = INT64_MAX,                   \
        .max_name = (size_t)1 << 20, __VA_ARGS__                                                                       \
    }
#define INIT_SOURCE(...)                                                                                               \
    {                                                                                                                  \
        .struct_size = sizeof(weft_source), __VA_ARGS__                                                                \
    }
#define INIT_SAMPLE(...)                                                                                               \
    {                                                                                                                  \
        .struct_size = sizeof(weft_sample_options), .sizes = {3, 4, -1, 5}, __VA_ARGS__                                \
    }
#define INIT_CUSTOM_OP(...)                                                                                            \
    {                                                                                                                  \
        .struct_size = sizeof(weft_custom_op), __VA_ARGS__                                                             \
    }

#define WITH_OPTIONS(...) ((weft_options)INIT_OPTIONS(__VA_ARGS__))
#define WITH_CONV2D(...) ((weft_conv2d_params)INIT_CONV2D(__VA_ARGS__))
#define WITH_POOL2D(...) ((weft_pool2d_params)INIT_POOL2D(__VA_ARGS__))
#define WITH_SGD(...) ((weft_sgd_options)INIT_SGD(__VA_ARGS__))
#define WITH_ADAM(...) ((weft_adam_options)INIT_ADAM(__VA_ARGS__))
#define WITH_ADAGRAD(...) ((weft_adagrad_options)INIT_ADAGRAD(__VA_ARGS__))
#define WITH_ADADELTA(...) ((weft_adadelta_options)INIT_ADADELTA(__VA_ARGS__))
#define WITH_NADAM(...) ((weft_nadam_options)INIT_NADAM(__VA_ARGS__))
#define WITH_LION(...) ((weft_lion_options)INIT_LION(__VA_ARGS__))
#define WITH_STEP_LISTS(...) ((weft_step_lists)INIT_STEP_LISTS(__VA_ARGS__))
#define WITH_GRADCHECK(...) ((weft_gradcheck_options)INIT_GRADCHECK(__VA_ARGS__))
#define WITH_BENCH(...) ((weft_bench_options)INIT_BENCH(__VA_ARGS__))
#define WITH_LOCKSTEP(...) ((weft_lockstep_options)INIT_LOCKSTEP(__VA_ARGS__))
#define WITH_COMPARE_OPS(...) ((weft_compare_ops_options)INIT_COMPARE_OPS(__VA_ARGS__))
#define WITH_LOAD(...) ((weft_load_options)INIT_LOAD(__VA_ARGS__))
#define WITH_SOURCE(...) ((weft_source)INIT_SOURCE(__VA_ARGS__))
#define WITH_SAMPLE(...) ((weft_sample_options)INIT_SAMPLE(__VA_ARGS__))
#define WITH_CUSTOM_OP(...) ((weft_custom_op)INIT_CUSTOM_OP(__VA_ARGS__))

/* What weft_memory says. */
static inline weft_memory_info memory_of(const weft_ctx *ctx)
{
    weft_memory_info info = {0};
    (void)weft_memory(ctx, &info, sizeof info);
    return info;
}

/* What weft_profile_totals says. */
static inline weft_profile_total totals_of(weft_profile *profile)
{
    weft_profile_total total;
    memset(&total, 0xee, sizeof total); /* all of it is written */
    (void)weft_profile_totals(profile, &total, sizeof total);
    return total;
}

#endif
