/* cufft.h - what tests ask of the stand-in for cuFFT (WEFT_CUFFT=self).
 *
 * It carries out what Weft uses of it, by the definition of the transform, on emulated device memory. Arrays, work
 * areas, strides, alignment and streams are checked, a call that misuses them fails and counts as misuse. What cuFFT
 * does not promise is not given: the imaginary ends of half a spectrum are not quite 0, a transform to real numbers
 * ruins its input, and one whose ends have an imaginary part gives NaN. */
#ifndef WEFT_TESTS_EMULATOR_CUFFT_H
#define WEFT_TESTS_EMULATOR_CUFFT_H

struct cufft_counts {
    long plans, refused; /* asked for: made, and not */
    long runs, failed;
    long misuse;
    long live; /* plans */
};

cufft_counts cufft_count();

/* What cufftMakePlanMany64 and the cufftExec functions return from now on in place of doing anything; 0: they work. */
void cufft_fail(int plans, int runs);

/* What cufftGetVersion answers; 0: what belongs to the toolkit. */
void cufft_set_version(int version);

#endif
