/* block.c - blocks of a compute type from and to memory of any dtype; see loop.h. */
#include "base/half.h"
#include "loop.h"

/* One element, at a byte address of any alignment that its dtype allows. */
#define AT(T, base, i, stride) (*(T *)(void *)((char *)(base) + (i) * (stride)))
#define CAT_AT(T, base, i, stride) (*(const T *)(const void *)((const char *)(base) + (i) * (stride)))

/* Loads and stores of T elements through a conversion, dense runs in a loop of their own that vectorises. */
#define DEFINE_LOAD(name, T, L, convert)                                                                               \
    static void load_##name(int64_t n, const void *src, int64_t stride, L *block)                                      \
    {                                                                                                                  \
        if (stride == (int64_t)sizeof(T)) {                                                                            \
            const T *dense = src;                                                                                      \
            WEFT__SIMD for (int64_t i = 0; i < n; i++)                                                                 \
            {                                                                                                          \
                block[i] = convert(dense[i]);                                                                          \
            }                                                                                                          \
            return;                                                                                                    \
        }                                                                                                              \
        for (int64_t i = 0; i < n; i++) {                                                                              \
            block[i] = convert(CAT_AT(T, src, i, stride));                                                             \
        }                                                                                                              \
    }

#define DEFINE_STORE(name, T, L, convert)                                                                              \
    static void store_##name(int64_t n, const L *block, void *dst, int64_t stride)                                     \
    {                                                                                                                  \
        if (stride == (int64_t)sizeof(T)) {                                                                            \
            T *dense = dst;                                                                                            \
            WEFT__SIMD for (int64_t i = 0; i < n; i++)                                                                 \
            {                                                                                                          \
                dense[i] = convert(block[i]);                                                                          \
            }                                                                                                          \
            return;                                                                                                    \
        }                                                                                                              \
        for (int64_t i = 0; i < n; i++) {                                                                              \
            AT(T, dst, i, stride) = convert(block[i]);                                                                 \
        }                                                                                                              \
    }

#define TO_BOOL(x) ((uint8_t)((x) != 0))

DEFINE_LOAD(f32, float, float, (float))
DEFINE_LOAD(f64, double, double, (double))
DEFINE_LOAD(bf16, uint16_t, float, weft__bf16_to_f32)
DEFINE_LOAD(f16, uint16_t, float, weft__f16_to_f32)
DEFINE_LOAD(i64, int64_t, int64_t, (int64_t))
DEFINE_LOAD(i32, int32_t, int64_t, (int64_t))
DEFINE_LOAD(i8, int8_t, int64_t, (int64_t))
DEFINE_LOAD(u8, uint8_t, int64_t, (int64_t))

DEFINE_STORE(f32, float, float, (float))
DEFINE_STORE(f64, double, double, (double))
DEFINE_STORE(bf16, uint16_t, float, weft__bf16_from_f32)
DEFINE_STORE(f16, uint16_t, float, weft__f16_from_f32)
DEFINE_STORE(i64, int64_t, int64_t, (int64_t))
DEFINE_STORE(i32, int32_t, int64_t, (int32_t))
DEFINE_STORE(u8, uint8_t, int64_t, (uint8_t))
DEFINE_STORE(bool, uint8_t, int64_t, TO_BOOL)

/* A value repeated: loaded once. */
static void repeat(int64_t n, void *block, int64_t bytes)
{
    if (bytes == 8) {
        uint64_t *p = block, v = p[0];
        for (int64_t i = 1; i < n; i++) {
            p[i] = v;
        }
    } else {
        uint32_t *p = block, v = p[0];
        for (int64_t i = 1; i < n; i++) {
            p[i] = v;
        }
    }
}

void WEFT__CPU(load)(int64_t n, int32_t dtype, const void *src, int64_t stride, void *block)
{
    if (stride == 0 && n > 1) {
        WEFT__CPU(load)(1, dtype, src, 1, block);
        repeat(n, block, weft__compute_type_of(dtype) == WEFT__COMPUTE_F32 ? 4 : 8);
        return;
    }
    switch (dtype) {
    case WEFT_F32:
        load_f32(n, src, stride, block);
        break;
    case WEFT_F64:
        load_f64(n, src, stride, block);
        break;
    case WEFT_F16:
        if (stride == 2) {
            weft__f16_to_f32_n(n, src, block);
        } else {
            load_f16(n, src, stride, block);
        }
        break;
    case WEFT_BF16:
        load_bf16(n, src, stride, block);
        break;
    case WEFT_I64:
        load_i64(n, src, stride, block);
        break;
    case WEFT_I32:
        load_i32(n, src, stride, block);
        break;
    case WEFT_I8:
        load_i8(n, src, stride, block);
        break;
    default: /* bool too */
        load_u8(n, src, stride, block);
        break;
    }
}

void WEFT__CPU(store)(int64_t n, int32_t dtype, const void *block, void *dst, int64_t stride)
{
    switch (dtype) {
    case WEFT_F32:
        store_f32(n, block, dst, stride);
        break;
    case WEFT_F64:
        store_f64(n, block, dst, stride);
        break;
    case WEFT_F16:
        if (stride == 2) {
            weft__f16_from_f32_n(n, block, dst);
        } else {
            store_f16(n, block, dst, stride);
        }
        break;
    case WEFT_BF16:
        store_bf16(n, block, dst, stride);
        break;
    case WEFT_I64:
        store_i64(n, block, dst, stride);
        break;
    case WEFT_I32:
        store_i32(n, block, dst, stride);
        break;
    case WEFT_BOOL:
        store_bool(n, block, dst, stride);
        break;
    default: /* i8 wraps as u8 does */
        store_u8(n, block, dst, stride);
        break;
    }
}
