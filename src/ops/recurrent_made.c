/* recurrent_made.c - recurrent layers: one step of a cell, and sequences. The products of all inputs are one; those of
 * the state, step by step, are what has to wait for each other. */
#include "several.h"
#include "made.h"

/* ---- Records ---- */

/* i: whether it is relu */
CALL(rnn_cell)
{
    c->out[0] = weft_rnn_cell(c->in[0], c->in[1], c->in[2], c->in[3], c->in[4], c->in[5], c->i[0] != 0);
}

CALL(gru_cell)
{
    c->out[0] = weft_gru_cell(c->in[0], c->in[1], c->in[2], c->in[3], c->in[4], c->in[5]);
}

CALL(lstm_cell)
{
    c->n_out = c->n_smooth = 2;
    if (weft_lstm_cell(c->in[0], c->in[1], c->in[2], c->in[3], c->in[4], c->in[5], c->in[6], &c->out[0], &c->out[1]) !=
        WEFT_OK)
        c->out[0] = NULL;
}

/* i: layers, whether bidirectional, whether the batch is first, whether it is relu */
static weft_recurrent_params params_of(const int64_t *i)
{
    return (weft_recurrent_params){sizeof(weft_recurrent_params), i[0], i[1] != 0, i[2] != 0, i[3] != 0};
}

CALL(rnn)
{
    const weft_recurrent_params params = params_of(c->i);
    c->n_out = c->n_smooth = 2;
    if (weft_rnn(c->in[0], c->in[1], c->in + 2, c->n_in - 2, &params, &c->out[0], &c->out[1]) != WEFT_OK)
        c->out[0] = NULL;
}

CALL(gru)
{
    const weft_recurrent_params params = params_of(c->i);
    c->n_out = c->n_smooth = 2;
    if (weft_gru(c->in[0], c->in[1], c->in + 2, c->n_in - 2, &params, &c->out[0], &c->out[1]) != WEFT_OK)
        c->out[0] = NULL;
}

CALL(lstm)
{
    const weft_recurrent_params params = params_of(c->i);
    c->n_out = c->n_smooth = 3;
    if (weft_lstm(c->in[0], c->in[1], c->in[2], c->in + 3, c->n_in - 3, &params, &c->out[0], &c->out[1], &c->out[2]) !=
        WEFT_OK)
        c->out[0] = NULL;
}

/* Each matrix meets each step of each sequence once. */
static double flops_products(const weft__work *w)
{
    const double steps = weft__count(w->in[0]) / (double)weft__extent(w->in[0], 1);
    double n = 0;
    for (int k = 2; k < w->n_in; k++)
        if (w->in[k] && w->in[k]->ndim == 2 && (w->op != WEFT_OP_LSTM_CELL || k > 2))
            n += 2 * steps * weft__count(w->in[k]);
    return n;
}

#define PRODUCTS WORK(weft__terms_columns, flops_products, weft__bytes_once)
#define GATES(...)                                                                                                     \
    PARTS(FLOATS, PART(LINEAR, WIDE), PART(ADD, WIDE), PART(SIGMOID, WIDE), PART(TANH, WIDE), PART(MUL, WIDE),         \
          __VA_ARGS__)
#define BACKWARDS GRADIENT("step by step, from the last one back")

WEFT__DEFINE_COMPOSITE(RNN_CELL, rnn_cell, PARTS(FLOATS, PART(LINEAR, WIDE), PART(ADD, WIDE), PART(TANH, WIDE)),
                       GRADIENT("with d = g (1 - y^2): of x d w_ih, of h d w_hh, of weights and biases as of linear"),
                       PRODUCTS,
                       SAMPLE(call_rnn_cell, RECIPE("x2a x23 x3a x33 x3 x3", "0"), RECIPE("x23 x24 x43 x44 - -", "0")))
WEFT__DEFINE_COMPOSITE(GRU_CELL, gru_cell, GATES(PART(SUB, WIDE)), GRADIENT("that of the formula"), PRODUCTS,
                       SAMPLE(call_gru_cell, RECIPE("x2a x23 x9a x93 x9 x9", ""), RECIPE("x23 x22 x63 x62 - -", "")))
WEFT__DEFINE_COMPOSITE(LSTM_CELL, lstm_cell,
                       PARTS(FLOATS, PART(LINEAR, WIDE), PART(ADD, WIDE), PART(SIGMOID, WIDE), PART(TANH, WIDE),
                             PART(MUL, WIDE)),
                       GRADIENT("that of the formula"), PRODUCTS,
                       SAMPLE(call_lstm_cell, RECIPE("x2a x22 x22 x8a x82 x8 x8", ""),
                              RECIPE("x33 x32 x32 x83 x82 - -", "")))
WEFT__DEFINE_COMPOSITE(RNN, rnn,
                       PARTS(FLOATS, PART(LINEAR, WIDE), PART(ADD, WIDE), PART(TANH, WIDE), PART(CONCAT, WIDE)),
                       BACKWARDS, PRODUCTS,
                       SAMPLE(call_rnn, RECIPE("x32a x123 x3a x33 x3 x3", "1 0 0 0"),
                              RECIPE("x232 x423 x32 x33 x3 x3 x32 x33 x3 x3 x36 x33 x3 x3 x36 x33 x3 x3", "2 1 1 0")))
WEFT__DEFINE_COMPOSITE(GRU, gru, GATES(PART(SUB, WIDE), PART(CONCAT, WIDE)), BACKWARDS, PRODUCTS,
                       SAMPLE(call_gru, RECIPE("x32a x123 x9a x93 x9 x9", "1 0 0 0"),
                              RECIPE("x232 - x62 x62 - - x62 x62 - - x64 x62 - - x64 x62 - -", "2 1 1 0")))
WEFT__DEFINE_COMPOSITE(LSTM, lstm, GATES(PART(CONCAT, WIDE)), BACKWARDS, PRODUCTS,
                       SAMPLE(call_lstm, RECIPE("x32a x122 x122 x8a x82 x8 x8", "1 0 0 0"),
                              RECIPE("x232 x221 x221 x42 x41 - - x42 x41 - -", "1 1 1 0")))

/* ---- One step ---- */

typedef enum kind { TANH_CELL, RELU_CELL, GRU_CELL, LSTM_CELL } kind;

static int64_t gates_of(kind cell)
{
    return cell == LSTM_CELL ? 4 : cell == GRU_CELL ? 3 : 1;
}

/* Gate k of n, of [N, n H]. */
static weft_tensor *gate(weft_tensor *all, int k, int64_t width)
{
    return weft_slice(all, -1, k * width, (k + 1) * width, 1);
}

/* The next h (and, of an LSTM, *c) from the products of the input, [N, gates H], and from h [N, H]. */
static weft_tensor *step(kind cell, weft_tensor *from_x, weft_tensor *h, weft_tensor **c, weft_tensor *w_hh,
                         weft_tensor *b_hh)
{
    const int64_t width = w_hh->a.shape[1];
    weft_tensor *from_h = weft_linear(h, w_hh, b_hh);
    if (cell == GRU_CELL) {
        weft_tensor *r = weft_sigmoid(weft_add(gate(from_x, 0, width), gate(from_h, 0, width)));
        weft_tensor *z = weft_sigmoid(weft_add(gate(from_x, 1, width), gate(from_h, 1, width)));
        weft_tensor *n = weft_tanh(weft_add(gate(from_x, 2, width), weft_mul(r, gate(from_h, 2, width))));
        return weft_add(n, weft_mul(z, weft_sub(h, n)));
    }
    weft_tensor *all = weft_add(from_x, from_h);
    if (cell != LSTM_CELL)
        return cell == RELU_CELL ? weft_relu(all) : weft_tanh(all);
    weft_tensor *i = weft_sigmoid(gate(all, 0, width)), *f = weft_sigmoid(gate(all, 1, width));
    weft_tensor *g = weft_tanh(gate(all, 2, width)), *o = weft_sigmoid(gate(all, 3, width));
    *c = weft_add(weft_mul(f, *c), weft_mul(i, g));
    return weft_mul(o, weft_tanh(*c));
}

/* w: input and state's matrix, then their biases or NULL, of a layer with so many inputs. width: of the state, or -1,
 * which it sets. */
static bool weights_fit(weft_ctx *ctx, int op, kind cell, weft_tensor *const *w, int first, int64_t inputs,
                        int64_t *width)
{
    static const char *const names[] = {"w_ih", "w_hh", "b_ih", "b_hh"};
    if (!weft__need_rank(ctx, op, "w_hh", w[1], 2, 2))
        return false;
    if (*width < 0)
        *width = w[1]->a.shape[1];
    const int64_t rows = gates_of(cell) * *width, columns[] = {inputs, *width};
    for (int k = 0; k < 4; k++) {
        const int ndim = k < 2 ? 2 : 1;
        if (!w[k] || (w[k]->a.ndim == ndim && w[k]->a.shape[0] == rows && (k > 1 || w[k]->a.shape[1] == columns[k])))
            continue;
        const int64_t wanted[] = {rows, k < 2 ? columns[k] : 0};
        return weft__fail(ctx, op, WEFT_E_SHAPE,
                          "%s, operand %d, is %s, but must be %s: %lld gates of a state of %lld, from %lld inputs",
                          names[k], first + k, weft__describe(w[k]).s, weft__shape_text(wanted, ndim).s,
                          (long long)gates_of(cell), (long long)*width, (long long)inputs),
               false;
    }
    return true;
}

/* x [N, I], and the states [N, H]. */
static bool cell_fits(weft_ctx *ctx, int op, kind cell, weft_tensor *const *in, int states)
{
    int64_t width = -1;
    if (!weft__need_rank(ctx, op, "x", in[0], 2, 2) ||
        !weights_fit(ctx, op, cell, in + 1 + states, 1 + states, in[0]->a.shape[1], &width))
        return false;
    for (int k = 1; k <= states; k++)
        if (in[k]->a.ndim != 2 || in[k]->a.shape[0] != in[0]->a.shape[0] || in[k]->a.shape[1] != width)
            return weft__fail(ctx, op, WEFT_E_SHAPE, "the state %s, operand %d, must be [%lld, %lld] beside x %s",
                              weft__describe(in[k]).s, k, (long long)in[0]->a.shape[0], (long long)width,
                              weft__describe(in[0]).s),
                   false;
    return true;
}

static weft_tensor *one_step(int op, kind cell, weft_tensor **in)
{
    static const char *const names[] = {"x", "h", "w_ih", "w_hh", "b_ih", "b_hh"};
    weft_ctx *ctx = weft__enter(op, in, 6, 1u << 4 | 1u << 5);
    if (!ctx)
        return NULL;
    weft_dtype dtype;
    if (!weft__localise(ctx, in, 6) || !weft__join_floats(ctx, op, in, names, 6, &dtype) ||
        !cell_fits(ctx, op, cell, in, 1))
        return weft__leave_with(ctx, NULL);
    weft_tensor *y = step(cell, weft_linear(in[0], in[2], in[4]), in[1], NULL, in[3], in[5]);
    return weft__leave_with(ctx, weft__narrowed(y, dtype));
}

weft_tensor *weft_rnn_cell(weft_tensor *x, weft_tensor *h, weft_tensor *w_ih, weft_tensor *w_hh, weft_tensor *b_ih,
                           weft_tensor *b_hh, bool relu)
{
    weft_tensor *in[] = {x, h, w_ih, w_hh, b_ih, b_hh};
    return one_step(WEFT_OP_RNN_CELL, relu ? RELU_CELL : TANH_CELL, in);
}

weft_tensor *weft_gru_cell(weft_tensor *x, weft_tensor *h, weft_tensor *w_ih, weft_tensor *w_hh, weft_tensor *b_ih,
                           weft_tensor *b_hh)
{
    weft_tensor *in[] = {x, h, w_ih, w_hh, b_ih, b_hh};
    return one_step(WEFT_OP_GRU_CELL, GRU_CELL, in);
}

/* ---- Calls with several results ---- */

/* Sets the places to NULL and enters with in[n]; NULL: return weft__refused(in[0]). */
static weft_ctx *enter_several(int op, weft_tensor **in, int n, unsigned optional, weft_tensor **const *places,
                               int n_places)
{
    bool any = false;
    for (int k = 0; k < n_places; k++) {
        any |= places[k] != NULL;
        if (places[k])
            *places[k] = NULL;
    }
    weft_ctx *ctx = weft__enter(op, in, n, optional);
    if (!ctx)
        return NULL;
    if (weft__localise(ctx, in, n) && any)
        return ctx;
    if (!any)
        weft__fail(ctx, op, WEFT_E_NULL_ARGUMENT, "every place for a result is NULL; give at least one");
    return weft__leave_with(ctx, NULL), NULL;
}

/* Narrows the results and hands them over. */
static weft_status leave_several(weft_ctx *ctx, weft_tensor **out, weft_tensor **const *places, int n, weft_dtype dtype)
{
    bool done = true;
    for (int k = 0; k < n; k++)
        done = (out[k] = weft__narrowed(out[k], dtype)) != NULL && done;
    return weft__end_several(ctx, done, out, places, n);
}

weft_status weft_lstm_cell(weft_tensor *x, weft_tensor *h, weft_tensor *c, weft_tensor *w_ih, weft_tensor *w_hh,
                           weft_tensor *b_ih, weft_tensor *b_hh, weft_tensor **next_h, weft_tensor **next_c)
{
    static const char *const names[] = {"x", "h", "c", "w_ih", "w_hh", "b_ih", "b_hh"};
    weft_tensor *in[] = {x, h, c, w_ih, w_hh, b_ih, b_hh}, **const places[] = {next_h, next_c}, *out[2];
    weft_ctx *ctx = enter_several(WEFT_OP_LSTM_CELL, in, 7, 1u << 5 | 1u << 6, places, 2);
    if (!ctx)
        return weft__refused(x);
    weft_dtype dtype;
    if (!weft__join_floats(ctx, WEFT_OP_LSTM_CELL, in, names, 7, &dtype) ||
        !cell_fits(ctx, WEFT_OP_LSTM_CELL, LSTM_CELL, in, 2))
        return weft__end_several(ctx, false, out, places, 2);
    out[1] = in[2];
    out[0] = step(LSTM_CELL, weft_linear(in[0], in[3], in[5]), in[1], &out[1], in[4], in[6]);
    return leave_several(ctx, out, places, 2, dtype);
}

/* ---- Sequences ---- */

typedef struct sequence {
    int op;
    kind cell;
    weft_ctx *ctx;
    weft_tensor **in; /* x, the states at first, or NULL, and the weights */
    int states;       /* 1 or 2: h, c */
    int layers, ways; /* ways: directions */
    int64_t steps, batch, inputs, width;
    weft_tensor **outs;      /* of a layer: [ways][steps] */
    weft_tensor **finals[2]; /* each state of each layer and direction */
} sequence;

/* One direction of one layer, of inputs x [T, N, .]. */
static void run_way(sequence *q, weft_tensor *x, int layer, int way)
{
    const int at = layer * q->ways + way;
    weft_tensor *const *w = q->in + 1 + q->states + 4 * at, *state[2] = {NULL, NULL};
    for (int k = 0; k < q->states; k++)
        state[k] = q->in[1 + k] ? weft_select(q->in[1 + k], 0, at)
                                : weft_zeros(q->ctx, (weft_dtype)q->in[0]->a.dtype, WEFT_DIMS(q->batch, q->width));
    weft_tensor *from_x = weft_linear(x, w[0], w[2]);
    for (int64_t n = 0; n < q->steps && q->ctx->status == WEFT_OK; n++) {
        const int64_t t = way ? q->steps - 1 - n : n;
        state[0] = step(q->cell, weft_select(from_x, 0, t), state[0], &state[1], w[1], w[3]);
        q->outs[way * q->steps + t] = state[0];
    }
    for (int k = 0; k < q->states; k++)
        q->finals[k][at] = state[k];
}

/* All layers; the last one's outputs [T, N, ways H], or NULL. */
static weft_tensor *run_layers(sequence *q, weft_tensor *x)
{
    for (int layer = 0; layer < q->layers && x; layer++) {
        weft_tensor *ways[2] = {NULL, NULL};
        for (int way = 0; way < q->ways; way++) {
            run_way(q, x, layer, way);
            if (q->ctx->status != WEFT_OK)
                return NULL;
            ways[way] = weft_stack(q->outs + way * q->steps, (int)q->steps, 0);
        }
        x = q->ways == 2 ? weft_concat(ways, 2, -1) : ways[0];
    }
    return x;
}

/* Shapes of x, of the states and of all weights; sets what is known from them. */
static bool sequence_fits(sequence *q, int n, const weft_recurrent_params *p)
{
    weft_ctx *ctx = q->ctx;
    if (!weft__need_rank(ctx, q->op, "x", q->in[0], 3, 3))
        return false;
    const int64_t *x = q->in[0]->a.shape;
    q->steps = x[p->batch_first];
    q->batch = x[!p->batch_first];
    q->inputs = x[2];
    q->width = -1;
    if (q->steps < 1 || q->steps > INT32_MAX)
        return weft__fail(ctx, q->op, WEFT_E_SHAPE, "x %s has %lld steps (dim %d), but must have one at least",
                          weft__describe(q->in[0]).s, (long long)q->steps, (int)p->batch_first),
               false;
    for (int k = 0; k < n / 4; k++) {
        const int64_t inputs = k < q->ways ? q->inputs : q->ways * q->width;
        const int first = 1 + q->states + 4 * k;
        if (!weights_fit(ctx, q->op, q->cell, q->in + first, first, inputs, &q->width))
            return false;
    }
    const int64_t wanted[] = {(int64_t)q->layers * q->ways, q->batch, q->width};
    for (int k = 1; k <= q->states; k++) {
        const weft__array *s = q->in[k] ? &q->in[k]->a : NULL;
        if (s && (s->ndim != 3 || s->shape[0] != wanted[0] || s->shape[1] != wanted[1] || s->shape[2] != wanted[2]))
            return weft__fail(ctx, q->op, WEFT_E_SHAPE,
                              "the state %s, operand %d, must be %s: one for each layer and direction, with x %s",
                              weft__describe(q->in[k]).s, k, weft__shape_text(wanted, 3).s, weft__describe(q->in[0]).s),
                   false;
    }
    return true;
}

/* x as [T, N, I], all layers, and the results: outputs, then the last of each state. False: error recorded. */
static bool run(sequence *q, int n, const weft_recurrent_params *p, weft_tensor **out)
{
    if (!sequence_fits(q, n, p))
        return false;
    const int64_t ends = (int64_t)q->layers * q->ways, count = q->ways * q->steps + q->states * ends;
    weft_tensor **room = weft__host_array(q->ctx, count, sizeof *room);
    if (!room)
        return weft__fail(q->ctx, q->op, WEFT_E_NOMEM, "out of memory for %lld steps", (long long)q->steps), false;
    q->outs = room;
    for (int k = 0; k < q->states; k++)
        q->finals[k] = room + q->ways * q->steps + k * ends;
    weft_tensor *x = p->batch_first ? weft_transpose(q->in[0], 0, 1) : q->in[0];
    out[0] = run_layers(q, x);
    if (p->batch_first)
        out[0] = weft_contiguous(weft_transpose(out[0], 0, 1));
    for (int k = 0; k < q->states; k++)
        out[1 + k] = out[0] ? weft_stack(q->finals[k], (int)ends, 0) : NULL;
    weft__host_free(q->ctx, room, sizeof *room * (size_t)count);
    return out[0] != NULL;
}

enum { MOST_LAYERS = 32, MOST_WEIGHTS = 8 * MOST_LAYERS };

/* Which operands may be NULL: states and biases. Bit 31 stands for all from there on, matrices, too. */
static unsigned optional_of(int states)
{
    unsigned mask = states == 2 ? 6 : 2;
    for (int k = 1 + states; k < 31; k++)
        if ((k - 1 - states) % 4 > 1)
            mask |= 1u << k;
    return mask | 1u << 31;
}

/* As many weights as layers and directions have, with their matrices; all floating, and widened. */
static bool weights_there(sequence *q, int n, const weft_recurrent_params *p, weft_dtype *dtype)
{
    static const char *const kinds[] = {"w_ih", "w_hh", "b_ih", "b_hh"};
    const char *names[3 + MOST_WEIGHTS] = {"x", "the first state", "the first state"};
    if (p->layers < 1 || p->layers > MOST_LAYERS)
        return weft__fail(q->ctx, q->op, WEFT_E_INVALID, "layers is %lld, but must be from 1 to %d",
                          (long long)p->layers, MOST_LAYERS),
               false;
    q->layers = (int)p->layers;
    q->ways = p->bidirectional ? 2 : 1;
    if (n != 4 * q->layers * q->ways)
        return weft__fail(
                   q->ctx, q->op, WEFT_E_INVALID,
                   "there are %d weights, but must be %d: w_ih, w_hh, b_ih and b_hh (or NULL) of each of %d layers "
                   "and %d directions",
                   n, 4 * q->layers * q->ways, q->layers, q->ways),
               false;
    for (int k = 0; k < n; k++) {
        const int at = 1 + q->states + k;
        names[at] = kinds[k % 4];
        if (!q->in[at] && k % 4 < 2)
            return weft__check(q->ctx, weft__ops[q->op].name, NULL, "operand", at);
    }
    return weft__join_floats(q->ctx, q->op, q->in, names, 1 + q->states + n, dtype);
}

/* x and the states stand in q->in, which has room for the weights. */
static weft_status run_all(sequence *q, weft_tensor *const *weights, int n, const weft_recurrent_params *params,
                           weft_tensor **const *places)
{
    static const weft_recurrent_params defaults = WEFT_RECURRENT_DEFAULTS;
    const int known = !weights || n < 0 ? 0 : n < MOST_WEIGHTS ? n : MOST_WEIGHTS;
    for (int k = 0; k < known; k++)
        q->in[1 + q->states + k] = weights[k];
    weft_tensor *const x = q->in[0];
    q->ctx = enter_several(q->op, q->in, 1 + q->states + known, optional_of(q->states), places, 1 + q->states);
    if (!q->ctx)
        return weft__refused(x);
    weft_recurrent_params p;
    weft_tensor *out[3] = {NULL, NULL, NULL};
    weft_dtype dtype = WEFT_F32;
    const bool known_params =
        weft_struct_in(q->ctx, weft__ops[q->op].name, "weft_recurrent_params", &defaults, params, &p) == WEFT_OK;
    if (known_params && p.relu && q->op == WEFT_OP_RNN)
        q->cell = RELU_CELL;
    if (!known_params || !weights_there(q, weights ? n : 0, &p, &dtype) || !run(q, n, &p, out))
        return weft__end_several(q->ctx, false, out, places, 1 + q->states);
    return leave_several(q->ctx, out, places, 1 + q->states, dtype);
}

weft_status weft_rnn(weft_tensor *x, weft_tensor *h0, weft_tensor *const *weights, int n,
                     const weft_recurrent_params *params, weft_tensor **y, weft_tensor **h)
{
    weft_tensor *in[2 + MOST_WEIGHTS] = {x, h0}, **const places[] = {y, h};
    sequence q = {.op = WEFT_OP_RNN, .cell = TANH_CELL, .in = in, .states = 1};
    return run_all(&q, weights, n, params, places);
}

weft_status weft_gru(weft_tensor *x, weft_tensor *h0, weft_tensor *const *weights, int n,
                     const weft_recurrent_params *params, weft_tensor **y, weft_tensor **h)
{
    weft_tensor *in[2 + MOST_WEIGHTS] = {x, h0}, **const places[] = {y, h};
    sequence q = {.op = WEFT_OP_GRU, .cell = GRU_CELL, .in = in, .states = 1};
    return run_all(&q, weights, n, params, places);
}

weft_status weft_lstm(weft_tensor *x, weft_tensor *h0, weft_tensor *c0, weft_tensor *const *weights, int n,
                      const weft_recurrent_params *params, weft_tensor **y, weft_tensor **h, weft_tensor **c)
{
    weft_tensor *in[3 + MOST_WEIGHTS] = {x, h0, c0}, **const places[] = {y, h, c};
    sequence q = {.op = WEFT_OP_LSTM, .cell = LSTM_CELL, .in = in, .states = 2};
    return run_all(&q, weights, n, params, places);
}
