/* test_ctx.c - see test_ctx.h. Each block carries its size in front, so that a wrong size at free is seen. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "test_ctx.h"
#include "harness/structs.h"

enum { HEAD = 64 };
#define MOST_BYTES ((size_t)1 << 30) /* more, and filling it would take the machine's memory */

static void *fault_alloc(void *user, size_t bytes, size_t alignment)
{
    fault_memory *m = user;
    long call = ++m->calls;
    if (bytes > MOST_BYTES || (m->fail_at && (call == m->fail_at || (m->for_good && call > m->fail_at))))
        return NULL;
    size_t total = (HEAD + bytes + 63) / 64 * 64;
    char *block = aligned_alloc(alignment > 64 ? alignment : 64, (total + alignment - 1) / alignment * alignment);
    if (!block)
        return NULL;
    memcpy(block, &bytes, sizeof bytes);
    memset(block + HEAD, 0xFF, bytes);
    m->live_blocks++;
    m->live_bytes += bytes;
    return block + HEAD;
}

static void fault_free(void *user, void *pointer, size_t bytes)
{
    fault_memory *m = user;
    char *block = (char *)pointer - HEAD;
    size_t taken;
    memcpy(&taken, block, sizeof taken);
    if (taken != bytes)
        m->mismatch = true;
    m->live_blocks--;
    m->live_bytes -= bytes;
    free(block);
}

static void remember(void *user, weft_log_level level, const char *message)
{
    fault_memory *m = user;
    (void)level;
    m->logged++;
    snprintf(m->last_log, sizeof m->last_log, "%s", message);
}

weft_options fault_options(fault_memory *memory)
{
    return WITH_OPTIONS(.alloc = fault_alloc, .free = fault_free, .alloc_user = memory, .log = remember,
                        .log_user = memory);
}
