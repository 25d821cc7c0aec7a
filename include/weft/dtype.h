/* dtype.h - element types and the promotion table.
 *
 * Promotion, used wherever an operation meets two dtypes (weft_promote):
 *
 *         | bool  u8   i8   i32  i64  f16  bf16 f32  f64
 *   ------+---------------------------------------------
 *   bool  | bool  u8   i8   i32  i64  f16  bf16 f32  f64
 *   u8    |       u8   i32  i32  i64  f16  bf16 f32  f64
 *   i8    |            i8   i32  i64  f16  bf16 f32  f64
 *   i32   |                 i32  i64  f16  bf16 f32  f64
 *   i64   |                      i64  f16  bf16 f32  f64
 *   f16   |                           f16  f32  f32  f64
 *   bf16  |                                bf16 f32  f64
 *   f32   |                                     f32  f64
 *   f64   |                                          f64
 *
 * A floating type wins over an integer one whatever its width; f16 with bf16 gives f32, since neither holds the other.
 * Operations that need a floating type (exp, div, mean ...) first turn integers and bool into f32. Arithmetic on bool
 * alone is done in i64, so that sums of flags count. Half types are stored as 16 bits and computed in f32.
 *
 * Part of the public API; include <weft/weft.h>. */
#ifndef WEFT_DTYPE_H
#define WEFT_DTYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weft/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* X(enum suffix, bytes, text). bool is one byte, 0 or 1. f16 is IEEE binary16, bf16 the upper half of an f32. */
#define WEFT_DTYPE_LIST(X)                                                                                             \
    X(F32, 4, "f32")                                                                                                   \
    X(F64, 8, "f64")                                                                                                   \
    X(F16, 2, "f16")                                                                                                   \
    X(BF16, 2, "bf16")                                                                                                 \
    X(I64, 8, "i64")                                                                                                   \
    X(I32, 4, "i32")                                                                                                   \
    X(I8, 1, "i8")                                                                                                     \
    X(U8, 1, "u8")                                                                                                     \
    X(BOOL, 1, "bool")

typedef enum weft_dtype {
#define WEFT_DTYPE_ENUM(name, bytes, text) WEFT_##name,
    WEFT_DTYPE_LIST(WEFT_DTYPE_ENUM)
#undef WEFT_DTYPE_ENUM
        WEFT_DTYPE_COUNT
} weft_dtype;

WEFT_API const char *weft_dtype_name(weft_dtype dtype);       /* "f32"; "invalid" for a bad value */
WEFT_API size_t weft_dtype_size(weft_dtype dtype);            /* bytes an element; 0 for a bad value */
WEFT_API bool weft_dtype_is_float(weft_dtype dtype);          /* f64, f32, f16, bf16 */
WEFT_API weft_dtype weft_promote(weft_dtype a, weft_dtype b); /* the table above */

/* Conversions between f32 and the 16-bit formats; round to nearest even, NaN stays NaN. */
WEFT_API uint16_t weft_f32_to_f16(float x);
WEFT_API float weft_f16_to_f32(uint16_t bits);
WEFT_API uint16_t weft_f32_to_bf16(float x);
WEFT_API float weft_bf16_to_f32(uint16_t bits);

#ifdef __cplusplus
}
#endif
#endif
