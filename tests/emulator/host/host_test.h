/* host_test.h - what the tests of the CUDA backend's host side share: a context on the emulated device, and the check
 * that it gives everything back. */
#ifndef WEFT_TESTS_HOST_TEST_H
#define WEFT_TESTS_HOST_TEST_H

#include <gtest/gtest.h>
#include <cuda_runtime_api.h>
#include <cstring>
#include <functional>
#include <string>
#include <vector>
#include "emulator.h"
#include <weft/weft.h>

extern "C" {
#include "engine/registry.h"
extern const weft__backend weft__cuda_backend;
}

/* What weft_memory says. */
inline weft_memory_info memory_of(const weft_ctx *ctx)
{
    weft_memory_info info = {};
    EXPECT_EQ(weft_memory(ctx, &info, sizeof info), WEFT_OK);
    return info;
}

/* A context with its log, and the host memory that it holds. */
class Context
{
  public:
    explicit Context(const char *device, std::function<void(weft_options &)> change = {})
    {
        weft__backend_register(&weft__cuda_backend);
        weft_options options = WEFT_OPTIONS_DEFAULTS;
        options.device = device;
        options.alloc = allocate;
        options.free = release;
        options.log = note;
        options.alloc_user = options.log_user = this;
        if (change)
            change(options);
        status = weft_ctx_open(&options, &ctx);
    }
    ~Context()
    {
        close();
    }
    Context(const Context &) = delete;
    Context &operator=(const Context &) = delete;

    operator weft_ctx *() const
    {
        return ctx;
    }
    weft_status open_status() const
    {
        return status;
    }
    const std::string &log() const
    {
        return text;
    }
    std::string message() const
    {
        return weft_ctx_message(ctx);
    }
    void close()
    {
        weft_ctx_close(ctx);
        ctx = nullptr;
        EXPECT_EQ(host_bytes, 0) << "host memory was not given back";
    }

  private:
    static void *allocate(void *user, size_t bytes, size_t alignment)
    {
        const size_t rounded = (bytes + alignment - 1) / alignment * alignment;
        void *block = aligned_alloc(alignment, rounded);
        if (block)
            static_cast<Context *>(user)->host_bytes += static_cast<long>(bytes);
        return block;
    }
    static void release(void *user, void *block, size_t bytes)
    {
        static_cast<Context *>(user)->host_bytes -= static_cast<long>(bytes);
        free(block);
    }
    static void note(void *user, weft_log_level, const char *message)
    {
        static_cast<Context *>(user)->text += std::string(message) + "\n";
    }

    weft_ctx *ctx = nullptr;
    weft_status status = WEFT_OK;
    std::string text;
    long host_bytes = 0;
};

/* Nothing of the device is held by anybody. Runs what is still queued first: memory is freed in the stream's order. */
inline void expect_nothing_held()
{
    cudaDeviceSynchronize();
    EXPECT_EQ(simt_device_bytes(), 0u);
    EXPECT_EQ(simt_pinned_bytes(), 0u);
    EXPECT_EQ(simt_live_handles(), 0);
}

/* Each test under each order of queued work. */
class Streams : public testing::TestWithParam<simt_streams>
{
  protected:
    void SetUp() override
    {
        simt_set_streams(GetParam(), 7);
    }
    void TearDown() override
    {
        expect_nothing_held();
    }
};

/* The same with a second device. What the program has made current stays so. */
class StreamsOfTwo : public Streams
{
  protected:
    void SetUp() override
    {
        simt_set_devices(2, cudaSuccess);
        Streams::SetUp();
    }
    void TearDown() override
    {
        int device = -1;
        EXPECT_EQ(cudaGetDevice(&device), cudaSuccess);
        EXPECT_EQ(device, 0) << "the program's current device was changed";
        Streams::TearDown();
        simt_set_devices(1, cudaSuccess);
    }
};

inline std::string streams_name(const testing::TestParamInfo<simt_streams> &info)
{
    return info.param == SIMT_EAGER ? "Eager" : info.param == SIMT_LAZY ? "Lazy" : "Shuffle";
}
#define FOR_ALL_STREAMS(suite)                                                                                         \
    INSTANTIATE_TEST_SUITE_P(All, suite, testing::Values(SIMT_EAGER, SIMT_LAZY, SIMT_SHUFFLE), streams_name)

/* The elements of t as bytes; empty after an error. */
inline std::vector<unsigned char> bytes_of(weft_ctx *ctx, weft_tensor *t)
{
    std::vector<unsigned char> bytes(static_cast<size_t>(weft_count(t)) * weft_dtype_size(weft_dtype_of(t)));
    if (weft_read(ctx, t, bytes.data(), bytes.size()) != WEFT_OK)
        bytes.clear();
    return bytes;
}

/* Which NaN a conversion gives is a device's own business: each becomes the same one, in place. T is the bits. */
template <class T> void unify_nans(std::vector<unsigned char> &bytes, T infinity)
{
    for (size_t at = 0; at + sizeof(T) <= bytes.size(); at += sizeof(T)) {
        T element;
        memcpy(&element, &bytes[at], sizeof element);
        if (static_cast<T>(element << 1) > static_cast<T>(infinity << 1))
            memset(&bytes[at], 0xFF, sizeof element);
    }
}

inline std::vector<unsigned char> comparable(std::vector<unsigned char> bytes, weft_dtype dtype)
{
    switch (dtype) {
    case WEFT_F64:
        unify_nans<uint64_t>(bytes, UINT64_C(0x7FF0000000000000));
        break;
    case WEFT_F32:
        unify_nans<uint32_t>(bytes, 0x7F800000u);
        break;
    case WEFT_F16:
        unify_nans<uint16_t>(bytes, 0x7C00);
        break;
    case WEFT_BF16:
        unify_nans<uint16_t>(bytes, 0x7F80);
        break;
    default:
        break;
    }
    return bytes;
}

/* What make computes, on the CPU and on the device: the same bytes, but for NaNs, which equal each other. */
inline void expect_same_on_cpu(weft_ctx *cuda, const std::function<weft_tensor *(weft_ctx *)> &make)
{
    Context cpu("cpu");
    weft_tensor *expected = make(cpu), *found = make(cuda);
    ASSERT_NE(expected, nullptr) << cpu.message();
    ASSERT_NE(found, nullptr) << weft_ctx_message(cuda);
    ASSERT_EQ(weft_dtype_of(found), weft_dtype_of(expected));
    ASSERT_EQ(weft_count(found), weft_count(expected));
    const weft_dtype dtype = weft_dtype_of(found);
    EXPECT_TRUE(comparable(bytes_of(cuda, found), dtype) == comparable(bytes_of(cpu, expected), dtype));
}

/* Bytes without a pattern that a shift by a power of two would keep. */
inline std::vector<unsigned char> some_bytes(size_t n)
{
    std::vector<unsigned char> bytes(n);
    uint32_t state = 12345;
    for (unsigned char &byte : bytes)
        byte = static_cast<unsigned char>((state = state * 1664525u + 1013904223u) >> 24);
    return bytes;
}

#endif
