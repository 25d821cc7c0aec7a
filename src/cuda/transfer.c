/* transfer.c - copies between device and host.
 *
 * Uploads are copied into pinned memory and return; the device fetches them from there in its own time. Downloads end
 * in a wait for the stream. Large ones go slot by slot, so that the host copies one piece while the device moves the
 * next. */
#include <string.h>
#include "host.h"

enum {
    LANDING = 4096,
    LANDING_DATA = 256, /* behind the fault record */
    SLOT = 2 << 20,
    GRANULE = 256, /* uploads start at multiples of it in their slot */
};

_Static_assert(sizeof(weft__cuda_fault) <= LANDING_DATA, "the fault record fits in front of small downloads");

cudaError_t weft__cuda_staging_open(weft__cuda_device *d)
{
    return cudaHostAlloc((void **)&d->staging->landing, LANDING, cudaHostAllocDefault);
}

void weft__cuda_staging_close(weft__cuda_device *d)
{
    if (d->staging->crossing)
        (void)cudaEventDestroy(d->staging->crossing);
    for (int k = 0; k < WEFT__CUDA_SLOTS; k++) {
        weft__cuda_slot *slot = &d->staging->slots[k];
        if (slot->event)
            (void)cudaEventDestroy(slot->event);
        if (slot->memory)
            (void)cudaFreeHost(slot->memory);
    }
    if (d->staging->landing)
        (void)cudaFreeHost(d->staging->landing);
}

void weft__cuda_staging_idle(weft__cuda_device *d)
{
    for (int k = 0; k < WEFT__CUDA_SLOTS; k++) {
        d->staging->slots[k].used = 0;
        d->staging->slots[k].waiting = false;
    }
    d->staging->current = 0;
}

weft_status weft__cuda_wait(weft__cuda_device *d, const char *what)
{
    cudaError_t error = weft__cuda_fault_fetch(d);
    if (error == cudaSuccess)
        error = cudaStreamSynchronize(d->stream);
    if (error != cudaSuccess)
        return weft__cuda_fail(d, error, what);
    weft__cuda_staging_idle(d);
    return weft__cuda_fault_check(d, true);
}

/* Gives a slot its memory and event. False: there is none to be had, and the copy does without. */
static bool slot_ready(weft__cuda_slot *slot)
{
    if (!slot->event && cudaEventCreateWithFlags(&slot->event, cudaEventDisableTiming) != cudaSuccess)
        slot->event = NULL;
    if (slot->event && !slot->memory &&
        cudaHostAlloc((void **)&slot->memory, SLOT, cudaHostAllocDefault) != cudaSuccess)
        slot->memory = NULL;
    if (!slot->memory)
        (void)cudaGetLastError();
    return slot->memory != NULL;
}

/* Records what the slot has to wait for before the host may touch it again. */
static cudaError_t slot_mark(const weft__cuda_device *d, weft__cuda_slot *slot)
{
    cudaError_t error = cudaEventRecord(slot->event, d->stream);
    slot->waiting = error == cudaSuccess;
    return error;
}

static cudaError_t slot_wait(weft__cuda_slot *slot)
{
    cudaError_t error = slot->waiting ? cudaEventSynchronize(slot->event) : cudaSuccess;
    slot->waiting = false;
    return error;
}

/* ---- To the device ---- */

/* Without pinned memory: the copy is finished before it returns. */
static cudaError_t upload_directly(const weft__cuda_device *d, void *block, const void *host, size_t bytes)
{
    cudaError_t error = cudaMemcpyAsync(block, host, bytes, cudaMemcpyHostToDevice, d->stream);
    return error == cudaSuccess ? cudaStreamSynchronize(d->stream) : error;
}

/* Moves on to the next slot if the current one is full. */
static cudaError_t upload_room(weft__cuda_device *d)
{
    weft__cuda_staging *s = d->staging;
    if (s->slots[s->current].used < SLOT)
        return cudaSuccess;
    cudaError_t error = slot_mark(d, &s->slots[s->current]);
    if (error != cudaSuccess)
        return error;
    s->current = (s->current + 1) % WEFT__CUDA_SLOTS;
    error = slot_wait(&s->slots[s->current]);
    if (error == cudaSuccess)
        s->slots[s->current].used = 0;
    return error;
}

static cudaError_t upload(weft__cuda_device *d, unsigned char *block, const unsigned char *host, size_t bytes)
{
    while (bytes > 0) {
        cudaError_t error = upload_room(d);
        if (error != cudaSuccess)
            return error;
        weft__cuda_slot *slot = &d->staging->slots[d->staging->current];
        if (!slot_ready(slot))
            return upload_directly(d, block, host, bytes);
        size_t n = bytes < SLOT - slot->used ? bytes : SLOT - slot->used;
        memcpy(slot->memory + slot->used, host, n);
        error = cudaMemcpyAsync(block, slot->memory + slot->used, n, cudaMemcpyHostToDevice, d->stream);
        if (error != cudaSuccess)
            return error;
        slot->used += (n + GRANULE - 1) / GRANULE * GRANULE;
        block += n;
        host += n;
        bytes -= n;
    }
    return cudaSuccess;
}

weft_status weft__cuda_from_host(weft__cuda_device *d, void *block, const void *host, size_t bytes)
{
    cudaError_t error = upload(d, block, host, bytes);
    return error == cudaSuccess ? WEFT_OK : weft__cuda_fail(d, error, "copy to the device");
}

/* ---- From another device ---- */

/* With d current: its event stands behind all that is queued. */
static cudaError_t cross(weft__cuda_device *d)
{
    cudaError_t error =
        d->staging->crossing ? cudaSuccess : cudaEventCreateWithFlags(&d->staging->crossing, cudaEventDisableTiming);
    if (error != cudaSuccess)
        d->staging->crossing = NULL;
    return error == cudaSuccess ? cudaEventRecord(d->staging->crossing, d->stream) : error;
}

/* Calls cross with d current. */
static cudaError_t cross_there(weft__cuda_device *d)
{
    int was;
    cudaError_t error = weft__cuda_enter(d, &was);
    if (error != cudaSuccess)
        return error;
    error = cross(d);
    weft__cuda_leave(d, was);
    return error;
}

/* Both streams are put in order by events: the copy runs on d's, after what other had queued; other goes on after it,
 * so that what is freed there is not written again too early. */
weft_status weft__cuda_from_device(weft__cuda_device *d, void *block, weft__cuda_device *other, const void *from,
                                   size_t bytes)
{
    static const char what[] = "copy from another context";
    cudaError_t error = cross_there(other);
    if (error == cudaSuccess)
        error = cudaStreamWaitEvent(d->stream, other->staging->crossing, 0);
    if (error != cudaSuccess)
        return weft__cuda_fail(d, error, what);
    if (other->ordinal == d->ordinal)
        error = cudaMemcpyAsync(block, from, bytes, cudaMemcpyDeviceToDevice, d->stream);
    else
        error = cudaMemcpyPeerAsync(block, d->ordinal, from, other->ordinal, bytes, d->stream);
    if (error != cudaSuccess)
        return weft__cuda_fail(d, error, what);
    error = cross(d);
    if (error == cudaSuccess)
        error = cudaStreamWaitEvent(other->stream, d->staging->crossing, 0);
    if (error != cudaSuccess || d->sync) { /* not in order: it has to be over */
        const cudaError_t waited = cudaStreamSynchronize(d->stream);
        error = error == cudaSuccess ? waited : error;
    }
    return error == cudaSuccess ? WEFT_OK : weft__cuda_fail(d, error, what);
}

/* ---- To the host ---- */

/* Pieces of one slot each; piece k goes through slot k % WEFT__CUDA_SLOTS, whose earlier uploads the stream has read by
 * then. The last piece is waited for by the caller. */
static cudaError_t download(weft__cuda_device *d, unsigned char *host, const unsigned char *block, size_t bytes)
{
    size_t pieces = (bytes + SLOT - 1) / SLOT;
    for (size_t k = 0; k < pieces + WEFT__CUDA_SLOTS; k++) {
        weft__cuda_slot *slot = &d->staging->slots[k % WEFT__CUDA_SLOTS];
        if (k >= WEFT__CUDA_SLOTS && k - WEFT__CUDA_SLOTS < pieces) {
            size_t at = (k - WEFT__CUDA_SLOTS) * SLOT;
            cudaError_t error = slot_wait(slot);
            if (error != cudaSuccess)
                return error;
            memcpy(host + at, slot->memory, bytes - at < SLOT ? bytes - at : SLOT);
        }
        if (k >= pieces)
            continue;
        size_t at = k * SLOT;
        cudaError_t error = cudaMemcpyAsync(slot->memory, block + at, bytes - at < SLOT ? bytes - at : SLOT,
                                            cudaMemcpyDeviceToHost, d->stream);
        if (error == cudaSuccess)
            error = slot_mark(d, slot);
        if (error != cudaSuccess)
            return error;
    }
    return cudaSuccess;
}

static bool slots_ready(weft__cuda_device *d, size_t bytes)
{
    for (size_t k = 0; k < WEFT__CUDA_SLOTS && k * SLOT < bytes; k++)
        if (!slot_ready(&d->staging->slots[k]))
            return false;
    return true;
}

weft_status weft__cuda_to_host(weft__cuda_device *d, void *host, const void *block, size_t bytes)
{
    static const char what[] = "copy from the device";
    unsigned char *landing = d->staging->landing + LANDING_DATA;
    bool small = bytes <= LANDING - LANDING_DATA;
    cudaError_t error;
    if (small)
        error = cudaMemcpyAsync(landing, block, bytes, cudaMemcpyDeviceToHost, d->stream);
    else if (slots_ready(d, bytes))
        error = download(d, host, block, bytes);
    else
        error = cudaMemcpyAsync(host, block, bytes, cudaMemcpyDeviceToHost, d->stream);
    if (error != cudaSuccess) {
        /* Pieces may be under way: no slot is touched again before they have arrived. */
        if (cudaStreamSynchronize(d->stream) == cudaSuccess)
            weft__cuda_staging_idle(d);
        return weft__cuda_fail(d, error, what);
    }
    weft_status status = weft__cuda_wait(d, what);
    if (status == WEFT_OK && small)
        memcpy(host, landing, bytes);
    return status;
}
