/* device.h - the device that the table tests (golden values, gradients) run on: WEFT_TEST_DEVICE in the environment, or
 * the CPU. Where that device is missing every test of the process reports SKIPPED with the reason. */
#ifndef WEFT_SAMPLES_DEVICE_H
#define WEFT_SAMPLES_DEVICE_H

#include <stdbool.h>

const char *test_device(void); /* as in weft_options: "cpu", "cuda" ... */
bool test_on_cpu(void);

#endif
