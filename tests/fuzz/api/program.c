/* program.c - one random program: opens a context, takes steps, closes it, and looks at what must hold. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "fuzz.h"
#include "harness/structs.h"

enum { STEPS = 80, BUDGET = 32 << 20 };

void fuzz_broken(fuzz *f, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "weft_fuzz_api: seed %llu, step %d (%s): ", (unsigned long long)f->seed, f->step, f->at);
    vfprintf(stderr, format, args);
    fprintf(stderr, "\n");
    va_end(args);
    f->broken = true;
}

static bool open_all(fuzz *f)
{
    static float of_others[] = {1, 2, 3};
    weft_options o = fault_options(&f->memory), other = fault_options(&f->other_memory);
    f->memory = f->other_memory = (fault_memory){0};
    o.threads = fuzz_chance(f, 4) ? 2 : 1;
    o.memory_budget = BUDGET;
    o.nan_watch = fuzz_chance(f, 8);
    o.seed = f->seed;
    if (fuzz_chance(f, 3)) {
        f->memory.fail_at = 1 + fuzz_below(f, fuzz_chance(f, 4) ? 40 : 2500);
        f->memory.for_good = fuzz_chance(f, 2);
    }
    weft_status status = weft_ctx_open(&o, &f->ctx);
    if ((status == WEFT_OK) != (f->ctx != NULL))
        fuzz_broken(f, "weft_ctx_open returned %s and %s", weft_status_name(status), f->ctx ? "a context" : "NULL");
    if (!f->ctx)
        return false;
    if (weft_ctx_open(&other, &f->other) == WEFT_OK)
        f->foreign = weft_from_data(f->other, WEFT_F32, WEFT_DIMS(3), of_others);
    return f->other != NULL;
}

/* A cleared context computes again. */
static void recover(fuzz *f)
{
    f->memory.fail_at = 0;
    weft_ctx_clear(f->ctx);
    int mark = weft_scope_push(f->ctx);
    double value = weft_item(f->ctx, weft_sum(weft_full(f->ctx, WEFT_F32, WEFT_DIMS(5), 2), WEFT_ALL, false));
    weft_status status = mark < 0 ? WEFT_E_NOMEM : weft_scope_pop(f->ctx, mark);
    if (status == WEFT_E_NOMEM && memory_of(f->ctx).live_bytes > BUDGET / 2)
        weft_ctx_clear(f->ctx); /* the program itself has filled its budget */
    else if (status != WEFT_OK || value != 10)
        fuzz_broken(f, "after weft_ctx_clear 5 times 2 is %g, %s: %s", value, weft_status_name(status),
                    weft_ctx_message(f->ctx));
}

static void look(fuzz *f)
{
    weft_status status = weft_ctx_status(f->ctx);
    const char *message = weft_ctx_message(f->ctx);
    if (status == WEFT_E_INTERNAL)
        fuzz_broken(f, "%s", message);
    if ((status == WEFT_OK) != (message[0] == '\0'))
        fuzz_broken(f, "status %s with the message \"%s\"", weft_status_name(status), message);
    if (f->memory.mismatch)
        fuzz_broken(f, "a block was freed with another size than it was taken with");
    if (f->trace)
        fprintf(stderr, "%5d %-20s %s %s\n", f->step, f->at, weft_status_name(status), message);
    if (status == WEFT_OK)
        return;
    f->failed_calls++;
    if (fuzz_below(f, 3) > 0) /* else some steps on a context with an error */
        recover(f);
}

static void take_step(fuzz *f)
{
    int kind = fuzz_below(f, 20);
    f->at = "";
    if (kind < 10) {
        fuzz_row(f);
    } else if (kind < 14) {
        fuzz_autograd_step(f);
    } else if (kind < 16) {
        fuzz_callback_step(f);
    } else if (kind < 19) {
        f->at = "scopes";
        fuzz_scope_step(f);
    } else {
        if (weft_ctx_status(f->ctx) != WEFT_OK)
            recover(f); /* statuses are judged on a context without an error */
        fuzz_misuse_step(f);
    }
    f->steps++;
}

static void print_live(void *user, const weft_live *group)
{
    (void)user;
    fprintf(stderr, "weft_fuzz_api: %s\n", group->text);
}

static void close_all(fuzz *f)
{
    f->at = "close";
    while (f->n_optims > 0)
        weft_optim_close(f->optims[--f->n_optims]);
    fuzz_drop_all(f);
    weft_ctx_clear(f->ctx);
    weft_memory_info m = memory_of(f->ctx);
    if (weft_leaks(f->ctx, NULL, NULL) != 0)
        fuzz_broken(f, "%lld tensors are still kept", (long long)weft_leaks(f->ctx, NULL, NULL));
    if (!f->to_root && (m.live_tensors != 0 || m.live_nodes != 0 || m.live_bytes != 0)) {
        weft_live_tensors(f->ctx, print_live, NULL);
        fuzz_broken(f, "with every scope popped %lld tensors, %lld nodes and %zu bytes live", (long long)m.live_tensors,
                    (long long)m.live_nodes, m.live_bytes);
    }
    f->memory.logged = 0;
    weft_ctx_close(f->ctx);
    weft_ctx_close(f->other);
    if (f->memory.logged)
        fuzz_broken(f, "closing: %s", f->memory.last_log);
}

static void look_for_losses(fuzz *f)
{
    if (f->memory.live_blocks || f->memory.live_bytes || f->other_memory.live_blocks)
        fuzz_broken(f, "%ld blocks of %zu bytes, and %ld of the other context, were lost", f->memory.live_blocks,
                    f->memory.live_bytes, f->other_memory.live_blocks);
    if (f->memory.mismatch || f->other_memory.mismatch)
        fuzz_broken(f, "a block was freed with another size than it was taken with");
}

void fuzz_program(fuzz *f, const uint8_t *bytes, size_t n, uint64_t seed)
{
    f->bytes = bytes;
    f->n_bytes = n;
    f->seed = f->state = seed;
    f->ctx = f->other = NULL;
    f->foreign = NULL;
    f->n_pool = f->n_marks = f->n_optims = f->n_dead = f->guest = f->step = 0;
    f->to_root = f->harmless = false;
    f->at = "open";
    memset(f->dead, 0, sizeof f->dead);
    if (open_all(f)) {
        int mark = weft_scope_push(f->ctx); /* around everything, so that all of it ends */
        if (mark >= 0)
            f->marks[f->n_marks++] = mark;
        for (f->step = 1; f->step <= STEPS && mark >= 0 && !f->broken; f->step++) {
            take_step(f);
            look(f);
        }
        close_all(f);
    } else {
        weft_ctx_close(f->ctx);
    }
    look_for_losses(f);
}
