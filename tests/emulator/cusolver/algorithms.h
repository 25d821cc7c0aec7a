/* algorithms.h - the stand-in's linear algebra: matrices by columns in double, as LAPACK's routines of the same names
 * have them. Golub and Van Loan, Matrix Computations: 3.4, 4.2, 5.2, 8.5, 8.6.3. */
#ifndef WEFT_TESTS_EMULATOR_CUSOLVER_ALGORITHMS_H
#define WEFT_TESTS_EMULATOR_CUSOLVER_ALGORITHMS_H

namespace cusolver
{

/* The upper triangle; what is below it is not touched. Results as LAPACK's info. */
int potrf(int n, double *a, int lda);
int getrf(int n, double *a, int lda, int *pivots);
/* a x = b, or a^T x = b */
void getrs(bool transposed, int n, int k, const double *a, int lda, const int *pivots, double *b, int ldb);
void geqrf(int m, int n, double *a, int lda, double *tau);
void orgqr(int m, int n, int k, double *a, int lda, const double *tau);
/* Of the upper triangle; a becomes the vectors. */
void syevd(int n, double *a, int lda, double *w);
/* m >= n; u [m, n], vt [n, n] */
void gesvd(int m, int n, double *a, int lda, double *s, double *u, int ldu, double *vt, int ldvt);

} /* namespace cusolver */

#endif
