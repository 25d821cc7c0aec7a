/* test_device_info.cpp - counting and describing devices, and why there is none. */
#include "host_test.h"

namespace
{

class DeviceInfo : public testing::Test
{
  protected:
    void SetUp() override
    {
        weft__backend_register(&weft__cuda_backend);
    }
    void TearDown() override
    {
        simt_set_devices(1, cudaSuccess);
        expect_nothing_held();
    }
};

bool contains(const char *text, const char *part)
{
    return strstr(text, part) != nullptr;
}

TEST_F(DeviceInfo, TheCpu)
{
    weft_device_info info = {};
    EXPECT_EQ(weft_device_count("cpu"), 1);
    ASSERT_EQ(weft_device_info_get("cpu", 0, &info, sizeof info), WEFT_OK);
    EXPECT_STREQ(info.kind, "cpu");
    EXPECT_GT(info.cores, 0);
    EXPECT_GT(info.total_memory, 0u);
    EXPECT_NE(info.isa[0], '\0');
    EXPECT_EQ(weft_device_info_get("cpu", 1, &info, sizeof info), WEFT_E_INVALID);
}

TEST_F(DeviceInfo, TheGpu)
{
    weft_device_info info = {};
    ASSERT_EQ(weft_device_count("cuda"), 1);
    ASSERT_EQ(weft_device_info_get("cuda", 0, &info, sizeof info), WEFT_OK) << info.note;
    EXPECT_STREQ(info.name, "Weft CUDA emulator");
    EXPECT_EQ(info.compute_major, 9);
    EXPECT_EQ(info.compute_minor, 0);
    EXPECT_GT(info.cores, 0);
    EXPECT_GT(info.free_memory, 0u);
    EXPECT_GE(info.total_memory, info.free_memory);
    EXPECT_STREQ(info.driver, info.runtime);
    EXPECT_STREQ(info.note, "");
    EXPECT_EQ(weft_device_info_get("cuda", 1, &info, sizeof info), WEFT_E_INVALID);
    EXPECT_TRUE(contains(info.note, "cuda:1")) << info.note;
}

TEST_F(DeviceInfo, LibrariesTellWhyTheyAreMissing)
{
    setenv("WEFT_CUBLASLT", "none", 1);
    setenv("WEFT_CUDNN", "/nowhere/libcudnn.so.9", 1);
    setenv("WEFT_NVRTC", "self", 1);
    setenv("WEFT_NCCL", "self", 1);
    setenv("WEFT_CUFFT", "self", 1);
    setenv("WEFT_CUSOLVER", "none", 1);
    weft_device_info info = {};
    ASSERT_EQ(weft_device_info_get("cuda", 0, &info, sizeof info), WEFT_OK) << info.note;
    unsetenv("WEFT_CUBLASLT");
    unsetenv("WEFT_CUDNN");
    unsetenv("WEFT_NVRTC");
    unsetenv("WEFT_NCCL");
    unsetenv("WEFT_CUFFT");
    unsetenv("WEFT_CUSOLVER");
    ASSERT_EQ(info.n_libraries, 6);
    EXPECT_STREQ(info.libraries[0].name, "cuBLASLt");
    EXPECT_TRUE(contains(info.libraries[0].reason, "WEFT_CUBLASLT=none")) << info.libraries[0].reason;
    EXPECT_TRUE(contains(info.libraries[1].reason, "/nowhere/libcudnn.so.9")) << info.libraries[1].reason;
    EXPECT_TRUE(contains(info.libraries[2].reason, "nvrtcVersion")) << info.libraries[2].reason;
    EXPECT_STREQ(info.libraries[3].name, "NCCL");
    EXPECT_TRUE(contains(info.libraries[3].reason, "ncclGetVersion")) << info.libraries[3].reason;
    EXPECT_STREQ(info.libraries[4].name, "cuFFT");
    EXPECT_TRUE(contains(info.libraries[4].reason, "cufftGetVersion")) << info.libraries[4].reason;
    EXPECT_STREQ(info.libraries[5].name, "cuSOLVER");
    EXPECT_TRUE(contains(info.libraries[5].reason, "WEFT_CUSOLVER=none")) << info.libraries[5].reason;
    for (int k = 0; k < info.n_libraries; k++)
        EXPECT_STREQ(info.libraries[k].version, "");
}

/* The stand-in for cuBLASLt is part of the test program, where its header is there to build it. */
TEST_F(DeviceInfo, ALibraryOfTheProgramItself)
{
    setenv("WEFT_CUBLASLT", "self", 1);
    weft_device_info info = {};
    ASSERT_EQ(weft_device_info_get("cuda", 0, &info, sizeof info), WEFT_OK) << info.note;
    unsetenv("WEFT_CUBLASLT");
#ifdef WEFT__CUBLASLT
    EXPECT_STREQ(info.libraries[0].reason, "");
    EXPECT_NE(info.libraries[0].version[0], '\0');
#else
    EXPECT_NE(std::string(info.libraries[0].reason).find("has no cublasLtGetVersion"), std::string::npos)
        << info.libraries[0].reason;
#endif
}

TEST_F(DeviceInfo, AStructOfAnotherSizeIsRefusedUntouched)
{
    weft_device_info info = {};
    strcpy(info.note, "untouched");
    for (const size_t size : {size_t(0), sizeof(size_t), offsetof(weft_device_info, note) + 1, sizeof info + 8})
        EXPECT_EQ(weft_device_info_get("cuda", 0, &info, size), WEFT_E_INVALID) << size;
    EXPECT_STREQ(info.note, "untouched");
    const size_t earlier =
        offsetof(weft_device_info, note) / sizeof(size_t) * sizeof(size_t); /* an earlier release's */
    EXPECT_EQ(weft_device_info_get("cuda", 0, &info, earlier), WEFT_OK);
    EXPECT_STREQ(info.kind, "cuda");
    EXPECT_STREQ(info.note, "untouched");
    EXPECT_EQ(weft_device_info_get("cuda", 0, nullptr, 0), WEFT_E_NULL_ARGUMENT);
    EXPECT_EQ(weft_device_info_get(nullptr, 0, &info, sizeof info), WEFT_E_NULL_ARGUMENT);
    EXPECT_EQ(weft_device_count(nullptr), 0);
    EXPECT_EQ(weft_device_count("tpu"), 0);
}

/* What cudaGetDeviceCount answers, and what the user is told. */
TEST_F(DeviceInfo, NoDeviceHasAReason)
{
    const struct {
        int count;
        cudaError_t error;
        const char *reason;
    } cases[] = {
        {0, cudaSuccess, "sees no GPU"},
        {0, cudaErrorNoDevice, "sees no GPU"},
        {1, cudaErrorInsufficientDriver, "there is no NVIDIA driver"},
        {1, cudaErrorSystemNotReady, "does not answer"},
    };
    for (const auto &test : cases) {
        simt_set_devices(test.count, test.error);
        EXPECT_EQ(weft_device_count("cuda"), 0);
        EXPECT_EQ(cudaPeekAtLastError(), cudaSuccess) << "the error is cleared";
        weft_device_info info = {};
        EXPECT_EQ(weft_device_info_get("cuda", 0, &info, sizeof info), WEFT_E_DEVICE);
        EXPECT_TRUE(contains(info.note, test.reason)) << info.note;
        Context c("cuda");
        EXPECT_EQ(c.open_status(), WEFT_E_DEVICE);
        EXPECT_TRUE(contains(c.log().c_str(), test.reason)) << c.log();
    }
}

TEST_F(DeviceInfo, NamesOfDevices)
{
    for (const char *name : {"cuda:1", "cpu:1", "cuda:", "cuda:x", "cuda:00001", ":0", "", "tpu", "CUDA", "cuda:-1"}) {
        Context c(name);
        EXPECT_EQ(c.open_status(), WEFT_E_DEVICE) << name;
        EXPECT_FALSE(c.log().empty());
    }
    for (const char *name : {"cuda", "cuda:0", "cpu", "cpu:0"}) {
        Context c(name);
        EXPECT_EQ(c.open_status(), WEFT_OK) << name << ": " << c.log();
    }
}

} /* namespace */
