/* compare.h - where two devices, precisions or builds part: operation by operation, step by step, file by file.
 *
 *     weft_status step(weft_ctx *ctx, void *model, int step, double *loss)     // any step of training
 *     {
 *         struct mlp *m = model;
 *         int mark = weft_scope_push(ctx);
 *         weft_tensor *l = ...;
 *         weft_backward(ctx, l);
 *         weft_optim_step(ctx, m->opt);
 *         weft_optim_zero_grad(ctx, m->opt);
 *         *loss = weft_item(ctx, l);
 *         return weft_scope_pop(ctx, mark);
 *     }
 *     void show(void *user, const weft_difference *difference)
 *     {
 *         puts(difference->text);
 *     }
 *     ...
 *     weft_lockstep_options options = WEFT_LOCKSTEP_DEFAULTS;
 *     options.difference = show;
 *     weft_lockstep_report report;
 *     weft_status status = weft_lockstep(cpu, &cpu_model, gpu, &gpu_model, step, &options, &report, sizeof report);
 *
 * Two operations agree when they are within the bounds of docs/design.md ("Numbers that must agree"), given the very
 * same inputs. NaN equals only NaN. Where several answers are right - the index of equal values - another one is a tie.
 *
 * Part of the public API; not included by weft.h. */
#ifndef WEFT_COMPARE_H
#define WEFT_COMPARE_H

#include <weft/weft.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One operation whose results disagree. */
typedef struct weft_difference {
    char op[48];                    /* "linear", the name of a weft_custom_op; backward: whose derivative it is */
    char kernel[48];                /* what ran: "linear", "matmul", "gelu (gradient)", "layer_norm_grad" */
    char phase[12];                 /* "forward", "backward" or "optimiser" */
    char file[128];                 /* where the program called op; "" if unknown */
    int line;                       /* 0: unknown */
    weft_dtype dtype;               /* of the result */
    char shapes[256];               /* "f32 [64, 784], f32 [512, 784], NULL -> f32 [64, 512]" */
    int step;                       /* from 0 */
    int64_t call;                   /* number of the launch in that step, from 0 */
    char what[24];                  /* what is beyond its bound: "element", "relative L2 error", "NaN", "infinity" */
    int output;                     /* which result of the kernel, from 0 */
    int64_t element;                /* row-major position of the first bad element; -1: only the whole is off */
    int64_t bad_elements;           /* how many are */
    double reference, other, exact; /* values of that element; exact: from a run in f64 on the CPU */
    double error, bound;
    double reference_error, other_error; /* relative L2 errors of the two against f64: the larger one is wrong */
    char text[2048];                     /* all of it in a few lines */
} weft_difference;

/* Drift after one step: the same steps run wholly in the other context. Complete: it never grows. */
typedef struct weft_drift {
    double reference_loss, other_loss;
    double loss_error;      /* |difference| / |reference| */
    double parameter_error; /* relative L2 over all parameters */
} weft_drift;

/* A step of training on a model of ctx; step counts from 0. Any status but WEFT_OK ends the comparison. It may use both
 * contexts, not close them (ctx.h: Callbacks). */
typedef weft_status (*weft_step)(weft_ctx *ctx, void *model, int step, double *loss);

typedef struct weft_lockstep_options {
    size_t struct_size;    /* set by WEFT_LOCKSTEP_DEFAULTS */
    int steps;             /* at least 1, which is the default */
    bool widen;            /* rerun in f64 whatever the dtype: judges the reference's own precision */
    bool keep_going;       /* judge what comes after the first difference too */
    const char *save_path; /* an npz with the first bad operation, for weft_replay; NULL: none */
    weft_drift *drift;     /* room for drift_room steps, which is filled; NULL: not wanted */
    int drift_room;
    /* Called for the first operation that is beyond its bound, and with keep_going for each one; NULL: none. */
    void (*difference)(void *user, const weft_difference *difference);
    void (*progress)(void *user, int step, int64_t call); /* called after each judged launch; NULL: none */
    void *user;                                           /* of both, which only look (ctx.h: Callbacks) */
} weft_lockstep_options;
#define WEFT_LOCKSTEP_DEFAULTS                                                                                         \
    {                                                                                                                  \
        sizeof(weft_lockstep_options), 1, false, false, NULL, NULL, 0, NULL, NULL, NULL                                \
    }

typedef struct weft_lockstep_report {
    int n_drift;         /* steps that drift was measured for */
    int steps;           /* steps that were compared, operation by operation */
    int64_t launches;    /* operations judged */
    int64_t ties;        /* indices that differ between equal values */
    int64_t differences; /* operations beyond their bound */
    double worst;        /* largest relative L2 error of an operation that agrees */
    char worst_kernel[48];
    bool saved; /* save_path was written */
} weft_lockstep_report;

/* Runs step in reference and repeats every kernel launch in other on the same inputs: forward, backward and optimiser.
 * other_model NULL: that is all. Else the same steps run in other on that model, which first gets reference's
 * parameters (in the order in which weft_param made them), and drift is filled. Forward callbacks of weft_custom are
 * called once more, with other, where they have one for its device; they must be functions of their inputs, and cannot
 * be saved. WEFT_OK: all agree. WEFT_E_MISMATCH: some do not, see the option difference; not an error of either
 * context. Else an error of one of the contexts, whose message says what. options NULL: the defaults. size is sizeof
 * *report. */
WEFT_API WEFT_MUST_CHECK weft_status weft_lockstep(weft_ctx *reference, void *reference_model, weft_ctx *other,
                                                   void *other_model, weft_step step,
                                                   const weft_lockstep_options *options, weft_lockstep_report *report,
                                                   size_t size);

/* Runs the one operation of a file that weft_lockstep saved, in ctx, and judges it against the results in the file.
 * Status as above; *difference is filled in both cases (agreeing: error is what was found), size is sizeof *difference.
 * The launch in the file runs as it stands, unchecked: only files of your own. */
WEFT_API WEFT_MUST_CHECK weft_status weft_replay(weft_ctx *ctx, const char *path, weft_difference *difference,
                                                 size_t size);

/* Drift as text (rows of a plot with a logarithmic scale), into buffer; returns the whole length as snprintf does. */
WEFT_API int weft_drift_plot(const weft_drift *drift, int n, char *buffer, size_t size);
/* The same as an SVG image. */
WEFT_API int weft_drift_svg(const weft_drift *drift, int n, char *buffer, size_t size);

/* ---- Every operation of the table ---- */

typedef enum weft_layout {
    WEFT_LAYOUT_CONTIGUOUS,
    WEFT_LAYOUT_TRANSPOSED,
    WEFT_LAYOUT_SLICED,
    WEFT_LAYOUT_COUNT
} weft_layout;
WEFT_API const char *weft_layout_name(weft_layout layout);

/* One operation in one dtype and layout, forward or backward, against f64 on the CPU. Pointers are valid during the
 * call. */
typedef struct weft_op_agreement {
    const char *op;
    weft_dtype dtype;
    weft_layout layout;
    bool ran;                            /* false: the operation does not take this dtype, see text */
    bool agrees;                         /* the two contexts do */
    int64_t launches;                    /* kernels, with those of the gradient */
    double reference_ulp, other_ulp;     /* worst of the forward pass, in units of the last place */
    double reference_error, other_error; /* worst relative L2 error of a kernel */
    double reference_bias, other_bias;   /* worst mean signed error, relative to the root of the mean square */
    char inputs[192];                    /* of the first bad element, if it has some of its own */
    const weft_difference *first;        /* NULL where there is none */
    const char *text;                    /* why it did not run, or "" */
} weft_op_agreement;

typedef struct weft_compare_ops_options {
    size_t struct_size; /* set by WEFT_COMPARE_OPS_DEFAULTS */
    const char *op;     /* only this one; NULL: all */
    unsigned dtypes;    /* bits 1u << weft_dtype; default: all */
    unsigned layouts;   /* bits 1u << weft_layout; default: all */
} weft_compare_ops_options;
#define WEFT_COMPARE_OPS_DEFAULTS                                                                                      \
    {                                                                                                                  \
        sizeof(weft_compare_ops_options), NULL, (1u << WEFT_DTYPE_COUNT) - 1, (1u << WEFT_LAYOUT_COUNT) - 1            \
    }

/* Runs every operation, with its gradient, in reference and in other, and calls row for each dtype and layout. The
 * number of rows that do not agree goes to *disagreeing. WEFT_E_MISMATCH if there are any; WEFT_E_INVALID if options
 * name no operation, dtype or layout, or the contexts are one. row only looks (ctx.h: Callbacks). */
WEFT_API WEFT_MUST_CHECK weft_status weft_compare_ops(weft_ctx *reference, weft_ctx *other,
                                                      const weft_compare_ops_options *options,
                                                      void (*row)(void *user, const weft_op_agreement *agreement),
                                                      void *user, int64_t *disagreeing);

/* ---- Files ---- */

/* One tensor of two files. */
typedef struct weft_file_difference {
    const char *name;
    bool in_first, in_second;
    weft_dtype dtype_first, dtype_second;
    char shape_first[160], shape_second[160];
    bool comparable;     /* in both, of one shape */
    double max_absolute; /* largest |difference| */
    double max_relative; /* largest |difference| / |first| */
    double relative_l2;
    int64_t different;                     /* elements that are not equal */
    int64_t worst;                         /* where the largest |difference| is, row-major; -1: none */
    double first, second;                  /* the values there; beyond 2^53 a double is not every integer: */
    bool integers;                         /* both are of integer dtypes: */
    int64_t first_integer, second_integer; /* the values there, exact */
} weft_file_difference;

/* Compares two files of tensors, npz, npy or safetensors in any combination, tensor by tensor, in memory of ctx: row
 * (or NULL) is called for each name, in the order of the first file; it may use ctx for all but closing it or popping
 * scopes that were open before, and returns. Integers are compared exactly. WEFT_E_MISMATCH if a tensor is missing, of
 * another shape, or differs by more than atol + rtol |first| somewhere; neither may be negative or NaN
 * (WEFT_E_INVALID). */
WEFT_API WEFT_MUST_CHECK weft_status weft_compare_files(weft_ctx *ctx, const char *first, const char *second,
                                                        double rtol, double atol,
                                                        void (*row)(void *user, const weft_file_difference *difference),
                                                        void *user);

#ifdef __cplusplus
}
#endif
#endif
