// main.cc - hands the tests written in C to GoogleTest: one GoogleTest case for each registered C function.
#include <cstdarg>
#include <cstdio>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "weft_test.h"

namespace
{

struct Case {
    std::string suite, name, file;
    weft_test_fn fn;
    void *user;
    int line;
};

// Filled by constructors of other files, so made at the first use.
std::vector<Case> &cases()
{
    static std::vector<Case> all;
    return all;
}

std::vector<void (*)(void)> &inits()
{
    static std::vector<void (*)(void)> all;
    return all;
}

struct Running {
    int failures = 0;
    bool skipped = false;
    std::string reason;
};
Running running;
std::string skip_all; // why no test can run, or ""

std::string text_of(const char *format, va_list args)
{
    char text[4096];
    std::vsnprintf(text, sizeof text, format, args);
    return text;
}

class CTest : public testing::Test
{
  public:
    explicit CTest(const Case *test) : test_(test)
    {
    }

    void TestBody() override
    {
        running = Running();
        if (!skip_all.empty())
            GTEST_SKIP() << skip_all;
        test_->fn(test_->user);
        if (running.skipped)
            GTEST_SKIP() << running.reason;
    }

  private:
    const Case *test_;
};

void register_all()
{
    for (void (*init)(void) : inits())
        init();
    for (const Case &test : cases()) {
        const Case *entry = &test;
        testing::RegisterTest(test.suite.c_str(), test.name.c_str(), nullptr, nullptr, test.file.c_str(), test.line,
                              [entry]() -> testing::Test * { return new CTest(entry); });
    }
}

} // namespace

void weft_test_add(const char *suite, const char *name, weft_test_fn fn, void *user, const char *file, int line)
{
    cases().push_back(Case{suite, name, file, fn, user, line});
}

void weft_test_add_init(void (*init)(void))
{
    inits().push_back(init);
}

void weft_test_fail(const char *file, int line, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    std::string text = text_of(format, args);
    va_end(args);
    running.failures++;
    ADD_FAILURE_AT(file, line) << text;
}

void weft_test_skip(const char *file, int line, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    running.reason = text_of(format, args) + " (" + file + ":" + std::to_string(line) + ")";
    va_end(args);
    running.skipped = true;
}

void weft_test_skip_all(const char *reason)
{
    skip_all = reason;
    std::printf("every test is skipped: %s\n", reason);
}

void weft_test_property(const char *name, int64_t value)
{
    testing::Test::RecordProperty(name, std::to_string(value));
}

int weft_test_failures(void)
{
    return running.failures;
}

int main(int argc, char **argv)
{
    testing::InitGoogleTest(&argc, argv);
    register_all();
    return RUN_ALL_TESTS();
}
