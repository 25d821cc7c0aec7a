/* test_work.c - operations and bytes, the figures that profile and benches divide by seconds. First what each public
 * row's samples cost, written down as sums of sizes; then every launch that they lead to, forward and backward, against
 * its arrays, counted address by address. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "engine/observe.h"
#include "base/op_def.h"
#include "harness/structs.h"
#include "harness/weft_test.h"
#include "ops/sample.h"
#include "profile/profile.h"
#include "samples/layout.h"

/* Every size another: a, b, c and d. */
#define LOG2_5 2.321928094887362348
#define LOG2_7 2.807354922057604107
#define LOG2_9 3.169925001442312363

enum { A = 5, B = 7, C = 3, D = 2, AB = A * B, ABCD = A * B * C * D };

/* ---- Each row's samples ---- */

typedef struct cost {
    const char *rows; /* names with a space before and behind each */
    int recipe;
    double flops;   /* 2 for a multiply-add of products, else 1 for each element of the largest operand or result */
    double f32s;    /* elements of four bytes, read and written */
    double indices; /* of eight bytes */
    double bools;   /* of one */
} cost;

/* By family, for the rows whose recipes are the family's. */
static const cost of_family[][3] = {
    [WEFT__UNARY] = {{"", 0, AB, AB + AB, 0, 0}},
    [WEFT__UNARY_P] = {{"", 0, AB, AB + AB, 0, 0}},
    [WEFT__PREDICATE] = {{"", 0, AB, AB, 0, AB}},
    [WEFT__BINARY] = {{"", 0, AB, AB + AB + AB, 0, 0}, {"", 1, AB, A *B + B + AB, 0, 0}},
    [WEFT__COMPARE] = {{"", 0, AB, AB + AB, 0, AB}, {"", 1, AB, A *B + B, 0, AB}},
    [WEFT__INTEGER] = {{"", 0, AB, 0, AB + AB + AB, 0}, {"", 1, AB, 0, A *B + B + AB, 0}},
    [WEFT__TERNARY] = {{"", 0, AB, AB + AB + AB, 0, AB}, {"", 1, AB, A *B + 1 + AB, 0, B}},
    [WEFT__VIEW] = {{"", 0, 0, 0, 0, 0}, {"", 1, 0, 0, 0, 0}},
};

static const cost of_rows[] = {
    {" sum mean prod max_over min_over logsumexp norm ", 0, AB, AB + A, 0, 0},
    {" sum mean prod max_over min_over logsumexp norm ", 1, A * 5 * B, A * 5 * B + 5, 0, 0},
    {" sum mean prod max_over min_over logsumexp norm ", 2, AB, AB + 1, 0, 0},
    {" argmax argmin ", 0, AB, AB, A, 0},
    {" argmax argmin ", 1, A * 5 * B, A * 5 * B, 5, 0},
    {" argmax argmin ", 2, AB, AB, 1, 0},
    {" any all ", 0, AB, AB, 0, A},
    {" any all ", 1, A * 5 * B, A * 5 * B, 0, 5},
    {" any all ", 2, AB, AB, 0, 1},
    {" max_with_index min_with_index ", 0, AB, AB + A, A, 0},
    {" max_with_index min_with_index ", 1, A * 5 * B, A * 5 * B + AB, AB, 0},
    {" max_with_index min_with_index ", 2, AB, AB + A, A, 0},
    /* each pair once, its mean or itself */
    {" l1_loss smooth_l1_loss quantile_loss bce soft_margin_loss hinge_embedding_loss focal_loss kl_div "
     "poisson_nll_loss ",
     0, AB, AB + AB + 1, 0, 0},
    {" l1_loss smooth_l1_loss quantile_loss bce soft_margin_loss hinge_embedding_loss focal_loss kl_div "
     "poisson_nll_loss ",
     1, AB, 3 * AB, 0, 0},
    {" gaussian_nll_loss margin_ranking_loss ", 0, AB, 3 * AB + 1, 0, 0},
    {" gaussian_nll_loss margin_ranking_loss ", 1, AB, 4 * AB, 0, 0},
    {" std nansum nanmean ", 0, AB, AB + A, 0, 0},
    {" std nansum nanmean ", 1, A * 5 * B, A * 5 * B + 5, 0, 0},
    {" std nansum nanmean ", 2, AB, AB + 1, 0, 0},
    {" vector_norm ", 0, AB, AB + A, 0, 0},
    {" vector_norm ", 1, A * 5 * B, A * 5 * B + 5, 0, 0},
    {" vector_norm ", 2, AB, AB + 1, 0, 0},
    {" count_nonzero ", 0, AB, AB, A, 0},
    {" count_nonzero ", 1, A * 5 * B, A * 5 * B, 5, 0},
    {" count_nonzero ", 2, AB, AB, 1, 0},
    {" triplet_margin_loss ", 0, AB, 3 * AB + 1, 0, 0},
    {" triplet_margin_loss ", 1, AB, 3 * AB + A, 0, 0},
    {" cosine_embedding_loss ", 0, AB, 2 * AB + A + 1, 0, 0},
    {" cosine_embedding_loss ", 1, AB, 2 * AB + A + A, 0, 0},

    {" lerp addcmul addcdiv ", 0, AB, 4 * AB, 0, 0},
    {" lerp ", 1, AB, AB + B + 1 + AB, 0, 0},
    {" isclose ", 0, AB, 2 * AB, 0, AB},
    {" nan_to_num ", 0, AB, 2 * AB, 0, 0},
    {" prelu ", 0, AB, AB + B + AB, 0, 0},
    {" prelu ", 1, AB *C, AB *C + 1 + AB *C, 0, 0},
    {" masked_fill ", 0, AB, 2 * AB, 0, AB},
    {" masked_fill ", 1, AB, 2 * AB, 0, B},
    {" glu ", 0, 4 * A, 4 * A + 2 * A, 0, 0},
    {" glu ", 1, 2 * B, 2 * B + B, 0, 0},
    {" swiglu ", 0, AB, 3 * AB, 0, 0},
    {" diff ", 0, AB, AB + A *(B - 1), 0, 0},
    {" diff ", 1, AB, AB + (A - 1) * B, 0, 0},

    {" roll ", 0, 0, 2 * AB, 0, 0},
    {" roll ", 1, 0, 2 * AB, 0, 0},
    {" tile ", 0, 0, AB + 6 * AB, 0, 0},
    {" tile ", 1, 0, B + 4 * B, 0, 0},
    {" repeat_interleave ", 0, 0, AB + 2 * AB, 0, 0},
    {" repeat_interleave ", 1, 0, AB + 3 * AB, 0, 0},
    {" tril triu ", 0, 0, 2 * AB, 0, 0},
    {" tril triu ", 1, 0, 2 * AB *C, 0, 0},
    {" diagonal ", 0, 0, AB + A, 0, 0},
    {" diagonal ", 1, 0, 3 * 4 * 5 * A + 4 * 5 * 2, 0,
     0}, /* of 5 rows and 3 columns: the one above the main one has 2 */
    {" diag_embed ", 0, 0, AB * 5 + AB * 25, 0, 0},
    {" diag_embed ", 1, 0, 7 + 49, 0, 0},
    {" trace ", 0, AB, AB + 1, 0, 0},
    {" one_hot ", 0, 0, 0, AB + 5 * AB, 0},
    {" movedim unflatten ", 0, 0, 0, 0, 0},
    {" rot90 ", 0, 0, 2 * AB, 0, 0},
    {" rot90 ", 1, 0, 2 * AB *C, 0, 0},
    {" pixel_shuffle ", 0, 0, 2 * 8 * AB, 0, 0}, /* sizes are single digits: 1, 8, a, b and 2, 9, 4, 3 */
    {" pixel_shuffle ", 1, 0, 2 * 2 * 9 * 4 * 3, 0, 0},
    {" pixel_unshuffle ", 0, 0, 2 * AB * 4 * 6, 0, 0},
    {" pixel_unshuffle ", 1, 0, 2 * 2 * 1 * 6 * 3, 0, 0},
    {" channel_shuffle ", 0, 0, 2 * A * 6 * B, 0, 0},
    {" channel_shuffle ", 1, 0, 2 * 2 * 6 * AB, 0, 0},

    {" group_norm ", 0, A * 6 * B, 2 * A * 6 * B + 6 + 6, 0, 0},
    {" group_norm ", 1, 2 * 4 * AB, 2 * 2 * 4 * AB + 4 + 4, 0, 0},
    {" instance_norm ", 0, 2 * AB * 5, 2 * 2 * AB * 5 + A + A, 0, 0},
    {" local_response_norm ", 0, A * 5 * B, 2 * A * 5 * B, 0, 0},
    {" local_response_norm ", 1, 2 * AB * 5, 2 * 2 * AB * 5, 0, 0},
    {" weight_norm ", 0, AB, 2 * AB + A, 0, 0},
    {" weight_norm ", 1, AB *C, 2 * AB *C + B, 0, 0},
    {" normalize ", 0, AB, 2 * AB, 0, 0},
    {" normalize ", 1, AB, 2 * AB, 0, 0},
    {" cosine_similarity ", 0, AB, 2 * AB + A, 0, 0},
    {" cosine_similarity ", 1, AB, 2 * AB + B, 0, 0},
    {" pairwise_distance ", 0, AB, 2 * AB + A, 0, 0},
    {" cdist ", 0, 3 * A * 5 * B, AB + 5 * B + 5 * A, 0, 0},
    {" cdist ", 1, 3 * 2 * A * 3 * B, 2 * AB + 3 * B + 2 * A * 3, 0, 0},

    {" interpolate ", 0, A * 9, AB + A * 9, 0, 0},
    {" interpolate ", 1, AB, AB + 5 * 4, 0, 0},
    {" interpolate ", 2, A * 5 * 7, A * 2 * 3 + A * 5 * 7, 0, 0},
    /* 5 n log2 n of n complex numbers, half of it of real ones */
    {" fft ", 0, 5 * AB *LOG2_7, 4 * AB, 0, 0},
    {" fft ", 1, 5 * AB *LOG2_5, 4 * AB, 0, 0},
    {" fft ", 2, 5 * AB *C *LOG2_7, 4 * AB *C, 0, 0},
    {" rfft ", 0, 2.5 * AB *LOG2_7, AB + A * 4 * 2, 0, 0},
    {" rfft ", 1, 2.5 * AB *LOG2_5, AB + 3 * B * 2, 0, 0},
    {" rfft ", 2, 2.5 * AB *C *LOG2_7, AB *C + A * 4 * C * 2, 0, 0},
    {" irfft ", 0, 2.5 * A * 8 * 3, A * 10 + A * 8, 0, 0},
    {" irfft ", 1, 2.5 * A * 9 * LOG2_9, A * 10 + A * 9, 0, 0},
    {" irfft ", 2, 2.5 * 8 * B * 3, 10 * B + 8 * B, 0, 0},
    {" ifft fftn ifftn ", 0, 2 * AB, 4 * AB, 0, 0},
    {" ifft fftn ifftn ", 1, 2 * AB, 4 * AB, 0, 0},
    {" fftn ", 2, 2 * AB, 4 * AB, 0, 0},
    {" rfftn ", 0, A * 4 * 2, AB + A * 4 * 2, 0, 0},
    {" rfftn ", 1, 3 * B * 2, AB + 3 * B * 2, 0, 0},
    {" irfftn ", 0, A * 10, A * 10 + A * 8, 0, 0},
    {" irfftn ", 1, A * 10, A * 10 + A * 9, 0, 0},
    {" fftshift ifftshift ", 0, 0, AB + AB, 0, 0},
    {" fftshift ifftshift ", 1, 0, AB + AB, 0, 0},
    {" stft ", 0, A * 18, A * 9 + 4 + A * 18, 0, 0},
    {" stft ", 1, 18, 9 + 5 + 18, 0, 0},
    {" istft ", 0, A * 18, A * 18 + 4 + A * 8, 0, 0},
    {" istft ", 1, 24, 24 + 5 + 6, 0, 0},
    {" complex_mul ", 0, 2 * AB, 6 * AB, 0, 0},
    {" complex_mul ", 1, 2 * AB, 2 * AB + 2 * B + 2 * AB, 0, 0},
    {" complex_abs ", 0, 2 * AB, 2 * AB + AB, 0, 0},
    {" pad_mode ", 0, 0, AB + (A + 3) * (B + 2), 0, 0},
    {" pad_mode ", 1, 0, AB + A *(B + 3), 0, 0},
    {" pad_mode ", 2, 0, AB + A *(B + 3), 0, 0},
    {" conv1d ", 0, 2 * (2 * B * 5) * (A * 3), 2 * A * 9 + B *A * 3 + B + 2 * B * 5, 0, 0},
    {" conv1d ", 1, 2 * (2 * 6 * (A - 2)) * (2 * 3), 2 * 4 * A + 6 * 2 * 3 + 2 * 6 * (A - 2), 0, 0},
    {" conv1d_transpose ", 0, 2 * (2 * A * 9) * (B * 3), 2 * A * 9 + A *B * 3 + B + 2 * B * 18, 0, 0},
    {" conv1d_transpose ", 1, 2 * (2 * 4 * A) * (3 * 3), 2 * 4 * A + 4 * 3 * 3 + 2 * 6 * (A + 2), 0, 0},
    {" max_pool1d avg_pool1d ", 0, 2 * A * 8, 2 * A * 8 + 2 * A * 4, 0, 0},
    {" max_pool1d avg_pool1d ", 1, 2 * 3 * 9, 2 * 3 * 9 + 2 * 3 * 5, 0, 0},
    {" lp_pool2d ", 0, 2 * A * 6 * 8, 2 * A * 6 * 8 + 2 * A * 3 * 4, 0, 0},
    {" attention_with_bias ", 0, 2 * AB *C * 5 + 2 * AB * 4 * 5, AB *C + A * 5 * C + A * 5 * 4 + B * 5 + AB * 4, 0, 0},
    {" attention_with_bias ", 1, 2 * 2 * AB *C * 5 + 2 * 2 * AB * 4 * 5,
     2 * AB *C + A * 5 * C + A * 5 * 4 + 2 * AB * 5 + 2 * AB * 4, 0, 0},
    {" rotary_embedding ", 0, 2 * AB * 6, 2 * 2 * AB * 6 + 2 * B * 6, 0, 0},
    {" sparsemax ", 0, AB, 2 * AB, 0, 0},
    {" sparsemax ", 1, AB *C, 2 * AB *C, 0, 0},
    {" affine_grid ", 0, 2 * A * 40 * 3, A * 6 + A * 40, 0, 0},
    {" affine_grid ", 1, 2 * 144 * 4, 24 + 144, 0, 0},
    {" grid_sample ", 0, 8 * 2 * A *B * 3, 2 * A * 20 + 2 * B * 6 + 2 * A *B * 3, 0, 0},
    {" grid_sample ", 1, 8 * 36, 72 + 24 + 36, 0, 0},
    {" embedding_bag ", 0, 7 * B, 7 * B + 7 + 4 * B, 7, 0}, /* the rows that are named */
    {" max_pool3d avg_pool3d ", 0, 2 * A * 96, 2 * A * 96 + 2 * A * 12, 0, 0},
    {" max_pool3d avg_pool3d ", 1, 180, 180 + 48, 0, 0},
    {" adaptive_max_pool ", 0, AB * 35, AB * 35 + AB * 6, 0, 0},
    {" adaptive_max_pool ", 1, AB, AB + A * 2, 0, 0},
    {" max_pool2d_with_index ", 0, 2 * A * 24, 2 * A * 24 + 2 * A * 6, 2 * A * 6, 0},
    {" max_pool2d_with_index ", 1, 432, 432 + 150, 150, 0},
    {" max_unpool2d ", 0, 2 * A * 9, 2 * A * 4 + 2 * A * 9, 2 * A * 4, 0},
    {" max_pool ", 0, AB * 9, AB * 9 + AB * 4, 0, 0},
    {" avg_pool lp_pool ", 0, AB * 9, AB * 9 + AB * 5, 0, 0},
    {" max_pool avg_pool lp_pool ", 1, A * 35, A * 35 + A * 3 * 4, 0, 0},
    {" interpolate_antialias ", 0, A * 9, A * 9 + A * 4, 0, 0},
    {" interpolate_antialias ", 1, A * 56, A * 56 + A * 15, 0, 0},
    {" conv3d ", 0, 2 * (2 * B * 80) * (A * 18), 2 * A * 60 + B *A * 18 + B + 2 * B * 80, 0, 0},
    {" conv3d ", 1, 2 * 72 * (2 * 8), 4 * 90 + 6 * 16 + 72, 0, 0},
    {" conv3d_transpose ", 0, 2 * (2 * A * 24) * (B * 18), 2 * A * 24 + A *B * 18 + B + 2 * B * 54, 0, 0},
    {" conv3d_transpose ", 1, 2 * (4 * 18) * (3 * 8), 4 * 18 + 4 * 24 + 6 * 140, 0, 0},
    /* steps times both matrices */
    {" rnn_cell ", 0, 2 * 2 * (3 * A + 9), 2 * A + 6 + 3 * A + 9 + 6 + 6, 0, 0},
    {" rnn_cell ", 1, 2 * 2 * (12 + 16), 6 + 8 + 12 + 16 + 8, 0, 0},
    {" gru_cell ", 0, 2 * 2 * (9 * A + 27), 2 * A + 6 + 9 * A + 27 + 18 + 6, 0, 0},
    {" gru_cell ", 1, 2 * 2 * (18 + 12), 6 + 4 + 18 + 12 + 4, 0, 0},
    {" lstm_cell ", 0, 2 * 2 * (8 * A + 16), 2 * A + 8 + 8 * A + 16 + 16 + 8, 0, 0},
    {" lstm_cell ", 1, 2 * 3 * (24 + 16), 9 + 12 + 24 + 16 + 12, 0, 0},
    {" rnn ", 0, 2 * 6 * (3 * A + 9), 6 * A + 6 + 3 * A + 9 + 6 + 18 + 6, 0, 0},
    {" rnn ", 1, 2 * 6 * (2 * 15 + 2 * 27), 12 + 24 + 2 * 21 + 2 * 33 + 36 + 24, 0, 0},
    {" gru ", 0, 2 * 6 * (9 * A + 27), 6 * A + 6 + 9 * A + 27 + 18 + 18 + 6, 0, 0},
    {" gru ", 1, 2 * 6 * (2 * 24 + 2 * 36), 12 + 2 * 24 + 2 * 36 + 24 + 16, 0, 0},
    {" lstm ", 0, 2 * 6 * (8 * A + 16), 6 * A + 8 + 8 * A + 16 + 16 + 12 + 8, 0, 0},
    {" lstm ", 1, 2 * 6 * (2 * 12), 12 + 8 + 24 + 12 + 8, 0, 0},
    {" ctc_loss ", 0, 3 * 6 * 2 * 7, 12 * A + 1, 6, 0}, /* 3 labels: 7 places */
    {" multi_margin_loss ", 0, AB, AB + 1, A, 0},
    {" multi_margin_loss ", 1, AB, AB + A, A, 0},
    {" multilabel_margin_loss ", 0, 9 * A, 9 * A + 1, 9 * A, 0},
    {" multilabel_margin_loss ", 1, 9 * A, 9 * A + A, 9 * A, 0},
    {" multilabel_soft_margin_loss ", 0, AB, 2 * AB + 1, 0, 0},
    {" multilabel_soft_margin_loss ", 1, AB, 2 * AB + A, 0, 0},
    {" box_iou generalized_box_iou ", 0, AB, 4 * A + 4 * B + AB, 0, 0},
    {" box_iou generalized_box_iou ", 1, 8 * A, 8 * A + 24 + 6 * A, 0, 0},
    {" box_decode ", 0, 4 * A, 12 * A, 0, 0},
    {" box_decode ", 1, 4 * AB, 12 * AB, 0, 0},
    {" nms ", 0, 4 * A, 5 * A, 5, 0}, /* none of the sample's boxes overlap by half */
    {" outer ", 0, AB, A + B + AB, 0, 0},
    {" dot ", 0, 2 * A, A + A + 1, 0, 0},
    {" dot ", 1, 2 * B, B + B + 1, 0, 0},
    {" kron ", 0, 6 * AB, AB + 6 + 6 * AB, 0, 0},
    {" kron ", 1, AB, A + B + AB, 0, 0},
    {" tensordot ", 0, 2 * AB * 3, AB + 3 * B + 3 * A, 0, 0},
    {" tensordot ", 1, 2 * A *B * 2 * 5, 2 * AB + B * 2 * 5 + A * 5, 0, 0},
    {" addmm ", 0, 2 * A * 4 * B, AB + 4 * A + 4 * B + AB, 0, 0},
    {" addmm ", 1, 2 * A * 4 * B, B + 4 * A + 4 * B + AB, 0, 0},
    /* Matrices of 4 x 4, 5 x 5 ... in single digits, A of them. LU takes 2 n^3 / 3, a triangle n^2 for each column. */
    {" cholesky ", 0, A *(64.0 / 3), 2 * A * 16, 0, 0},
    {" cholesky ", 1, 125.0 / 3, 2 * 25, 0, 0},
    {" triangular_solve ", 0, A * 16 * 3, A * 16 + 2 * A * 12, 0, 0},
    {" triangular_solve ", 1, A * 9 * 2, 9 + 2 * A * 6, 0, 0},
    {" triangular_solve ", 2, 16 * 4, 16 + 2 * 16, 0, 0},
    {" triangular_solve ", 3, 25 * 3, 25 + 2 * 15, 0, 0},
    {" cholesky_solve ", 0, 2 * A * 16 * 3, A * 16 + 2 * A * 12, 0, 0},
    {" cholesky_solve ", 1, 2 * A * 9 * 2, 9 + 2 * A * 6, 0, 0},
    {" solve ", 0, A *(128.0 / 3 + 2 * 16 * 3), A * 16 + 2 * A * 12, 0, 0},
    {" solve ", 1, A *(54.0 / 3 + 2 * 9 * 2), 9 + 2 * A * 6, 0, 0},
    {" solve ", 2, 250.0 / 3 + 2 * 25, 25 + 2 * 5, 0, 0},
    {" inverse cofactor ", 0, A * 2 * 64, 2 * A * 16, 0, 0},
    {" inverse ", 1, 2 * 125, 2 * 25, 0, 0},
    {" cofactor ", 1, 2 * 27, 2 * 9, 0, 0},
    {" det ", 0, A *(128.0 / 3), A * 16 + A, 0, 0},
    {" det ", 1, 54.0 / 3, 9 + 1, 0, 0},
    {" slogdet ", 0, A *(128.0 / 3), A * 16 + 2 * A, 0, 0},
    {" slogdet ", 1, 250.0 / 3, 25 + 2, 0, 0},
    {" logdet ", 0, 2.0 / 3 * (A * 16) * 4, A * 16 + A, 0, 0},
    {" logdet ", 1, 2.0 / 3 * 25 * 5, 25 + 1, 0, 0},
    /* reflections, and q of them */
    {" qr ", 0, A *(4 * 4 * 3 * 3 - 4 * 9), A * 12 + A * 12 + A * 9, 0, 0},
    {" qr ", 1, 4 * 3 * 5 * 3 - 4 * 9, 15 + 9 + 15, 0, 0},
    {" qr ", 2, 4 * 64 - 256.0 / 3, 3 * 16, 0, 0},
    /* eight sweeps of rotations */
    {" eigh ", 0, A * 8 * 6 * 64, 2 * A * 16 + A * 4, 0, 0},
    {" eigh ", 1, 8 * 6 * 27, 2 * 9 + 3, 0, 0},
    {" eigvalsh ", 0, A * 8 * 6 * 64, A * 16 + A * 4, 0, 0},
    {" eigvalsh ", 1, 8 * 6 * 27, 9 + 3, 0, 0},
    {" svd ", 0, A * 8 * 9 * (6 * 4 + 3 * 3), A * 12 + A * 12 + A * 3 + A * 9, 0, 0},
    {" svd ", 1, 8 * 9 * (6 * 5 + 3 * 3), 15 + 9 + 3 + 15, 0, 0},
    {" svd ", 2, 8 * 9 * (6 * 3 + 3 * 3), 3 * 9 + 3, 0, 0},
    {" svdvals ", 0, A * 8 * 6 * 12 * 3, A * 12 + A * 3, 0, 0},
    {" svdvals ", 1, 8 * 6 * 15 * 5, 15 + 3, 0, 0},
    {" pinv ", 0, A * 8 * 9 * (6 * 4 + 3 * 3), 2 * A * 12, 0, 0},
    {" pinv ", 1, 8 * 9 * (6 * 5 + 3 * 3), 2 * 15, 0, 0},
    {" lstsq ", 0, A *(8 * 6 * 12 * 3 + 2 * 12 * 2), A * 12 + A * 8 + A * 6, 0, 0},
    {" lstsq ", 1, 8 * 6 * 15 * 5 + 2 * 15, 15 + 3 + 5, 0, 0},
    {" matrix_exp ", 0, A * 20 * 27, 2 * A * 9, 0, 0},
    {" matrix_exp ", 1, 20 * 64, 2 * 16, 0, 0},
    {" reciprocal_gaps ", 0, A * 16, A * 4 + A * 16, 0, 0},
    {" reciprocal_gaps ", 1, 49, 7 + 49, 0, 0},
    {" take ", 0, 0, B + AB, AB, 0},
    {" take ", 1, 0, 7 + 5, 5, 0},
    {" take_along ", 0, 0, 2 * AB, AB, 0},
    {" take_along ", 1, 0, AB + B, B, 0},
    {" take_along ", 2, 0, B + A * 5, A * 5, 0},
    {" index_fill ", 0, 0, 2 * AB, 2, 0},
    {" index_fill ", 1, 0, 2 * AB, 2, 0},
    {" index_copy ", 0, 0, AB + 2 * B + AB, 2, 0},
    {" index_copy ", 1, 0, AB + A * 5 + AB, 5, 0},
    {" index_put ", 0, 0, AB + 3 + AB, 3 + 3, 0},
    {" index_put ", 1, 0, 3 * AB + 5 * 3 + 3 * AB, 5 + 1, 0},
    {" scatter scatter_max scatter_min scatter_mean ", 0, AB, AB + AB + AB, AB, 0},
    {" scatter scatter_max scatter_min scatter_mean ", 1, AB, A * 5 + AB + A * 5, AB, 0},
    {" windows ", 0, 0, AB + A *(B - 1) * 2, 0, 0},
    {" windows ", 1, 0, 9 * A + 3 * 4 * A, 0, 0},
    {" unfold2d ", 0, 0, 2 * A * 3 * 4 + 2 * A * 6 * 8, 0, 0},
    {" unfold2d ", 1, 0, A * 6 * 7 + A * 4 * 9, 0, 0},
    {" fold2d ", 0, A * 6 * 8, A * 6 * 8 + A * 3 * 4, 0, 0},
    {" fold2d ", 1, 2 * 6 * 7, 8 * 9 + 2 * 6 * 7, 0, 0},
    {" meshgrid chunk ", 0, 0, 0, 0, 0},
    {" meshgrid chunk ", 1, 0, 0, 0, 0},
    {" cartesian_prod ", 0, 0, A + B + 2 * AB, 0, 0},
    {" cartesian_prod ", 1, 0, 3 + A + 2 + 3 * 3 * A * 2, 0, 0},
    {" vander ", 0, 4 * AB, AB + 4 * AB, 0, 0},
    {" vander ", 1, 3 * B, B + 3 * B, 0, 0},
    {" diag ", 0, 0, A + A *A, 0, 0},
    {" diag ", 1, 0, 7 + 9 * 9, 0, 0},
    {" renorm ", 0, AB, 2 * AB, 0, 0},
    {" renorm ", 1, 5 * AB, 2 * 5 * AB, 0, 0},
    {" trapezoid ", 0, AB, AB + B + A, 0, 0},
    {" trapezoid ", 1, AB, 2 * AB + B, 0, 0},
    {" trapezoid ", 2, AB, AB + A, 0, 0},
    {" cumulative_trapezoid ", 0, AB, AB + B + A *(B - 1), 0, 0},
    {" cumulative_trapezoid ", 1, AB, 2 * AB + (A - 1) * B, 0, 0},
    {" cumulative_trapezoid ", 2, AB, AB + A *(B - 1), 0, 0},
    {" baddbmm ", 0, 2 * 2 * AB * 4, 2 * AB + 2 * A * 4 + 2 * 4 * B + 2 * AB, 0, 0},
    {" baddbmm ", 1, 2 * 3 * AB * 4, B + 3 * A * 4 + 3 * 4 * B + 3 * AB, 0, 0},
    {" matrix_power ", 0, 2 * A * 9 * 3, 2 * A * 9, 0, 0}, /* one product at least */
    {" matrix_power ", 1, 2 * 25 * 5, 2 * 25, 0, 0},
    {" cross ", 0, 3 * A, 3 * 3 * A, 0, 0},
    {" cross ", 1, 3 * AB, 3 * B + 2 * 3 * AB, 0, 0},
    {" cov corrcoef ", 0, 2 * A *A *B, AB + A *A, 0, 0},
    {" cov corrcoef ", 1, 2 * 2 * A *A *B, 2 * AB + 2 * A *A, 0, 0},
    {" einsum ", 0, 2 * AB * 3, AB + 3 * B + 3 * A, 0, 0},
    {" einsum ", 1, 2 * AB * 6, AB + 6 * B + 6 * A, 0, 0},
    /* two sums, a difference and its square */
    {" var_mean ", 0, 4 * AB, AB + A + A, 0, 0},
    {" var_mean ", 1, 4 * A * 5 * B, A * 5 * B + 5 + 5, 0, 0},
    {" var_mean ", 2, 4 * AB, AB + 1 + 1, 0, 0},
    {" var ", 0, AB, AB + A, 0, 0},
    {" var ", 1, A * 5 * B, A * 5 * B + 5, 0, 0},
    {" var ", 2, AB, AB + 1, 0, 0},
    {" topk ", 0, AB, AB + A, A, 0},
    {" topk ", 1, A *B * 5, A *B * 5 + 4 * B * 5, 4 * B * 5, 0},
    {" topk ", 2, AB, AB + AB, AB, 0},
    {" cumsum cumprod logcumsumexp ", 0, AB, AB + AB, 0, 0},
    {" cumsum cumprod logcumsumexp ", 1, AB, AB + AB, 0, 0},
    {" cumsum cumprod logcumsumexp ", 2, ABCD, ABCD + ABCD, 0, 0},
    {" cummax cummin ", 0, AB, AB + AB, AB, 0},
    {" cummax cummin ", 1, AB, AB + AB, AB, 0},
    {" cummax cummin ", 2, ABCD, ABCD + ABCD, ABCD, 0},
    {" linear_scan ", 0, AB, 3 * AB, 0, 0},
    {" linear_scan ", 1, AB, 3 * AB, 0, 0},
    {" linear_scan ", 2, ABCD, 3 * ABCD, 0, 0},
    {" sort ", 0, AB, AB + AB, AB, 0},
    {" sort ", 1, A * 5 * B, 2 * A * 5 * B, A * 5 * B, 0},
    {" sort ", 2, AB, AB + AB, AB, 0},
    {" argsort ", 0, AB, AB, AB, 0},
    {" argsort ", 1, A * 5 * B, A * 5 * B, A * 5 * B, 0},
    {" kthvalue median nanmedian ", 0, AB, AB + A, A, 0},
    {" kthvalue median nanmedian ", 1, A * 5 * B, A * 5 * B + AB, AB, 0},
    {" median nanmedian ", 2, AB, AB + B, B, 0},
    {" quantile ", 0, AB, AB + A, 0, 0},
    {" quantile ", 1, A * 5 * B, A * 5 * B + AB, 0, 0},
    {" quantile ", 2, AB, AB + B, 0, 0},
    {" unique ", 0, AB, AB + AB, AB + AB, 0}, /* no two are alike */
    {" unique ", 1, 9, 9 + 9, 9 + 9, 0},
    {" searchsorted ", 0, AB, AB + A *C, A *C, 0},
    {" searchsorted bucketize ", 1, AB, 9 + AB, AB, 0},
    {" bucketize ", 0, AB, AB + C, AB, 0},
    {" bincount ", 0, AB, 0, AB + 5, 0},
    {" bincount ", 1, 9, 0, 9 + B, 0},
    {" histc ", 0, AB, AB, 4, 0},
    {" histc ", 1, 9, 9, 3, 0},
    {" nonzero ", 0, 2 * AB, AB, 2 * AB, 0}, /* none is 0 */
    {" nonzero ", 1, 3 * A * 5 * B, A * 5 * B, 3 * A * 5 * B, 0},
    {" masked_select ", 0, AB, AB + AB / 2, 0, AB},
    {" masked_select ", 1, AB, AB + A * 3, 0, B},
    {" softmax log_softmax ", 0, AB, AB + AB, 0, 0},
    {" softmax log_softmax ", 1, AB, AB + AB, 0, 0},

    {" flatten split unbind ", 0, 0, 0, 0, 0},
    {" clone contiguous ", 0, AB, AB + AB, 0, 0},
    {" clone ", 1, AB, AB + AB, 0, 0},
    {" cast ", 0, AB, AB + AB / 2.0, 0, 0}, /* to bf16 */
    {" stack ", 0, 2 * AB, 2 * AB + 2 * AB, 0, 0},
    {" stack ", 1, 3 * AB, 3 * AB + 3 * AB, 0, 0},
    {" concat ", 0, A * 2 * B, 2 * AB + A * 2 * B, 0, 0},
    {" concat ", 1, A *(B + 5 + 1), 2 * A *(B + 5 + 1), 0, 0},
    {" pad ", 0, (1 + A) * (B + 2), AB + (1 + A) * (B + 2), 0, 0},
    {" flip ", 0, AB, AB + AB, 0, 0},
    {" flip ", 1, AB, AB + AB, 0, 0},
    {" gather ", 0, AB, AB + AB, AB, 0},
    {" gather ", 1, AB, AB + A * 5, A * 5, 0},
    {" index_select ", 0, AB, AB + AB, A, 0},
    {" index_select ", 1, A * 9, AB + A * 9, 9, 0},
    {" embedding ", 0, AB, AB + AB, A, 0},
    {" embedding ", 1, 4 * 5 * B, AB + 4 * 5 * B, 4 * 5, 0},
    {" scatter_add ", 0, AB, AB + AB + AB, AB, 0},
    {" scatter_add ", 1, AB, A * 5 + AB + A * 5, AB, 0},
    {" index_add ", 0, AB, AB + AB + AB, A, 0},
    {" index_add ", 1, 9 * B, AB + 9 * B + AB, 9, 0},

    {" mse huber bce_with_logits ", 0, AB, AB + AB + 1, 0, 0},
    {" mse huber ", 1, AB, B + AB + 1, 0, 0},
    {" nll cross_entropy ", 0, AB, AB + 1, A, 0},
    {" cross_entropy_with ", 0, AB, AB + 1 + A, A, 0}, /* and the log of each row's sum */
    {" cross_entropy_with ", 1, AB, AB + A + A, A, 0},
    {" cross_entropy_with ", 2, AB, AB + 1 + A, A, 0},
    {" dropout ", 0, AB, AB + AB, 0, AB},
    {" layer_norm ", 0, AB, AB + B + B + AB + A + A, 0, 0},
    {" layer_norm ", 1, AB, AB + AB + A + A, 0, 0},
    {" layer_norm ", 2, 3 * AB, 3 * AB + AB + 3 * AB + 3 + 3, 0, 0},
    {" rms_norm ", 0, AB, AB + B + AB + A, 0, 0},
    {" rms_norm ", 1, AB, AB + AB + A, 0, 0},
    {" batch_norm ", 0, ABCD, ABCD + 2 * B + ABCD + 3 * B, 0, 0}, /* mean, 1 / sigma, variance */
    {" batch_norm ", 1, ABCD, ABCD + 2 * B + ABCD + 3 * B, 0, 0},
    {" batch_norm ", 2, ABCD, ABCD + 4 * B + ABCD + 2 * B, 0, 0}, /* by no kernel of its own: what the call gives */
    {" batch_norm ", 3, AB, AB + AB + 3 * B, 0, 0},

    {" matmul ", 0, 2 * A *C *B, A *C + C *B + AB, 0, 0},
    {" matmul ", 1, 2 * 3 * A *C *B, 3 * A *C + C *B + 3 * AB, 0, 0},
    {" matmul ", 2, 2 * 2 * C *B, C + 2 * C *B + 2 * B, 0, 0},
    {" matmul ", 3, 2 * 2 * A *C, 2 * A *C + C + 2 * A, 0, 0},
    {" linear linear_act ", 0, 2 * A *C *B, A *C + B *C + B + AB, 0, 0},
    {" linear_act ", 1, 2 * A *C *B, A *C + B *C + B + AB, 0, 0},
    {" linear_act ", 2, 2 * A *C *B, A *C + B *C + B + AB, 0, 0},
    {" linear ", 1, 2 * 2 * A *C *B, 2 * A *C + B *C + 2 * AB, 0, 0},
    {" linear_act ", 3, 2 * 2 * A *C *B, 2 * A *C + B *C + 2 * AB, 0, 0},
    /* causal: half of C x C pairs of each of A x B heads, twice D columns; the log of each query's sum is kept */
    {" attention ", 0, 2 * AB *(C *C / 2.0) * (D + D), 4 * ABCD + A *B *C, 0, 0},
    /* A queries see all of the first B - A keys and half of the rest */
    {" attention ", 1, 2 * 2 * 3 * (A * (B - A) + A * A / 2.0) * (8 + 5), 2 * 3 * (A * 8 + B * 8 + B * 5 + A * 5 + A),
     0, 0},
    {" attention ", 2, 2 * A *A *(B + B), 4 * AB + A, 0, 0},
    {" conv2d ", 0, 2 * ABCD *(B * 3 * 3), ABCD + B *B * 9 + B + ABCD, 0, 0},
    {" conv2d ", 1, 2 * (2 * 6 * 5 * 7) * (2 * 3 * 3), 2 * 4 * 9 * 7 + 6 * 2 * 9 + 6 + 2 * 6 * 5 * 7, 0, 0},
    {" conv2d ", 2, 2 * (A * 3 * C * D) * B, ABCD + 3 * B + A * 3 * C *D, 0, 0},
    {" conv2d_transpose ", 0, 2 * ABCD *(B * 3 * 3), ABCD + B *B * 9 + B + ABCD, 0, 0},
    {" conv2d_transpose ", 1, 2 * (2 * 4 * 5 * 7) * (3 * 3 * 3), 2 * 4 * 5 * 7 + 4 * 3 * 9 + 6 + 2 * 6 * 9 * 7, 0, 0},
    {" conv2d_weight ", 0, 2 * ABCD *(B * 3 * 3), ABCD + ABCD + B *B * 9, 0, 0},
    {" conv2d_weight ", 1, 2 * (2 * 6 * 5 * 7) * (2 * 3 * 3), 2 * 4 * 9 * 7 + 2 * 6 * 5 * 7 + 6 * 2 * 9, 0, 0},
    {" max_pool2d ", 0, ABCD, ABCD + AB, AB, 0},
    {" max_pool2d ", 1, 2 * 3 * 9 * 8, 2 * 3 * 9 * 8 + 2 * 3 * 5 * 5, 2 * 3 * 5 * 5, 0},
    {" avg_pool2d ", 0, ABCD, ABCD + AB, 0, 0},
    {" avg_pool2d ", 1, 2 * 3 * 9 * 8, 2 * 3 * 9 * 8 + 2 * 3 * 5 * 5, 0, 0},
    {" avg_unpool2d ", 0, 4 * ABCD, ABCD + 4 * ABCD, 0, 0},
    {" avg_unpool2d ", 1, 2 * 3 * 9 * 8, 2 * 3 * 5 * 5 + 2 * 3 * 9 * 8, 0, 0},

    {" add_ sub_ mul_ div_ ", 0, AB, AB + AB + AB, 0, 0},
    {" add_ sub_ mul_ div_ ", 1, AB, AB + B + AB, 0, 0},
    {" neg_ relu_ exp_ sqrt_ tanh_ sigmoid_ clamp_ add_scalar_ mul_scalar_ ", 0, AB, AB + AB, 0, 0},
    {" neg_ relu_ exp_ sqrt_ tanh_ sigmoid_ clamp_ add_scalar_ mul_scalar_ ", 1, AB, AB + AB, 0, 0},
    {" masked_fill_ ", 0, AB, AB + AB, 0, AB},
    {" masked_fill_ ", 1, AB, AB + AB, 0, B},
    {" index_add_ ", 0, AB, AB + AB + AB, A, 0},
    {" index_add_ ", 1, 9 * B, AB + 9 * B + AB, 9, 0},
    {" scatter_add_ ", 0, AB, AB + AB + AB, AB, 0},
    {" scatter_add_ ", 1, AB, A * 5 + AB + A * 5, AB, 0},
    {" index_copy_ ", 0, AB, AB + 2 * B + AB, 2, 0},
    {" index_copy_ ", 1, AB, AB + A * 5 + AB, 5, 0},
    {" copy_ ", 0, AB, AB + AB, 0, 0}, /* what was there is not read */
    {" copy_ ", 1, AB, B + AB, 0, 0},
    {" fill_ ", 0, AB, AB, 0, 0},
    /* parameter and gradient; velocity that the first step sets; parameter and velocity written */
    {" sgd_step ", 0, AB, 2 * AB + 2 * AB, 0, 0},
    {" sgd_step ", 1, 2 * AB, 2 * AB + 2 * AB + (3 * AB + 2 * AB), 0, 0},
    {" sgd_step ", 2, AB, 2 * AB + AB, 0, 0},
    {" sgd_step ", 3, 2 * AB, 2 * AB + 2 * AB + (3 * AB + 2 * AB), 0, 0},
    {" adam_step ", 0, AB, 4 * AB + 3 * AB, 0, 0},
    {" adam_step ", 1, 2 * AB, 2 * (4 * AB + 3 * AB), 0, 0},
};

static const cost *cost_of(int op, int recipe)
{
    char name[64];
    snprintf(name, sizeof name, " %s ", weft__ops[op].name);
    for (size_t k = 0; k < sizeof of_rows / sizeof of_rows[0]; k++)
        if (of_rows[k].recipe == recipe && strstr(of_rows[k].rows, name))
            return &of_rows[k];
    const int family = weft__ops[op].family;
    const bool known = family <= WEFT__VIEW && family != WEFT__REDUCE && recipe < 3;
    return known && of_family[family][recipe].rows ? &of_family[family][recipe] : NULL;
}

static weft_sample_options sizes_of(int recipe)
{
    return (weft_sample_options)INIT_SAMPLE(.recipe = recipe, .dtype = WEFT_F32, .sizes = {A, B, C, D});
}

static void check_row(weft_ctx *c, int op, int recipe)
{
    const weft_sample_options o = sizes_of(recipe);
    const cost *want = cost_of(op, recipe);
    weft_sample_call call;
    double flops, bytes;
    if (!want && weft__defs[op]->effect == WEFT__STEPS)
        return; /* made as those in the table are, and looked at below */
    if (!want) {
        WEFT_FAIL("%s, recipe %d, is not in the table", weft__ops[op].name, recipe);
        return;
    }
    const int mark = weft_scope_push(c);
    WEFT_CHECK_OK(weft__sample_make(c, op, &o, &call));
    WEFT_CHECK_OK(weft_sample_work(&call, &flops, &bytes));
    WEFT_CHECK_OK(weft_scope_pop(c, mark));
    const double want_bytes = 4 * want->f32s + 8 * want->indices + want->bools;
    if (flops != want->flops || bytes != want_bytes)
        WEFT_FAIL("%s, recipe %d: %g flops and %g bytes, not %g and %g", weft__ops[op].name, recipe, flops, bytes,
                  want->flops, want_bytes);
}

WEFT_TEST(Work, OfEveryRowAsWrittenDown)
{
    test_memory memory;
    weft_ctx *c = test_ctx_open_on("cpu", &memory, 1);
    WEFT_REQUIRE(c);
    for (int op = 0; op < weft_op_count(); op++)
        for (int k = 0; k < WEFT__MAX_RECIPES && weft__defs[op]->recipes[k].operands; k++)
            check_row(c, op, k);
    test_ctx_close(c, &memory);
}

/* ---- Each launch ---- */

static int by_address(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

/* Bytes of the elements, each of which counts once however often it is repeated. */
static double bytes_at(const weft__array *a)
{
    if (!a || a->count == 0)
        return 0;
    int64_t *at = calloc((size_t)a->count, sizeof *at), n = 0;
    if (!at)
        abort();
    for (int64_t e = 0; e < a->count; e++) {
        int64_t rest = e;
        for (int d = a->ndim - 1; d >= 0; rest /= a->shape[d--])
            at[e] += rest % a->shape[d] * a->strides[d];
    }
    qsort(at, (size_t)a->count, sizeof *at, by_address);
    for (int64_t e = 0; e < a->count; e++)
        n += e == 0 || at[e] != at[e - 1];
    free(at);
    return (double)n * (double)weft_dtype_size((weft_dtype)a->dtype);
}

static double size(const weft__array *a, int from_last)
{
    return a->ndim >= from_last ? (double)a->shape[a->ndim - from_last] : 1;
}

static double count(const weft__array *a)
{
    return a ? (double)a->count : 0;
}

static bool is(const weft__launch *l, const char *name)
{
    return !l->grad && strcmp(weft__ops[l->op].name, name) == 0;
}

/* Pairs of a query and a key, of all heads. */
static double pairs(const weft__array *q, const weft__array *k, bool causal)
{
    const double queries = size(q, 2), keys = size(k, 2), heads = count(q) / (queries * size(q, 1));
    if (!causal)
        return heads * queries * keys;
    return heads * (queries < keys ? queries * (keys - queries) + queries * queries / 2 : keys * keys / 2);
}

static double attention_flops(const weft__launch *l)
{
    const weft__array *q = l->in[0], *v = l->in[2];
    const double each = 2 * pairs(q, l->in[1], l->attrs->attention.causal != 0), d = size(q, 1), e = size(v, 1);
    if (is(l, "attention"))
        return each * (d + e);
    const bool dq = l->out[0], dk = l->out[1], dv = l->out[2];
    return each * (d * (1 + dq + dk) + e * ((dq || dk) + dv));
}

static double step_flops(const weft__launch *l)
{
    double n = 0;
    for (int k = 0; k < l->n_in / weft__defs[l->op]->n_in; k++)
        n += count(l->in[k]);
    return n;
}

static double most(const weft__launch *l)
{
    double n = l->n_out > 0 ? count(l->out[0]) : 0;
    for (int k = 0; k < l->n_in; k++)
        n = fmax(n, count(l->in[k]));
    return n;
}

/* 5 n log2 n of the n complex numbers of a line, half of it of real ones. */
static double transform_flops(const weft__launch *l)
{
    const weft__array *x = l->in[0], *y = l->out[0];
    const bool to_real = y->ndim < x->ndim;
    const double n = (double)(to_real ? y : x)->shape[l->attrs->fft.dim];
    return n > 1 ? 5 * fmin(count(x), count(y)) / 2 * log2(n) : 0;
}

/* Of matrices m by n, of which there are many, r and s the smaller and the larger of both; < 0: of no such row. */
static double matrix_flops(const weft__launch *l)
{
    static const struct {
        const char *name;
        double thirds; /* of n^3 */
    } cubes[] = {{"cholesky", 1}, {"det", 2},    {"slogdet", 2},    {"inverse", 6},
                 {"cofactor", 6}, {"eigh", 144}, {"matrix_exp", 60}};
    const weft__array *x = l->n_in > 0 ? l->in[0] : NULL;
    if (!x || x->ndim < 2)
        return -1;
    const double m = size(x, 2), n = size(x, 1), r = fmin(m, n), s = fmax(m, n), many = count(x) / (m * n);
    for (size_t k = 0; k < sizeof cubes / sizeof *cubes; k++)
        if (is(l, cubes[k].name))
            return many * (cubes[k].thirds * n * n * n / 3);
    if (is(l, "qr"))
        return many * (4 * m * n * r - 4 * r * r * r / 3);
    if (is(l, "svd") || is(l, "pinv") || is(l, "cofactor_grad"))
        return many * (8 * r * r * (6 * s + 3 * r));
    if (is(l, "triangular_solve"))
        return n * count(l->out[0]);
    if (!is(l, "solve"))
        return -1;
    const double k = size(l->out[0], 1);
    return count(l->out[0]) / (n * k) * (2 * n * n * n / 3 + 2 * n * n * k);
}

static double flops_of(const weft__launch *l)
{
    const double of_matrices = matrix_flops(l);
    const weft__array *x = l->n_in > 0 ? l->in[0] : NULL, *w = l->n_in > 1 ? l->in[1] : NULL;
    if (is(l, "matmul"))
        return 2 * count(l->out[0]) * size(x, 1);
    if (is(l, "linear") || is(l, "linear_act"))
        return 2 * count(x) * (double)w->shape[0];
    if (is(l, "linear_grad")) /* of the weight: a product over the rows */
        return l->out[0] ? 2 * (double)x->shape[0] * (double)x->shape[1] * (double)w->shape[1] : 0;
    if (is(l, "conv2d"))
        return 2 * count(l->out[0]) * (double)(w->shape[1] * w->shape[2] * w->shape[3]);
    if (is(l, "conv2d_transpose"))
        return 2 * count(x) * (double)(w->shape[1] * w->shape[2] * w->shape[3]);
    if (is(l, "conv2d_weight"))
        return 2 * count(w) * (double)(l->out[0]->shape[1] * l->out[0]->shape[2] * l->out[0]->shape[3]);
    if (is(l, "attention") || is(l, "attention_grad"))
        return attention_flops(l);
    if (is(l, "var_mean"))
        return 4 * count(x);
    if (is(l, "fft") || is(l, "rfft") || is(l, "irfft"))
        return transform_flops(l);
    if (of_matrices >= 0)
        return of_matrices;
    return weft__defs[l->op]->effect == WEFT__STEPS ? step_flops(l) : most(l);
}

static double bytes_of(const weft__launch *l)
{
    const bool overwrites = is(l, "copy_") || is(l, "fill_"), steps = weft__defs[l->op]->effect == WEFT__STEPS;
    const int n = steps ? l->n_in / weft__defs[l->op]->n_in : 1;
    double bytes = 0;
    for (int k = overwrites; k < l->n_in; k++) {
        const bool unset = is(l, "sgd_step") && k / n == 2 && l->attrs->sgd.first_step;
        bytes += unset ? 0 : bytes_at(l->in[k]);
        bytes += steps && k / n != 1 ? bytes_at(l->in[k]) : 0; /* written, too */
    }
    for (int k = 0; k < l->n_out; k++)
        bytes += bytes_at(l->out[k]);
    return bytes;
}

typedef struct watcher {
    weft__observer observer; /* first: the callbacks get its address */
    int64_t seen;
} watcher;

static void look(weft__observer *observer, const weft__launch *l)
{
    ((watcher *)observer)->seen++;
    const double flops = weft__launch_flops(l), bytes = weft__launch_bytes(l);
    if (flops == flops_of(l) && bytes == bytes_of(l))
        return;
    WEFT_FAIL("%s%s: %g flops and %g bytes, not %g and %g", weft__ops[l->op].name, l->grad ? " (gradient)" : "", flops,
              bytes, flops_of(l), bytes_of(l));
}

static void look_away(weft__observer *observer, const weft__launch *l, weft_status status)
{
    (void)observer, (void)l, (void)status;
}

static void derive(weft_ctx *c, const weft_sample_call *call, bool with_graph)
{
    weft_tensor *y = weft_sample_result(call), *found[WEFT_SAMPLE_OPERANDS], *leaves[WEFT_SAMPLE_OPERANDS];
    int n = 0;
    for (int k = 0; k < call->n_in; k++)
        if (call->smooth[k])
            leaves[n++] = call->in[k];
    if (y && n > 0 && weft_requires_grad(y))
        WEFT_CHECK_OK(weft_grad(c, &y, (weft_tensor *[]){weft_full_like(y, 0.5)}, 1, leaves, n,
                                WEFT_GRAD_ALLOW_UNUSED | (with_graph ? WEFT_GRAD_CREATE_GRAPH : 0), found));
}

WEFT_TEST(Work, OfEveryLaunchByItsArrays)
{
    watcher w = {.observer = {.begin = look, .end = look_away}};
    test_memory memory;
    weft_ctx *c = test_ctx_open_on("cpu", &memory, 1);
    WEFT_REQUIRE(c);
    for (int op = 0; op < WEFT_OP_COUNT; op++)
        for (int r = 0; r < WEFT__MAX_RECIPES && weft__defs[op]->recipes[r].operands; r++)
            for (int with_graph = 0; with_graph < 2; with_graph++) { /* with it other kernels derive than without */
                const weft_sample_options o = sizes_of(r);
                const int mark = weft_scope_push(c);
                weft_sample_call call;
                weft__observe(c, &w.observer);
                WEFT_CHECK_OK(weft__sample_make(c, op, &o, &call));
                for (int k = 0; k < call.n_in; k++)
                    if (call.smooth[k])
                        weft_set_requires_grad(call.in[k], true);
                WEFT_CHECK_OK(weft_sample_run(&call));
                derive(c, &call, with_graph);
                weft__unobserve(c, &w.observer);
                WEFT_CHECK_OK(weft_scope_pop(c, mark));
            }
    WEFT_CHECK(w.seen > 1000);
    test_ctx_close(c, &memory);
}
