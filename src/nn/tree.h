/* tree.h - what the files of this folder know of a module. */
#ifndef WEFT_NN_TREE_H
#define WEFT_NN_TREE_H

#include <weft/extend.h>
#include <weft/nn.h>

typedef struct weft__member weft__member;

/* A tensor of a module under a name. */
typedef struct weft__slot {
    struct weft__slot *next;
    size_t bytes; /* of this block */
    weft_tensor *tensor;
    bool buffer, given; /* given: a list that is loaded has it */
    int own;            /* where in path its name within the module begins */
    char path[];        /* from the model on */
} weft__slot;

/* A kind of layer. */
typedef struct weft__layer {
    const char *name;
    weft_tensor *(*forward)(weft__member *m, weft_tensor *x, const weft_forward_options *options);
} weft__layer;

/* Who looks on while weft_summary runs a model. */
typedef struct weft__watch {
    void (*begin)(struct weft__watch *watch, weft__member *m);
    void (*end)(struct weft__watch *watch, weft__member *m, weft_tensor *y); /* y NULL: it failed */
} weft__watch;

/* Low-rank adapters of a linear layer: its slots lora_A.weight and lora_B.weight. */
typedef struct weft__lora {
    weft__slot *a, *b; /* NULL: none */
    double scale, dropout;
    bool merged;
} weft__lora;

typedef struct weft__conv_state {
    int ndim;
    bool transposed;
    int64_t stride[3], padding[3], dilation[3], output_padding[3], groups;
} weft__conv_state;

typedef struct weft__norm_state {
    double eps, momentum;
    int64_t groups, channels;
} weft__norm_state;

typedef struct weft__recurrent_state {
    int kind, layers;
    int64_t input, hidden;
    bool bidirectional, batch_first, bias, relu;
    double dropout;
} weft__recurrent_state;

typedef struct weft__attention_state {
    weft_nn_names names;
    int64_t width, heads, kv_heads, size;
    double dropout, rotary;
    bool causal;
} weft__attention_state;

typedef struct weft__block_state {
    weft_nn_names names;
    weft_nn_activation activation;
    double dropout;
} weft__block_state;

/* What a weft_module * is the handle of. */
struct weft__member {
    weft_ctx *ctx;
    weft_module *handle;
    weft__member *root, *parent, *first, *next; /* children are linked in the order in which they were made */
    weft__slot *slots;
    const weft__layer *layer; /* NULL: it only holds others */
    weft__watch *watch;       /* of the root */
    void *watched;            /* what the watch keeps of this module */
    weft_tensor **list;       /* of weft_module_parameters */
    size_t list_bytes, bytes; /* of this block */
    weft_dtype dtype;
    bool training;
    int on_the_way; /* how many modules above it were made to hold it */
    weft__lora lora;
    union {
        weft__conv_state conv;
        weft__norm_state norm;
        weft__recurrent_state recurrent;
        weft__attention_state attention;
        weft__block_state block;
        weft_window_params window;
        double p; /* of dropout */
        struct {
            int n;
            int64_t size[3];
        } list;
        weft_tensor *(*plain)(weft_tensor *x);
        struct {
            weft_module_function fn;
            void *user;
        } custom;
    } as;
    int own;     /* where in path its name within the parent begins */
    char path[]; /* "" of the root */
};

/* The module of a handle; else NULL, and the error is recorded on behalf of function, in ctx unless that is NULL. */
weft__member *weft__module_of(const char *function, weft_module *handle, weft_ctx *ctx);
/* The same without an error. */
weft__member *weft__module_if(const weft_module *handle);

/* ---- Making layers ---- */

/* A new child, a layer of that kind; NULL after an error. */
weft__member *weft__layer_open(const char *function, weft_module *parent, const char *name, const weft__layer *layer);
/* Its handle if all went well; else it is closed again, and NULL. */
weft_module *weft__layer_done(weft__member *m);
/* A parameter or buffer of the model's dtype full of a value; NULL after an error. */
weft_tensor *weft__new_parameter(weft__member *m, const char *name, const int64_t *shape, int ndim, double value);
weft_tensor *weft__new_buffer(weft__member *m, const char *name, weft_dtype dtype, const int64_t *shape, int ndim,
                              double value);
weft__slot *weft__add_slot(weft__member *m, const char *function, const char *name, weft_tensor *t, bool buffer);
void weft__remove_slot(weft__member *m, weft__slot *slot);
/* Records that a size or probability is not one. False: it is not. */
bool weft__at_least(weft__member *m, const char *function, const char *what, int64_t value, int64_t least);
bool weft__is_share(weft__member *m, const char *function, const char *what, double p);
/* Records an error about a layer. */
void weft__layer_fail(weft__member *m, const char *function, weft_status status, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* ---- Using them ---- */

/* The tensor of a name of the module's own, or NULL. */
weft_tensor *weft__own_tensor(const weft__member *m, const char *name);
weft_tensor *weft__forward(weft__member *m, weft_tensor *x, const weft_forward_options *options);
weft_tensor *weft__linear_forward(weft__member *m, weft_tensor *x, const weft_forward_options *options);
bool weft__is_linear(const weft__member *m);
/* The result of a part by its name, or of none if there is none of that name: the error is recorded. */
weft_tensor *weft__part_forward(weft__member *m, const char *part, weft_tensor *x, const weft_forward_options *options);
weft__member *weft__child_linear(weft__member *parent, const char *function, const char *name, int64_t in, int64_t out,
                                 bool bias);
/* y with elements zeroed in training mode, or y itself. */
weft_tensor *weft__drop(const weft__member *m, weft_tensor *y, double p);
/* "f32 [2, 3]", at most 8 dims, or "NULL". */
const char *weft__tensor_text(const weft_tensor *t, char *text, size_t size);

/* The keys and values of all tokens, those of k and v [N, heads, T, size] added to what the cache has of this module;
 * NULL: the error is recorded. */
bool weft__cache_append(weft__member *m, weft_cache *cache, weft_tensor **k, weft_tensor **v);
/* How many tokens the cache has of this module. */
int64_t weft__cache_length(weft__member *m, weft_cache *cache);

/* ---- Going through a tree ---- */

/* Modules below root in order, parents first; m NULL: root itself. NULL: that was all. */
weft__member *weft__next_module(weft__member *root, weft__member *m);

/* Slots below root in order. begin, then next until NULL. */
typedef struct weft__slots {
    weft__member *root, *module;
    weft__slot *slot;
} weft__slots;
weft__slots weft__slots_of(weft__member *root);
weft__slot *weft__next_slot(weft__slots *at);
/* Whether no slot before this one has its tensor. */
bool weft__is_first(const weft__slots *at);
/* The slot's name seen from the root of the walk; a module's path likewise. */
const char *weft__name_from(const weft__member *root, const char *path);
weft__slot *weft__find_slot(weft__member *root, const char *name);
weft__member *weft__find_module(weft__member *root, const char *path);

/* Loads a list into the slots whose names have part in them ("" : all); weft_module_load_named. */
weft_status weft__load_named(weft__member *m, const char *function, const char *part, const weft_named_tensor *tensors,
                             int n, const weft_module_load_options *options);
/* The same from a file. */
weft_status weft__module_load_file(weft__member *m, const char *function, const char *part, const char *path,
                                   const weft_module_load_options *options);
/* Writes them, each name behind a prefix. */
weft_status weft__module_save_file(weft__member *m, const char *function, const char *part, const char *path,
                                   const char *prefix, int flags);

/* Whether pattern names name: weft_module_freeze. */
bool weft__named_by(const char *pattern, const char *name);

#endif
