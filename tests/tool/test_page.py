"""The report of `weft bench --html` in a browser: headless Chromium lays it out and paints it, on a screen and on a phone."""
import os
import re
import struct
import subprocess
import sys
import tempfile
import zlib

from tool import SKIPPED, main, need_program, weft

CHROMIUM = need_program("chromium", "chromium-browser", "google-chrome")
FOLDER = tempfile.TemporaryDirectory()
PAGE = os.path.join(FOLDER.name, "report.html")


def need_working_chromium():
    """The whole script is skipped where Chromium is there and cannot start, as in a container without its system calls."""
    try:
        text = chromium("--dump-dom", "data:text/html,<p>it works</p>")
    except (AssertionError, OSError, subprocess.TimeoutExpired) as error:
        text = str(error)
    if "<p>it works</p>" not in text:
        print(f"skipped: {CHROMIUM} is installed and cannot run here: {text[-300:]}")
        sys.exit(SKIPPED)


def chromium(*words):
    done = subprocess.run([CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                           "--hide-scrollbars", f"--user-data-dir={FOLDER.name}/profile", *words],
                          capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def pixels(path):
    """Width, height and the colours of the unfiltered rows of an 8-bit PNG without interlacing."""
    with open(path, "rb") as file:
        data = file.read()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at, body, head = 8, b"", None
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at:at + 8])
        head = data[at + 8:at + 8 + size] if kind == b"IHDR" else head
        body += data[at + 8:at + 8 + size] if kind == b"IDAT" else b""
        at += 12 + size
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", head)
    assert (depth, interlaced) == (8, 0) and colour in (2, 6), (depth, colour, interlaced)
    return width, height, unfiltered(zlib.decompress(body), width, height, 3 if colour == 2 else 4)


def paeth(a, b, c):
    p = a + b - c
    return min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]


def unfiltered(raw, width, height, bytes_each):
    """The rows of pixels, of every eighth row, as sets of colours; all rows have to be undone for that."""
    length, before, colours = width * bytes_each, bytearray(width * bytes_each), []
    for y in range(height):
        kind, row = raw[y * (length + 1)], bytearray(raw[y * (length + 1) + 1:(y + 1) * (length + 1)])
        for x in range(length if kind else 0):
            left = row[x - bytes_each] if x >= bytes_each else 0
            corner = before[x - bytes_each] if x >= bytes_each else 0
            up = before[x]
            row[x] = (row[x] + (left, up, (left + up) // 2, paeth(left, up, corner))[kind - 1]) & 255
        if y % 8 == 0:
            colours.append({bytes(row[x:x + 3]) for x in range(0, length, bytes_each)})
        before = row
    return colours


def test_the_report_is_made():
    result = weft("bench", "ops", "add", "gelu", "matmul", "--grad", "--quick", "--device", "cpu", "--dtype", "f32,bf16",
                  "--html", PAGE)
    assert result.code == 0, result.err


COUNTS = """
// Texts of the visible chart that lie on each other or on dots.
function overlaps() {
  let seen = what => [...document.querySelectorAll('svg ' + what)].map(e => e.getBoundingClientRect()).filter(b => b.width > 0);
  let t = seen('text'), all = t.concat(seen('circle')), n = 0;
  t.forEach((a, i) => all.slice(i + 1).forEach(b => {
    n += Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 3 }));
  return n;
}
// Cells of the column "of the limit" that a reader does not see without moving the table.
function offside() {
  return [...document.querySelectorAll('td .bad')].filter(e => e.getBoundingClientRect().right > innerWidth).length;
}
"""


def measured(width):
    """What a script finds that is added to a copy of the page: the width of the view and of what is in it, points of the
    charts, the height, and how many charts are to be seen."""
    copy = os.path.join(FOLDER.name, "measured.html")
    with open(PAGE) as page, open(copy, "w") as file:
        file.write(page.read() + "<script>let d = document.documentElement;" + COUNTS + "d.dataset.found = [innerWidth, d.scrollWidth,"
                   " document.querySelectorAll('svg circle').length, d.scrollHeight,"
                   " [...document.querySelectorAll('svg')].filter(s => s.getBoundingClientRect().width > 200).length, overlaps(),"
                   " offside()].join()"
                   "</script>")
    # Windows are at least 500 wide; a frame is as narrow as a phone.
    frame = os.path.join(FOLDER.name, "frame.html")
    with open(frame, "w") as file:
        file.write(f'<iframe id="f" src="measured.html" style="border:0;width:{width}px;height:900px"></iframe><script>'
                   'addEventListener("load", () => document.body.dataset.found = '
                   'f.contentDocument.documentElement.dataset.found)</script>')
    dom = chromium("--allow-file-access-from-files", "--virtual-time-budget=5000", "--window-size=1600,1000", "--dump-dom",
                   "file://" + frame)
    found = re.search(r'<body[^>]* data-found="([0-9]+),([0-9]+),([0-9]+),([0-9]+),([0-9]+),([0-9]+),([0-9]+)"', dom)
    assert found, dom[:2000]
    return [int(n) for n in found.groups()]


def test_it_fits_a_screen_and_a_phone():
    for width in (1280, 390):
        view, content, points, height, charts, overlaps, offside = measured(width)
        assert view == width and content <= view, (width, view, content)
        assert points >= 6 and height > 1000 and charts == 1, (points, height, charts)
        assert overlaps == 0 and offside == 0, (width, overlaps, offside)


def test_labels_of_many_cases_do_not_collide():
    result = weft("bench", "ops", "all", "--quick", "--device", "cpu", "--dtype", "f32,f64,bf16,f16", "--html", PAGE)
    assert result.code == 0, result.err
    for width in (1280, 390):
        _, _, points, _, _, overlaps, offside = measured(width)
        assert points > 400 and overlaps == 0 and offside == 0, (width, points, overlaps, offside)


def test_doubts_are_told_on_the_page_too():
    with open(PAGE) as file:
        assert '<p class="warn">Made with --quick: the figures mean nothing.</p>' in file.read()
    result = weft("bench", "ops", "add", "copy_", "sum", "--samples", "3", "--shape", "64x64", "--device", "cpu", "--html", PAGE)
    with open(PAGE) as file:
        assert ("cases spread by more than half" in result.out) == ('<p class="warn">' in file.read()), result.out


def test_it_is_painted():
    image = os.path.join(FOLDER.name, "page.png")
    chromium(f"--screenshot={image}", "--window-size=600,900", "file://" + PAGE)
    width, height, colours = pixels(image)
    assert (width, height) == (600, 900)
    assert len(set().union(*colours)) > 20, "hardly any colours"
    assert sum(len(row) > 1 for row in colours) > len(colours) / 2, "most of it is empty"


need_working_chromium()
main(globals())
