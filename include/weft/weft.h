/* weft.h - Weft, a tensor and autograd engine for C programs: includes everything, and is the manual's first page.
 *
 * The parts
 *   status.h    status codes                     ctx.h       contexts, errors, scopes, memory
 *   dtype.h     element types, promotion         tensor.h    making tensors, data in and out
 *   ops.h       every operation (generated)      params.h    structs that operations take
 *   autograd.h  gradients, custom operations     optim.h     optimisers
 *   functional.h Jacobians, Hessians, samples    device.h    which devices there are
 *   reference.h the operations as data          schedule.h  learning rates that change
 * and, to be included by themselves: compare.h (where two sides part), profile.h, io.h (npz, safetensors)
 *   bench.h     measuring speed                  sample.h    operands for every operation, and its call
 *   nn.h        layers                           module.h    models: named parameters, files, summaries
 *
 * A step of training
 *
 *     weft_status train_step(weft_ctx *c, mlp *m, weft_tensor *x, weft_tensor *y, double *loss)
 *     {
 *         int mark = weft_scope_push(c);
 *         weft_tensor *h = weft_relu(weft_linear(x, m->w1, m->b1));
 *         weft_tensor *l = weft_cross_entropy(weft_linear(h, m->w2, m->b2), y);
 *         weft_backward(c, l);
 *         weft_optim_step(c, m->opt);
 *         weft_optim_zero_grad(c, m->opt);
 *         *loss = weft_item(c, l);             // NAN after an error
 *         return weft_scope_pop(c, mark);      // frees temporaries; returns the first error
 *     }
 *
 * Ownership: a new tensor belongs to the innermost scope. weft_keep adds an owner, weft_escape moves it one scope out.
 * Inputs are never consumed. What a function hands back belongs to the scope unless its comment says otherwise.
 *
 * Errors: the first one sticks in the context with a message that names operation, shapes, dtypes and remedy; NULL in
 * gives NULL out; everything after an error does nothing until weft_ctx_clear. The library never prints, exits or
 * aborts (one exception: profile.h's WEFT_PROFILE, where there is nobody else to tell). Environment: WEFT_TRAP=1 raises
 * SIGTRAP at the first error, for a debugger; WEFT_ISA=avx512, avx2 or plain chooses the CPU's instruction set.
 *
 * Arguments come in one order everywhere: the context, the tensors that a function works on (each list with its
 * length), what else it takes, and last where results go. Sizes, strides and positions of dims are int64_t, the
 * numbers of them and of other things in a list are int; a list is a pointer and its length, `const int64_t *dims, int
 * ndim`. Who has a context inside brings it: operations (weft_relu(x)), questions and settings (weft_count(t),
 * weft_optim_set_lr(opt, lr)) take no other. Terminals do, as their first argument: where numbers leave the tensors or
 * parameters change (weft_item, weft_read, weft_print, weft_backward, weft_grad, weft_optim_step, weft_sgd_step), a
 * NULL that an earlier failure left must be recorded as an error, and a NULL tensor has no context.
 *
 * Threads: one thread uses a context at a time; contexts are independent. weft_share makes read-only tensors for all.
 *
 * Repeatability: the same seed, device and build give the same bits, for any number of threads. */
#ifndef WEFT_H
#define WEFT_H

#include <weft/status.h>
#include <weft/text.h>
#include <weft/dtype.h>
#include <weft/params.h>
#include <weft/device.h>
#include <weft/ctx.h>
#include <weft/tensor.h>
#include <weft/ops.h>
#include <weft/autograd.h>
#include <weft/functional.h>
#include <weft/init.h>
#include <weft/signal.h>
#include <weft/optim.h>
#include <weft/schedule.h>
#include <weft/reference.h>
#include <weft/bench.h>

#endif
