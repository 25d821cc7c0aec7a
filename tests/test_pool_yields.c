/* test_pool_yields.c - a copy of the thread pool that lets other threads go first at each of its atomic operations. */
#define weft__pool_open yields_pool_open
#define weft__pool_close yields_pool_close
#define weft__pool_threads yields_pool_threads
#define weft__pool_for yields_pool_for
#include "yields.h"
#include "harness/weft_test.h"
#include "cpu/pool.c"
#include "pool_jobs.h"

WEFT_TEST(PoolYields, VisitsEveryElementOnce)
{
    for (int threads = 2; threads <= 5; threads++)
        WEFT_CHECK_EQ_INT(count_jobs(threads, (unsigned)threads, 20, 300), 0);
}
