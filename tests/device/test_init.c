/* test_init.c - first values of parameters are the same on the device. */
#include "both.h"

#include "harness/weft_test.h"

/* Every maker in turn, from one stream. */
static weft_tensor *made(weft_ctx *ctx, void *user)
{
    const weft_dtype dtype = *(const weft_dtype *)user;
    weft_tensor *w[8], *b = weft_zeros(ctx, dtype, WEFT_DIMS(33));
    weft_seed(ctx, 12);
    for (int k = 0; k < 8; k++)
        w[k] = weft_zeros(ctx, dtype, WEFT_DIMS(33, 7, 3));
    weft_init_layer_(w[0], b);
    weft_init_kaiming_uniform_(w[1], WEFT_FAN_IN, 1.5);
    weft_init_kaiming_normal_(w[2], WEFT_FAN_OUT, 1);
    weft_init_xavier_uniform_(w[3], 1);
    weft_init_xavier_normal_(w[4], 2);
    weft_init_uniform_(w[5], 3, 7);
    weft_init_normal_(w[6], -1, 4);
    weft_init_normal_(weft_transpose(w[7], 0, 1), 0, 1);
    for (int k = 0; k < 8; k++)
        w[k] = weft_reshape(w[k], WEFT_DIMS(-1));
    return weft_concat((weft_tensor *[]){w[0], w[1], w[2], w[3], w[4], w[5], w[6], w[7], b}, 9, 0);
}

WEFT_TEST(DeviceInit, SameValuesFromTheSameSeed)
{
    weft_dtype dtypes[] = {WEFT_F32, WEFT_F64, WEFT_F16, WEFT_BF16};
    static const double tolerance[] = {1e-6, 1e-14, 1e-3, 8e-3}; /* the normal ones' logarithms */
    for (int k = 0; k < 4; k++)
        check_both(weft_dtype_name(dtypes[k]), made, &dtypes[k], tolerance[k], tolerance[k]);
}
