/* gradients.c - see gradients.h. g is the gradient that arrives, y the result. */
#include "gradients.h"

#include <stddef.h>
#include <string.h>

static const struct {
    const char *op, *words;
} rows[] = {
    {"sum", "g, repeated over the dims that were summed"},
    {"mean", "g / n, repeated over the n elements that were averaged"},
    {"prod", "g times the product of the other elements"},
    {"max_over", "g, in equal shares to the elements that are the largest"},
    {"min_over", "g, in equal shares to the elements that are the smallest"},
    {"logsumexp", "g exp(x - y)"},
    {"norm", "g x / y; 0 where y is 0"},
    {"reshape", "g in x's shape"},
    {"transpose", "g with the two dims swapped back"},
    {"permute", "g with the dims in x's order"},
    {"expand", "g, summed over the dims that were repeated"},
    {"squeeze", "g in x's shape"},
    {"unsqueeze", "g in x's shape"},
    {"slice", "g at the places that were taken, 0 elsewhere"},
    {"select", "g at the place that was taken, 0 elsewhere"},
    {"flatten", "g in x's shape"},
    {"stack", "of each operand its slice of g"},
    {"split", "the gradients of the parts, one after the other"},
    {"unbind", "the gradients of the slices, one after the other"},
    {"var", "g 2 (x - mean) / (n - correction)"},
    {"mse", "of the prediction g 2 (prediction - target) / n; of the target the negative of that"},
    {"huber", "of the prediction g clamp(prediction - target, -delta, delta) / n; of the target the negative of that"},
    {"bce_with_logits", "of the logits g (sigmoid(logits) - target) / n"},
    {"nll", "-g / rows at the target of each row that counts, 0 elsewhere"},
    {"cross_entropy", "g (softmax(logits) - [class = target]) / rows; 0 in rows that are ignored"},
    {"cross_entropy_with", "g (softmax(logits) - q), q = (1 - s) [class = target] + s / C; for the mean over rows that "
                           "count; 0 in the others"},
    {"clone", "g"},
    {"contiguous", "g"},
    {"cast", "g, cast to x's dtype"},
    {"matmul", "of a: g b^T; of b: a^T g; summed over dims that were broadcast"},
    {"linear", "of x: g w; of w: g^T x; of b: the sum of g over the rows"},
    {"linear_act", "those of linear, after g times the activation's derivative"},
    {"concat", "of each operand its slice of g"},
    {"pad", "the inner part of g"},
    {"flip", "g, flipped back"},
    {"gather", "scatter_add of g to zeros of x's shape by the same index"},
    {"scatter_add", "of x: g; of src: gather of g by the same index"},
    {"index_select", "index_add of g to zeros of x's shape by the same index"},
    {"index_add", "of x: g; of src: index_select of g by the same index"},
    {"embedding", "rows of g, added up at the rows of weight that they came from"},
    {"softmax", "y (g - sum(g y)), the sum over the dim"},
    {"log_softmax", "g - exp(y) sum(g), the sum over the dim"},
    {"attention", "with p the probabilities and ds = p (g v^T - rowsum(p g v^T)): of q: scale ds k; of k: scale ds^T "
                  "q; of v: p^T g"},
    {"layer_norm",
     "with n the normalised x and h = g w: of x: (h - mean(h) - n mean(h n)) / std; of w: the sum of g n; of b: of g"},
    {"rms_norm", "with n the normalised x and h = g w: of x: (h - n mean(h n)) / rms; of w: the sum of g n"},
    {"batch_norm", "per channel as layer_norm; by running values: g w / sqrt(var + eps)"},
    {"dropout", "g / (1 - p) where the element was kept, 0 elsewhere; when not training g"},
    {"conv2d", "of x: conv2d_transpose(g, w); of w: conv2d_weight(x, g); of b: the sum of g over N, H', W'"},
    {"conv2d_transpose", "of x: conv2d(g, w); of w: conv2d_weight(g, x); of b: the sum of g over N, H', W'"},
    {"conv2d_weight", "with u the gradient that arrives: of x: conv2d_transpose(g, u); of g: conv2d(x, u)"},
    {"max_pool2d", "g at the place of each window's largest element"},
    {"avg_pool2d", "avg_unpool2d(g)"},
    {"avg_unpool2d", "avg_pool2d(g)"},
};

const char *gradient_in_words(const char *op)
{
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++)
        if (strcmp(rows[k].op, op) == 0)
            return rows[k].words;
    return NULL;
}
