/* sample_points.h - points where a formula has a case of its own: part of every sample whose derivative is checked. */
#ifndef WEFT_TOOL_SAMPLE_POINTS_H
#define WEFT_TOOL_SAMPLE_POINTS_H

#include "samples.h"

/* Puts the points of the row's operand `which` into its values. */
void sample_points(const sample *s, int which, double *values, int64_t count);

#endif
