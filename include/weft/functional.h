/* functional.h - derivatives of a function: products with vectors, Jacobians, Hessians, gradients of single samples.
 *
 * The function is a weft_function (autograd.h), y = f(x[0], ... x[n-1]). It is called once, with stand-ins of the
 * inputs: the same memory, but leaves of their own. So inputs need not require a gradient, what they were computed
 * from does not count, their own gradients (weft_grad_of) and hooks are left alone, and what f reads beside its
 * arguments, by user, is constant. f may use the context (ctx.h: Callbacks) and must not change its arguments in
 * place. Operations are recorded while it runs, and afterwards as they were before, after an error too.
 *
 *     static weft_tensor *energy(weft_ctx *c, weft_tensor *const *x, int n, void *user)
 *     {
 *         return weft_sum(weft_mul(weft_square(x[0]), x[1]), WEFT_ALL, false);
 *     }
 *     ...
 *     weft_tensor *x[] = {a, b}, *h[4];
 *     weft_hessian(c, x, 2, energy, NULL, 0, NULL, h); // h[1]: d2 energy / da db, of a's shape and then b's
 *
 * What all of them have in common
 *   inputs        f is given all of them. Those of a floating dtype are differentiated by; integers and bools are
 *                 passed on as they are, and their derivatives are NULL. At least one must be of a floating dtype.
 *   result        y, of a floating dtype. Where it is handed back, result may be NULL.
 *   tangents, cotangents, directions
 *                 have the shape of what they belong to and are cast to its dtype.
 *   flags         WEFT_GRAD_CREATE_GRAPH: what is handed back can be differentiated again, by the inputs that require a
 *                 gradient, by tangents and cotangents that do, and by what f reads beside its arguments; calls within
 *                 another's f compose so. Without it what is handed back has no history, and the graph is gone.
 *                 WEFT_GRAD_ALLOW_UNUSED: an input that y does not depend on gets NULL (in weft_jvp it counts as 0)
 *                 instead of the error WEFT_E_NO_GRADIENT, which names the operation that cut it off, if one did.
 *   what is 0     A derivative that is 0 although y depends on the input, such as a block of a Hessian where y is
 *                 linear, is a tensor of zeros.
 *   ownership     What is handed back belongs to the innermost scope. On an error all of it is NULL.
 *
 * Those that differentiate twice (weft_jvp, weft_hvp, weft_hessian, and the others with WEFT_GRAD_CREATE_GRAPH) need
 * derivatives that are recorded. All operations of ops.h have them. A custom operation whose backward callback
 * computes by other means than recorded operations, or by a custom operation that has none itself, is the error
 * WEFT_E_NO_GRADIENT that names it and not a wrong number.
 *
 * Part of the public API; include <weft/weft.h>. */
#ifndef WEFT_FUNCTIONAL_H
#define WEFT_FUNCTIONAL_H

#include <weft/autograd.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Reverse mode: gradients[k] = cotangent^T dy/dx[k], of x[k]'s shape and dtype. cotangent may be NULL where y has one
 * element: 1. Costs f and one backward pass. PyTorch: torch.autograd.functional.vjp. */
WEFT_API weft_status weft_vjp(weft_ctx *ctx, weft_tensor *const *inputs, int n, weft_tensor *cotangent, weft_function f,
                              void *user, int flags, weft_tensor **result, weft_tensor **gradients);

/* Forward mode: *derivative = sum over k of dy/dx[k] tangents[k], of y's shape and dtype. A tangent that is NULL
 * stands for 0, and x[k] is then a constant; one at least must be given.
 *
 * It is computed as the derivative of u -> u^T dy/dx, which is linear in u, so that there is no second set of rules to
 * be wrong: it is right for every operation that has a recorded derivative, at corners (norms of 0, ties, products
 * with zeros) by the same conventions as the gradient. Costs f, one recorded backward pass and one pass over that
 * record, which looks only at what depends on u: of a net of matrix products 3.5 times f along its input and 5.7 times
 * f along all weights too (its gradient: 2.9), of chains of elementwise operations, whose derivatives are recorded in
 * steps, 6 to 8 times (2.5); and memory for the record. For one direction of a function with many results; of a
 * function with one result weft_vjp is cheaper. PyTorch: torch.func.jvp. */
WEFT_API weft_status weft_jvp(weft_ctx *ctx, weft_tensor *const *inputs, weft_tensor *const *tangents, int n,
                              weft_function f, void *user, int flags, weft_tensor **result, weft_tensor **derivative);

/* Hessian times vector: products[k] = sum over j of d2y / dx[k] dx[j] directions[j], of x[k]'s shape and dtype; y has
 * one element. A direction that is NULL stands for 0; one at least must be given. Costs f, a recorded backward pass
 * and a backward pass over both: the Hessian is never there. PyTorch: torch.autograd.functional.hvp. */
WEFT_API weft_status weft_hvp(weft_ctx *ctx, weft_tensor *const *inputs, weft_tensor *const *directions, int n,
                              weft_function f, void *user, int flags, weft_tensor **result, weft_tensor **products);

/* jacobians[k] = dy/dx[k], of y's shape and then x[k]'s (at most 8 dims together), in x[k]'s dtype.
 *
 * Of the two ways the one with fewer passes is taken: a backward pass for each element of y, or, where the inputs have
 * fewer elements together (and no custom operation is met), a forward one, as weft_jvp makes it, for each of theirs. f
 * is called once for all of them, hooks of tensors in f run in each. Each pass frees what it made before the next one
 * begins: memory is f's graph, the Jacobians and one pass; with WEFT_GRAD_CREATE_GRAPH all passes are kept. PyTorch:
 * torch.autograd.functional.jacobian. */
WEFT_API weft_status weft_jacobian(weft_ctx *ctx, weft_tensor *const *inputs, int n, weft_function f, void *user,
                                   int flags, weft_tensor **result, weft_tensor **jacobians);

/* hessians[k n + j] = d2y / dx[k] dx[j], of x[k]'s shape and then x[j]'s, in x[j]'s dtype; y has one element, hessians
 * room for n n. One backward pass over f and its gradient for each element of the inputs. Memory as for weft_jacobian.
 * PyTorch: torch.autograd.functional.hessian. */
WEFT_API weft_status weft_hessian(weft_ctx *ctx, weft_tensor *const *inputs, int n, weft_function f, void *user,
                                  int flags, weft_tensor **result, weft_tensor **hessians);

/* The Jacobians of B rows at once. y is [B, ...], as are all inputs that are differentiated by, and row b of y depends
 * on rows b of the inputs alone. jacobians[k] is [B, ... of y, ... of x[k]]: at b the Jacobian of row b. It takes as
 * many passes as a row of y has elements, whatever B is.
 *
 * Where rows do depend on one another (a batch norm, a softmax over dim 0) the numbers are sums over them. With
 * WEFT_GRAD_CHECK_ROWS that is the error WEFT_E_MISMATCH: it costs one more pass with signs and weights of its own,
 * whose gradient must be what the Jacobians say. PyTorch: torch.func.vmap(jacrev(f)). */
WEFT_API weft_status weft_batch_jacobian(weft_ctx *ctx, weft_tensor *const *inputs, int n, weft_function f, void *user,
                                         int flags, weft_tensor **result, weft_tensor **jacobians);

/* The gradient of each sample's loss by parameters that all samples share, as clipping sample by sample or a noise
 * scale want it: gradients[k] is [B, ... of params[k]], *losses is [B]. B is the first size of every tensor of batch,
 * n_batch >= 1. f gets n_params + n_batch arguments: each parameter as [B, ...], B times the same without a copy, then
 * the batch; it returns [B] losses, row b from rows b alone. So parameters meet the batch row by row:
 *
 *     h = weft_matmul(w, weft_unsqueeze(x, 2));  // w [B, out, in], x [B, in]: h [B, out, 1]
 *     h = weft_add(weft_squeeze(h, WEFT_DIMS(2)), b);   // b [B, out]
 *
 * It is weft_batch_jacobian with those copies as inputs, one backward pass for all B. Flags as there; batch is not
 * differentiated by. For a model whose operations do not take parameters by the row: weft_vjp for one sample at a
 * time, in a scope each. PyTorch: torch.func.vmap(grad(f), in_dims = (None, 0)). */
WEFT_API weft_status weft_per_sample_grad(weft_ctx *ctx, weft_tensor *const *params, int n_params,
                                          weft_tensor *const *batch, int n_batch, weft_function f, void *user,
                                          int flags, weft_tensor **losses, weft_tensor **gradients);

#ifdef __cplusplus
}
#endif

#ifndef WEFT_NO_CALL_SITES
#define weft_vjp(...) (WEFT_HERE("vjp"), weft_vjp(__VA_ARGS__))
#define weft_jvp(...) (WEFT_HERE("jvp"), weft_jvp(__VA_ARGS__))
#define weft_hvp(...) (WEFT_HERE("hvp"), weft_hvp(__VA_ARGS__))
#define weft_jacobian(...) (WEFT_HERE("jacobian"), weft_jacobian(__VA_ARGS__))
#define weft_hessian(...) (WEFT_HERE("hessian"), weft_hessian(__VA_ARGS__))
#define weft_batch_jacobian(...) (WEFT_HERE("batch_jacobian"), weft_batch_jacobian(__VA_ARGS__))
#define weft_per_sample_grad(...) (WEFT_HERE("per_sample_grad"), weft_per_sample_grad(__VA_ARGS__))
#endif
#endif
