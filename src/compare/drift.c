/* drift.c - how far two runs of the same steps part: parameters, and the plots. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "base/text_buffer.h"
#include "lockstep.h"

/* ---- Parameters: the leaves that require a gradient, pairwise in the order in which they were made ---- */

static bool is_parameter(const weft__leaf *leaf)
{
    return weft__requires(leaf->owner) && !leaf->owner->node && leaf->owner->kept > 0;
}

/* The list of leaves has the newest first. */
static weft__leaf *next_parameter(weft__leaf *leaf)
{
    while (leaf && !is_parameter(leaf))
        leaf = leaf->next;
    return leaf;
}

static weft__held read_values(weft_ctx *owner, weft_tensor *t, double **values)
{
    weft_ctx *ctx = t->ctx;
    weft__held h;
    *values = NULL;
    weft__array dense = t->a;
    weft__set_contiguous(&dense);
    if (!weft__held_make(owner, &dense, &h)) {
        weft__fail_named(owner, "lockstep", WEFT_E_NOMEM, "out of host memory for a copy of %s", weft__describe(t).s);
        return h;
    }
    if (weft_read(ctx, t, h.block, weft__array_bytes(&t->a)) == WEFT_OK)
        *values = weft__values(owner, &h);
    return h;
}

static void drop_values(weft_ctx *owner, double *values, weft__held *h)
{
    if (values)
        weft__host_free(owner, values, sizeof *values * (size_t)(h->a.count + 1));
    weft__held_drop(owner, h);
}

static weft_status no_match(weft_ctx *ctx, const weft_tensor *a, const weft_tensor *b)
{
    return weft__fail_named(ctx, "lockstep", WEFT_E_SHAPE,
                            "the parameters of the two models do not match: %s and %s; make them by the same calls in "
                            "the same order, weft_param each",
                            a ? weft__describe(a).s : "none", b ? weft__describe(b).s : "none");
}

static weft_status copy_one(weft_tensor *from, weft_tensor *to)
{
    double *values;
    weft_ctx *owner = from->ctx, *ctx = to->ctx;
    weft__held h = read_values(owner, from, &values), target;
    if (values && weft__held_make(owner, &to->a, &target)) {
        for (int64_t k = 0; k < to->a.count; k++)
            weft__element_set(target.block, to->a.dtype, k, values[k]);
        weft_write(ctx, to, target.block, weft__array_bytes(&to->a));
        weft__held_drop(owner, &target);
    }
    drop_values(owner, values, &h);
    return ctx->status != WEFT_OK ? ctx->status : owner->status;
}

weft_status weft__copy_parameters(weft_ctx *from, weft_ctx *to)
{
    weft__leaf *a = next_parameter(from->leaf_list), *b = next_parameter(to->leaf_list);
    weft_status status = WEFT_OK;
    for (; a && b && status == WEFT_OK; a = next_parameter(a->next), b = next_parameter(b->next)) {
        if (!weft__same_shape(&a->owner->a, &b->owner->a) || !b->owner->a.contiguous)
            return no_match(from, a->owner, b->owner);
        status = copy_one(a->owner, b->owner);
    }
    return status == WEFT_OK && (a || b) ? no_match(from, a ? a->owner : NULL, b ? b->owner : NULL) : status;
}

weft_status weft__parameter_error(weft_ctx *reference, weft_ctx *other, double *error)
{
    weft__leaf *a = next_parameter(reference->leaf_list), *b = next_parameter(other->leaf_list);
    double off = 0, size = 0;
    for (; a && b; a = next_parameter(a->next), b = next_parameter(b->next)) {
        if (!weft__same_shape(&a->owner->a, &b->owner->a))
            return no_match(reference, a->owner, b->owner);
        double *want, *got;
        weft__held first = read_values(reference, a->owner, &want), second = read_values(reference, b->owner, &got);
        for (int64_t k = 0; want && got && k < a->owner->a.count; k++) {
            off += (got[k] - want[k]) * (got[k] - want[k]);
            size += want[k] * want[k];
        }
        drop_values(reference, want, &first);
        drop_values(reference, got, &second);
    }
    *error = size > 0 ? sqrt(off / size) : 0;
    return reference->status != WEFT_OK ? reference->status : other->status;
}

/* ---- Plots ---- */

enum { HIGHEST = 0, LOWEST = -16, DECADES = HIGHEST - LOWEST, WIDEST = 64 };

/* The power of ten of an error, within the scale. */
static double decade(double error)
{
    if (isnan(error) || error >= 1)
        return HIGHEST;
    const double power = error > 0 ? log10(error) : LOWEST;
    return power < LOWEST ? LOWEST : power;
}

/* Columns of a plot of n steps, and the step that one shows. */
static int columns_of(int n)
{
    return n < WIDEST ? n : WIDEST;
}

static int step_at(int column, int n)
{
    const int columns = columns_of(n);
    return columns < 2 ? 0 : (int)((int64_t)column * (n - 1) / (columns - 1));
}

int weft_drift_plot(const weft_drift *drift, int n, char *buffer, size_t size)
{
    weft__text_buffer s = {buffer, size, 0};
    if (!drift || n < 1)
        return 0;
    int top = LOWEST, bottom = HIGHEST;
    for (int k = 0; k < n; k++) {
        const double errors[] = {drift[k].loss_error, drift[k].parameter_error};
        for (int e = 0; e < 2; e++) {
            const int row = (int)floor(decade(errors[e]));
            top = row > top ? row : top;
            bottom = row < bottom ? row : bottom;
        }
    }
    for (int row = top; row >= bottom; row--) {
        weft__put(&s, row == LOWEST ? "    0 |" : "1e%+03d |", row);
        for (int c = 0; c < columns_of(n); c++) {
            const weft_drift *d = &drift[step_at(c, n)];
            const bool loss = (int)floor(decade(d->loss_error)) == row;
            const bool parameters = (int)floor(decade(d->parameter_error)) == row;
            weft__put(&s, "%s", loss && parameters ? "8" : loss ? "o" : parameters ? "*" : " ");
        }
        weft__put(&s, "\n");
    }
    weft__put(&s, "      +");
    for (int c = 0; c < columns_of(n); c++)
        weft__put(&s, "-");
    weft__put(&s, "\n       steps 1 to %d   o loss   * parameters   8 both (relative errors)\n", n);
    return s.used;
}

static void curve(weft__text_buffer *s, const weft_drift *drift, int n, bool loss, const char *colour)
{
    weft__put(s, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"2\" points=\"", colour);
    for (int k = 0; k < n; k++) {
        const double y = decade(loss ? drift[k].loss_error : drift[k].parameter_error);
        weft__put(s, "%s%.1f,%.1f", k ? " " : "", 60 + 520.0 * k / (n > 1 ? n - 1 : 1), 20 - y * 320 / DECADES);
    }
    weft__put(s, "\"/>\n");
}

int weft_drift_svg(const weft_drift *drift, int n, char *buffer, size_t size)
{
    weft__text_buffer s = {buffer, size, 0};
    if (!drift || n < 1)
        return 0;
    weft__put(&s, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 640 400\" font-family=\"sans-serif\" "
                  "font-size=\"12\">\n<rect width=\"640\" height=\"400\" fill=\"white\"/>\n");
    for (int row = HIGHEST; row >= LOWEST; row -= 2) {
        const double y = 20 - row * 320.0 / DECADES;
        weft__put(
            &s, "<path d=\"M60 %.1fH580\" stroke=\"#ddd\"/><text x=\"52\" y=\"%.1f\" text-anchor=\"end\">1e%d</text>\n",
            y, y + 4, row);
    }
    curve(&s, drift, n, true, "#c0392b");
    curve(&s, drift, n, false, "#2471a3");
    weft__put(&s,
              "<text x=\"60\" y=\"365\">step 1</text><text x=\"580\" y=\"365\" text-anchor=\"end\">step %d</text>\n"
              "<text x=\"60\" y=\"388\" fill=\"#c0392b\">loss, relative error</text>"
              "<text x=\"240\" y=\"388\" fill=\"#2471a3\">parameters, relative L2 error</text>\n</svg>\n",
              n);
    return s.used;
}
