/* copy.c - records of what copies and converts: cast, the in-place rows, and kernels that fill. */
#include "define.h"

#define MOVES WORK(weft__terms_one, weft__flops_each, weft__bytes_once)

WEFT__DEFINE(CAST, cast, OPERANDS(ANY_DTYPE | STRIDED), RESULTS(1, ELEMENTWISE), EFFECT(PURE),
             DERIVATIVE(weft__vjp_cast, ROUNDS_ONCE, READS(NOTHING), NO_KERNEL), MOVES)
WEFT__DEFINE(COPY, copy, OPERANDS(ANY_DTYPE | STRIDED), RESULTS(0, EXACT), EFFECT(PURE), NO_DERIVATIVE, MOVES)
WEFT__DEFINE(COUNT_NONFINITE, count_nonfinite, OPERANDS(FLOATS | STRIDED), RESULTS(0, EXACT), EFFECT(PURE),
             NO_DERIVATIVE, WORK(weft__terms_ratio, weft__flops_each, weft__bytes_once))

/* ---- In place: the kernel writes to the memory of operand 0 ---- */

#define IN_PLACE_ROW(ID, name)                                                                                         \
    WEFT__DEFINE(ID, name, OPERANDS(NUMBERS | STRIDED | CHANGED, NUMBERS | STRIDED), RESULTS(0, ELEMENTWISE),          \
                 EFFECT(IN_PLACE), NO_DERIVATIVE, MOVES)

IN_PLACE_ROW(ADD_, add_)
IN_PLACE_ROW(SUB_, sub_)
IN_PLACE_ROW(MUL_, mul_)
IN_PLACE_ROW(DIV_, div_)
WEFT__DEFINE(COPY_, copy_, OPERANDS(ANY_DTYPE | STRIDED | CHANGED, ANY_DTYPE | STRIDED), RESULTS(0, ELEMENTWISE),
             EFFECT(IN_PLACE), NO_DERIVATIVE, MOVES)
WEFT__DEFINE(FILL_, fill_, OPERANDS(ANY_DTYPE | STRIDED | CHANGED), RESULTS(0, ELEMENTWISE), EFFECT(IN_PLACE),
             NO_DERIVATIVE, MOVES)

/* ---- Makers ---- */

#define MAKER(ID, name, effect)                                                                                        \
    WEFT__DEFINE(ID, name, NO_OPERANDS, RESULTS(0, ELEMENTWISE), EFFECT(effect), NO_DERIVATIVE, MOVES)

MAKER(FILL, fill, PURE)
MAKER(ARANGE, arange, PURE)
MAKER(RAND, rand, DRAWS)
MAKER(RANDN, randn, DRAWS)
MAKER(RANDINT, randint, DRAWS)
MAKER(BERNOULLI, bernoulli, DRAWS)
