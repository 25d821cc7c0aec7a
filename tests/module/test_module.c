/* test_module.c - a backend module of no use, for tests of how one is opened: it has no devices. With WEFT_TEST_REFUSE
 * in the environment it is of another build than the library. */
#include <stdio.h>
#include <stdlib.h>
#include "engine/module.h"

static int count(char *why, size_t size)
{
    snprintf(why, size, "%s", "the module of the tests has no devices");
    return 0;
}

static const weft__backend backend = {.name = "from_module", .count = count};

WEFT_API const weft__backend *weft_test_module(const weft__module_host *host, char *message, size_t size);

const weft__backend *weft_test_module(const weft__module_host *host, char *message, size_t size)
{
    const bool fits = host->struct_size == sizeof *host && host->interface == weft__interface_hash();
    if (fits && !getenv("WEFT_TEST_REFUSE"))
        return &backend;
    snprintf(message, size, "the module is of another build than Weft %.32s", host->version);
    return NULL;
}
