/* test_isa.c - the choice of the instruction set: each usable one can be forced, others are refused with a note, and
 * one process can hold contexts of different ones. */
#include <stdlib.h>
#include "base/host_memory.h"
#include "cpu/isa.h"
#include "harness/weft_test.h"

/* The variable as it was, to be given to put_back. */
static char *remember(void)
{
    const char *value = getenv("WEFT_ISA");
    return value ? strdup(value) : NULL;
}

static void put_back(char *value)
{
    if (value)
        setenv("WEFT_ISA", value, 1);
    else
        unsetenv("WEFT_ISA");
    free(value);
}

WEFT_TEST(Isa, EachUsableOneCanBeForced)
{
    char *before = remember();
    const weft__cpu_table *tables[WEFT__MAX_ISAS];
    int n = weft__cpu_isas(tables);
    WEFT_CHECK(n >= 1);
    weft__device_options o = {.threads = 1, .alloc = weft__default_alloc, .free = weft__default_free};
    void *devices[WEFT__MAX_ISAS] = {NULL};
    for (int k = 0; k < n; k++) {
        char message[256] = "";
        setenv("WEFT_ISA", tables[k]->isa, 1);
        WEFT_CHECK(weft__cpu_isa_choose() == tables[k]);
        weft_device_info info = {0};
        WEFT_CHECK_OK(weft_device_info_get("cpu", 0, &info, sizeof info));
        WEFT_CHECK_STR_EQ(info.isa, tables[k]->isa);
        WEFT_CHECK(!weft__cpu_isa_note());
        WEFT_CHECK_OK(weft__cpu_backend()->open(&o, &devices[k], message, sizeof message));
        WEFT_CHECK_STR_EQ(message, "");
    }
    for (int k = 0; k < n; k++) {
        WEFT_CHECK(((weft__cpu_device *)devices[k])->table == tables[k]);
        weft__cpu_backend()->close(devices[k]);
    }
    put_back(before);
}

WEFT_TEST(Isa, UnknownNamesAreIgnoredWithANote)
{
    char *before = remember();
    const weft__cpu_table *tables[WEFT__MAX_ISAS];
    weft__cpu_isas(tables);
    setenv("WEFT_ISA", "mmx", 1);
    WEFT_CHECK(weft__cpu_isa_choose() == tables[0]);
    WEFT_CHECK_STR_HAS(weft__cpu_isa_note(), "names no instruction set");
    setenv("WEFT_ISA", "", 1);
    WEFT_CHECK(weft__cpu_isa_choose() == tables[0]);
    WEFT_CHECK(!weft__cpu_isa_note());
    put_back(before);
}
