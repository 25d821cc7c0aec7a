"""What each operation of the table is in PyTorch: a line an operation, from the operands and numbers of a golden record.

`c[k]` is operand k (None where it is left out), `c.all` all of them, `c.i` and `c.f` the whole and the real numbers, in the order that the
operation's record reads them (CALL in src/ops). A line may refuse a record by `no()`, where PyTorch has no such form."""
import math

import torch
import torch.nn.functional as F

DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int8, torch.uint8, torch.bool]
REDUCTIONS = ("none", "mean", "sum")


class Refused(Exception):
    """PyTorch has no form of the operation for this record."""


def no(why="no such form"):
    raise Refused(why)


# ---- Numbers and dims ----

def like(x, value):
    """A number as x takes it without another dtype: whole beside integers."""
    return value if x.dtype.is_floating_point else int(value) if math.isfinite(value) and abs(value) < 2**53 else no("no whole number")


def dims(c, first=0):
    return tuple(c.i[first:]) or tuple(range(c[0].ndim))


def kept(c):
    return bool(c.i[0])


def one_by_one(f, c):
    """f over several dims: one after the other, the last first."""
    y = c[0]
    for d in sorted((d % max(1, y.ndim) for d in dims(c, 1)), reverse=True):
        y = f(y, dim=d, keepdim=True)
    return y if kept(c) or not c[0].ndim else y.squeeze(tuple(d % c[0].ndim for d in dims(c, 1)))


def single(f, c):
    """f over one dim or all."""
    if len(c.i) == 1:
        y = f(c[0])
        return y.reshape((1,) * c[0].ndim) if kept(c) else y
    return f(c[0], dim=c.i[1], keepdim=kept(c)) if len(c.i) == 2 else no("one dim or all")


def over(f):
    return lambda c: f(c[0], dim=dims(c, 1), keepdim=kept(c))


def padded(x, before, after, **how):
    """F.pad of the last dims, by how much before and after each."""
    flat = [n for pair in zip(reversed(before), reversed(after)) for n in pair]
    return F.pad(x, flat, **how) if flat else x.clone()


def as_images(x, n, f):
    """f of [1, C, the last n dims], in x's shape otherwise."""
    lead = x.shape[:x.ndim - n]
    y = f(x.reshape((1, -1) + tuple(x.shape[x.ndim - n:])))
    return y.reshape(tuple(lead) + tuple(y.shape[2:]))


def pad_mode(c):
    n = (len(c.i) - 1) // 2
    mode = ("reflect", "replicate", "circular")[c.i[-1]]
    return as_images(c[0], n, lambda x: padded(x, c.i[:n], c.i[n:2 * n], mode=mode))


def interpolate(c):
    n = len(c.i) - 2
    way, align = c.i[-2], bool(c.i[-1])
    if way == 3:
        return as_images(c[0], n, lambda x: F.interpolate(x, size=c.i[:n], mode="area"))
    if way == 0:
        return as_images(c[0], n, lambda x: F.interpolate(x, size=c.i[:n], mode="nearest"))
    if way == 2:
        return as_images(c[0], n, lambda x: F.interpolate(x, size=c.i[:n], mode="bicubic", align_corners=align)) if n == 2 else no("two dims alone")
    return as_images(c[0], n, lambda x: F.interpolate(x, size=c.i[:n], mode=("linear", "bilinear", "trilinear")[n - 1], align_corners=align))


# ---- Losses ----

def reduction(c):
    return REDUCTIONS[c.i[0]]


def pair(c):
    return torch.broadcast_tensors(c[0], c[1])


def by_rows(c, f):
    """f of logits [N, C] and targets [N]; classes are Weft's last dim."""
    y = f(c[0].reshape(-1, c[0].shape[-1]), c[1].reshape(-1))
    return y.reshape(c[1].shape) if y.ndim else y


def distances(c, n, f):
    """f of n operands [N, D], and of targets [N] if there are more."""
    y = f(*[x.reshape(-1, x.shape[-1]) for x in c.all[:n]], *[x.reshape(-1) for x in c.all[n:]])
    return y.reshape(c[0].shape[:-1]) if y.ndim else y


# ---- Layers ----

def shaped(c):
    """The dims that a layer's weights have, else the last."""
    for w in c.all[1:]:
        if w is not None:
            return tuple(w.shape)
    return tuple(c[0].shape[-1:])


def wide(v, dim, w):
    return w.reshape([-1 if d == dim % v.ndim else 1 for d in range(v.ndim)])


def batch_norm(c):
    mean, var = (None if s is None else s.clone() for s in (c[3], c[4]))
    y = F.batch_norm(c[0], mean, var, c[1], c[2], bool(c.i[0]), c.f[0], c.f[1])
    return (y, mean, var) if mean is not None else y


def attention(c):
    q, k, v = c.all[:3]
    mask = c[3] if len(c.all) > 3 else torch.ones(q.shape[-2], k.shape[-2], dtype=torch.bool).tril(k.shape[-2] - q.shape[-2]) if c.i[0] else None
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=c.f[0])


def conv2d_transpose(c):
    i = c.i
    return F.conv_transpose2d(c[0], c[1], c[2], i[0:2], i[2:4], i[6:8], i[8], i[4:6])


def conv2d_weight(c):
    i, groups, channels = c.i[2:], c.i[10], c[0].shape[1]
    return torch.nn.grad.conv2d_weight(c[0], (c[1].shape[1], channels // groups, *c.i[:2]), c[1], i[0:2], i[2:4], i[4:6], groups)


def avg_unpool2d(c):
    i = c.i[2:]
    return torch.ops.aten.avg_pool2d_backward(c[0], c[0].new_zeros(*c[0].shape[:2], *c.i[:2]), i[0:2], i[2:4], i[4:6], False, True, None)


def dropout(c):
    return F.dropout(c[0], c.f[0], bool(c.i[0])) if not c.i[0] or c.f[0] in (0, 1) else no("random")


# ---- Order ----

def topk(c):
    """PyTorch's topk takes any of equals; the stable sort takes the first."""
    x = c[0] if c[0].ndim else c[0].reshape(1)
    values, places = torch.sort(x, dim=c.i[1], descending=bool(c.i[2]), stable=True)
    values, places = values.narrow(c.i[1], 0, c.i[0]), places.narrow(c.i[1], 0, c.i[0])
    return values, places


def with_index(f, c):
    return tuple(f(c[0], dim=c.i[1], keepdim=kept(c)))


# ---- Steps of optimisers ----

def steps(c, kind, states, **options):
    n = c.i[0]
    params = [torch.nn.Parameter(x.detach().clone()) for x in c.all[:n]]
    optimiser = kind(params, lr=c.f[0], **options)
    for step in range(1, c.i[1] + 1):
        for p, g in zip(params, c.all[n * step:n * step + n]):
            p.grad = g.detach().clone()
        optimiser.step()
    return tuple(p.detach() for p in params) + tuple(optimiser.state[p][s] for s in states for p in params)


def sgd(c):
    return steps(c, torch.optim.SGD, ["momentum_buffer"] if c.f[1] else [], momentum=c.f[1], dampening=c.f[2], weight_decay=c.f[3], nesterov=bool(c.i[2]))


def adam(c):
    kind = torch.optim.AdamW if c.i[2] else torch.optim.Adam
    largest = len(c.i) > 4 and bool(c.i[4])
    states = ["exp_avg", "exp_avg_sq"] + ["max_exp_avg_sq"] * largest
    return steps(c, kind, states, betas=(c.f[1], c.f[2]), eps=c.f[3], weight_decay=c.f[4], amsgrad=largest)


def rmsprop(c):
    states = ["square_avg"] + ["momentum_buffer"] * (c.f[4] != 0) + ["grad_avg"] * (c.i[2] != 0)
    return steps(c, torch.optim.RMSprop, states, alpha=c.f[1], eps=c.f[2], weight_decay=c.f[3], momentum=c.f[4], centered=bool(c.i[2]))


def adagrad(c):
    return steps(c, torch.optim.Adagrad, ["sum"], lr_decay=c.f[1], weight_decay=c.f[2], initial_accumulator_value=c.f[3], eps=c.f[4])


def adadelta(c):
    return steps(c, torch.optim.Adadelta, ["square_avg", "acc_delta"], rho=c.f[1], eps=c.f[2], weight_decay=c.f[3])


def nadam(c):
    """The product of momenta, which PyTorch keeps in its default dtype, in float64."""
    torch.set_default_dtype(torch.float64)
    try:
        return nadam_steps(c)
    finally:
        torch.set_default_dtype(torch.float32)


def nadam_steps(c):
    return steps(c, torch.optim.NAdam, ["exp_avg", "exp_avg_sq"], betas=(c.f[1], c.f[2]), eps=c.f[3], weight_decay=c.f[4], momentum_decay=c.f[5],
                 decoupled_weight_decay=bool(c.i[2]))


# ---- Fourier transforms: pairs [..., 2] stand for complex numbers ----

NORMS = ("backward", "ortho", "forward")


def pairs(z):
    return torch.view_as_real(z)


def numbers(x):
    return torch.view_as_complex(x.contiguous())


def over_dims(f, c, first, norm, complex_in, complex_out, **more):
    """f over the dims of c.i[first:], or over all."""
    x = numbers(c[0]) if complex_in else c[0]
    dims = [d % c[0].ndim for d in c.i[first:]] or list(range(x.ndim))
    y = f(x, dim=dims, norm=NORMS[norm], **more)
    return pairs(y) if complex_out else y


def inner(dim):
    """A dim of pairs, counted from the end, as one of complex numbers."""
    return dim if dim >= 0 else dim + 1


def stft(c):
    y = pairs(torch.stft(c[0].reshape(-1, c[0].shape[-1]), c[1].shape[0], c.i[0], window=c[1], center=bool(c.i[1]), return_complex=True))
    return y.reshape(tuple(c[0].shape[:-1]) + tuple(y.shape[1:]))


def irfftn(c):
    dims = [inner(d) % (c[0].ndim - 1) for d in c.i[2:]] or list(range(c[0].ndim - 1))
    sizes = [c[0].shape[d] for d in dims[:-1]] + [c.i[1]]
    return torch.fft.irfftn(numbers(c[0]), s=sizes, dim=dims, norm=NORMS[c.i[0]])



def one(f):
    return lambda c: f(c[0])


def two(f):
    return lambda c: f(c[0], c[1])


# ---- order ----

def sort(c):
    return tuple(torch.sort(c[0], dim=c.i[0], descending=bool(c.i[1]), stable=True))


def unique(c):
    return torch.unique(c[0], return_inverse=True, return_counts=True)


# ---- index ----

def index_put(c):
    return torch.index_put(c[0], tuple(c.all[2:]), c[1], bool(c.i[0]))


def reduced(kind):
    return lambda c: torch.scatter_reduce(c[0], c.i[0], c[1], c[2], kind, include_self=bool(c.i[1]))


def chunk(c):
    dim, n = c.i[0], c.i[1]
    parts = list(torch.chunk(c[0], n, dim))
    return tuple(parts + [c[0].narrow(dim, c[0].shape[dim], 0)] * (n - len(parts)))


def vander(c):
    columns = c.i[0] if c.i[0] >= 0 else c[0].shape[-1]
    powers = torch.arange(columns) if c.i[1] else torch.arange(columns - 1, -1, -1)
    return c[0].unsqueeze(-1) ** powers


def trapezoid(f):
    return lambda c: f(c[0], dx=c.f[0], dim=c.i[0]) if c[1] is None else f(c[0], c[1], dim=c.i[0])


# ---- nn ----

def recurrent(c, kind, states):
    """i: layers, bidirectional, batch_first, relu."""
    layers, both, first = c.i[0], bool(c.i[1]), bool(c.i[2])
    weights = list(c.all[1 + states:])
    size = weights[1].shape[1]
    start = [torch.zeros(layers * (2 if both else 1), c[0].shape[0 if first else 1], size, dtype=c[0].dtype) if h is None else h for h in c.all[1:1 + states]]
    flat = [torch.zeros(weights[0].shape[0], dtype=c[0].dtype) if w is None else w for w in weights]  # biases
    y = kind(c[0], tuple(start) if states > 1 else start[0], flat, True, layers, 0.0, False, both, first)
    return tuple(y)


def rnn(c):
    return recurrent(c, torch.rnn_relu if c.i[3] else torch.rnn_tanh, 1)


def cell(f, c, states=1):
    state = c[1] if states == 1 else [c[1], c[2]]
    return f(c[0], state, *c.all[1 + states:])


def ctc(c):
    n = (len(c.i) - 3) // 2
    steps, batch = c[0].shape[:2]
    lengths = c.i[3:3 + n] or [steps] * batch
    targets = c.i[3 + n:] or [c[1].shape[1]] * batch
    return F.ctc_loss(c[0], c[1], torch.tensor(lengths), torch.tensor(targets), c.i[0], ("none", "mean", "sum")[c.i[2]], bool(c.i[1]))


def triples(i, n):
    return [tuple(i[3 * k:3 * k + 3]) for k in range(n)]


def conv3d_transpose(c):
    stride, padding, dilation, more = triples(c.i, 4)
    return F.conv_transpose3d(c[0], c[1], c[2], stride, padding, more, c.i[12], dilation)


def conv3d(c):
    stride, padding, dilation = triples(c.i, 3)
    return F.conv3d(c[0], c[1], c[2], stride, padding, dilation, c.i[12])


def adaptive_max_pool(c):
    n = len(c.i)
    f = (F.adaptive_max_pool1d, F.adaptive_max_pool2d, F.adaptive_max_pool3d)[n - 1]
    lead = c[0].shape[:c[0].ndim - n]
    y = f(c[0].reshape((1, -1) + tuple(c[0].shape[len(lead):])), c.i)
    return y.reshape(tuple(lead) + tuple(y.shape[2:]))


def grid_sample(c):
    return F.grid_sample(c[0], c[1], ("nearest", "bilinear")[c.i[0]], ("zeros", "border", "reflection")[c.i[1]], bool(c.i[2]))


def embedding_bag(c):
    return F.embedding_bag(c[1], c[0], torch.tensor(c.i[1:]), mode=("sum", "mean", "max")[c.i[0]], per_sample_weights=c[2])


def affine_grid(c):
    sizes = tuple(c.i[:-1])
    return F.affine_grid(c[0], (c[0].shape[0], 1) + sizes, bool(c.i[-1]))


def by_class_rows(c, f):
    y = f(c[0].reshape(-1, c[0].shape[-1]), c[1].reshape((-1,) + tuple(c[1].shape[c[0].ndim - 1:])))
    return y.reshape(c[0].shape[:-1]) if y.ndim else y


# ---- linalg ----

def triangular_solve(c, upper=1, transposed=2, unit=4, right=8):
    flags = c.i[0]
    a = c[0].mT if flags & transposed else c[0]
    return torch.linalg.solve_triangular(a, c[1], upper=bool(flags & upper) != bool(flags & transposed), left=not flags & right, unitriangular=bool(flags & unit))


def qr(c):
    q, r = torch.linalg.qr(c[0])
    signs = torch.where(torch.diagonal(r, dim1=-2, dim2=-1) < 0, -1.0, 1.0).to(r.dtype)
    return q * signs[..., None, :], r * signs[..., :, None]


def pinv(x, rtol):
    return torch.linalg.pinv(x, rtol=rtol if rtol >= 0 else None)


def windowed(c, functions):
    """i: ndim, kernel, stride, padding, dilation, ceil_mode, exclude_padding."""
    n = c.i[0]
    kernel, stride, padding, dilation = (c.i[1 + k * n:1 + (k + 1) * n] for k in range(4))
    ceil, exclude = bool(c.i[1 + 4 * n]), bool(c.i[2 + 4 * n])
    f = functions[n - 1]
    x = c[0].reshape((1, -1) + tuple(c[0].shape[c[0].ndim - n:]))
    if f in (F.max_pool1d, F.max_pool2d, F.max_pool3d):
        y = f(x, kernel, stride, padding, dilation, ceil)
    else:
        y = f(x, kernel, stride, padding, ceil, not exclude) if set(dilation) == {1} else no("means of elements apart")
    return y.reshape(tuple(c[0].shape[:c[0].ndim - n]) + tuple(y.shape[2:]))


def antialias(c):
    sizes, way = c.i[:-1], c.i[-1]
    if len(sizes) != 2:
        no("two dims alone")
    return as_images(c[0], 2, lambda x: F.interpolate(x, size=sizes, mode=("nearest", "bilinear", "bicubic", "area")[way], antialias=True))


CALLS = {
    **{name: one(getattr(torch, name)) for name in
       "neg abs sign exp expm1 log log1p log2 sqrt rsqrt reciprocal square sin cos tan tanh sigmoid relu erf floor ceil round trunc frac exp2 log10 sinh cosh asin acos "
       "atan asinh acosh atanh erfc erfinv lgamma digamma sinc deg2rad rad2deg isnan isinf isfinite logical_not isposinf isneginf signbit trace clone detach diag_embed".split()},
    **{name: one(getattr(F, name)) for name in "gelu silu mish logsigmoid softsign selu relu6 hardsigmoid hardswish".split()},
    **{name: two(getattr(torch, name)) for name in
       "add sub mul div pow fmod floor_divide fmin fmax hypot copysign logaddexp logaddexp2 xlogy eq ne lt le gt ge logical_and logical_or logical_xor bitwise_and bitwise_or "
       "bitwise_xor bitwise_left_shift bitwise_right_shift gcd lcm atan2 outer dot kron matmul".split()},
    **{name: over(getattr(torch, name)) for name in "sum mean nansum nanmean logsumexp any all".split()},
    "matmul_integer": lambda c: (torch._int_mm(c[0].to(torch.int8), c[1].to(torch.int8)) if c[0].ndim == c[1].ndim == 2 and c[2] is c[3] is None and min(c[0].numel(), c[1].numel())
                                 and max(int(c[0].max()), int(c[1].max())) < 128 else no()),
    # One operand
    "gelu_tanh": lambda c: F.gelu(c[0], approximate="tanh"),
    "softplus": lambda c: F.softplus(c[0], threshold=40),  # from 20 on, by default, PyTorch takes x itself
    "cube": lambda c: c[0] ** 3,
    "clamp": lambda c: torch.clamp(c[0], like(c[0], c.f[0]), like(c[0], c.f[1])),
    "add_scalar": lambda c: c[0] + like(c[0], c.f[0]),
    "mul_scalar": lambda c: c[0] * like(c[0], c.f[0]),
    "pow_scalar": lambda c: torch.pow(c[0], c.f[0]),
    "leaky_relu": lambda c: F.leaky_relu(c[0], c.f[0]),
    "elu": lambda c: F.elu(c[0], c.f[0]),
    "celu": lambda c: F.celu(c[0], c.f[0]),
    "hardtanh": lambda c: F.hardtanh(c[0], like(c[0], c.f[0]), like(c[0], c.f[1])),
    "softshrink": lambda c: F.softshrink(c[0], c.f[0]),
    "hardshrink": lambda c: F.hardshrink(c[0], c.f[0]),
    "threshold": lambda c: F.threshold(c[0], like(c[0], c.f[0]), like(c[0], c.f[1])),
    "logit": lambda c: torch.logit(c[0], c.f[0] if c.f[0] >= 0 else None),
    "polygamma": lambda c: torch.special.polygamma(int(c.f[0]), c[0]) if c.f[0] == int(c.f[0]) >= 0 else no("whole orders alone"),
    # Two and three
    "min": lambda c: torch.minimum(c[0], c[1]),
    "max": lambda c: torch.maximum(c[0], c[1]),
    "mod": lambda c: torch.remainder(c[0], c[1]),
    "xlog1py": lambda c: torch.special.xlog1py(c[0], c[1]),
    "where": lambda c: torch.where(c[0], c[1], c[2]),
    "lerp": lambda c: torch.lerp(*torch.broadcast_tensors(*c.all)),
    "addcmul": lambda c: torch.addcmul(c[0], c[1], c[2], value=c.f[0]),
    "addcdiv": lambda c: torch.addcdiv(c[0], c[1], c[2], value=c.f[0]),
    "isclose": lambda c: torch.isclose(c[0], c[1], c.f[0], c.f[1], bool(c.i[0])),
    "nan_to_num": lambda c: torch.nan_to_num(c[0], *c.f),
    "prelu": lambda c: F.prelu(c[0], c[1]),
    "masked_fill": lambda c: c[0].masked_fill(c[1], like(c[0], c.f[0])),
    "glu": lambda c: F.glu(c[0], c.i[0]),
    "swiglu": lambda c: F.silu(c[0]) * c[1],
    "diff": lambda c: torch.diff(c[0], dim=c.i[0]),
    # Reductions and scans
    "prod": lambda c: one_by_one(torch.prod, c),
    "max_over": over(torch.amax),
    "min_over": over(torch.amin),
    "norm": lambda c: torch.linalg.vector_norm(c[0], 2, dims(c, 1), kept(c)),
    "vector_norm": lambda c: torch.linalg.vector_norm(c[0], c.f[0], dims(c, 1), kept(c)),
    "argmax": lambda c: single(torch.argmax, c),
    "argmin": lambda c: single(torch.argmin, c),
    "var": lambda c: torch.var(c[0], dims(c, 1), correction=c.f[0], keepdim=kept(c)),
    "std": lambda c: torch.std(c[0], dims(c, 1), correction=c.f[0], keepdim=kept(c)),
    "var_mean": lambda c: torch.var_mean(c[0], dims(c, 1), correction=c.f[0], keepdim=kept(c)),
    "count_nonzero": lambda c: (c[0] != 0).sum(dim=dims(c, 1), keepdim=kept(c)),
    "cumsum": lambda c: torch.cumsum(c[0], c.i[0]),
    "topk": topk,
    "max_with_index": lambda c: with_index(torch.max, c),
    "min_with_index": lambda c: with_index(torch.min, c),
    "softmax": lambda c: torch.softmax(c[0], c.i[0]),
    "log_softmax": lambda c: torch.log_softmax(c[0], c.i[0]),
    # Views and moves
    "reshape": lambda c: c[0].reshape(c.i),
    "transpose": lambda c: c[0].transpose(*c.i),
    "permute": lambda c: c[0].permute(c.i),
    "expand": lambda c: c[0].expand(c.i),
    "squeeze": lambda c: c[0].squeeze(tuple(c.i)) if c.i else c[0].squeeze(),
    "unsqueeze": lambda c: c[0].unsqueeze(c.i[0]),
    "slice": lambda c: no("steps forward alone") if c.i[3] < 0 else c[0][(slice(None),) * (c.i[0] % c[0].ndim) + (slice(*c.i[1:]),)],
    "select": lambda c: c[0].select(*c.i),
    "flatten": lambda c: c[0].flatten(*c.i),
    "unflatten": lambda c: c[0].unflatten(c.i[0], c.i[1:]),
    "movedim": lambda c: c[0].movedim(*c.i),
    "contiguous": lambda c: c[0].contiguous(),
    "stack": lambda c: torch.stack(c.all, c.i[0]),
    "concat": lambda c: torch.cat(c.all, c.i[0]),
    "split": lambda c: torch.split(c[0], c.i[1:], c.i[0]),
    "unbind": lambda c: torch.unbind(c[0], c.i[0]),
    "pad": lambda c: padded(c[0], c.i[:len(c.i) // 2], c.i[len(c.i) // 2:], value=like(c[0], c.f[0])),
    "pad_mode": pad_mode,
    "flip": lambda c: torch.flip(c[0], c.i),
    "roll": lambda c: torch.roll(c[0], *c.i),
    "tile": lambda c: torch.tile(c[0], c.i),
    "repeat_interleave": lambda c: torch.repeat_interleave(c[0], *c.i),
    "tril": lambda c: torch.tril(c[0], c.i[0]),
    "triu": lambda c: torch.triu(c[0], c.i[0]),
    "diagonal": lambda c: torch.diagonal(c[0], *c.i),
    "rot90": lambda c: torch.rot90(c[0], c.i[0], c.i[1:]),
    "pixel_shuffle": lambda c: F.pixel_shuffle(c[0], c.i[0]),
    "pixel_unshuffle": lambda c: F.pixel_unshuffle(c[0], c.i[0]),
    "channel_shuffle": lambda c: F.channel_shuffle(c[0], c.i[0]),
    "one_hot": lambda c: F.one_hot(c[0], c.i[0]).to(DTYPES[c.i[1]]),
    "cast": lambda c: c[0].to(DTYPES[c.i[0]]),
    "interpolate": interpolate,
    # Index
    "gather": lambda c: torch.gather(c[0], c.i[0], c[1]),
    "scatter_add": lambda c: torch.scatter_add(c[0], c.i[0], c[1], c[2]),
    "index_select": lambda c: torch.index_select(c[0], c.i[0], c[1]),
    "index_add": lambda c: torch.index_add(c[0], c.i[0], c[1], c[2]),
    "embedding": lambda c: F.embedding(c[1], c[0]),
    # Products and layers
    "linear": lambda c: F.linear(*c.all),
    "linear_act": lambda c: (lambda y: y, F.relu, lambda y: F.gelu(y, approximate="tanh"))[c.i[0]](F.linear(*c.all)),
    "tensordot": lambda c: torch.tensordot(c[0], c[1], c.i[0]),
    "addmm": lambda c: torch.addmm(c[0], c[1], c[2], beta=c.f[0], alpha=c.f[1]) if c[1].ndim == 2 else torch.baddbmm(c[0], c[1], c[2], beta=c.f[0], alpha=c.f[1]),
    "attention": attention,
    "attention_with_bias": attention,
    "conv1d": lambda c: F.conv1d(*c.all, *c.i),
    "conv1d_transpose": lambda c: F.conv_transpose1d(*c.all, c.i[0], c.i[1], c.i[2], c.i[4], c.i[3]),
    "conv2d": lambda c: F.conv2d(*c.all, c.i[0:2], c.i[2:4], c.i[4:6], c.i[8]),
    "conv2d_transpose": conv2d_transpose,
    "conv2d_weight": conv2d_weight,
    "max_pool1d": lambda c: F.max_pool1d(c[0], *c.i),
    "avg_pool1d": lambda c: F.avg_pool1d(c[0], *c.i),
    "max_pool2d": lambda c: F.max_pool2d(c[0], c.i[0:2], c.i[2:4], c.i[4:6]),
    "avg_pool2d": lambda c: F.avg_pool2d(c[0], c.i[0:2], c.i[2:4], c.i[4:6]),
    "avg_unpool2d": avg_unpool2d,
    "lp_pool2d": lambda c: F.lp_pool2d(c[0].abs(), c.f[0], *c.i),  # PyTorch's takes no absolute value
    "layer_norm": lambda c: F.layer_norm(c[0], shaped(c), c[1], c[2], c.f[0]),
    "rms_norm": lambda c: F.rms_norm(c[0], shaped(c), c[1], c.f[0]),
    "batch_norm": batch_norm,
    "group_norm": lambda c: F.group_norm(c[0], c.i[0], c[1], c[2], c.f[0]),
    "instance_norm": lambda c: F.instance_norm(c[0], weight=c[1], bias=c[2], eps=c.f[0]),
    "local_response_norm": lambda c: F.local_response_norm(c[0], c.i[0], *c.f),
    "weight_norm": lambda c: torch._weight_norm(c[0], wide(c[0], c.i[0], c[1]), c.i[0] % c[0].ndim),
    "normalize": lambda c: F.normalize(c[0], 2, c.i[0], c.f[0]),
    "cosine_similarity": lambda c: F.cosine_similarity(c[0], c[1], c.i[0], c.f[0]),
    "pairwise_distance": lambda c: F.pairwise_distance(c[0], c[1], 2, c.f[0]),
    "cdist": lambda c: torch.cdist(c[0], c[1], compute_mode="donot_use_mm_for_euclid_dist"),
    "dropout": dropout,
    # Fourier transforms
    "fft": lambda c: pairs(torch.fft.fft(numbers(c[0]), dim=inner(c.i[0]), norm=NORMS[c.i[1]])),
    "ifft": lambda c: pairs(torch.fft.ifft(numbers(c[0]), dim=inner(c.i[0]), norm=NORMS[c.i[1]])),
    "rfft": lambda c: pairs(torch.fft.rfft(c[0], dim=c.i[0], norm=NORMS[c.i[1]])),
    "irfft": lambda c: torch.fft.irfft(numbers(c[0]), c.i[0], inner(c.i[1]), norm=NORMS[c.i[2]]),
    "fftn": lambda c: over_dims(torch.fft.fftn, c, 1, c.i[0], True, True),
    "ifftn": lambda c: over_dims(torch.fft.ifftn, c, 1, c.i[0], True, True),
    "rfftn": lambda c: over_dims(torch.fft.rfftn, c, 1, c.i[0], False, True),
    "irfftn": irfftn,
    "fftshift": lambda c: torch.fft.fftshift(c[0], tuple(c.i) or None),
    "ifftshift": lambda c: torch.fft.ifftshift(c[0], tuple(c.i) or None),
    "stft": stft,
    "istft": lambda c: torch.istft(numbers(c[0]), c[1].shape[0], c.i[0], window=c[1], center=bool(c.i[1]), length=c.i[2] if c.i[2] >= 0 else None),
    "complex_mul": lambda c: pairs(numbers(c[0]) * numbers(c[1])),
    "complex_abs": lambda c: numbers(c[0]).abs(),
    # Losses
    "mse": lambda c: F.mse_loss(*pair(c)),
    "huber": lambda c: F.huber_loss(*pair(c), delta=c.f[0]),
    "bce_with_logits": lambda c: F.binary_cross_entropy_with_logits(*pair(c)),
    "nll": lambda c: by_rows(c, lambda x, t: F.nll_loss(x, t)),
    "cross_entropy": lambda c: by_rows(c, lambda x, t: F.cross_entropy(x, t)),
    "cross_entropy_with": lambda c: by_rows(c, lambda x, t: F.cross_entropy(x, t, ignore_index=c.i[0], label_smoothing=c.f[0], reduction=REDUCTIONS[c.i[1]])),
    "l1_loss": lambda c: F.l1_loss(*pair(c), reduction=reduction(c)),
    "smooth_l1_loss": lambda c: F.smooth_l1_loss(*pair(c), beta=c.f[0], reduction=reduction(c)),
    "gaussian_nll_loss": lambda c: F.gaussian_nll_loss(*torch.broadcast_tensors(*c.all), eps=c.f[0], reduction=reduction(c)),
    "poisson_nll_loss": lambda c: F.poisson_nll_loss(*pair(c), log_input=bool(c.i[1]), eps=c.f[0], reduction=reduction(c)),
    "bce": lambda c: F.binary_cross_entropy(*pair(c), reduction=reduction(c)),
    "kl_div": lambda c: F.kl_div(*pair(c), log_target=bool(c.i[1]), reduction=reduction(c)),
    "soft_margin_loss": lambda c: F.soft_margin_loss(*torch.broadcast_tensors(c[0], c.as_given(1)), reduction=reduction(c)),
    "hinge_embedding_loss": lambda c: F.hinge_embedding_loss(*pair(c), margin=c.f[0], reduction=reduction(c)),
    "margin_ranking_loss": lambda c: F.margin_ranking_loss(*torch.broadcast_tensors(*c.all), margin=c.f[0], reduction=reduction(c)),
    "triplet_margin_loss": lambda c: distances(c, 3, lambda *x: F.triplet_margin_loss(*x, margin=c.f[0], reduction=reduction(c))),
    "cosine_embedding_loss": lambda c: distances(c, 2, lambda *x: F.cosine_embedding_loss(*x, margin=c.f[0], reduction=reduction(c))),
    # In place
    "add_": lambda c: c[0].clone().add_(c[1]),
    "sub_": lambda c: c[0].clone().sub_(c[1]),
    "mul_": lambda c: c[0].clone().mul_(c[1]),
    "div_": lambda c: c[0].clone().div_(c[1]),
    "copy_": lambda c: c[0].clone().copy_(c[1]),
    "fill_": lambda c: c[0].clone().fill_(like(c[0], c.f[0])),
    "sgd_step": sgd,
    "adam_step": adam,
    "rmsprop_step": rmsprop,
    "adagrad_step": adagrad,
    "adadelta_step": adadelta,
    "nadam_step": nadam,
    # Order, scans, search
    "argsort": lambda c: torch.argsort(c[0], dim=c.i[0], descending=bool(c.i[1]), stable=True),
    "kthvalue": lambda c: tuple(torch.kthvalue(c[0], c.i[0], c.i[1], bool(c.i[2]))),
    "median": lambda c: tuple(torch.median(c[0], c.i[0], bool(c.i[1]))),
    "nanmedian": lambda c: tuple(torch.nanmedian(c[0], c.i[0], bool(c.i[1]))),
    "nanquantile": lambda c: torch.nanquantile(c[0], c.f[0], c.i[0], bool(c.i[1])),
    "quantile": lambda c: torch.quantile(c[0], c.f[0], c.i[0], bool(c.i[1])),
    "unique": unique,
    "bucketize": lambda c: torch.bucketize(c[0], c[1], right=bool(c.i[0])),
    "bincount": lambda c: torch.bincount(c[0].reshape(-1), minlength=c.i[0]),
    "histc": lambda c: torch.histc(c[0], c.i[0], c.f[0], c.f[1]).to(torch.int64),
    "nonzero": lambda c: torch.nonzero(c[0]),
    "masked_select": lambda c: torch.masked_select(c[0], c[1]),
    "cumprod": lambda c: torch.cumprod(c[0], c.i[0]),
    "cummax": lambda c: tuple(torch.cummax(c[0], c.i[0])),
    "cummin": lambda c: tuple(torch.cummin(c[0], c.i[0])),
    "logcumsumexp": lambda c: torch.logcumsumexp(c[0], c.i[0]),
    "sort": sort,
    "searchsorted": lambda c: torch.searchsorted(c[0], c[1], right=bool(c.i[0])),
    # Places, windows, letters
    "take": lambda c: torch.take(c[0], c[1]),
    "take_along": lambda c: torch.take_along_dim(c[0], c[1], c.i[0]),
    "index_fill": lambda c: torch.index_fill(c[0], c.i[0], c[1], c.f[0] if c[0].dtype.is_floating_point else int(c.f[0])),
    "index_copy": lambda c: torch.index_copy(c[0], c.i[0], c[1], c[2]),
    "index_put": index_put,
    "scatter": lambda c: torch.scatter(c[0], c.i[0], c[1], c[2]),
    "scatter_max": reduced("amax"),
    "scatter_min": reduced("amin"),
    "scatter_mean": reduced("mean"),
    "scatter_prod": reduced("prod"),
    "windows": lambda c: c[0].unfold(*c.i),
    "unfold2d": lambda c: F.unfold(c[0].double(), c.i[0:2], dilation=c.i[6:8], padding=c.i[4:6], stride=c.i[2:4]).to(c[0].dtype),
    "fold2d": lambda c: F.fold(c[0], c.i[0:2], c.i[2:4], dilation=c.i[8:10], padding=c.i[6:8], stride=c.i[4:6]),
    "meshgrid": lambda c: torch.meshgrid(*c.all, indexing="xy" if c.i[0] else "ij"),
    "cartesian_prod": lambda c: torch.cartesian_prod(*c.all).reshape(-1, len(c.all)),
    "chunk": chunk,
    "vander": vander,
    "diag": lambda c: torch.diag(c[0], c.i[0]),
    "baddbmm": lambda c: torch.baddbmm(c[0], c[1], c[2], beta=c.f[0], alpha=c.f[1]),
    "matrix_power": lambda c: torch.linalg.matrix_power(c[0], c.i[0]),
    "cross": lambda c: torch.linalg.cross(c[0], c[1], dim=c.i[0]),
    "cov": lambda c: torch.cov(c[0], correction=int(c.f[0])),
    "corrcoef": lambda c: torch.corrcoef(c[0]),
    "trapezoid": trapezoid(torch.trapezoid),
    "cumulative_trapezoid": trapezoid(torch.cumulative_trapezoid),
    "renorm": lambda c: torch.renorm(c[0], c.f[0], c.i[0], c.f[1]),
    "einsum": lambda c: torch.einsum("".join(map(chr, c.i)), *c.all),
    **{name: (lambda name: lambda c: getattr(c[0].clone(), name)())(name) for name in "neg_ relu_ exp_ sqrt_ tanh_ sigmoid_".split()},
    "clamp_": lambda c: c[0].clone().clamp_(*[v if c[0].dtype.is_floating_point else int(v) for v in c.f[:2]]),
    "add_scalar_": lambda c: c[0].clone().add_(c.f[0] if c[0].dtype.is_floating_point else int(c.f[0])),
    "mul_scalar_": lambda c: c[0].clone().mul_(c.f[0] if c[0].dtype.is_floating_point else int(c.f[0])),
    "masked_fill_": lambda c: c[0].clone().masked_fill_(c[1], c.f[0] if c[0].dtype.is_floating_point else int(c.f[0])),
    "index_add_": lambda c: c[0].clone().index_add_(c.i[0], c[1], c[2]),
    "scatter_add_": lambda c: c[0].clone().scatter_add_(c.i[0], c[1], c[2]),
    "index_copy_": lambda c: c[0].clone().index_copy_(c.i[0], c[1], c[2]),
    # Layers, boxes
    "affine_grid": affine_grid,
    "grid_sample": grid_sample,
    "embedding_bag": embedding_bag,
    "max_pool3d": lambda c: F.max_pool3d(c[0], *triples(c.i, 3)),
    "avg_pool3d": lambda c: F.avg_pool3d(c[0], *triples(c.i, 3)),
    "adaptive_max_pool": adaptive_max_pool,
    "max_pool2d_with_index": lambda c: F.max_pool2d(c[0], c.i[0:2], c.i[2:4], c.i[4:6], return_indices=True),
    "max_unpool2d": lambda c: torch.ops.aten.max_unpool2d(c[0], c[1], c.i[:2]),
    "max_pool": lambda c: windowed(c, (F.max_pool1d, F.max_pool2d, F.max_pool3d)),
    "avg_pool": lambda c: windowed(c, (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)),
    "interpolate_antialias": antialias,
    "conv3d": conv3d,
    "conv3d_transpose": conv3d_transpose,
    "rnn_cell": lambda c: cell(torch.rnn_relu_cell if c.i[0] else torch.rnn_tanh_cell, c),
    "lstm_cell": lambda c: cell(torch.lstm_cell, c, 2),
    "gru_cell": lambda c: cell(torch.gru_cell, c),
    "rnn": rnn,
    "gru": lambda c: recurrent(c, torch.gru, 1),
    "lstm": lambda c: recurrent(c, torch.lstm, 2),
    "ctc_loss": ctc,
    "multi_margin_loss": lambda c: by_class_rows(c, lambda x, t: F.multi_margin_loss(x, t, c.i[1], c.f[0], reduction=("none", "mean", "sum")[c.i[0]])),
    "multilabel_margin_loss": lambda c: by_class_rows(c, lambda x, t: F.multilabel_margin_loss(x, t, reduction=("none", "mean", "sum")[c.i[0]])),
    "multilabel_soft_margin_loss": lambda c: by_class_rows(c, lambda x, t: F.multilabel_soft_margin_loss(x, t, reduction=("none", "mean", "sum")[c.i[0]])),
    # Linear algebra
    "cholesky": lambda c: torch.linalg.cholesky((c[0] + c[0].mT) / 2),
    "triangular_solve": triangular_solve,
    "cholesky_solve": lambda c: torch.cholesky_solve(c[1], torch.tril(c[0])),
    "solve": lambda c: torch.linalg.solve(c[0], c[1]),
    "inverse": lambda c: torch.linalg.inv(c[0]),
    "det": lambda c: torch.linalg.det(c[0]),
    "slogdet": lambda c: tuple(reversed(torch.linalg.slogdet(c[0]))),
    "logdet": lambda c: torch.logdet(c[0]),
    "qr": qr,
    "eigvalsh": lambda c: torch.linalg.eigvalsh((c[0] + c[0].mT) / 2),
    "svdvals": lambda c: torch.linalg.svdvals(c[0]),
    "pinv": lambda c: pinv(c[0], c.f[0]),
    "lstsq": lambda c: pinv(c[0], c.f[0]) @ c[1],
    "matrix_exp": lambda c: torch.linalg.matrix_exp(c[0]),
}
