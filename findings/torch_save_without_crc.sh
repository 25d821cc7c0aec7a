#!/bin/sh
# PyTorch 2.15.0: torch.serialization.set_crc32_options(False), meant to save time, makes torch.save write 0 as the checksum of
# every entry of its zip archive. torch.load reads such a file, as it looks at no checksum of any file; Python's zipfile
# refuses it ("Bad CRC-32"). So a reader must take a 0 for "not computed", and who wants damage to be noticed must check
# the checksums himself. Weft's reader does both (src/io/torch.c).
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.15.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import io
import zipfile

import torch

assert torch.__version__.startswith("2.15.0"), torch.__version__
x = torch.arange(10.0)


def save(checksums):
    torch.serialization.set_crc32_options(checksums)
    out = io.BytesIO()
    torch.save({"x": x}, out)
    return out


without = save(False)
sums = {info.CRC for info in zipfile.ZipFile(without).infolist()}
assert sums == {0}, sums
try:
    zipfile.ZipFile(without).read("archive/data/0")
    raise SystemExit("zipfile reads it now")
except zipfile.BadZipFile as refusal:
    print("zipfile:", refusal)
without.seek(0)
assert torch.equal(torch.load(without)["x"], x)
print("torch.load: reads it")

with_sums = bytearray(save(True).getvalue())
at = with_sums.index(x.numpy().tobytes())
with_sums[at + 7] ^= 0x40  # 1.0 becomes another number
other = torch.load(io.BytesIO(bytes(with_sums)))["x"]
assert not torch.equal(other, x)
print("torch.load of a file with a checksum that no longer fits: no complaint,", other[1].item(), "in the place of 1")
PYTHON
