/* fake_device.h - a third kind of device, "test": the CPU's kernels behind a border of its own, with memory that the
 * host may not touch. */
#ifndef WEFT_TESTS_FAKE_DEVICE_H
#define WEFT_TESTS_FAKE_DEVICE_H

#include "engine/backend.h"

enum { FAKE_DEVICES = 2 };

#define FAKE_STREAM ((void *)(uintptr_t)0x5eed)

/* Registers it, the first time; two devices. Changes to *fake_device() hold for what runs afterwards: put them back. */
weft__backend *fake_device(void);

/* For to_host: nothing comes from the device. */
weft_status fake_no_download(void *device, void *host, const void *block, size_t bytes);

/* Bytes that went over the border, either way. */
typedef struct fake_traffic {
    size_t to_host, from_host, between;
    int waits; /* synchronisations, those of copies included */
} fake_traffic;
fake_traffic fake_device_traffic(void); /* since the last call */

#endif
