/* cusolver.cpp - see cusolver.h: the interface, and what it checks. */
#include "cusolver.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <set>
#include <vector>
#include "../cudart/runtime.h"
#include "../simt/checker.h"
#include "../simt/heap.h"
#include "algorithms.h"
#include "cuda/solver_api.h"
#include <cuda_runtime_api.h>

/* With the real header the functions below must have its types, or they do not compile. */
#if __has_include(<cusolverDn.h>)
#include <cusolverDn.h>
static_assert(int(WEFT__SOLVER_SUCCESS) == CUSOLVER_STATUS_SUCCESS && int(WEFT__SOLVER_UPPER) == CUBLAS_FILL_MODE_UPPER,
              "");
static_assert(int(WEFT__SOLVER_PLAIN) == CUBLAS_OP_N && int(WEFT__SOLVER_TRANSPOSED) == CUBLAS_OP_T &&
                  int(WEFT__SOLVER_VECTORS) == CUSOLVER_EIG_MODE_VECTOR,
              "");
#define RESULT cusolverStatus_t CUSOLVERAPI
#define OF(status) static_cast<cusolverStatus_t>(status)
typedef cusolverDnHandle_t Handle;
typedef cublasFillMode_t Fill;
typedef cublasOperation_t Operation;
typedef cusolverEigMode_t Mode;
#else
#define RESULT int
#define OF(status) (status)
typedef void *Handle;
typedef int Fill, Operation, Mode;
#endif

namespace
{

enum { SUCCESS = 0, INVALID_VALUE = 3, EXECUTION_FAILED = 6 };

struct State {
    cudaStream_t stream = nullptr;
};

std::set<State *> handles;
cusolver_counts counts;
int size_failure = 0, run_failure = 0, told_version = 0, more = 0;
bool gives_up = false;

State *state_of(Handle handle)
{
    State *s = reinterpret_cast<State *>(handle);
    return handles.count(s) ? s : nullptr;
}

int misused()
{
    counts.misuse++;
    return INVALID_VALUE;
}

/* A place in device memory that a call uses. */
struct Place {
    const void *start;
    size_t bytes;
    bool read;
};

template <class T> Place place(const T *start, int64_t count, bool read = false)
{
    return {start, static_cast<size_t>(count) * sizeof(T), read};
}

/* m by n by columns */
Place matrix(const double *a, int m, int n, int lda, bool read)
{
    return place(a, int64_t(n - 1) * lda + m, read);
}

bool are_fine(const std::vector<Place> &places)
{
    for (size_t k = 0; k < places.size(); k++) {
        const Place &p = places[k];
        if (p.bytes && !simt::heap_holds(p.start, p.bytes))
            return false;
        for (size_t j = 0; j < k; j++) {
            const char *a = static_cast<const char *>(p.start), *b = static_cast<const char *>(places[j].start);
            if (p.bytes && places[j].bytes && a < b + places[j].bytes && b < a + p.bytes)
                return false;
        }
    }
    return true;
}

int size_of(Handle handle, bool fine, int answer, int *lwork)
{
    if (size_failure)
        return size_failure;
    if (!state_of(handle) || !fine)
        return misused();
    *lwork = answer + more;
    return SUCCESS;
}

/* Queues work, after looking at the places; the last but one is the work space, which is ruined, the last is info. */
int run(Handle handle, bool fine, const std::vector<Place> &places, std::function<int()> work)
{
    cudart::Call call("cusolverDn");
    if (call.refused())
        return EXECUTION_FAILED;
    if (run_failure) {
        counts.failed++;
        return run_failure;
    }
    const State *s = state_of(handle);
    const cudart::StreamRef stream = s && s->stream ? cudart::find_stream(s->stream) : nullptr;
    if (!fine || !stream || !are_fine(places))
        return misused();
    counts.runs++;
    cudart::push(stream, [places, work] {
        for (const Place &p : places)
            if (p.read)
                simt::checker::read_by("cusolverDn", p.start, p.bytes);
        const Place &room = places[places.size() - 2], &info = places.back();
        if (room.bytes)
            memset(const_cast<void *>(room.start), 0xFF, room.bytes);
        const int answer = work();
        memcpy(const_cast<void *>(info.start), &answer, sizeof answer);
        for (size_t k = 0; k < places.size(); k++)
            if (places[k].bytes && k + 2 != places.size())
                simt::checker::written(const_cast<void *>(places[k].start), places[k].bytes);
    });
    return SUCCESS;
}

} /* namespace */

cusolver_counts cusolver_count()
{
    return counts;
}

void cusolver_fail(int sizes, int runs)
{
    size_failure = sizes;
    run_failure = runs;
}

void cusolver_give_up(bool always)
{
    gives_up = always;
}

void cusolver_want_more(int elements)
{
    more = elements;
}

void cusolver_set_version(int version)
{
    told_version = version;
}

extern "C" {

RESULT cusolverGetVersion(int *version)
{
    *version = told_version ? told_version : 1000 * (CUDART_VERSION / 1000 - 1) + 4;
    return OF(SUCCESS);
}

RESULT cusolverDnCreate(Handle *handle)
{
    State *s = new State;
    handles.insert(s);
    counts.live++;
    *handle = reinterpret_cast<Handle>(s);
    return OF(SUCCESS);
}

RESULT cusolverDnDestroy(Handle handle)
{
    State *s = state_of(handle);
    if (!s)
        return OF(misused());
    handles.erase(s);
    counts.live--;
    delete s;
    return OF(SUCCESS);
}

RESULT cusolverDnSetStream(Handle handle, cudaStream_t stream)
{
    if (!state_of(handle) || !cudart::find_stream(stream))
        return OF(misused());
    state_of(handle)->stream = stream;
    return OF(SUCCESS);
}

RESULT cusolverDnDpotrf_bufferSize(Handle handle, Fill uplo, int n, double *, int lda, int *lwork)
{
    return OF(size_of(handle, n > 0 && lda >= n && uplo == Fill(WEFT__SOLVER_UPPER), 3 * n, lwork));
}

RESULT cusolverDnDpotrf(Handle handle, Fill uplo, int n, double *a, int lda, double *work, int lwork, int *info)
{
    return OF(run(handle, n > 0 && lda >= n && uplo == Fill(WEFT__SOLVER_UPPER) && lwork >= 3 * n,
                  {matrix(a, n, n, lda, true), place(work, lwork), place(info, 1)},
                  [=] { return cusolver::potrf(n, a, lda); }));
}

RESULT cusolverDnDgetrf_bufferSize(Handle handle, int m, int n, double *, int lda, int *lwork)
{
    return OF(size_of(handle, m > 0 && n == m && lda >= n, 4 * n, lwork));
}

RESULT cusolverDnDgetrf(Handle handle, int m, int n, double *a, int lda, double *work, int *pivots, int *info)
{
    return OF(run(handle, m > 0 && n == m && lda >= n && pivots,
                  {matrix(a, n, n, lda, true), place(pivots, n), place(work, 4 * n), place(info, 1)},
                  [=] { return cusolver::getrf(n, a, lda, pivots); }));
}

RESULT cusolverDnDgetrs(Handle handle, Operation trans, int n, int k, const double *a, int lda, const int *pivots,
                        double *b, int ldb, int *info)
{
    const bool transposed = trans == Operation(WEFT__SOLVER_TRANSPOSED);
    return OF(run(
        handle, n > 0 && k > 0 && lda >= n && ldb >= n && (transposed || trans == Operation(WEFT__SOLVER_PLAIN)),
        {matrix(a, n, n, lda, true), place(pivots, n, true), matrix(b, n, k, ldb, true), place(b, 0), place(info, 1)},
        [=] {
            cusolver::getrs(transposed, n, k, a, lda, pivots, b, ldb);
            return 0;
        }));
}

RESULT cusolverDnDgeqrf_bufferSize(Handle handle, int m, int n, double *, int lda, int *lwork)
{
    return OF(size_of(handle, m > 0 && n > 0 && lda >= m, 2 * n, lwork));
}

RESULT cusolverDnDgeqrf(Handle handle, int m, int n, double *a, int lda, double *tau, double *work, int lwork,
                        int *info)
{
    return OF(run(handle, m > 0 && n > 0 && lda >= m && lwork >= 2 * n,
                  {matrix(a, m, n, lda, true), place(tau, std::min(m, n)), place(work, lwork), place(info, 1)}, [=] {
                      cusolver::geqrf(m, n, a, lda, tau);
                      return 0;
                  }));
}

RESULT cusolverDnDorgqr_bufferSize(Handle handle, int m, int n, int k, const double *, int lda, const double *,
                                   int *lwork)
{
    return OF(size_of(handle, m >= n && n >= k && k > 0 && lda >= m, 5 * n, lwork));
}

RESULT cusolverDnDorgqr(Handle handle, int m, int n, int k, double *a, int lda, const double *tau, double *work,
                        int lwork, int *info)
{
    return OF(run(handle, m >= n && n >= k && k > 0 && lda >= m && lwork >= 5 * n,
                  {matrix(a, m, n, lda, true), place(tau, k, true), place(work, lwork), place(info, 1)}, [=] {
                      cusolver::orgqr(m, n, k, a, lda, tau);
                      return 0;
                  }));
}

RESULT cusolverDnDsyevd_bufferSize(Handle handle, Mode jobz, Fill uplo, int n, const double *, int lda, const double *,
                                   int *lwork)
{
    return OF(size_of(handle,
                      n > 0 && lda >= n && jobz == Mode(WEFT__SOLVER_VECTORS) && uplo == Fill(WEFT__SOLVER_UPPER),
                      n * n + 1, lwork));
}

RESULT cusolverDnDsyevd(Handle handle, Mode jobz, Fill uplo, int n, double *a, int lda, double *w, double *work,
                        int lwork, int *info)
{
    const bool fine = n > 0 && lda >= n && jobz == Mode(WEFT__SOLVER_VECTORS) && uplo == Fill(WEFT__SOLVER_UPPER) &&
                      lwork >= n * n + 1;
    return OF(run(handle, fine, {matrix(a, n, n, lda, true), place(w, n), place(work, lwork), place(info, 1)}, [=] {
        if (gives_up)
            return 1;
        cusolver::syevd(n, a, lda, w);
        return 0;
    }));
}

RESULT cusolverDnDgesvd_bufferSize(Handle handle, int m, int n, int *lwork)
{
    return OF(size_of(handle, m >= n && n > 0, m + n, lwork));
}

RESULT cusolverDnDgesvd(Handle handle, signed char jobu, signed char jobvt, int m, int n, double *a, int lda, double *s,
                        double *u, int ldu, double *vt, int ldvt, double *work, int lwork, double *, int *info)
{
    const bool fine =
        jobu == 'S' && jobvt == 'S' && m >= n && n > 0 && lda >= m && ldu >= m && ldvt >= n && lwork >= m + n;
    return OF(run(handle, fine,
                  {matrix(a, m, n, lda, true), place(s, n), matrix(u, m, n, ldu, false), matrix(vt, n, n, ldvt, false),
                   place(work, lwork), place(info, 1)},
                  [=] {
                      if (gives_up)
                          return n;
                      cusolver::gesvd(m, n, a, lda, s, u, ldu, vt, ldvt);
                      return 0;
                  }));
}

} /* extern "C" */
