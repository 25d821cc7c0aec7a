/* test_planted_bugs.cpp - runs every planted bug in its own process, in every mode, and checks that what should catch
 * it does. With WEFT_SIMT_TABLE set it prints what each mode saw, which is the table in docs/testing-cuda.md. */
#include <cuda_runtime_api.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include "planted_bugs.h"

namespace
{

/* What the child leaves behind if it gets to its end. */
struct Result {
    bool finished, right;
    long reports[SIMT_KINDS];
};

struct Observation {
    Result result;
    std::string output; /* stderr */
};

struct Mode {
    const char *name;
    std::function<void()> set;
};

const Mode thread_orders[] = {
    {"forward", [] { simt_set_order(SIMT_FORWARD, 1); }},
    {"reverse", [] { simt_set_order(SIMT_REVERSE, 1); }},
    {"random", [] { simt_set_order(SIMT_RANDOM, 3); }},
};
const Mode stream_orders[] = {
    {"eager", [] { simt_set_streams(SIMT_EAGER, 1); }},
    {"lazy", [] { simt_set_streams(SIMT_LAZY, 1); }},
    {"shuffle", [] { simt_set_streams(SIMT_SHUFFLE, 2); }},
};

std::string read_all(int descriptor)
{
    std::string text;
    char part[4096];
    for (ssize_t bytes; (bytes = read(descriptor, part, sizeof part)) > 0;)
        text.append(part, static_cast<size_t>(bytes));
    return text;
}

/* Runs in the child. */
void run_and_leave(const PlantedBug &bug, const Mode &mode, Result *result)
{
    mode.set();
    result->right = bug.run() && cudaDeviceSynchronize() == cudaSuccess;
    for (int kind = 0; kind < SIMT_KINDS; kind++)
        result->reports[kind] = simt_reports(static_cast<simt_kind>(kind));
    result->finished = true;
    _exit(0);
}

Observation observe(const PlantedBug &bug, const Mode &mode)
{
    auto *shared =
        static_cast<Result *>(mmap(nullptr, sizeof(Result), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    int ends[2];
    EXPECT_EQ(pipe(ends), 0);
    const pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        run_and_leave(bug, mode, shared);
    }
    close(ends[1]);
    Observation seen;
    seen.output = read_all(ends[0]);
    close(ends[0]);
    waitpid(child, nullptr, 0);
    seen.result = *shared;
    munmap(shared, sizeof(Result));
    return seen;
}

bool is_wrong(const Observation &seen)
{
    return seen.result.finished && !seen.result.right;
}

/* What a mode saw, in a word or two. */
std::string summary(const Observation &seen)
{
    std::string text = is_wrong(seen) ? "wrong" : "";
    for (int kind = 0; kind < SIMT_KINDS; kind++)
        if (seen.result.reports[kind])
            text += (text.empty() ? "" : ", ") + std::string(simt_kind_name(static_cast<simt_kind>(kind)));
    const char *const ends[][2] = {{"AddressSanitizer: ", "ASan"},
                                   {"runtime error", "UBSan"},
                                   {"time limit", "limit"},
                                   {"host code touches", "guard"},
                                   {"overflows the fiber", "guard"}};
    for (const auto &end : ends)
        if (text.empty() && seen.output.find(end[0]) != std::string::npos)
            text = end[1];
    return text.empty() ? (seen.result.finished ? "-" : "died") : text;
}

void check_report(const PlantedBug &bug, const Mode &mode, const Observation &seen)
{
    const bool expected = bug.kind != no_report && (simt_has_checker() || bug.everywhere);
    if (!expected)
        return;
    EXPECT_NE(seen.output.find(simt_kind_name(static_cast<simt_kind>(bug.kind))), std::string::npos)
        << bug.name << ", " << mode.name << ": " << seen.output;
    EXPECT_NE(seen.output.find(bug.place), std::string::npos) << bug.name << ", " << mode.name << ": " << seen.output;
}

template <size_t N> void check_bug(const PlantedBug &bug, const Mode (&modes)[N])
{
    bool wrong = false, stopped = false;
    std::string row = std::string("| ") + bug.name;
    for (const Mode &mode : modes) {
        const Observation seen = observe(bug, mode);
        check_report(bug, mode, seen);
        wrong |= is_wrong(seen);
        stopped |= bug.end && !seen.result.finished && seen.output.find(bug.end) != std::string::npos;
        row += " | " + summary(seen);
    }
    if (bug.wrong && !(simt_has_asan() && bug.end)) {
        EXPECT_TRUE(wrong) << bug.name << " gives a wrong result in some order";
    }
    const bool ends = simt_has_asan() || (bug.everywhere && bug.kind == no_report);
    if (bug.end && ends) {
        EXPECT_TRUE(stopped) << bug.name << " is stopped with '" << bug.end << "'";
    }
    if (getenv("WEFT_SIMT_TABLE"))
        printf("%s |\n", row.c_str());
}

TEST(PlantedBugs, InKernels)
{
    for (const PlantedBug &bug : planted_kernel_bugs())
        check_bug(bug, thread_orders);
}

TEST(PlantedBugs, InHostCode)
{
    for (const PlantedBug &bug : planted_host_bugs())
        check_bug(bug, stream_orders);
}

TEST(PlantedBugs, EndlessKernel)
{
    const Mode only[] = {{"forward", [] { simt_set_order(SIMT_FORWARD, 1); }}};
    check_bug(planted_spin_wait(), only);
}

} /* namespace */
