/* attrs.h - the attributes of an operation as plain data: the structs that the lines WEFT_ATTRS of ops.def say.
 *
 * Front ends, kernels and derivatives use the struct of their operation. The tape and saved runs, which know no
 * operation, see the same as ni integers and nf reals; so every struct is made of whole int64_t and double, its
 * integers from numbers.i[0] on and its reals from numbers.f[0] on. */
#ifndef WEFT_BASE_ATTRS_H
#define WEFT_BASE_ATTRS_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#define WEFT__MAX_INT_ATTRS 24
#define WEFT__MAX_REAL_ATTRS 8

/* ---- The words of WEFT_ATTRS: arguments of macros, of which the first says whether there are any ---- */

#define INTS(...) SOME, __VA_ARGS__
#define NO_INTS NO, 0
#define REALS(...) SOME, __VA_ARGS__
#define NO_REALS NO, 0
#define VARYING(...) SOME, __VA_ARGS__
#define FIXED NO, 0

/* ---- One struct for each ---- */

/* The integers by themselves, only to be counted. */
#define WEFT__COUNT_INTS(name, any, ...)                                                                               \
    struct weft__##name##_ints {                                                                                       \
        WEFT__FIELDS_##any(int64_t, __VA_ARGS__) char end;                                                             \
    };
#define WEFT__FIELDS_SOME(type, ...) type __VA_ARGS__;
#define WEFT__FIELDS_NO(type, none)
#define WEFT__INTS_OF(any, ...) WEFT__FIELDS_##any(int64_t, __VA_ARGS__)
#define WEFT__REALS_OF(name, any, ...) WEFT__REALS_##any(name, __VA_ARGS__)
#define WEFT__REALS_SOME(name, ...)                                                                                    \
    int64_t unused_[WEFT__MAX_INT_ATTRS - WEFT__INTS_##name];                                                          \
    double __VA_ARGS__;
#define WEFT__REALS_NO(name, none)

#define WEFT_ATTRS(name, whole, real, varying)                                                                         \
    WEFT__COUNT_INTS(name, whole)                                                                                      \
    enum { WEFT__INTS_##name = offsetof(struct weft__##name##_ints, end) / sizeof(int64_t) };                          \
    typedef struct weft__##name##_attrs {                                                                              \
        WEFT__INTS_OF(whole)                                                                                           \
        WEFT__REALS_OF(name, real)                                                                                     \
    } weft__##name##_attrs;
#include "ops/ops.def"

/* ---- All of them ---- */

typedef struct weft__attrs {
    int32_t ni, nf; /* how many of numbers.i and numbers.f are set */
    union {
        struct {
            int64_t i[WEFT__MAX_INT_ATTRS];
            double f[WEFT__MAX_REAL_ATTRS];
        } numbers; /* for the tape, saved runs and copies of attributes: whatever the operation is */
#define WEFT_ATTRS(name, whole, real, varying) weft__##name##_attrs name;
#include "ops/ops.def"
    };
} weft__attrs;

/* ---- What records say of them ---- */

/* Where the reals begin, if there are any. */
#define WEFT__REALS_AT sizeof(int64_t[WEFT__MAX_INT_ATTRS])
#define WEFT__COUNT_REALS(name, any, ...) WEFT__COUNT_REALS_##any(name)
#define WEFT__COUNT_REALS_SOME(name) (sizeof(weft__##name##_attrs) - WEFT__REALS_AT) / sizeof(double)
#define WEFT__COUNT_REALS_NO(name) 0

/* The bits of varying attributes: integer k is bit k, real k is bit WEFT__MAX_INT_ATTRS + k. */
#define WEFT__VARIES(name, field) (1 << offsetof(weft__##name##_attrs, field) / sizeof(int64_t))
#define WEFT__VARYING_OF(name, any, ...) WEFT__VARYING_##any(name, __VA_ARGS__)
#define WEFT__VARYING_NO(name, none) 0
#define WEFT__VARYING_SOME(name, ...) WEFT__VARY(WEFT__FIFTH(__VA_ARGS__, 4, 3, 2, 1, 0), name, __VA_ARGS__)
#define WEFT__FIFTH(a, b, c, d, fifth, ...) fifth
#define WEFT__VARY(n, name, ...) WEFT__VARY_N(n, name, __VA_ARGS__)
#define WEFT__VARY_N(n, name, ...) WEFT__VARY_##n(name, __VA_ARGS__)
#define WEFT__VARY_1(name, a) WEFT__VARIES(name, a)
#define WEFT__VARY_2(name, a, b) WEFT__VARY_1(name, a) | WEFT__VARIES(name, b)
#define WEFT__VARY_3(name, a, b, c) WEFT__VARY_2(name, a, b) | WEFT__VARIES(name, c)
#define WEFT__VARY_4(name, a, b, c, d) WEFT__VARY_3(name, a, b, c) | WEFT__VARIES(name, d)

enum {
#define WEFT_ATTRS(name, whole, real, varying)                                                                         \
    WEFT__REALS_##name = WEFT__COUNT_REALS(name, real), WEFT__VARYING_##name = WEFT__VARYING_OF(name, varying),
#include "ops/ops.def"
    WEFT__INTS_none = 0,
    WEFT__REALS_none = 0,
    WEFT__VARYING_none = 0
};

/* In an initialiser of a weft__attrs: how many integers and reals that struct has. */
#define WEFT__COUNTS(name) .ni = WEFT__INTS_##name, .nf = WEFT__REALS_##name

/* Nothing but integers and reals, the latter where numbers.f is, and room for both. */
#define WEFT__REALS_BEGIN(name, any, ...) WEFT__REALS_BEGIN_##any(name)
#define WEFT__REALS_BEGIN_SOME(name)                                                                                   \
    offsetof(weft__##name##_attrs, unused_) + sizeof(((weft__##name##_attrs *)0)->unused_)
#define WEFT__REALS_BEGIN_NO(name) WEFT__REALS_AT
#define WEFT_ATTRS(name, whole, real, varying)                                                                         \
    static_assert(sizeof(weft__##name##_attrs) ==                                                                      \
                      (WEFT__REALS_##name > 0 ? WEFT__REALS_AT : sizeof(int64_t) * WEFT__INTS_##name) +                \
                          sizeof(double) * WEFT__REALS_##name,                                                         \
                  "integers from numbers.i on, and reals");                                                            \
    static_assert(WEFT__REALS_BEGIN(name, real) == WEFT__REALS_AT, "reals from numbers.f on");                         \
    static_assert((int)WEFT__INTS_##name <= WEFT__MAX_INT_ATTRS && (int)WEFT__REALS_##name <= WEFT__MAX_REAL_ATTRS,    \
                  "no more than numbers has room for");
#include "ops/ops.def"

#undef INTS
#undef NO_INTS
#undef REALS
#undef NO_REALS
#undef VARYING
#undef FIXED

#endif
