/* mistake.c - makes one mistake with memory that a context holds back, for poison.sh: AddressSanitizer or valgrind must
 * see it. "none" makes none, and no tool may complain. */
#include <stdio.h>
#include <string.h>
#include "engine/engine.h"

static volatile float sink;

/* [5] floats of a block that has room for 16. */
static weft_tensor *made(weft_ctx *c, bool freed)
{
    const int mark = weft_scope_push(c);
    weft_tensor *t = weft_ones(c, WEFT_F32, WEFT_DIMS(5));
    if (freed && weft_scope_pop(c, mark) != WEFT_OK)
        return NULL;
    return t;
}

static float *data_of(weft_ctx *c, bool freed)
{
    const int mark = weft_scope_push(c);
    float *data = weft_data(weft_ones(c, WEFT_F32, WEFT_DIMS(5)));
    return !freed || weft_scope_pop(c, mark) == WEFT_OK ? data : NULL;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    weft_ctx *c;
    if (weft_ctx_open(NULL, &c) != WEFT_OK)
        return 2;
    if (strcmp(what, "none") == 0) {
        for (int k = 0; k < 300; k++)
            sink = data_of(c, true) ? data_of(c, false)[k % 5] : 0;
        weft_count(made(c, true)); /* an error of the context, no more */
        if (weft_ctx_clear(c) != WEFT_E_DEAD_TENSOR)
            return 3;
    } else if (strcmp(what, "freed data read") == 0) {
        sink = data_of(c, true)[4];
    } else if (strcmp(what, "freed data written") == 0) {
        data_of(c, true)[0] = 1;
    } else if (strcmp(what, "behind the last element") == 0) {
        sink = data_of(c, false)[5];
    } else if (strcmp(what, "freed header") == 0) {
        sink = (float)made(c, true)->a.count;
    } else {
        fprintf(stderr, "no such mistake\n");
        return 2;
    }
    weft_ctx_close(c);
    return 0;
}
