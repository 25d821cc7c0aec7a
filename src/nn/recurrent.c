/* recurrent.c - RNN, GRU and LSTM as layers. See weft/nn.h. */
#define WEFT_NO_CALL_SITES
#include "tree.h"

#include <math.h>
#include <stdio.h>

enum { MOST_LAYERS = 32, PARTS = 4, MOST_WEIGHTS = MOST_LAYERS * 2 * PARTS };

static const char *const part_names[PARTS] = {"weight_ih", "weight_hh", "bias_ih", "bias_hh"};

static int ways_of(const weft__recurrent_state *s)
{
    return s->bidirectional ? 2 : 1;
}

static void part_name(char *name, size_t size, int layer, int way, int part)
{
    snprintf(name, size, "%s_l%d%s", part_names[part], layer, way ? "_reverse" : "");
}

/* All weights in the order of weft_rnn. */
static void weights_of(const weft__member *m, weft_tensor **weights)
{
    const weft__recurrent_state *s = &m->as.recurrent;
    char name[40];
    for (int layer = 0; layer < s->layers; layer++)
        for (int way = 0; way < ways_of(s); way++)
            for (int part = 0; part < PARTS; part++) {
                part_name(name, sizeof name, layer, way, part);
                *weights++ = part < 2 || s->bias ? weft__own_tensor(m, name) : NULL;
            }
}

/* Some layers at once: their weights and states. */
static weft_status run_cells(const weft__recurrent_state *s, int layers, weft_tensor *x, weft_tensor *h0,
                             weft_tensor *c0, weft_tensor *const *weights, weft_tensor **y, weft_tensor **h,
                             weft_tensor **c)
{
    weft_recurrent_params p = WEFT_RECURRENT_DEFAULTS;
    const int n = layers * ways_of(s) * PARTS;
    p.layers = layers;
    p.bidirectional = s->bidirectional;
    p.batch_first = s->batch_first;
    p.relu = s->relu;
    *c = NULL;
    if (s->kind == WEFT_NN_CELL_LSTM)
        return weft_lstm(x, h0, c0, weights, n, &p, y, h, c);
    return s->kind == WEFT_NN_CELL_GRU ? weft_gru(x, h0, weights, n, &p, y, h) : weft_rnn(x, h0, weights, n, &p, y, h);
}

/* The states of one layer; NULL stays NULL. */
static weft_tensor *states_of(weft_tensor *states, int layer, int ways)
{
    return states ? weft_slice(states, 0, (int64_t)layer * ways, (int64_t)(layer + 1) * ways, 1) : NULL;
}

/* Layer by layer, with dropout between them. */
static weft_status run_layers(weft__member *m, weft_tensor *x, weft_tensor *h0, weft_tensor *c0,
                              weft_tensor *const *weights, weft_tensor **y, weft_tensor **h, weft_tensor **c)
{
    const weft__recurrent_state *s = &m->as.recurrent;
    const int ways = ways_of(s);
    weft_tensor *hs[MOST_LAYERS] = {NULL}, *cs[MOST_LAYERS] = {NULL};
    for (int k = 0; k < s->layers; k++) {
        if (run_cells(s, 1, k ? weft__drop(m, x, s->dropout) : x, states_of(h0, k, ways), states_of(c0, k, ways),
                      weights + k * ways * PARTS, &x, &hs[k], &cs[k]) != WEFT_OK)
            return weft_ctx_status(m->ctx);
    }
    *y = x;
    *h = weft_concat(hs, s->layers, 0);
    *c = cs[0] ? weft_concat(cs, s->layers, 0) : NULL;
    return weft_ctx_status(m->ctx);
}

static weft_status run(weft__member *m, weft_tensor *x, weft_tensor *h0, weft_tensor *c0, weft_tensor **y,
                       weft_tensor **h, weft_tensor **c)
{
    const weft__recurrent_state *s = &m->as.recurrent;
    weft_tensor *weights[MOST_WEIGHTS];
    char text[160];
    if (weft_ndim(x) != 3 || weft_size(x, 2) != s->input) {
        weft__layer_fail(m, "forward", WEFT_E_SHAPE, "x is %s; it must be [%s, %lld]",
                         weft__tensor_text(x, text, sizeof text), s->batch_first ? "N, T" : "T, N",
                         (long long)s->input);
        return weft_ctx_status(m->ctx);
    }
    if (c0 && s->kind != WEFT_NN_CELL_LSTM) {
        weft__layer_fail(m, "forward", WEFT_E_INVALID, "c0 is given, but only an LSTM has a second state");
        return weft_ctx_status(m->ctx);
    }
    for (int k = 0; k < 2; k++) {
        const weft_tensor *state = k ? c0 : h0;
        if (state && (weft_ndim(state) != 3 || weft_size(state, 0) != (int64_t)s->layers * ways_of(s) ||
                      weft_size(state, 2) != s->hidden)) {
            weft__layer_fail(m, "forward", WEFT_E_SHAPE, "%s is %s; it must be [%d, N, %lld]", k ? "c0" : "h0",
                             weft__tensor_text(state, text, sizeof text), s->layers * ways_of(s), (long long)s->hidden);
            return weft_ctx_status(m->ctx);
        }
    }
    weights_of(m, weights);
    return m->training && s->dropout > 0 && s->layers > 1 ? run_layers(m, x, h0, c0, weights, y, h, c)
                                                          : run_cells(s, s->layers, x, h0, c0, weights, y, h, c);
}

static weft_tensor *forward(weft__member *m, weft_tensor *x, const weft_forward_options *options)
{
    weft_tensor *y = NULL, *h, *c;
    (void)options;
    return run(m, x, NULL, NULL, &y, &h, &c) == WEFT_OK ? y : NULL;
}

static const weft__layer layers[] = {{"rnn", forward}, {"gru", forward}, {"lstm", forward}};

weft_status weft_nn_recurrent_forward(weft_module *module, weft_tensor *x, weft_tensor *h0, weft_tensor *c0,
                                      weft_tensor **y, weft_tensor **h, weft_tensor **c)
{
    const char *function = "nn_recurrent_forward";
    weft_tensor *none, **const places[] = {y ? y : &none, h ? h : &none, c ? c : &none};
    weft_tensor *made[3] = {NULL, NULL, NULL};
    for (int k = 0; k < 3; k++)
        *places[k] = NULL;
    weft__member *m = weft__module_of(function, module, weft_ctx_of(x));
    if (!m)
        return x && weft_ctx_of(x) ? weft_ctx_status(weft_ctx_of(x)) : WEFT_E_NULL_ARGUMENT;
    if (m->layer->forward != forward)
        weft__layer_fail(m, function, WEFT_E_INVALID, "it is no recurrent layer; weft_forward runs it");
    weft_status status = weft_check(m->ctx, function, x, "x", -1);
    if (status == WEFT_OK && h0)
        status = weft_check(m->ctx, function, h0, "h0", -1);
    if (status == WEFT_OK && c0)
        status = weft_check(m->ctx, function, c0, "c0", -1);
    if (status != WEFT_OK)
        return status;
    weft__watch *watch = m->root->watch;
    if (watch)
        watch->begin(watch, m);
    status = run(m, x, h0, c0, &made[0], &made[1], &made[2]);
    if (watch)
        watch->end(watch, m, made[0]);
    for (int k = 0; k < 3 && status == WEFT_OK; k++)
        *places[k] = made[k];
    return status;
}

static void make_weights(weft__member *m)
{
    static const int gates_of[] = {1, 3, 4};
    const weft__recurrent_state *s = &m->as.recurrent;
    const int64_t rows = gates_of[s->kind] * s->hidden;
    const double edge = s->hidden > 0 ? 1 / sqrt((double)s->hidden) : 0;
    char name[40];
    for (int layer = 0; layer < s->layers; layer++)
        for (int way = 0; way < ways_of(s); way++)
            for (int part = 0; part < (s->bias ? 4 : 2); part++) {
                const int64_t columns = part == 1 ? s->hidden : layer == 0 ? s->input : s->hidden * ways_of(s);
                part_name(name, sizeof name, layer, way, part);
                weft_init_uniform_(weft__new_parameter(m, name, (const int64_t[]){rows, columns}, part < 2 ? 2 : 1, 0),
                                   -edge, edge);
            }
}

weft_module *weft_nn_recurrent(weft_module *parent, const char *name, weft_nn_cell cell, int64_t input, int64_t hidden,
                               const weft_nn_recurrent_options *options)
{
    static const weft_nn_recurrent_options defaults = WEFT_NN_RECURRENT_DEFAULTS;
    const char *function = "nn_recurrent";
    const bool is_cell = cell >= WEFT_NN_CELL_RNN && cell <= WEFT_NN_CELL_LSTM;
    weft_nn_recurrent_options o;
    weft__member *m = weft__layer_open(function, parent, name, &layers[is_cell ? cell : 0]);
    if (!m || weft_struct_in(m->ctx, function, "weft_nn_recurrent_options", &defaults, options, &o) != WEFT_OK)
        return weft__layer_done(m);
    if (!is_cell || (o.relu && cell != WEFT_NN_CELL_RNN))
        weft__layer_fail(m, function, WEFT_E_INVALID,
                         "cell is %d and relu %d; it must be one of weft_nn_cell, with relu WEFT_NN_CELL_RNN",
                         (int)cell, o.relu);
    else if (o.layers < 1 || o.layers > MOST_LAYERS)
        weft__layer_fail(m, function, WEFT_E_INVALID, "the option layers is %lld; it must be 1 to %d",
                         (long long)o.layers, MOST_LAYERS);
    else if (weft__at_least(m, function, "input", input, 0) && weft__at_least(m, function, "hidden", hidden, 1) &&
             weft__is_share(m, function, "the option dropout", o.dropout)) {
        m->as.recurrent = (weft__recurrent_state){.kind = (int)cell,
                                                  .layers = (int)o.layers,
                                                  .input = input,
                                                  .hidden = hidden,
                                                  .bidirectional = o.bidirectional,
                                                  .batch_first = o.batch_first,
                                                  .bias = o.bias,
                                                  .relu = o.relu,
                                                  .dropout = o.dropout};
        make_weights(m);
    }
    return weft__layer_done(m);
}
