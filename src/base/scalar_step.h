/* scalar_step.h - the formula of every STEP row of ops.def, once, as inline functions of float and double, for the CPU
 * loops and the CUDA kernels. C17 and CUDA C++17. For a row NAME and the suffixes _f32 and _f64:
 *
 *   weft__constants_NAME    a struct of the row's constants
 *   weft__find_NAME         (attributes) -> constants; on the host
 *   weft__step_NAME         (constants, parameter, gradient, state): changes parameter and state, an array of as many
 *                           values as the row has states
 * and, without suffix, weft__unset_NAME (the row's own attributes): whether the state holds nothing yet. */
#ifndef WEFT_BASE_SCALAR_STEP_H
#define WEFT_BASE_SCALAR_STEP_H

#include "base/attrs.h"
#include "base/scalar.h"

/* X(k) for each of so many states. */
#define WEFT__STATES_1(X) X(0)
#define WEFT__STATES_2(X) X(0) X(1)
#define WEFT__STATES_3(X) X(0) X(1) X(2)
#define WEFT__STATES_4(X) X(0) X(1) X(2) X(3)

#if defined(__GNUC__)
#define WEFT__STEP_HOST static inline __attribute__((unused))
#else
#define WEFT__STEP_HOST static inline
#endif

#define WEFT_OP(ID, name, family, doc)
#define WEFT_STEP(ID, name, attributes, type, states, unset, constants, element, doc)                                  \
    WEFT__STEP_HOST bool weft__unset_##name(const weft__##attributes##_attrs *a)                                       \
    {                                                                                                                  \
        (void)a;                                                                                                       \
        return unset;                                                                                                  \
    }
#include "ops/ops.def"

#define T float
#define M(fn) weft__m_##fn##_f32
#define K(c) ((float)(c))
#define FN(stem, name) stem##name##_f32
#include "base/scalar_step.inc"

#define T double
#define M(fn) weft__m_##fn##_f64
#define K(c) ((double)(c))
#define FN(stem, name) stem##name##_f64
#include "base/scalar_step.inc"

#endif
