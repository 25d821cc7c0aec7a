/* runtime.h - what the parts of the stand-in cudart share: the entry of every call, streams as queues of work. */
#ifndef WEFT_TESTS_CUDART_RUNTIME_H
#define WEFT_TESTS_CUDART_RUNTIME_H

#include <cuda_runtime_api.h>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>
#include "../emulator.h"

namespace cudart
{

/* --- streams -------------------------------------------------------------------------------------------------------
 * */

struct Stream;
using StreamRef = std::shared_ptr<Stream>;

/* A point in a stream: reached when done >= position. */
struct Point {
    StreamRef stream;
    uint64_t position = 0;

    bool reached() const;
};

/* Whether work reads or writes device memory, which is closed otherwise. */
enum class Touches { memory, nothing };

struct Work {
    std::function<void()> run;
    std::vector<Point> waits;
    Touches touches;
};

struct Stream {
    std::deque<Work> queue;
    uint64_t issued = 0, done = 0;
    bool blocking = true; /* ordered with the legacy default stream */
    unsigned flags = 0;
    int priority = 0;
    int device = 0;
};

inline bool Point::reached() const
{
    return !stream || stream->done >= position;
}

/* The stream behind a handle; nullptr for a handle that is not alive. */
StreamRef find_stream(cudaStream_t handle);
/* Queues work, and runs it now under SIMT_EAGER. */
void push(const StreamRef &stream, std::function<void()> run, std::vector<Point> waits = {},
          Touches touches = Touches::memory);
/* Runs what point depends on. */
void run_until(const Point &point);
void run_all(const StreamRef &stream);
void run_everything();
/* Under SIMT_SHUFFLE: a few random pieces of work that may run now. */
void run_some();
void reset_streams(simt_streams policy, uint64_t seed);

/* --- calls ---------------------------------------------------------------------------------------------------------
 * */

/* Every function of the run-time library makes one first: it takes the lock, counts the call, decides whether it fails
 * on purpose and lets other streams get on. */
class Call
{
  public:
    explicit Call(const char *function);

    /* The call does nothing and returns result(): failure on purpose, sticky error, no device, or inside a host
     * function. */
    bool refused() const
    {
        return failure != cudaSuccess;
    }
    /* What to return, given what the call itself came to. */
    cudaError_t result(cudaError_t error = cudaSuccess);

  private:
    std::lock_guard<std::recursive_mutex> lock;
    cudaError_t failure = cudaSuccess;
};

/* An error of running work: returned by every later call until cudaDeviceReset. */
void set_sticky_error(cudaError_t error);
cudaError_t sticky_error();

/* Marks that a host function runs inside queued work, where calls are not permitted. */
void set_in_host_function(bool inside);

/* The devices are alike, share the memory's limit and differ in what belongs to them: streams, events, blocks of
 * memory, what kernels are allowed. A device is current for a thread. */
constexpr int most_devices = 2;
int devices();
int current_device();
/* Whether the devices have memory pools and stream-ordered allocation. */
bool has_pools();
void reset_devices();

void count_launch();
void count_handle(int change);
size_t memory_limit();
/* Forgets which kernels may have more dynamic shared memory. */
void reset_kernel_limits();

} /* namespace cudart */

#endif
