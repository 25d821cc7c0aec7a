/* unread_index.c - the records of indexing with a mistake: that no derivative reads the index. Linked instead of the
 * right ones into a program in which RecordsOverwritten must fail for it. (A result that is not read is not kept, so
 * that a rule which reads it all the same cannot go on in silence.) */
#include "ops/define.h"

#undef SECOND
#define SECOND NOTHING
#include "ops/index.c"
