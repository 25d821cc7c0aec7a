/* many_results.h - a row of 64 results: see many_results.c. */
#ifndef WEFT_TESTS_RECORDS_MANY_RESULTS_H
#define WEFT_TESTS_RECORDS_MANY_RESULTS_H

#include "engine/engine.h"

enum { MANY = WEFT__MAX_DEF_RESULTS };

bool many_results(weft_tensor *x, bool without_last, weft_tensor **out);
extern int many_rules; /* how often its derivative was asked for */

#endif
