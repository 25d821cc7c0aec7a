/* fake_device.c - see fake_device.h. */
#include "fake_device.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include "engine/registry.h"

static weft__backend fake;
static const weft__backend *cpu;
static atomic_size_t up, down, across;
static atomic_int waits;

static weft_status to_host(void *device, void *host, const void *block, size_t bytes)
{
    down += bytes;
    waits++;
    return cpu->to_host(device, host, block, bytes);
}

static weft_status from_host(void *device, void *block, const void *host, size_t bytes)
{
    up += bytes;
    return cpu->from_host(device, block, host, bytes);
}

static weft_status from_device(void *device, void *block, void *other, const void *from, size_t bytes)
{
    (void)other;
    across += bytes;
    return cpu->from_host(device, block, from, bytes);
}

static weft_status wait_for(void *device)
{
    waits++;
    return cpu->synchronize(device);
}

static weft_status with_stream(void *device, weft_status (*call)(void *stream, void *user), void *user)
{
    (void)device;
    return call(FAKE_STREAM, user);
}

static int count(char *why, size_t size)
{
    snprintf(why, size, "%s", "");
    return FAKE_DEVICES;
}

static weft_status describe(int index, weft_device_info *info)
{
    snprintf(info->name, sizeof info->name, "fake %d", index);
    return WEFT_OK;
}

static void make(void)
{
    cpu = weft__cpu_backend();
    fake = *cpu;
    fake.name = "test";
    fake.host_memory = false;
    fake.to_host = to_host;
    fake.from_host = from_host;
    fake.from_device = from_device;
    fake.synchronize = wait_for;
    fake.with_stream = with_stream;
    fake.count = count;
    fake.info = describe;
    weft__backend_register(&fake);
}

weft__backend *fake_device(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make);
    return &fake;
}

fake_traffic fake_device_traffic(void)
{
    return (fake_traffic){.to_host = atomic_exchange(&down, 0),
                          .from_host = atomic_exchange(&up, 0),
                          .between = atomic_exchange(&across, 0),
                          .waits = atomic_exchange(&waits, 0)};
}

weft_status fake_no_download(void *device, void *host, const void *block, size_t bytes)
{
    (void)device, (void)host, (void)block, (void)bytes;
    return WEFT_E_DEVICE;
}
