#!/usr/bin/env python3
"""Makes tests/files/models: small files as torch.save and gguf write them, and expected.txt, which says what is in them; read
by tests/test_io_values.c. Needs PyTorch (made with 2.15) and gguf (0.17); damaged and hostile ones are made of them here.

    python3 tests/files/make_models.py

expected.txt is written as make_files.py does. The files differ from run to run in what torch.save draws or takes from the
machine: an identity, and in the old form the addresses of storages."""
import collections
import io
import json
import pathlib
import pickle
import struct
import sys
import zipfile

import numpy as np
import torch
import gguf

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import make_files as plain

HERE = pathlib.Path(__file__).resolve().parent / "models"
DTYPES = {torch.float32: "f32", torch.float64: "f64", torch.float16: "f16", torch.bfloat16: "bf16", torch.int64: "i64", torch.int32: "i32",
          torch.int16: "i32", torch.int8: "i8", torch.uint8: "u8", torch.bool: "bool", torch.uint16: "i32", torch.uint32: "i64"}
plain.files.clear()
plain.expected.clear()
put = plain.put


def tensor(name, t):
    x = t.detach()
    return plain.tensor(name, (x.double() if x.is_floating_point() else x).numpy(), DTYPES[t.dtype])


def saved(value, old=False):
    out = io.BytesIO()
    torch.save(value, out, _use_new_zipfile_serialization=not old)
    return out.getvalue()


def both(name, value, *tensors):
    """As torch.save writes it today, and as it did before 1.6."""
    lines = [tensor(*pair) for pair in tensors]
    put(f"{name}.pt", saved(value), *lines)
    put(f"{name}_old.pt", saved(value, old=True), *lines)


def of_torch():
    torch.manual_seed(1)
    x = torch.arange(6, dtype=torch.float32).reshape(2, 3) / 4
    both("tensor", x, ("tensor", x))
    for dtype in list(DTYPES)[:10]:
        t = (torch.arange(6) % 2 if dtype is torch.bool else torch.arange(6) - (0 if dtype is torch.uint8 else 3)).to(dtype)
        both(f"dtype_{DTYPES[dtype]}_{t.element_size()}", {"t": t}, ("t", t))
    for dtype in (torch.uint16, torch.uint32):
        t = torch.tensor([1, 2, 65535]).to(dtype)
        put(f"dtype_{str(dtype)[6:]}.pt", saved({"t": t}), plain.tensor("t", t.numpy().astype("i8"), DTYPES[dtype]))
    layer = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    state = layer.state_dict()
    both("state", state, *state.items())
    both("parameter", {"p": torch.nn.Parameter(x.clone())}, ("p", x))
    opt = torch.optim.Adam(layer.parameters(), 1e-3)
    layer(torch.ones(4, 3)).sum().backward()
    opt.step()
    both("training", {"model": state, "optimizer": opt.state_dict(), "epoch": 3, "best": 0.5, "note": "x", "none": None, "shape": x.shape,
                      "history": [1.0, 2.0, (True, x)]},
         *[("model." + name, t) for name, t in state.items()],
         *[(f"optimizer.state.{k}.{name}", t) for k, own in opt.state_dict()["state"].items() for name, t in own.items()],
         ("history.2.1", x))
    whole = torch.arange(24.0).reshape(4, 6)
    both("views", {"whole": whole, "t": whole.t(), "part": whole[1:3, ::2], "row": whole[2], "expanded": whole[:1].expand(3, 6), "empty": whole[:0],
                   "scalar": torch.tensor(2.5), "backwards": whole.flip(0)},
         ("whole", whole), ("t", whole.t()), ("part", whole[1:3, ::2]), ("row", whole[2]), ("expanded", whole[:1].expand(3, 6)),
         ("empty", whole[:0]), ("scalar", torch.tensor(2.5)), ("backwards", whole.flip(0)))
    tied = torch.nn.Parameter(x)
    both("tied", {"a": tied, "b": tied}, ("a", x), ("b", x))
    both("ordered", collections.OrderedDict([("z", x), ("a", x[0])]), ("z", x), ("a", x[0]))
    both("numbers", {-2**40: x, 7: x[0], -3: [x[1]]}, (str(-2**40), x), ("7", x[0]), ("-3.0", x[1]))
    both("nothing", {"epoch": 3})
    both("names", {"\u00e9\u4e2d": x, "a.b": x[0], "with space": x[1]}, ("\u00e9\u4e2d", x), ("a.b", x[0]), ("with space", x[1]))
    for protocol in (2, 3, 4, 5):
        out = io.BytesIO()
        torch.save({"x": x, "more": [x, {"deep": x[1]}]}, out, pickle_protocol=protocol)
        put(f"protocol_{protocol}.pt", out.getvalue(), tensor("x", x), tensor("more.0", x), tensor("more.1.deep", x[1]))
    torch.serialization.set_crc32_options(False)
    put("no_checksums.pt", saved({"x": x}), tensor("x", x))
    torch.serialization.set_crc32_options(True)
    good = saved({"x": x, "part": x[1]})
    at = good.index(x.numpy().tobytes())
    put("damaged.pt", good[:at] + bytes([good[at] ^ 1]) + good[at + 1:], "refused its checksum is wrong")
    every = torch.arange(256).to(torch.uint8)
    for dtype in (torch.float8_e4m3fn, torch.float8_e5m2, torch.float8_e8m0fnu):
        t = every.view(dtype)
        t = t[~t.float().isnan()]
        put(f"{str(dtype)[6:]}.pt", saved({"t": t}), plain.tensor("t", t.double().numpy(), "f32"))
        name = {"e4m3fn": "F8_E4M3", "e5m2": "F8_E5M2", "e8m0fnu": "F8_E8M0"}[str(dtype)[13:]]
        put(f"{name}.safetensors", safetensors({"t": plain.entry(name, [len(t)], 0, len(t))}, t.view(torch.uint8).numpy().tobytes()),
            plain.tensor("t", t.double().numpy(), "f32"))
    for dtype in (torch.complex64, torch.float8_e4m3fnuz):
        put(f"refused_{str(dtype)[6:]}.pt", saved({"t": torch.zeros(3).to(dtype)}), "refused no such dtype")
    put("refused_sparse.pt", saved({"t": torch.eye(3).to_sparse()}), "refused it is sparse")
    put("refused_module.pt", saved(layer), "refused it wants torch.nn.modules")
    put("refused_numpy.pt", saved({"t": x, "n": np.float64(2)}), "refused it wants numpy")
    big = rebuilt(saved({"t": x}), "archive/byteorder", b"big")
    y = torch.from_numpy(x.numpy().byteswap().copy())
    put("big_endian.pt", big, tensor("t", y))


def rebuilt(data, name, content=None, method=zipfile.ZIP_STORED):
    """The archive with another content of one entry; None: without it."""
    old, out = zipfile.ZipFile(io.BytesIO(data)), io.BytesIO()
    with zipfile.ZipFile(out, "w") as new:
        for info in old.infolist():
            if info.filename == name and content is None:
                continue
            new.writestr(zipfile.ZipInfo(info.filename), content if info.filename == name else old.read(info),
                         method if info.filename == name else zipfile.ZIP_STORED)
    return out.getvalue()


safetensors = plain.safetensors_bytes
beside = {}  # files that a test of its own looks at


def of_shards():
    x, y = np.arange(6, dtype="<f4").reshape(2, 3), np.array([-1, 2**40], "<i8")
    put("shards-00001-of-00002.safetensors", safetensors({"b": plain.entry("F32", [2, 3], 0, 24), "unused": plain.entry("I64", [2], 24, 40)},
                                                         x.tobytes() + y.tobytes()), plain.tensor("b", x), plain.tensor("unused", y))
    put("shards-00002-of-00002.safetensors", safetensors({"a": plain.entry("I64", [2], 0, 16), "c": plain.entry("F32", [3], 16, 28)},
                                                         y.tobytes() + x[1].tobytes()), plain.tensor("a", y), plain.tensor("c", x[1]))
    first, second = "shards-00001-of-00002.safetensors", "shards-00002-of-00002.safetensors"
    index = lambda name, whole, *lines: put(f"{name}.safetensors.index.json", json.dumps(whole, indent=1).encode(), *lines)
    index("shards", {"metadata": {"total_size": 52, "more": [1.5, None, {"x": True}]}, "weight_map": {"c": second, "b": first, "a": second}},
          plain.tensor("a", y), plain.tensor("b", x), plain.tensor("c", x[1]))
    index("shards_none", {"weight_map": {}})
    beside["missing.safetensors.index.json"] = json.dumps({"weight_map": {"c": second, "b": "gone.safetensors"}}).encode()  # its message names the other
    index("shards_other", {"weight_map": {"b": second}}, "refused does not hold the tensor")
    index("shards_up", {"weight_map": {"b": "../values/plain.safetensors"}}, "refused no name of a file beside it")
    index("shards_hidden", {"weight_map": {"b": ".."}}, "refused no name of a file beside it")
    index("shards_itself", {"weight_map": {"b": "shards_itself.safetensors.index.json"}}, "refused")
    index("shards_no_map", {"metadata": {}}, "refused no index")
    index("shards_list", {"weight_map": ["a"]}, "refused no index")
    put("shards_twice.safetensors.index.json", json.dumps({"weight_map": {"b": first}}).replace("{\"b", "{\"b\": \"" + first + "\", \"b").encode(),
        "refused there twice")
    put("shards_behind.safetensors.index.json", json.dumps({"weight_map": {"b": first}}).encode() + b" x", "refused no index")


def hostile():
    x = torch.arange(6, dtype=torch.float32)
    good = saved({"t": x})
    body = zipfile.ZipFile(io.BytesIO(good)).read("archive/data.pkl")
    with_pickle = lambda data: rebuilt(good, "archive/data.pkl", data)
    put("no_storage.pt", rebuilt(good, "archive/data/0"), "refused its storage is not in the file")
    put("short_storage.pt", rebuilt(good, "archive/data/0", bytes(23)), "refused reaches beyond its storage")
    put("packed_storage.pt", rebuilt(good, "archive/data/0", bytes(24), zipfile.ZIP_DEFLATED), "refused its storage is compressed")
    put("packed_pickle.pt", rebuilt(good, "archive/data.pkl", body, zipfile.ZIP_DEFLATED), tensor("t", x))
    put("call.pt", with_pickle(b"\x80\x02cos\nsystem\nX\x04\x00\x00\x00true\x85R."), "refused it wants os.system")
    put("call_4.pt", with_pickle(b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R."), "refused it wants os.system")
    put("call_near.pt", with_pickle(b"\x80\x02ctorch\nload\nX\x04\x00\x00\x00true\x85R."), "refused it wants torch.load")
    put("extension.pt", with_pickle(b"\x80\x02\x82\x01."), "refused instruction 0x82")
    put("empty_pickle.pt", with_pickle(b""), "refused no end")
    put("cut.pt", with_pickle(body[: len(body) // 2]), "refused")
    put("no_mark.pt", with_pickle(b"\x80\x02t."), "refused that it has not made")
    put("memo.pt", with_pickle(b"\x80\x02h\x05."), "refused has not kept")
    put("itself.pt", with_pickle(b"\x80\x02]q\x00h\x00a."), "refused holds itself")
    put("deep.pt", with_pickle(b"\x80\x02" + b"]" * 100 + b"a" * 99 + b"."), "refused within each other")
    many = b"\x80\x02]q\x00"
    for k in range(1, 40):  # each list holds the one before it twice: 2^39 paths
        many += b"](h" + bytes([k - 1]) + b"h" + bytes([k - 1]) + b"eq" + bytes([k])
    put("paths.pt", with_pickle(many + b"0" * 40 + b"h\x27."), "refused too often")
    put("no_strides.pt", with_pickle(body.replace(b"K\x01\x85", b"N\x85", 1)), "refused does not say")
    put("old_cut.pt", saved({"t": x}, old=True)[:-5], "refused ends before its storages")
    put("old_short.pt", saved({"t": x}, old=True)[:40], "refused")
    put("old_call.pt", pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1001, 2) + pickle.dumps({"little_endian": True}, 2) +
        b"\x80\x02cos\nsystem\nX\x04\x00\x00\x00true\x85R.", "refused it wants os.system")


def of_gguf():
    rng = np.random.default_rng(1)
    x = rng.standard_normal((3, 64)).astype("f4")
    kinds = [gguf.GGMLQuantizationType[k] for k in ("Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0")]
    path = HERE / "work.gguf"
    writer = gguf.GGUFWriter(path, "test")
    writer.add_uint32("test.number", 7)
    writer.add_array("test.texts", ["a", "bc", "\u00e9"])
    writer.add_array("test.numbers", [1, 2, 3])
    writer.add_float32("test.real", 0.5)
    lines = []
    for dtype in ("f4", "f8", "f2", "i1", "i2", "i4", "i8"):
        y = (np.arange(6) - 3).astype(dtype).reshape(2, 3)
        writer.add_tensor(f"plain.{dtype}", y)
        lines.append(plain.tensor(f"plain.{dtype}", y))
    bits = (np.array([1.5, -2, 3e38], "<f4").view("<u4") >> 16).astype("<u2")
    writer.add_tensor("plain.bf16", bits.view(np.uint8).reshape(1, 6), raw_dtype=gguf.GGMLQuantizationType.BF16)
    lines.append(plain.tensor("plain.bf16", (bits.astype("<u4") << 16).view("<f4").reshape(1, 3), "bf16"))
    for kind in kinds:
        packed = gguf.quants.quantize(x, kind)
        writer.add_tensor(f"blk.0.{kind.name}", packed, raw_dtype=kind)
        lines.append(plain.tensor(f"blk.0.{kind.name}", gguf.quants.dequantize(packed, kind), "f32"))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    data = path.read_bytes()
    path.unlink()
    put("kinds.gguf", data, *lines)
    put("cut.gguf", data[:-40], "refused not within the file")
    put("cut_header.gguf", data[:600], "refused its header ends early")
    put("only_magic.gguf", b"GGUF", "refused")
    put("version_1.gguf", data[:4] + struct.pack("<I", 1) + data[8:], "refused of version 1")
    put("big_endian.gguf", data[:4] + struct.pack(">I", 3) + data[8:], "refused highest byte first")
    put("too_many.gguf", data[:8] + struct.pack("<Q", 2**40) + data[16:], "refused claims more")
    put("aligned_0.gguf", small([("general.alignment", 4, struct.pack("<I", 0))], []), "refused no power of two")
    put("aligned_64.gguf", small([("general.alignment", 4, struct.pack("<I", 64))], [("x", [3], 0, 0)], np.arange(3, dtype="<f4").tobytes(), 64),
        plain.tensor("x", np.arange(3, dtype="<f4")))
    put("empty.gguf", small([], []))
    put("scalar_and_empty.gguf", small([], [("e", [0, 2], 0, 0), ("s", [1], 0, 0)], np.float32(2).tobytes()),
        plain.tensor("e", np.zeros((2, 0), "<f4")), plain.tensor("s", np.array([2], "<f4")))
    put("overlap.gguf", small([], [("a", [8], 0, 0), ("b", [8], 0, 16)], bytes(64)), "refused overlaps")
    put("twice.gguf", small([], [("a", [1], 0, 0), ("a", [1], 0, 32)], bytes(64)), "refused there twice")
    put("q4_k.gguf", small([], [("a", [256], 12, 0)], bytes(144)), "refused does not read this type")
    put("odd_rows.gguf", small([], [("a", [33], 8, 0)], bytes(100)), "refused whole blocks")
    put("nested.gguf", small([("k", 9, struct.pack("<IQ", 9, 1))], []), "refused the type 9")


def small(pairs, tensors, data=b"", alignment=32):
    text = lambda s: struct.pack("<Q", len(s)) + s.encode()
    out = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(pairs))
    for key, kind, value in pairs:
        out += text(key) + struct.pack("<I", kind) + value
    for name, sizes, kind, offset in tensors:
        out += text(name) + struct.pack("<I", len(sizes)) + b"".join(struct.pack("<Q", s) for s in sizes) + struct.pack("<IQ", kind, offset)
    return out + bytes(-len(out) % alignment) + data


def main():
    HERE.mkdir(exist_ok=True)
    of_torch()
    hostile()
    of_shards()
    of_gguf()
    for old in HERE.iterdir():
        old.unlink()
    for name, data in (plain.files | beside).items():
        (HERE / name).write_bytes(data)
    (HERE / "expected.txt").write_text("\n".join(plain.expected) + "\n", encoding="utf-8")
    print(len(plain.files), "files,", sum(map(len, plain.files.values())), "bytes")


main()
