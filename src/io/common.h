/* common.h - the public header, without the macros that record call sites: those are for the caller's lines. */
#ifndef WEFT_IO_COMMON_H
#define WEFT_IO_COMMON_H

#ifndef WEFT_NO_CALL_SITES
#define WEFT_NO_CALL_SITES
#endif
#include <weft/extend.h>
#include <weft/io.h>

/* Memory of ctx, or NULL with *status set: what the context says, even if its log callback has cleared that already. */
static inline void *weft__take(weft_ctx *ctx, size_t bytes, weft_status *status)
{
    void *block = weft_ctx_alloc(ctx, bytes);
    if (!block) {
        *status = weft_ctx_status(ctx);
        if (*status == WEFT_OK)
            *status = WEFT_E_NOMEM;
    }
    return block;
}

#endif
