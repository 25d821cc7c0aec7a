/* status.h - status codes and build attributes: the part of Weft that every other header includes.
 *
 * Part of the public API; include <weft/weft.h>. */
#ifndef WEFT_STATUS_H
#define WEFT_STATUS_H

#if defined(__GNUC__) || defined(__clang__)
#define WEFT_API __attribute__((visibility("default")))
#define WEFT_MUST_CHECK __attribute__((warn_unused_result))
#else
#define WEFT_API
#define WEFT_MUST_CHECK
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Every status: X(name, value, what it means and what usually helps). Values never change once released. Messages
 * count as C does: operand 0, input 0, parameter 0 and dim 0 are the first. */
#define WEFT_STATUS_LIST(X)                                                                                            \
    X(OK, 0, "success")                                                                                                \
    X(NULL_ARGUMENT, 1, "a required argument is NULL; an earlier call may have failed")                                \
    X(INVALID, 2, "an argument is outside its domain")                                                                 \
    X(SHAPE, 3, "shapes do not fit the operation")                                                                     \
    X(DTYPE, 4, "the operation does not take this dtype; cast first")                                                  \
    X(NOMEM, 5, "out of memory, or past the context's memory budget")                                                  \
    X(STATE, 6, "the object is not in a state that allows the call")                                                   \
    X(OVERWRITTEN, 7, "a tensor saved for the gradient was modified in place")                                         \
    X(MIXED_CONTEXTS, 8, "tensors of two contexts (or two devices) met in one operation")                              \
    X(DEAD_TENSOR, 9, "the tensor was already freed, usually by the end of its scope")                                 \
    X(THREAD, 10, "two threads used one context at the same time")                                                     \
    X(NO_GRADIENT, 11, "no gradient flows where one was asked for")                                                    \
    X(UNSUPPORTED, 12, "this operation is not defined for this combination")                                           \
    X(NOT_FINITE, 13, "the NaN watch met a NaN or infinity")                                                           \
    X(IO, 14, "a file could not be read or written")                                                                   \
    X(DEVICE, 15, "the device or its driver reported an error")                                                        \
    X(CALLBACK, 16, "a user callback reported failure")                                                                \
    X(MISMATCH, 17, "two results that must agree do not")                                                              \
    X(INTERNAL, 18, "a defect in Weft; please report it with the message")

typedef enum weft_status {
#define WEFT_STATUS_ENUM(name, value, text) WEFT_E_##name = value,
    WEFT_STATUS_LIST(WEFT_STATUS_ENUM)
#undef WEFT_STATUS_ENUM
        WEFT_OK = WEFT_E_OK
} weft_status;

/* The code's name without its prefix ("SHAPE"), or "UNKNOWN". Static storage. */
WEFT_API const char *weft_status_name(weft_status status);

/* The code's meaning in a short sentence. Static storage. */
WEFT_API const char *weft_status_text(weft_status status);

#ifdef __cplusplus
}
#endif
#endif
