#!/usr/bin/python3
"""Makes tests/files/values/*.npy, *.npz and *.safetensors, small files as NumPy and other software write them, and expected.txt,
which says what is in them: read by tests/test_io_values.c. Needs NumPy (made with 1.24 of Debian 12); npy headers and
safetensors are put together here, byte by byte, since no one library writes all of these.

    python3 tests/files/make_files.py            writes the files
    python3 tests/files/make_files.py --check    fails if the committed ones differ

expected.txt: "file NAME", then for each tensor "tensor NAME DTYPE [shape]" and its elements in row-major order; or
"refused PART", where PART must stand in the message."""
import io
import json
import pathlib
import struct
import sys
import zipfile

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent / "values"
LOADED = {"f2": "f16", "f4": "f32", "f8": "f64", "i1": "i8", "i2": "i32", "i4": "i32", "i8": "i64", "u1": "u8", "u2": "i32", "u4": "i64", "b1": "bool"}

files, expected = {}, []


def number(value):
    value = value.item()
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float) and abs(value) < 1e15 and value == int(value):
        return "-0" if str(value) == "-0.0" else str(int(value))
    return repr(value)


def tensor(name, x, dtype=None):
    """A line of what is expected. JSON keeps the name in one word and in ASCII."""
    kind = dtype or LOADED[x.dtype.str[1:]]
    numbers = " ".join(number(v) for v in x.ravel(order="C"))
    return f"tensor {json.dumps(name).replace(' ', chr(92) + 'u0020')} {kind} [{' '.join(map(str, x.shape))}] {numbers}".rstrip()


def put(name, data, *lines):
    files[name] = data
    expected.append(f"file {name}")
    expected.extend(lines)


def header(descr, fortran, shape, version=(1, 0), align=64, extra=0, text=None):
    """An npy header. align: where the data begin; extra: spaces beyond that."""
    body = text or f"{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape!r}, }}"
    size = 10 if version == (1, 0) else 12
    pad = -(size + len(body) + 1) % align + extra
    body = (body + " " * pad + "\n").encode("utf-8")
    return b"\x93NUMPY" + bytes(version) + struct.pack("<H" if version == (1, 0) else "<I", len(body)) + body


def npy(name, x, as_dtype=None, **more):
    fortran = bool(x.flags.f_contiguous and not x.flags.c_contiguous)
    data = header(x.dtype.str, fortran, x.shape, **more) + x.tobytes(order="F" if fortran else "C")
    put(name, data, tensor("arr_0", x, as_dtype))


def arrays():
    ramp = {"f": [1.5, -2.25, 0.0, 1024.5, -0.0078125, 3.0], "i": [1, -2, 3, 100, -128, 127], "u": [1, 2, 200, 255, 0, 7]}
    wide = {"i2": [258, -2, 3, 32767, -32768, 4660], "i4": [16909060, -2, 3, 2147483647, -2147483648, 4660], "i8": [72623859790382856, -2, 3, 2**62, -2**63, 9],
            "u2": [258, 2, 65535, 0, 32768, 4660], "u4": [16909060, 2, 4294967295, 0, 2147483648, 4660]}
    for kind in ("f2", "f4", "f8", "i2", "i4", "i8", "u2", "u4"):
        for order, label in ((">", "big"), ("<", "little")):
            npy(f"{label}_{kind}.npy", np.array(wide.get(kind, ramp[kind[0]]), order + kind).reshape(2, 3))
    npy("one_byte.npy", np.array(ramp["i"], "i1"))
    npy("unsigned_byte.npy", np.array(ramp["u"], "u1"))
    npy("truths.npy", np.array([True, False, True]))
    count = np.arange(24)
    for kind in ("<f4", ">f4", ">f2", "<i8", ">i2", "|u1", "|b1"):
        x = (count % 2 if kind == "|b1" else count).astype(kind)
        name = kind.replace("<", "little_").replace(">", "big_").replace("|", "")
        npy(f"fortran_{name}_2d.npy", np.asfortranarray(x.reshape(4, 6)))
        npy(f"fortran_{name}_3d.npy", np.asfortranarray(x.reshape(2, 3, 4)))
    npy("fortran_4d.npy", np.asfortranarray(np.arange(48, dtype="<f8").reshape(2, 3, 2, 4)))
    npy("fortran_ones.npy", np.asfortranarray(np.arange(6, dtype="<f4").reshape(2, 1, 3)))
    put("fortran_1d.npy", header("<f4", True, (3,)) + np.arange(3, dtype="<f4").tobytes(), tensor("arr_0", np.arange(3, dtype="<f4")))
    put("fortran_0d.npy", header("<f8", True, ()) + np.array(2.5).tobytes(), tensor("arr_0", np.array(2.5)))
    npy("scalar.npy", np.array(-7, "<i8"))
    npy("empty.npy", np.zeros((2, 0, 3), "<f4"))
    npy("special.npy", np.array([np.inf, -np.inf, -0.0, 2.0**-149, 3.4028234663852886e38], "<f4"))
    npy("special_big_f2.npy", np.array([np.inf, -np.inf, -0.0, 2.0**-24, 65504], ">f2"))
    for version in ((1, 0), (2, 0), (3, 0)):
        npy(f"version_{version[0]}.npy", np.arange(5, dtype="<i4"), version=version)
    for align in (1, 16, 64):
        npy(f"aligned_{align}.npy", np.arange(5, dtype="<i4"), align=align)
    npy("long_header.npy", np.arange(5, dtype="<i4"), extra=64 * 1000)
    bf16 = np.array([1.5, -2.0, 0.0078125, 3e38], "<f4")
    bits = (bf16.view("<u4") >> 16).astype("<u2")
    rounded = (bits.astype("<u4") << 16).view("<f4")
    put("bf16.npy", header("<V2", False, (4,)) + bits.tobytes(), tensor("arr_0", rounded, "bf16"))


def ends():
    """Headers that end with the file, and one byte behind it; data that do, and one byte less."""
    text = header("<f4", False, (0,))
    put("header_is_all.npy", text, tensor("arr_0", np.zeros(0, "<f4")))
    short = bytearray(text)
    short[8] += 1
    put("header_past_end.npy", bytes(short), "refused header is longer")
    whole = header("<f4", False, (3,)) + np.arange(3, dtype="<f4").tobytes()
    put("data_to_the_end.npy", whole, tensor("arr_0", np.arange(3, dtype="<f4")))
    put("data_one_less.npy", whole[:-1], "refused needs more bytes")
    put("header_only_magic.npy", b"\x93NUMPY\x01\x00", "refused does not begin like")
    empty = safetensors_bytes({}, b"")
    put("header_is_all.safetensors", empty)
    put("header_past_end.safetensors", struct.pack("<Q", len(empty) - 8 + 1) + empty[8:], "refused begins neither like")
    put("data_one_less.safetensors", safetensors_bytes({"x": entry("F32", [3], 0, 12)}, bytes(11)), "refused")


def entry(dtype, shape, begin, end):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def safetensors_bytes(head, data, text=None, pad=0):
    body = text if text is not None else json.dumps(head, separators=(",", ":"))
    body = body.encode("utf-8") + b" " * pad
    return struct.pack("<Q", len(body)) + body + data


def safetensors():
    x, y = np.arange(6, dtype="<f4").reshape(2, 3), np.array([-1, 2**40], "<i8")
    z = np.array([1, 0, 1], "|b1")
    data = x.tobytes() + y.tobytes() + z.tobytes()
    head = {"x": entry("F32", [2, 3], 0, 24), "y": entry("I64", [2], 24, 40), "z": entry("BOOL", [3], 40, 43)}
    lines = [tensor("x", x), tensor("y", y), tensor("z", z)]
    put("plain.safetensors", safetensors_bytes(head, data), *lines)
    for align in (8, 64):
        bare = safetensors_bytes(head, b"")
        put(f"aligned_{align}.safetensors", safetensors_bytes(head, data, pad=-len(bare) % align), *lines)
    put("metadata.safetensors", safetensors_bytes({"__metadata__": {"format": "pt", "note": "\u00e9 \"quoted\""}, **head}, data), *lines)
    moved = {"z": entry("BOOL", [3], 0, 3), "x": entry("F32", [2, 3], 3, 27), "y": entry("I64", [2], 27, 43)}
    put("unaligned.safetensors", safetensors_bytes({k: moved[k] for k in "xyz"}, z.tobytes() + x.tobytes() + y.tobytes()), *lines)
    # \U0001f600 is two escapes in JSON, a surrogate pair; here written both ways, and a name between planes.
    names = ["\U0001f600", "a\U0001f600b", "\U00010000", "\U0010ffff", "\u00e9\u4e2d", "tab\there", "quote\"d", "back\\slash"]
    for ascii_only, label in ((True, "escaped"), (False, "utf8")):
        head = {name: entry("U8", [1], k, k + 1) for k, name in enumerate(names)}
        text = json.dumps(head, ensure_ascii=ascii_only)
        put(f"names_{label}.safetensors", safetensors_bytes(None, bytes(range(len(names))), text=text),
            *[tensor(name, np.array([k], "|u1")) for k, name in enumerate(names)])
    for half, label in (("\\ud83d", "high"), ("\\ude00", "low"), ("\\ud83dx", "high_then_letter"), ("\\ud83d\\ud83d", "high_twice")):
        text = json.dumps({"NAME": entry("U8", [1], 0, 1)}).replace("NAME", half)
        put(f"names_{label}_alone.safetensors", safetensors_bytes(None, b"\0", text=text), "refused")
    kinds = [("F64", "<f8"), ("F32", "<f4"), ("F16", "<f2"), ("I64", "<i8"), ("I32", "<i4"), ("I16", "<i2"), ("I8", "|i1"), ("U32", "<u4"), ("U16", "<u2"), ("U8", "|u1"), ("BOOL", "|b1")]
    at, head, data, lines = 0, {}, b"", []
    for kind, descr in kinds:
        values = np.array([1, 0, 1] if kind == "BOOL" else [1, 2, 200] if kind == "U8" else [1, 2, 60000] if kind[0] == "U" else [1, -2, 100]).astype(descr)
        head[kind] = entry(kind, [3], at, at + values.nbytes)
        at += values.nbytes
        data += values.tobytes()
        lines.append(tensor(kind, values))
    head["BF16"] = entry("BF16", [2], at, at + 4)
    put("kinds.safetensors", safetensors_bytes(head, data + struct.pack("<HH", 0x3FC0, 0xC000)), *lines, tensor("BF16", np.array([1.5, -2.0]), "bf16"))
    put("scalar_and_empty.safetensors", safetensors_bytes({"s": entry("F64", [], 0, 8), "e": entry("F32", [0, 4], 8, 8)}, struct.pack("<d", -0.5)),
        tensor("s", np.array(-0.5)), tensor("e", np.zeros((0, 4), "<f4")))


def npz():
    x, y = np.arange(6, dtype=">i2").reshape(2, 3), np.asfortranarray(np.arange(12, dtype="<f8").reshape(3, 4))
    for method, label in ((zipfile.ZIP_STORED, "stored"), (zipfile.ZIP_DEFLATED, "deflated")):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", method) as archive:
            for name, array in (("x", x), ("y/deep", y), ("\u00e9\U0001f600", x)):
                entry_ = io.BytesIO()
                np.lib.format.write_array(entry_, array)
                archive.writestr(zipfile.ZipInfo(name + ".npy", (1980, 1, 1, 0, 0, 0)), entry_.getvalue(), method)
        put(f"{label}.npz", file.getvalue(), tensor("x", x), tensor("y/deep", y), tensor("\u00e9\U0001f600", x))


def main():
    for make in (arrays, ends, safetensors, npz):
        make()
    files["expected.txt"] = ("# Made by tests/files/make_files.py.\n" + "\n".join(expected) + "\n").encode("ascii")
    stale = []
    for name, data in files.items():
        path = HERE / name
        if "--check" in sys.argv:
            if not path.is_file() or path.read_bytes() != data:
                stale.append(name)
        else:
            path.write_bytes(data)
    if stale:
        sys.exit("differ: " + ", ".join(stale))
    print(f"{len(files) - 1} files, {sum(map(len, files.values()))} bytes")


if __name__ == "__main__":
    main()
