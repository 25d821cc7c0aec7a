/* view.c - records of the views. */
#include "define.h"

WEFT__DEFINE_VIEW(RESHAPE, reshape, weft__vjp_reshape)
WEFT__DEFINE_VIEW(TRANSPOSE, transpose, weft__vjp_transpose)
WEFT__DEFINE_VIEW(PERMUTE, permute, weft__vjp_permute)
WEFT__DEFINE_VIEW(EXPAND, expand, weft__vjp_expand)
WEFT__DEFINE_VIEW(SQUEEZE, squeeze, weft__vjp_squeeze)
WEFT__DEFINE_VIEW(UNSQUEEZE, unsqueeze, weft__vjp_unsqueeze)
WEFT__DEFINE_VIEW(SLICE, slice, weft__vjp_slice)
WEFT__DEFINE_VIEW(SELECT, select, weft__vjp_select)
WEFT__DEFINE_VIEW(DETACH, detach, NULL)
