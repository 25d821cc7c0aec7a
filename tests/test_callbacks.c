/* test_callbacks.c - what the program's callbacks may do with the context that calls them: anything but close it, or
 * only look; all else is a status with a sentence. One that is left by longjmp, or closes the scopes around it, leaves
 * a context that works, with everything in progress undone. */
#include <setjmp.h>
#include "callbacks.h"
#include "weft/io.h"
#include "harness/structs.h"

/* ---- The log callback ---- */

typedef struct logger {
    weft_ctx *c;
    void (*act)(weft_ctx *c);
    int calls;
} logger;

static void act_on_log(void *user, weft_log_level level, const char *message)
{
    logger *l = user;
    (void)level, (void)message;
    l->calls++;
    if (l->c && l->calls < 20)
        l->act(l->c);
}

static weft_ctx *open_logged(fault_memory *m, logger *l)
{
    weft_options o = fault_options(m);
    o.log = act_on_log;
    o.log_user = l;
    WEFT_CHECK_OK(weft_ctx_open(&o, &l->c));
    return l->c;
}

static void clear(weft_ctx *c)
{
    weft_ctx_clear(c);
}

static weft_status fails_backward(weft_ctx *c, weft_tensor *const *in, int n, weft_tensor *y, weft_tensor *g,
                                  weft_tensor **out, void *user)
{
    (void)c, (void)in, (void)n, (void)y, (void)g, (void)out, (void)user;
    return WEFT_E_IO;
}

static weft_status copies(weft_ctx *c, const weft_array *in, int n, weft_array *out, void *user)
{
    (void)c, (void)n, (void)user;
    memcpy(out->data, in[0].data, sizeof(float) * (size_t)out->count);
    return WEFT_OK;
}

WEFT_TEST(Callbacks, ALogThatClearsTheErrorHidesNoFailure)
{
    fault_memory m = {0};
    logger l = {.act = clear};
    weft_ctx *c = open_logged(&m, &l);
    weft_named_tensor *all;
    int n;
    WEFT_CHECK_STATUS(weft_load_npz(c, "/nowhere/at/all.npz", &all, &n), WEFT_E_IO);
    WEFT_CHECK_STATUS(weft_ctx_clear(c), WEFT_E_IO);
    WEFT_CHECK_STATUS(weft_load_safetensors(c, "/nowhere/at/all.st", &all, &n), WEFT_E_IO);
    WEFT_CHECK_STATUS(weft_ctx_clear(c), WEFT_E_IO);
    weft_named_tensor one = {"x", weft_ones(c, WEFT_F32, WEFT_DIMS(2))};
    WEFT_CHECK_STATUS(weft_save_npz(c, "/nowhere/at/all.npz", &one, 1), WEFT_E_IO);
    WEFT_CHECK_STATUS(weft_ctx_clear(c), WEFT_E_IO);
    weft_custom_op op = INIT_CUSTOM_OP(.name = "failing", .forward = copies, .backward = fails_backward);
    weft_tensor *x = weft_set_requires_grad(weft_ones(c, WEFT_F32, WEFT_DIMS(2)), true);
    weft_tensor *loss = weft_sum(weft_custom(&op, &x, 1), WEFT_ALL, false);
    WEFT_CHECK_STATUS(weft_backward(c, loss), WEFT_E_CALLBACK);
    WEFT_CHECK_STATUS(weft_ctx_clear(c), WEFT_E_CALLBACK);
    WEFT_CHECK(weft_grad_of(x) == NULL);
    WEFT_CHECK(l.calls >= 4);
    check_whole(c, &m);
}

static void use_and_warn(weft_ctx *c)
{
    weft_ctx_fail(c, WEFT_E_IO, "from the log");
    use(c);
}

WEFT_TEST(Callbacks, ALogOnlyLooks)
{
    fault_memory m = {0};
    logger l = {.act = use};
    weft_ctx *c = open_logged(&m, &l);
    const int mark = weft_scope_push(c);
    weft_add(weft_ones(c, WEFT_F32, WEFT_DIMS(3)), weft_ones(c, WEFT_F32, WEFT_DIMS(4)));
    refused(c, WEFT_E_SHAPE, "do not broadcast");
    l.act = use_and_warn; /* of a warning: no error is there yet */
    weft_tensor *a = weft_set_requires_grad(weft_ones(c, WEFT_F32, WEFT_DIMS(3)), true);
    weft_tensor *b = weft_set_requires_grad(weft_ones(c, WEFT_F32, WEFT_DIMS(3)), true);
    weft_floor(b);
    WEFT_CHECK_STATUS(weft_backward(c, weft_sum(a, WEFT_ALL, false)), WEFT_E_IO);
    refused(c, WEFT_E_IO, "from the log");
    l.act = use;
    weft_floor(b);
    WEFT_CHECK_STATUS(weft_backward(c, weft_sum(a, WEFT_ALL, false)), WEFT_E_STATE);
    refused(c, WEFT_E_STATE, "called from within the log callback, which may look at the context");
    WEFT_CHECK_OK(weft_scope_pop(c, mark));
    l.act = clear;
    check_whole(c, &m);
}

/* ---- Memory hooks ---- */

typedef struct meddler {
    fault_memory memory;
    weft_options through;
    weft_ctx *c;
    int calls;
} meddler;

static void *meddling_alloc(void *user, size_t bytes, size_t alignment)
{
    meddler *m = user;
    if (m->c && m->calls++ < 50)
        use(m->c);
    return m->through.alloc(m->through.alloc_user, bytes, alignment);
}

static void meddling_free(void *user, void *block, size_t bytes)
{
    meddler *m = user;
    if (m->c && m->calls++ < 50) {
        weft_scope_push(m->c);
        weft_zeros(m->c, WEFT_F32, WEFT_DIMS(1000000));
    }
    m->through.free(m->through.alloc_user, block, bytes);
}

WEFT_TEST(Callbacks, MemoryHooksOnlyLook)
{
    meddler m = {.calls = 0};
    m.through = fault_options(&m.memory);
    weft_options o = INIT_OPTIONS(.alloc = meddling_alloc, .free = meddling_free, .alloc_user = &m);
    weft_ctx *c;
    WEFT_REQUIRE(weft_ctx_open(&o, &c) == WEFT_OK);
    m.c = c;
    const int mark = weft_scope_push(c);
    weft_ones(c, WEFT_F32, WEFT_DIMS(100000));
    refused(c, WEFT_E_STATE, "called from within the alloc hook");
    WEFT_CHECK_OK(weft_scope_pop(c, mark));
    weft_memory_trim(c);
    refused(c, WEFT_E_STATE, "weft_scope_push: called from within the free hook");
    m.calls = 0;
    weft_ctx_close(c);
    WEFT_CHECK(m.calls > 0);
    WEFT_CHECK_EQ_INT(m.memory.live_blocks, 0);
}

/* ---- Wrapped memory ---- */

typedef struct wrapped {
    weft_ctx *c;
    weft_tensor *other;
    int calls;
    float data[4];
} wrapped;

static void meddling_release(void *user, void *data)
{
    wrapped *w = user;
    WEFT_CHECK(data == w->data);
    if (w->calls++ == 0)
        use(w->c);
    weft_release(w->other);
    w->other = NULL;
}

WEFT_TEST(Callbacks, AReleaseOnlyLooksAndReleases)
{
    fault_memory m = {0};
    weft_ctx *c = open_faulty(&m);
    wrapped w = {.c = c, .other = weft_keep(weft_ones(c, WEFT_F32, WEFT_DIMS(1000)))};
    int mark = weft_scope_push(c);
    WEFT_CHECK(weft_wrap(c, WEFT_F32, WEFT_DIMS(4), w.data, meddling_release, &w) != NULL);
    WEFT_CHECK_STATUS(weft_scope_pop(c, mark), WEFT_E_STATE);
    WEFT_CHECK_EQ_INT(w.calls, 1);
    WEFT_CHECK_EQ_INT(weft_leaks(c, NULL, NULL), 0);
    refused(c, WEFT_E_STATE, "called from within a release callback of weft_wrap");
    /* A wrap that fails releases at once. */
    w = (wrapped){.c = c, .other = weft_keep(weft_ones(c, WEFT_F32, WEFT_DIMS(4)))};
    WEFT_CHECK(weft_wrap(c, WEFT_F32, WEFT_DIMS(-4), w.data, meddling_release, &w) == NULL);
    WEFT_CHECK_EQ_INT(w.calls, 1);
    refused(c, WEFT_E_SHAPE, "wrap");
    check_whole(c, &m);
}

WEFT_TEST(Callbacks, AReleaseDuringClose)
{
    fault_memory m = {0};
    weft_ctx *c = open_faulty(&m);
    wrapped kept = {.c = c}, left = {.c = c};
    weft_keep(weft_wrap(c, WEFT_F32, WEFT_DIMS(4), kept.data, meddling_release, &kept));
    weft_wrap(c, WEFT_F32, WEFT_DIMS(4), left.data, meddling_release, &left);
    weft_ctx_close(c);
    WEFT_CHECK_EQ_INT(kept.calls, 1);
    WEFT_CHECK_EQ_INT(left.calls, 1);
    WEFT_CHECK_EQ_INT(m.live_blocks, 0);
}

static void wrap_again(void *user, void *data)
{
    wrapped *w = user;
    w->calls++;
    weft_wrap(w->c, WEFT_F32, WEFT_DIMS(4), data, wrap_again, w);
}

WEFT_TEST(Callbacks, AReleaseThatWrapsAnewEnds)
{
    fault_memory m = {0};
    weft_ctx *c = open_faulty(&m);
    wrapped w = {.c = c};
    const int mark = weft_scope_push(c);
    weft_wrap(c, WEFT_F32, WEFT_DIMS(4), w.data, wrap_again, &w);
    WEFT_CHECK_STATUS(weft_scope_pop(c, mark), WEFT_E_STATE);
    WEFT_CHECK(w.calls > 1 && w.calls < 100);
    weft_ctx_clear(c);
    check_whole(c, &m);
}

/* ---- Operations of one's own ---- */

static weft_status closes(weft_ctx *c, const weft_array *in, int n, weft_array *out, void *user)
{
    weft_ctx_close(c);
    WEFT_CHECK_STATUS(weft_ctx_clear(c), WEFT_E_STATE); /* its own mistake, and its own to forgive */
    return copies(c, in, n, out, user);
}

static weft_status pops_outer(weft_ctx *c, const weft_array *in, int n, weft_array *out, void *user)
{
    escapade *e = user;
    (void)in, (void)n, (void)out;
    weft_exp(weft_ones(c, WEFT_F32, WEFT_DIMS(100)));
    WEFT_CHECK_OK(weft_scope_pop(c, e->outer));
    weft_scope_push(c);
    weft_exp(weft_ones(c, WEFT_F32, WEFT_DIMS(100)));
    return WEFT_OK;
}

static weft_status jumps(weft_ctx *c, const weft_array *in, int n, weft_array *out, void *user)
{
    escapade *e = user;
    (void)in, (void)n, (void)out;
    weft_scope_push(c);
    weft_exp(weft_ones(c, WEFT_F32, WEFT_DIMS(100)));
    longjmp(e->back, 1);
}

static weft_status recurses(weft_ctx *c, const weft_array *in, int n, weft_array *out, void *user)
{
    escapade *e = user;
    (void)in, (void)n, (void)out;
    weft_custom_op op = INIT_CUSTOM_OP(.name = "again", .forward = recurses, .user = user);
    e->depth++;
    e->most = e->depth > e->most ? e->depth : e->most;
    weft_tensor *x = weft_ones(c, WEFT_F32, WEFT_DIMS(3));
    WEFT_CHECK(weft_custom(&op, &x, 1) == NULL);
    e->depth--;
    return weft_ctx_status(c);
}

WEFT_TEST(Callbacks, AForwardThatClosesItsContext)
{
    fault_memory m = {0};
    weft_ctx *c = open_faulty(&m);
    weft_custom_op op = INIT_CUSTOM_OP(.name = "closing", .forward = closes);
    weft_tensor *x = weft_full(c, WEFT_F32, WEFT_DIMS(3), 7), *y = weft_custom(&op, &x, 1);
    WEFT_CHECK_NEAR(weft_item(c, weft_select(y, 0, 2)), 7, 0);
    check_whole(c, &m);
}

WEFT_TEST(Callbacks, AForwardThatClosesTheScopeAroundIt)
{
    fault_memory m = {0};
    escapade e = {.c = open_faulty(&m)};
    weft_custom_op op = INIT_CUSTOM_OP(.name = "popping", .forward = pops_outer, .user = &e);
    e.outer = weft_scope_push(e.c);
    weft_tensor *x = weft_ones(e.c, WEFT_F32, WEFT_DIMS(3));
    WEFT_CHECK(weft_custom(&op, &x, 1) == NULL);
    refused(e.c, WEFT_E_STATE, "a callback closed a scope that was open before");
    check_whole(e.c, &m);
}

static void run_and_jump(escapade *e, bool pop)
{
    weft_custom_op op = INIT_CUSTOM_OP(.name = "jumping", .forward = jumps, .user = e);
    weft_tensor *x = weft_ones(e->c, WEFT_F32, WEFT_DIMS(3));
    if (!setjmp(e->back))
        weft_custom(&op, &x, 1);
    if (pop)
        WEFT_CHECK_OK(weft_scope_pop(e->c, e->outer));
}

WEFT_TEST(Callbacks, AForwardThatIsLeftByLongjmp)
{
    for (int pop = 0; pop < 2; pop++) {
        fault_memory m = {0};
        escapade e = {.c = open_faulty(&m)};
        e.outer = weft_scope_push(e.c);
        run_and_jump(&e, pop);
        check_whole(e.c, &m);
    }
}

WEFT_TEST(Callbacks, AForwardThatCallsItselfEnds)
{
    fault_memory m = {0};
    escapade e = {.c = open_faulty(&m)};
    weft_custom_op op = INIT_CUSTOM_OP(.name = "again", .forward = recurses, .user = &e);
    const int mark = weft_scope_push(e.c);
    weft_tensor *x = weft_ones(e.c, WEFT_F32, WEFT_DIMS(3));
    WEFT_CHECK(weft_custom(&op, &x, 1) == NULL);
    WEFT_CHECK(e.most > 8 && e.most < 100);
    refused(e.c, WEFT_E_STATE, "one of them brings itself about");
    WEFT_CHECK_OK(weft_scope_pop(e.c, mark));
    check_whole(e.c, &m);
}

/* ---- Gradcheck ---- */

static weft_tensor *evades(weft_ctx *c, weft_tensor *const *in, int n, void *user)
{
    escapade *e = user;
    (void)n;
    weft_tensor *y = weft_mul(in[0], in[0]);
    if (++e->depth < e->most)
        return y;
    weft_ctx_close(c);
    WEFT_CHECK_STATUS(weft_ctx_clear(c), WEFT_E_STATE);
    WEFT_CHECK_OK(weft_scope_pop(c, e->outer));
    return y; /* dead */
}

static weft_tensor *jumps_at_once(weft_ctx *c, weft_tensor *const *in, int n, void *user)
{
    escapade *e = user;
    (void)c, (void)n;
    weft_mul(in[0], in[0]);
    if (++e->depth == e->most)
        longjmp(e->back, 1);
    return weft_mul(in[0], in[0]);
}

static weft_tensor *no_tensor(weft_ctx *c, weft_tensor *const *in, int n, void *user)
{
    (void)c, (void)in, (void)n, (void)user;
    return NULL;
}

static weft_tensor *cubes(weft_ctx *c, weft_tensor *const *in, int n, void *user)
{
    (void)c, (void)n, (void)user;
    return weft_mul(in[0], weft_mul(in[0], in[0]));
}

typedef weft_status (*checker)(weft_ctx *, weft_tensor *const *, int, weft_function, void *,
                               const weft_gradcheck_options *);

static weft_tensor *input(weft_ctx *c)
{
    return weft_set_requires_grad(weft_full(c, WEFT_F64, WEFT_DIMS(3), 2), true);
}

static void check_jump(checker check, escapade *e)
{
    weft_tensor *x = input(e->c);
    if (!setjmp(e->back)) {
        (void)check(e->c, &x, 1, jumps_at_once, e, NULL);
        WEFT_FAIL("it came back");
    }
    WEFT_CHECK_OK(weft_scope_pop(e->c, e->outer));
}

/* call: which evaluation evades: the recorded one, or one for a difference. */
static void check_evasion(checker check, int call)
{
    fault_memory m = {0};
    escapade e = {.c = open_faulty(&m), .most = call};
    e.outer = weft_scope_push(e.c);
    weft_tensor *x = input(e.c);
    WEFT_CHECK_STATUS(check(e.c, &x, 1, evades, &e, NULL), WEFT_E_STATE);
    refused(e.c, WEFT_E_STATE, "a callback closed a scope that was open before");
    e.outer = weft_scope_push(e.c);
    e.depth = 0;
    check_jump(check, &e);
    x = input(e.c);
    WEFT_CHECK_OK(check(e.c, &x, 1, cubes, NULL, NULL));
    WEFT_CHECK_STATUS(check(e.c, &x, 1, no_tensor, NULL, NULL), WEFT_E_CALLBACK);
    refused(e.c, WEFT_E_CALLBACK, "the function returned NULL");
    check_whole(e.c, &m);
}

WEFT_TEST(Callbacks, AFunctionUnderGradcheckThatEvades)
{
    for (int call = 1; call < 4; call++) {
        check_evasion(weft_gradcheck, call);
        check_evasion(weft_gradgradcheck, call);
    }
}

/* ---- Reports ---- */

static void release_leaf(void *user, weft_tensor *leaf, const char *why)
{
    WEFT_CHECK_STR_HAS(why, "was used");
    use(*(weft_ctx **)user);
    weft_release(leaf);
}

WEFT_TEST(Callbacks, AReportOfUnreachedLeavesMayReleaseThem)
{
    fault_memory m = {0};
    weft_ctx *c = open_faulty(&m);
    const int mark = weft_scope_push(c);
    weft_tensor *a = weft_param(weft_ones(c, WEFT_F32, WEFT_DIMS(3)), "a");
    for (int k = 0; k < 3; k++)
        weft_floor(weft_param(weft_ones(c, WEFT_F32, WEFT_DIMS(3)), "lost"));
    WEFT_CHECK_OK(weft_backward(c, weft_sum(a, WEFT_ALL, false)));
    weft_release(a);
    WEFT_CHECK_OK(weft_scope_pop(c, mark));
    WEFT_CHECK_EQ_INT(weft_unreached(c, release_leaf, &c), 3);
    refused(c, WEFT_E_STATE, "called from within a report of unreached leaves");
    WEFT_CHECK_EQ_INT(weft_unreached(c, release_leaf, &c), 0);
    check_whole(c, &m);
}

static void use_of_leak(void *user, const weft_leak *leak)
{
    (void)leak;
    use(*(weft_ctx **)user);
}

WEFT_TEST(Callbacks, AReportOfLeaksOnlyLooks)
{
    fault_memory m = {0};
    weft_ctx *c = open_faulty(&m);
    weft_tensor *t = weft_keep(weft_ones(c, WEFT_F32, WEFT_DIMS(3)));
    WEFT_CHECK_EQ_INT(weft_leaks(c, use_of_leak, &c), 1);
    refused(c, WEFT_E_STATE, "called from within a report of leaks");
    weft_release(t);
    check_whole(c, &m);
}
