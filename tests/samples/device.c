/* device.c - see device.h. */
#include "device.h"

#include <stdlib.h>
#include <string.h>

#include <weft/weft.h>

#include "harness/weft_test.h"

const char *test_device(void)
{
    const char *named = getenv("WEFT_TEST_DEVICE");
    return named && *named ? named : "cpu";
}

bool test_on_cpu(void)
{
    return strcmp(test_device(), "cpu") == 0;
}

WEFT_TEST_INIT(missing_device)
{
    weft_device_info info = {0};
    if (!test_on_cpu() && weft_device_info_get("cuda", 0, &info, sizeof info) != WEFT_OK)
        weft_test_skip_all(info.note);
}
