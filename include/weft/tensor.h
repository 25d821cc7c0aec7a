/* tensor.h - making tensors, looking at them, getting data in and out.
 *
 * A tensor is a typed block of up to 8 dims; strides are counted in elements, and views share storage. 0-d tensors
 * (scalars) and tensors with a dim of size 0 are ordinary. Shapes are a pointer and a length everywhere; WEFT_DIMS(64,
 * 784) writes both arguments at once, also for lists of dims (0, -1), of which WEFT_ALL is "all dims".
 * Negative dims count from the end. A tensor has at most 2^63 - 1 bytes, counting what a view repeats (weft_expand): a
 * shape beyond that is WEFT_E_SHAPE.
 *
 * Every maker returns a tensor of the innermost scope, or NULL with the error recorded in the context.
 *
 * Part of the public API; include <weft/weft.h>. */
#ifndef WEFT_TENSOR_H
#define WEFT_TENSOR_H

#include <stdio.h>
#include <weft/ctx.h>
#include <weft/dtype.h>

#define WEFT_MAX_DIMS 8
#define WEFT_ALL NULL, -1   /* all dims; an empty list is none */
#define WEFT_SCALAR NULL, 0 /* the shape of a 0-d tensor */

/* The two arguments that every list of sizes or dims is: WEFT_DIMS(64, 784), WEFT_DIMS(0, -1). Each expression
 * is evaluated once and converted to int64_t as a function argument would be. */
#ifdef __cplusplus
#include <cstddef>
#include <type_traits>
namespace weft_detail
{
template <std::size_t n> struct list {
    int64_t items[n > 0 ? n : 1];
};
template <class... T> inline list<sizeof...(T)> make_list(T... values)
{
    static_assert(sizeof...(T) <= 32, "a list of dims has at most 32 numbers");
    return {{static_cast<int64_t>(values)...}};
}
template <class... T> std::integral_constant<int, static_cast<int>(sizeof...(T))> length_of(T...); /* never called */
} // namespace weft_detail
#define WEFT_DIMS(...)                                                                                                 \
    ::weft_detail::make_list(__VA_ARGS__).items, decltype(::weft_detail::length_of(__VA_ARGS__))::value
extern "C" {
#else
#define WEFT_DIMS(...) (const int64_t[]){__VA_ARGS__}, (int)(sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t))
#endif

/* ---- Making ---- */

/* Copies count elements of dtype from data, row-major. data may be NULL only when the shape has no elements. A bool is
 * a byte, 0 or 1; others count as true and become 1 in the copy. */
WEFT_API weft_tensor *weft_from_data(weft_ctx *ctx, weft_dtype dtype, const int64_t *shape, int ndim, const void *data);

/* Uses data in place, without a copy. Wraps of one context that overlap are as views of one memory: what an operation
 * changes in place through one is seen through the others, by gradients too. It must stay valid and unmoved until
 * release(user, data) is called (release may be NULL), which happens once, when nothing uses it any more, and at once
 * if the call fails. release only looks at the context and releases tensors (ctx.h: Callbacks). Bytes of a bool must be
 * 0 or 1, now (others are WEFT_E_INVALID; the memory is yours, so nothing is changed) and whenever you write them. */
WEFT_API weft_tensor *weft_wrap(weft_ctx *ctx, weft_dtype dtype, const int64_t *shape, int ndim, void *data,
                                void (*release)(void *user, void *data), void *user);

/* A value becomes an element as by weft_cast from f64: rounded; for integer dtypes cut toward 0 and saturated, NaN 0;
 * for bool true unless it is 0. weft_fill_ and weft_pad do the same. */
WEFT_API weft_tensor *weft_zeros(weft_ctx *ctx, weft_dtype dtype, const int64_t *shape, int ndim);
WEFT_API weft_tensor *weft_ones(weft_ctx *ctx, weft_dtype dtype, const int64_t *shape, int ndim);
WEFT_API weft_tensor *weft_full(weft_ctx *ctx, weft_dtype dtype, const int64_t *shape, int ndim, double value);
WEFT_API weft_tensor *weft_scalar(weft_ctx *ctx, weft_dtype dtype, double value); /* 0-d */
WEFT_API weft_tensor *weft_zeros_like(weft_tensor *x);                            /* x's shape and dtype */
WEFT_API weft_tensor *weft_full_like(weft_tensor *x, double value);

/* start, start + step, ... before stop: ceil((stop - start) / step) elements; step may be negative, not 0. In an
 * integer dtype all of them must be whole numbers that it holds; bool counts nothing. */
WEFT_API weft_tensor *weft_arange(weft_ctx *ctx, weft_dtype dtype, double start, double stop, double step);
/* n >= 0 values from start to stop, both included; floating dtypes. */
WEFT_API weft_tensor *weft_linspace(weft_ctx *ctx, weft_dtype dtype, double start, double stop, int64_t n);
/* [rows, columns] with ones on the diagonal. */
WEFT_API weft_tensor *weft_eye(weft_ctx *ctx, weft_dtype dtype, int64_t rows, int64_t columns);

/* Random values; the same seed and order of calls give the same values on every device and for any thread count. */
WEFT_API weft_tensor *weft_rand(weft_ctx *ctx, weft_dtype dtype, const int64_t *shape, int ndim, double lo,
                                double hi); /* uniform in [lo, hi); floating */
WEFT_API weft_tensor *weft_randn(weft_ctx *ctx, weft_dtype dtype, const int64_t *shape, int ndim, double mean,
                                 double std); /* normal; floating */
WEFT_API weft_tensor *weft_randint(weft_ctx *ctx, weft_dtype dtype, const int64_t *shape, int ndim, int64_t lo,
                                   int64_t hi); /* uniform integers in [lo, hi), all of which dtype holds; not bool */
WEFT_API weft_tensor *weft_bernoulli(weft_ctx *ctx, weft_dtype dtype, const int64_t *shape, int ndim,
                                     double p); /* 1 with probability p, else 0; any dtype */

/* ---- Looking ---- (NULL gives 0, NULL, false or WEFT_F32: check the tensor first if that matters; so does a tensor
 * that was freed, and WEFT_E_DEAD_TENSOR is recorded in its context) */

WEFT_API int weft_ndim(const weft_tensor *t);
WEFT_API const int64_t *weft_shape(const weft_tensor *t);   /* ndim sizes; valid as long as t */
WEFT_API const int64_t *weft_strides(const weft_tensor *t); /* ndim strides in elements */
WEFT_API int64_t weft_size(const weft_tensor *t,
                           int64_t dim); /* one size; negative dims count from the end; -1 if there is no such dim */
WEFT_API int64_t weft_count(const weft_tensor *t); /* number of elements */
WEFT_API size_t weft_bytes(const weft_tensor *t);  /* weft_count * weft_dtype_size: what weft_read fills; never wraps */
WEFT_API weft_dtype weft_dtype_of(const weft_tensor *t);
WEFT_API bool weft_is_contiguous(const weft_tensor *t); /* row-major without gaps */
WEFT_API weft_ctx *weft_ctx_of(const weft_tensor *t);   /* NULL for a shared tensor */

/* A name for messages and reports; copied, cut to 47 bytes or to the UTF-8 character before. Returns t. */
WEFT_API weft_tensor *weft_set_name(weft_tensor *t, const char *name);
WEFT_API const char *weft_name(const weft_tensor *t); /* "" if it has none */

/* The check that every operation begins with, for a function of your own that was given t: not NULL, not freed, and of
 * ctx or shared. Otherwise WEFT_E_NULL_ARGUMENT, WEFT_E_DEAD_TENSOR or WEFT_E_MIXED_CONTEXTS is recorded, with a
 * sentence that begins "weft_<function>: <what> <number> was freed"; number -1: without a number. Returns the context's
 * first error, or WEFT_OK. */
WEFT_API WEFT_MUST_CHECK weft_status weft_check(weft_ctx *ctx, const char *function, const weft_tensor *t,
                                                const char *what, int number);

/* ---- Data in and out ---- */

/* Copies all elements, row-major, to out; bytes must be count * weft_dtype_size. */
WEFT_API WEFT_MUST_CHECK weft_status weft_read(weft_ctx *ctx, weft_tensor *t, void *out, size_t bytes);

/* Overwrites all elements from data, row-major: weft_copy_ of a tensor that weft_from_data makes, by the same rules. */
WEFT_API weft_status weft_write(weft_ctx *ctx, weft_tensor *t, const void *data, size_t bytes);

/* The value of a tensor with one element. NAN (and INT64_MIN) after an error. Integers beyond 2^53 need
 * weft_item_i64. */
WEFT_API double weft_item(weft_ctx *ctx, weft_tensor *t);
WEFT_API int64_t weft_item_i64(weft_ctx *ctx, weft_tensor *t); /* integer and bool dtypes */

/* The first element's address, for reading and writing host memory in place; strides apply. Owned by the tensor.
 * After writing through it, a gradient that saved the old values is not detected: prefer weft_write. Bytes of a bool
 * are 0 or 1, nothing else. NULL for NULL. */
WEFT_API void *weft_data(weft_tensor *t);

/* Writes t as NumPy 2.4 prints an array (at most 8 digits after the point, of more than 1000 elements the first and
 * last three of each dim), in any locale, into buffer, cut to size bytes with the terminator. bf16, which NumPy lacks,
 * by the same rules; an empty t of two dims or more with its shape, "[] (shape [0, 3])". Returns the length of the
 * whole text without terminator, as snprintf does; -1 after an error. */
WEFT_API int64_t weft_format(weft_ctx *ctx, weft_tensor *t, char *buffer, size_t size);

/* The same to a stream, with a final newline. */
WEFT_API weft_status weft_print(weft_ctx *ctx, weft_tensor *t, FILE *stream);

/* ---- From one context to another ---- */

/* A contiguous copy of t in ctx, a context on any device, with t's dtype and shape. t belongs to another context (on
 * the same device, another one of its kind, or any other), to this one (then it is a copy like any other) or to none
 * (weft_share); it may be strided, and is neither changed nor held. No gradient flows from one context to another: the
 * copy has no history and requires none.
 *
 * What was queued for t before is done first, and what is queued in either context afterwards comes after. Between two
 * GPUs, or two contexts on one, the bytes go directly and the call returns while they are on their way; other copies
 * are complete when it returns.
 *
 * NULL after an error, which is then ctx's. What is wrong with t (it was freed, an error of its context sticks, its
 * device fails) is that of t's context as well. An error that only running work can find, an index out of range,
 * appears at the next wait of the context that it runs in. Both contexts are used by the thread that calls. */
WEFT_API weft_tensor *weft_copy_to(weft_ctx *ctx, weft_tensor *t);

/* ---- Sharing between threads ----
 * weft_share makes a read-only copy of t that belongs to no context: any number of contexts, on any threads, may use it
 * as an input at the same time, none may write to it, and it never requires a gradient. An operation takes its context
 * from its other inputs; where there is none (weft_lost_error in ctx.h), weft_borrow gives a view that belongs to ctx.
 * The copy is in host memory: on a GPU borrow once and keep that, a copy on the device, since each use of the shared
 * tensor copies anew. The caller owns the result: weft_release frees it once the last context that uses it has let go.
 * The allocator hooks of t's context must outlive it and be safe to call from any thread. */
WEFT_API weft_tensor *weft_share(weft_tensor *t);
WEFT_API weft_tensor *weft_borrow(weft_ctx *ctx, weft_tensor *shared);

#ifdef __cplusplus
}
#endif

#ifndef WEFT_NO_CALL_SITES
#define WEFT_HERE(function) weft_call_site(__FILE__, __LINE__, function)
#define weft_from_data(...) (WEFT_HERE("from_data"), weft_from_data(__VA_ARGS__))
#define weft_wrap(...) (WEFT_HERE("wrap"), weft_wrap(__VA_ARGS__))
#define weft_zeros(...) (WEFT_HERE("zeros"), weft_zeros(__VA_ARGS__))
#define weft_ones(...) (WEFT_HERE("ones"), weft_ones(__VA_ARGS__))
#define weft_full(...) (WEFT_HERE("full"), weft_full(__VA_ARGS__))
#define weft_scalar(...) (WEFT_HERE("scalar"), weft_scalar(__VA_ARGS__))
#define weft_zeros_like(...) (WEFT_HERE("zeros_like"), weft_zeros_like(__VA_ARGS__))
#define weft_full_like(...) (WEFT_HERE("full_like"), weft_full_like(__VA_ARGS__))
#define weft_arange(...) (WEFT_HERE("arange"), weft_arange(__VA_ARGS__))
#define weft_linspace(...) (WEFT_HERE("linspace"), weft_linspace(__VA_ARGS__))
#define weft_eye(...) (WEFT_HERE("eye"), weft_eye(__VA_ARGS__))
#define weft_rand(...) (WEFT_HERE("rand"), weft_rand(__VA_ARGS__))
#define weft_randn(...) (WEFT_HERE("randn"), weft_randn(__VA_ARGS__))
#define weft_randint(...) (WEFT_HERE("randint"), weft_randint(__VA_ARGS__))
#define weft_bernoulli(...) (WEFT_HERE("bernoulli"), weft_bernoulli(__VA_ARGS__))
#define weft_read(...) (WEFT_HERE("read"), weft_read(__VA_ARGS__))
#define weft_write(...) (WEFT_HERE("write"), weft_write(__VA_ARGS__))
#define weft_item(...) (WEFT_HERE("item"), weft_item(__VA_ARGS__))
#define weft_share(...) (WEFT_HERE("share"), weft_share(__VA_ARGS__))
#define weft_copy_to(...) (WEFT_HERE("copy_to"), weft_copy_to(__VA_ARGS__))
#define weft_borrow(...) (WEFT_HERE("borrow"), weft_borrow(__VA_ARGS__))
#endif
#endif
