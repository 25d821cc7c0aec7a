/* einsum.c - einsum: an equation is read into labels of dims, then pairs of operands are contracted by matmul. */
#include <ctype.h>
#include <math.h>
#include <string.h>
#include "made.h"

enum {
    MOST_OPERANDS = 16,
    LETTERS = 52, /* a to z, A to Z; then come the dims of "..." */
    LABELS = LETTERS + WEFT__MAX_DIMS,
    EXACT_UP_TO = 4, /* operands, of which every order is looked at */
    LONGEST = 255    /* characters of an equation */
};

/* operands...; i: the characters of the equation */
CALL(einsum)
{
    char equation[WEFT_SAMPLE_INTEGERS + 1] = "";
    for (int k = 0; k < c->ni; k++)
        equation[k] = (char)c->i[k];
    c->out[0] = weft_einsum(c->in, c->n_in, equation);
}

/* Of two operands of sizes M K and K N: 2 M K N. */
static double flops_einsum(const weft__work *w)
{
    return w->n_in < 2 ? weft__count(w->in[0])
                       : 2 * sqrt(weft__count(w->in[0]) * weft__count(w->in[1]) * weft__count(w->out[0]));
}

/* ij,jk->ik and ij,jkl->kli */
WEFT__DEFINE_COMPOSITE(EINSUM, einsum, PARTS(FLOATS, PART(MATMUL, AS_ALONE)),
                       GRADIENT("of an operand the sums of products of g and the others by the same letters"),
                       WORK(weft__terms_columns, flops_einsum, weft__bytes_once),
                       SAMPLE(call_einsum, RECIPE("xab xb3", "105 106 44 106 107 45 62 105 107"),
                              RECIPE("xab xb32", "105 106 44 106 107 108 45 62 107 108 105")))

/* ---- The equation ---- */

/* A tensor and the label of each of its dims. */
typedef struct term {
    weft_tensor *t;
    int n;
    int label[WEFT__MAX_DIMS];
} term;

typedef struct reading {
    weft_ctx *ctx;
    const char *equation;
    int at; /* the next character */
    int n;  /* operands */
    term terms[MOST_OPERANDS];
    int own[LABELS];  /* how often each label comes in operands */
    int from[LABELS]; /* the operand that gave its size */
    int64_t size[LABELS];
    int spread; /* dims that "..." stands for, the most of all operands */
    int n_out;
    int out[WEFT__MAX_DIMS + 1];
} reading;

static int label_of(char letter)
{
    return islower((unsigned char)letter) ? letter - 'a' : letter - 'A' + 26;
}

static char letter_of(int label)
{
    return (char)(label < 26 ? 'a' + label : 'A' + label - 26);
}

/* Notes what is wrong at a character of the equation; false. */
static bool wrong(const reading *r, int at, const char *why)
{
    if (r->equation[at])
        weft__fail(r->ctx, WEFT_OP_EINSUM, WEFT_E_INVALID, "\"%s\", character %d ('%c'): %s", r->equation, at + 1,
                   r->equation[at], why);
    else
        weft__fail(r->ctx, WEFT_OP_EINSUM, WEFT_E_INVALID, "\"%s\", at its end: %s", r->equation, why);
    return false;
}

/* One part of the equation, up to ',', "->" or the end: letters into labels, the place of "..." or -1. */
static bool read_letters(reading *r, int *labels, int most, int *n, int *dots)
{
    *n = 0;
    *dots = -1;
    for (;; r->at++) {
        const char c = r->equation[r->at];
        if (c == ' ')
            continue;
        if (c == '\0' || c == ',' || c == '-')
            return true;
        if (c == '.') {
            if (*dots >= 0)
                return wrong(r, r->at, "a second \"...\"");
            if (strncmp(r->equation + r->at, "...", 3) != 0)
                return wrong(r, r->at, "a dot alone; any dims are \"...\"");
            *dots = *n;
            r->at += 2;
            continue;
        }
        if (c >= 0 && isalpha((unsigned char)c)) {
            if (*n == most)
                return wrong(r, r->at, "more letters than a tensor has dims");
            labels[(*n)++] = label_of(c);
            continue;
        }
        return wrong(r, r->at, "neither a letter, a space, ',', \"...\" nor \"->\"");
    }
}

/* Label `label` has that size in operand k. Dims of "..." broadcast. */
static bool note_size(reading *r, int label, int k, int64_t size)
{
    const bool first = r->own[label]++ == 0, broadcasts = label >= LETTERS;
    if (first || (broadcasts && r->size[label] == 1)) {
        r->size[label] = size;
        r->from[label] = k;
        return true;
    }
    if (r->size[label] == size || (broadcasts && size == 1))
        return true;
    if (broadcasts)
        weft__fail(r->ctx, WEFT_OP_EINSUM, WEFT_E_SHAPE,
                   "\"%s\": a dim of \"...\" has size %lld in operand %d, %s, but %lld in operand %d", r->equation,
                   (long long)size, k, weft__describe(r->terms[k].t).s, (long long)r->size[label], r->from[label]);
    else
        weft__fail(r->ctx, WEFT_OP_EINSUM, WEFT_E_SHAPE,
                   "\"%s\": letter '%c' has size %lld in operand %d, %s, but %lld in operand %d", r->equation,
                   letter_of(label), (long long)size, k, weft__describe(r->terms[k].t).s, (long long)r->size[label],
                   r->from[label]);
    return false;
}

/* The letters of operand k; "..." gets the labels of the last dims of all that it stands for. */
static bool read_operand(reading *r, int k)
{
    int letters[WEFT__MAX_DIMS], n, dots;
    if (!read_letters(r, letters, WEFT__MAX_DIMS, &n, &dots))
        return false;
    term *t = &r->terms[k];
    const int ndim = t->t->a.ndim, any = ndim - n;
    if (any < 0 || (any > 0 && dots < 0)) {
        weft__fail(r->ctx, WEFT_OP_EINSUM, WEFT_E_SHAPE, "\"%s\": operand %d has %d letters%s, but is %s with %d dims",
                   r->equation, k, n, dots < 0 ? "" : " beside \"...\"", weft__describe(t->t).s, ndim);
        return false;
    }
    t->n = ndim;
    for (int d = 0, next = 0; d < ndim; d++) {
        const bool spread = dots >= 0 && d >= dots && d < dots + any;
        t->label[d] = spread ? LETTERS + (dots + any - 1 - d) : letters[next++];
        if (!note_size(r, t->label[d], k, t->t->a.shape[d]))
            return false;
    }
    if (any > r->spread)
        r->spread = any;
    return true;
}

static bool append(reading *r, int label, int at)
{
    if (r->n_out == WEFT__MAX_DIMS)
        return wrong(r, at, "the result would have more dims than a tensor can have");
    r->out[r->n_out++] = label;
    return true;
}

/* What "..." stands for: the last dim has the first label. */
static bool append_spread(reading *r, int at)
{
    for (int k = r->spread - 1; k >= 0; k--)
        if (!append(r, LETTERS + k, at))
            return false;
    return true;
}

/* Without "->": the dims of "...", then the letters that come once, capitals first as in ASCII. */
static bool imply_result(reading *r)
{
    if (!append_spread(r, r->at))
        return false;
    for (int c = 'A'; c <= 'z'; c++)
        if (isalpha(c) && r->own[label_of((char)c)] == 1 && !append(r, label_of((char)c), r->at))
            return false;
    return true;
}

static bool read_result(reading *r)
{
    const int start = r->at;
    int letters[LETTERS], n, dots;
    if (!read_letters(r, letters, LETTERS, &n, &dots))
        return false;
    if (r->equation[r->at] != '\0')
        return wrong(r, r->at, "the equation goes on after its result");
    if (dots == 0 && !append_spread(r, start))
        return false;
    for (int k = 0, at = start; k < n; k++, at++) {
        while (!isalpha((unsigned char)r->equation[at]))
            at++;
        if (!r->own[letters[k]])
            return wrong(r, at, "a letter of the result that no operand has");
        for (int j = 0; j < k; j++)
            if (letters[j] == letters[k])
                return wrong(r, at, "a letter that comes twice in the result");
        if (!append(r, letters[k], at) || (dots == k + 1 && !append_spread(r, at)))
            return false;
    }
    return true;
}

/* r->terms[].t and r->n are set. */
static bool read_equation(reading *r)
{
    for (int k = 0; k < r->n; k++) {
        if (!read_operand(r, k))
            return false;
        const char end = r->equation[r->at];
        if (end == ',') {
            if (k == r->n - 1) {
                weft__fail(r->ctx, WEFT_OP_EINSUM, WEFT_E_INVALID,
                           "\"%s\" has more operands than the %d that were given", r->equation, r->n);
                return false;
            }
            r->at++;
        } else if (k < r->n - 1) {
            weft__fail(r->ctx, WEFT_OP_EINSUM, WEFT_E_INVALID, "\"%s\" has %d operands, but %d were given", r->equation,
                       k + 1, r->n);
            return false;
        }
    }
    if (r->equation[r->at] == '\0')
        return imply_result(r);
    if (strncmp(r->equation + r->at, "->", 2) != 0)
        return wrong(r, r->at, "a '-' without '>'");
    r->at += 2;
    return read_result(r);
}

/* ---- One operand ---- */

static uint64_t bit(int label)
{
    return (uint64_t)1 << label;
}

static uint64_t labels_of(const term *t)
{
    uint64_t labels = 0;
    for (int d = 0; d < t->n; d++)
        labels |= bit(t->label[d]);
    return labels;
}

static void drop_dim(term *t, int d)
{
    memmove(t->label + d, t->label + d + 1, sizeof *t->label * (size_t)(--t->n - d));
}

/* Dims of "..." that others repeat are left out: a product repeats them again. */
static bool drop_repeated(term *t, const reading *r)
{
    int64_t dims[WEFT__MAX_DIMS];
    int n = 0, kept = 0;
    for (int d = 0; d < t->n; d++) {
        const int label = t->label[d];
        if (label >= LETTERS && t->t->a.shape[d] == 1 && r->size[label] != 1)
            dims[n++] = d;
        else
            t->label[kept++] = label;
    }
    t->n = kept;
    return n == 0 || (t->t = weft_squeeze(t->t, dims, n));
}

/* Each letter that comes twice: the diagonal of both dims. */
static bool take_diagonals(term *t)
{
    for (int d = 0; d < t->n; d++)
        for (int e = t->n - 1; e > d; e--) {
            if (t->label[d] != t->label[e])
                continue;
            const int label = t->label[d];
            if (!(t->t = weft_diagonal(t->t, 0, d, e)))
                return false;
            drop_dim(t, e);
            drop_dim(t, d);
            t->label[t->n++] = label;
            d = -1; /* the others have moved */
            break;
        }
    return true;
}

/* Sums over what is in no other operand and not in the result. */
static bool sum_out(term *t, uint64_t others)
{
    int64_t dims[WEFT__MAX_DIMS];
    int n = 0, kept = 0;
    for (int d = 0; d < t->n; d++) {
        if (others & bit(t->label[d]))
            t->label[kept++] = t->label[d];
        else
            dims[n++] = d;
    }
    t->n = kept;
    return n == 0 || (t->t = weft_sum(t->t, dims, n, false));
}

/* ---- The order ---- */

/* Multiplications of a contraction of what has these labels. */
static double cost_of(const reading *r, uint64_t labels)
{
    double cost = 1;
    for (int k = 0; k < LABELS; k++)
        if (labels & bit(k))
            cost *= (double)r->size[k];
    return cost;
}

/* What is needed of labels once operands i and j of n are one. */
static uint64_t still_needed(const uint64_t *have, int n, int i, int j, uint64_t out)
{
    for (int k = 0; k < n; k++)
        if (k != i && k != j)
            out |= have[k];
    return out;
}

/* The cheapest way to make one of n operands, and its first pair. */
static double cheapest(const reading *r, const uint64_t *have, int n, uint64_t out, int *first, int *second)
{
    double best = INFINITY;
    *first = 0;
    *second = 1;
    for (int i = 0; i < n && n > 1; i++)
        for (int j = i + 1; j < n; j++) {
            uint64_t left[EXACT_UP_TO];
            int m = 0, a, b;
            for (int k = 0; k < n; k++)
                if (k != i && k != j)
                    left[m++] = have[k];
            const uint64_t both = have[i] | have[j];
            left[m++] = both & still_needed(have, n, i, j, out);
            const double cost = cost_of(r, both) + cheapest(r, left, m, out, &a, &b);
            if (cost < best) {
                best = cost;
                *first = i;
                *second = j;
            }
        }
    return n > 1 ? best : 0;
}

/* The pair that costs the least now, of those the one with the smallest result. */
static void greedy(const reading *r, const uint64_t *have, int n, uint64_t out, int *first, int *second)
{
    double best = INFINITY, smallest = INFINITY;
    *first = 0;
    *second = 1;
    for (int i = 0; i < n; i++)
        for (int j = i + 1; j < n; j++) {
            const uint64_t both = have[i] | have[j];
            const double cost = cost_of(r, both), left = cost_of(r, both & still_needed(have, n, i, j, out));
            if (cost > best || (cost == best && left >= smallest))
                continue;
            best = cost;
            smallest = left;
            *first = i;
            *second = j;
        }
}

/* ---- Two operands ---- */

typedef struct group {
    int n;
    int label[WEFT__MAX_DIMS];
    int64_t count; /* product of their sizes */
} group;

/* The labels of t that are among those in mask, in t's order. */
static group chosen(const reading *r, const term *t, uint64_t mask)
{
    group g = {.count = 1};
    for (int d = 0; d < t->n; d++)
        if (mask & bit(t->label[d])) {
            g.label[g.n++] = t->label[d];
            g.count *= r->size[t->label[d]];
        }
    return g;
}

static int place_of(const term *t, int label)
{
    int d = 0;
    while (t->label[d] != label)
        d++;
    return d;
}

/* t as [a, b, c], groups of its dims; without a where that has none. */
static weft_tensor *as_matrices(const term *t, const group *a, const group *b, const group *c)
{
    const group *groups[] = {a, b, c};
    int64_t order[WEFT__MAX_DIMS];
    int n = 0;
    for (int k = 0; k < 3; k++)
        for (int d = 0; d < groups[k]->n; d++)
            order[n++] = place_of(t, groups[k]->label[d]);
    const int64_t shape[] = {a->count, b->count, c->count};
    weft_tensor *moved = weft_permute(t->t, order, n);
    return a->n > 0 ? weft_reshape(moved, shape, 3) : weft_reshape(moved, shape + 1, 2);
}

/* *made of a and b, with the labels of needed. False: error recorded. */
static bool contract(const reading *r, const term *a, const term *b, uint64_t needed, term *made)
{
    const uint64_t in_a = labels_of(a), in_b = labels_of(b), both = in_a & in_b;
    const group batch = chosen(r, a, both & needed), inner = chosen(r, a, both & ~needed);
    const group rows = chosen(r, a, in_a & ~in_b), columns = chosen(r, b, in_b & ~in_a);
    const group *parts[] = {&batch, &rows, &columns};
    const int ndim = batch.n + rows.n + columns.n;
    if (ndim > WEFT__MAX_DIMS) {
        weft__fail(r->ctx, WEFT_OP_EINSUM, WEFT_E_SHAPE,
                   "\"%s\": a product of two operands on the way to the result has %d dims; at most %d are possible",
                   r->equation, ndim, WEFT__MAX_DIMS);
        return false;
    }
    weft_tensor *y = weft_matmul(as_matrices(a, &batch, &rows, &inner), as_matrices(b, &batch, &inner, &columns));
    int64_t shape[WEFT__MAX_DIMS];
    term result = {.n = 0};
    for (int k = 0; k < 3; k++)
        for (int d = 0; d < parts[k]->n; d++) {
            result.label[result.n] = parts[k]->label[d];
            shape[result.n++] = r->size[parts[k]->label[d]];
        }
    result.t = weft_reshape(y, shape, result.n);
    *made = result;
    return result.t != NULL;
}

/* ---- All of them ---- */

/* Makes one of r's terms. */
static bool contract_all(reading *r, uint64_t out)
{
    while (r->n > 1) {
        uint64_t have[MOST_OPERANDS];
        int i, j;
        for (int k = 0; k < r->n; k++)
            have[k] = labels_of(&r->terms[k]);
        if (r->n <= EXACT_UP_TO)
            (void)cheapest(r, have, r->n, out, &i, &j);
        else
            greedy(r, have, r->n, out, &i, &j);
        const uint64_t needed = still_needed(have, r->n, i, j, out);
        if (!contract(r, &r->terms[i], &r->terms[j], needed, &r->terms[i]))
            return false;
        memmove(r->terms + j, r->terms + j + 1, sizeof *r->terms * (size_t)(--r->n - j));
    }
    return true;
}

/* Whether a half type would be rounded more than once on the way. */
static bool takes_steps(const reading *r, const uint64_t *others)
{
    bool sums = false;
    for (int k = 0; k < r->n; k++)
        sums |= (labels_of(&r->terms[k]) & ~others[k]) != 0;
    return r->n > 2 || (r->n == 2 && sums);
}

static weft_tensor *einsum(reading *r)
{
    if (!read_equation(r))
        return NULL;
    uint64_t out = 0, others[MOST_OPERANDS];
    for (int k = 0; k < r->n_out; k++)
        out |= bit(r->out[k]);
    for (int k = 0; k < r->n; k++)
        if (!drop_repeated(&r->terms[k], r) || !take_diagonals(&r->terms[k]))
            return NULL;
    for (int k = 0; k < r->n; k++) {
        others[k] = out;
        for (int j = 0; j < r->n; j++)
            others[k] |= j == k ? 0 : labels_of(&r->terms[j]);
    }
    const bool wide = takes_steps(r, others);
    for (int k = 0; k < r->n; k++)
        if ((wide && !(r->terms[k].t = weft__widened(r->terms[k].t))) || !sum_out(&r->terms[k], others[k]))
            return NULL;
    if (!contract_all(r, out))
        return NULL;
    int64_t order[WEFT__MAX_DIMS];
    for (int d = 0; d < r->n_out; d++)
        order[d] = place_of(&r->terms[0], r->out[d]);
    return weft_permute(r->terms[0].t, order, r->n_out);
}

weft_tensor *weft_einsum(weft_tensor *const *operands, int n, const char *equation)
{
    if (!operands || n < 1)
        return weft__note_lost("einsum", WEFT_E_INVALID, operands ? "was given no operands" : "was given NULL"), NULL;
    weft_ctx *ctx = weft__enter(WEFT_OP_EINSUM, operands, n, 0);
    if (!ctx)
        return NULL;
    if (!equation)
        REFUSE(EINSUM, WEFT_E_NULL_ARGUMENT, "the equation is NULL");
    if (n > MOST_OPERANDS || strlen(equation) > LONGEST)
        REFUSE(EINSUM, WEFT_E_INVALID, "%d operands and an equation of %zu characters; at most %d and %d are possible",
               n, strlen(equation), MOST_OPERANDS, LONGEST);
    weft_tensor *in[MOST_OPERANDS];
    for (int k = 0; k < n; k++)
        in[k] = operands[k];
    if (!weft__localise(ctx, in, n))
        return weft__leave_with(ctx, NULL);
    reading r = {.ctx = ctx, .equation = equation, .n = n};
    weft_dtype dtype = (weft_dtype)in[0]->a.dtype;
    for (int k = 0; k < n; k++) {
        if (!weft__need_float(ctx, WEFT_OP_EINSUM, "an operand", in[k]))
            return weft__leave_with(ctx, NULL);
        dtype = weft_promote(dtype, (weft_dtype)in[k]->a.dtype);
        r.terms[k].t = in[k];
    }
    return weft__leave_with(ctx, weft__narrowed(einsum(&r), dtype));
}
