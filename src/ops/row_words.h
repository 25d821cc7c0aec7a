/* row_words.h - what the words of a row (ops.def) become where it is data: kinks, and whether there is a derivative.
 * Included by sources that make a table of the rows. */
#ifndef WEFT_OPS_ROW_WORDS_H
#define WEFT_OPS_ROW_WORDS_H

#include <math.h>

/* Where the derivative jumps: nowhere, or not at one value. */
#define NONE NAN
#define STEP INFINITY
#define PARAM INFINITY
#define EQUAL INFINITY
#define MULTIPLE INFINITY
#define BOTH(c) INFINITY /* at c and -c */

/* The reason why there is no derivative; NULL: there is one. */
#define YES NULL
#define NO(why) why
#define NO_TRUTH "a truth value has no derivative"
#define NO_WHOLE "a whole number has no derivative"
#define NO_DETACHED "that is its purpose"

/* The test domain of a row that says none, and no kink. */
#define ANYWHERE .lo = -4, .hi = 4, .kink = NAN

#endif
