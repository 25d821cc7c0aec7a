/* device_array.h - device memory with its upload and download, for the tests of the emulator. */
#ifndef WEFT_TESTS_DEVICE_ARRAY_H
#define WEFT_TESTS_DEVICE_ARRAY_H

#include <gtest/gtest.h>
#include <cuda_runtime_api.h>
#include <cstdint>
#include <vector>

template <class T> class DeviceArray
{
  public:
    explicit DeviceArray(size_t count) : count(count)
    {
        EXPECT_EQ(cudaMalloc(reinterpret_cast<void **>(&memory), count * sizeof(T)), cudaSuccess);
    }
    explicit DeviceArray(const std::vector<T> &values) : DeviceArray(values.size())
    {
        EXPECT_EQ(cudaMemcpy(memory, values.data(), count * sizeof(T), cudaMemcpyHostToDevice), cudaSuccess);
    }
    ~DeviceArray()
    {
        cudaFree(memory);
    }
    DeviceArray(const DeviceArray &) = delete;
    DeviceArray &operator=(const DeviceArray &) = delete;

    T *data() const
    {
        return memory;
    }
    DeviceArray &zero()
    {
        EXPECT_EQ(cudaMemset(memory, 0, count * sizeof(T)), cudaSuccess);
        return *this;
    }
    std::vector<T> download() const
    {
        std::vector<T> values(count);
        EXPECT_EQ(cudaMemcpy(values.data(), memory, count * sizeof(T), cudaMemcpyDeviceToHost), cudaSuccess);
        return values;
    }

  private:
    size_t count;
    T *memory = nullptr;
};

/* Numbers in [-2, 2), the same for the same seed. */
inline std::vector<float> random_floats(size_t count, uint64_t seed = 1)
{
    std::vector<float> values(count);
    uint64_t state = seed * 0x9E3779B97F4A7C15ull;
    for (float &value : values) {
        state = state * 6364136223846793005ull + 1442695040888963407ull;
        value = static_cast<float>(static_cast<double>(state >> 40) / (1 << 24) * 4.0 - 2.0);
    }
    return values;
}

#endif
