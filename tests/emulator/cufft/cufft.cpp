/* cufft.cpp - see cufft.h. */
#include "cufft.h"

#include <cmath>
#include <complex>
#include <cstdint>
#include <cstring>
#include <map>
#include <vector>
#include "../cudart/runtime.h"
#include "../simt/checker.h"
#include "../simt/heap.h"
#include "cuda/fft_api.h"
#include <cuda_runtime_api.h>

#if __has_include(<cufft.h>)
#include <cufft.h>
static_assert(sizeof(cufftHandle) == sizeof(weft__fft_handle), "");
static_assert(int(WEFT__FFT_SUCCESS) == CUFFT_SUCCESS && int(WEFT__FFT_ALLOC_FAILED) == CUFFT_ALLOC_FAILED, "");
static_assert(int(WEFT__FFT_R2C) == CUFFT_R2C && int(WEFT__FFT_C2R) == CUFFT_C2R && int(WEFT__FFT_C2C) == CUFFT_C2C,
              "");
static_assert(int(WEFT__FFT_D2Z) == CUFFT_D2Z && int(WEFT__FFT_Z2D) == CUFFT_Z2D && int(WEFT__FFT_Z2Z) == CUFFT_Z2Z,
              "");
static_assert(int(WEFT__FFT_FORWARD) == CUFFT_FORWARD && int(WEFT__FFT_INVERSE) == CUFFT_INVERSE, "");
#define RESULT cufftResult CUFFTAPI
#define OF(status) static_cast<cufftResult>(status)
typedef cufftComplex *Pairs;
typedef cufftReal *Reals;
typedef cufftDoubleComplex *WidePairs;
typedef cufftDoubleReal *WideReals;
typedef cufftType Type;
#else
#define RESULT int
#define OF(status) (status)
typedef void *Pairs, *Reals, *WidePairs, *WideReals;
typedef int Type;
#endif

namespace
{

using std::complex;

enum { SUCCESS = 0, INVALID_PLAN = 1, INVALID_VALUE = 4, EXEC_FAILED = 6, NO_WORKSPACE = 14 };

struct Plan {
    cudaStream_t stream = nullptr;
    bool auto_allocation = true, made = false;
    int64_t n = 0, in_stride = 0, in_distance = 0, out_stride = 0, out_distance = 0, batch = 0;
    int type = 0;
    size_t work_size = 0;
    char *area = nullptr;

    bool wide() const
    {
        return type == WEFT__FFT_Z2Z || type == WEFT__FFT_D2Z || type == WEFT__FFT_Z2D;
    }
    bool from_real() const
    {
        return type == WEFT__FFT_R2C || type == WEFT__FFT_D2Z;
    }
    bool to_real() const
    {
        return type == WEFT__FFT_C2R || type == WEFT__FFT_Z2D;
    }
    int64_t in_count() const
    {
        return to_real() ? n / 2 + 1 : n;
    }
    int64_t out_count() const
    {
        return from_real() ? n / 2 + 1 : n;
    }
    size_t pair() const
    {
        return wide() ? 16 : 8;
    }
    size_t in_element() const
    {
        return from_real() ? pair() / 2 : pair();
    }
    size_t out_element() const
    {
        return to_real() ? pair() / 2 : pair();
    }
    size_t in_bytes() const
    {
        return static_cast<size_t>((in_count() - 1) * in_stride + (batch - 1) * in_distance + 1) * in_element();
    }
    size_t out_bytes() const
    {
        return static_cast<size_t>((out_count() - 1) * out_stride + (batch - 1) * out_distance + 1) * out_element();
    }
};

std::map<int, Plan> plans;
int last_plan = 0, plan_failure = 0, run_failure = 0, told_version = 0;
cufft_counts counts;

int misused()
{
    counts.misuse++;
    return INVALID_VALUE;
}

template <class C> complex<double> load(const char *from, bool real)
{
    C part[2] = {0, 0};
    memcpy(part, from, real ? sizeof(C) : sizeof part);
    return {double(part[0]), double(part[1])};
}

template <class C> void store(char *to, complex<double> z, bool real)
{
    const C part[2] = {C(z.real()), C(z.imag())};
    memcpy(to, part, real ? sizeof(C) : sizeof part);
}

template <class C> void transform_line(const Plan &p, const char *in, char *out, const std::vector<complex<double>> &w)
{
    std::vector<complex<double>> x(static_cast<size_t>(p.n)), y(static_cast<size_t>(p.out_count()));
    for (int64_t j = 0; j < p.in_count(); j++) {
        const char *from = in + static_cast<size_t>(j * p.in_stride) * p.in_element();
        simt::checker::read_by("cufftExec", from, p.in_element());
        x[static_cast<size_t>(j)] = load<C>(from, p.from_real());
    }
    if (p.to_real())
        for (int64_t j = 0; j < p.n; j++) {
            const bool alone = j == 0 || 2 * j == p.n;
            if (alone && x[static_cast<size_t>(j)].imag() != 0)
                x[static_cast<size_t>(j)] = NAN;
            if (j >= p.in_count())
                x[static_cast<size_t>(j)] = conj(x[static_cast<size_t>(p.n - j)]);
        }
    for (int64_t k = 0; k < p.out_count(); k++) {
        complex<double> sum = 0;
        for (int64_t j = 0, at = 0; j < p.n; j++) {
            sum += x[static_cast<size_t>(j)] * w[static_cast<size_t>(at)];
            at = at + k < p.n ? at + k : at + k - p.n;
        }
        if (p.from_real() && (k == 0 || 2 * k == p.n))
            sum += complex<double>(0, 1e-9);
        y[static_cast<size_t>(k)] = sum;
    }
    for (int64_t k = 0; k < p.out_count(); k++) {
        char *to = out + static_cast<size_t>(k * p.out_stride) * p.out_element();
        store<C>(to, y[static_cast<size_t>(k)], p.to_real());
        simt::checker::written(to, p.out_element());
    }
}

void carry_out(const Plan &p, char *in, char *out, bool inverse)
{
    std::vector<complex<double>> w(static_cast<size_t>(p.n));
    for (int64_t k = 0; k < p.n; k++)
        w[static_cast<size_t>(k)] =
            std::polar(1.0, (inverse ? 2 : -2) * 3.14159265358979323846 * double(k) / double(p.n));
    if (p.work_size)
        memset(p.area, 0xFF, p.work_size);
    for (int64_t line = 0; line < p.batch; line++) {
        const char *from = in + static_cast<size_t>(line * p.in_distance) * p.in_element();
        char *to = out + static_cast<size_t>(line * p.out_distance) * p.out_element();
        if (p.wide())
            transform_line<double>(p, from, to, w);
        else
            transform_line<float>(p, from, to, w);
    }
    if (p.to_real()) {
        memset(in, 0xFF, p.in_bytes());
        simt::checker::forgotten(in, p.in_bytes());
    }
}

bool apart(const char *a, size_t a_bytes, const char *b, size_t b_bytes)
{
    return a + a_bytes <= b || b + b_bytes <= a;
}

int run(int handle, int type, void *from, void *to, int direction)
{
    cudart::Call call("cufftExec");
    if (call.refused())
        return EXEC_FAILED;
    if (run_failure) {
        counts.failed++;
        return run_failure;
    }
    const auto found = plans.find(handle);
    if (found == plans.end())
        return misused();
    const Plan p = found->second;
    char *in = static_cast<char *>(from), *out = static_cast<char *>(to);
    const cudart::StreamRef stream = cudart::find_stream(p.stream);
    if (!p.made || p.type != type || !stream || p.stream == nullptr || (direction != -1 && direction != 1))
        return misused();
    if (reinterpret_cast<uintptr_t>(in) % p.pair() || reinterpret_cast<uintptr_t>(out) % p.pair() ||
        !simt::heap_holds(in, p.in_bytes()) || !simt::heap_holds(out, p.out_bytes()))
        return misused();
    if (p.work_size &&
        (!p.area || !simt::heap_holds(p.area, p.work_size) || !apart(p.area, p.work_size, in, p.in_bytes()) ||
         !apart(p.area, p.work_size, out, p.out_bytes())))
        return misused();
    const bool in_place =
        in == out && !p.from_real() && !p.to_real() && p.in_stride == p.out_stride && p.in_distance == p.out_distance;
    if (!in_place && !apart(in, p.in_bytes(), out, p.out_bytes()))
        return misused();
    counts.runs++;
    cudart::push(stream, [p, in, out, direction] { carry_out(p, in, out, direction == 1); });
    return SUCCESS;
}

} /* namespace */

cufft_counts cufft_count()
{
    return counts;
}

void cufft_fail(int for_plans, int for_runs)
{
    plan_failure = for_plans;
    run_failure = for_runs;
}

void cufft_set_version(int version)
{
    told_version = version;
}

extern "C" {

RESULT cufftGetVersion(int *version)
{
    *version = told_version ? told_version : 1000 * (CUDART_VERSION / 1000 - 1) + 3;
    return OF(SUCCESS);
}

RESULT cufftCreate(weft__fft_handle *plan)
{
    *plan = ++last_plan;
    plans[*plan] = Plan();
    counts.live++;
    return OF(SUCCESS);
}

RESULT cufftDestroy(weft__fft_handle plan)
{
    if (!plans.erase(plan))
        return OF(misused());
    counts.live--;
    return OF(SUCCESS);
}

RESULT cufftSetStream(weft__fft_handle plan, cudaStream_t stream)
{
    if (!plans.count(plan) || !cudart::find_stream(stream))
        return OF(misused());
    plans[plan].stream = stream;
    return OF(SUCCESS);
}

RESULT cufftSetAutoAllocation(weft__fft_handle plan, int on)
{
    if (!plans.count(plan) || plans[plan].made)
        return OF(misused());
    plans[plan].auto_allocation = on != 0;
    return OF(SUCCESS);
}

RESULT cufftSetWorkArea(weft__fft_handle plan, void *area)
{
    if (!plans.count(plan) || !plans[plan].made)
        return OF(misused());
    plans[plan].area = static_cast<char *>(area);
    return OF(SUCCESS);
}

RESULT cufftMakePlanMany64(weft__fft_handle handle, int rank, long long *n, long long *inembed, long long istride,
                           long long idist, long long *onembed, long long ostride, long long odist, Type type,
                           long long batch, size_t *work_size)
{
    cudart::Call call("cufftMakePlanMany64");
    if (call.refused() || plan_failure) {
        counts.refused++;
        return OF(plan_failure ? plan_failure : EXEC_FAILED);
    }
    if (!plans.count(handle))
        return OF(misused());
    Plan &p = plans[handle];
    /* its own allocations would be outside any budget */
    if (rank != 1 || !inembed || !onembed || p.auto_allocation || p.made || *n < 1 || batch < 1 || istride < 1 ||
        ostride < 1)
        return OF(misused());
    p.n = *n;
    p.type = static_cast<int>(type);
    p.in_stride = istride;
    p.in_distance = idist;
    p.out_stride = ostride;
    p.out_distance = odist;
    p.batch = batch;
    p.work_size = *n % 5 == 0 ? 0 : static_cast<size_t>(16 * *n);
    p.made = true;
    *work_size = p.work_size;
    counts.plans++;
    return OF(SUCCESS);
}

RESULT cufftExecC2C(weft__fft_handle plan, Pairs in, Pairs out, int direction)
{
    return OF(run(plan, WEFT__FFT_C2C, in, out, direction));
}

RESULT cufftExecR2C(weft__fft_handle plan, Reals in, Pairs out)
{
    return OF(run(plan, WEFT__FFT_R2C, in, out, -1));
}

RESULT cufftExecC2R(weft__fft_handle plan, Pairs in, Reals out)
{
    return OF(run(plan, WEFT__FFT_C2R, in, out, 1));
}

RESULT cufftExecZ2Z(weft__fft_handle plan, WidePairs in, WidePairs out, int direction)
{
    return OF(run(plan, WEFT__FFT_Z2Z, in, out, direction));
}

RESULT cufftExecD2Z(weft__fft_handle plan, WideReals in, WidePairs out)
{
    return OF(run(plan, WEFT__FFT_D2Z, in, out, -1));
}

RESULT cufftExecZ2D(weft__fft_handle plan, WidePairs in, WideReals out)
{
    return OF(run(plan, WEFT__FFT_Z2D, in, out, 1));
}

} /* extern "C" */
