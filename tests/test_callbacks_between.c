/* test_callbacks_between.c - callbacks of what works on files, on a clock or on two contexts: test_callbacks.c's rules.
 * */
#include "callbacks.h"
#include "weft/bench.h"
#include "weft/compare.h"
#include "weft/io.h"
#include "harness/structs.h"

/* ---- Files, and work that is measured ---- */

static void close_and_pop(escapade *e)
{
    weft_exp(weft_ones(e->c, WEFT_F32, WEFT_DIMS(3)));
    weft_ctx_close(e->c);
    WEFT_CHECK_STATUS(weft_ctx_clear(e->c), WEFT_E_STATE);
    if (++e->depth == e->most)
        WEFT_CHECK_OK(weft_scope_pop(e->c, e->outer));
}

typedef struct reading {
    escapade e;
    const char *text;
} reading;

static bool read_text(void *user, uint64_t offset, void *to, size_t n)
{
    reading *r = user;
    memcpy(to, r->text + offset, n);
    close_and_pop(&r->e);
    return true;
}

WEFT_TEST(Callbacks, AReaderOfAFile)
{
    static const char text[] = "\x38\0\0\0\0\0\0\0" /* 56 bytes of header */
                               "{\"x\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}  "
                               "\0\0\x80\x3f";
    int calls = 0;
    for (int most = 0; most <= calls; most++) { /* 0: it pops nothing; then in each of its calls */
        fault_memory m = {0};
        reading r = {.e = {.c = open_faulty(&m), .most = most}, .text = text};
        const weft_source source = INIT_SOURCE(.read = read_text, .user = &r, .size = sizeof text - 1);
        weft_named_tensor *all;
        int n;
        r.e.outer = weft_scope_push(r.e.c);
        weft_status status = weft_load(r.e.c, &source, NULL, &all, &n);
        if (most == 0) {
            calls = r.e.depth;
            WEFT_CHECK_OK(status);
            WEFT_CHECK(n == 1 && weft_item(r.e.c, all[0].tensor) == 1);
            weft_named_free(r.e.c, all, n);
            WEFT_CHECK_OK(weft_scope_pop(r.e.c, r.e.outer));
        } else {
            WEFT_CHECK_STATUS(status, WEFT_E_STATE);
            WEFT_CHECK(!all && n == 0);
            refused(r.e.c, WEFT_E_STATE, "a callback closed a scope that was open before");
        }
        check_whole(r.e.c, &m);
    }
    WEFT_CHECK(calls >= 3);
}

static weft_status work(void *user, int64_t times)
{
    (void)times;
    close_and_pop(user);
    return WEFT_OK;
}

WEFT_TEST(Callbacks, WorkThatIsMeasured)
{
    for (int most = 0; most < 3; most += 2) {
        fault_memory m = {0};
        escapade e = {.c = open_faulty(&m), .most = most};
        const weft_bench_options o = INIT_BENCH(.ctx = e.c, .samples = 3, .sample_seconds = 0, .warm_seconds = 0);
        weft_bench_result r;
        e.outer = weft_scope_push(e.c);
        WEFT_CHECK_STATUS(weft_bench_measure(work, &e, &o, &r), most ? WEFT_E_STATE : WEFT_OK);
        WEFT_CHECK_STATUS(weft_ctx_clear(e.c), most ? WEFT_E_STATE : WEFT_OK);
        if (!most)
            WEFT_CHECK_OK(weft_scope_pop(e.c, e.outer));
        check_whole(e.c, &m);
    }
}

/* ---- Two contexts ---- */

static void use_of_row(void *user, const weft_op_agreement *row)
{
    (void)row;
    use(*(weft_ctx **)user);
}

WEFT_TEST(Callbacks, CompareOpsOfOneContextAndItsRows)
{
    fault_memory m = {0}, n = {0};
    weft_ctx *c = open_faulty(&m), *d = open_faulty(&n);
    int64_t disagreeing;
    const weft_compare_ops_options one =
        INIT_COMPARE_OPS(.op = "neg", .dtypes = 1u << WEFT_F32, .layouts = 1u << WEFT_LAYOUT_CONTIGUOUS);
    WEFT_CHECK_STATUS(weft_compare_ops(c, c, &one, NULL, NULL, &disagreeing), WEFT_E_INVALID);
    refused(c, WEFT_E_INVALID, "reference and other are one context");
    WEFT_CHECK_STATUS(weft_compare_ops(c, d, &one, NULL, NULL, NULL), WEFT_E_NULL_ARGUMENT);
    refused(c, WEFT_E_NULL_ARGUMENT, "weft_compare_ops: needs two contexts and a place");
    WEFT_CHECK_STATUS(weft_lockstep(c, NULL, d, NULL, NULL, NULL, NULL, 0), WEFT_E_NULL_ARGUMENT);
    refused(c, WEFT_E_NULL_ARGUMENT, "weft_lockstep: needs two contexts, a step and a report");
    WEFT_CHECK_STATUS(weft_replay(c, NULL, NULL, 0), WEFT_E_NULL_ARGUMENT);
    refused(c, WEFT_E_NULL_ARGUMENT, "weft_replay: needs a path");
    weft_tensor *x = weft_set_requires_grad(weft_ones(c, WEFT_F32, WEFT_DIMS(2)), true);
    WEFT_CHECK_STATUS(weft_add_hook(x, NULL, NULL), WEFT_E_NULL_ARGUMENT);
    refused(c, WEFT_E_NULL_ARGUMENT, "weft_add_hook: the hook is NULL");
    (void)!weft_compare_ops(c, d, &one, use_of_row, &d, &disagreeing);
    refused(d, WEFT_E_STATE, "called from within a row callback of weft_compare_ops");
    (void)!weft_compare_ops(c, d, &one, use_of_row, &c, &disagreeing);
    refused(c, WEFT_E_STATE, "called from within a row callback of weft_compare_ops");
    check_whole(c, &m);
    check_whole(d, &n);
}

typedef struct stepper {
    escapade e;
    int how;
} stepper;

static weft_status evading_step(weft_ctx *c, void *model, int step, double *loss)
{
    stepper *s = model;
    weft_add(weft_ones(c, WEFT_F32, WEFT_DIMS(3)), weft_ones(c, WEFT_F32, WEFT_DIMS(3)));
    *loss = 1;
    if (step == 0)
        return weft_ctx_status(c);
    weft_ctx_close(c);
    WEFT_CHECK_STATUS(weft_ctx_clear(c), WEFT_E_STATE);
    if (s->how == 0)
        longjmp(s->e.back, 1);
    WEFT_CHECK_OK(weft_scope_pop(c, s->e.outer));
    return WEFT_OK;
}

static void run_lockstep(stepper *s, weft_ctx *other, weft_lockstep_report *report)
{
    const weft_lockstep_options options = INIT_LOCKSTEP(.steps = 3);
    if (setjmp(s->e.back)) {
        WEFT_CHECK_OK(weft_scope_pop(s->e.c, s->e.outer));
        return;
    }
    WEFT_CHECK_STATUS(weft_lockstep(s->e.c, s, other, NULL, evading_step, &options, report, sizeof *report),
                      WEFT_E_STATE);
    refused(s->e.c, WEFT_E_STATE, "a callback closed a scope that was open before");
}

WEFT_TEST(Callbacks, AStepOfLockstepThatEvades)
{
    for (int how = 0; how < 2; how++) {
        fault_memory m = {0}, n = {0};
        stepper s = {.e = {.c = open_faulty(&m)}, .how = how};
        weft_ctx *d = open_faulty(&n);
        weft_lockstep_report report = {0};
        s.e.outer = weft_scope_push(s.e.c);
        run_lockstep(&s, d, &report);
        WEFT_CHECK_EQ_INT(report.launches, 6);
        check_whole(s.e.c, &m);
        check_whole(d, &n);
    }
}
