/* test_engine_yields.c - copies of what threads share in the engine, shared tensors and slots of owned objects, that
 * let other threads go first at each of their atomic operations. */
#define WEFT_NO_CALL_SITES
#define weft_share yields_share
#define weft_borrow yields_borrow
#define weft__borrow yields_borrow_within
#define weft__shared_unref yields_shared_unref
#define weft_own yields_own
#define weft_owned yields_owned
#define weft_owned_fail yields_owned_fail
#define weft_owned_end yields_owned_end
#define weft__each_owned yields_each_owned
#define weft__end_owned yields_end_owned
#define weft_owned_keep yields_owned_keep
#define weft_owned_release yields_owned_release
#include "yields.h"
#include <pthread.h>
#include "harness/structs.h"
#include "harness/test_ctx.h"
#include "harness/weft_test.h"
#include "engine/share.c"
#include "engine/owned.c"

enum { THREADS = 4, ROUNDS = 2000, OBJECTS = 300 };

static void *hold_and_let_go(void *arg)
{
    weft_tensor *t = arg;
    for (int k = 0; k < ROUNDS; k++) {
        atomic_fetch_add_explicit(&t->shared_refs, 1, memory_order_relaxed);
        yields_shared_unref(t);
    }
    return NULL;
}

static void run(void *(*work)(void *arg), void *const *args)
{
    pthread_t threads[THREADS];
    for (int k = 0; k < THREADS; k++)
        WEFT_REQUIRE(pthread_create(&threads[k], NULL, work, args[k]) == 0);
    for (int k = 0; k < THREADS; k++)
        pthread_join(threads[k], NULL);
}

WEFT_TEST(EngineYields, WhoHoldsASharedTensorIsCounted)
{
    fault_memory m = {0};
    weft_ctx *c = fault_ctx_open(&m);
    weft_tensor *t = yields_share(weft_ones(c, WEFT_F32, WEFT_DIMS(3)));
    WEFT_REQUIRE(t);
    run(hold_and_let_go, (void *[THREADS]){t, t, t, t});
    WEFT_CHECK_EQ_INT(atomic_load(&t->shared_refs), 1);
    atomic_store(&t->shared_refs, 1);
    yields_shared_unref(t);
    fault_ctx_close(c, &m);
}

static void end_nothing(void *object)
{
    (void)object;
}

static atomic_int wrong; /* threads to whose handle another's object came */

static void *own_and_end(void *arg)
{
    static const weft_object_kind kind = {
        .struct_size = sizeof kind, .name = "thing", .closer = "weft_thing_close", .end = end_nothing};
    weft_ctx *c = arg;
    int object;
    for (int k = 0; k < OBJECTS; k++) {
        void *handle = yields_own(c, &kind, &object, "thing_open");
        bool own = handle && yields_owned(&kind, handle) == &object;
        yields();
        own = own && yields_owned(&kind, handle) == &object;
        if (!own) {
            atomic_fetch_add(&wrong, 1);
            break; /* what would be ended may be another's */
        }
        yields_owned_end(&kind, handle);
    }
    return NULL;
}

WEFT_TEST(EngineYields, EachObjectHasASlotOfItsOwn)
{
    weft_ctx *c[THREADS];
    for (int k = 0; k < THREADS; k++)
        WEFT_REQUIRE(weft_ctx_open(NULL, &c[k]) == WEFT_OK);
    atomic_store(&wrong, 0);
    run(own_and_end, (void *[THREADS]){c[0], c[1], c[2], c[3]});
    WEFT_CHECK_EQ_INT(atomic_load(&wrong), 0);
    for (int k = 0; k < THREADS; k++) {
        c[k]->owned = -1; /* the library's slots are others */
        weft_ctx_close(c[k]);
    }
}
