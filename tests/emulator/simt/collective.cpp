/* collective.cpp - block barriers and warp operations.
 *
 * A lane leaves its request and waits; the last lane that the mask names works out everybody's result. Lanes that have
 * returned from the kernel are no longer waited for. */
#include <cstring>
#include "block.h"

namespace simt
{
namespace
{

bool same_line(Site a, Site b)
{
    return a.line == b.line && (a.file == b.file || !strcmp(a.file, b.file));
}

void open_barrier()
{
    for (unsigned i = 0; i < block.count; i++) {
        Thread &thread = block.threads[i];
        if (thread.run != Run::at_barrier)
            continue;
        thread.run = Run::ready;
        thread.vote = block.vote;
    }
    block.arrived = 0;
    block.barrier_epoch++;
}

/* The lane whose value a shuffle gives to lane: its own where the source is outside the segment, as the hardware
 * does. */
unsigned shuffle_source(const WarpRequest &request, unsigned lane)
{
    const unsigned width = request.width, first = lane & ~(width - 1), end = first + width;
    switch (request.op) {
    case WarpOp::shuffle:
        return first + (request.argument & (width - 1));
    case WarpOp::shuffle_up:
        return request.argument <= lane - first ? lane - request.argument : lane;
    case WarpOp::shuffle_down:
        return request.argument < end - lane ? lane + request.argument : lane;
    default:
        return (lane ^ request.argument) < end ? lane ^ request.argument : lane;
    }
}

bool valid_width(unsigned width)
{
    return width && width <= 32 && !(width & (width - 1));
}

bool is_shuffle(WarpOp op)
{
    return op == WarpOp::shuffle || op == WarpOp::shuffle_up || op == WarpOp::shuffle_down || op == WarpOp::shuffle_xor;
}

uint64_t combine(WarpOp op, uint64_t a, uint64_t b)
{
    const auto x = static_cast<uint32_t>(a), y = static_cast<uint32_t>(b);
    const auto signed_x = static_cast<int32_t>(x), signed_y = static_cast<int32_t>(y);
    switch (op) {
    case WarpOp::add:
        return x + y;
    case WarpOp::min:
        return x < y ? x : y;
    case WarpOp::max:
        return x > y ? x : y;
    case WarpOp::min_signed:
        return signed_x < signed_y ? x : y;
    case WarpOp::max_signed:
        return signed_x > signed_y ? x : y;
    case WarpOp::bit_and:
        return x & y;
    case WarpOp::bit_or:
        return x | y;
    case WarpOp::bit_xor:
        return x ^ y;
    default:
        return 0;
    }
}

/* The one result that all lanes of group get: a vote or a reduction. */
uint64_t common_result(const WarpThreads &warp, unsigned group, WarpOp op)
{
    uint64_t ballot = 0, reduced = 0;
    bool first = true;
    for (unsigned lane = 0; lane < warp.count; lane++) {
        if (!(group >> lane & 1))
            continue;
        const uint64_t value = warp.lanes[lane].request.value;
        ballot |= (value & 1) << lane;
        reduced = first ? value : combine(op, reduced, value);
        first = false;
    }
    if (op == WarpOp::ballot)
        return ballot;
    if (op == WarpOp::any)
        return ballot != 0;
    if (op == WarpOp::all)
        return ballot == group;
    return reduced;
}

uint64_t lanes_with_value(const WarpThreads &warp, unsigned group, uint64_t value)
{
    uint64_t lanes = 0;
    for (unsigned lane = 0; lane < warp.count; lane++)
        if ((group >> lane & 1) && warp.lanes[lane].request.value == value)
            lanes |= 1ull << lane;
    return lanes;
}

uint64_t shuffled_value(const WarpThreads &warp, unsigned group, unsigned lane)
{
    const WarpRequest &request = warp.lanes[lane].request;
    const unsigned source = shuffle_source(request, lane);
    if (group >> source & 1)
        return warp.lanes[source].request.value;
    report(SIMT_WARP, "shuffle at %s:%d reads lane %u, which does not take part (mask %08x, lanes present %08x)",
           request.site.file, request.site.line, source, request.mask, group);
    return ~0ull;
}

/* Whether the lanes of group are in one operation; that they should come to it by one line is only reported. */
bool same_operation(const WarpThreads &warp, unsigned group, const WarpRequest &request)
{
    for (unsigned other = 0; other < warp.count; other++) {
        const WarpRequest &theirs = warp.lanes[other].request;
        if ((group >> other & 1) && (theirs.op != request.op || theirs.mask != request.mask))
            return false;
        if ((group >> other & 1) && !same_line(theirs.site, request.site))
            report(SIMT_WARP, "lanes meet in warp operations of different lines (%s:%d and %s:%d)", request.site.file,
                   request.site.line, theirs.site.file, theirs.site.line);
    }
    return true;
}

/* Completes the operation in which lane waits, if all lanes that its mask names are there. */
bool try_complete(const WarpThreads &warp, unsigned lane)
{
    const WarpRequest &request = warp.lanes[lane].request;
    const unsigned group = request.mask & warp.all() & ~warp.state->done;
    if ((warp.state->waiting & group) != group)
        return false;
    if (!warp.state->alike && !same_operation(warp, group, request))
        return false;
    const bool all_lanes = group == (warp.all() & ~warp.state->done);
    const uint64_t common = common_result(warp, group, request.op);
    for (unsigned other = 0; other < warp.count; other++) {
        if (!(group >> other & 1))
            continue;
        Thread &thread = warp.lanes[other];
        thread.result = common;
        if (is_shuffle(request.op))
            thread.result = shuffled_value(warp, group, other);
        if (request.op == WarpOp::match_any)
            thread.result = lanes_with_value(warp, group, thread.request.value);
        if (request.op == WarpOp::sync && all_lanes)
            thread.warp_epoch++;
        thread.run = Run::ready;
    }
    warp.state->waiting &= ~group;
    return true;
}

/* Keeps track of whether all that wait in the warp brought the same, as they nearly always do: nothing need be compared
 * then. */
void note_arrival(const WarpThreads &warp, unsigned lane)
{
    const WarpRequest &mine = warp.lanes[lane].request;
    if (!warp.state->waiting) {
        warp.state->alike = true;
        return;
    }
    const WarpRequest &first = warp.lanes[__builtin_ctz(warp.state->waiting)].request;
    if (mine.op != first.op || mine.mask != first.mask || !same_line(mine.site, first.site))
        warp.state->alike = false;
}

/* Two lanes that name each other but stand in different operations will wait for ever: say so at once. */
void check_meeting(const WarpThreads &warp, unsigned lane)
{
    const WarpRequest &mine = warp.lanes[lane].request;
    for (unsigned other = 0; other < warp.count; other++) {
        if (other == lane || !(warp.state->waiting & mine.mask & 1u << other))
            continue;
        const WarpRequest &theirs = warp.lanes[other].request;
        if (!(theirs.mask >> lane & 1) || (theirs.op == mine.op && theirs.mask == mine.mask))
            continue;
        report(SIMT_WARP,
               "lane %u at %s:%d (mask %08x) and lane %u at %s:%d (mask %08x) wait for each other in different warp "
               "operations",
               lane, mine.site.file, mine.site.line, mine.mask, other, theirs.site.file, theirs.site.line, theirs.mask);
        return;
    }
}

} /* namespace */

int block_barrier(Vote vote, int predicate, Site site)
{
    Thread &thread = *block.current;
    thread.site = site;
    if (block.arrived == 0) {
        block.barrier_site = site;
        block.vote = vote == Vote::all;
    } else if (!same_line(site, block.barrier_site)) {
        report(SIMT_BARRIER, "reached __syncthreads at %s:%d while other threads of the block wait at %s:%d", site.file,
               site.line, block.barrier_site.file, block.barrier_site.line);
    }
    if (block.live != block.count)
        report(SIMT_BARRIER, "__syncthreads at %s:%d after %u threads of the block have returned", site.file, site.line,
               block.count - block.live);
    if (vote == Vote::count)
        block.vote += predicate != 0;
    else if (vote == Vote::all)
        block.vote &= predicate != 0;
    else if (vote == Vote::any)
        block.vote |= predicate != 0;
    thread.run = Run::at_barrier;
    if (++block.arrived == block.live) {
        open_barrier();
        thread.run = Run::running;
    } else {
        suspend(thread);
    }
    return thread.vote;
}

uint64_t warp_operation(const WarpRequest &request)
{
    Thread &thread = *block.current;
    const WarpThreads warp = warp_of(thread);
    const unsigned lane = thread.linear & 31;
    thread.request = request;
    thread.site = request.site;
    if (!(request.mask >> lane & 1)) {
        report(SIMT_WARP, "lane %u is not in its own mask %08x at %s:%d", lane, request.mask, request.site.file,
               request.site.line);
        thread.request.mask |= 1u << lane;
    }
    if (!valid_width(request.width)) {
        report(SIMT_WARP, "shuffle of width %u at %s:%d: it must be a power of two, at most 32", request.width,
               request.site.file, request.site.line);
        thread.request.width = 32;
    }
    thread.run = Run::at_warp;
    note_arrival(warp, lane);
    if (!warp.state->alike)
        check_meeting(warp, lane);
    warp.state->waiting |= 1u << lane;
    if (try_complete(warp, lane))
        thread.run = Run::running;
    else
        suspend(thread);
    return thread.result;
}

unsigned active_mask()
{
    const WarpThreads warp = warp_of(*block.current);
    return warp.all() & ~warp.state->done;
}

void leave_collectives(Thread &thread)
{
    if (block.live && block.arrived) {
        report(SIMT_BARRIER, "a thread returns while %u threads wait in __syncthreads at %s:%d", block.arrived,
               block.barrier_site.file, block.barrier_site.line);
        if (block.arrived == block.live)
            open_barrier();
    }
    const WarpThreads warp = warp_of(thread);
    warp.state->done |= 1u << (thread.linear & 31);
    if (warp.state->waiting)
        try_complete(warp, static_cast<unsigned>(__builtin_ctz(warp.state->waiting)));
}

} /* namespace simt */
