/* infer.c - see infer.h. */
#include "base/infer.h"
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <weft/text.h>

/* ---- Messages ---- */

weft__text weft__shape_text(const int64_t *shape, int ndim)
{
    weft__text text;
    int length = snprintf(text.s, sizeof text.s, "[");
    for (int d = 0; d < ndim && length < (int)sizeof text.s - 24; d++)
        length +=
            snprintf(text.s + length, sizeof text.s - (size_t)length, "%s%lld", d ? ", " : "", (long long)shape[d]);
    snprintf(text.s + length, sizeof text.s - (size_t)length, "]");
    return text;
}

weft__text weft__array_text(const weft__array *a)
{
    weft__text text;
    if (!a) {
        snprintf(text.s, sizeof text.s, "NULL");
        return text;
    }
    snprintf(text.s, sizeof text.s, "%s %.90s", weft_dtype_name((weft_dtype)a->dtype),
             weft__shape_text(a->shape, a->ndim).s);
    return text;
}

bool weft__refuse(weft__infer *q, weft_status status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    weft_text_list(q->message, sizeof q->message, format, args);
    va_end(args);
    q->status = status;
    return false;
}

weft__text weft__operand_text(const weft__infer *q, int k)
{
    return q->describe && q->in[k] ? q->describe(q->tensors[k]) : weft__array_text(q->in[k]);
}

/* "w": what the prototype calls operand k, "operand 7" of a list. */
static void operand_name(const weft__infer *q, int k, char *name, size_t size)
{
    const weft__op_info *row = &weft__ops[q->def->op];
    const char *params = row->params                    ? row->params
                         : row->family == WEFT__TERNARY ? "(weft_tensor *c, weft_tensor *a, weft_tensor *b)"
                         : row->family == WEFT__BINARY || row->family == WEFT__COMPARE
                             ? "(weft_tensor *a, weft_tensor *b)"
                             : "(weft_tensor *x)";
    static const char type[] = "weft_tensor *";
    const char *at = q->def->arity == WEFT__FIXED ? strstr(params, type) : NULL;
    for (int i = 0; at && i < k; i++)
        at = strstr(at + 1, type);
    if (!at) {
        snprintf(name, size, "operand %d", k);
        return;
    }
    at += sizeof type - 1;
    size_t length = 0;
    while (length + 1 < size && (isalnum((unsigned char)at[length]) || at[length] == '_'))
        length++;
    snprintf(name, size, "%.*s", (int)length, at);
}

/* ---- Checks ---- */

bool weft__has_rank(weft__infer *q, int k, int lo, int hi)
{
    const int ndim = q->in[k]->ndim;
    char name[40];
    if (ndim >= lo && ndim <= hi)
        return true;
    operand_name(q, k, name, sizeof name);
    if (lo == hi)
        return weft__refuse(q, WEFT_E_SHAPE, WEFT__MUST_HAVE_DIMS, name, weft__operand_text(q, k).s, lo);
    return weft__refuse(q, WEFT_E_SHAPE, WEFT__MUST_HAVE_SO_MANY_DIMS, name, weft__operand_text(q, k).s, lo, hi);
}

bool weft__resolve_dim(weft__infer *q, int k, int64_t *dim)
{
    const int ndim = q->in[k]->ndim;
    if (*dim < -ndim || *dim >= ndim)
        return weft__refuse(q, WEFT_E_INVALID, "dim %lld is out of range for %s, which has %d dims; use %d to %d",
                            (long long)*dim, weft__operand_text(q, k).s, ndim, -ndim, ndim - 1);
    *dim += *dim < 0 ? ndim : 0;
    return true;
}

/* ---- Results ---- */

void weft__set_like(weft__infer *q, int r, int k)
{
    weft__set_result(q, r, q->dtype[k], q->in[k]->shape, q->in[k]->ndim);
}

bool weft__infer_made(weft__infer *q, int64_t dtype, const int64_t *sizes, int64_t ndim)
{
    if (dtype < 0 || dtype >= WEFT_DTYPE_COUNT)
        return weft__refuse(q, WEFT_E_DTYPE, "%lld is not a dtype", (long long)dtype);
    if (ndim < 0 || ndim > WEFT__MAX_DIMS)
        return weft__refuse(q, WEFT_E_SHAPE, "a shape of %lld dims: between 0 and %d dims are possible",
                            (long long)ndim, WEFT__MAX_DIMS);
    weft__set_result(q, 0, (int32_t)dtype, sizes, (int)ndim);
    return true;
}

bool weft__infer_like(weft__infer *q)
{
    weft__set_like(q, 0, 0);
    return true;
}

/* ---- Promotion ---- */

static unsigned kind_of(const weft__infer *q, int k)
{
    return weft__operand(q->def, k, q->n_in) & WEFT__KIND_MASK;
}

static bool of_wrong_kind(weft__infer *q, int k, const char *must_be)
{
    char name[40];
    operand_name(q, k, name, sizeof name);
    return weft__refuse(q, WEFT_E_DTYPE, WEFT__MUST_BE, name, weft__operand_text(q, k).s, must_be);
}

static bool check_kinds(weft__infer *q)
{
    for (int k = 0; k < q->n_in; k++) {
        const unsigned kind = kind_of(q, k);
        if (!q->in[k])
            continue;
        const weft_dtype dtype = (weft_dtype)q->in[k]->dtype;
        if (kind == WEFT__FLOATS && q->def->promotion != WEFT__JOIN_FLOATS && !weft_dtype_is_float(dtype))
            return of_wrong_kind(q, k, WEFT__A_FLOAT);
        if (weft__operand(q->def, k, q->n_in) & WEFT__SMALL && dtype != WEFT_I8 && dtype != WEFT_U8)
            return of_wrong_kind(q, k, WEFT__A_BYTE);
        if (weft__operand(q->def, k, q->n_in) & WEFT__WHOLE && weft_dtype_is_float(dtype))
            return of_wrong_kind(q, k, WEFT__A_WHOLE_NUMBER);
        if (kind == WEFT__POSITIONS && dtype != WEFT_I64 && dtype != WEFT_I32)
            return of_wrong_kind(q, k, WEFT__AN_INDEX);
    }
    return true;
}

static weft_dtype joint_dtype(const weft__infer *q)
{
    int first = -1;
    weft_dtype joint = WEFT_F32;
    for (int k = 0; k < q->n_in; k++) {
        if (!q->in[k] || !weft__is_data(kind_of(q, k)))
            continue;
        joint = first < 0 ? (weft_dtype)q->in[k]->dtype : weft_promote(joint, (weft_dtype)q->in[k]->dtype);
        first = k;
    }
    if (q->def->promotion == WEFT__JOIN_FLOATS && !weft_dtype_is_float(joint))
        return WEFT_F32;
    return q->def->promotion == WEFT__JOIN_NUMBERS && joint == WEFT_BOOL ? WEFT_I64 : joint;
}

/* The dtype that operand k is converted to. */
static int32_t promoted(const weft__infer *q, int k, weft_dtype joint)
{
    const int32_t dtype = q->in[k]->dtype;
    if (kind_of(q, k) == WEFT__TRUTHS)
        return WEFT_BOOL;
    if (q->def->promotion == WEFT__LIKE_FIRST && weft__is_data(kind_of(q, k)))
        return q->in[0]->dtype;
    if (q->def->promotion == WEFT__BESIDE_FIRST)
        return k == 0 || dtype == q->in[0]->dtype ? dtype : weft__wide_dtype(q->in[0]->dtype);
    return q->def->promotion == WEFT__AS_GIVEN || !weft__is_data(kind_of(q, k)) ? dtype : (int32_t)joint;
}

bool weft__infer_call(weft__infer *q)
{
    q->status = WEFT_OK;
    q->copies = false;
    if (!check_kinds(q))
        return false;
    const weft_dtype joint = q->def->promotion == WEFT__AS_GIVEN ? WEFT_F32 : joint_dtype(q);
    for (int k = 0; k < q->n_in && k < WEFT__MAX_DEF_OPERANDS; k++)
        q->dtype[k] = q->in[k] ? promoted(q, k, joint) : -1;
    return q->def->infer(q);
}
