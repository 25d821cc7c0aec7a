/* loss.c - cross entropy of logits against class numbers, and its first-order gradient, each in one pass over a row.
 *
 *   x [..., C] logits, target [...] i64, lse [...] log of the sum of e^x of a row, loss [] or [...] (reduction none)
 *
 *   loss of a row = sum over c of q_c (lse - x_c),    q_c = (1 - s) [c = target] + s / C,   s the label smoothing
 *   dx_c = g (e^(x_c - lse) - q_c)
 *
 * Rows whose target is the ignored class have loss 0 and gradient 0 whatever their logits. */
#include <weft/params.h>
#include "rows.h"

typedef struct entropy {
    const void *x, *g;
    const int64_t *target;
    void *lse, *dx;
    double *loss; /* of every row */
    int64_t rows, classes, ignore;
    double smoothing;
    double scale; /* of the gradient of a row: 1 / counted rows for the mean, else 1 */
    bool g_per_row;
} entropy;

static entropy entropy_of(const weft__exec *e)
{
    const weft__array *x = e->in[0], *target = e->in[1];
    return (entropy){.x = x->data,
                     .target = target->data,
                     .rows = target->count,
                     .classes = x->shape[x->ndim - 1],
                     .ignore = e->attrs->cross_entropy.ignore_index,
                     .smoothing = e->attrs->cross_entropy.label_smoothing,
                     .scale = 1};
}

/* Every target must be a class or the ignored one. *counted: rows that are not ignored. */
static weft_status check_targets(const weft__exec *e, const entropy *t, int64_t *counted)
{
    *counted = 0;
    for (int64_t r = 0; r < t->rows; r++) {
        const int64_t c = t->target[r];
        if (c == t->ignore)
            continue;
        if (c < 0 || c >= t->classes)
            return e->host->fail(e, WEFT_E_INVALID, "%s[%lld] = %lld is outside [0, %lld)",
                                 weft__positions_name(e->caller), (long long)r, (long long)c, (long long)t->classes);
        ++*counted;
    }
    return WEFT_OK;
}

#define WEFT_REAL f32
#include "rows.inc"
#include "loss.inc"
#undef WEFT_REAL
#define WEFT_REAL f64
#include "rows.inc"
#include "loss.inc"
#undef WEFT_REAL

static void store(const weft__array *out, int64_t i, double value)
{
    if (out->dtype == WEFT_F64)
        ((double *)out->data)[i] = value;
    else
        ((float *)out->data)[i] = (float)value;
}

weft_status WEFT__CPU(cross_entropy_with)(const weft__exec *e)
{
    entropy t = entropy_of(e);
    const weft_reduction reduction = (weft_reduction)e->attrs->cross_entropy.reduction;
    int64_t counted;
    weft_status status = check_targets(e, &t, &counted);
    if (status != WEFT_OK)
        return status;
    t.lse = e->out[1]->data;
    t.loss = weft__scratch(e, t.rows, sizeof(double));
    if (!t.loss)
        return WEFT_E_NOMEM;
    weft__pool_for(weft__exec_pool(e), t.rows, weft__grain(t.classes),
                   e->in[0]->dtype == WEFT_F64 ? entropy_rows_f64 : entropy_rows_f32, &t);
    if (reduction == WEFT_REDUCTION_NONE) {
        for (int64_t r = 0; r < t.rows; r++)
            store(e->out[0], r, t.loss[r]);
        return WEFT_OK;
    }
    double sum = row_sum_f64(t.loss, t.rows);
    store(e->out[0], 0, reduction == WEFT_REDUCTION_SUM ? sum : counted == 0 ? 0 : sum / (double)counted);
    return WEFT_OK;
}

weft_status WEFT__CPU(cross_entropy_grad)(const weft__exec *e)
{
    entropy t = entropy_of(e);
    const weft_reduction reduction = (weft_reduction)e->attrs->cross_entropy.reduction;
    int64_t counted;
    weft_status status = check_targets(e, &t, &counted);
    if (status != WEFT_OK)
        return status;
    t.lse = e->in[2]->data;
    t.g = e->in[3]->data;
    t.dx = e->out[0]->data;
    t.g_per_row = reduction == WEFT_REDUCTION_NONE;
    if (reduction == WEFT_REDUCTION_MEAN && counted > 0)
        t.scale = 1 / (double)counted;
    weft__pool_for(weft__exec_pool(e), t.rows, weft__grain(t.classes),
                   e->in[0]->dtype == WEFT_F64 ? entropy_grad_rows_f64 : entropy_grad_rows_f32, &t);
    return WEFT_OK;
}
