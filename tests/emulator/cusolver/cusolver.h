/* cusolver.h - what tests ask of the stand-in for cuSOLVER (WEFT_CUSOLVER=self).
 *
 * It carries out what Weft uses of it, unblocked, on emulated device memory. Handles, streams, leading dimensions, work
 * space and places are checked: a call that misuses them fails and counts as misuse, as does a singular value
 * decomposition with more columns than rows, which cuSOLVER does not do. Vectors have signs as they come. A matrix with
 * a NaN or an infinity never reaches it. */
#ifndef WEFT_TESTS_EMULATOR_CUSOLVER_H
#define WEFT_TESTS_EMULATOR_CUSOLVER_H

struct cusolver_counts {
    long runs, failed; /* calls that compute */
    long misuse;
    long live; /* handles */
};

cusolver_counts cusolver_count();

/* The functions that ask for sizes, and those that compute, return that from now on in place of doing anything; 0: they
 * work. */
void cusolver_fail(int sizes, int runs);

/* Iterations end without a result from now on, and say so in info. */
void cusolver_give_up(bool always);

/* Elements of work space that it asks for beyond what it uses. */
void cusolver_want_more(int elements);

/* What cusolverGetVersion answers; 0: what belongs to the toolkit. */
void cusolver_set_version(int version);

#endif
