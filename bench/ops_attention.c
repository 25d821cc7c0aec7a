/* ops_attention.c - scaled dot-product attention at GPT-2's size. */
#include "ops.h"

static weft_tensor *attend(const ops_subject *s, weft_tensor *const *in)
{
    return weft_attention(in[0], in[1], in[2], WEFT_ATTENTION_SCALE, s->causal);
}

static void measure_attention(ops_bench *b, weft_dtype dtype, bool causal)
{
    const int64_t batch = ops_batch(b, 8), heads = 12, t = ops_size(b, 1024), d = ops_size(b, 64);
    const ops_operand operand = {{batch, heads, t, d}, 4, 0};
    const double product = 2.0 * (double)(batch * heads * t * t * d) * (causal ? 0.5 : 1);
    ops_subject s = {.op = causal ? "attention c" : "attention",
                     .run = attend,
                     .dtype = dtype,
                     .n = 3,
                     .in = {operand, operand, operand},
                     .causal = causal,
                     .library = "cuDNN"};
    snprintf(s.shape, sizeof s.shape, "%lldx%lldx%lldx%lld%s", (long long)batch, (long long)heads, (long long)t,
             (long long)d, causal ? " causal" : "");
    ops_measure(b, &s, &(ops_way){.name = "forward", .flops = 2 * product});
    /* Five products, the scores once more among them. */
    ops_measure(b, &s, &(ops_way){.name = "backward", .wrt = 7, .flops = 5 * product});
}

void ops_attention(ops_bench *b)
{
    static const weft_dtype dtypes[] = {WEFT_F32, WEFT_F16, WEFT_BF16};
    for (int d = 0; d < 3; d++)
        for (int causal = 0; causal < 2; causal++)
            measure_attention(b, dtypes[d], causal);
}
