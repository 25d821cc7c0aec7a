/* stream.cpp - streams, events and host functions.
 *
 * Work waits in its stream's queue together with the points in other streams that must be reached before it. Since an
 * event can only name work that is already queued, waiting never goes round in a circle. */
#include <algorithm>
#include <chrono>
#include <optional>
#include <set>
#include "../simt/block.h"
#include "../simt/heap.h"
#include "runtime.h"

/* The types behind CUDA's opaque handles. */
struct CUstream_st {
    cudart::StreamRef stream;
};

struct CUevent_st {
    cudart::Point point;
    bool timing = true;
    int device = 0;
    std::shared_ptr<double> milliseconds; /* when the point was reached */
};

namespace cudart
{
namespace
{

const StreamRef &null_stream()
{
    static const auto *const stream = new StreamRef(std::make_shared<Stream>());
    return *stream;
}

/* Every stream with work, the default stream first. A destroyed one stays until its work is done. */
std::vector<StreamRef> &streams()
{
    static auto *const list = new std::vector<StreamRef>{null_stream()};
    return *list;
}

std::set<cudaStream_t> &stream_handles()
{
    static auto *const handles = new std::set<cudaStream_t>;
    return *handles;
}

std::set<cudaEvent_t> &event_handles()
{
    static auto *const handles = new std::set<cudaEvent_t>;
    return *handles;
}

simt_streams policy;
simt::Random random_work(1);
bool working; /* inside a piece of work: nothing else starts */

bool can_run(const Stream &stream)
{
    if (stream.queue.empty())
        return false;
    const std::vector<Point> &waits = stream.queue.front().waits;
    return std::all_of(waits.begin(), waits.end(), [](const Point &wait) { return wait.reached(); });
}

void run_first(Stream &stream)
{
    const Work work = std::move(stream.queue.front());
    stream.queue.pop_front();
    if (work.run && sticky_error() == cudaSuccess) {
        std::optional<simt::HeapAccess> access;
        if (work.touches == Touches::memory)
            access.emplace();
        working = true;
        work.run();
        working = false;
    }
    stream.done++;
}

std::vector<StreamRef> runnable()
{
    std::vector<StreamRef> found;
    std::copy_if(streams().begin(), streams().end(), std::back_inserter(found),
                 [](const StreamRef &stream) { return can_run(*stream); });
    return found;
}

/* False when nothing can run. */
bool run_random()
{
    const std::vector<StreamRef> choices = runnable();
    if (choices.empty())
        return false;
    run_first(*choices[random_work.below(choices.size())]);
    return true;
}

/* The legacy default stream and blocking streams wait for each other. */
void add_default_stream_waits(const StreamRef &stream, std::vector<Point> &waits)
{
    if (!stream->blocking)
        return;
    if (stream != null_stream()) {
        waits.push_back({null_stream(), null_stream()->issued});
        return;
    }
    for (const StreamRef &other : streams())
        if (other != stream && other->blocking)
            waits.push_back({other, other->issued});
}

double now()
{
    const auto time = std::chrono::steady_clock::now().time_since_epoch();
    return std::chrono::duration<double, std::milli>(time).count();
}

bool alive(cudaEvent_t event)
{
    return event_handles().count(event) != 0;
}

} /* namespace */

StreamRef find_stream(cudaStream_t handle)
{
    if (handle == nullptr || handle == cudaStreamLegacy || handle == cudaStreamPerThread)
        return null_stream();
    return stream_handles().count(handle) ? handle->stream : nullptr;
}

void push(const StreamRef &stream, std::function<void()> run, std::vector<Point> waits, Touches touches)
{
    add_default_stream_waits(stream, waits);
    waits.erase(std::remove_if(waits.begin(), waits.end(), [](const Point &wait) { return wait.reached(); }),
                waits.end());
    stream->queue.push_back({std::move(run), std::move(waits), touches});
    stream->issued++;
    if (policy == SIMT_EAGER)
        run_all(stream);
}

void run_until(const Point &point)
{
    if (working)
        return;
    while (!point.reached()) {
        const std::vector<Point> waits = point.stream->queue.front().waits;
        for (const Point &wait : waits)
            run_until(wait);
        run_first(*point.stream);
    }
}

void run_all(const StreamRef &stream)
{
    run_until({stream, stream->issued});
}

void run_everything()
{
    while (policy == SIMT_SHUFFLE && !working && run_random())
        ;
    const std::vector<StreamRef> all = streams();
    for (const StreamRef &stream : all)
        run_all(stream);
}

void run_some()
{
    if (policy != SIMT_SHUFFLE || working)
        return;
    for (uint32_t count = random_work.below(3); count > 0 && run_random(); count--)
        ;
    auto &list = streams(); /* forget destroyed streams that have nothing left to do */
    list.erase(std::remove_if(list.begin(), list.end(),
                              [](const StreamRef &stream) { return stream.use_count() == 1 && stream->queue.empty(); }),
               list.end());
}

void reset_streams(simt_streams new_policy, uint64_t seed)
{
    policy = new_policy;
    random_work = simt::Random(seed);
}

} /* namespace cudart */

using namespace cudart;

extern "C" {

/* --- streams ------------------------------------------------------------------------------------------------------ */

cudaError_t cudaStreamCreateWithPriority(cudaStream_t *handle, unsigned flags, int priority)
{
    Call call("cudaStreamCreateWithPriority");
    if (call.refused())
        return call.result();
    if (!handle || flags & ~static_cast<unsigned>(cudaStreamNonBlocking))
        return call.result(cudaErrorInvalidValue);
    auto stream = std::make_shared<Stream>();
    stream->blocking = !(flags & cudaStreamNonBlocking);
    stream->flags = flags;
    stream->priority = priority;
    stream->device = current_device();
    streams().push_back(stream);
    *handle = new CUstream_st{stream};
    stream_handles().insert(*handle);
    count_handle(1);
    return call.result();
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *handle, unsigned flags)
{
    return cudaStreamCreateWithPriority(handle, flags, 0);
}

cudaError_t cudaStreamCreate(cudaStream_t *handle)
{
    return cudaStreamCreateWithPriority(handle, cudaStreamDefault, 0);
}

/* Returns at once; queued work still runs. */
cudaError_t cudaStreamDestroy(cudaStream_t handle)
{
    Call call("cudaStreamDestroy");
    if (!stream_handles().erase(handle))
        return call.result(cudaErrorInvalidResourceHandle);
    delete handle;
    count_handle(-1);
    return call.result();
}

cudaError_t cudaStreamSynchronize(cudaStream_t handle)
{
    Call call("cudaStreamSynchronize");
    if (call.refused())
        return call.result();
    const StreamRef stream = find_stream(handle);
    if (!stream)
        return call.result(cudaErrorInvalidResourceHandle);
    run_all(stream);
    return call.result();
}

cudaError_t cudaStreamQuery(cudaStream_t handle)
{
    Call call("cudaStreamQuery");
    if (call.refused())
        return call.result();
    const StreamRef stream = find_stream(handle);
    if (!stream)
        return call.result(cudaErrorInvalidResourceHandle);
    return call.result(stream->done < stream->issued ? cudaErrorNotReady : cudaSuccess);
}

cudaError_t cudaStreamGetFlags(cudaStream_t handle, unsigned *flags)
{
    Call call("cudaStreamGetFlags");
    if (call.refused())
        return call.result();
    const StreamRef stream = find_stream(handle);
    if (!stream)
        return call.result(cudaErrorInvalidResourceHandle);
    *flags = stream->flags;
    return call.result();
}

cudaError_t cudaStreamGetPriority(cudaStream_t handle, int *priority)
{
    Call call("cudaStreamGetPriority");
    if (call.refused())
        return call.result();
    const StreamRef stream = find_stream(handle);
    if (!stream)
        return call.result(cudaErrorInvalidResourceHandle);
    *priority = stream->priority;
    return call.result();
}

cudaError_t cudaDeviceGetStreamPriorityRange(int *least, int *greatest)
{
    Call call("cudaDeviceGetStreamPriorityRange");
    if (call.refused())
        return call.result();
    *least = 0;
    *greatest = -5;
    return call.result();
}

/* Runs without device memory and without leave to call this library. */
cudaError_t cudaLaunchHostFunc(cudaStream_t handle, cudaHostFn_t function, void *argument)
{
    Call call("cudaLaunchHostFunc");
    if (call.refused())
        return call.result();
    const StreamRef stream = find_stream(handle);
    if (!stream || !function)
        return call.result(stream ? cudaErrorInvalidValue : cudaErrorInvalidResourceHandle);
    const auto run = [function, argument] {
        set_in_host_function(true);
        function(argument);
        set_in_host_function(false);
    };
    push(stream, run, {}, Touches::nothing);
    return call.result();
}

cudaError_t cudaDeviceSynchronize(void)
{
    Call call("cudaDeviceSynchronize");
    if (call.refused())
        return call.result();
    run_everything();
    return call.result();
}

/* --- events ------------------------------------------------------------------------------------------------------- */

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *handle, unsigned flags)
{
    Call call("cudaEventCreateWithFlags");
    if (call.refused())
        return call.result();
    if (!handle)
        return call.result(cudaErrorInvalidValue);
    *handle = new CUevent_st;
    (*handle)->timing = !(flags & cudaEventDisableTiming);
    (*handle)->device = current_device();
    event_handles().insert(*handle);
    count_handle(1);
    return call.result();
}

cudaError_t cudaEventCreate(cudaEvent_t *handle)
{
    return cudaEventCreateWithFlags(handle, cudaEventDefault);
}

cudaError_t cudaEventDestroy(cudaEvent_t handle)
{
    Call call("cudaEventDestroy");
    if (!event_handles().erase(handle))
        return call.result(cudaErrorInvalidResourceHandle);
    delete handle;
    count_handle(-1);
    return call.result();
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t handle)
{
    Call call("cudaEventRecord");
    if (call.refused())
        return call.result();
    const StreamRef stream = find_stream(handle);
    if (!stream || !alive(event) || (handle && stream->device != event->device))
        return call.result(cudaErrorInvalidResourceHandle);
    event->milliseconds = std::make_shared<double>(0.0);
    event->point = {stream, stream->issued + 1};
    push(
        stream, [time = event->milliseconds] { *time = now(); }, {}, Touches::nothing);
    return call.result();
}

cudaError_t cudaEventRecordWithFlags(cudaEvent_t event, cudaStream_t stream, unsigned)
{
    return cudaEventRecord(event, stream);
}

/* Waits for the event's latest record; an event that was never recorded counts as reached. */
cudaError_t cudaStreamWaitEvent(cudaStream_t handle, cudaEvent_t event, unsigned)
{
    Call call("cudaStreamWaitEvent");
    if (call.refused())
        return call.result();
    const StreamRef stream = find_stream(handle);
    if (!stream || !alive(event))
        return call.result(cudaErrorInvalidResourceHandle);
    push(stream, nullptr, {event->point});
    return call.result();
}

cudaError_t cudaEventQuery(cudaEvent_t event)
{
    Call call("cudaEventQuery");
    if (call.refused())
        return call.result();
    if (!alive(event))
        return call.result(cudaErrorInvalidResourceHandle);
    return call.result(event->point.reached() ? cudaSuccess : cudaErrorNotReady);
}

cudaError_t cudaEventSynchronize(cudaEvent_t event)
{
    Call call("cudaEventSynchronize");
    if (call.refused())
        return call.result();
    if (!alive(event))
        return call.result(cudaErrorInvalidResourceHandle);
    run_until(event->point);
    return call.result();
}

cudaError_t cudaEventElapsedTime(float *milliseconds, cudaEvent_t start, cudaEvent_t end)
{
    Call call("cudaEventElapsedTime");
    if (call.refused())
        return call.result();
    if (!alive(start) || !alive(end) || !start->timing || !end->timing || !start->milliseconds || !end->milliseconds)
        return call.result(cudaErrorInvalidResourceHandle);
    if (!start->point.reached() || !end->point.reached())
        return call.result(cudaErrorNotReady);
    *milliseconds = static_cast<float>(*end->milliseconds - *start->milliseconds);
    return call.result();
}

/* --- stream capture: not offered ---------------------------------------------------------------------------------- */

cudaError_t cudaStreamBeginCapture(cudaStream_t, cudaStreamCaptureMode)
{
    Call call("cudaStreamBeginCapture");
    return call.result(cudaErrorNotSupported);
}

cudaError_t cudaStreamEndCapture(cudaStream_t, cudaGraph_t *graph)
{
    Call call("cudaStreamEndCapture");
    if (graph)
        *graph = nullptr;
    return call.result(cudaErrorNotSupported);
}

cudaError_t cudaStreamIsCapturing(cudaStream_t, cudaStreamCaptureStatus *status)
{
    Call call("cudaStreamIsCapturing");
    if (call.refused())
        return call.result();
    *status = cudaStreamCaptureStatusNone;
    return call.result();
}

} /* extern "C" */
