/* sized.c - structs that grow from release to release: what a caller hands over is read as far as its struct_size goes,
 * the rest are defaults; what a caller asks for is written as far as it has room. The one place that knows the rules
 * (extend.h). */
#include <ctype.h>
#include <string.h>
#include "engine/engine.h"

/* A size that some release's struct can have had: at least one field behind struct_size, no field cut in two. */
static bool plausible(size_t size)
{
    return size > sizeof(size_t) && size % sizeof(size_t) == 0;
}

/* "WEFT_..._DEFAULTS" of "weft_..._params". */
static const char *defaults_name(const char *type, char name[80])
{
    size_t length = strlen(type);
    static const char *const ends[] = {"_params", "_options"};
    for (int k = 0; k < 2; k++) {
        const size_t end = strlen(ends[k]);
        if (length > end + strlen("weft") && strcmp(type + length - end, ends[k]) == 0)
            length -= end;
    }
    weft_text(name, 80, "%.*s_DEFAULTS", (int)length, type);
    for (char *c = name; *c; c++)
        *c = (char)toupper((unsigned char)*c);
    return name;
}

weft_status weft__struct_in(const char *type, const void *defaults, const void *given, void *out, char *message,
                            size_t room)
{
    size_t ours = 0, size = 0;
    char name[80];
    memcpy(&ours, defaults, sizeof ours);
    memcpy(out, defaults, ours);
    if (!given)
        return WEFT_OK;
    memcpy(&size, given, sizeof size);
    if (plausible(size) && size <= ours) {
        memcpy((char *)out + sizeof size, (const char *)given + sizeof size, size - sizeof size);
        return WEFT_OK;
    }
    if (size == 0)
        weft_text(message, room, "struct_size of the %s is 0: begin with \"%s x = %s;\", which sets every field", type,
                  type, defaults_name(type, name));
    else if (plausible(size))
        weft_text(message, room,
                  "struct_size of the %s is %zu, but this library knows %zu bytes of it: link the library that the "
                  "program was built for, or a later one",
                  type, size, ours);
    else
        weft_text(message, room, "struct_size of the %s is %zu, where no field of it ends: begin with \"%s x = %s;\"",
                  type, size, type, defaults_name(type, name));
    return WEFT_E_INVALID;
}

weft_status weft_struct_in(weft_ctx *ctx, const char *function, const char *type, const void *defaults,
                           const void *given, void *out)
{
    char message[256];
    const weft_status status = weft__struct_in(type, defaults, given, out, message, sizeof message);
    return status == WEFT_OK ? status : weft__fail_named(ctx, function, status, "%s", message);
}

weft_custom_op weft__custom_known(const weft_custom_op *op)
{
    weft_custom_op known = WEFT_CUSTOM_OP_DEFAULTS;
    const size_t size = op->struct_size < sizeof known ? op->struct_size : sizeof known;
    memcpy((char *)&known + sizeof size, (const char *)op + sizeof size, size - sizeof size);
    return known;
}

weft_status weft_struct_out(weft_ctx *ctx, const char *function, const char *type, const void *full, size_t full_size,
                            void *out, size_t size)
{
    if (plausible(size) && size <= full_size) {
        memcpy(out, full, size);
        return WEFT_OK;
    }
    return weft__fail_named(ctx, function, WEFT_E_INVALID,
                            "a %s of %zu bytes is none that this library knows: pass sizeof the struct, which has at "
                            "most %zu bytes",
                            type, size, full_size);
}
