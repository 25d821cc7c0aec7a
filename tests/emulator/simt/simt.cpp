/* simt.cpp - the scheduler: blocks one after the other, the threads of a block as fibers that run from one
 * synchronisation point to the next. */
#include <vector_functions.h>
#include <cstdio>
#include <numeric>
#include <utility>
#include <vector>
#include "block.h"
#include "checker.h"

namespace simt
{

Builtins builtins;
Block block;
thread_local bool runs_kernel;
Settings settings;

WarpThreads warp_of(const Thread &thread)
{
    const unsigned first = thread.linear & ~31u;
    const unsigned count = block.count - first < 32 ? block.count - first : 32;
    return {&block.threads[first], &block.warps[first / 32], count};
}

namespace
{

/* The order in which the scheduler visits blocks, warps and lanes. */
class Visitor
{
  public:
    Visitor() : random(settings.seed)
    {
    }

    const std::vector<unsigned> &visit(std::vector<unsigned> &order, unsigned count)
    {
        order.resize(count);
        std::iota(order.begin(), order.end(), 0u);
        if (settings.order == SIMT_REVERSE)
            for (unsigned i = 0; i < count; i++)
                order[i] = count - 1 - i;
        if (settings.order == SIMT_RANDOM)
            for (unsigned i = count; i > 1; i--)
                std::swap(order[i - 1], order[random.below(i)]);
        return order;
    }

    /* Whether a warp that got somewhere goes on before the others have their turn. */
    bool stay()
    {
        return settings.order != SIMT_RANDOM || random.below(2);
    }

  private:
    Random random;
};

bool can_run(const Thread &thread)
{
    return thread.run == Run::fresh || thread.run == Run::ready;
}

void run_thread();

/* What must be so before the switch to thread. */
void prepare_to_resume(Thread &thread)
{
    if (thread.run == Run::fresh)
        fiber_start(thread.linear, run_thread);
    thread.run = Run::running;
    block.current = &thread;
    builtins.thread_idx = thread.index;
}

/* Where the lanes of a warp take turns in their order, one leads to the next itself: half the switches. nullptr after
 * the last, and where the scheduler must decide. */
Thread *next_lane(Thread &thread)
{
    if (settings.order == SIMT_RANDOM || block.failed)
        return nullptr;
    const WarpThreads warp = warp_of(thread);
    const bool forward = settings.order == SIMT_FORWARD;
    Thread *const end = forward ? warp.lanes + warp.count : warp.lanes - 1;
    for (Thread *next = &thread + (forward ? 1 : -1); next != end; next += forward ? 1 : -1)
        if (can_run(*next))
            return next;
    return nullptr;
}

void run_thread()
{
    Thread &thread = *block.current;
    block.launch->invoke(block.launch->kernel, block.launch->arguments.data());
    thread.run = Run::done;
    block.live--;
    drop_async_copies(thread);
    leave_collectives(thread);
    suspend(thread); /* for ever */
}

void resume(Thread &thread)
{
    prepare_to_resume(thread);
    fiber_switch_to(thread.linear);
}

/* Lets every runnable lane of the warp run once to its next synchronisation point. */
bool run_warp(unsigned warp, Visitor &visitor, std::vector<unsigned> &lane_order)
{
    const WarpThreads threads = warp_of(block.threads[warp * 32]);
    if (settings.order != SIMT_RANDOM) {
        Thread &first = threads.lanes[settings.order == SIMT_FORWARD ? 0 : threads.count - 1];
        Thread *const runnable = block.failed ? nullptr : can_run(first) ? &first : next_lane(first);
        if (runnable)
            resume(*runnable);
        return runnable;
    }
    bool progress = false;
    for (unsigned lane : visitor.visit(lane_order, threads.count)) {
        Thread &thread = threads.lanes[lane];
        if (block.failed)
            return false;
        if (!can_run(thread))
            continue;
        resume(thread);
        progress = true;
    }
    return progress;
}

void report_deadlock()
{
    char text[1024];
    int used = 0;
    const Thread *shown = nullptr;
    for (unsigned i = 0; i < block.count && used < 800; i++) {
        const Thread &thread = block.threads[i];
        if (thread.run != Run::at_barrier && thread.run != Run::at_warp)
            continue;
        if (shown && shown->run == thread.run && shown->site.line == thread.site.line)
            continue;
        used += snprintf(text + used, sizeof text - static_cast<size_t>(used), "%s thread %u waits in %s at %s:%d",
                         shown ? ";" : "", i, thread.run == Run::at_barrier ? "__syncthreads" : "a warp operation",
                         thread.site.file, thread.site.line);
        shown = &thread;
    }
    report(SIMT_DEADLOCK, "no thread of the block can go on:%s", text);
    block.failed = true;
}

void start_block(const Launch &launch, uint64_t index)
{
    const dim3 grid = launch.grid, size = launch.block;
    builtins.block_idx =
        make_uint3(static_cast<unsigned>(index % grid.x), static_cast<unsigned>(index / grid.x % grid.y),
                   static_cast<unsigned>(index / (static_cast<uint64_t>(grid.x) * grid.y)));
    block.index = index;
    block.count = block.live = size.x * size.y * size.z;
    block.arrived = 0;
    block.barrier_epoch = 0;
    for (unsigned i = 0; i < block.count; i++) {
        Thread &thread = block.threads[i];
        thread = Thread{};
        thread.linear = i;
        thread.index = make_uint3(i % size.x, i / size.x % size.y, i / (size.x * size.y));
    }
    for (Warp &warp : block.warps)
        warp = Warp{};
}

void abandon_block()
{
    for (unsigned i = 0; i < block.count; i++) {
        Thread &thread = block.threads[i];
        if (thread.run == Run::fresh || thread.run == Run::done)
            continue;
        drop_async_copies(thread);
        fiber_abandon(i);
    }
}

void run_block(Visitor &visitor)
{
    std::vector<unsigned> warp_order, lane_order;
    const unsigned warps = (block.count + 31) / 32;
    while (block.live && !block.failed) {
        bool progress = false;
        for (unsigned warp : visitor.visit(warp_order, warps))
            while (run_warp(warp, visitor, lane_order)) {
                progress = true;
                if (!visitor.stay())
                    break;
            }
        if (!progress && block.live && !block.failed)
            report_deadlock();
    }
    if (block.failed)
        abandon_block();
}

} /* namespace */

void suspend(Thread &thread)
{
    Thread *const next = next_lane(thread);
    if (next) {
        prepare_to_resume(*next);
        fiber_pass(thread.linear, next->linear);
    } else {
        fiber_yield(thread.linear);
    }
}

bool run_grid(const Launch &launch)
{
    const uint64_t blocks = static_cast<uint64_t>(launch.grid.x) * launch.grid.y * launch.grid.z;
    builtins.grid_dim = launch.grid;
    builtins.block_dim = launch.block;
    block.launch = &launch;
    block.launch_number++;
    block.failed = false;
    set_dynamic_shared(launch.shared_bytes, launch.granted_shared);
    runs_kernel = true;
    Visitor visitor;
    std::vector<unsigned> block_order;
    for (unsigned index : visitor.visit(block_order, static_cast<unsigned>(blocks))) {
        start_block(launch, index);
        run_block(visitor);
        release_shared();
        if (block.failed)
            break;
    }
    runs_kernel = false;
    block.current = nullptr;
    block.launch = nullptr;
    return !block.failed;
}

void trap(Site site)
{
    report(SIMT_TRAP, "__trap() at %s:%d", site.file, site.line);
    block.failed = true;
    suspend(*block.current); /* for ever */
}

void atomic_access(const void *address, size_t bytes, const void *pc)
{
    checker::atomic(address, bytes, pc);
}

} /* namespace simt */
