/* pickle.c - see pickle.h. */
#include "pickle.h"

#include <string.h>
#include "element.h"

enum { MOST = 1 << 30, FIRST_ROOM = 16, MOST_MEMO = 1 << 24 };

static weft_status broken(weft__pickle *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
static weft_status broken(weft__pickle *p, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    weft_text_list(p->why, sizeof p->why, format, list);
    va_end(list);
    return WEFT_E_IO;
}

static weft_status ends_early(weft__pickle *p)
{
    return broken(p, "its pickle ends in the middle of an instruction");
}

/* Room for one more of width bytes in a block of *room, n of which are used. */
static weft_status grow(weft__pickle *p, void **block, uint32_t *room, size_t width, uint32_t n)
{
    weft_status status = WEFT_OK;
    if (n < *room)
        return WEFT_OK;
    uint32_t wanted = *room ? *room : FIRST_ROOM;
    while (wanted <= n)
        wanted *= 2;
    weft_memory_info m;
    status = weft_memory(p->ctx, &m, sizeof m);
    if (status == WEFT_OK && p->taken + wanted * width > m.budget_bytes) {
        broken(p, "its pickle needs more memory than the context's memory_budget, %zu, allows", m.budget_bytes);
        return WEFT_E_NOMEM;
    }
    void *more = status == WEFT_OK ? weft__take(p->ctx, wanted * width, &status) : NULL;
    if (!more)
        return status;
    p->taken += (wanted - *room) * width;
    memset(more, 0, wanted * width);
    if (*room)
        memcpy(more, *block, *room * width);
    weft_ctx_free(p->ctx, *block, *room * width);
    *block = more;
    *room = wanted;
    return WEFT_OK;
}

/* ---- The stack ---- */

static weft_status push_number(weft__pickle *p, uint32_t v)
{
    void *block = p->stack;
    const weft_status status = grow(p, &block, &p->stack_room, sizeof *p->stack, p->depth);
    p->stack = block;
    if (status == WEFT_OK)
        p->stack[p->depth++] = v;
    return status;
}

static weft_status push(weft__pickle *p, weft__value value)
{
    void *block = p->values;
    const weft_status status = grow(p, &block, &p->values_room, sizeof *p->values, p->n_values);
    p->values = block;
    if (status != WEFT_OK)
        return status;
    p->values[p->n_values] = value;
    return push_number(p, p->n_values++);
}

static weft_status push_container(weft__pickle *p, weft__pickled kind)
{
    return push(p, (weft__value){.kind = kind, .at = WEFT__NO_ITEM, .last = WEFT__NO_ITEM});
}

/* Whether there are n values on the stack above the last mark. */
static bool has(const weft__pickle *p, uint32_t n)
{
    for (uint32_t k = 1; k <= n; k++)
        if (k > p->depth || p->values[p->stack[p->depth - k]].kind == WEFT__PICKLED_MARK)
            return false;
    return true;
}

static weft_status too_few(weft__pickle *p)
{
    return broken(p, "its pickle takes values that it has not made");
}

/* Where the values above the last mark begin; the mark is before them. */
static bool find_mark(const weft__pickle *p, uint32_t *first)
{
    for (uint32_t k = p->depth; k-- > 0;)
        if (p->values[p->stack[k]].kind == WEFT__PICKLED_MARK) {
            *first = k + 1;
            return true;
        }
    return false;
}

/* ---- Containers ---- */

static weft_status add_item(weft__pickle *p, uint32_t to, uint32_t key, uint32_t value)
{
    void *block = p->items;
    const weft_status status = grow(p, &block, &p->items_room, sizeof *p->items, p->n_items);
    p->items = block;
    if (status != WEFT_OK)
        return status;
    weft__value *const c = &p->values[to];
    p->items[p->n_items] = (weft__item){.key = key, .value = value, .next = WEFT__NO_ITEM};
    if (c->at == WEFT__NO_ITEM)
        c->at = p->n_items;
    else
        p->items[c->last].next = p->n_items;
    c->last = p->n_items++;
    c->count++;
    return WEFT_OK;
}

/* Appends the values from stack place first on to the list (or pairs to the dict) below them: below the mark, too. */
static weft_status add_items(weft__pickle *p, uint32_t first, uint32_t below, bool pairs)
{
    if (first < below + 1)
        return too_few(p);
    const uint32_t to = p->stack[first - below - 1], end = p->depth, step = pairs ? 2 : 1;
    if (p->values[to].kind != (pairs ? WEFT__PICKLED_DICT : WEFT__PICKLED_LIST))
        return broken(p, "its pickle adds to something that is no %s", pairs ? "dict" : "list");
    if ((end - first) % step)
        return too_few(p);
    weft_status status = WEFT_OK;
    for (uint32_t k = first; k < end && status == WEFT_OK; k += step)
        status = add_item(p, to, pairs ? p->stack[k] : 0, p->stack[k + step - 1]);
    p->depth = first - below;
    return status;
}

/* The last n values become one tuple, list or dict, in the place of the lowest; marked: of the mark before them. */
static weft_status collect(weft__pickle *p, weft__pickled kind, uint32_t n, bool marked)
{
    const bool pairs = kind == WEFT__PICKLED_DICT;
    const uint32_t first = p->depth - n;
    if (pairs && n % 2)
        return too_few(p);
    weft_status status = push_container(p, kind);
    if (status != WEFT_OK)
        return status;
    const uint32_t made = p->stack[--p->depth];
    for (uint32_t k = first; k < first + n && status == WEFT_OK; k += pairs ? 2 : 1)
        status = add_item(p, made, pairs ? p->stack[k] : 0, p->stack[pairs ? k + 1 : k]);
    p->depth = first - marked;
    return status == WEFT_OK ? push_number(p, made) : status;
}

static weft_status collect_marked(weft__pickle *p, weft__pickled kind)
{
    uint32_t first;
    return find_mark(p, &first) ? collect(p, kind, p->depth - first, true) : too_few(p);
}

static weft_status add_marked(weft__pickle *p, bool pairs)
{
    uint32_t first;
    return find_mark(p, &first) ? add_items(p, first, 1, pairs) : too_few(p);
}

/* ---- Names and calls ---- */

static bool is_allowed(const weft__pickle *p, const char *module, size_t m, const char *name, size_t n)
{
    for (const char *const *g = p->globals; *g; g++)
        if (strlen(*g) == m + 1 + n && memcmp(*g, module, m) == 0 && (*g)[m] == ' ' && memcmp(*g + m + 1, name, n) == 0)
            return true;
    return false;
}

/* For messages: printable, cut. */
static void show(char *to, size_t room, const char *text, size_t n)
{
    size_t k = 0;
    for (; k < n && k < room - 1; k++)
        to[k] = text[k] >= ' ' && text[k] < 0x7F ? text[k] : '?';
    to[k] = '\0';
}

static weft_status push_global(weft__pickle *p, const char *module, size_t m, const char *name, size_t n)
{
    if (!is_allowed(p, module, m, name, n)) {
        char of[60], what[60];
        show(of, sizeof of, module, m);
        show(what, sizeof what, name, n);
        return broken(p, "it wants %s.%s of Python; only tensors in plain containers are read", of, what);
    }
    weft__value value = {.kind = WEFT__PICKLED_GLOBAL};
    for (const char *const *g = p->globals; *g; g++, value.at++)
        if (strlen(*g) == m + 1 + n && memcmp(*g, module, m) == 0 && memcmp(*g + m + 1, name, n) == 0)
            break;
    return push(p, value);
}

/* Two lines: module and name. */
static weft_status take_global(weft__pickle *p)
{
    const char *const text = (const char *)p->bytes + p->used;
    const size_t left = p->size - p->used;
    const char *const first = memchr(text, '\n', left);
    const char *const second = first ? memchr(first + 1, '\n', left - (size_t)(first + 1 - text)) : NULL;
    if (!second)
        return ends_early(p);
    p->used += (size_t)(second + 1 - text);
    return push_global(p, text, (size_t)(first - text), first + 1, (size_t)(second - first - 1));
}

static weft_status take_stack_global(weft__pickle *p)
{
    if (!has(p, 2))
        return too_few(p);
    const weft__value module = p->values[p->stack[p->depth - 2]], name = p->values[p->stack[p->depth - 1]];
    if (module.kind != WEFT__PICKLED_TEXT || name.kind != WEFT__PICKLED_TEXT)
        return broken(p, "its pickle names something by what is no text");
    p->depth -= 2;
    return push_global(p, (const char *)p->bytes + module.at, module.count, (const char *)p->bytes + name.at,
                       name.count);
}

/* A call of collections.OrderedDict is a dict, in which later instructions put what it holds. */
static weft_status take_call(weft__pickle *p)
{
    if (!has(p, 2))
        return too_few(p);
    const uint32_t function = p->stack[p->depth - 2], arguments = p->stack[p->depth - 1];
    if (p->values[function].kind != WEFT__PICKLED_GLOBAL || p->values[arguments].kind != WEFT__PICKLED_TUPLE)
        return broken(p, "its pickle calls what is no function of a module");
    p->depth -= 2;
    if (weft__pickle_is(p, function, WEFT__PICKLED_GLOBAL, "collections OrderedDict")) {
        if (p->values[arguments].count > 0)
            return broken(p, "it makes an OrderedDict from arguments, as Python 2 did");
        return push_container(p, WEFT__PICKLED_DICT);
    }
    return push(p, (weft__value){.kind = WEFT__PICKLED_CALL, .at = function, .last = arguments});
}

/* ---- The memo ---- */

static weft_status put(weft__pickle *p, uint64_t at)
{
    if (!has(p, 1))
        return too_few(p);
    if (at >= MOST_MEMO || at > (uint64_t)p->size)
        return broken(p, "its pickle keeps a value under the number %llu", (unsigned long long)at);
    void *block = p->memo;
    const weft_status status = grow(p, &block, &p->memo_room, sizeof *p->memo, (uint32_t)at);
    p->memo = block;
    if (status != WEFT_OK)
        return status;
    p->n_memo += p->memo[at] == 0;
    p->memo[at] = p->stack[p->depth - 1] + 1;
    return WEFT_OK;
}

static weft_status get(weft__pickle *p, uint64_t at)
{
    if (at >= p->memo_room || p->memo[at] == 0)
        return broken(p, "its pickle takes a value that it has not kept");
    return push_number(p, p->memo[at] - 1);
}

/* ---- Instructions ---- */

/* n bytes of the pickle as a number, lowest first. */
static bool take_number(weft__pickle *p, int n, uint64_t *x)
{
    if (p->size - p->used < (size_t)n)
        return false;
    *x = weft__little(p->bytes + p->used, n);
    p->used += (size_t)n;
    return true;
}

static weft_status take_bytes(weft__pickle *p, int prefix, weft__pickled kind)
{
    uint64_t n;
    if (!take_number(p, prefix, &n) || n > p->size - p->used)
        return ends_early(p);
    const weft__value value = {.kind = kind, .at = (uint32_t)p->used, .count = (uint32_t)n};
    p->used += (size_t)n;
    return push(p, value);
}

static weft_status take_int(weft__pickle *p, int bytes)
{
    uint64_t x;
    if (!take_number(p, bytes, &x))
        return ends_early(p);
    const int64_t i = bytes == 4 ? (int64_t)(int32_t)(uint32_t)x : (int64_t)x; /* those of one and two have no sign */
    return push(p, (weft__value){.kind = WEFT__PICKLED_INT, .number.i = i});
}

static weft_status take_long(weft__pickle *p)
{
    uint64_t n, x;
    if (!take_number(p, 1, &n) || n > p->size - p->used)
        return ends_early(p);
    if (n > 8) {
        const weft__value big = {.kind = WEFT__PICKLED_BIG, .at = (uint32_t)p->used, .count = (uint32_t)n};
        p->used += (size_t)n;
        return push(p, big);
    }
    take_number(p, (int)n, &x);
    if (n > 0 && n < 8 && x >> (8 * n - 1))
        x |= ~UINT64_C(0) << (8 * n);
    return push(p, (weft__value){.kind = WEFT__PICKLED_INT, .number.i = (int64_t)x});
}

static weft_status take_float(weft__pickle *p) /* highest byte first */
{
    uint64_t x = 0;
    double f;
    if (p->size - p->used < 8)
        return ends_early(p);
    for (int k = 0; k < 8; k++)
        x = x << 8 | p->bytes[p->used++];
    memcpy(&f, &x, sizeof f);
    return push(p, (weft__value){.kind = WEFT__PICKLED_FLOAT, .number.f = f});
}

static weft_status take_persistent(weft__pickle *p)
{
    if (!has(p, 1))
        return too_few(p);
    const uint32_t identity = p->stack[--p->depth];
    return push(p, (weft__value){.kind = WEFT__PICKLED_PERSISTENT, .at = identity});
}

static weft_status drop(weft__pickle *p, uint32_t n)
{
    if (!has(p, n))
        return too_few(p);
    p->depth -= n;
    return WEFT_OK;
}

static weft_status drop_marked(weft__pickle *p)
{
    uint32_t first;
    if (!find_mark(p, &first))
        return too_few(p);
    p->depth = first - 1;
    return WEFT_OK;
}

static weft_status take_numbered(weft__pickle *p, int bytes, weft_status (*what)(weft__pickle *, uint64_t))
{
    uint64_t at;
    return take_number(p, bytes, &at) ? what(p, at) : ends_early(p);
}

static weft_status skip(weft__pickle *p, size_t n)
{
    if (p->size - p->used < n)
        return ends_early(p);
    p->used += n;
    return WEFT_OK;
}

static weft_status make(weft__pickle *p, int code)
{
    switch (code) {
    case 'N':
        return push(p, (weft__value){.kind = WEFT__PICKLED_NONE});
    case 0x88:
        return push(p, (weft__value){.kind = WEFT__PICKLED_BOOL, .number.i = 1});
    case 0x89:
        return push(p, (weft__value){.kind = WEFT__PICKLED_BOOL});
    case 'J':
        return take_int(p, 4);
    case 'K':
        return take_int(p, 1);
    case 'M':
        return take_int(p, 2);
    case 0x8A:
        return take_long(p);
    case 'G':
        return take_float(p);
    case 'X':
        return take_bytes(p, 4, WEFT__PICKLED_TEXT);
    case 0x8C:
        return take_bytes(p, 1, WEFT__PICKLED_TEXT);
    case 0x8D:
        return take_bytes(p, 8, WEFT__PICKLED_TEXT);
    case 'T':
        return take_bytes(p, 4, WEFT__PICKLED_TEXT); /* a str of Python 2 */
    case 'U':
        return take_bytes(p, 1, WEFT__PICKLED_TEXT);
    case 'B':
        return take_bytes(p, 4, WEFT__PICKLED_BYTES);
    case 'C':
        return take_bytes(p, 1, WEFT__PICKLED_BYTES);
    case 0x8E:
        return take_bytes(p, 8, WEFT__PICKLED_BYTES);
    case ')':
        return push_container(p, WEFT__PICKLED_TUPLE);
    case ']':
        return push_container(p, WEFT__PICKLED_LIST);
    case 0x8F:
        return push_container(p, WEFT__PICKLED_LIST);
    case '}':
        return push_container(p, WEFT__PICKLED_DICT);
    case 'c':
        return take_global(p);
    default:
        return broken(p, "its pickle has the instruction 0x%02X, which no file of tensors needs", (unsigned)code);
    }
}

static weft_status step(weft__pickle *p, int code)
{
    switch (code) {
    case 0x80:
        return skip(p, 1); /* the protocol */
    case 0x95:
        return skip(p, 8); /* how long the next part is */
    case '(':
        return push(p, (weft__value){.kind = WEFT__PICKLED_MARK});
    case '0':
        return drop(p, 1);
    case '1':
        return drop_marked(p);
    case '2':
        return has(p, 1) ? push_number(p, p->stack[p->depth - 1]) : too_few(p);
    case 't':
        return collect_marked(p, WEFT__PICKLED_TUPLE);
    case 'l':
        return collect_marked(p, WEFT__PICKLED_LIST);
    case 0x91:
        return collect_marked(p, WEFT__PICKLED_LIST);
    case 'd':
        return collect_marked(p, WEFT__PICKLED_DICT);
    case 0x85:
        return has(p, 1) ? collect(p, WEFT__PICKLED_TUPLE, 1, false) : too_few(p);
    case 0x86:
        return has(p, 2) ? collect(p, WEFT__PICKLED_TUPLE, 2, false) : too_few(p);
    case 0x87:
        return has(p, 3) ? collect(p, WEFT__PICKLED_TUPLE, 3, false) : too_few(p);
    case 'a':
        return has(p, 2) ? add_items(p, p->depth - 1, 0, false) : too_few(p);
    case 's':
        return has(p, 3) ? add_items(p, p->depth - 2, 0, true) : too_few(p);
    case 'e':
        return add_marked(p, false);
    case 0x90:
        return add_marked(p, false);
    case 'u':
        return add_marked(p, true);
    case 'q':
        return take_numbered(p, 1, put);
    case 'r':
        return take_numbered(p, 4, put);
    case 0x94:
        return put(p, p->n_memo);
    case 'h':
        return take_numbered(p, 1, get);
    case 'j':
        return take_numbered(p, 4, get);
    case 0x93:
        return take_stack_global(p);
    case 'R':
    case 0x81:
        return take_call(p);
    case 'b':
        return has(p, 2) ? drop(p, 1)
                         : too_few(p); /* what is said of an object beside its items: PyTorch's _metadata */
    case 'Q':
        return take_persistent(p);
    default:
        return make(p, code);
    }
}

weft_status weft__pickle_read(weft__pickle *p, uint32_t *root)
{
    if (p->size > MOST)
        return broken(p, "its pickle has more than 2^30 bytes");
    weft_status status = WEFT_OK;
    while (status == WEFT_OK) {
        if (p->used == p->size)
            return broken(p, "its pickle has no end");
        const int code = p->bytes[p->used++];
        if (code == '.')
            break;
        status = step(p, code);
    }
    if (status == WEFT_OK && (!has(p, 1) || p->depth != 1))
        return too_few(p);
    if (status == WEFT_OK)
        *root = p->stack[0];
    return status;
}

void weft__pickle_close(weft__pickle *p)
{
    weft_ctx_free(p->ctx, p->values, p->values_room * sizeof *p->values);
    weft_ctx_free(p->ctx, p->items, p->items_room * sizeof *p->items);
    weft_ctx_free(p->ctx, p->stack, p->stack_room * sizeof *p->stack);
    weft_ctx_free(p->ctx, p->memo, p->memo_room * sizeof *p->memo);
    p->values = NULL;
    p->items = NULL;
    p->stack = p->memo = NULL;
    p->values_room = p->items_room = p->stack_room = p->memo_room = 0;
}

bool weft__pickle_is(const weft__pickle *p, uint32_t v, weft__pickled kind, const char *text)
{
    const weft__value *const value = &p->values[v == WEFT__NO_ITEM ? 0 : v];
    if (v == WEFT__NO_ITEM || value->kind != kind)
        return false;
    if (kind == WEFT__PICKLED_GLOBAL)
        return strcmp(p->globals[value->at], text) == 0;
    return value->count == strlen(text) && memcmp(p->bytes + value->at, text, value->count) == 0;
}

uint32_t weft__pickle_item(const weft__pickle *p, uint32_t v, uint32_t k)
{
    if (v == WEFT__NO_ITEM || (p->values[v].kind != WEFT__PICKLED_LIST && p->values[v].kind != WEFT__PICKLED_TUPLE) ||
        k >= p->values[v].count)
        return WEFT__NO_ITEM;
    uint32_t item = p->values[v].at;
    while (k-- > 0)
        item = p->items[item].next;
    return p->items[item].value;
}
