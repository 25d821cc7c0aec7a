/* drive.h - what the kernels of every device are handed for a row: the semantic half of the driver. */
#ifndef WEFT_CORE_DRIVE_H
#define WEFT_CORE_DRIVE_H

#include "backend.h"

/* Which operands an operation may be called with; others are WEFT_E_DTYPE, on every device. */
typedef enum weft__domain { WEFT__ALL_DTYPES, WEFT__NOT_BOOL, WEFT__FLOATS_ONLY } weft__domain;

/* Bit k stands for in[k], or for out[k]. All other operands and results reach kernels contiguous. */
typedef struct weft__operands {
    uint8_t strided;   /* operands with any strides */
    uint8_t positions; /* operands of indices or classes, each of which is checked: kernels get i64 */
    uint8_t moved;     /* operands that are not computed with, truth values among them: in whatever dtype they have */
    uint8_t moved_out; /* results likewise */
    bool as_is;        /* all of them, with any strides: no driver */
    bool steps;        /* lists of arrays that an optimiser steps */
    weft__domain domain;
} weft__operands;

extern const weft__operands weft__operands_of[WEFT_OP_COUNT];

/* The driver's entries of weft__host. */
weft_status weft__drive(const weft__exec *e, const weft__needs *needs, weft__kernel kernel);
bool weft__checks_positions(weft_op op);

#endif
