/* memory.cpp - device and pinned memory, copies and fills.
 *
 * A copy from pageable memory reads its source at the call, one from pinned memory when it runs; a copy to pageable
 * memory is complete when the call returns. Direction and range are checked at the call. */
#include <cstdlib>
#include <cstring>
#include <map>
#include "../simt/block.h"
#include "../simt/checker.h"
#include "../simt/heap.h"
#include "runtime.h"

namespace cudart
{
namespace
{

using simt::report;
using simt::checker::copied;
using simt::checker::read_by;
using simt::checker::written;

enum class Place { pageable, pinned, device };

/* Pinned blocks by address; registered ones belong to the caller. */
struct Pinned {
    size_t bytes;
    bool registered;
};
std::map<const char *, Pinned> &pinned_blocks()
{
    static auto *const blocks = new std::map<const char *, Pinned>;
    return *blocks;
}

size_t pinned_bytes;
constexpr size_t filled_bytes = 64 << 10; /* of new pinned memory; of all of a staging buffer it takes too long */

Place place_of(const void *address)
{
    if (simt::heap_range().holds(address))
        return Place::device;
    const char *start = static_cast<const char *>(address);
    auto next = pinned_blocks().upper_bound(start);
    if (next == pinned_blocks().begin())
        return Place::pageable;
    --next;
    return start < next->first + next->second.bytes ? Place::pinned : Place::pageable;
}

bool direction_fits(cudaMemcpyKind kind, Place to, Place from)
{
    const bool to_device = to == Place::device, from_device = from == Place::device;
    switch (kind) {
    case cudaMemcpyHostToHost:
        return !to_device && !from_device;
    case cudaMemcpyHostToDevice:
        return to_device && !from_device;
    case cudaMemcpyDeviceToHost:
        return !to_device && from_device;
    case cudaMemcpyDeviceToDevice:
        return to_device && from_device;
    default:
        return kind == cudaMemcpyDefault;
    }
}

bool range_fits(const char *function, const void *address, size_t bytes)
{
    if (place_of(address) != Place::device || simt::heap_holds(address, bytes))
        return true;
    report(SIMT_OUT_OF_BOUNDS, "%s of %zu bytes leaves its allocation (%s)", function, bytes,
           simt::heap_describe(address).c_str());
    return false;
}

/* A rectangle of rows; a plain copy has one row. */
struct Copy {
    char *to;
    const char *from;
    size_t to_pitch, from_pitch, width, height;

    size_t to_bytes() const
    {
        return (height - 1) * to_pitch + width;
    }
    size_t from_bytes() const
    {
        return (height - 1) * from_pitch + width;
    }
};

void carry_out(const Copy &copy, const char *function)
{
    const bool from_device = place_of(copy.from) == Place::device, to_device = place_of(copy.to) == Place::device;
    for (size_t row = 0; row < copy.height; row++) {
        char *to = copy.to + row * copy.to_pitch;
        const char *from = copy.from + row * copy.from_pitch;
        if (from_device && !to_device)
            read_by(function, from, copy.width);
        memmove(to, from, copy.width);
        if (to_device)
            copied(to, from, copy.width);
    }
}

/* Puts a pageable source into a buffer of the queued work. */
void queue_staged(const StreamRef &stream, const Copy &copy, const char *function)
{
    std::vector<char> staged(copy.width * copy.height);
    for (size_t row = 0; row < copy.height; row++)
        memcpy(staged.data() + row * copy.width, copy.from + row * copy.from_pitch, copy.width);
    push(stream, [copy, function, staged = std::move(staged)]() {
        Copy from_buffer = copy;
        from_buffer.from = staged.data();
        from_buffer.from_pitch = copy.width;
        carry_out(from_buffer, function);
    });
}

cudaError_t queue_copy(const char *function, const Copy &copy, cudaMemcpyKind kind, cudaStream_t handle, bool wait)
{
    const StreamRef stream = find_stream(handle);
    if (!stream)
        return cudaErrorInvalidResourceHandle;
    if (copy.width == 0 || copy.height == 0)
        return cudaSuccess;
    const Place to = place_of(copy.to), from = place_of(copy.from);
    if (!copy.to || !copy.from || !direction_fits(kind, to, from))
        return cudaErrorInvalidValue;
    if (!range_fits(function, copy.to, copy.to_bytes()) || !range_fits(function, copy.from, copy.from_bytes()))
        return cudaErrorInvalidValue;
    if (from == Place::pageable && to == Place::device)
        queue_staged(stream, copy, function);
    else
        push(stream, [copy, function] { carry_out(copy, function); });
    if (wait || to == Place::pageable)
        run_all(stream);
    return cudaSuccess;
}

cudaError_t queue_fill(const char *function, void *start, size_t pitch, int value, size_t width, size_t height,
                       cudaStream_t handle)
{
    const StreamRef stream = find_stream(handle);
    if (!stream)
        return cudaErrorInvalidResourceHandle;
    if (width == 0 || height == 0)
        return cudaSuccess;
    if (place_of(start) != Place::device || !range_fits(function, start, (height - 1) * pitch + width))
        return cudaErrorInvalidValue;
    push(stream, [=] {
        for (size_t row = 0; row < height; row++) {
            memset(static_cast<char *>(start) + row * pitch, value, width);
            written(static_cast<char *>(start) + row * pitch, width);
        }
    });
    return cudaSuccess;
}

Copy plain(void *to, const void *from, size_t bytes)
{
    return {static_cast<char *>(to), static_cast<const char *>(from), bytes, bytes, bytes, 1};
}

/* The device of each block that was ever allocated; addresses do not come again. */
std::map<const char *, int> &block_devices()
{
    static auto *const map = new std::map<const char *, int>;
    return *map;
}

int device_of(const void *address)
{
    const auto next = block_devices().upper_bound(static_cast<const char *>(address));
    return next == block_devices().begin() ? 0 : std::prev(next)->second;
}

cudaError_t allocate(void **memory, size_t bytes, int device)
{
    if (!memory)
        return cudaErrorInvalidValue;
    *memory = nullptr;
    if (bytes == 0)
        return cudaSuccess;
    if (bytes > memory_limit() || simt::heap_live_bytes() > memory_limit() - bytes)
        return cudaErrorMemoryAllocation;
    *memory = simt::heap_allocate(bytes);
    if (!*memory)
        return cudaErrorMemoryAllocation;
    block_devices()[static_cast<char *>(*memory)] = device;
    return cudaSuccess;
}

cudaError_t allocate_pinned(void **memory, size_t bytes)
{
    if (!memory)
        return cudaErrorInvalidValue;
    *memory = nullptr;
    if (bytes == 0)
        return cudaSuccess;
    *memory = malloc(bytes);
    if (!*memory)
        return cudaErrorMemoryAllocation;
    memset(*memory, 0xFF, bytes < filled_bytes ? bytes : filled_bytes);
    pinned_blocks()[static_cast<char *>(*memory)] = {bytes, false};
    pinned_bytes += bytes;
    return cudaSuccess;
}

bool forget_pinned(void *start, bool registered)
{
    const auto found = pinned_blocks().find(static_cast<char *>(start));
    if (found == pinned_blocks().end() || found->second.registered != registered)
        return false;
    pinned_bytes -= registered ? 0 : found->second.bytes;
    pinned_blocks().erase(found);
    return true;
}

} /* namespace */
} /* namespace cudart */

using namespace cudart;

extern "C" {

size_t simt_pinned_bytes(void)
{
    return pinned_bytes;
}

void simt_mark_uninitialised(void *device_memory, size_t bytes, cudaStream_t handle)
{
    const StreamRef stream = find_stream(handle);
    if (!stream || !range_fits("simt_mark_uninitialised", device_memory, bytes))
        return;
    push(stream, [device_memory, bytes] {
        memset(device_memory, 0xFF, bytes);
        simt::checker::forgotten(device_memory, bytes);
    });
}

/* --- allocation --------------------------------------------------------------------------------------------------- */

cudaError_t cudaMalloc(void **memory, size_t bytes)
{
    Call call("cudaMalloc");
    if (call.refused())
        return call.result();
    return call.result(allocate(memory, bytes, current_device()));
}

/* Waits for all work of the device, as the real one does. */
cudaError_t cudaFree(void *memory)
{
    Call call("cudaFree");
    run_everything();
    if (!memory)
        return call.result();
    if (!simt::heap_size(memory))
        return call.result(cudaErrorInvalidValue);
    simt::heap_release(memory);
    return call.result();
}

cudaError_t cudaMallocAsync(void **memory, size_t bytes, cudaStream_t handle)
{
    Call call("cudaMallocAsync");
    if (call.refused())
        return call.result();
    const StreamRef stream = find_stream(handle);
    if (!stream || !has_pools())
        return call.result(stream ? cudaErrorNotSupported : cudaErrorInvalidResourceHandle);
    return call.result(allocate(memory, bytes, handle ? stream->device : current_device()));
}

/* The memory goes when the stream gets there: use by later work, or by another stream, is a use after free. */
cudaError_t cudaFreeAsync(void *memory, cudaStream_t handle)
{
    Call call("cudaFreeAsync");
    const StreamRef stream = find_stream(handle);
    if (!stream || !has_pools())
        return call.result(stream ? cudaErrorNotSupported : cudaErrorInvalidResourceHandle);
    if (!memory)
        return call.result();
    if (!simt::heap_size(memory))
        return call.result(cudaErrorInvalidValue);
    const auto release = [memory] {
        if (simt::heap_size(memory))
            simt::heap_release(memory);
        else
            report(SIMT_USE_AFTER_FREE, "cudaFreeAsync of memory that was already freed (%s)",
                   simt::heap_describe(memory).c_str());
    };
    push(stream, release, {}, Touches::nothing);
    return call.result();
}

cudaError_t cudaMallocHost(void **memory, size_t bytes)
{
    Call call("cudaMallocHost");
    if (call.refused())
        return call.result();
    return call.result(allocate_pinned(memory, bytes));
}

cudaError_t cudaHostAlloc(void **memory, size_t bytes, unsigned)
{
    Call call("cudaHostAlloc");
    if (call.refused())
        return call.result();
    return call.result(allocate_pinned(memory, bytes));
}

cudaError_t cudaFreeHost(void *memory)
{
    Call call("cudaFreeHost");
    run_everything();
    if (!memory)
        return call.result();
    if (!forget_pinned(memory, false))
        return call.result(cudaErrorInvalidValue);
    free(memory);
    return call.result();
}

cudaError_t cudaHostRegister(void *memory, size_t bytes, unsigned)
{
    Call call("cudaHostRegister");
    if (call.refused())
        return call.result();
    if (!memory || bytes == 0)
        return call.result(cudaErrorInvalidValue);
    if (place_of(memory) == Place::pinned)
        return call.result(cudaErrorHostMemoryAlreadyRegistered);
    pinned_blocks()[static_cast<char *>(memory)] = {bytes, true};
    return call.result();
}

cudaError_t cudaHostUnregister(void *memory)
{
    Call call("cudaHostUnregister");
    run_everything();
    return call.result(forget_pinned(memory, true) ? cudaSuccess : cudaErrorHostMemoryNotRegistered);
}

cudaError_t cudaMemGetInfo(size_t *free_bytes, size_t *total_bytes)
{
    Call call("cudaMemGetInfo");
    if (call.refused())
        return call.result();
    const size_t live = simt::heap_live_bytes();
    *total_bytes = memory_limit();
    *free_bytes = live < memory_limit() ? memory_limit() - live : 0;
    return call.result();
}

cudaError_t cudaPointerGetAttributes(cudaPointerAttributes *attributes, const void *address)
{
    Call call("cudaPointerGetAttributes");
    if (call.refused())
        return call.result();
    const Place place = place_of(address);
    *attributes = {};
    attributes->type = place == Place::device   ? cudaMemoryTypeDevice
                       : place == Place::pinned ? cudaMemoryTypeHost
                                                : cudaMemoryTypeUnregistered;
    attributes->device = place == Place::pageable ? -2 : place == Place::device ? device_of(address) : 0; /* -2: none */
    if (place == Place::device)
        attributes->devicePointer = const_cast<void *>(address);
    if (place == Place::pinned)
        attributes->hostPointer = const_cast<void *>(address);
    return call.result();
}

/* --- copies and fills --------------------------------------------------------------------------------------------- */

cudaError_t cudaMemcpy(void *to, const void *from, size_t bytes, cudaMemcpyKind kind)
{
    Call call("cudaMemcpy");
    if (call.refused())
        return call.result();
    return call.result(queue_copy("cudaMemcpy", plain(to, from, bytes), kind, nullptr, true));
}

cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream)
{
    Call call("cudaMemcpyAsync");
    if (call.refused())
        return call.result();
    return call.result(queue_copy("cudaMemcpyAsync", plain(to, from, bytes), kind, stream, false));
}

/* Each address must be memory of the device that is named for it. */
cudaError_t cudaMemcpyPeerAsync(void *to, int to_device, const void *from, int from_device, size_t bytes,
                                cudaStream_t stream)
{
    Call call("cudaMemcpyPeerAsync");
    if (call.refused())
        return call.result();
    if (bytes > 0 && (place_of(to) != Place::device || place_of(from) != Place::device || device_of(to) != to_device ||
                      device_of(from) != from_device))
        return call.result(cudaErrorInvalidValue);
    return call.result(
        queue_copy("cudaMemcpyPeerAsync", plain(to, from, bytes), cudaMemcpyDeviceToDevice, stream, false));
}

cudaError_t cudaMemcpy2DAsync(void *to, size_t to_pitch, const void *from, size_t from_pitch, size_t width,
                              size_t height, cudaMemcpyKind kind, cudaStream_t stream)
{
    Call call("cudaMemcpy2DAsync");
    if (call.refused())
        return call.result();
    if (to_pitch < width || from_pitch < width)
        return call.result(cudaErrorInvalidPitchValue);
    const Copy copy = {static_cast<char *>(to), static_cast<const char *>(from), to_pitch, from_pitch, width, height};
    return call.result(queue_copy("cudaMemcpy2DAsync", copy, kind, stream, false));
}

cudaError_t cudaMemcpy2D(void *to, size_t to_pitch, const void *from, size_t from_pitch, size_t width, size_t height,
                         cudaMemcpyKind kind)
{
    Call call("cudaMemcpy2D");
    if (call.refused())
        return call.result();
    if (to_pitch < width || from_pitch < width)
        return call.result(cudaErrorInvalidPitchValue);
    const Copy copy = {static_cast<char *>(to), static_cast<const char *>(from), to_pitch, from_pitch, width, height};
    return call.result(queue_copy("cudaMemcpy2D", copy, kind, nullptr, true));
}

cudaError_t cudaMemset(void *start, int value, size_t bytes)
{
    Call call("cudaMemset");
    if (call.refused())
        return call.result();
    return call.result(queue_fill("cudaMemset", start, bytes, value, bytes, 1, nullptr));
}

cudaError_t cudaMemsetAsync(void *start, int value, size_t bytes, cudaStream_t stream)
{
    Call call("cudaMemsetAsync");
    if (call.refused())
        return call.result();
    return call.result(queue_fill("cudaMemsetAsync", start, bytes, value, bytes, 1, stream));
}

cudaError_t cudaMemset2DAsync(void *start, size_t pitch, int value, size_t width, size_t height, cudaStream_t stream)
{
    Call call("cudaMemset2DAsync");
    if (call.refused())
        return call.result();
    return call.result(queue_fill("cudaMemset2DAsync", start, pitch, value, width, height, stream));
}

} /* extern "C" */
