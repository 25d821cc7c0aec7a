/* ops_attention.c - scaled dot-product attention at GPT-2's size. */
#include "ops.h"

static void measure_attention(ops_bench *b, weft_dtype dtype, bool causal)
{
    const int64_t batch = ops_batch(b, 8), heads = 12, t = ops_size(b, 1024), d = ops_size(b, 64);
    const double product = 2.0 * (double)(batch * heads * t * t * d) * (causal ? 0.5 : 1);
    ops_subject s = {.name = causal ? "attention c" : "attention",
                     .op = "attention",
                     .sizes = {batch, heads, t, d},
                     .dtype = dtype,
                     .library = "cuDNN"};
    snprintf(s.numbers, sizeof s.numbers, "%d; %g", causal, WEFT_ATTENTION_SCALE);
    snprintf(s.shape, sizeof s.shape, "%lldx%lldx%lldx%lld%s", (long long)batch, (long long)heads, (long long)t,
             (long long)d, causal ? " causal" : "");
    ops_measure(b, &s, &(ops_way){.name = "forward", .flops = 2 * product});
    /* Five products, the scores once more among them. */
    ops_measure(b, &s, &(ops_way){.name = "backward", .wrt = OPS_ALL, .flops = 5 * product});
}

void ops_attention(ops_bench *b)
{
    static const weft_dtype dtypes[] = {WEFT_F32, WEFT_F16, WEFT_BF16};
    for (int d = 0; d < 3; d++)
        for (int causal = 0; causal < 2; causal++)
            measure_attention(b, dtypes[d], causal);
}
