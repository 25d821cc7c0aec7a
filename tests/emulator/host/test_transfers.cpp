/* test_transfers.cpp - data to the device and back, whatever the order in which queued work runs. */
#include "host_test.h"

namespace
{

class Transfers : public Streams
{
};
FOR_ALL_STREAMS(Transfers);

constexpr size_t slot = 2 << 20; /* of the staging memory, see src/cuda/transfer.c */

weft_tensor *upload(weft_ctx *ctx, const std::vector<unsigned char> &bytes)
{
    return weft_from_data(ctx, WEFT_U8, WEFT_DIMS(static_cast<int64_t>(bytes.size())), bytes.data());
}

TEST_P(Transfers, EverySizeComesBack)
{
    Context c("cuda");
    ASSERT_EQ(c.open_status(), WEFT_OK) << c.log();
    for (size_t n : {size_t(0), size_t(1), size_t(255), size_t(3840), size_t(3841), slot - 1, slot, slot + 1, 4 * slot,
                     5 * slot + 12345}) {
        const std::vector<unsigned char> bytes = some_bytes(n);
        weft_tensor *t = upload(c, bytes);
        ASSERT_NE(t, nullptr) << c.message();
        EXPECT_TRUE(bytes_of(c, t) == bytes) << n << " bytes: " << c.message();
    }
}

/* The caller's buffer is free again when the call returns, though the copy may run much later. */
TEST_P(Transfers, TheSourceMayChangeAtOnce)
{
    Context c("cuda");
    ASSERT_EQ(c.open_status(), WEFT_OK) << c.log();
    std::vector<weft_tensor *> tensors;
    std::vector<unsigned char> buffer;
    for (int k = 0; k < 40; k++) {
        buffer = some_bytes(300000);
        buffer[0] = static_cast<unsigned char>(k);
        tensors.push_back(upload(c, buffer));
        std::fill(buffer.begin(), buffer.end(), static_cast<unsigned char>(0xEE));
    }
    for (int k = 0; k < 40; k++) {
        std::vector<unsigned char> expected = some_bytes(300000);
        expected[0] = static_cast<unsigned char>(k);
        EXPECT_TRUE(bytes_of(c, tensors[static_cast<size_t>(k)]) == expected) << k;
    }
}

TEST_P(Transfers, ReadsAndUploadsMix)
{
    Context c("cuda");
    ASSERT_EQ(c.open_status(), WEFT_OK) << c.log();
    const std::vector<unsigned char> large = some_bytes(slot + 77777), small = some_bytes(100);
    for (int k = 0; k < 6; k++) {
        weft_tensor *a = upload(c, small), *b = upload(c, large), *d = upload(c, small);
        EXPECT_TRUE(bytes_of(c, b) == large);
        EXPECT_TRUE(bytes_of(c, a) == small);
        weft_tensor *more = upload(c, large);
        EXPECT_TRUE(bytes_of(c, d) == small);
        EXPECT_TRUE(bytes_of(c, more) == large);
    }
    EXPECT_EQ(weft_ctx_status(c), WEFT_OK) << c.message();
}

/* Freed blocks are handed out again by the core while work on them is still queued. */
TEST_P(Transfers, ReusedBlocksKeepTheirOrder)
{
    Context c("cuda");
    ASSERT_EQ(c.open_status(), WEFT_OK) << c.log();
    for (int k = 0; k < 20; k++) {
        const int mark = weft_scope_push(c);
        weft_tensor *t = weft_full(c, WEFT_I32, WEFT_DIMS(1000), k);
        weft_tensor *copy = weft_clone(t);
        weft_release(weft_keep(t));
        EXPECT_EQ(weft_item_i64(c, weft_select(copy, 0, 999)), k);
        EXPECT_EQ(weft_scope_pop(c, mark), WEFT_OK);
    }
}

TEST_P(Transfers, SynchronizeRunsEverything)
{
    Context c("cuda");
    ASSERT_EQ(c.open_status(), WEFT_OK) << c.log();
    weft_tensor *t = upload(c, some_bytes(1000));
    EXPECT_EQ(weft_synchronise(c), WEFT_OK);
    EXPECT_EQ(bytes_of(c, t), some_bytes(1000));
    EXPECT_EQ(weft_synchronise(nullptr), WEFT_E_NULL_ARGUMENT);
}

/* Without pinned memory copies still work. */
TEST_P(Transfers, NoPinnedMemoryIsNoError)
{
    Context c("cuda");
    ASSERT_EQ(c.open_status(), WEFT_OK) << c.log();
    const std::vector<unsigned char> bytes = some_bytes(slot + 5);
    weft_ctx *ctx = c;
    for (long nth = 1; nth < 12; nth++) {
        const int mark = weft_scope_push(c);
        simt_fail_call(nth, 0, cudaErrorMemoryAllocation);
        weft_tensor *t = upload(c, bytes);
        const std::string failed = simt_failed_call() ? simt_failed_call() : "";
        simt_fail_call(0, 0, cudaSuccess);
        if (failed == "cudaHostAlloc") {
            ASSERT_NE(t, nullptr) << c.message();
        }
        if (t) {
            EXPECT_TRUE(bytes_of(c, t) == bytes);
        }
        weft_ctx_clear(ctx);
        EXPECT_EQ(weft_scope_pop(c, mark), WEFT_OK);
    }
}

} /* namespace */
