/* module.h - models: a tree of modules that owns parameters under the names that PyTorch gives them.
 *
 *     weft_module *model;
 *     if (weft_module_open(c, NULL, &model) != WEFT_OK) ...
 *     weft_module *fc1 = weft_nn_linear(model, "fc1", 784, 128, true);     // nn.h: "fc1.weight", "fc1.bias"
 *     weft_module *fc2 = weft_nn_linear(model, "fc2", 128, 10, true);
 *     int n;
 *     weft_tensor *const *params = weft_module_parameters(model, &n);      // what an optimiser takes
 *     ...
 *     weft_tensor *y = weft_forward(fc2, weft_relu(weft_forward(fc1, x)));
 *     ...
 *     weft_module_save(model, "model.safetensors", 0);
 *     weft_module_close(model);                                            // and everything in it
 *
 * Who frees what: the model owns all. Its modules, their parameters and buffers live until weft_module_close(model), or
 * until the context is closed, which warns of a model that was left open. There is nothing else to free, and what fails
 * on the way leaves nothing behind. A weft_module * is a handle and no address: one that was closed is refused
 * (WEFT_E_STATE) and never followed.
 *
 * A module has a name within its parent, and a path in the model: "blocks.0.attn". Below it are its children, and its
 * tensors of two kinds: parameters, which are leaves that require a gradient unless frozen, and buffers, which a model
 * keeps and no optimiser changes (the running mean of a batch norm). A tensor's name is its path,
 * "blocks.0.attn.c_attn.weight". Names that functions here take and give are seen from the module that
 * they are called on; lists have PyTorch's order: a module's own parameters and buffers, then each child in the order
 * in which they were made.
 *
 * Functions that make something return NULL with the error recorded; a NULL module gives NULL, so that one check at the
 * end will do.
 *
 * Part of the public API; not included by weft.h, but by nn.h. */
#ifndef WEFT_MODULE_H
#define WEFT_MODULE_H

#include <weft/io.h>
#include <weft/weft.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_module weft_module;
typedef struct weft_cache weft_cache; /* nn.h: keys and values of attention */

/* ---- The tree ---- */

typedef struct weft_module_options {
    size_t struct_size; /* set by WEFT_MODULE_DEFAULTS */
    weft_dtype dtype;   /* of the parameters that layers make, a floating one; default WEFT_F32. Running values of half
                           types are f32 */
} weft_module_options;
#define WEFT_MODULE_DEFAULTS                                                                                           \
    {                                                                                                                  \
        sizeof(weft_module_options), WEFT_F32                                                                          \
    }

/* Opens a model, empty and in training mode. options NULL: the defaults. On failure *out is NULL. */
WEFT_API WEFT_MUST_CHECK weft_status weft_module_open(weft_ctx *ctx, const weft_module_options *options,
                                                      weft_module **out);

/* Ends a module with all that is below it: a model, or a part of one that is to be replaced. NULL and what was closed
 * before are fine. Tensors that a graph still needs live as long as that. */
WEFT_API void weft_module_close(weft_module *module);

/* Makes a child. name: without blanks, not empty; dots lead through children, which are made if they are not there:
 * "blocks.0". NULL: its number among the children, "0", "1" ..., as in PyTorch's Sequential and ModuleList. A name that
 * is there already is WEFT_E_INVALID. All layers of nn.h are made so, with the same parent and name. */
WEFT_API weft_module *weft_module_child(weft_module *parent, const char *name);

/* The module at a path below, or NULL if there is none, which is no error. "": module itself. */
WEFT_API weft_module *weft_module_find(weft_module *module, const char *path);

/* All modules of a tree one after the other, parents first: what comes behind last, below module; last NULL: module
 * itself. NULL: that was all. */
WEFT_API weft_module *weft_module_next(weft_module *module, weft_module *last);

WEFT_API weft_ctx *weft_module_ctx(weft_module *module);
WEFT_API const char *weft_module_path(weft_module *module); /* in its model; "" of the model, NULL of NULL */
WEFT_API const char *weft_module_kind(weft_module *module); /* "linear", "conv2d" ...; "module" if it is no layer */

/* Training mode (true at first), for module and all that is below it: what dropout and batch norm ask. */
WEFT_API weft_status weft_module_train(weft_module *module, bool on);
WEFT_API bool weft_module_training(weft_module *module);

/* ---- Tensors ---- */

/* Gives the module a parameter or buffer, t, a tensor of its context that was not computed from others, and keeps it. A
 * parameter is floating and requires a gradient from now on. Returns t. */
WEFT_API weft_tensor *weft_module_add_parameter(weft_module *module, const char *name, weft_tensor *t);
WEFT_API weft_tensor *weft_module_add_buffer(weft_module *module, const char *name, weft_tensor *t);

/* The tensor of that name, at or below module, or NULL if there is none, which is no error. The module's. */
WEFT_API weft_tensor *weft_module_tensor(weft_module *module, const char *name);

/* Puts t, of the shape of the tensor of that name, in its place. t may be another module's, or another model's: both
 * then have one tensor, with one gradient. */
WEFT_API weft_status weft_module_set(weft_module *module, const char *name, weft_tensor *t);

/* The same with a tensor of this model: from now on `name` is the tensor that `other` is. "lm_head.weight" and
 * "wte.weight" of a GPT-2 are tied so. A tied tensor counts once, is stepped once, and is known under both names. */
WEFT_API weft_status weft_module_tie(weft_module *module, const char *name, const char *other);

/* Which tensors, flags of weft_module_tensors; 0: all of them. */
typedef enum weft_module_tensors_flags {
    WEFT_MODULE_TENSORS_PARAMETERS = 1, /* no buffers */
    WEFT_MODULE_TENSORS_BUFFERS = 2,    /* no parameters */
    WEFT_MODULE_TENSORS_TRAINABLE = 4,  /* those that require a gradient */
    WEFT_MODULE_TENSORS_ONCE = 8        /* a tied tensor under its first name only */
} weft_module_tensors_flags;

/* Fills list[0..min(number, room)) and returns the number. Names live as long as their modules. -1 for NULL. */
WEFT_API int weft_module_tensors(weft_module *module, int flags, weft_named_tensor *list, int room);

/* The parameters that require a gradient, each once, and their number in *n: what optimisers and clipping take. The
 * list is valid until the module's next call of this function or its end. NULL with *n 0 after an error, and where
 * nothing is to be trained. */
WEFT_API weft_tensor *const *weft_module_parameters(weft_module *module, int *n);

typedef struct weft_module_counts {
    int64_t tensors;    /* parameters and buffers; tied ones count once, here and below */
    int64_t parameters; /* elements of all parameters */
    int64_t trainable;  /* of these, those that require a gradient */
    int64_t buffers;    /* elements of all buffers */
    size_t bytes;       /* of all */
} weft_module_counts;

/* Fills *out; size is sizeof *out. */
WEFT_API weft_status weft_module_count(weft_module *module, weft_module_counts *out, size_t size);

/* Freezes the parameters that pattern names: they require no gradient, get none, and no optimiser that is opened
 * afterwards steps them. A pattern is a name or a path, which stands for all that is below it ("blocks.0"), with * for
 * any letters and dots and ? for one; "*" is everything. Returns how many parameters it names; -1 if none, which is
 * WEFT_E_INVALID. */
WEFT_API int weft_module_freeze(weft_module *module, const char *pattern);
WEFT_API int weft_module_unfreeze(weft_module *module, const char *pattern);

/* ---- Files ---- */

/* What is wrong with a name when a model is loaded. */
typedef enum weft_load_fault {
    WEFT_LOAD_FAULT_MISSING,    /* the model has it, the list has not */
    WEFT_LOAD_FAULT_UNEXPECTED, /* the list has it, the model has not */
    WEFT_LOAD_FAULT_SHAPE       /* both have it, in different shapes */
} weft_load_fault;

typedef struct weft_module_load_options {
    size_t struct_size;     /* set by WEFT_MODULE_LOAD_DEFAULTS */
    bool allow_missing;     /* what is missing keeps its values; default false */
    bool allow_unexpected;  /* what the model does not have is passed over; default false */
    bool allow_other_shape; /* likewise a tensor of another shape, which PyTorch never allows; default false */
    const char *prefix;     /* of the names in the list: those that begin with it count, without it, the others are
                               passed over; "transformer.", "module."; default "" */
    /* Called for each fault, allowed or not, before anything is loaded (may be NULL; it only looks: ctx.h, Callbacks).
     * text is a sentence with both shapes where they matter; both strings are valid during the call. */
    void (*report)(void *user, weft_load_fault fault, const char *name, const char *text);
    void *user;
} weft_module_load_options;
#define WEFT_MODULE_LOAD_DEFAULTS                                                                                      \
    {                                                                                                                  \
        sizeof(weft_module_load_options), false, false, false, "", NULL, NULL                                          \
    }

/* Copies tensors of a list into those of the same name, converting dtypes as weft_copy_ does. All names are looked at
 * first: a fault that is not allowed is WEFT_E_MISMATCH, with a sentence that counts the faults and names the first of
 * each kind, and nothing is changed. (PyTorch's strict=True is the default, strict=False allows missing and unexpected
 * ones.) A tied tensor may come under any of its names. options NULL: the defaults. */
WEFT_API weft_status weft_module_load_named(weft_module *module, const weft_named_tensor *tensors, int n,
                                            const weft_module_load_options *options);

/* The same from a file that weft_load reads: safetensors, npz. */
WEFT_API weft_status weft_module_load(weft_module *module, const char *path, const weft_module_load_options *options);

/* Writes all tensors by their names (PyTorch's state_dict) to a file that is replaced whole or not at all (io.h): an
 * npz if path ends with ".npz", else safetensors. flags as of weft_module_tensors: WEFT_MODULE_TENSORS_ONCE writes a
 * tied tensor once; what is loaded is the same. */
WEFT_API weft_status weft_module_save(weft_module *module, const char *path, int flags);

/* ---- Forward ---- */

/* What a forward pass may have beside its input; handed down to every module of the pass. */
typedef struct weft_forward_options {
    size_t struct_size; /* set by WEFT_FORWARD_DEFAULTS; all else is NULL there */
    weft_tensor *mask;  /* of attention, broadcasting to its scores [N, heads, T, S]: bool, true where a query sees a
                           key, or floating, added to the scores (PyTorch: attn_mask of scaled_dot_product_attention;
                           that of MultiheadAttention has true where it does not see) */
    weft_cache *cache;  /* keys and values of the tokens before, to which those of x are added */
} weft_forward_options;
#define WEFT_FORWARD_DEFAULTS                                                                                          \
    {                                                                                                                  \
        sizeof(weft_forward_options), NULL, NULL                                                                       \
    }

/* The module's result for x: that of its layer, of its children one after the other (weft_nn_sequential), or of a
 * function of your own. options NULL: the defaults. The first error of the context, which names the layer or one of its
 * parameters, and NULL. */
WEFT_API weft_tensor *weft_forward(weft_module *module, weft_tensor *x);
WEFT_API weft_tensor *weft_forward_with(weft_module *module, weft_tensor *x, const weft_forward_options *options);

/* A forward of your own for a module that weft_module_open or weft_module_child made; user's parts are those children
 * that it calls, by the same options. It may use the context (ctx.h: Callbacks). fn NULL: none. */
typedef weft_tensor *(*weft_module_function)(weft_module *module, weft_tensor *x, const weft_forward_options *options,
                                             void *user);
WEFT_API weft_status weft_module_set_forward(weft_module *module, weft_module_function fn, void *user);

/* ---- Looking at a model ---- */

/* A module as one forward pass has shown it. Complete: it never grows. */
typedef struct weft_summary_row {
    const char *path, *kind; /* "" for the model */
    int depth;               /* 0 for the module that was asked about */
    int ndim;                /* of its result; -1: it was not called */
    int64_t shape[WEFT_MAX_DIMS];
    weft_dtype dtype;
    int64_t parameters, trainable; /* elements at and below it, tied ones once */
    double flops, bytes;           /* of its forward, what is below it included, as profile.h counts them */
    int calls;                     /* of its forward; shape is that of the last one */
} weft_summary_row;

/* Runs weft_forward(module, x) once, in evaluation mode and without recording, and calls row (it only looks: ctx.h,
 * Callbacks) for each module, parents first. Modes are afterwards what they were. Modules that are called by other ways
 * than weft_forward, and work that stands between them, count for the module around them. */
WEFT_API weft_status weft_summary(weft_module *module, weft_tensor *x,
                                  void (*row)(void *user, const weft_summary_row *row), void *user);

/* The same as a table of text, into buffer, cut to size bytes with the terminator. Returns the length of the whole text
 * as snprintf does; -1 after an error. */
WEFT_API int weft_summary_text(weft_module *module, weft_tensor *x, char *buffer, size_t size);

#ifdef __cplusplus
}
#endif

#ifndef WEFT_NO_CALL_SITES
#define weft_module_open(...) (WEFT_HERE("module_open"), weft_module_open(__VA_ARGS__))
#define weft_module_child(...) (WEFT_HERE("module_child"), weft_module_child(__VA_ARGS__))
#define weft_module_add_parameter(...) (WEFT_HERE("module_add_parameter"), weft_module_add_parameter(__VA_ARGS__))
#define weft_module_add_buffer(...) (WEFT_HERE("module_add_buffer"), weft_module_add_buffer(__VA_ARGS__))
#define weft_forward(...) (WEFT_HERE("forward"), weft_forward(__VA_ARGS__))
#define weft_forward_with(...) (WEFT_HERE("forward"), weft_forward_with(__VA_ARGS__))
#endif
#endif
