/* report.cpp - reports, source lines and the settings of a test. */
#include <dlfcn.h>
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include "block.h"
#include "checker.h"
#include "sanitizer.h"

namespace simt
{
namespace
{

long counts[SIMT_KINDS];
char last_text[2048];

const char *const kind_names[SIMT_KINDS] = {"out-of-bounds", "use-after-free",      "uninitialised-read",
                                            "data-race",     "host-pointer",        "foreign-local-memory",
                                            "misaligned",    "barrier-divergence",  "warp-divergence",
                                            "deadlock",      "shared-memory-limit", "trap"};

/* One line of addr2line's output, without the newline; "" at its end. */
std::string read_line(FILE *stream)
{
    char text[512];
    if (!fgets(text, sizeof text, stream))
        return "";
    text[strcspn(text, "\n")] = 0;
    return text;
}

struct Frame {
    std::string function, line;
};

/* Inline code of the emulator, of NVIDIA's headers and of the C++ library is not what the reader looks for. */
bool is_foreign(const std::string &line)
{
    static const char *const parts[] = {"/emulator/simt/", "/weft_cuda.h:", "/cuda_fp16.h", "/cuda_bf16.h", "/c++/"};
    for (const char *part : parts)
        if (line.find(part) != std::string::npos)
            return true;
    return false;
}

std::string without_folders(const std::string &line)
{
    const size_t slash = line.rfind('/');
    const size_t start = slash == std::string::npos ? 0 : slash + 1;
    return line.substr(start, line.find(' ', start) - start); /* and without "(discriminator 2)" */
}

/* The innermost frame of the address that is the reader's own code. */
Frame find_frame(const void *address)
{
    Dl_info object;
    if (!dladdr(address, &object) || !object.dli_fbase)
        return {"?", "?"};
    char command[1024];
    const auto offset = static_cast<size_t>(static_cast<const char *>(address) - static_cast<char *>(object.dli_fbase));
    snprintf(command, sizeof command, "addr2line -Cfie '%s' 0x%zx 2>/dev/null", object.dli_fname, offset);
    FILE *stream = popen(command, "r");
    if (!stream)
        return {"?", "?"};
    Frame found{"?", "?"};
    for (;;) {
        const Frame frame{read_line(stream), read_line(stream)};
        if (frame.line.empty())
            break;
        found = frame;
        if (!is_foreign(frame.line))
            break;
    }
    while (!read_line(stream).empty())
        ;
    pclose(stream);
    found.line = without_folders(found.line);
    return found;
}

const char *keep(const std::string &text)
{
    static std::string kept[4];
    static unsigned next;
    std::string &slot = kept[next++ % 4];
    slot = text;
    return slot.c_str();
}

} /* namespace */

bool first_report(simt_kind kind)
{
    return counts[kind] == 0;
}

const char *source_line(const void *pc)
{
    /* A return address belongs to the line after the call. */
    return keep(find_frame(static_cast<const char *>(pc) - 1).line);
}

const char *function_name(const void *function)
{
    return keep(find_frame(function).function);
}

void use_signal_stack()
{
    static char alternate[64 << 10];
    static const stack_t stack = {alternate, 0, sizeof alternate};
    stack_t previous;
    if (!sigaltstack(nullptr, &previous) && (previous.ss_flags & SS_DISABLE))
        sigaltstack(&stack, nullptr);
}

void report(simt_kind kind, const char *format, ...)
{
    if (counts[kind]++ > 0)
        return;
    int used = 0;
    if (block.current)
        used = snprintf(last_text, sizeof last_text,
                        "simt: %s: %s, block (%u,%u,%u), thread (%u,%u,%u): ", kind_names[kind],
                        function_name(block.launch->kernel), builtins.block_idx.x, builtins.block_idx.y,
                        builtins.block_idx.z, builtins.thread_idx.x, builtins.thread_idx.y, builtins.thread_idx.z);
    else
        used = snprintf(last_text, sizeof last_text, "simt: %s: ", kind_names[kind]);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(last_text + used, sizeof last_text - static_cast<size_t>(used), format, arguments);
    va_end(arguments);
    if (!settings.quiet)
        fprintf(stderr, "%s\n", last_text);
}

} /* namespace simt */

using simt::settings;

namespace
{

/* Async-signal-safe: only write and plain variables. */
void on_time_limit(int)
{
    char text[256];
    int length =
        snprintf(text, sizeof text, "simt: time limit reached%s\n", simt::block.current ? "" : " in host code");
    if (simt::block.current)
        length =
            snprintf(text, sizeof text, "simt: time limit reached: block (%u,%u,%u), thread (%u,%u,%u) is running\n",
                     simt::builtins.block_idx.x, simt::builtins.block_idx.y, simt::builtins.block_idx.z,
                     simt::builtins.thread_idx.x, simt::builtins.thread_idx.y, simt::builtins.thread_idx.z);
    if (write(STDERR_FILENO, text, static_cast<size_t>(length)) < 0)
        _exit(125);
    _exit(124);
}

} /* namespace */

void simt_set_order(simt_order order, uint64_t seed)
{
    settings.order = order;
    settings.seed = seed;
}

long simt_reports(simt_kind kind)
{
    return simt::counts[kind];
}

long simt_reports_total(void)
{
    long total = 0;
    for (long count : simt::counts)
        total += count;
    return total;
}

const char *simt_last_report(void)
{
    return simt::last_text;
}

const char *simt_kind_name(simt_kind kind)
{
    return simt::kind_names[kind];
}

void simt_clear_reports(void)
{
    memset(simt::counts, 0, sizeof simt::counts);
    simt::last_text[0] = 0;
}

void simt_set_quiet(int quiet)
{
    settings.quiet = quiet != 0;
}

int simt_has_checker(void)
{
    return simt::checker::present;
}

int simt_has_asan(void)
{
#if defined(SIMT_ASAN)
    return 1;
#else
    return 0;
#endif
}

void simt_set_time_limit(unsigned seconds)
{
    simt::use_signal_stack();
    struct sigaction action = {};
    action.sa_handler = on_time_limit;
    action.sa_flags = SA_ONSTACK;
    sigaction(SIGPROF, &action, nullptr);
    const struct itimerval limit = {{0, 0}, {static_cast<time_t>(seconds), 0}};
    setitimer(ITIMER_PROF, &limit, nullptr);
}
