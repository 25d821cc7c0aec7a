/* error.c - status texts, the sticking error, messages, call sites. */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "engine/engine.h"

const char *weft_status_name(weft_status status)
{
    switch (status) {
#define NAME_CASE(name, value, text)                                                                                   \
    case WEFT_E_##name:                                                                                                \
        return #name;
        WEFT_STATUS_LIST(NAME_CASE)
#undef NAME_CASE
    }
    return "UNKNOWN";
}

const char *weft_status_text(weft_status status)
{
    switch (status) {
#define TEXT_CASE(name, value, text)                                                                                   \
    case WEFT_E_##name:                                                                                                \
        return text;
        WEFT_STATUS_LIST(TEXT_CASE)
#undef TEXT_CASE
    }
    return "not a status code of Weft";
}

weft_status weft_ctx_status(const weft_ctx *ctx)
{
    return ctx ? ctx->status : WEFT_E_NULL_ARGUMENT;
}

const char *weft_ctx_message(const weft_ctx *ctx)
{
    return ctx ? ctx->message : "";
}

weft_status weft_ctx_clear(weft_ctx *ctx)
{
    if (!ctx)
        return WEFT_E_NULL_ARGUMENT;
    weft_status was = ctx->status;
    if (ctx->n_callbacks)
        weft__settle(ctx);
    if (ctx->only_look) /* the function that failed is still to say so */
        return was;
    weft__forget_lost();
    ctx->status = WEFT_OK;
    ctx->message[0] = '\0';
    return was;
}

/* Appends to the context's message; what does not fit is cut. */
static void append(weft_ctx *ctx, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void append_list(weft_ctx *ctx, const char *format, va_list args)
{
    size_t used = strlen(ctx->message);
    weft_text_list(ctx->message + used, sizeof ctx->message - used, format, args);
}

static void append(weft_ctx *ctx, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    append_list(ctx, format, args);
    va_end(args);
}

/* Names come from files and users: what would move a terminal's cursor is shown as question marks. */
static void tame(char *text)
{
    for (unsigned char *c = (unsigned char *)text; *c; c++) {
        if ((*c < 0x20 && *c != '\n' && *c != '\t') || *c == 0x7f)
            *c = '?';
        else if (*c == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0) /* the control characters above 0x7f, in UTF-8 */
            c[0] = c[1] = '?';
    }
}

/* The operation that a callback of the program's called; NULL: there is none, or it has been named. */
static const char *called_within(const weft_ctx *ctx, const char *outer, const char *name)
{
    const char *called = ctx->depth > ctx->base_depth && ctx->outer_op >= 0 ? weft__ops[ctx->outer_op].name : NULL;
    return called && strcmp(called, outer) != 0 && strcmp(called, name) != 0 ? called : NULL;
}

/* The message names the call that the user wrote first, then the one of a callback in it, then what failed inside. */
static weft_status record(weft_ctx *ctx, const char *prefix, const char *name, weft_status status, const char *format,
                          va_list args)
{
    if (!ctx || status == WEFT_OK || ctx->status != WEFT_OK)
        return status;
    ctx->status = status;
    ctx->message[0] = '\0';
    const char *outer = ctx->depth > 0 ? ctx->outer_name : NULL;
    weft__site site = ctx->depth > 0 ? ctx->site : weft__take_site(name, true);
    const char *within = outer ? called_within(ctx, outer, name) : NULL;
    if (within)
        append(ctx, "weft_%s: in weft_%s: in %s%s: ", outer, within, prefix, name);
    else if (outer && strcmp(outer, name) != 0)
        append(ctx, "weft_%s: in %s%s: ", outer, prefix, name);
    else if (name[0])
        append(ctx, "%s%s: ", prefix, name);
    append_list(ctx, format, args);
    if (site.file)
        append(ctx, " [%s:%d]", site.file, site.line);
    tame(ctx->message);
    weft__log(ctx, WEFT_LOG_LEVEL_ERROR, "%s", ctx->message);
    if (ctx->trap)
        raise(SIGTRAP);
    return status;
}

weft_status weft__fail(weft_ctx *ctx, int op, weft_status status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    record(ctx, "weft_", op >= 0 && op < WEFT_OP_COUNT ? weft__ops[op].name : "operation", status, format, args);
    va_end(args);
    return status;
}

weft_status weft__fail_named(weft_ctx *ctx, const char *function, weft_status status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    record(ctx, "weft_", function, status, format, args);
    va_end(args);
    return status;
}

/* Of code outside the library, at an unknown place. */
static weft_status fail_unnamed(weft_ctx *ctx, weft_status status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    record(ctx, "", "", status, format, args);
    va_end(args);
    return status;
}

weft_status weft__fail_device(weft_ctx *ctx, const char *function, weft_status status, const char *what)
{
    const char *why = ctx->backend->message ? ctx->backend->message(ctx->device) : "";
    return weft__fail_named(ctx, function, status, "%s", why[0] ? why : what);
}

/* The name of a function at the head of "weft_optim_step: the optimiser ...", without the prefix; "" if there is none.
 * text is cut up: *rest is what follows. */
static const char *take_name(char *text, const char **rest)
{
    size_t length = strcspn(text, ": ");
    *rest = text;
    if (strncmp(text, "weft_", 5) != 0 || text[length] != ':' || text[length + 1] != ' ')
        return "";
    text[length] = '\0';
    *rest = text + length + 2;
    return text + 5;
}

/* text without "swish: " or "weft_swish: " at its head, for a message that begins with that name anyway. */
static const char *after_name(const char *text, const char *name)
{
    const char *at = strncmp(text, "weft_", 5) == 0 ? text + 5 : text;
    const size_t length = strlen(name);
    return strncmp(at, name, length) == 0 && strncmp(at + length, ": ", 2) == 0 ? at + length + 2 : text;
}

weft_status weft_ctx_fail(weft_ctx *ctx, weft_status status, const char *format, ...)
{
    char text[WEFT__MESSAGE_SIZE];
    const char *rest;
    va_list args;
    va_start(args, format);
    if (format)
        weft_text_list(text, sizeof text, format, args);
    else
        weft_text(text, sizeof text, "%s", weft_status_text(status));
    va_end(args);
    if (ctx && ctx->depth > 0 && ctx->outer_name)
        return weft__fail_named(ctx, ctx->outer_name, status, "%s", after_name(text, ctx->outer_name));
    const char *name = take_name(text, &rest);
    if (name[0])
        return weft__fail_named(ctx, name, status, "%s", rest);
    return fail_unnamed(ctx, status, "%s", text);
}

void weft__log(const weft_ctx *ctx, weft_log_level level, const char *format, ...)
{
    if (!ctx->options.log)
        return;
    char text[WEFT__MESSAGE_SIZE];
    va_list args;
    va_start(args, format);
    weft_text_list(text, sizeof text, format, args);
    va_end(args);
    tame(text);
    weft_ctx *mine = (weft_ctx *)ctx; /* no context is constant in itself */
    const weft__call_id call = weft__call_begins(mine, "the log callback", true);
    if (!call)
        return;
    ctx->options.log(ctx->options.log_user, level, text);
    weft__call_ends(mine, "log", call);
}

weft__text weft__describe(const weft_tensor *t)
{
    weft__text text;
    if (!t) {
        snprintf(text.s, sizeof text.s, "NULL");
        return text;
    }
    const char *name = t->leaf && t->leaf->name[0] ? t->leaf->name : NULL;
    snprintf(text.s, sizeof text.s, "%s%s%.100s", name ? name : "", name ? " " : "", weft__array_text(&t->a).s);
    return text;
}

weft__text weft__budget_text(const weft_ctx *ctx)
{
    weft__text text = {""};
    if (ctx->options.memory_budget != SIZE_MAX)
        snprintf(text.s, sizeof text.s, " of a budget of %zu", ctx->options.memory_budget);
    return text;
}

weft__text weft__site_text(weft__site site)
{
    weft__text text;
    if (!site.file) {
        snprintf(text.s, sizeof text.s, "an unknown place");
        return text;
    }
    size_t length = strlen(site.file);
    snprintf(text.s, sizeof text.s, "%s:%d", length > 120 ? site.file + length - 120 : site.file, site.line);
    return text;
}

/* The first error of this thread that had no context to go to. Where all operands were NULL, the context of the call
 * that gave the first NULL holds the reason already; where all were shared, or there were none, nobody knows it yet. */
static _Thread_local struct {
    weft_status status;
    char message[512];
} lost;

void weft__note_lost(const char *function, weft_status status, const char *what)
{
    weft__site site = weft__take_site(function, true);
    if (lost.status != WEFT_OK)
        return;
    lost.status = status;
    if (site.file)
        weft_text(lost.message, sizeof lost.message, "weft_%s: %s [%s]", function, what, weft__site_text(site).s);
    else
        weft_text(lost.message, sizeof lost.message, "weft_%s: %s", function, what);
}

void weft__forget_lost(void)
{
    lost.status = WEFT_OK;
}

void weft__adopt_lost(weft_ctx *ctx)
{
    if (lost.status != WEFT_OK && lost.status != WEFT_E_NULL_ARGUMENT && ctx->status == WEFT_OK) {
        fail_unnamed(ctx, lost.status, "%s", lost.message);
        weft__forget_lost();
    }
}

weft__reason weft__why_null(void)
{
    weft__reason reason = {"the call that made it may have failed"};
    const size_t used = strlen(reason.s);
    if (lost.status != WEFT_OK)
        weft_text(reason.s + used, sizeof reason.s - used, ": %s", lost.message);
    weft__forget_lost();
    return reason;
}

weft_status weft_lost_error(const char **message)
{
    weft_status was = lost.status;
    if (message)
        *message = was == WEFT_OK ? "" : lost.message;
    weft__forget_lost();
    return was;
}

/* The calls of this thread whose place the macros have noted and which have not begun: an inner call notes its place
 * after the outer one, and begins before it. A hint for messages, never read for anything else. */
enum { MAX_SITES = 16 };
static _Thread_local struct {
    unsigned top;
    weft__site sites[MAX_SITES];
    const char *names[MAX_SITES];
} noted;

void weft_call_site(const char *file, int line, const char *function)
{
    if (!function)
        return; /* it would be looked for by its name */
    unsigned at = noted.top++ % MAX_SITES;
    noted.sites[at] = (weft__site){file, line};
    noted.names[at] = function;
}

/* As strcmp, which takes longer than this for names of a few letters, in every call. Linked statically, a program and
 * the library have one copy of a name. */
static inline bool same_name(const char *a, const char *b)
{
    if (a == b)
        return true;
    while (*a == *b && *a)
        a++, b++;
    return *a == *b;
}

weft__site weft__take_site(const char *function, bool outermost)
{
    unsigned oldest = noted.top > MAX_SITES ? noted.top - MAX_SITES : 0;
    for (unsigned k = noted.top; k-- > oldest;) {
        if (same_name(noted.names[k % MAX_SITES], function)) {
            noted.top = k; /* what was noted later never began */
            return noted.sites[k % MAX_SITES];
        }
        if (!outermost)
            break;
    }
    return (weft__site){NULL, 0};
}
