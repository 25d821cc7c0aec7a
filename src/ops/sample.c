/* sample.c - operands, numbers and calls by the recipes of the records: weft/sample.h. */
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "engine/engine.h"
#include "engine/observe.h"
#include "base/op_def.h"
#include "sample.h"

/* ---- Words ---- */

/* The next word of a list of them, and its length; NULL at the end. */
static const char *next_word(const char **at, int *length)
{
    const char *word = *at + strspn(*at, " ");
    *length = (int)strcspn(word, " ;");
    *at = word + *length;
    return *length > 0 ? word : NULL;
}

static bool is_letter(char size)
{
    return size >= 'a' && size <= 'h';
}

static bool is_smooth(char kind)
{
    return kind == 'x' || kind == 't' || kind == 'p' || kind == 'n' || kind == 'g' || kind == 'm';
}

/* How many of the letters a to h the words use; at least 2. */
static int letters_of(const char *words)
{
    int most = 2;
    for (int length; (words += strspn(words, " "), *words);) {
        const char *word = next_word(&words, &length);
        for (int k = 1; word && k < length; k++)
            if (is_letter(word[k]) && word[k] - 'a' + 1 > most)
                most = word[k] - 'a' + 1;
    }
    return most;
}

static int64_t size_of(char letter, const weft_sample_options *o)
{
    if (isdigit((unsigned char)letter))
        return letter - '0';
    const int k = letter - 'a';
    return k == 2 && o->sizes[2] == -1 ? o->sizes[1] : k < 4 ? o->sizes[k] : o->more_sizes[k - 4];
}

/* A dtype to convert to. f64 stays: differences of a narrower result would say nothing. */
static int64_t other_dtype(weft_dtype dtype)
{
    return dtype == WEFT_F64 ? WEFT_F64 : dtype == WEFT_F32 ? WEFT_BF16 : WEFT_F32;
}

/* "3", "-1", "a", "2c", "a-1", "t"; false: neither of them */
static bool whole_number(const char *word, int length, const weft_sample_options *o, int64_t *value)
{
    char *end;
    bool fits = true;
    *value = strtoll(word, &end, 10);
    const bool counted = end > word;
    if (end < word + length && (is_letter(*end) || *end == 't')) {
        const int64_t size = *end == 't' ? other_dtype(o->dtype) : size_of(*end, o);
        fits = !__builtin_mul_overflow(counted ? *value : 1, size, value);
        if (++end < word + length)
            fits = fits && !__builtin_add_overflow(*value, strtoll(end, &end, 10), value);
    }
    return fits && end == word + length;
}

/* The numbers of a call; false: one of the words is none, or there are too many. */
static bool read_numbers(const char *words, const weft_sample_options *o, weft_sample_call *c)
{
    const char *word;
    int length;
    while ((word = next_word(&words, &length)))
        if (c->ni == WEFT_SAMPLE_INTEGERS || !whole_number(word, length, o, &c->i[c->ni++]))
            return false;
    words += *words == ';';
    while ((word = next_word(&words, &length))) {
        char *end = NULL;
        if (c->nf == WEFT_SAMPLE_REALS)
            return false;
        c->f[c->nf++] = weft_number(word, &end);
        if (end != word + length)
            return false;
    }
    return *words == '\0';
}

/* Whether a word of operands is one: a kind, at most 8 sizes, of matrices two equal ones at the end, of indices the
 * size that they are below. */
static bool is_operand(const char *word, int length)
{
    if (*word == '-')
        return length == 1;
    if (!strchr("xtpngmrqoikcwb", *word))
        return false;
    const bool below = *word == 'i' || *word == 'k';
    const int last = below ? length - 2 : length;
    for (int k = 1; k < last; k++)
        if (!is_letter(word[k]) && !isdigit((unsigned char)word[k]))
            return false;
    if (last < 1 || last - 1 > WEFT_MAX_DIMS)
        return false;
    if (*word == 'm' && (last < 3 || word[last - 1] != word[last - 2]))
        return false;
    return !below || (word[last] == '<' && (is_letter(word[last + 1]) || isdigit((unsigned char)word[last + 1])));
}

/* The first word that is no operand, or one too many; NULL: there is none. */
static const char *bad_operand(const char *words)
{
    const char *word;
    int n = 0;
    for (int length; (word = next_word(&words, &length)); n++)
        if (n == WEFT_SAMPLE_OPERANDS || !is_operand(word, length))
            return word;
    return *words ? words : NULL;
}

/* ---- Operands ---- */

typedef struct maker {
    weft_ctx *ctx;
    const weft_sample_options *o;
    double lo, hi; /* of kind x */
} maker;

static void domain_of(const maker *m, const char *word, double *lo, double *hi)
{
    *lo = 0;
    *hi = 1;
    switch (*word) {
    case 'p':
    case 'q':
    case 'o':
        *lo = 0.2;
        *hi = 1.2;
        break;
    case 'n':
        *lo = 0.8;
        *hi = 1.25;
        break;
    case 'g':
        *lo = 0.1;
        *hi = 0.9;
        break;
    case 'm':
        *lo = -1;
        break;
    case 'i':
    case 'k':
        *hi = (double)size_of(strchr(word, '<')[1], m->o);
        break;
    case 'c':
        break;
    case 'w':
        *hi = 9;
        break;
    case 'b':
        *lo = m->o->dtype == WEFT_U8 ? 0 : -9;
        *hi = 9;
        break;
    default:
        *lo = m->lo;
        *hi = m->hi;
    }
}

/* Adds n to the diagonal of each matrix [n, n]. */
static void strengthen(double *values, int64_t count, int64_t n)
{
    for (int64_t e = 0; e < count; e++)
        values[e] += e / n % n == e % n ? (double)n : 0;
}

/* Values of [lo, hi) in an order that looks random: multiples of the golden ratio. Those of operand k are shifted, so
 * that no two are alike. */
static weft_tensor *spread(const maker *m, weft_dtype dtype, const int64_t *shape, int ndim, const char *word, int k)
{
    const int64_t count = weft__count_of(shape, ndim);
    double lo, hi, *values = weft__host_array(m->ctx, count + 1, sizeof *values);
    if (!values)
        return weft__fail_named(m->ctx, "sample_make", WEFT_E_NOMEM, "out of memory for the values of operand %d", k),
               NULL;
    domain_of(m, word, &lo, &hi);
    for (int64_t e = 0; e < count; e++) {
        const double turn = 0.1373 + 0.2911 * k + 0.61803398874989485 * (double)e;
        values[e] = lo + (hi - lo) * (turn - floor(turn));
        if (!weft_dtype_is_float(dtype))
            values[e] = dtype == WEFT_BOOL ? values[e] >= (lo + hi) / 2 : floor(values[e]);
    }
    if (*word == 'k' && count > 1)
        values[1] = -100;
    if (m->o->change)
        m->o->change(m->o->user, k, dtype, values, count);
    if (*word == 'm')
        strengthen(values, count, shape[ndim - 1]);
    weft_tensor *made = weft_from_data(m->ctx, WEFT_F64, shape, ndim, values);
    weft__host_free(m->ctx, values, sizeof *values * (size_t)(count + 1));
    return dtype == WEFT_F64 ? made : weft_cast(made, dtype);
}

static weft_tensor *at_random(const maker *m, weft_dtype dtype, const int64_t *shape, int ndim, const char *word)
{
    double lo, hi;
    domain_of(m, word, &lo, &hi);
    if (*word == 'o')
        return weft_ones(m->ctx, dtype, shape, ndim);
    if (dtype == WEFT_BOOL)
        return weft_bernoulli(m->ctx, dtype, shape, ndim, 0.5);
    if (!weft_dtype_is_float(dtype)) {
        const int64_t from = (int64_t)floor(lo), to = (int64_t)ceil(hi);
        return weft_randint(m->ctx, dtype, shape, ndim, from, to > from ? to : from + 1);
    }
    weft_tensor *made = weft_rand(m->ctx, dtype, shape, ndim, lo, hi);
    if (*word != 'm')
        return made;
    const int64_t n = shape[ndim - 1];
    return weft_add(made, weft_mul_scalar(weft_eye(m->ctx, dtype, n, n), (double)n));
}

static void swap_last(int64_t *shape, int ndim)
{
    const int64_t last = shape[ndim - 1];
    shape[ndim - 1] = shape[ndim - 2];
    shape[ndim - 2] = last;
}

static weft_tensor *make_operand(const maker *m, const char *word, int length, int k)
{
    int64_t shape[WEFT_MAX_DIMS];
    int ndim = 0;
    for (int at = 1; at < length && word[at] != '<'; at++)
        shape[ndim++] = size_of(word[at], m->o);
    const bool whole = *word == 'i' || *word == 'k' || (*word == 'w' && weft_dtype_is_float(m->o->dtype));
    const weft_dtype byte = m->o->dtype == WEFT_U8 ? WEFT_U8 : WEFT_I8;
    const weft_dtype dtype = whole ? WEFT_I64 : *word == 'c' ? WEFT_BOOL : *word == 'b' ? byte : m->o->dtype;
    const bool transposed = *word == 't' && ndim > 1;
    if (transposed)
        swap_last(shape, ndim);
    weft_tensor *made = m->o->random ? at_random(m, dtype, shape, ndim, word) : spread(m, dtype, shape, ndim, word, k);
    return transposed ? weft_transpose(made, -1, -2) : made;
}

static weft_status make_operands(const maker *m, const char *words, weft_sample_call *c)
{
    int length;
    for (const char *word; (word = next_word(&words, &length)) && c->n_in < WEFT_SAMPLE_OPERANDS; c->n_in++) {
        if (*word == '-')
            continue;
        c->smooth[c->n_in] = is_smooth(*word);
        c->below[c->n_in] = *word == 'i' || *word == 'k' ? size_of(word[length - 1], m->o) : 0;
        if (!(c->in[c->n_in] = make_operand(m, word, length, c->n_in)))
            break;
    }
    if (m->ctx->status != WEFT_OK)
        *c = (weft_sample_call){.ctx = c->ctx, .op = c->op, .dtype = c->dtype};
    return m->ctx->status;
}

/* ---- What can be asked ---- */

static int recipes_of(const weft__op_def *def)
{
    int n = 0;
    while (n < WEFT__MAX_RECIPES && def->recipes[n].operands)
        n++;
    return n;
}

static bool differentiates(int op)
{
    if (!weft__ops[op].differentiable)
        return false;
    const char *words = weft__defs[op]->recipes[0].operands, *word;
    for (int length; (word = next_word(&words, &length));)
        if (is_smooth(*word))
            return true;
    return false;
}

weft_status weft_sample_describe(int op, weft_sample_description *out, size_t size)
{
    if (!out)
        return WEFT_E_NULL_ARGUMENT;
    if (op < 0 || op >= weft_op_count())
        return WEFT_E_INVALID;
    const weft__op_def *def = weft__defs[op];
    weft_sample_description d = {.recipes = recipes_of(def),
                                 .sizes = letters_of(def->recipes[0].operands),
                                 .has_gradient = differentiates(op),
                                 .makes_state = def->effect == WEFT__STEPS,
                                 .gradient = def->gradient};
    for (int k = 0; k < d.recipes; k++) {
        d.operands[k] = def->recipes[k].operands;
        d.numbers[k] = def->recipes[k].numbers;
    }
    return weft_struct_out(NULL, "sample_describe", "weft_sample_description", &d, sizeof d, out, size);
}

static weft_status refuse(weft_ctx *ctx, weft_status status, const char *why)
{
    return weft__fail_named(ctx, "sample_make", status, "%s", why);
}

/* The words are words, and the sizes that they use are sizes. */
static weft_status check_words(weft_ctx *ctx, int op, const char *operands, const weft_sample_options *o)
{
    const char *name = weft__ops[op].name, *bad = bad_operand(operands);
    if (bad)
        return weft__fail_named(ctx, "sample_make", WEFT_E_INVALID,
                                "\"%.40s\" in the operands \"%.200s\" of %s is no operand, or one too many: a kind and "
                                "sizes, such as \"xab\" (weft/sample.h)",
                                bad, operands, name);
    for (int k = 0; k < letters_of(operands); k++)
        if (size_of((char)('a' + k), o) < 0)
            return weft__fail_named(ctx, "sample_make", WEFT_E_INVALID, "size %c of %s is %lld", 'a' + k, name,
                                    (long long)size_of((char)('a' + k), o));
    return WEFT_OK;
}

weft_status weft__sample_make(weft_ctx *ctx, int op, const weft_sample_options *o, weft_sample_call *c)
{
    const weft__op_def *def = weft__defs[op];
    const weft_sample_call none = {.ctx = ctx, .op = op, .dtype = o->dtype};
    *c = none;
    if (o->recipe < 0 || o->recipe >= recipes_of(def))
        return weft__fail_named(ctx, "sample_make", WEFT_E_INVALID, "%s has %d recipes, not number %d",
                                weft__ops[op].name, recipes_of(def), o->recipe);
    const weft__recipe *recipe = &def->recipes[o->recipe];
    const char *operands = o->operands ? o->operands : recipe->operands;
    const char *numbers = o->numbers ? o->numbers : recipe->numbers;
    if (check_words(ctx, op, operands, o) != WEFT_OK)
        return ctx->status;
    if (!read_numbers(numbers, o, c)) {
        *c = none;
        return weft__fail_named(ctx, "sample_make", WEFT_E_INVALID,
                                "the numbers \"%.200s\" of %s are none, or too many (weft/sample.h)", numbers,
                                weft__ops[op].name);
    }
    maker m = {.ctx = ctx, .o = o, .lo = -2, .hi = 2};
    if (weft__ops[op].family < WEFT__VIEW) { /* the others' domain is nobody's */
        m.lo = weft__ops[op].lo;
        m.hi = weft__ops[op].hi;
    }
    return make_operands(&m, operands, c);
}

weft_status weft_sample_make(weft_ctx *ctx, int op, const weft_sample_options *options, weft_sample_call *call)
{
    if (call)
        *call = (weft_sample_call){.ctx = ctx};
    if (!ctx || ctx->status != WEFT_OK)
        return ctx ? ctx->status : WEFT_E_NULL_ARGUMENT;
    if (!call)
        return refuse(ctx, WEFT_E_NULL_ARGUMENT, "needs a call to fill");
    static const weft_sample_options defaults = WEFT_SAMPLE_DEFAULTS;
    weft_sample_options o;
    const weft_status status = weft_struct_in(ctx, "sample_make", "weft_sample_options", &defaults, options, &o);
    if (status != WEFT_OK)
        return status;
    if (op < 0 || op >= weft_op_count())
        return refuse(ctx, WEFT_E_INVALID, "there is no operation of that index; see weft_op_count");
    return weft__sample_make(ctx, op, &o, call);
}

/* ---- Running ---- */

weft_status weft_sample_run(weft_sample_call *call)
{
    if (!call || !call->ctx || call->op < 0 || call->op >= WEFT_OP_COUNT || !weft__defs[call->op]->call)
        return WEFT_E_NULL_ARGUMENT;
    const bool fits = call->n_in >= 0 && call->n_in <= WEFT_SAMPLE_OPERANDS && call->ni >= 0 &&
                      call->ni <= WEFT_SAMPLE_INTEGERS && call->nf >= 0 && call->nf <= WEFT_SAMPLE_REALS;
    if (!fits)
        return weft__fail_named(call->ctx, "sample_run", WEFT_E_INVALID, "n_in, ni or nf is beyond the call's places");
    call->n_out = call->n_smooth = 1;
    memset(call->out, 0, sizeof call->out);
    weft__defs[call->op]->call(call);
    for (int k = 0; k < call->n_out; k++)
        if (!call->out[k])
            return call->ctx->status != WEFT_OK ? call->ctx->status : WEFT_E_NULL_ARGUMENT;
    return call->ctx->status;
}

weft_tensor *weft_sample_result(const weft_sample_call *call)
{
    if (!call || call->n_smooth <= 1)
        return call ? call->out[0] : NULL;
    weft_tensor *flat[WEFT_SAMPLE_RESULTS];
    for (int k = 0; k < call->n_smooth; k++)
        flat[k] = weft_reshape(call->out[k], (const int64_t[]){-1}, 1);
    return weft_concat(flat, call->n_smooth, 0);
}

/* ---- Work ---- */

typedef struct counter {
    weft__observer observer; /* first: the callbacks get its address */
    int op;
    bool seen;
    double flops, bytes;
} counter;

static void add_work(counter *c, const weft__work *w)
{
    c->flops += weft__defs[c->op]->flops(w);
    c->bytes += weft__defs[c->op]->bytes(w);
}

static void begin(weft__observer *observer, const weft__launch *l)
{
    counter *c = (counter *)observer;
    if (l->custom || l->op != c->op)
        return;
    c->seen = true;
    const weft__work w = weft__launch_work(l);
    add_work(c, &w);
}

static void end(weft__observer *observer, const weft__launch *l, weft_status status)
{
    (void)observer, (void)l, (void)status;
}

/* Nothing of it was launched: views, composites. */
static void count_call(counter *c, const weft_sample_call *call)
{
    const weft__array *in[WEFT_SAMPLE_OPERANDS], *out[WEFT_SAMPLE_RESULTS];
    for (int k = 0; k < call->n_in; k++)
        in[k] = call->in[k] ? &call->in[k]->a : NULL;
    for (int k = 0; k < call->n_out; k++)
        out[k] = &call->out[k]->a;
    add_work(c, &(weft__work){.op = c->op, .n_in = call->n_in, .n_out = call->n_out, .in = in, .out = out});
}

weft_status weft_sample_work(weft_sample_call *call, double *flops, double *bytes)
{
    if (!call || !call->ctx || !flops || !bytes)
        return WEFT_E_NULL_ARGUMENT;
    counter c = {.observer = {.begin = begin, .end = end}, .op = call->op};
    weft__observe(call->ctx, &c.observer);
    const weft_status status = weft_sample_run(call);
    weft__unobserve(call->ctx, &c.observer);
    if (status == WEFT_OK && !c.seen)
        count_call(&c, call);
    *flops = c.flops;
    *bytes = c.bytes;
    return status;
}
