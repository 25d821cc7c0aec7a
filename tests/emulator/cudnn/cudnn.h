/* cudnn.h - what tests ask of the stand-in for cuDNN (WEFT_CUDNN=self).
 *
 * It carries out graphs of convolutions, matrix products, reductions, pointwise operations and reshapes, node by node,
 * on emulated device memory (graph.h). Of the engines that it offers the first is not deterministic and the second
 * wants more memory than there is; running either is an error. Engine 5 can be had by number. It has no plans for
 * dilations and for products over 24 terms, such as those of heads 24 wide; its plans for a stride of 3 and for
 * products over 40 terms fail when they run. */
#ifndef WEFT_TESTS_EMULATOR_CUDNN_H
#define WEFT_TESTS_EMULATOR_CUDNN_H

struct cudnn_counts {
    long plans, refused; /* asked for: made, and not */
    long runs, failed;
    long live; /* descriptors and handles */
};

cudnn_counts cudnn_count();

#endif
