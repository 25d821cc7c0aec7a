/* test_custom.cpp - operations of the user's own on the device's stream, and tensors shared between contexts of two
 * devices. */
#include "host_test.h"

namespace
{

class Custom : public Streams
{
};
FOR_ALL_STREAMS(Custom);

weft_status forward_on_host(weft_ctx *, const weft_array *in, int, weft_array *out, void *)
{
    memcpy(out->data, in[0].data, sizeof(float) * static_cast<size_t>(out->count));
    return WEFT_OK;
}

weft_status forward_on_stream(weft_ctx *, const weft_array *in, int, weft_array *out, void *stream, void *calls)
{
    ++*static_cast<int *>(calls);
    return cudaMemcpyAsync(out->data, in[0].data, sizeof(float) * static_cast<size_t>(out->count),
                           cudaMemcpyDeviceToDevice, static_cast<cudaStream_t>(stream)) == cudaSuccess
               ? WEFT_OK
               : WEFT_E_DEVICE;
}

weft_status pass_through(weft_ctx *, weft_tensor *const *, int, weft_tensor *, weft_tensor *gradient,
                         weft_tensor **gradients, void *)
{
    gradients[0] = gradient;
    return WEFT_OK;
}

TEST_P(Custom, RunsOnTheStreamAfterWhatItReads)
{
    Context c("cuda");
    ASSERT_EQ(c.open_status(), WEFT_OK) << c.log();
    int calls = 0;
    weft_custom_op op = WEFT_CUSTOM_OP_DEFAULTS;
    op.name = "identity";
    op.forward = forward_on_host;
    op.devices[0] = {"cuda", forward_on_stream};
    op.backward = pass_through;
    op.user = &calls;
    weft_tensor *x = weft_full(c, WEFT_F32, WEFT_DIMS(300), 1.5);
    weft_tensor *y = weft_clone(weft_custom(&op, &x, 1));
    ASSERT_NE(y, nullptr) << c.message();
    EXPECT_EQ(calls, 1);
    EXPECT_EQ(bytes_of(c, y), bytes_of(c, weft_full(c, WEFT_F32, WEFT_DIMS(300), 1.5)));
}

TEST_P(Custom, WithoutADeviceCallbackIsAClearError)
{
    Context c("cuda");
    ASSERT_EQ(c.open_status(), WEFT_OK) << c.log();
    weft_custom_op op = WEFT_CUSTOM_OP_DEFAULTS;
    op.name = "identity";
    op.forward = forward_on_host;
    weft_tensor *x = weft_ones(c, WEFT_F32, WEFT_DIMS(3));
    EXPECT_EQ(weft_custom(&op, &x, 1), nullptr);
    EXPECT_EQ(weft_ctx_status(c), WEFT_E_UNSUPPORTED);
    EXPECT_NE(c.message().find("add {\"cuda\", callback} to its devices"), std::string::npos) << c.message();
}

TEST_P(Custom, SharedTensorsCrossDevices)
{
    Context c("cuda"), cpu("cpu");
    ASSERT_EQ(c.open_status(), WEFT_OK) << c.log();
    const std::vector<unsigned char> bytes = some_bytes(1000);
    weft_tensor *shared = weft_share(weft_from_data(c, WEFT_U8, WEFT_DIMS(1000), bytes.data()));
    ASSERT_NE(shared, nullptr) << c.message();
    EXPECT_EQ(bytes_of(cpu, weft_borrow(cpu, shared)), bytes);
    EXPECT_EQ(bytes_of(c, weft_borrow(c, shared)), bytes);
    weft_release(shared);
}

} /* namespace */
