/* checker.cpp - the rules of the access checker.
 *
 * Every byte has a state. Every word, or every byte of a word that is used in parts, has its last writer and its last
 * two readers, each as (block, thread, barriers passed). Two accesses of one launch conflict when one of them writes,
 * not both are atomic, they come from different threads, and no barrier of both threads lies between them. That does
 * not depend on the order in which the threads happened to run. Blocks of a launch are never ordered; launches always
 * are. */
#include "checker.h"

#include <link.h>
#include <sys/mman.h>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>
#include "block.h"
#include "heap.h"

namespace simt::checker
{
namespace
{

enum State : uint8_t { nothing, freed, uninitialised, initialised };

enum class Access { read, write, atomic };

/* Who made an access, packed: valid 1 bit, block 25, thread 10, block barriers 16, warp barriers 11, atomic 1. */
class Stamp
{
  public:
    Stamp() = default;
    Stamp(const Block &where, bool atomic)
        : bits(1ull << 63 | (where.index & 0x1FFFFFF) << 38 | static_cast<uint64_t>(where.current->linear) << 28 |
               static_cast<uint64_t>(where.barrier_epoch & 0xFFFF) << 12 |
               static_cast<uint64_t>(where.current->warp_epoch & 0x7FF) << 1 | (atomic ? 1 : 0))
    {
    }

    bool valid() const
    {
        return bits != 0;
    }
    unsigned block_index() const
    {
        return static_cast<unsigned>(bits >> 38 & 0x1FFFFFF);
    }
    unsigned thread() const
    {
        return static_cast<unsigned>(bits >> 28 & 0x3FF);
    }
    bool same_thread(Stamp other) const
    {
        return bits >> 28 == other.bits >> 28;
    }
    /* Two accesses to one byte, one of them a write: does nothing order them? */
    bool conflicts(Stamp other) const
    {
        if (!valid() || same_thread(other) || (bits & other.bits & 1))
            return false;
        if (block_index() != other.block_index())
            return true;
        if ((bits >> 12 & 0xFFFF) != (other.bits >> 12 & 0xFFFF))
            return false;
        const bool same_warp = thread() / 32 == other.thread() / 32;
        return !same_warp || (bits >> 1 & 0x7FF) == (other.bits >> 1 & 0x7FF);
    }

  private:
    uint64_t bits;
};

/* Who touched a byte, or a whole word, within one launch. writer_pc is an offset into the executable, 0 if unknown. */
struct History {
    Stamp writer, readers[2];
    uint32_t launch : 31;
    uint32_t split : 1; /* of a word: its bytes have histories of their own */
    uint32_t writer_pc;
};

struct Region {
    AddressRange range;
    const char *name;
    uint8_t *states;    /* of each byte */
    History *words;     /* of each aligned word, or of its first byte once the word is split */
    History *odd_bytes; /* of the other three bytes of a word that is split */
};
Region regions[2];

/* Where an access is in the source: an address in code, or a known line. */
struct Place {
    const void *pc;
    Site site;

    std::string text() const
    {
        return pc ? std::string(source_line(pc)) : std::string(site.file) + ":" + std::to_string(site.line);
    }
};

extern "C" char __executable_start;

template <class T> T *map_shadow(size_t count)
{
    void *memory =
        mmap(nullptr, count * sizeof(T), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
        perror("simt: no address space for the access checker");
        abort();
    }
    return static_cast<T *>(memory);
}

Region map_region(AddressRange range, const char *name)
{
    const size_t words = range.bytes / 4;
    return {range, name, map_shadow<uint8_t>(range.bytes), map_shadow<History>(words), map_shadow<History>(words * 3)};
}

Region *find_region(const void *address)
{
    if (!regions[0].states) {
        regions[0] = map_region(heap_range(), "global");
        regions[1] = map_region(shared_arena(), "shared");
    }
    for (Region &region : regions)
        if (region.range.holds(address))
            return &region;
    return nullptr;
}

size_t offset_in(const Region &region, const void *address)
{
    return static_cast<size_t>(static_cast<const char *>(address) - region.range.start);
}

void set_states(void *start, size_t bytes, State state)
{
    if (const Region *region = find_region(start))
        memset(region->states + offset_in(*region, start), state, bytes);
}

/* --- memory that is neither device nor shared nor local ----------------------------------------------------------- */

int add_read_only_parts(dl_phdr_info *object, size_t, void *list)
{
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) &part = object->dlpi_phdr[i];
        const bool read_only = (part.p_type == PT_LOAD && !(part.p_flags & PF_W)) || part.p_type == PT_GNU_RELRO;
        if (read_only)
            static_cast<std::vector<AddressRange> *>(list)->push_back(
                {reinterpret_cast<const char *>(object->dlpi_addr + part.p_vaddr), part.p_memsz});
    }
    return 0;
}

/* Constant tables and the built-in variables. */
bool is_constant(const void *address)
{
    static const std::vector<AddressRange> parts = [] {
        std::vector<AddressRange> found;
        found.push_back({reinterpret_cast<const char *>(&builtins), sizeof builtins});
        dl_iterate_phdr(add_read_only_parts, &found);
        return found;
    }();
    for (const AddressRange &part : parts)
        if (part.holds(address))
            return true;
    return false;
}

const char *verb(Access access)
{
    return access == Access::read ? "read" : access == Access::write ? "write" : "atomic update";
}

void check_other_memory(const void *address, size_t bytes, Access access, const Place &place)
{
    if (fiber_all_stacks().holds(address)) {
        if (!fiber_stack(block.current->linear).holds(address))
            report(SIMT_LOCAL_MEMORY, "%s of %zu bytes of another thread's local memory at %s", verb(access), bytes,
                   first_report(SIMT_LOCAL_MEMORY) ? place.text().c_str() : "");
        return;
    }
    if (access == Access::read && is_constant(address))
        return;
    report(SIMT_HOST_POINTER, "%s of %zu bytes at %p at %s: not device, shared, local or constant memory", verb(access),
           bytes, address, first_report(SIMT_HOST_POINTER) ? place.text().c_str() : "");
}

/* --- device and shared memory ------------------------------------------------------------------------------------- */

void report_state(const Region &region, State state, const void *address, size_t bytes, Access access,
                  const Place &place)
{
    const simt_kind kind = state == uninitialised                     ? SIMT_UNINITIALISED
                           : state == freed && &region == &regions[0] ? SIMT_USE_AFTER_FREE
                                                                      : SIMT_OUT_OF_BOUNDS;
    if (!first_report(kind)) {
        report(kind, "again");
        return;
    }
    const std::string where = &region == &regions[0] ? heap_describe(address) : "";
    report(kind, "%s of %zu bytes of %s memory at %s%s%s%s", verb(access), bytes, region.name, place.text().c_str(),
           where.empty() ? "" : " (", where.c_str(), where.empty() ? "" : ")");
}

void report_race(const Region &region, Stamp other, uint32_t other_pc, const void *address, size_t bytes, Access access,
                 const Place &place)
{
    if (!first_report(SIMT_RACE)) {
        report(SIMT_RACE, "again");
        return;
    }
    const std::string here = place.text();
    const std::string there = other_pc ? std::string(" at ") + source_line(&__executable_start + other_pc) : "";
    report(SIMT_RACE,
           "%s of %zu bytes of %s memory at %s (address %p) conflicts with %s%s by block %u, thread %u: no "
           "barrier between them",
           verb(access), bytes, region.name, here.c_str(), address, other_pc ? "the write" : "an access", there.c_str(),
           other.block_index(), other.thread());
}

/* What happened before this launch is ordered by the stream, so a history starts empty. */
void start_launch(History &history)
{
    if (history.launch == (block.launch_number & 0x7fffffff))
        return;
    history = History{};
    history.launch = block.launch_number & 0x7fffffff;
}

/* The history of the byte at offset. The first access to a part of a word splits it: until the end of the launch each
 * of its bytes has a history, which begins as a copy of the word's. */
History &history_of_byte(const Region &region, size_t offset)
{
    History &word = region.words[offset / 4];
    History *odd = &region.odd_bytes[offset / 4 * 3];
    if (!word.split) {
        odd[0] = odd[1] = odd[2] = word;
        word.split = 1;
    }
    return offset % 4 == 0 ? word : odd[offset % 4 - 1];
}

void note_read(History &history, Stamp me)
{
    if (history.readers[0].same_thread(me)) {
        history.readers[0] = me;
        return;
    }
    history.readers[1] = history.readers[0];
    history.readers[0] = me;
}

void note_write(History &history, Stamp me, uint32_t pc)
{
    history.writer = me;
    history.writer_pc = pc;
}

uint32_t short_pc(const void *pc)
{
    const auto offset = static_cast<const char *>(pc) - &__executable_start;
    return offset > 0 && offset < 0xffffffffl ? static_cast<uint32_t>(offset) : 0;
}

/* False when the byte is not there: the rest of the access then is not either. */
bool check_state(const Region &region, size_t offset, const void *address, size_t bytes, Access access,
                 const Place &place)
{
    uint8_t &state = region.states[offset];
    if (state == nothing || state == freed) {
        report_state(region, static_cast<State>(state), address, bytes, access, place);
        return false;
    }
    if (state == uninitialised && access != Access::write)
        report_state(region, uninitialised, address, bytes, access, place);
    state = initialised;
    return true;
}

/* Whether the access conflicts with an earlier one in this history. */
bool check_history(const Region &region, History &history, const void *address, size_t bytes, Access access, Stamp me,
                   const Place &place)
{
    bool race = history.writer.conflicts(me);
    if (race)
        report_race(region, history.writer, history.writer_pc, address, bytes, access, place);
    if (access == Access::read) {
        note_read(history, me);
        return race;
    }
    for (const Stamp &reader : history.readers) {
        if (race || !reader.conflicts(me))
            continue;
        report_race(region, reader, 0, address, bytes, access, place);
        race = true;
    }
    note_write(history, me, short_pc(place.pc));
    return race;
}

/* Whole words in one step each, parts of words byte by byte. */
void check_races(const Region &region, size_t first, const void *address, size_t bytes, Access access,
                 const Place &place)
{
    const Stamp me(block, access == Access::atomic);
    const size_t end = first + bytes;
    for (size_t offset = first; offset < end;) {
        History &word = region.words[offset / 4];
        start_launch(word);
        const bool whole = offset % 4 == 0 && end - offset >= 4 && !word.split;
        History &history = whole ? word : history_of_byte(region, offset);
        if (check_history(region, history, address, bytes, access, me, place))
            return; /* one report an access is enough */
        offset += whole ? 4 : 1;
    }
}

void check(const void *address, size_t bytes, Access access, const Place &place)
{
    if (!runs_kernel)
        return;
    Region *region = find_region(address);
    if (!region) {
        check_other_memory(address, bytes, access, place);
        return;
    }
    const bool whole = !(bytes & (bytes - 1)) && bytes <= 16;
    if (whole && reinterpret_cast<uintptr_t>(address) % bytes)
        report(SIMT_MISALIGNED, "%s of %zu bytes at %p at %s", verb(access), bytes, address,
               first_report(SIMT_MISALIGNED) ? place.text().c_str() : "");
    const size_t first = offset_in(*region, address);
    for (size_t i = 0; i < bytes; i++)
        if (!check_state(*region, first + i, address, bytes, access, place))
            return;
    check_races(*region, first, address, bytes, access, place);
}

} /* namespace */

void allocated(void *start, size_t bytes)
{
    set_states(start, bytes, uninitialised);
    const Region *region = find_region(start);
    if (region == &regions[1]) /* addresses of shared memory are used again by the next block */
        memset(static_cast<void *>(region->words + offset_in(*region, start) / 4), 0,
               (bytes + 3) / 4 * sizeof(History));
}

void released(void *start, size_t bytes)
{
    set_states(start, bytes, freed);
}

void written(void *start, size_t bytes)
{
    set_states(start, bytes, initialised);
}

void forgotten(void *start, size_t bytes)
{
    set_states(start, bytes, uninitialised);
}

void copied(void *to, const void *from, size_t bytes)
{
    const Region *source = find_region(from), *target = find_region(to);
    if (source && target)
        memmove(target->states + offset_in(*target, to), source->states + offset_in(*source, from), bytes);
    else
        written(to, bytes);
}

void read_by(const char *reader, const void *start, size_t bytes)
{
    const Region *region = find_region(start);
    if (!region)
        return;
    for (size_t i = 0; i < bytes; i++) {
        uint8_t &state = region->states[offset_in(*region, start) + i];
        if (state != uninitialised)
            continue;
        report(SIMT_UNINITIALISED, "%s reads byte %zu of %zu, which nothing has written (%s)", reader, i, bytes,
               heap_describe(static_cast<const char *>(start) + i).c_str());
        return;
    }
}

void atomic(const void *address, size_t bytes, const void *pc)
{
    check(address, bytes, Access::atomic, {pc, {}});
}

void access_at(const void *address, size_t bytes, bool write, Site site)
{
    check(address, bytes, write ? Access::write : Access::read, {nullptr, site});
}

void access(const void *address, size_t bytes, bool write, const void *pc)
{
    check(address, bytes, write ? Access::write : Access::read, {pc, {}});
}

} /* namespace simt::checker */
