/* solver_api.h - the part of cuSOLVER that Weft calls. It is opened at run time and its header is not needed to
 * build, so its types and numbers stand here; the stand-in (tests/emulator/cusolver) compares them with the header
 * where there is one. Matrices by columns, sizes and leading dimensions as int, in device memory like info. */
#ifndef WEFT_CUDA_SOLVER_API_H
#define WEFT_CUDA_SOLVER_API_H

#include <driver_types.h>

typedef void *weft__solver_handle; /* cusolverDnHandle_t */

enum {
    WEFT__SOLVER_SUCCESS = 0, /* of cusolverStatus_t */
    WEFT__SOLVER_UPPER = 1,   /* of cublasFillMode_t */
    WEFT__SOLVER_PLAIN = 0,
    WEFT__SOLVER_TRANSPOSED = 1, /* of cublasOperation_t */
    WEFT__SOLVER_VECTORS = 1     /* of cusolverEigMode_t */
};

/* In the order of WEFT__SOLVER_FUNCTIONS. */
typedef struct weft__solver_api {
    int (*create)(weft__solver_handle *handle);
    int (*destroy)(weft__solver_handle handle);
    int (*set_stream)(weft__solver_handle handle, cudaStream_t stream);
    int (*potrf_size)(weft__solver_handle handle, int uplo, int n, double *a, int lda, int *lwork);
    int (*potrf)(weft__solver_handle handle, int uplo, int n, double *a, int lda, double *work, int lwork, int *info);
    int (*getrf_size)(weft__solver_handle handle, int m, int n, double *a, int lda, int *lwork);
    int (*getrf)(weft__solver_handle handle, int m, int n, double *a, int lda, double *work, int *pivots, int *info);
    int (*getrs)(weft__solver_handle handle, int trans, int n, int k, const double *a, int lda, const int *pivots,
                 double *b, int ldb, int *info);
    int (*geqrf_size)(weft__solver_handle handle, int m, int n, double *a, int lda, int *lwork);
    int (*geqrf)(weft__solver_handle handle, int m, int n, double *a, int lda, double *tau, double *work, int lwork,
                 int *info);
    int (*orgqr_size)(weft__solver_handle handle, int m, int n, int k, const double *a, int lda, const double *tau,
                      int *lwork);
    int (*orgqr)(weft__solver_handle handle, int m, int n, int k, double *a, int lda, const double *tau, double *work,
                 int lwork, int *info);
    int (*syevd_size)(weft__solver_handle handle, int jobz, int uplo, int n, const double *a, int lda, const double *w,
                      int *lwork);
    int (*syevd)(weft__solver_handle handle, int jobz, int uplo, int n, double *a, int lda, double *w, double *work,
                 int lwork, int *info);
    int (*gesvd_size)(weft__solver_handle handle, int m, int n, int *lwork); /* m >= n */
    int (*gesvd)(weft__solver_handle handle, signed char jobu, signed char jobvt, int m, int n, double *a, int lda,
                 double *s, double *u, int ldu, double *vt, int ldvt, double *work, int lwork, double *rwork,
                 int *info);
} weft__solver_api;

#define WEFT__SOLVER_FUNCTIONS                                                                                         \
    "cusolverDnCreate", "cusolverDnDestroy", "cusolverDnSetStream", "cusolverDnDpotrf_bufferSize", "cusolverDnDpotrf", \
        "cusolverDnDgetrf_bufferSize", "cusolverDnDgetrf", "cusolverDnDgetrs", "cusolverDnDgeqrf_bufferSize",          \
        "cusolverDnDgeqrf", "cusolverDnDorgqr_bufferSize", "cusolverDnDorgqr", "cusolverDnDsyevd_bufferSize",          \
        "cusolverDnDsyevd", "cusolverDnDgesvd_bufferSize", "cusolverDnDgesvd"

#endif
