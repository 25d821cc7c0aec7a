/* ops_every.c - every operation that has a name in PyTorch, beside PyTorch: one thread each, in turns, on the same
 * numbers; forward, and forward and backward together. What PyTorch calls stands in tests/parity/calls.py. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "ops.h"
#include <weft/reference.h>

/* Operands that an operation is measured on, in the words of its record (weft/sample.h). Those without an entry, and
 * words that are NULL, are the record's first recipe with 256 for a and 512 for b: 128 Ki elements. */
typedef struct entry {
    const char *op, *words, *numbers;
    int64_t sizes[5]; /* of a to e */
} entry;

typedef struct family {
    const char *name;
    const entry *entries;
    int n;
} family;

static const entry products[] = {
    {"matmul", "xac xcb", "", {512, 512, 512}},
    {"matmul", "xdac xdcb", "", {64, 64, 64, 16}},
    {"linear", "xac xbc xb", "", {256, 512, 512}},
    {"linear_act", "xac xbc xb", "2", {256, 512, 512}},
    {"outer", NULL, NULL, {512, 512}},
    {"dot", "xa xa", "", {131072}},
    {"kron", "xab xcc", "", {64, 64, 8}},
    {"tensordot", "xac xcb", "1", {256, 256, 256}},
    {"einsum", "xac xcb", "105 106 44 106 107 45 62 105 107", {256, 256, 256}},
    {"einsum", "xdac xdcb", "98 105 106 44 98 106 107 45 62 98 105 107", {64, 64, 64, 16}},
    {"addmm", "xab xac xcb", "; 0.5 2", {256, 256, 256}},
    {"baddbmm", "xdab xdac xdcb", "; 0.5 2", {64, 64, 64, 16}},
    {"matrix_power", "xabb", "3", {16, 64}},
    {"cross", "xa3 xa3", "1", {43690}},
    {"cov", NULL, NULL, {64, 2048}},
    {"corrcoef", NULL, NULL, {64, 2048}},
    {"cdist", "xab xcb", "", {256, 64, 256}},
};

static const entry linalg[] = {
    {"cholesky", "mabb", "", {16, 64}},
    {"cholesky", "maa", "", {512}},
    {"triangular_solve", "mabb xabb", "0", {16, 64}},
    {"triangular_solve", "maa xaa", "0", {512}},
    {"cholesky_solve", "mabb xabb", "", {16, 64}},
    {"solve", "mabb xabb", "", {16, 64}},
    {"solve", "maa xaa", "", {512}},
    {"inverse", "mabb", "", {16, 64}},
    {"inverse", "maa", "", {512}},
    {"inverse", "mabb", "", {4096, 4}},
    {"det", "mabb", "", {16, 64}},
    {"det", "mabb", "", {4096, 4}},
    {"slogdet", "mabb", "", {16, 64}},
    {"slogdet", "maa", "", {512}},
    {"logdet", "mabb", "", {16, 64}},
    {"qr", "xabb", "", {16, 64}},
    {"qr", "xaa", "", {256}},
    {"eigh", "xabb", "", {16, 64}},
    {"eigh", "xaa", "", {256}},
    {"eigvalsh", "xabb", "", {16, 64}},
    {"svd", "xabb", "", {16, 64}},
    {"svd", "xaa", "", {256}},
    {"svdvals", "xabb", "", {16, 64}},
    {"pinv", "xabb", "; -1", {16, 64}},
    {"lstsq", "xabc xabc", "; -1", {16, 64, 32}},
    {"matrix_exp", "xabb", "", {16, 64}},
};

static const entry recurrent[] = {
    {"rnn_cell", "xab xac xcb xcc xc xc", "0", {64, 128, 128}},
    {"gru_cell", "xab xac xeb xec xe xe", "", {64, 128, 128, 0, 384}},
    {"lstm_cell", "xab xac xac xeb xec xe xe", "", {64, 128, 128, 0, 512}},
    {"rnn", "xdab x1ac xcb xcc xc xc", "1 0 0 0", {16, 128, 128, 32}},
    {"gru", "xdab x1ac xeb xec xe xe", "1 0 0 0", {16, 128, 128, 32, 384}},
    {"lstm", "xdab x1ac x1ac xeb xec xe xe", "1 0 0 0", {16, 128, 128, 32, 512}},
};

static const entry sequences[] = {
    {"ctc_loss", "xcba ibd<e", "63 0 1", {64, 16, 32, 8, 63}},
    {"attention", "xabcd xabcd xabcd", "1; 0.125", {2, 8, 128, 64}},
    {"attention_with_bias", "xabc xadc xadc xbd", "; 0.125", {16, 128, 64, 128}},
    {"embedding_bag", "xab ic<a xc", "0 0 256 512 768", {4096, 128, 1024}},
};

static const entry images[] = {
    {"conv1d", "x8ac xba3 xb", "1 1 1 1", {64, 64, 256}},
    {"conv1d_transpose", "x8ac xab3 xb", "2 1 1 1 1", {64, 64, 128}},
    {"conv2d", "xabcd xbb33 xb", "1 1 1 1 1 1 0 0 1", {4, 32, 28, 28}},
    {"conv2d_transpose", "xabcd xbb33 xb", "1 1 1 1 1 1 0 0 1", {4, 32, 28, 28}},
    {"conv2d_weight", "xabcd xabcd", "3 3 1 1 1 1 1 1 0 0 1", {4, 32, 28, 28}},
    {"conv3d", "x2accc xba333 xb", "1 1 1 1 1 1 1 1 1 0 0 0 1", {16, 16, 14}},
    {"conv3d_transpose", "x2accc xab333 xb", "2 2 2 1 1 1 1 1 1 1 1 1 1", {16, 16, 8}},
    {"affine_grid", "xa23", "128 128 0", {16}},
    {"grid_sample", "xabcc gacc2", "1 2 0", {8, 16, 64}},
    {"interpolate", "xabcc", "64 64 1 0", {4, 16, 32}},
    {"interpolate", "xabcc", "64 64 0 0", {4, 16, 32}},
    {"interpolate", "xabcc", "64 64 2 0", {4, 16, 32}},
    {"interpolate_antialias", "xabcc", "32 32 1", {4, 16, 64}},
    {"pad_mode", "xabcc", "3 3 3 3 0", {4, 16, 64}},
    {"pixel_shuffle", "xa8bb", "2", {16, 64}},
    {"pixel_unshuffle", "xabcc", "2", {4, 16, 64}},
    {"channel_shuffle", "xabcc", "4", {4, 16, 64}},
    {"unfold2d", "xabcc", "3 3 1 1 1 1 1 1", {2, 16, 64}},
    {"fold2d", "xabc", "64 64 3 3 1 1 1 1 1 1", {2, 144, 4096}},
    {"max_pool1d", "xabc", "2 2 0", {4, 64, 1024}},
    {"avg_pool1d", "xabc", "2 2 0", {4, 64, 1024}},
    {"max_pool2d", NULL, NULL, {4, 16, 64, 64}},
    {"max_pool2d", NULL, "3 3 2 2 1 1", {4, 16, 64, 64}},
    {"avg_pool2d", NULL, NULL, {4, 16, 64, 64}},
    {"avg_unpool2d", NULL, NULL, {4, 16, 32, 32}},
    {"lp_pool2d", "pabcc", "2 2; 3", {4, 16, 64}},
    {"max_pool3d", "xabccc", "2 2 2 2 2 2 0 0 0", {2, 4, 32}},
    {"avg_pool3d", "xabccc", "2 2 2 2 2 2 0 0 0", {2, 4, 32}},
    {"adaptive_max_pool", "xabcc", "16 16", {4, 16, 64}},
    {"max_pool2d_with_index", "xabcc", "2 2 2 2 0 0", {4, 16, 64}},
    {"max_unpool2d", "xabcc iabcc<d", "64 64", {4, 16, 32, 4096}},
    {"max_pool", "xabc", "1 3 2 1 1 1 0", {4, 64, 1024}},
    {"max_pool", "xabcc", "2 3 3 2 2 1 1 1 1 0 0", {4, 16, 64}},
    {"avg_pool", "xabcc", "2 3 3 2 2 1 1 1 1 0 0", {4, 16, 64}},
};

static const entry norms[] = {
    {"layer_norm", NULL, NULL, {256, 512}},
    {"rms_norm", NULL, NULL, {256, 512}},
    {"batch_norm", NULL, NULL, {4, 32, 32, 32}},
    {"group_norm", "xabcc pb xb", "8; 1e-5", {4, 32, 32}},
    {"instance_norm", "xabcc pb xb", "; 1e-5", {4, 32, 32}},
    {"local_response_norm", "xabcc", "5; 1e-4 0.75 1", {4, 32, 32}},
    {"weight_norm", NULL, NULL, {256, 512}},
    {"normalize", NULL, NULL, {256, 512}},
    {"renorm", NULL, NULL, {256, 512}},
    {"cosine_similarity", NULL, NULL, {256, 512}},
    {"pairwise_distance", NULL, NULL, {256, 512}},
    {"softmax", NULL, NULL, {256, 512}},
    {"log_softmax", NULL, NULL, {256, 512}},
};

static const entry losses[] = {
    {"mse", NULL, NULL, {256, 512}},
    {"huber", NULL, NULL, {256, 512}},
    {"bce_with_logits", NULL, NULL, {256, 512}},
    {"nll", NULL, NULL, {256, 512}},
    {"cross_entropy", NULL, NULL, {256, 512}},
    {"cross_entropy_with", NULL, NULL, {256, 512}},
    {"l1_loss", NULL, NULL, {256, 512}},
    {"smooth_l1_loss", NULL, NULL, {256, 512}},
    {"gaussian_nll_loss", NULL, NULL, {256, 512}},
    {"poisson_nll_loss", NULL, NULL, {256, 512}},
    {"bce", NULL, NULL, {256, 512}},
    {"kl_div", NULL, NULL, {256, 512}},
    {"soft_margin_loss", NULL, NULL, {256, 512}},
    {"hinge_embedding_loss", NULL, NULL, {256, 512}},
    {"margin_ranking_loss", NULL, NULL, {256, 512}},
    {"triplet_margin_loss", NULL, NULL, {256, 512}},
    {"cosine_embedding_loss", NULL, NULL, {256, 512}},
    {"multi_margin_loss", NULL, NULL, {256, 512}},
    {"multilabel_margin_loss", "xab wab", "1", {1024, 16}},
    {"multilabel_soft_margin_loss", NULL, NULL, {256, 512}},
};

static const entry order[] = {
    {"sort", NULL, NULL, {256, 512}},
    {"argsort", NULL, NULL, {256, 512}},
    {"topk", NULL, "16 1 1", {256, 512}},
    {"kthvalue", NULL, "64 1 0", {256, 512}},
    {"median", NULL, NULL, {256, 512}},
    {"nanmedian", NULL, NULL, {256, 512}},
    {"quantile", NULL, NULL, {256, 512}},
    {"unique", NULL, NULL, {256, 512}},
    {"searchsorted", NULL, NULL, {256, 512, 512}},
    {"bucketize", NULL, NULL, {256, 512, 64}},
    {"bincount", "iab<c", "c", {256, 512, 64}},
    {"histc", NULL, "64; -1 1.5", {256, 512}},
    {"nonzero", NULL, NULL, {256, 512}},
    {"masked_select", NULL, NULL, {256, 512}},
    {"cumsum", NULL, NULL, {256, 512}},
    {"cumprod", NULL, NULL, {256, 512}},
    {"cummax", NULL, NULL, {256, 512}},
    {"cummin", NULL, NULL, {256, 512}},
    {"logcumsumexp", NULL, NULL, {256, 512}},
    {"trapezoid", NULL, NULL, {256, 512}},
    {"cumulative_trapezoid", NULL, NULL, {256, 512}},
};

static const entry transforms[] = {
    {"fft", "xab2", "1 0", {128, 512}},           {"ifft", "xab2", "1 0", {128, 512}},
    {"rfft", "xab", "1 0", {256, 512}},           {"irfft", "xab2", "512 1 0", {256, 257}},
    {"fftn", "xab2", "0 0 1", {256, 256}},        {"ifftn", "xab2", "0 0 1", {256, 256}},
    {"rfftn", "xab", "0 0 1", {256, 256}},        {"irfftn", "xab2", "0 256 0 1", {256, 129}},
    {"fftshift", NULL, NULL, {256, 512}},         {"ifftshift", NULL, NULL, {256, 512}},
    {"stft", "xab xc", "128 1", {16, 8192, 512}}, {"istft", "xabc2 pd", "128 1 -1", {16, 257, 65, 512}},
    {"complex_mul", NULL, NULL, {256, 256}},      {"complex_abs", NULL, NULL, {256, 256}},
};

static const entry index_rows[] = {
    {"gather", NULL, NULL, {256, 512}},
    {"scatter", NULL, NULL, {256, 512}},
    {"scatter_add", NULL, NULL, {256, 512}},
    {"scatter_max", NULL, NULL, {256, 512}},
    {"scatter_min", NULL, NULL, {256, 512}},
    {"scatter_mean", NULL, NULL, {256, 512}},
    {"index_select", NULL, NULL, {256, 512}},
    {"index_add", NULL, NULL, {256, 512}},
    {"embedding", "xab ic<a", "", {4096, 128, 1024}},
    {"take", NULL, NULL, {256, 512}},
    {"take_along", NULL, NULL, {256, 512}},
    {"index_fill", "xab ic<a", "0; 0.5", {256, 512, 64}},
    {"index_copy", "xab ic<a xcb", "0", {256, 512, 64}},
    {"index_put", "xab xc ic<a ic<b", "0", {256, 512, 8192}},
    {"index_add_", NULL, NULL, {256, 512}},
    {"scatter_add_", NULL, NULL, {256, 512}},
    {"index_copy_", "rab ic<a rcb", "0", {256, 512, 64}},
};

static const entry moves[] = {
    {"clone", NULL, NULL, {256, 512}},          {"contiguous", NULL, NULL, {256, 512}},
    {"cast", "xab", "1", {256, 512}},           {"concat", NULL, NULL, {256, 512}},
    {"stack", NULL, NULL, {256, 512}},          {"pad", NULL, NULL, {256, 512}},
    {"flip", NULL, NULL, {256, 512}},           {"roll", NULL, NULL, {256, 512}},
    {"tile", NULL, NULL, {256, 512}},           {"repeat_interleave", NULL, NULL, {256, 512}},
    {"tril", NULL, NULL, {256, 512}},           {"triu", NULL, NULL, {256, 512}},
    {"rot90", NULL, NULL, {256, 512}},          {"diag", NULL, NULL, {512}},
    {"diag_embed", "xab", "", {64, 64}},        {"trace", NULL, NULL, {512, 512}},
    {"one_hot", "iab<c", "c 4", {64, 64, 64}},  {"meshgrid", NULL, NULL, {512, 512}},
    {"cartesian_prod", NULL, NULL, {512, 256}}, {"vander", "xab", "8 0", {64, 256}},
};

/* Views cost what a call costs. */
static const entry views[] = {
    {"reshape", NULL, NULL, {256, 512}},       {"transpose", NULL, NULL, {256, 512}},
    {"permute", NULL, NULL, {16, 16, 16, 16}}, {"expand", NULL, NULL, {256, 512}},
    {"squeeze", NULL, NULL, {256, 512}},       {"unsqueeze", NULL, NULL, {256, 512}},
    {"slice", NULL, NULL, {256, 512}},         {"select", NULL, NULL, {256, 512}},
    {"flatten", NULL, NULL, {16, 16, 16, 16}}, {"unflatten", "xab", "1 2 -1", {256, 512}},
    {"movedim", NULL, NULL, {16, 64, 64}},     {"detach", NULL, NULL, {256, 512}},
    {"diagonal", NULL, NULL, {256, 512}},      {"split", "xab", "0 64 64 128", {256, 512}},
    {"unbind", "xa4b", "1 4", {64, 512}},      {"chunk", NULL, NULL, {256, 512}},
    {"windows", "xab", "1 8 4", {256, 512}},
};

#define FAMILY(name, entries)                                                                                          \
    {                                                                                                                  \
        name, entries, (int)(sizeof entries / sizeof *entries)                                                         \
    }
static const family families[] = {
    FAMILY("products", products),   FAMILY("linear algebra", linalg), FAMILY("recurrent", recurrent),
    FAMILY("sequences", sequences), FAMILY("images", images),         FAMILY("norms", norms),
    FAMILY("losses", losses),       FAMILY("order, scans", order),    FAMILY("transforms", transforms),
    FAMILY("index", index_rows),    FAMILY("moves", moves),           FAMILY("views", views)};
enum { FAMILIES = sizeof families / sizeof *families };

/* ---- What was found ---- */

enum { MOST_ROWS = 1024, MOST_FAMILIES = 32, NAME = 128 };

typedef struct row {
    char name[NAME];
    const char *family, *way;
    double ratio;
} row;

typedef struct tally {
    row rows[MOST_ROWS];
    int n, without, failed;
} tally;

static int by_ratio(const void *a, const void *b)
{
    const double x = ((const row *)a)->ratio, y = ((const row *)b)->ratio;
    return (x > y) - (x < y);
}

/* The least and the largest ratio of a round. */
static void spread(const bench_case *weft, const bench_case *torch, double *low, double *high)
{
    *low = *high = NAN;
    for (int k = 0; k < weft->rounds && k < torch->rounds; k++) {
        const double ratio = torch->seconds[k] / weft->seconds[k];
        *low = fmin(*low, ratio);
        *high = fmax(*high, ratio);
    }
}

static void report(ops_bench *b, tally *t, const char *family_name, const ops_subject *s, const ops_way *way,
                   const ops_result *found)
{
    const bench_case *weft = &found->cases[OPS_WEFT], *torch = &found->cases[OPS_TORCH];
    const double ratio = bench_speed_ratio(weft, 1, torch, 1), seconds = bench_median(weft);
    double low, high;
    spread(weft, torch, &low, &high);
    printf("%-14s %-22s %-8s %-4s %-30s %s us %s ns/element", family_name, s->name, way->name,
           weft_dtype_name(s->dtype), s->shape, bench_number(seconds * 1e6, 10, 1),
           bench_number(seconds * 1e9 / found->elements, 8, 2));
    if (!isnan(ratio))
        printf(" %sx PyTorch (%s to %s)", bench_number(ratio, 7, 2), bench_number(low, 0, 2), bench_number(high, 0, 2));
    for (int who = OPS_WEFT; who <= OPS_TORCH; who += OPS_TORCH - OPS_WEFT)
        if (found->errors[who][0])
            printf("\n    %s: %s", who == OPS_WEFT ? "weft" : "torch", found->errors[who]);
    printf("\n");
    fflush(stdout);
    t->failed += isnan(seconds);
    if (b->report.json)
        ops_report_peer(&b->report, family_name, s, way, found, low, high);
    if (isnan(ratio) || t->n == MOST_ROWS)
        return;
    row *r = &t->rows[t->n++];
    *r = (row){.family = family_name, .way = way->name, .ratio = ratio};
    snprintf(r->name, sizeof r->name, "%s %s", s->name, s->shape);
}

/* The median of the rows of one way, of one family or of all, and how many there are below 0.8. */
static void summarise(const tally *t, const char *way, const char *family_name)
{
    static double ratios[MOST_ROWS];
    int n = 0, slow = 0;
    for (int k = 0; k < t->n; k++) /* sorted */
        if (strcmp(t->rows[k].way, way) == 0 && (!family_name || strcmp(t->rows[k].family, family_name) == 0)) {
            slow += t->rows[k].ratio < 0.8;
            ratios[n++] = t->rows[k].ratio;
        }
    if (n)
        printf("%-14s %-8s %4d rows, median %sx, least %sx, %d below 0.8\n", family_name ? family_name : "all", way, n,
               bench_number((ratios[(n - 1) / 2] + ratios[n / 2]) / 2, 0, 2), bench_number(ratios[0], 0, 2), slow);
}

static void conclude(tally *t)
{
    const char *names[MOST_FAMILIES];
    static const char *const ways[] = {"forward", "both"};
    int n = 0;
    for (int k = 0; k < t->n; k++) {
        int known = 0;
        while (known < n && strcmp(names[known], t->rows[k].family) != 0)
            known++;
        if (known == n && n < MOST_FAMILIES)
            names[n++] = t->rows[k].family;
    }
    qsort(t->rows, (size_t)t->n, sizeof *t->rows, by_ratio);
    printf("\n");
    for (int w = 0; w < 2; w++) {
        for (int k = 0; k < n; k++)
            summarise(t, ways[w], names[k]);
        summarise(t, ways[w], NULL);
    }
    printf("\nbelow 0.8:\n");
    for (int k = 0; k < t->n && t->rows[k].ratio < 0.8; k++)
        printf("%s  %-14s %-8s %s\n", bench_number(t->rows[k].ratio, 6, 2), t->rows[k].family, t->rows[k].way,
               t->rows[k].name);
    printf("%d operations have no name in PyTorch, %d measurements failed\n", t->without, t->failed);
}

/* ---- Measuring ---- */

/* The operands' shapes: words with their sizes in the place of letters. */
static void describe(ops_subject *s, const char *words)
{
    size_t used = 0;
    for (const char *w = words; *w && used + 24 < sizeof s->shape;) {
        bool first = true, counts = false;
        for (; *w && *w != ' '; w++) {
            counts = counts || *w == '<';
            if (counts || (first && *w != '-')) {
                used += (size_t)snprintf(s->shape + used, sizeof s->shape - used, "%s", first && used ? ", " : "");
                first = false;
                continue;
            }
            const char end = s->shape[used ? used - 1 : 0];
            if (*w >= 'a' && *w <= 'h')
                used += (size_t)snprintf(s->shape + used, sizeof s->shape - used, "%s%lld",
                                         used && end != ' ' ? "x" : "", (long long)s->sizes[*w - 'a']);
            else
                used += (size_t)snprintf(s->shape + used, sizeof s->shape - used, "%s%c",
                                         used && end != ' ' && *w != '-' ? "x" : "", *w);
        }
        while (*w == ' ')
            w++;
    }
}

static void measure(ops_bench *b, tally *t, const char *family_name, const weft_op_description *op, const entry *e)
{
    static const ops_way forward = {.name = "forward"}, both = {.name = "both", .wrt = OPS_ALL, .both = true};
    static const int64_t usual[] = {256, 512, 64, 16};
    weft_sample_description about;
    ops_result found;
    if (weft_sample_describe(weft_op_find(op->name), &about, sizeof about) != WEFT_OK || about.makes_state)
        return; /* steps: bench_ops knows no parameters that stay */
    ops_subject s = {.name = op->name, .op = op->name, .dtype = WEFT_F32, .same_numbers = true};
    s.words = e ? e->words : NULL;
    memcpy(s.sizes, e ? e->sizes : usual, e ? sizeof e->sizes : sizeof usual);
    snprintf(s.numbers, sizeof s.numbers, "%s", e && e->numbers ? e->numbers : about.numbers[0]);
    describe(&s, s.words ? s.words : about.operands[0]);
    ops_find(b, &s, &forward, &found);
    report(b, t, family_name, &s, &forward, &found);
    if (!about.has_gradient)
        return;
    ops_find(b, &s, &both, &found);
    report(b, t, family_name, &s, &both, &found);
}

static bool is_asked(const ops_bench *b, const char *family_name, const char *op)
{
    const char *only = b->plan->only;
    return !only || strcmp(only, family_name) == 0 || strcmp(only, op) == 0;
}

void ops_every(ops_bench *b)
{
    static tally t;
    for (int k = 0; k < weft_op_count(); k++) {
        weft_op_description op;
        bool done = false;
        if (weft_op_describe(k, &op, sizeof op) != WEFT_OK)
            continue;
        if (op.pytorch[0] == '-') {
            t.without++;
            continue;
        }
        for (int f = 0; f < FAMILIES; f++)
            for (int i = 0; i < families[f].n; i++)
                if (strcmp(families[f].entries[i].op, op.name) == 0) {
                    done = true;
                    if (is_asked(b, families[f].name, op.name))
                        measure(b, &t, families[f].name, &op, &families[f].entries[i]);
                }
        if (!done && is_asked(b, op.family_name, op.name))
            measure(b, &t, op.family_name, &op, NULL);
    }
    conclude(&t);
    b->report.failed += t.failed;
}
