/* supports.c - which operations run on which device in which dtype. A kernel is asked for by its row and the dtype that
 * it gets; an operation by the dtype of its operands: its record says what it makes of these, and which kernels stand
 * behind it if it has none of its own. A test calls every operation on devices that lack
 * kernels and dtypes, and compares. */
#include "engine/supports.h"
#include <stdio.h>
#include <string.h>
#include "engine/engine.h"
#include "base/op_def.h"
#include "engine/registry.h"

int32_t weft__data_dtype(int op, const weft__array *const *in, int n_in, weft__array *const *out, int n_out)
{
    for (int k = 0; k < n_in; k++)
        if (in[k] && weft__is_data(weft__operand(weft__defs[op], k, n_in)))
            return in[k]->dtype;
    for (int k = 0; k < n_out; k++)
        if (out[k])
            return out[k]->dtype;
    return WEFT_F32;
}

void weft__say_unsupported(const weft__backend *backend, int op, int32_t dtype, char *why, size_t size)
{
    char others[128] = "";
    size_t used = 0;
    for (int d = 0; d < WEFT_DTYPE_COUNT; d++)
        if (weft__backend_supports(backend, op, d))
            used += (size_t)snprintf(others + used, sizeof others - used, "%s%s", used ? ", " : "",
                                     weft_dtype_name((weft_dtype)d));
    if (others[0])
        snprintf(why, size,
                 "the device \"%s\" has no kernel for it on %s; it has some for %s: weft_cast the operands, or bring "
                 "them to another device with weft_copy_to",
                 backend->name, weft_dtype_name((weft_dtype)dtype), others);
    else
        snprintf(why, size,
                 "the device \"%s\" has no kernel for it; bring the operands to another device, such as \"cpu\", with "
                 "weft_copy_to",
                 backend->name);
}

/* ---- Public operations ---- */

typedef enum domain { ALL_DTYPES, NOT_BOOL, FLOATS_ONLY, NO_FLOATS, BYTES_ONLY } domain;

/* Which dtypes an operation may be called with; others are WEFT_E_DTYPE, on every device. What promotes to floats or
 * numbers takes all; what joins its operands as they are, or changes one in place, adds up no truth values. */
static domain domain_of(int op)
{
    const weft__op_def *def = weft__defs[op];
    if (weft__ops[op].family == WEFT__COMPOSITE)
        return def->takes == WEFT__FLOATS ? FLOATS_ONLY : ALL_DTYPES;
    if (def->in[0] & WEFT__WHOLE)
        return def->in[0] & WEFT__SMALL ? BYTES_ONLY : NO_FLOATS;
    if (weft__ops[op].family != WEFT__CUSTOM || def->promotion == WEFT__JOIN_FLOATS)
        return ALL_DTYPES;
    const unsigned kind = def->in[0] & WEFT__KIND_MASK;
    if (kind == WEFT__FLOATS)
        return FLOATS_ONLY;
    const bool adds_as_given = def->promotion == WEFT__JOIN || def->effect == WEFT__IN_PLACE;
    return kind == WEFT__NUMBERS && adds_as_given ? NOT_BOOL : ALL_DTYPES;
}

/* What the kernel of a row gets where the operation is called with dtype. */
static weft_dtype as_alone(int op, weft_dtype dtype)
{
    const weft__op_def *def = weft__defs[op];
    const weft__promotion promotion = def->promotion;
    if (promotion == WEFT__JOIN_FLOATS && !weft_dtype_is_float(dtype))
        return WEFT_F32;
    if (dtype != WEFT_BOOL)
        return dtype;
    if (def->in[0] & WEFT__AS_BYTES)
        return WEFT_U8;
    return promotion == WEFT__JOIN_NUMBERS ? WEFT_I64 : WEFT_BOOL;
}

weft_dtype weft__part_gets(const weft__made_of *part, weft_dtype dtype)
{
    switch (part->dtype) {
    case WEFT__WIDE:
        return dtype == WEFT_F64 ? WEFT_F64 : WEFT_F32;
    case WEFT__OF_BOOL:
        return as_alone(part->op, WEFT_BOOL);
    case WEFT__OF_I64:
        return as_alone(part->op, WEFT_I64);
    case WEFT__OF_F64:
        return as_alone(part->op, WEFT_F64);
    default:
        return as_alone(part->op, dtype);
    }
}

weft_status weft__op_supports(const weft__backend *backend, int op, weft_dtype dtype, char *why, size_t size)
{
    snprintf(why, size, "%s", "");
    const domain takes = domain_of(op);
    if ((takes == FLOATS_ONLY && !weft_dtype_is_float(dtype)) || (takes == NOT_BOOL && dtype == WEFT_BOOL) ||
        (takes == NO_FLOATS && weft_dtype_is_float(dtype)) ||
        (takes == BYTES_ONLY && dtype != WEFT_I8 && dtype != WEFT_U8)) {
        static const char *const kinds[] = {"", "a numeric", "a floating", "an integer", "an 8-bit integer"};
        snprintf(why, size, "it is not defined for %s, on no device; weft_cast the operands to %s dtype",
                 weft_dtype_name(dtype), kinds[takes]);
        return WEFT_E_DTYPE;
    }
    const weft__op_def *def = weft__defs[op];
    const weft__made_of alone = {.op = op, .dtype = WEFT__AS_ALONE};
    const bool has_kernel = weft__ops[op].family != WEFT__VIEW && weft__ops[op].family != WEFT__COMPOSITE;
    for (int k = 0; k < def->n_parts || (k == 0 && has_kernel); k++) {
        const weft__made_of *p = def->n_parts ? &def->parts[k] : &alone;
        const weft_dtype gets = weft__part_gets(p, dtype);
        if (weft__backend_supports(backend, p->op, gets))
            continue;
        const size_t used = def->n_parts ? (size_t)snprintf(why, size, "it needs weft_%s: ", weft__ops[p->op].name) : 0;
        if (used < size)
            weft__say_unsupported(backend, p->op, gets, why + used, size - used);
        return WEFT_E_UNSUPPORTED;
    }
    return WEFT_OK;
}

static int op_named(const char *name)
{
    if (strncmp(name, "weft_", 5) == 0)
        name += 5;
    for (int op = 0; op < WEFT_OP_COUNT; op++)
        if (weft__ops[op].family != WEFT__KERNEL && strcmp(weft__ops[op].name, name) == 0)
            return op;
    return -1;
}

weft_status weft_device_supports(const char *device, const char *op, weft_dtype dtype, char *why, size_t size)
{
    char text[512] = "", kind[16];
    int index;
    if (!device || !op)
        return WEFT_E_NULL_ARGUMENT;
    const int row = op_named(op);
    const weft__backend *backend = NULL;
    weft_status status = WEFT_E_INVALID;
    if (row < 0)
        snprintf(text, sizeof text, "there is no operation \"%.40s\"", op);
    else if ((unsigned)dtype >= WEFT_DTYPE_COUNT)
        snprintf(text, sizeof text, "%d is no dtype", (int)dtype);
    else if (!weft__device_parse(device, kind, sizeof kind, &index))
        snprintf(text, sizeof text, "\"%.40s\" names no device; \"cpu\", \"cuda\" and \"cuda:1\" would", device);
    else if (!(backend = weft__backend_for(kind, index, text, sizeof text)))
        status = WEFT_E_DEVICE;
    else
        status = weft__op_supports(backend, row, dtype, text, sizeof text);
    if (why && size)
        snprintf(why, size, "%s%s%s%s", backend && text[0] ? "weft_" : "",
                 backend && text[0] ? weft__ops[row].name : "", backend && text[0] ? ": " : "", text);
    return status;
}
