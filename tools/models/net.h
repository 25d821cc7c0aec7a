/* net.h - what the models of `weft bench models` share: a bag of parameters, and layers that add to it. */
#ifndef WEFT_TOOLS_NET_H
#define WEFT_TOOLS_NET_H

#include <weft/weft.h>

enum { NET_MOST_TENSORS = 512 };

typedef struct net {
    weft_ctx *ctx;
    weft_dtype dtype;
    int64_t batch;
    bool large_device; /* a GPU: gpt2 takes its full context length */
    weft_tensor *params[NET_MOST_TENSORS];
    int n_params;
    weft_tensor *kept[NET_MOST_TENSORS]; /* other tensors that live as long: inputs, running statistics */
    int n_kept;
    void *layers; /* the model's own struct, by net_layers */
    size_t layers_size;
    weft_tensor *x, *y; /* input and classes */
    double flops;       /* of products and convolutions in one forward run */
    double spared;      /* of these, flops of layers whose input needs no gradient: a third less in training */
} net;

typedef struct model {
    const char *name;
    const char *about;
    int cpu_batch, gpu_batch;
    void (*build)(net *n);        /* makes layers and data; errors stay in the context */
    weft_tensor *(*loss)(net *n); /* one forward run */
} model;

extern const model model_mlp, model_lenet, model_resnet18, model_gpt2_tiny, model_gpt2_124m;

enum { MODELS = 5 };
extern const model *const all_models[MODELS]; /* the quick ones first */
const model *find_model(const char *name);    /* NULL, and a complaint, if there is none of that name */

/* ---- Layers ---- */

typedef struct dense {
    weft_tensor *w; /* [out, in] */
    weft_tensor *b; /* [out] */
} dense;

typedef struct conv {
    weft_tensor *w; /* [out, in, edge, edge] */
    weft_tensor *b; /* [out], or NULL */
    weft_conv2d_params how;
} conv;

typedef struct norm {
    weft_tensor *w, *b;      /* [channels] */
    weft_tensor *mean, *var; /* running ones of a batch norm, else NULL */
} norm;

/* Zeroed memory for the model's struct, freed with the net. */
void *net_layers(net *n, size_t bytes);

/* A parameter with normal values. */
weft_tensor *net_param(net *n, const int64_t *shape, int ndim, double mean, double std);

/* Keeps t for as long as the net lives. */
weft_tensor *net_keep(net *n, weft_tensor *t);

/* rows: how many vectors go through it in a forward run, for the count of flops. */
dense net_dense(net *n, int64_t rows, int64_t in, int64_t out);
weft_tensor *net_run_dense(const dense *d, weft_tensor *x);
weft_tensor *net_run_dense_act(const dense *d, weft_tensor *x, weft_activation act);

/* out_edge: height and width of its result. */
conv net_conv(net *n, int64_t in, int64_t out, int64_t edge, int64_t stride, int64_t padding, bool bias,
              int64_t out_edge);
weft_tensor *net_run_conv(const conv *c, weft_tensor *x);

norm net_batch_norm(net *n, int64_t channels);
weft_tensor *net_run_batch_norm(const norm *b, weft_tensor *x);

norm net_layer_norm(net *n, int64_t width);
weft_tensor *net_run_layer_norm(const norm *l, weft_tensor *x);

/* Inputs: normal values, and classes below n_classes. */
void net_data(net *n, const int64_t *shape, int ndim, int64_t n_classes);

void net_close(net *n);

/* A layer's operation is called where the model calls the layer: a profile and a comparison name that line. */
#ifndef WEFT_NO_CALL_SITES
#define net_run_dense(...) (WEFT_HERE("linear"), net_run_dense(__VA_ARGS__))
#define net_run_dense_act(...) (WEFT_HERE("linear_act"), net_run_dense_act(__VA_ARGS__))
#define net_run_conv(...) (WEFT_HERE("conv2d"), net_run_conv(__VA_ARGS__))
#define net_run_batch_norm(...) (WEFT_HERE("batch_norm"), net_run_batch_norm(__VA_ARGS__))
#define net_run_layer_norm(...) (WEFT_HERE("layer_norm"), net_run_layer_norm(__VA_ARGS__))
#endif

#endif
