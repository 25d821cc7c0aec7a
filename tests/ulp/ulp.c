/* ulp.c - the largest error of every elementary function in f32, over all 2^32 inputs and for every instruction set
 * that this machine has, in units in the last place (ulp) of the exact result:
 *
 *     weft_ulp                      all functions, all inputs: some minutes of a core for each function
 *     weft_ulp exp gelu             these alone
 *     weft_ulp --stride N           every Nth input
 *     weft_ulp --claims FILE        fails if an error is above what FILE says (src/ops/equivalents.def)
 *
 * The exact result is the C library's in double: its error, about 2^-29 of an ulp of float, does not show. Where the
 * exact result is beyond the largest float, infinity is right and the largest float is off by what is missing; below
 * the smallest normal one an ulp is 2^-149. pow and atan2 have 2^64 inputs: 2^32 / N pairs of random bits, of random
 * numbers near 1, and for pow of results near the limits, are tried. */
#include <ctype.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft/device.h>
#include <weft/weft.h>

enum { BLOCK = 1 << 16, MOST_ISAS = 3 };

static const char *const isa_names[MOST_ISAS] = {"avx512", "avx2", "plain"};

/* ---- The functions and their exact results ---- */

static double sigmoid(double x)
{
    const double e = exp(-fabs(x));
    return (x < 0 ? e : 1) / (1 + e);
}

static double gelu(double x)
{
    return x * (0.5 * erfc(x * -0.70710678118654752440));
}

static double gelu_tanh(double x)
{
    return x * sigmoid(1.5957691216057307117 * x * (1 + 0.044715 * x * x));
}

static double silu(double x)
{
    return x * sigmoid(x);
}

static double softplus(double x)
{
    return fmax(x, 0) + log1p(exp(-fabs(x)));
}

static double rsqrt(double x)
{
    return 1 / sqrt(x);
}

static double reciprocal(double x)
{
    return 1 / x;
}

static double logsigmoid(double x)
{
    return -softplus(-x);
}

static double mish(double x)
{
    const double w = exp(fmin(x, 300));
    return x < -700 ? x * w : x * (w * (w + 2) / (w * (w + 2) + 2));
}

static double sinc(double x)
{
    const double pi = 3.14159265358979323846, n = rint(2 * x), angle = pi * (x - n / 2);
    const double turns = n - 4 * floor(n / 4);
    if (x == 0 || fabs(x) >= 0x1p53)
        return x == 0 ? 1 : x - x == 0 || isinf(x) ? 0 : x;
    return (turns == 0 ? sin(angle) : turns == 1 ? cos(angle) : turns == 2 ? -sin(angle) : -cos(angle)) / (pi * x);
}

/* By Halley's method on erf, near 1 on erfc. */
static double erfinv(double x)
{
    const double a = fabs(x), w = -log1p(-a * a);
    double y = sqrt(sqrt((4.33 + w / -2) * (4.33 + w / -2) + w / 0.147) - 4.33 + w / 2);
    if (!(a < 1) || a < 1e-9)
        return a == 1 ? x * (double)INFINITY : a < 1 ? 0.88622692545275801365 * x : (double)NAN;
    for (int step = 0; step < 5; step++) {
        const double miss = (a < 0.5 ? erf(y) - a : (1 - a) - erfc(y)) / (1.1283791670955125739 * exp(-y * y));
        y -= miss / (1 + y * miss);
    }
    return copysign(y, x);
}

typedef struct function {
    const char *name;
    weft_tensor *(*one)(weft_tensor *x);
    double (*exact)(double x);
    weft_tensor *(*two)(weft_tensor *a, weft_tensor *b); /* instead of one */
    double (*exact_two)(double a, double b);
} function;

#define ONE(name)                                                                                                      \
    {                                                                                                                  \
#name, (weft_##name), name, NULL, NULL                                                                         \
    }
#define TWO(name)                                                                                                      \
    {                                                                                                                  \
#name, NULL, NULL, (weft_##name), name                                                                         \
    }
static const function functions[] = {
    ONE(exp),      ONE(expm1),      ONE(log),    ONE(log1p), ONE(log2),    ONE(sin),   ONE(cos),    ONE(tan),
    ONE(tanh),     ONE(erf),        ONE(sqrt),   ONE(rsqrt), ONE(sigmoid), ONE(silu),  ONE(gelu),   ONE(gelu_tanh),
    ONE(softplus), ONE(reciprocal), ONE(exp2),   ONE(log10), ONE(cbrt),    ONE(sinh),  ONE(cosh),   ONE(asin),
    ONE(acos),     ONE(atan),       ONE(asinh),  ONE(acosh), ONE(atanh),   ONE(erfc),  ONE(erfinv), ONE(sinc),
    ONE(mish),     ONE(logsigmoid), ONE(lgamma), TWO(pow),   TWO(atan2),   TWO(hypot),
};
enum { N_FUNCTIONS = sizeof functions / sizeof functions[0] };

/* ---- Errors in units in the last place ---- */

static double ulp_of(double exact)
{
    int e;
    frexp(exact, &e); /* exact = m 2^e, 1/2 <= m < 1 */
    return ldexp(1, (e < -125 ? -125 : e > 128 ? 128 : e) - 24);
}

static double error_of(float got, double exact)
{
    if (isnan(exact) || isnan(got))
        return isnan(exact) && isnan(got) ? 0 : INFINITY;
    const double limit = 0x1p128; /* what infinity stands for: the next number if exponents went on */
    const double value = isinf(got) ? copysign(limit, (double)got) : (double)got;
    const double wanted = fabs(exact) > limit ? copysign(limit, exact) : exact;
    return fabs(value - wanted) / ulp_of(wanted);
}

/* ---- One function ---- */

typedef struct worst {
    double error;
    float a, b, got;
} worst;

typedef struct machine {
    int n;
    const char *isa[MOST_ISAS];
    weft_ctx *ctx[MOST_ISAS];
} machine;

static bool compute(weft_ctx *ctx, const function *f, const float *a, const float *b, float *y, int n)
{
    const int64_t shape[1] = {n};
    const int mark = weft_scope_push(ctx);
    weft_tensor *x = weft_from_data(ctx, WEFT_F32, shape, 1, a);
    weft_tensor *r = f->one ? f->one(x) : f->two(x, weft_from_data(ctx, WEFT_F32, shape, 1, b));
    const weft_status status = weft_read(ctx, r, y, sizeof *y * (size_t)n);
    if (weft_scope_pop(ctx, mark) == WEFT_OK && status == WEFT_OK)
        return true;
    fprintf(stderr, "weft_ulp: %s\n", weft_ctx_message(ctx));
    return false;
}

static bool try_block(const machine *m, const function *f, const float *a, const float *b, int n, worst *w)
{
    static float y[BLOCK], nearest[BLOCK];
    static double exact[BLOCK];
    for (int k = 0; k < n; k++) {
        exact[k] = f->one ? f->exact((double)a[k]) : f->exact_two((double)a[k], (double)b[k]);
        nearest[k] = (float)exact[k];
    }
    for (int i = 0; i < m->n; i++) {
        if (!compute(m->ctx[i], f, a, b, y, n))
            return false;
        for (int k = 0; k < n; k++) {
            if (y[k] == nearest[k] && w[i].error >= 0.5)
                continue; /* rounded correctly: no news */
            const double error = error_of(y[k], exact[k]);
            if (error > w[i].error)
                w[i] = (worst){error, a[k], b[k], y[k]};
        }
    }
    return true;
}

static float from_bits(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* splitmix64 (Steele, Lea and Flood 2014). */
static uint64_t next(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* Pairs of three kinds by turns. */
static void random_pair(uint64_t *state, uint64_t k, float *a, float *b)
{
    const uint64_t r = next(state);
    *a = from_bits((uint32_t)r);
    *b = from_bits((uint32_t)(r >> 32));
    if (k % 3 == 0)
        return;
    const double u = (double)(uint32_t)r * 0x1p-32, v = (double)(r >> 32) * 0x1p-32;
    *a = (float)(k % 3 == 1 ? 0.5 + 1.5 * u : exp(12 * u - 6));
    *b = (float)(k % 3 == 1 ? 64 * v - 32 : (180 * v - 92) / log((double)*a)); /* a^b from e^-92 to e^88 */
}

static bool try_all(const machine *m, const function *f, uint64_t stride, worst *w)
{
    static float a[BLOCK], b[BLOCK];
    uint64_t state = 1;
    int n = 0;
    for (uint64_t k = 0; k < UINT64_C(1) << 32; k += stride) {
        if (f->one)
            a[n] = from_bits((uint32_t)k);
        else
            random_pair(&state, k / stride, &a[n], &b[n]);
        if (++n == BLOCK && !try_block(m, f, a, b, n, w))
            return false;
        n = n == BLOCK ? 0 : n;
    }
    return n == 0 || try_block(m, f, a, b, n, w);
}

/* ---- What is claimed: WITHIN(NAME, fused, plain), with and without a fused multiply-add ---- */

static bool claim_of(const char *text, const char *name, double claims[2])
{
    const size_t length = strlen(name);
    for (const char *p = text; (p = strstr(p, "\nWITHIN(")) != NULL; p++) {
        const char *at = p + sizeof "\nWITHIN(" - 1;
        size_t same = 0;
        while (same < length && tolower((unsigned char)at[same]) == name[same])
            same++;
        if (same == length && sscanf(at + length, ", %lf, %lf)", &claims[0], &claims[1]) == 2)
            return true;
    }
    return false;
}

/* The text of a file. */
static const char *with_file(const char *path)
{
    static char text[1 << 20];
    FILE *file = fopen(path, "rb");
    if (!file || fread(text, 1, sizeof text - 1, file) == 0) {
        fprintf(stderr, "weft_ulp: %s cannot be read\n", path);
        exit(2);
    }
    fclose(file);
    return text;
}

/* Prints a function's figures; false: above what is claimed. */
static bool report(const machine *m, const function *f, const worst *w, const char *claims)
{
    bool fine = true;
    double most[2] = {INFINITY, INFINITY};
    if (claims && !claim_of(claims, f->name, most)) {
        printf("%s: the table of claims does not have it\n", f->name);
        return false;
    }
    printf("%-11s", f->name);
    for (int i = 0; i < m->n; i++) {
        const double claim = most[strcmp(m->isa[i], "plain") == 0];
        printf("  %s %.3f at %a", m->isa[i], w[i].error, (double)w[i].a);
        if (f->two)
            printf(", %a", (double)w[i].b);
        if (w[i].error > claim + 0.005) {
            printf(" (%a) ABOVE the %.2f that is claimed", (double)w[i].got, claim);
            fine = false;
        }
    }
    putchar('\n');
    fflush(stdout);
    return fine;
}

/* One context for each instruction set that is there: WEFT_ISA is read when a context is opened. */
static void open_machine(machine *m)
{
    m->n = 0;
    for (int k = 0; k < MOST_ISAS; k++) {
        weft_device_info info = {0};
        setenv("WEFT_ISA", isa_names[k], 1);
        if (weft_device_info_get("cpu", 0, &info, sizeof info) != WEFT_OK || strcmp(info.isa, isa_names[k]) != 0)
            continue;
        if (weft_ctx_open(NULL, &m->ctx[m->n]) != WEFT_OK)
            exit(2);
        m->isa[m->n++] = isa_names[k];
    }
}

static bool chosen(const char *name, char *const *names, int n)
{
    for (int k = 0; k < n; k++)
        if (strcmp(names[k], name) == 0)
            return true;
    return n == 0;
}

int main(int argc, char **argv)
{
    uint64_t stride = 1;
    const char *claims = NULL;
    int at = 1;
    for (; at + 1 < argc && strncmp(argv[at], "--", 2) == 0; at += 2) {
        if (strcmp(argv[at], "--stride") == 0 && strtoull(argv[at + 1], NULL, 10) > 0)
            stride = strtoull(argv[at + 1], NULL, 10);
        else if (strcmp(argv[at], "--claims") == 0)
            claims = with_file(argv[at + 1]);
        else
            return fprintf(stderr, "weft_ulp [--stride N] [--claims FILE] [FUNCTION...]\n"), 2;
    }
    machine m;
    open_machine(&m);
    bool fine = true;
    int n = 0;
    for (int k = 0; k < N_FUNCTIONS; k++) {
        if (!chosen(functions[k].name, argv + at, argc - at))
            continue;
        worst w[MOST_ISAS] = {{0}};
        fine &= try_all(&m, &functions[k], stride, w) && report(&m, &functions[k], w, claims);
        n++;
    }
    for (int i = 0; i < m.n; i++)
        weft_ctx_close(m.ctx[i]);
    return fine && n > 0 ? 0 : 1;
}
