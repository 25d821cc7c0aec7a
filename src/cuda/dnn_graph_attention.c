/* dnn_graph_attention.c - attention and its gradients as graphs. cuDNN knows them by their form and runs each as one
 * kernel, or as few: the order of the nodes and the types between them are those that it looks for.
 *
 * Of the two forms of the gradients that it takes, this is the one in which dq is the product's result. cuDNN keeps a
 * matrix of all scores for it, in halves; in the other, dq is added up in f32 by blocks that race, and no two runs need
 * agree. */
#include "dnn_graphs.h"

/* On compute capability 10.0 to 10.3 that form goes to kernels that need no such matrix, and keep an order, where it is
 * given to this engine with its knobs so (from NVIDIA's cudnn-frontend, for cuDNN 9.18 to 9.22). */
static const weft__dnn_engine ordered_engine = {5, 2, {{WEFT__DNN_KNOB_KERNEL_CFG, 31}, {WEFT__DNN_KNOB_STAGES, 2}}};

/* The layouts that everything has. */
typedef struct shapes {
    weft__dnn_layout q, k, v, y; /* k and v as rows of keys */
    weft__dnn_layout scores;     /* [queries, keys] */
    weft__dnn_layout rows;       /* a value for each query */
} shapes;

/* [.., rows, columns] with the strides of batch, heads and rows; dense if there are none. */
static weft__dnn_layout layout_of(const weft__dnn_attention *a, int64_t rows, int64_t columns, const int64_t *strides)
{
    weft__dnn_layout l = {{a->batch, a->heads, rows, columns}, {a->heads * rows * columns, rows * columns, columns, 1}};
    for (int d = 0; strides && d < 3; d++)
        l.strides[d] = strides[d];
    return l;
}

static shapes shapes_of(const weft__dnn_attention *a)
{
    const shapes s = {
        .q = layout_of(a, a->queries, a->width, a->q),
        .k = layout_of(a, a->keys, a->width, a->k),
        .v = layout_of(a, a->keys, a->columns, a->v),
        .y = layout_of(a, a->queries, a->columns, a->y),
        .scores = layout_of(a, a->queries, a->keys, NULL),
        .rows = layout_of(a, a->queries, 1, NULL),
    };
    return s;
}

/* The last two dims change places. */
static weft__dnn_layout turned(const weft__dnn_layout *l)
{
    const weft__dnn_layout t = {{l->shape[0], l->shape[1], l->shape[3], l->shape[2]},
                                {l->strides[0], l->strides[1], l->strides[3], l->strides[2]}};
    return t;
}

static weft__dnn_descriptor f32_between(weft__dnn_graph *g, const weft__dnn_layout *layout)
{
    return weft__dnn_between(g, WEFT__DNN_DATA_FLOAT, layout);
}

/* A new f32 tensor: mode(x, b). */
static weft__dnn_descriptor pointwise(weft__dnn_graph *g, int mode, weft__dnn_descriptor x, weft__dnn_descriptor b,
                                      const weft__dnn_layout *layout)
{
    weft__dnn_descriptor y = f32_between(g, layout);
    weft__dnn_pointwise(g, mode, WEFT__DNN_DATA_FLOAT, x, b, NULL, y);
    return y;
}

static weft__dnn_descriptor product(weft__dnn_graph *g, weft__dnn_descriptor a, weft__dnn_descriptor b,
                                    const weft__dnn_layout *layout)
{
    weft__dnn_descriptor c = f32_between(g, layout);
    weft__dnn_matmul(g, a, b, c);
    return c;
}

static weft__dnn_descriptor reduced(weft__dnn_graph *g, int how, weft__dnn_descriptor x, const weft__dnn_layout *layout)
{
    weft__dnn_descriptor y = f32_between(g, layout);
    weft__dnn_reduce(g, how, x, y);
    return y;
}

/* The scores where the query sees the key, -inf elsewhere. */
static weft__dnn_descriptor hide(weft__dnn_graph *g, const weft__dnn_attention *a, weft__dnn_descriptor scores,
                                 const weft__dnn_layout *layout)
{
    if (!a->causal)
        return scores;
    weft__dnn_descriptor row = weft__dnn_between(g, WEFT__DNN_DATA_INT32, layout);
    weft__dnn_index(g, 2, scores, row);
    if (a->keys != a->queries) {
        weft__dnn_descriptor shift = weft__dnn_scalar(g, WEFT__DNN_SHIFT + 1, WEFT__DNN_DATA_INT32);
        weft__dnn_descriptor last = weft__dnn_between(g, WEFT__DNN_DATA_INT32, layout);
        weft__dnn_pointwise(g, WEFT__DNN_POINTWISE_ADD, WEFT__DNN_DATA_INT32, row, shift, NULL, last);
        row = last;
    }
    weft__dnn_descriptor column = weft__dnn_between(g, WEFT__DNN_DATA_INT32, layout);
    weft__dnn_index(g, 3, scores, column);
    weft__dnn_descriptor seen = weft__dnn_between(g, WEFT__DNN_DATA_BOOLEAN, layout);
    weft__dnn_pointwise(g, WEFT__DNN_POINTWISE_CMP_GE, WEFT__DNN_DATA_BOOLEAN, row, column, NULL, seen);
    weft__dnn_descriptor hidden = weft__dnn_scalar(g, WEFT__DNN_HIDDEN + 1, WEFT__DNN_DATA_FLOAT);
    weft__dnn_descriptor left = f32_between(g, layout);
    weft__dnn_pointwise(g, WEFT__DNN_POINTWISE_SELECT, WEFT__DNN_DATA_FLOAT, scores, hidden, seen, left);
    return left;
}

static void build_forward(weft__dnn_graph *g, const void *what)
{
    const weft__dnn_attention *a = what;
    const shapes s = shapes_of(a);
    const int type = (int)a->data_type;
    const weft__dnn_layout k_turned = turned(&s.k);
    weft__dnn_descriptor q = weft__dnn_array(g, WEFT__DNN_Q + 1, type, &s.q);
    weft__dnn_descriptor k = weft__dnn_array(g, WEFT__DNN_K + 1, type, &k_turned);
    weft__dnn_descriptor v = weft__dnn_array(g, WEFT__DNN_V + 1, type, &s.v);
    weft__dnn_descriptor y = weft__dnn_array(g, WEFT__DNN_Y + 1, type, &s.y);
    weft__dnn_descriptor lse = weft__dnn_array(g, WEFT__DNN_LSE + 1, WEFT__DNN_DATA_FLOAT, &s.rows);
    weft__dnn_descriptor scale = weft__dnn_scalar(g, WEFT__DNN_SCALE + 1, WEFT__DNN_DATA_FLOAT);

    weft__dnn_descriptor scores = product(g, q, k, &s.scores);
    scores = hide(g, a, pointwise(g, WEFT__DNN_POINTWISE_MUL, scores, scale, &s.scores), &s.scores);
    weft__dnn_descriptor top = reduced(g, WEFT__DNN_REDUCE_MAX, scores, &s.rows);
    weft__dnn_descriptor below = pointwise(g, WEFT__DNN_POINTWISE_SUB, scores, top, &s.scores);
    weft__dnn_descriptor weights = pointwise(g, WEFT__DNN_POINTWISE_EXP, below, NULL, &s.scores);
    weft__dnn_descriptor sum = reduced(g, WEFT__DNN_REDUCE_ADD, weights, &s.rows);
    weft__dnn_descriptor log_sum = pointwise(g, WEFT__DNN_POINTWISE_LOG, sum, NULL, &s.rows);
    weft__dnn_pointwise(g, WEFT__DNN_POINTWISE_ADD, WEFT__DNN_DATA_FLOAT, top, log_sum, NULL, lse);
    weft__dnn_descriptor p = weft__dnn_between(g, type, &s.scores);
    weft__dnn_pointwise(g, WEFT__DNN_POINTWISE_DIV, WEFT__DNN_DATA_FLOAT, weights, sum, NULL, p);
    weft__dnn_matmul(g, p, v, y);
}

/* The same numbers as halves, turned: [keys, queries]. */
static weft__dnn_descriptor turned_halves(weft__dnn_graph *g, int type, weft__dnn_descriptor x,
                                          const weft__dnn_layout *layout)
{
    const weft__dnn_layout to = turned(layout);
    weft__dnn_descriptor y = weft__dnn_between(g, type, &to);
    weft__dnn_reshape(g, x, y);
    return y;
}

/* delta = sums of g y over a row */
static weft__dnn_descriptor delta_of(weft__dnn_graph *g, const shapes *s, weft__dnn_descriptor y,
                                     weft__dnn_descriptor gradient)
{
    weft__dnn_descriptor delta = weft__dnn_array(g, WEFT__DNN_DELTA + 1, WEFT__DNN_DATA_FLOAT, &s->rows);
    weft__dnn_descriptor one = weft__dnn_scalar(g, WEFT__DNN_ONE + 1, WEFT__DNN_DATA_FLOAT);
    weft__dnn_descriptor products = pointwise(g, WEFT__DNN_POINTWISE_MUL, gradient, y, &s->y);
    weft__dnn_descriptor sums = reduced(g, WEFT__DNN_REDUCE_ADD, products, &s->rows);
    weft__dnn_pointwise(g, WEFT__DNN_POINTWISE_MUL, WEFT__DNN_DATA_FLOAT, sums, one, NULL, delta);
    return delta;
}

/* With P = e^(scale q k^T - lse) and dS = P (g v^T - delta) scale:  dv = P^T g,  dk = dS^T q,  dq = dS k. */
static void build_grad(weft__dnn_graph *g, const void *what)
{
    const weft__dnn_attention *a = what;
    const shapes s = shapes_of(a);
    const int type = (int)a->data_type;
    g->engine = a->by_number ? &ordered_engine : NULL;
    const weft__dnn_layout k_turned = turned(&s.k), v_turned = turned(&s.v);
    const weft__dnn_layout g_layout = layout_of(a, a->queries, a->columns, a->g);
    const weft__dnn_layout dq_layout = layout_of(a, a->queries, a->width, NULL);
    const weft__dnn_layout dk_layout = layout_of(a, a->keys, a->width, NULL);
    const weft__dnn_layout dv_layout = layout_of(a, a->keys, a->columns, NULL);
    weft__dnn_descriptor q = weft__dnn_array(g, WEFT__DNN_Q + 1, type, &s.q);
    weft__dnn_descriptor k = weft__dnn_array(g, WEFT__DNN_K + 1, type, &k_turned);
    weft__dnn_descriptor v = weft__dnn_array(g, WEFT__DNN_V + 1, type, &v_turned);
    weft__dnn_descriptor y = weft__dnn_array(g, WEFT__DNN_Y + 1, type, &s.y);
    weft__dnn_descriptor lse = weft__dnn_array(g, WEFT__DNN_LSE + 1, WEFT__DNN_DATA_FLOAT, &s.rows);
    weft__dnn_descriptor gradient = weft__dnn_array(g, WEFT__DNN_G + 1, type, &g_layout);
    weft__dnn_descriptor dq = weft__dnn_array(g, WEFT__DNN_DQ + 1, type, &dq_layout);
    weft__dnn_descriptor dk = weft__dnn_array(g, WEFT__DNN_DK + 1, type, &dk_layout);
    weft__dnn_descriptor dv = weft__dnn_array(g, WEFT__DNN_DV + 1, type, &dv_layout);
    weft__dnn_descriptor scale = weft__dnn_scalar(g, WEFT__DNN_SCALE + 1, WEFT__DNN_DATA_FLOAT);
    weft__dnn_descriptor delta = delta_of(g, &s, y, gradient);

    weft__dnn_descriptor scores = product(g, q, k, &s.scores);
    scores = pointwise(g, WEFT__DNN_POINTWISE_MUL, scores, scale, &s.scores);
    scores = hide(g, a, pointwise(g, WEFT__DNN_POINTWISE_SUB, scores, lse, &s.scores), &s.scores);
    weft__dnn_descriptor p = pointwise(g, WEFT__DNN_POINTWISE_EXP, scores, NULL, &s.scores);
    weft__dnn_matmul(g, turned_halves(g, type, p, &s.scores), gradient, dv);

    weft__dnn_descriptor dp = product(g, gradient, v, &s.scores);
    dp = pointwise(g, WEFT__DNN_POINTWISE_SUB, dp, delta, &s.scores);
    dp = pointwise(g, WEFT__DNN_POINTWISE_MUL, dp, p, &s.scores);
    weft__dnn_descriptor ds = pointwise(g, WEFT__DNN_POINTWISE_MUL, dp, scale, &s.scores);
    weft__dnn_matmul(g, turned_halves(g, type, ds, &s.scores), q, dk);
    weft__dnn_matmul(g, ds, turned_halves(g, type, k, &k_turned), dq);
}

weft__dnn_problem weft__dnn_attention_problem(const weft__dnn_attention *attention)
{
    const weft__dnn_problem problem = {attention->grad ? build_grad : build_forward, attention, sizeof *attention};
    return problem;
}
