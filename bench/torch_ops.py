#!/usr/bin/env python3
"""The operations of bench_ops and bench_slices in PyTorch. They start it (--torch "python3 bench/torch_ops.py") and let it
take its turns: bench/common/torch.h has the lines that they exchange. Needs torch; --device cpu shows that it works. What
--every measures stands in tests/parity/calls.py, which the tests of parity use, too."""
import argparse
import json
import pathlib
import sys
import time
import warnings

import torch
import torch.nn.functional as F

DTYPES = {"f32": torch.float32, "f64": torch.float64, "f16": torch.float16, "bf16": torch.bfloat16, "i64": torch.int64,
          "i32": torch.int32, "i8": torch.int8, "u8": torch.uint8, "bool": torch.bool}


def batch_norm(case, x, w, b, mean, var):
    momentum, eps = case["f"]
    return F.batch_norm(x, mean, var, w, b, training=case["i"][0] != 0, momentum=momentum, eps=eps)


def conv2d(case, x, w, b):
    i = case["i"]
    return F.conv2d(x, w, b, stride=i[0:2], padding=i[2:4], dilation=i[4:6], groups=i[8])


def attention(case, q, k, v):
    scale = case["f"][0]
    return F.scaled_dot_product_attention(q, k, v, is_causal=case["i"][0] != 0, scale=None if scale == -1e308 else scale)


def total(case, x):
    dims = case["i"][1:]
    return x.sum(dims) if dims else x.sum()


# By the operation's name in Weft: the case, whose i and f are the numbers of Weft's call (the records in src/ops say which),
# then the operands.
OPS = {
    "copy_": lambda case, x, y: x.copy_(y),
    "add": lambda case, x, y: x + y,
    "relu": lambda case, x: F.relu(x),
    "exp": lambda case, x: torch.exp(x),
    "gelu": lambda case, x: F.gelu(x),
    "tanh": lambda case, x: torch.tanh(x),
    "contiguous": lambda case, x: x.contiguous(),
    "dropout": lambda case, x: F.dropout(x, case["f"][0], case["i"][0] != 0),
    "sum": total,
    "softmax": lambda case, x: F.softmax(x, case["i"][0]),
    "cross_entropy": lambda case, x, y: F.cross_entropy(x, y),
    "layer_norm": lambda case, x, w, b: F.layer_norm(x, w.shape, w, b, case["f"][0]),
    "rms_norm": lambda case, x, w: F.rms_norm(x, w.shape, w, case["f"][0]),
    "matmul": lambda case, a, b: a @ b,
    "conv2d": conv2d,
    "batch_norm": batch_norm,
    "unbind": lambda case, x: torch.unbind(x),
    "attention": attention,
}


# Of --every: what calls.py says otherwise than a program would, for the sake of equal numbers (a stable sort for topk), or
# cannot say, because results differ in signs or are drawn at random. The call is one of calls.py's records: operands, i, f.
def topk(c):
    return torch.topk(c[0], c.i[0], dim=c.i[1], largest=bool(c.i[2]))


def sdpa(c):
    return F.scaled_dot_product_attention(*c.all[:3], attn_mask=c[3] if len(c.all) > 3 else None, is_causal=len(c.all) == 3 and c.i[0] != 0,
                                          scale=c.f[0])


AS_PROGRAMS_DO = {
    "topk": topk,
    "attention": sdpa,
    "attention_with_bias": sdpa,
    "cdist": lambda c: torch.cdist(c[0], c[1]),
    "cholesky": lambda c: torch.linalg.cholesky(c[0]),
    "qr": lambda c: torch.linalg.qr(c[0]),
    "eigh": lambda c: tuple(torch.linalg.eigh(c[0])),
    "eigvalsh": lambda c: torch.linalg.eigvalsh(c[0]),
    "svd": lambda c: tuple(torch.linalg.svd(c[0], full_matrices=False)),
    "lstsq": lambda c: torch.linalg.lstsq(c[0], c[1]).solution,
    "cholesky_solve": lambda c: torch.cholesky_solve(c[1], c[0]),
    "lp_pool2d": lambda c: F.lp_pool2d(c[0], c.f[0], *c.i),
    "unfold2d": lambda c: F.unfold(c[0], c.i[0:2], stride=c.i[2:4], padding=c.i[4:6], dilation=c.i[6:8]),
    "histc": lambda c: torch.histc(c[0], c.i[0], c.f[0], c.f[1]),
    "count_nonzero": lambda c: torch.count_nonzero(c[0], dim=tuple(c.i[1:]) or None),
    "dropout": lambda c: F.dropout(c[0], c.f[0], c.i[0] != 0),
}


class InPlace:
    """An operand that is changed: calls.py copies it first, so that its records stay; here that is no part of the work."""

    def __init__(self, x):
        self.x = x

    def clone(self):
        return self.x

    def __getattr__(self, name):
        return getattr(self.x, name)


class Call:
    """One of Weft's calls, as calls.py reads it."""

    def __init__(self, case, operands):
        self.i, self.f, self.all = case["i"], case["f"], list(operands)
        if case["op"].endswith("_"):
            self.all[0] = InPlace(self.all[0])

    def __getitem__(self, k):
        return self.all[k]

    def as_given(self, k):
        return self.all[k]


def read_operands(case, device):
    """Weft's operands, which lie in a file one after the other."""
    data, begin = pathlib.Path(case["data"]).read_bytes(), 0
    for description in case["operands"]:
        if description is None:
            yield None
            continue
        dtype, shape = DTYPES[description["dtype"]], description["shape"]
        count = int(torch.Size(shape).numel())
        x = torch.frombuffer(bytearray(data[begin:begin + count * dtype.itemsize]), dtype=dtype).reshape(shape)
        begin += count * dtype.itemsize
        yield (x.mT.contiguous().mT if description["turned"] else x).to(device)


def by_calls(case, *operands):
    if "calls" not in sys.modules:
        sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests" / "parity"))
    from calls import CALLS  # pylint: disable=import-outside-toplevel  # needed by --every alone
    return (AS_PROGRAMS_DO.get(case["op"]) or CALLS[case["op"]])(Call(case, operands))


def operand(description, dtype, device):
    """As Weft has it: None, class numbers, or reals, perhaps transposed in memory."""
    if description is None:
        return None
    shape = description["shape"]
    if description["classes"]:
        return torch.randint(0, description["classes"], shape, device=device)
    if description.get("turned"):
        shape = shape[:-2] + [shape[-1], shape[-2]]
    x = torch.rand(shape, device=device, dtype=dtype) * 2 - 1
    return x.mT if description.get("turned") else x


def prepare(case, device):
    """A function that does the case once."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = case["tf32"]
    if case.get("data"):
        inputs = list(read_operands(case, device))
    else:
        inputs = [operand(o, DTYPES[case["dtype"]], device) for o in case["operands"]]
    wanted = [x for k, x in enumerate(inputs) if case["wrt"] >> k & 1]
    run = by_calls if case.get("data") else OPS[case["op"]]
    if not wanted:

        def forward():
            with torch.no_grad():
                run(case, *inputs)

        return forward
    for x in wanted:
        x.requires_grad_(True)
    out = run(case, *inputs)
    out = out if isinstance(out, tuple) else (out,)
    if case.get("both"):
        return both_ways(lambda: run(case, *inputs), wanted, out)
    cotangents = [torch.full_like(y, 0.5) for y in out]
    return lambda: torch.autograd.grad(out, wanted, cotangents, retain_graph=True)


def both_ways(run, wanted, out):
    """Forward, and backward from the first result that has a derivative, as Weft's side does it."""
    first = next(k for k, y in enumerate(out) if y.requires_grad)
    cotangent = torch.full_like(out[first], 0.5)

    def forward_and_backward():
        out = run()
        torch.autograd.grad(out[first] if isinstance(out, tuple) else out, wanted, cotangent, allow_unused=True)

    return forward_and_backward


def seconds_of(run, times, synchronize, clock):
    begin = clock()
    for _ in range(times):
        run()
    synchronize()
    return clock() - begin


def answer(words, state, device):
    """What is said to one line of bench_ops."""
    synchronize = torch.cuda.synchronize if device == "cuda" else lambda: None
    verb, _, rest = words.partition(" ")
    if verb == "case":
        state.pop("run", None)
        if device == "cuda":
            torch.cuda.empty_cache()  # the other side wants memory, too
        case = json.loads(rest)
        state["run"] = prepare(case, device)
        # As Weft's side: beside it on the CPU what others take of the machine does not count.
        state["clock"] = time.process_time if case.get("data") and device == "cpu" else time.perf_counter
        synchronize()
        return "ok"
    return f"{seconds_of(state['run'], int(rest), synchronize, state['clock']):.9f}"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--threads", type=int, default=0, help="of the CPU; 0: as PyTorch likes")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    device = arguments.device
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    if device == "cuda":
        torch.cuda.init()
    print("torch", torch.__version__, flush=True)
    state = {}
    for line in sys.stdin:
        try:
            reply = answer(line.strip(), state, device)
        except Exception as error:  # pylint: disable=broad-exception-caught  # it is said, and the next case may come
            reply = "error " + " ".join(f"{type(error).__name__}: {error}".split())[:300]
        print(reply, flush=True)


if __name__ == "__main__":
    main()
