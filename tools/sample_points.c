/* sample_points.c - see sample_points.h. */
#include "sample_points.h"

#include <math.h>
#include <string.h>

/* Elements that are set to a value, where derivatives are compared with differences: zeros of a product and the axes of
 * an angle, exponents of 0 and 1, a prediction that is its target. Where a derivative jumps
 * (ties, kinks, limits) differences say nothing; its value there is a convention, which the tests state. */
static const struct point {
    const char *name;
    int operand;
    int64_t element;
    double value;
} points[] = {
    {"prod", 0, 0, 0},     {"prod", 0, 4, 0},        {"prod", 0, 5, 0},
    {"huber", 0, 0, 0.25}, {"huber", 1, 0, 0.25},    {"mse", 0, 0, 0.25},
    {"mse", 1, 0, 0.25},   {"atan2", 0, 1, 0},       {"atan2", 1, 2, 0},
    {"atan2", 0, 3, -1},   {"atan2", 1, 3, -1},      {"pow", 1, 0, 0},
    {"pow", 1, 1, 1},      {"pow", 1, 2, 2},         {"pow", 0, 3, 1},
    {"norm", 0, 0, 0},     {"logsumexp", 0, 0, 0.5}, {"logsumexp", 0, 1, 0.5},
    {"softmax", 0, 0, 0},  {"softmax", 0, 1, 0},     {"bce_with_logits", 0, 0, 0},
    {"where", 1, 0, 0},    {"rms_norm", 0, 0, 0},    {"layer_norm", 0, 0, 0},
};

/* Formulas of one operand turn at 0, where they are as smooth as their row says. */
static bool turns_at_zero(const sample *s)
{
    return s->op.family == WEFT_OP_FAMILY_UNARY && isnan(s->op.kink) && s->op.lo < 0 && s->op.hi > 0;
}

void sample_points(const sample *s, int which, double *values, int64_t count)
{
    if (turns_at_zero(s) && count > 0)
        values[0] = 0;
    for (size_t k = 0; k < sizeof points / sizeof points[0]; k++)
        if (points[k].operand == which && points[k].element < count && strcmp(points[k].name, s->op.name) == 0)
            values[points[k].element] = points[k].value;
}
