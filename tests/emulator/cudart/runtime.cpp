/* runtime.cpp - the entry of every call, failures on purpose, errors, and the test's controls. */
#include "runtime.h"

#include <cstdlib>
#include <cstring>
#include "../simt/block.h"
#include "../simt/heap.h"

namespace cudart
{
namespace
{

constexpr size_t default_memory = 4ull << 30;

struct Plan {
    long remaining; /* calls until the failure; 0: none planned */
    bool forever;
    cudaError_t error;
    const char *failed;
};

std::recursive_mutex mutex;
Plan plan;
long calls, launches, handles;
bool in_host_function;
cudaError_t sticky;
thread_local cudaError_t last_error;
size_t limit = default_memory;
int device_count = 1;
bool pools = true;
cudaError_t device_error;

cudaError_t planned_failure(const char *function)
{
    if (plan.remaining == 0)
        return cudaSuccess;
    if (plan.remaining > 1) {
        plan.remaining--;
        return cudaSuccess;
    }
    if (!plan.forever)
        plan.remaining = 0;
    if (!plan.failed)
        plan.failed = function;
    return plan.error;
}

bool starts_with(const char *text, const char *start)
{
    return text && !strncmp(text, start, strlen(start));
}

} /* namespace */

Call::Call(const char *function) : lock(mutex)
{
    calls++;
    failure = planned_failure(function);
    if (failure == cudaSuccess && in_host_function)
        failure = cudaErrorNotPermitted;
    if (failure == cudaSuccess && device_error != cudaSuccess)
        failure = device_error;
    if (failure == cudaSuccess)
        failure = sticky;
    if (failure == cudaSuccess)
        run_some();
}

cudaError_t Call::result(cudaError_t error)
{
    if (failure != cudaSuccess)
        error = failure;
    if (error == cudaSuccess)
        error = sticky; /* work that ran within this call */
    if (error != cudaSuccess && error != cudaErrorNotReady)
        last_error = error;
    return error;
}

void set_sticky_error(cudaError_t error)
{
    sticky = error;
}

cudaError_t sticky_error()
{
    return sticky;
}

void set_in_host_function(bool inside)
{
    in_host_function = inside;
}

void count_launch()
{
    launches++;
}

void count_handle(int change)
{
    handles += change;
}

size_t memory_limit()
{
    return limit;
}

int devices()
{
    return device_count;
}

bool has_pools()
{
    return pools;
}

} /* namespace cudart */

using namespace cudart;

extern "C" {

cudaError_t cudaGetLastError(void)
{
    const cudaError_t error = last_error;
    last_error = sticky;
    return error;
}

cudaError_t cudaPeekAtLastError(void)
{
    return last_error;
}

cudaError_t cudaGetDeviceCount(int *count)
{
    Call call("cudaGetDeviceCount");
    if (call.refused())
        return call.result(); /* count stays as it was, as without a driver */
    *count = device_count;
    return call.result();
}

cudaError_t cudaDeviceReset(void)
{
    Call call("cudaDeviceReset");
    run_everything();
    sticky = last_error = cudaSuccess;
    return cudaSuccess;
}

/* --- controls ----------------------------------------------------------------------------------------------------- */

void simt_reset(void)
{
    std::lock_guard<std::recursive_mutex> guard(mutex);
    const char *order = getenv("WEFT_SIMT_ORDER"), *streams = getenv("WEFT_SIMT_STREAMS"),
               *seed = getenv("WEFT_SIMT_SEED");
    const uint64_t number = seed ? strtoull(seed, nullptr, 10) : 1;
    simt_set_order(starts_with(order, "rev")    ? SIMT_REVERSE
                   : starts_with(order, "rand") ? SIMT_RANDOM
                                                : SIMT_FORWARD,
                   number);
    reset_streams(starts_with(streams, "lazy")   ? SIMT_LAZY
                  : starts_with(streams, "shuf") ? SIMT_SHUFFLE
                                                 : SIMT_EAGER,
                  number);
    simt_clear_reports();
    simt_set_quiet(0);
    simt_set_host_guard(1);
    plan = {};
    calls = 0;
    sticky = last_error = cudaSuccess;
    limit = default_memory;
    device_count = 1;
    pools = true;
    device_error = cudaSuccess;
    reset_devices();
    reset_kernel_limits();
}

void simt_set_streams(simt_streams policy, uint64_t seed)
{
    std::lock_guard<std::recursive_mutex> guard(mutex);
    reset_streams(policy, seed);
}

void simt_set_memory_limit(size_t bytes)
{
    limit = bytes;
}

void simt_set_host_guard(int on)
{
    simt::heap_set_guard(on != 0);
}

size_t simt_device_bytes(void)
{
    return simt::heap_live_bytes();
}

long simt_live_handles(void)
{
    return handles;
}

long simt_launches(void)
{
    return launches;
}

void simt_fail_call(long nth, int forever, cudaError_t error)
{
    std::lock_guard<std::recursive_mutex> guard(mutex);
    plan = {nth, forever != 0, error, nullptr};
}

long simt_calls(void)
{
    return calls;
}

const char *simt_failed_call(void)
{
    return plan.failed;
}

void simt_set_devices(int count, cudaError_t error)
{
    device_count = count < most_devices ? count : most_devices;
    device_error = error;
}

void simt_set_pools(int on)
{
    pools = on != 0;
}

} /* extern "C" */
