/* weft_test.h - tests in C, driven by GoogleTest.
 *
 *     WEFT_TEST(Shapes, ReshapeInfersOneSize)
 *     {
 *         ...
 *         WEFT_CHECK_EQ_INT(weft_ndim(t), 2);
 *     }
 *
 * A check that fails is recorded and the test goes on; the REQUIRE forms return from the function they stand in (a test
 * never jumps through C++ frames). Cases that a table generates are added by weft_test_add from a WEFT_TEST_INIT
 * function, which runs before GoogleTest lists the tests. */
#ifndef WEFT_TEST_H
#define WEFT_TEST_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef void (*weft_test_fn)(void *user);

/* suite, name and file are copied. Not to be called from inside a test. */
void weft_test_add(const char *suite, const char *name, weft_test_fn fn, void *user, const char *file, int line);
void weft_test_add_init(void (*init)(void));

/* Records a failure of the running test, printf style. */
void weft_test_fail(const char *file, int line, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Marks the running test as skipped; return from it afterwards. */
void weft_test_skip(const char *file, int line, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Every test of the process reports SKIPPED with this reason. From a WEFT_TEST_INIT function. */
void weft_test_skip_all(const char *reason);
/* Attaches a figure to the running test, for the XML report. */
void weft_test_property(const char *name, int64_t value);
/* How many failures the running test has recorded. */
int weft_test_failures(void);

#ifdef __cplusplus
}
#endif

#define WEFT_TEST(suite, name)                                                                                         \
    static void suite##_##name##_body(void);                                                                           \
    static void suite##_##name##_run(void *user)                                                                       \
    {                                                                                                                  \
        (void)user;                                                                                                    \
        suite##_##name##_body();                                                                                       \
    }                                                                                                                  \
    __attribute__((constructor)) static void suite##_##name##_register(void)                                           \
    {                                                                                                                  \
        weft_test_add(#suite, #name, suite##_##name##_run, NULL, __FILE__, __LINE__);                                  \
    }                                                                                                                  \
    static void suite##_##name##_body(void)

#define WEFT_TEST_INIT(name)                                                                                           \
    static void name##_init(void);                                                                                     \
    __attribute__((constructor)) static void name##_register_init(void)                                                \
    {                                                                                                                  \
        weft_test_add_init(name##_init);                                                                               \
    }                                                                                                                  \
    static void name##_init(void)

#define WEFT_FAIL(...) weft_test_fail(__FILE__, __LINE__, __VA_ARGS__)

#define WEFT_SKIP(...)                                                                                                 \
    do {                                                                                                               \
        weft_test_skip(__FILE__, __LINE__, __VA_ARGS__);                                                               \
        return;                                                                                                        \
    } while (0)

#define WEFT_CHECK(condition)                                                                                          \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            WEFT_FAIL("false: %s", #condition);                                                                        \
    } while (0)

#define WEFT_REQUIRE(condition)                                                                                        \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            WEFT_FAIL("false: %s", #condition);                                                                        \
            return;                                                                                                    \
        }                                                                                                              \
    } while (0)

#define WEFT_CHECK_EQ_INT(got, want)                                                                                   \
    do {                                                                                                               \
        long long weft_got_ = (long long)(got), weft_want_ = (long long)(want);                                        \
        if (weft_got_ != weft_want_)                                                                                   \
            WEFT_FAIL("%s is %lld, not %s = %lld", #got, weft_got_, #want, weft_want_);                                \
    } while (0)

/* Equal within tolerance; a NaN equals nothing. */
#define WEFT_CHECK_NEAR(got, want, tolerance)                                                                          \
    do {                                                                                                               \
        double weft_got_ = (got), weft_want_ = (want), weft_off_ = weft_got_ - weft_want_;                             \
        if (!(weft_off_ >= -(tolerance) && weft_off_ <= (tolerance)))                                                  \
            WEFT_FAIL("%s is %.17g, not %s = %.17g", #got, weft_got_, #want, weft_want_);                              \
    } while (0)

#define WEFT_CHECK_STR_EQ(got, want)                                                                                   \
    do {                                                                                                               \
        const char *weft_got_ = (got), *weft_want_ = (want);                                                           \
        if (!weft_got_ || strcmp(weft_got_, weft_want_) != 0)                                                          \
            WEFT_FAIL("%s is \"%s\", not \"%s\"", #got, weft_got_ ? weft_got_ : "(NULL)", weft_want_);                 \
    } while (0)

#define WEFT_CHECK_STR_HAS(text, part)                                                                                 \
    do {                                                                                                               \
        const char *weft_text_ = (text), *weft_part_ = (part);                                                         \
        if (!weft_text_ || !strstr(weft_text_, weft_part_))                                                            \
            WEFT_FAIL("\"%s\" does not contain \"%s\"", weft_text_ ? weft_text_ : "(NULL)", weft_part_);               \
    } while (0)

/* For values of type weft_status; needs <weft/status.h>. */
#define WEFT_CHECK_STATUS_OF(text, got, want)                                                                          \
    do {                                                                                                               \
        weft_status weft_got_ = (got), weft_want_ = (want);                                                            \
        if (weft_got_ != weft_want_)                                                                                   \
            WEFT_FAIL("%s is %s, not %s", text, weft_status_name(weft_got_), weft_status_name(weft_want_));            \
    } while (0)
#define WEFT_CHECK_STATUS(got, want) WEFT_CHECK_STATUS_OF(#got, got, want)
#define WEFT_CHECK_OK(got) WEFT_CHECK_STATUS_OF(#got, got, WEFT_OK)

#endif
