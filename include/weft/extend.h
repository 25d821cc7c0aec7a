/* extend.h - for code that lives beside Weft: objects that a context owns, structs that grow, and checks of parameters.
 *
 * An object that holds tensors or memory of a context cannot outlive it, and programs close things in the wrong order,
 * twice or never. So the context owns the object: weft_ctx_close ends what the program never closed, after a warning
 * that names it and the place where it was made. The program holds a handle, which is no address: one whose object has
 * ended is known as such, whatever is made afterwards, and never followed.
 *
 *     static const weft_object_kind kind = {sizeof kind, "sampler", "sampler_close", end};
 *     sampler *s = weft_ctx_alloc(ctx, sizeof *s); ...
 *     void *handle = weft_own(ctx, &kind, s, "sampler_open");
 *     ...
 *     sampler *s = weft_owned(&kind, handle);
 *     if (!s)
 *         return weft_owned_fail(ctx, "sampler_next", &kind, handle);
 *
 * Part of the public API; not included by weft.h. */
#ifndef WEFT_EXTEND_H
#define WEFT_EXTEND_H

#include <weft/weft.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Objects of a context ---- */

typedef struct weft_object_kind {
    size_t struct_size; /* sizeof(weft_object_kind), or from WEFT_OBJECT_KIND_DEFAULTS; the rest has no default */
    const char *name;   /* "sampler": for messages */
    const char *closer; /* "sampler_close": what a program calls to end one, for messages */
    void (*end)(void *object); /* gives up what the object holds and frees it; its context still lives */
    bool part;                 /* of another object, which is reported in its place by weft_leaks; default false */
} weft_object_kind;
#define WEFT_OBJECT_KIND_DEFAULTS                                                                                      \
    {                                                                                                                  \
        sizeof(weft_object_kind), NULL, NULL, NULL, false                                                              \
    }

/* Hands object over to ctx and returns its handle. maker: the function that made it, without the prefix weft_, whose
 * call site messages will name (WEFT_HERE). kind and maker must live as long as the program. NULL: the error is
 * recorded (more than 16,384 objects are open in this process; a kind that is not complete), and object is still the
 * caller's. */
WEFT_API void *weft_own(weft_ctx *ctx, const weft_object_kind *kind, void *object, const char *maker);

/* The object of a handle; NULL for NULL and for a handle whose object has ended. Any thread that may use the object. */
WEFT_API void *weft_owned(const weft_object_kind *kind, const void *handle);

/* Why weft_owned gave NULL, recorded on behalf of function: in ctx, or if that is NULL in the context that the object
 * had. Neither is touched unless it is known to live. Returns WEFT_E_NULL_ARGUMENT for NULL, else WEFT_E_STATE. */
WEFT_API weft_status weft_owned_fail(weft_ctx *ctx, const char *function, const weft_object_kind *kind,
                                     const void *handle);

/* Ends the object: its handle is dead, then kind->end is called. Nothing happens for NULL or a handle that is dead. */
WEFT_API void weft_owned_end(const weft_object_kind *kind, const void *handle);

/* weft_keep and weft_release for what an owned object holds: weft_leaks reports the object and not these tensors. */
WEFT_API weft_tensor *weft_owned_keep(weft_tensor *t);
WEFT_API void weft_owned_release(weft_tensor *t);

/* ---- Structs that grow ----
 * A struct of options begins with struct_size, which its DEFAULTS macro sets; later releases append fields. */

/* Reads such a struct. defaults: one of this build, complete, as the macro makes it. given: the caller's, perhaps of an
 * earlier release, or NULL for the defaults. out gets the fields that given has and the defaults of all others. type
 * ("weft_conv2d_params") is for messages. WEFT_E_INVALID for a struct_size that is 0, ends within a field, or is larger
 * than this build's, which then may mean what is not known here; recorded in ctx (unless that is NULL) on behalf of
 * function, and out has the defaults. */
WEFT_API weft_status weft_struct_in(weft_ctx *ctx, const char *function, const char *type, const void *defaults,
                                    const void *given, void *out);

/* Writes such a struct, or one that the library fills: full, complete, of full_size bytes, as far as the caller's *out
 * of size bytes goes. WEFT_E_INVALID for a size that no release's struct can have had, recorded as above; *out is left
 * alone then. */
WEFT_API weft_status weft_struct_out(weft_ctx *ctx, const char *function, const char *type, const void *full,
                                     size_t full_size, void *out, size_t size);

/* ---- Checks ----
 * Each records its error on behalf of function (without the prefix weft_) and names the value or tensor and the remedy.
 * */

/* Flags of weft_check_params. */
typedef enum weft_check_params_flags {
    WEFT_CHECK_PARAMS_REQUIRE_GRAD = 1, /* each must require a gradient */
    WEFT_CHECK_PARAMS_CONTIGUOUS = 2    /* each must be contiguous */
} weft_check_params_flags;

/* params [n], n >= 1: each a living tensor of ctx that was not computed from others. */
WEFT_API weft_status weft_check_params(weft_ctx *ctx, const char *function, weft_tensor *const *params, int n,
                                       int flags);

#ifdef __cplusplus
}
#endif
#endif
