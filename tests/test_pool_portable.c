/* test_pool_portable.c - the same with the sleeping that other systems than Linux get. */
#define WEFT__PARK_PORTABLE
#define weft__pool_open portable_pool_open
#define weft__pool_close portable_pool_close
#define weft__pool_threads portable_pool_threads
#define weft__pool_for portable_pool_for
#include "yields.h"
#include "harness/weft_test.h"
#include "cpu/pool.c"
#include "pool_jobs.h"

WEFT_TEST(PoolPortable, VisitsEveryElementOnce)
{
    for (int threads = 2; threads <= 5; threads++)
        WEFT_CHECK_EQ_INT(count_jobs(threads, (unsigned)threads, 20, 300), 0);
}
