/* test_invariant.c - the option batch_invariant: every row of the table by its samples, on the CPU, a GPU and the
 * emulated one. A size of a sample is a batch if a part of it, taken from every operand that has it, gives that part of
 * the results, but for roundings; then it must be so bit for bit, for parts of any length from any place, in the
 * results and in the gradients by the operands that have the size. Which sizes are a batch nobody says: values do, so
 * that no row is left out. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/op_def.h"
#include "harness/structs.h"
#include "harness/weft_test.h"
#include "ops/sample.h"
#include "samples/device.h"

enum { LETTERS = 4, MOST_RESULTS = WEFT_SAMPLE_RESULTS, MOST_ELEMENTS = 3000000, MOST_CUTS = 9 };

/* How many rows there are, and which parts of them are run. An emulated device has time for few. */
typedef struct cuts {
    int64_t all;
    int n;
    int64_t rows[MOST_CUTS], first[MOST_CUTS];
} cuts;

static const cuts *cuts_here(void)
{
    static const cuts many = {200, 9, {1, 2, 3, 5, 8, 17, 64, 1, 4}, {0, 0, 0, 0, 0, 0, 0, 7, 195}};
    static const cuts few = {13, 5, {1, 2, 3, 1, 8}, {0, 0, 0, 6, 5}};
    return test_on_cpu() ? &many : &few;
}

/* What belongs to one result or gradient, for all rows or for some of them. */
typedef struct part {
    weft_tensor *t;
    int dim; /* which of its dims is the batch, -1: none */
} part;

typedef struct outcome {
    weft_sample_call call;
    part result[MOST_RESULTS], gradient[WEFT_SAMPLE_OPERANDS];
    int dim_of_operand[WEFT_SAMPLE_OPERANDS];
} outcome;

/* How two arrays compare. */
typedef enum likeness { EQUAL, CLOSE, DIFFERENT } likeness;

/* The only dim of operand word that has the letter; -1: none; -2: several, or the letter is a limit of its values. */
static int dim_with(const char *word, size_t length, char letter)
{
    int found = -1;
    for (size_t k = 1; k < length; k++) {
        if (word[k] == '<' && memchr(word + k, letter, length - k))
            return -2;
        if (word[k] == letter) {
            if (found >= 0)
                return -2;
            found = (int)k - 1;
        }
    }
    return found;
}

/* Where the letter stands in each operand. False: the letter is no candidate. */
static bool find_dims(const char *words, const char *numbers, char letter, int dims[WEFT_SAMPLE_OPERANDS])
{
    bool any = false;
    int n = 0;
    if (numbers && strchr(numbers, letter))
        return false;
    for (int k = 0; k < WEFT_SAMPLE_OPERANDS; k++)
        dims[k] = -1;
    for (const char *p = words; *p && n < WEFT_SAMPLE_OPERANDS; n++) {
        const size_t length = strcspn(p, " ");
        const int at = dim_with(p, length, letter);
        if (at == -2 || (*p == 'm' && at >= 0 && at >= (int)length - 3))
            return false;
        dims[n] = at;
        any |= at >= 0;
        p += length;
        p += strspn(p, " ");
    }
    return any;
}

static likeness compare(weft_ctx *c, weft_tensor *a, weft_tensor *b)
{
    const size_t bytes = weft_bytes(a);
    const int64_t n = weft_count(a);
    likeness found = EQUAL;
    if (weft_bytes(b) != bytes)
        return DIFFERENT;
    unsigned char *x = malloc(bytes + 1), *y = malloc(bytes + 1);
    WEFT_CHECK_OK(weft_read(c, a, x, bytes));
    WEFT_CHECK_OK(weft_read(c, b, y, bytes));
    if (memcmp(x, y, bytes) != 0) {
        weft_tensor *u = weft_cast(a, WEFT_F64), *v = weft_cast(b, WEFT_F64);
        double *p = malloc(sizeof *p * (size_t)(n + 1)), *q = malloc(sizeof *q * (size_t)(n + 1));
        double most = 0, off = 0, limit = weft_dtype_of(a) == WEFT_BF16 ? 0.03 : 1e-4;
        WEFT_CHECK_OK(weft_read(c, u, p, sizeof *p * (size_t)n));
        WEFT_CHECK_OK(weft_read(c, v, q, sizeof *q * (size_t)n));
        found = CLOSE;
        for (int64_t k = 0; k < n && found == CLOSE; k++) {
            if (p[k] == q[k] || (p[k] != p[k] && q[k] != q[k]))
                continue;
            if (!isfinite(p[k]) || !isfinite(q[k]))
                found = DIFFERENT;
            most = fmax(most, fabs(p[k]));
            off = fmax(off, fabs(p[k] - q[k]));
        }
        if (off > limit * fmax(most, 0.01))
            found = DIFFERENT;
        free(p);
        free(q);
    }
    free(x);
    free(y);
    return found;
}

/* Rows [first, first + n) of t along dim; even parts as memory of their own, others as the views that they are. */
static weft_tensor *rows_of(weft_tensor *t, int dim, int64_t first, int64_t n, bool dense)
{
    weft_tensor *part = weft_slice(t, dim, first, first + n, 1);
    return dense ? weft_clone(part) : part;
}

/* Runs o->call, whose operands are set, and its derivative with the cotangents g of the results. */
static bool run(weft_ctx *c, outcome *o, weft_tensor *const *g, int n_g)
{
    weft_tensor *leaves[WEFT_SAMPLE_OPERANDS], *found[WEFT_SAMPLE_OPERANDS], *y[MOST_RESULTS], *seeds[MOST_RESULTS];
    int n = 0, results = 0, place[WEFT_SAMPLE_OPERANDS];
    weft_seed(c, 6);
    if (weft_sample_run(&o->call) != WEFT_OK)
        return false;
    for (int k = 0; k < o->call.n_out; k++)
        o->result[k] = (part){o->call.out[k], -1};
    for (int k = 0; k < o->call.n_in; k++) {
        o->gradient[k] = (part){NULL, o->dim_of_operand[k]};
        if (o->call.smooth[k] && o->call.in[k]) {
            place[n] = k;
            leaves[n++] = o->call.in[k];
        }
    }
    for (int k = 0; k < o->call.n_smooth && k < n_g; k++)
        if (g[k] && weft_requires_grad(o->call.out[k])) {
            y[results] = o->call.out[k];
            seeds[results++] = g[k];
        }
    if (n == 0 || results == 0)
        return true;
    if (weft_grad(c, y, seeds, results, leaves, n, WEFT_GRAD_ALLOW_UNUSED, found) != WEFT_OK)
        return false;
    for (int k = 0; k < n; k++)
        o->gradient[place[k]].t = found[k];
    return true;
}

/* The dim of full that has all rows where some has n; all others are alike. -1: there is none. */
static int batch_dim(const weft_tensor *full, const weft_tensor *some, int64_t n)
{
    int found = -1;
    if (weft_ndim(full) != weft_ndim(some))
        return -1;
    for (int d = 0; d < weft_ndim(full); d++) {
        if (weft_shape(full)[d] == cuts_here()->all && weft_shape(some)[d] == n && found < 0)
            found = d;
        else if (weft_shape(full)[d] != weft_shape(some)[d])
            return -1;
    }
    return found;
}

typedef struct finding {
    bool batch, gradient; /* the size is a batch of the results; their gradients were compared */
    likeness result_is, gradient_is;
    int64_t result_rows, result_first, gradient_rows, gradient_first; /* the first that is not equal */
} finding;

/* One part of the rows against all of them. False: the size is no batch. */
static bool check_part(weft_ctx *c, const outcome *all, weft_tensor *const *g, int64_t first, int64_t n, bool dense,
                       finding *f)
{
    outcome some = *all;
    weft_tensor *seeds[MOST_RESULTS] = {NULL};
    bool is_batch = true;
    for (int k = 0; k < all->call.n_in; k++)
        if (all->call.in[k] && all->dim_of_operand[k] >= 0) {
            weft_tensor *leaf = weft_detach(rows_of(all->call.in[k], all->dim_of_operand[k], first, n, dense));
            some.call.in[k] = all->call.smooth[k] ? weft_set_requires_grad(leaf, true) : leaf;
        }
    if (weft_sample_run(&some.call) != WEFT_OK || some.call.n_out != all->call.n_out) {
        weft_ctx_clear(c);
        return false;
    }
    for (int k = 0; k < all->call.n_out && is_batch; k++) {
        const int dim = batch_dim(all->call.out[k], some.call.out[k], n);
        if (dim < 0)
            return false;
        const likeness is = compare(c, weft_contiguous(rows_of(all->call.out[k], dim, first, n, true)),
                                    weft_contiguous(some.call.out[k]));
        is_batch = is != DIFFERENT;
        if (is == CLOSE && f->result_is == EQUAL) {
            f->result_is = CLOSE;
            f->result_rows = n;
            f->result_first = first;
        }
        if (k < all->call.n_smooth && g[k])
            seeds[k] = weft_detach(rows_of(g[k], dim, first, n, dense));
    }
    if (!is_batch)
        return false;
    if (!run(c, &some, seeds, all->call.n_smooth)) {
        WEFT_FAIL("%s: %s", weft__ops[all->call.op].name, weft_ctx_message(c));
        return false;
    }
    for (int k = 0; k < all->call.n_in; k++) {
        const part *whole = &all->gradient[k];
        if (whole->dim < 0 || !whole->t || !some.gradient[k].t)
            continue;
        f->gradient = true;
        const likeness is = compare(c, weft_contiguous(rows_of(whole->t, whole->dim, first, n, true)),
                                    weft_contiguous(some.gradient[k].t));
        if (is != EQUAL && f->gradient_is == EQUAL) {
            f->gradient_is = is;
            f->gradient_rows = n;
            f->gradient_first = first;
        }
    }
    return true;
}

/* All parts of one size of a recipe. */
static finding check_letter(weft_ctx *c, int op, const weft_sample_options *o, const int dims[WEFT_SAMPLE_OPERANDS])
{
    const cuts *cut = cuts_here();
    finding f = {.batch = false};
    outcome all = {.call = {.n_in = 0}};
    weft_tensor *g[MOST_RESULTS] = {NULL};
    const int mark = weft_scope_push(c);
    memcpy(all.dim_of_operand, dims, sizeof all.dim_of_operand);
    if (weft__sample_make(c, op, o, &all.call) == WEFT_OK) {
        for (int k = 0; k < all.call.n_in; k++)
            if (all.call.smooth[k])
                weft_set_requires_grad(all.call.in[k], true);
        weft_seed(c, 6);
        if (weft_sample_run(&all.call) == WEFT_OK) {
            for (int k = 0; k < all.call.n_smooth; k++)
                if (weft_requires_grad(all.call.out[k]))
                    g[k] = weft_rand(c, weft_dtype_of(all.call.out[k]), weft_shape(all.call.out[k]),
                                     weft_ndim(all.call.out[k]), -1, 1);
            f.batch = run(c, &all, g, all.call.n_smooth);
        }
    }
    if (!f.batch)
        weft_ctx_clear(c);
    for (int k = 0; k < cut->n && f.batch; k++) {
        const int inner = weft_scope_push(c);
        f.batch = check_part(c, &all, g, cut->first[k], cut->rows[k], k % 2 == 0, &f);
        if (weft_ctx_status(c) != WEFT_OK)
            weft_ctx_clear(c);
        (void)!weft_scope_pop(c, inner);
    }
    weft_ctx_clear(c);
    WEFT_CHECK_OK(weft_scope_pop(c, mark));
    return f;
}

/* ---- Every row of the table ---- */

static int64_t elements_of(const char *words, const int64_t sizes[LETTERS])
{
    int64_t all = 0;
    for (const char *p = words; *p; p += strspn(p, " ")) {
        int64_t n = 1;
        const size_t length = strcspn(p, " ");
        for (size_t k = 1; k < length && p[k] != '<'; k++)
            n *= p[k] >= 'a' && p[k] < 'a' + LETTERS ? sizes[p[k] - 'a'] : p[k] >= '1' && p[k] <= '9' ? p[k] - '0' : 1;
        all += n;
        p += length;
    }
    return all;
}

/* The sizes of the others: uneven ones, the larger of them beyond a block of terms. */
static bool sizes_for(const char *words, char letter, bool large, int64_t sizes[LETTERS])
{
    static const int64_t some[2][LETTERS] = {{6, 7, 5, 9}, {67, 301, 277, 35}}, others[LETTERS] = {7, 37, 35, 6};
    static const int64_t images[2][LETTERS] = {{3, 5, 7, 6}, {6, 19, 9, 17}};
    memcpy(sizes, large && !test_on_cpu() ? others : strchr(words, 'd') ? images[large] : some[large], sizeof some[0]);
    sizes[letter - 'a'] = cuts_here()->all;
    return elements_of(words, sizes) <= MOST_ELEMENTS;
}

static const char *text_of(likeness l)
{
    return l == EQUAL ? "are equal" : l == CLOSE ? "have other bits" : "have other values";
}

/* Sizes that are a batch by their values, and outside of the promise. */
static bool is_outside(int op, char letter)
{
    switch (op) {
    case WEFT_OP_CONV1D: /* output channels: a group of one goes another way */
    case WEFT_OP_CONV1D_TRANSPOSE:
    case WEFT_OP_CONV3D:
    case WEFT_OP_CONV3D_TRANSPOSE:
    case WEFT_OP_BATCH_NORM: /* channels likewise */
        return letter == 'b';
    default:
        return false;
    }
}

/* In each dtype, f32 at two sizes; halves are asked only where the others have found a batch: their roundings hide
 * what a mean over many depends on. Returns whether it is one. */
static bool check_size(weft_ctx *c, int op, weft_sample_options o, const char *words, char letter)
{
    static const weft_dtype dtypes[] = {WEFT_F32, WEFT_F32, WEFT_F64, WEFT_BF16};
    const char *numbers = o.numbers ? o.numbers : weft__defs[op]->recipes[o.recipe].numbers;
    int dims[WEFT_SAMPLE_OPERANDS];
    bool batch = false, all = true;
    if (!find_dims(words, numbers, letter, dims))
        return false;
    for (int k = 0; k < 4; k++) {
        o.dtype = dtypes[k];
        if (!sizes_for(words, letter, k != 1, o.sizes) || (k == 3 && !all))
            continue;
        const finding f = check_letter(c, op, &o, dims);
        batch |= f.batch;
        all &= f.batch;
        if (f.batch && (f.result_is != EQUAL || f.gradient_is != EQUAL) && !is_outside(op, letter))
            WEFT_FAIL(
                "%s of %s, %s, %s, size %c: results of %lld rows from row %lld %s, gradients of %lld rows from row "
                "%lld %s",
                weft__ops[op].name, words, numbers ? numbers : "", weft_dtype_name(o.dtype), letter,
                (long long)f.result_rows, (long long)f.result_first, text_of(f.result_is), (long long)f.gradient_rows,
                (long long)f.gradient_first, text_of(f.gradient_is));
    }
    return batch;
}

static weft_ctx *open_invariant(void)
{
    weft_ctx *c = NULL;
    const weft_options o = INIT_OPTIONS(.device = test_device(), .batch_invariant = true, .seed = 5);
    WEFT_CHECK_OK(weft_ctx_open(&o, &c));
    return c;
}

static void run_row(void *user)
{
    const int op = (int)(intptr_t)user;
    weft_ctx *c = open_invariant();
    int batches = 0;
    WEFT_REQUIRE(c);
    for (int r = 0; r < WEFT__MAX_RECIPES && weft__defs[op]->recipes[r].operands; r++)
        for (char letter = 'a'; letter < 'a' + LETTERS; letter++)
            batches += check_size(c, op, WITH_SAMPLE(.recipe = r), weft__defs[op]->recipes[r].operands, letter);
    weft_test_property("batches", batches);
    weft_ctx_close(c);
}

/* ---- What the records have no sample of ---- */

typedef struct further {
    const char *name;
    weft_op op;
    const char *words, *numbers;
} further;

/* Size a is the batch. */
static const further more[] = {
    {"matmul_of_batches", WEFT_OP_MATMUL, "xa6b xab5", ""},
    {"matmul_with_vectors", WEFT_OP_MATMUL, "xab xb", ""},
    {"matmul_of_a_shared_one", WEFT_OP_MATMUL, "x4ab x1b6", ""},
    {"matmul_of_one_column", WEFT_OP_MATMUL, "xab xb1", ""},
    {"matmul_of_turned_rows", WEFT_OP_MATMUL, "tab xb6", ""},
    {"matmul_by_turned_columns", WEFT_OP_MATMUL, "xab tb6", ""},
    {"linear_of_one_column", WEFT_OP_LINEAR, "xab x1b x1", ""},
    {"baddbmm", WEFT_OP_BADDBMM, "xa65 xa6b xab5", "; 0.5 2"},
    {"einsum_of_batches", WEFT_OP_EINSUM, "xa5b xab3", "98 105 106 44 98 106 107 45 62 98 105 107"},
    {"attention_of_several_tiles", WEFT_OP_ATTENTION, "xab8 xab8 xab5", "1; 0.5"},
    {"attention_to_all", WEFT_OP_ATTENTION, "xa5b xa9b xa95", "0; 0.5"},
    {"conv1d", WEFT_OP_CONV1D, "xa6b x463 x4", "2 1 1 1"},
    {"conv1d_transpose", WEFT_OP_CONV1D_TRANSPOSE, "xa6b x643 x4", "2 1 1 1 1"},
    {"conv2d_of_groups", WEFT_OP_CONV2D, "xa497 x6233 x6", "2 1 1 1 1 1 0 0 2"},
    {"conv2d_depthwise", WEFT_OP_CONV2D, "xa497 x4133 x4", "1 1 1 1 1 1 0 0 4"},
    {"conv2d_of_many_channels", WEFT_OP_CONV2D, "xab34 x5b33 x5", "1 1 1 1 1 1 0 0 1"},
    {"conv2d_transpose", WEFT_OP_CONV2D_TRANSPOSE, "xa457 x4333 x6", "2 1 1 1 1 1 0 0 2"},
    {"conv3d", WEFT_OP_CONV3D, "xa4354 x54233 x5", "1 1 1 1 1 1 1 1 1 0 0 0 1"},
    {"rnn_cell", WEFT_OP_RNN_CELL, "xab xa3 x3b x33 x3 x3", "0"},
    {"gru_cell", WEFT_OP_GRU_CELL, "xab xa3 x9b x93 x9 x9", ""},
    {"lstm_cell", WEFT_OP_LSTM_CELL, "xab xa2 xa2 x8b x82 x8 x8", ""},
    {"rnn", WEFT_OP_RNN, "x3ab x1a3 x3b x33 x3 x3", "1 0 0 0"},
    {"gru", WEFT_OP_GRU, "x3ab x1a3 x9b x93 x9 x9", "1 0 0 0"},
    {"lstm", WEFT_OP_LSTM, "x3ab x1a2 x1a2 x8b x82 x8 x8", "1 0 0 0"},
    {"softmax_of_columns", WEFT_OP_SOFTMAX, "xba", "0"},
    {"log_softmax_of_columns", WEFT_OP_LOG_SOFTMAX, "x3ba", "1"},
};

static void run_more(void *user)
{
    const further *m = user;
    weft_ctx *c = open_invariant();
    WEFT_REQUIRE(c);
    WEFT_CHECK(check_size(c, m->op, WITH_SAMPLE(.operands = m->words, .numbers = m->numbers), m->words, 'a'));
    weft_ctx_close(c);
}

/* Kept dims between, behind and before the reduced ones. */
static void run_reduction(void *user)
{
    static const char *const words[] = {"xba7", "xb6a", "xab5", "xa7b"}, *const dims[] = {"0 0 2", "0 0 1", "0 1 2",
                                                                                          "1 -1"};
    const int op = (int)(intptr_t)user;
    weft_ctx *c = open_invariant();
    WEFT_REQUIRE(c);
    for (int k = 0; k < 4; k++)
        WEFT_CHECK(check_size(c, op, WITH_SAMPLE(.operands = words[k], .numbers = dims[k]), words[k], 'a'));
    weft_ctx_close(c);
}

WEFT_TEST_INIT(invariant_rows)
{
    for (int op = 0; op < WEFT_OP_COUNT; op++) {
        if (weft__defs[op]->recipes[0].operands)
            weft_test_add("InvariantRows", weft__ops[op].name, run_row, (void *)(intptr_t)op, __FILE__, __LINE__);
        if (weft__ops[op].family == WEFT__REDUCE)
            weft_test_add("InvariantReductions", weft__ops[op].name, run_reduction, (void *)(intptr_t)op, __FILE__,
                          __LINE__);
    }
    for (size_t k = 0; k < sizeof more / sizeof *more; k++)
        weft_test_add("InvariantCases", more[k].name, run_more, (void *)(uintptr_t)&more[k], __FILE__, __LINE__);
}

/* ---- Queries, magnitudes, the option ---- */

static weft_tensor *dense(weft_tensor *t)
{
    return weft_clone(t);
}

/* What is generated a token at a time: query t alone, with the keys up to its own, is row t of all queries at once. */
WEFT_TEST(Invariant, OneQueryIsARowOfAllOfThem)
{
    static const int64_t places[] = {0, 1, 6, 63, 64, 167, 168, 255, 256, 300};
    const int64_t most = test_on_cpu() ? 301 : 70;
    weft_ctx *c = open_invariant();
    WEFT_REQUIRE(c);
    weft_tensor *q = weft_randn(c, WEFT_F32, (int64_t[]){2, most, 24}, 3, 0, 1);
    weft_tensor *k = weft_randn(c, WEFT_F32, (int64_t[]){2, most, 24}, 3, 0, 1);
    weft_tensor *v = weft_randn(c, WEFT_F32, (int64_t[]){2, most, 19}, 3, 0, 1);
    weft_tensor *all = weft_attention(q, k, v, 0.2, true);
    for (size_t i = 0; i < sizeof places / sizeof *places && places[i] < most; i++) {
        const int64_t t = places[i];
        weft_tensor *one = weft_attention(dense(weft_slice(q, 1, t, t + 1, 1)), dense(weft_slice(k, 1, 0, t + 1, 1)),
                                          dense(weft_slice(v, 1, 0, t + 1, 1)), 0.2, true);
        if (compare(c, dense(weft_slice(all, 1, t, t + 1, 1)), one) != EQUAL)
            WEFT_FAIL("query %lld has other bits alone", (long long)t);
    }
    WEFT_CHECK_OK(weft_ctx_status(c));
    weft_ctx_close(c);
}

/* A norm whose squares overflow takes another way, alone and not for the rows beside it. */
WEFT_TEST(Invariant, ARowOfHugeNumbersChangesNoOtherNorm)
{
    weft_ctx *c = open_invariant();
    WEFT_REQUIRE(c);
    weft_tensor *x = weft_randn(c, WEFT_F64, (int64_t[]){1, 301}, 2, 0, 1);
    weft_tensor *both = weft_concat((weft_tensor *[]){x, weft_mul_scalar(x, 1e200), weft_mul_scalar(x, 1e-200)}, 3, 0);
    const int64_t last = 1;
    weft_tensor *alone = weft_norm(x, &last, 1, false), *among = weft_norm(both, &last, 1, false);
    WEFT_CHECK(compare(c, dense(weft_slice(among, 0, 0, 1, 1)), alone) == EQUAL);
    WEFT_CHECK(compare(c, dense(weft_slice(among, 0, 1, 2, 1)),
                       weft_norm(weft_mul_scalar(x, 1e200), &last, 1, false)) == EQUAL);
    weft_ctx_close(c);
}

/* Products so small that they round to -0 stay that, in whatever tile. */
WEFT_TEST(Invariant, MinusZeroIsKept)
{
    weft_ctx *c = open_invariant();
    WEFT_REQUIRE(c);
    weft_tensor *a = weft_full(c, WEFT_F32, (int64_t[]){23, 3}, 2, 1e-30),
                *b = weft_full(c, WEFT_F32, (int64_t[]){3, 19}, 2, -1e-30);
    weft_tensor *all = weft_matmul(a, b), *row = weft_matmul(dense(weft_slice(a, 0, 22, 23, 1)), b);
    weft_tensor *column = weft_matmul(a, dense(weft_slice(b, 1, 18, 19, 1)));
    WEFT_CHECK(compare(c, dense(weft_slice(all, 0, 22, 23, 1)), row) == EQUAL);
    WEFT_CHECK(compare(c, dense(weft_slice(all, 1, 18, 19, 1)), column) == EQUAL);
    weft_ctx_close(c);
}

/* A row of a product with another one beside it, less the row alone: exactly 0 with the option. */
static bool rows_agree(const weft_options *o)
{
    weft_ctx *c = NULL;
    bool agree = true;
    WEFT_CHECK_OK(weft_ctx_open(o, &c));
    weft_tensor *x = weft_randn(c, WEFT_F32, (int64_t[]){64, 1000}, 2, 0, 1);
    weft_tensor *w = weft_randn(c, WEFT_F32, (int64_t[]){200, 1000}, 2, 0, 1), *all = weft_linear(x, w, NULL);
    for (int64_t n = 1; n <= 2 && c; n++)
        agree &= compare(c, dense(weft_slice(all, 0, 0, n, 1)),
                         weft_linear(dense(weft_slice(x, 0, 0, n, 1)), w, NULL)) == EQUAL;
    weft_ctx_close(c);
    return agree;
}

/* The default is off; a program that was built before the option existed gets that, whatever lies behind its struct. */
WEFT_TEST(Invariant, TheOptionIsOffUnlessAskedFor)
{
    weft_options o = INIT_OPTIONS(.device = test_device(), .batch_invariant = true, .seed = 3);
    WEFT_CHECK(rows_agree(&o));
    o.struct_size = offsetof(weft_options, batch_invariant);
    if (test_on_cpu())
        WEFT_CHECK(!rows_agree(&o)); /* one row is summed up in another order than many */
    static const weft_options defaults = WEFT_OPTIONS_DEFAULTS;
    WEFT_CHECK(!defaults.batch_invariant);
    weft_ctx *c = NULL;
    o.struct_size = sizeof o + sizeof(void *);
    WEFT_CHECK_STATUS(weft_ctx_open(&o, &c), WEFT_E_INVALID);
    o.struct_size = offsetof(weft_options, batch_invariant) + 1;
    WEFT_CHECK_STATUS(weft_ctx_open(&o, &c), WEFT_E_INVALID);
    WEFT_CHECK(c == NULL);
}
