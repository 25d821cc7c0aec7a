/* unread_matmul.c - the records of products with a mistake: that no derivative reads the first operand. See
 * unread_index.c. */
#include "ops/define.h"

#undef FIRST
#define FIRST NOTHING
#include "ops/matmul.c"
