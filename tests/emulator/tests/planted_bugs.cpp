/* planted_bugs.cpp - see planted_bugs.h */
#include "planted_bugs.h"

#include <cstring>
#include "device_array.h"
#include "misuse.h"
#include "sample_kernels.h"
#include "sample_reference.h"

namespace
{

using samples::Bug;
using samples::Type;

/* --- in the sample kernels ---------------------------------------------------------------------------------------- */

template <Bug BUG> bool silu_is_right()
{
    const std::vector<float> x = random_floats(1029);
    const DeviceArray<float> device_x(x), device_y(x.size());
    samples::silu(BUG, Type::f32, device_x.data(), device_y.data(), x.size(), nullptr);
    return worst_error(device_y.download(), silu_reference(x)) < 1e-5;
}

template <Bug BUG> bool sum_is_right()
{
    const std::vector<float> x = random_floats(5003);
    double expected = 0;
    for (float value : x)
        expected += static_cast<double>(value);
    const DeviceArray<float> device_x(x);
    DeviceArray<float> device_sum(1);
    samples::sum(BUG, device_x.data(), device_sum.zero().data(), x.size(), nullptr);
    return worst_error(device_sum.download(), {expected}) < 1e-5;
}

template <Bug BUG> bool softmax_is_right()
{
    const std::vector<float> x = random_floats(3 * 257);
    const DeviceArray<float> device_x(x), device_y(x.size());
    samples::softmax(BUG, device_x.data(), device_y.data(), 3, 257, nullptr);
    return worst_error(device_y.download(), softmax_reference(x, 3, 257)) < 1e-5;
}

template <Bug BUG> bool column_sums_are_right()
{
    const std::vector<float> x = random_floats(37 * 45);
    const DeviceArray<float> device_x(x);
    DeviceArray<float> device_sums(45);
    samples::column_sums(BUG, device_x.data(), device_sums.zero().data(), 37, 45, nullptr);
    return worst_error(device_sums.download(), column_sums_reference(x, 37, 45)) < 1e-5;
}

template <Bug BUG> bool transpose_is_right()
{
    const std::vector<float> x = random_floats(45 * 70);
    const DeviceArray<float> device_x(x), device_y(x.size());
    samples::transpose(BUG, device_x.data(), device_y.data(), 45, 70, nullptr);
    return worst_error(device_y.download(), transpose_reference(x, 45, 70)) < 1e-6;
}

template <Bug BUG> bool product_is_right()
{
    const std::vector<float> a = random_floats(35 * 27, 1), b = random_floats(27 * 38, 2);
    const DeviceArray<float> device_a(a), device_b(b), device_c(35 * 38);
    samples::sgemm(BUG, device_a.data(), device_b.data(), device_c.data(), 35, 38, 27, nullptr);
    return worst_error(device_c.download(), product_reference(a, b, 35, 38, 27)) < 1e-5;
}

template <Bug BUG> bool staged_scale_is_right()
{
    const std::vector<float> x = random_floats(500);
    const DeviceArray<float> device_x(x), device_y(x.size());
    samples::staged_scale(BUG, device_x.data(), device_y.data(), 1.0f, 500, nullptr);
    return device_y.download() == x;
}

/* --- misuse ------------------------------------------------------------------------------------------------------- */

bool ran_well(cudaError_t launched)
{
    return launched == cudaSuccess && cudaDeviceSynchronize() == cudaSuccess;
}

bool host_pointer()
{
    const std::vector<float> host = random_floats(32);
    const DeviceArray<float> device(32);
    return ran_well(misuse::copy(host.data(), device.data(), nullptr)) && device.download() == host;
}

bool use_after_free()
{
    const DeviceArray<float> source(random_floats(32));
    float *freed = nullptr;
    cudaMalloc(reinterpret_cast<void **>(&freed), 128);
    cudaFree(freed);
    return ran_well(misuse::copy(source.data(), freed, nullptr));
}

bool free_async_too_early()
{
    const DeviceArray<float> target(32);
    float *memory = nullptr;
    cudaMallocAsync(reinterpret_cast<void **>(&memory), 128, nullptr);
    cudaMemsetAsync(memory, 0, 128, nullptr);
    cudaFreeAsync(memory, nullptr);
    return ran_well(misuse::copy(memory, target.data(), nullptr));
}

[[maybe_unused]] bool misaligned_vector()
{
    const DeviceArray<float> source(random_floats(64)), target(64);
    return ran_well(misuse::copy_vectors(source.data() + 1, target.data(), nullptr));
}

template <cudaError_t (*kernel)(float *, cudaStream_t)> bool runs_on_floats()
{
    DeviceArray<float> y(64);
    return ran_well(kernel(y.zero().data(), nullptr));
}

bool local_overrun()
{
    DeviceArray<float> y(64);
    return ran_well(misuse::local_array(y.zero().data(), 5, nullptr));
}

bool foreign_local_memory()
{
    const DeviceArray<float> device_y(32);
    misuse::foreign_local(device_y.data(), nullptr);
    return device_y.download()[1] == 0.0f;
}

bool spin_wait()
{
    simt_set_time_limit(1);
    DeviceArray<int> flag(1);
    return ran_well(misuse::spin(flag.zero().data(), nullptr));
}

bool endless_recursion()
{
    DeviceArray<int> depth(1);
    return ran_well(misuse::recurse(depth.zero().data(), nullptr));
}

bool byte_race()
{
    DeviceArray<unsigned char> y(33);
    return ran_well(misuse::bytes(y.data(), true, nullptr)) && y.download()[32] == 31;
}

/* --- host code ---------------------------------------------------------------------------------------------------- */

/* A miniature backend: one stream copies, one computes; pinned staging memory between them and the host. */
struct Backend {
    explicit Backend(const std::vector<float> &x) : x(x), device_x(x.size()), device_y(x.size())
    {
        cudaStreamCreateWithFlags(&copies, cudaStreamNonBlocking);
        cudaStreamCreateWithFlags(&computes, cudaStreamNonBlocking);
        cudaEventCreateWithFlags(&uploaded, cudaEventDisableTiming);
        cudaMallocHost(reinterpret_cast<void **>(&staging), x.size() * sizeof(float));
    }

    void upload(const float *values)
    {
        memcpy(staging, values, x.size() * sizeof(float));
        cudaMemcpyAsync(device_x.data(), staging, x.size() * sizeof(float), cudaMemcpyHostToDevice, copies);
        cudaEventRecord(uploaded, copies);
    }
    void wait_for_upload() const
    {
        cudaStreamWaitEvent(computes, uploaded, 0);
    }
    void compute() const
    {
        samples::silu(Bug::none, Type::f32, device_x.data(), device_y.data(), x.size(), computes);
    }
    void download() const
    {
        cudaMemcpyAsync(staging, device_y.data(), x.size() * sizeof(float), cudaMemcpyDeviceToHost, computes);
    }
    std::vector<float> staged() const
    {
        return {staging, staging + x.size()};
    }
    bool is_right(const std::vector<float> &y) const
    {
        return worst_error(y, silu_reference(x)) < 1e-5;
    }

    std::vector<float> x;
    DeviceArray<float> device_x, device_y;
    cudaStream_t copies = nullptr, computes = nullptr;
    cudaEvent_t uploaded = nullptr;
    float *staging = nullptr;
};

bool missing_event_wait()
{
    Backend backend(random_floats(100));
    backend.upload(backend.x.data());
    backend.compute();
    backend.download();
    cudaStreamSynchronize(backend.computes);
    return backend.is_right(backend.staged());
}

bool missing_synchronisation()
{
    Backend backend(random_floats(100));
    backend.upload(backend.x.data());
    backend.wait_for_upload();
    backend.compute();
    backend.download();
    return backend.is_right(backend.staged());
}

bool staging_overwritten()
{
    Backend backend(random_floats(100));
    backend.upload(backend.x.data());
    memset(backend.staging, 0, 400); /* the next upload, too early */
    backend.wait_for_upload();
    backend.compute();
    backend.download();
    cudaStreamSynchronize(backend.computes);
    return backend.is_right(backend.staged());
}

bool host_reads_device_memory()
{
    const DeviceArray<float> device(random_floats(4));
    const volatile float *pointer = device.data();
    return *pointer < 3.0f;
}

void CUDART_CB read_first(void *device_memory)
{
    const volatile float *pointer = static_cast<float *>(device_memory);
    (void)*pointer;
}

bool host_function_reads_device_memory()
{
    const DeviceArray<float> device(random_floats(4));
    cudaLaunchHostFunc(nullptr, read_first, device.data());
    return cudaDeviceSynchronize() == cudaSuccess;
}

bool copy_past_the_end()
{
    const DeviceArray<float> device(random_floats(32));
    std::vector<float> host(64);
    return cudaMemcpy(host.data(), device.data(), 256, cudaMemcpyDeviceToHost) == cudaSuccess;
}

bool unwritten_download()
{
    const DeviceArray<float> device(4);
    std::vector<float> host(4);
    return cudaMemcpy(host.data(), device.data(), 16, cudaMemcpyDeviceToHost) == cudaSuccess && host[0] == 0.0f;
}

} /* namespace */

std::vector<PlantedBug> planted_kernel_bugs()
{
    const char *const samples = "sample_kernels.cu:", *const misuses = "misuse.cu:";
    const char *const poison = "use-after-poison";
    return
    {
        {"vector loop past the end",
         silu_is_right<Bug::vector_tail>,
         SIMT_OUT_OF_BOUNDS,
         false,
         samples,
         poison,
         false},
            {"last element not written",
             silu_is_right<Bug::skip_last>,
             SIMT_UNINITIALISED,
             false,
             "cudaMemcpy",
             nullptr,
             true},
            {"no barrier before the last step of a block sum",
             sum_is_right<Bug::missing_barrier>,
             SIMT_RACE,
             false,
             samples,
             nullptr,
             true},
            {"mask names lanes that do not come",
             sum_is_right<Bug::divergent_shuffle>,
             SIMT_WARP,
             true,
             samples,
             nullptr,
             true},
            {"plain add by several blocks",
             sum_is_right<Bug::plain_global_add>,
             SIMT_RACE,
             false,
             samples,
             nullptr,
             false},
            {"index past a shared array",
             softmax_is_right<Bug::shared_overrun>,
             SIMT_OUT_OF_BOUNDS,
             false,
             samples,
             "out of bounds",
             true},
            {"shared entries never written",
             softmax_is_right<Bug::shared_uninitialised>,
             SIMT_UNINITIALISED,
             false,
             samples,
             nullptr,
             true},
            {"__syncthreads in two branches",
             softmax_is_right<Bug::barrier_in_branch>,
             SIMT_BARRIER,
             true,
             samples,
             nullptr,
             false},
            {"no __syncwarp between write and read",
             softmax_is_right<Bug::missing_syncwarp>,
             SIMT_RACE,
             false,
             samples,
             nullptr,
             true},
            {"plain add by several warps",
             column_sums_are_right<Bug::plain_shared_add>,
             SIMT_RACE,
             false,
             samples,
             nullptr,
             false},
            {"index past dynamic shared memory",
             column_sums_are_right<Bug::dynamic_overrun>,
             SIMT_OUT_OF_BOUNDS,
             false,
             samples,
             poison,
             false},
            {"no barrier after filling a tile",
             transpose_is_right<Bug::tile_missing_barrier>,
             SIMT_RACE,
             false,
             samples,
             nullptr,
             true},
            {"row past a tile",
             transpose_is_right<Bug::tile_overrun>,
             SIMT_OUT_OF_BOUNDS,
             false,
             samples,
             "out of bounds",
             true},
            {"next tile overwrites the one in use",
             product_is_right<Bug::buffer_reuse>,
             SIMT_RACE,
             false,
             samples,
             nullptr,
             true},
            {"asynchronous copy not waited for",
             staged_scale_is_right<Bug::missing_copy_wait>,
             SIMT_UNINITIALISED,
             false,
             samples,
             nullptr,
             true},
            {"host pointer in a kernel", host_pointer, SIMT_HOST_POINTER, false, misuses, nullptr, false},
            {"use after free", use_after_free, SIMT_USE_AFTER_FREE, false, misuses, poison, false},
            {"use after cudaFreeAsync", free_async_too_early, SIMT_USE_AFTER_FREE, false, misuses, poison, false},
#if !defined(__clang__) /* clang copies a float4 in four parts, which need not be aligned */
            {"misaligned 16-byte access",
             misaligned_vector,
             SIMT_MISALIGNED,
             false,
             misuses,
             "misaligned address",
             false},
#endif
            {"return before a barrier",
             runs_on_floats<misuse::early_return>,
             SIMT_BARRIER,
             true,
             misuses,
             nullptr,
             false},
            {"lane not in its own mask",
             runs_on_floats<misuse::foreign_mask>,
             SIMT_WARP,
             true,
             misuses,
             nullptr,
             false},
            {"shuffle from an absent lane",
             runs_on_floats<misuse::absent_lane>,
             SIMT_WARP,
             true,
             misuses,
             nullptr,
             false},
            {"index past a local array", local_overrun, no_report, false, nullptr, "stack-buffer-overflow", false},
            {"another thread's local memory", foreign_local_memory, SIMT_LOCAL_MEMORY, false, misuses, nullptr, false},
            {"two threads write one byte", byte_race, SIMT_RACE, false, misuses, nullptr, true},
            {"local memory used up", endless_recursion, no_report, true, nullptr, "stack", false},
    };
}

std::vector<PlantedBug> planted_host_bugs()
{
    return {
        {"no event wait between streams", missing_event_wait, no_report, false, nullptr, nullptr, true},
        {"no synchronisation before reading", missing_synchronisation, no_report, false, nullptr, nullptr, true},
        {"staging buffer overwritten too early", staging_overwritten, no_report, false, nullptr, nullptr, true},
        {"host reads device memory", host_reads_device_memory, no_report, true, nullptr, "host code touches device",
         false},
        {"host function reads device memory", host_function_reads_device_memory, no_report, true, nullptr,
         "host code touches device", false},
        {"copy past the end", copy_past_the_end, SIMT_OUT_OF_BOUNDS, true, "allocation of 128 bytes", nullptr, true},
        {"download of what nothing wrote", unwritten_download, SIMT_UNINITIALISED, false, "cudaMemcpy", nullptr, true},
    };
}

PlantedBug planted_spin_wait()
{
    return {"spin-wait on another thread", spin_wait, no_report, true, nullptr, "time limit reached: block", false};
}
