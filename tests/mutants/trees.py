"""A tree of its own for each worker, built once and then again file by file, and the suites that are asked there."""
import fcntl
import hashlib
import itertools
import os
import pathlib
import re
import signal
import subprocess
import time

from mutants import PROJECT

# Warnings are none of a mutant's: it may leave a variable unused.
CONFIGURE = ["-DWEFT_WERROR=OFF", "-DWEFT_CUDA=OFF", "-DWEFT_BUILD_BENCH=OFF", "-DWEFT_BUILD_EXAMPLES=OFF", "-DWEFT_ISAS=avx2"]
# The CMakeLists of the emulator says what CI runs of the table in the checked flavour; the same here.
TABLE = PROJECT / "tests" / "emulator" / "table" / "CMakeLists.txt"


# And test.sh of the unit tests with ThreadSanitizer.
SCRIPT = PROJECT / "scripts" / "test.sh"


def setting(file, pattern):
    found = re.search(pattern, file.read_text(encoding="utf-8"), re.M)
    if not found:
        raise SystemExit(f"{file}: nothing fits {pattern}")
    return found[1]


def checked_filter():
    return setting(TABLE, r"set\(filter_checked ([^\s)]+)\)")


def tsan_filter():
    return setting(SCRIPT, r"^tsan_tests='([^']+)'")


def cudnn_filter():
    return setting(TABLE, r"set\(filter_cudnn_asan ([^\s)]+)\)")


def products_filter():
    return setting(TABLE, r"--gtest_filter=(Golden\.matmul[^\s)]+)")


class Suite:
    """Tests: the targets to build, the program, what it is called with, whether it is one of GoogleTest; slow: a filter for
    tests that come last; wide: where only tests near a mutant are wanted, the suite has its own; parts: processes that share its
    tests, one after the other (the checker keeps what it knows of memory); variables: of the environment;
    libraries: the shared ones that the program is loaded with, whose code is its own."""

    def __init__(self, preset, target, program, arguments=(), gtest=True, what=None, slow="", wide=False, parts=1, variables=None,
                 libraries=()):
        self.preset, self.target, self.program, self.gtest = preset, target, program, gtest
        self.arguments, self.what, self.slow, self.wide, self.parts, self.variables = list(arguments), what, slow, wide, parts, variables or {}
        self.libraries = list(libraries)


SUITES = {
    "unit": Suite("release", "weft_tests", "tests/weft_tests", slow="ScaleOfLongRows.*:Large.*:ThreadsOfRows.*:Depth.*:CompareOps.*:Pairwise.*"),
    "api": Suite("release", "weft_api_tests", "tests/weft_api_tests", libraries=["src/libweft.so"]),
    "table": Suite("release", "test_table_checked", "tests/emulator/table/test_table_checked", what=checked_filter, wide=True, parts=4),
    "plans": Suite("release", "test_table_checked", "tests/emulator/table/test_table_checked", what=cudnn_filter, variables={"WEFT_CUDNN": "self"}),
    "products": Suite("release", "test_table_checked", "tests/emulator/table/test_table_checked", what=products_filter, variables={"WEFT_CUBLASLT": "none"}),
    "host": Suite("release", "test_host_checked", "tests/emulator/host/test_host_checked"),
    "tool": Suite("release", "weft_tool weft_tool_program weft_tool_figures", "ctest", ["-L", "tool", "--stop-on-failure"], gtest=False),
    "fuzz": Suite("release", "weft_fuzz_read weft_fuzz_api", "ctest", ["-L", "fuzz", "--stop-on-failure"], gtest=False),
    "house": Suite("release", "weft_gen_ops weft_gen_docs weft_ulp weft_kill_save", "ctest", ["-R", "ops_fresh|docs_fresh|house_records|isa_ulp|kill_save", "--stop-on-failure"], gtest=False),
    "asan": Suite("asan", "weft_tests", "tests/weft_tests"),
    "tsan": Suite("tsan", "weft_tests", "tests/weft_tests", what=tsan_filter),
}

# The suites that are asked for a mutant of a folder, those that find most first.
OF_FOLDER = [
    ("kernels/matmul", ["products", "table", "host"]),
    ("kernels/", ["table", "host"]),
    ("src/cuda/dnn", ["plans", "host"]),
    ("src/cuda/", ["host", "table", "plans"]),
    ("src/io/", ["unit", "api", "asan", "fuzz", "tool"]),
    ("tools/", ["tool"]),
    ("src/bench/", ["unit", "api", "tool"]),
    ("src/compare/", ["unit", "api", "tool"]),
    ("src/profile/", ["unit", "api", "tool"]),
    ("src/cpu/", ["unit", "api", "asan", "tsan", "table"]),
    ("", ["unit", "api", "asan", "tool", "tsan", "table"]),
]

NEAR = [
    ("src/io/", "Files.*:Load.*:Save.*:Zip.*:Named.*:Text.*"),
    ("src/autograd/", "Backward.*:Grad.*:Cut.*:Autograd.*:Versions.*:Hooks.*:Depth.*:Gradcheck.*:CustomOp.*:Several.*:Callbacks*"),
    ("src/optim/", "Optim*:Clip*"),
    ("src/compare/", "Lockstep*:Compare*"),
    ("src/profile/", "Profile*"),
    ("src/bench/", "Theory*:Bench*"),
    ("src/cuda/", "Device*"),
    ("kernels/map.h", "Golden.add/*:Golden.where/*:Golden.exp/*:Golden.lt/*:Golden.pow/*:Device*"),
    ("kernels/space.h", "Golden.add/*:Golden.where/*:Golden.gather/*:Device*"),
    ("kernels/types.h", "Golden.add/*:Golden.sum/*:Golden.cast/*:Device*"),
    ("kernels/rows.h", "*.softmax*:*.layer_norm*:*.cross_entropy*:*.rms_norm*:Device*"),
    ("kernels/block_", "Device*"),
    ("kernels/radix_sort.h", "*.index*:*.scatter*:*.embedding*:Device*"),
    ("kernels/activation.h", "*.linear*:Device*"),
]


def suites_of(mutant):
    if mutant.suites:
        return mutant.suites
    wanted = []
    for file in mutant.files():
        wanted += next(names for start, names in OF_FOLDER if file.startswith(start))
    return [name for name in SUITES if name in wanted] if len(mutant.files()) > 1 else wanted


def rows_of_stem(file):
    """The operations whose record lies in the files of src/ops with this file's stem."""
    stem = re.split(r"[_.]", re.sub(r"^dnn_", "", pathlib.Path(file).name))[0]
    rows = []
    for path in (PROJECT / "src" / "ops").glob(f"{stem}*.c"):
        rows += re.findall(r"^[A-Z_]+\([A-Z0-9_]+, ([a-z0-9_]+),", path.read_text(encoding="utf-8"), re.M)
    return [row for row in rows if not row.endswith("_grad")]


def near_filter(files):
    """Tests that are likely to notice a change of these files; "" where nothing is known."""
    parts = []
    for file in files:
        parts += [near for start, near in NEAR if file.startswith(start)]
        parts += [f"*.{row}*" for row in rows_of_stem(file)]
        stem = re.split(r"[_.]", pathlib.Path(file).name)[0].capitalize()
        parts.append(f"*{stem}*.*")
    return ":".join(parts)


def filters_of(near, allowed, slow):
    """GoogleTest filters, to be run one after the other: what is near, the rest, the rest that is slow, all of it within what
    the suite runs at all. Something that is near and slow is near."""
    positive, _, negative = (allowed or "*").partition("-")
    first = f"{near}-{negative}" if negative else near
    rest = f"{positive}-{':'.join(part for part in (negative, near, slow) if part)}"
    last = f"{slow}-{':'.join(part for part in (negative, near) if part)}"
    return [part.removesuffix("-") for part in (first if near else "", rest, last if slow else "") if part]


class Tree:

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.log = self.folder.parent / f"{self.folder.name}.log"
        self.code = {}  # of the unchanged programs, by suite
        self.seconds = {}

    def run(self, command, timeout, **more):
        """(exit status or None after the time, output). The time is of a processor, so that one which others use too makes no
        hang of a slow run; a process that waits for ever ends after six times as long by the clock. The whole group of
        processes ends with it."""
        limited = ["sh", "-c", f'ulimit -S -t {int(timeout) + 1}; exec "$@"', "sh", *command]
        with open(self.log, "w+", encoding="utf-8", errors="replace") as log:
            started = time.monotonic()
            process = subprocess.Popen(limited, cwd=self.folder, stdout=log, stderr=subprocess.STDOUT, start_new_session=True, **more)
            try:
                status = process.wait(6 * timeout)
                if status == -signal.SIGXCPU:
                    status = None
            except subprocess.TimeoutExpired:
                status = None
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait()
            log.seek(0)
            return status, log.read()[-200000:], time.monotonic() - started

    def fill(self):
        """The tracked files as they are in the project now; only what differs is written, so that little is built anew."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.lock = open(self.folder.parent / f"{self.folder.name}.lock", "w", encoding="utf-8")
        fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        names = subprocess.run(["git", "ls-files", "-z"], cwd=PROJECT, check=True, capture_output=True).stdout.decode().split("\0")
        names = {name for name in names if name and (PROJECT / name).is_file()}
        for path in [p for p in self.folder.rglob("*") if p.is_file()]:
            name = str(path.relative_to(self.folder))
            if name not in names and not name.startswith("build/"):
                path.unlink()
        for name in names:
            source, copy = PROJECT / name, self.folder / name
            data = source.read_bytes()
            if not copy.is_file() or copy.read_bytes() != data:
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_bytes(data)
            copy.chmod(source.stat().st_mode & 0o777)

    def program(self, suite):
        return self.folder / "build" / suite.preset / suite.program

    def build(self, suite, timeout=3600):
        directory = self.folder / "build" / suite.preset
        if not (directory / "build.ninja").is_file():
            status, text, _ = self.run(["cmake", "--preset", suite.preset, *CONFIGURE, "-B", str(directory)], 600)
            if status != 0:
                raise SystemExit(f"{self.folder}: cmake failed:\n{text[-3000:]}")
        return self.run(["ninja", "-C", str(directory), "-j", "1", *suite.target.split()], timeout)

    def code_of(self, suite):
        """What tells one program from another; None for a suite of several programs."""
        if not suite.gtest:
            return None
        directory = self.folder / "build" / suite.preset
        files = [self.program(suite), *(directory / name for name in suite.libraries)]
        return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()

    def ask(self, name, near="", only_near=False):
        """Runs a suite, or of a wide one only what is near. ("passed" | "failed" | "timeout", which test, seconds). What is near
        is another lot of tests for each mutant: how long they take unchanged is not known."""
        suite = SUITES[name]
        timeout = 4 * self.seconds[name] + (900 if only_near and suite.wide else 60) if name in self.seconds else 3600
        environment = dict(os.environ, ASAN_OPTIONS="allocator_may_return_null=1", GTEST_BRIEF="1", GTEST_FAIL_FAST="1", **suite.variables)
        used = 0.0
        if not suite.gtest:
            command = ["ctest", "--test-dir", str(self.folder / "build" / suite.preset), "-j1", *suite.arguments]
            status, text, used = self.run(command, timeout, env=environment)
            failed = re.search(r"^\s*\d+/\d+ Test\s+#\d+: (\S+) .*\*\*\*", text, re.M)
            return ("timeout" if status is None else "failed" if status else "passed"), failed[1] if failed else "ctest", used
        allowed = suite.what() if suite.what else None
        filters = filters_of(near, allowed, suite.slow) if suite.wide or not allowed else [allowed]  # a choice of few is run as it is
        for tests, part in itertools.product(filters[:1] if only_near and near and suite.wide else filters, range(suite.parts)):
            command = [str(self.program(suite)), f"--gtest_filter={tests}", *suite.arguments]
            shard = {"GTEST_TOTAL_SHARDS": str(suite.parts), "GTEST_SHARD_INDEX": str(part)}
            status, text, took = self.run(command, timeout, env={**environment, **shard})
            used += took
            if status != 0:
                failed = re.search(r"\[  FAILED  \] ([^\s,]+)", text)
                last = re.findall(r"\[ RUN      \] (\S+)", text)
                sign = f"signal {-status}" if status is not None and status < 0 else f"exit status {status}"
                return ("timeout" if status is None else "failed"), failed[1] if failed else (last[-1] if last else sign), used
        return "passed", "", used

    def prepare(self, name, only_near=False):
        """Builds the unchanged programs of a suite and sees that they pass, once; of a wide one a few tests."""
        if name not in self.seconds:
            suite = SUITES[name]
            status, text, took = self.build(suite)
            if status != 0:
                raise SystemExit(f"{self.folder}: {suite.target} does not build unchanged:\n{text[-3000:]}")
            verdict, test, seconds = self.ask(name, "Golden.add/*" if only_near and suite.wide else "", only_near)
            if verdict != "passed":
                raise SystemExit(f"{self.folder}: {name} does not pass unchanged: {test}; see {self.log}")
            self.seconds[name] = seconds
            self.code[name] = self.code_of(suite)
            print(f"{self.folder.name}: {name} is built ({took:.0f} s) and passes ({seconds:.0f} s)", flush=True)

    def put(self, texts):
        for file, text in texts.items():
            (self.folder / file).write_text(text, encoding="utf-8")

    def restore(self, texts):
        for file in texts:
            (self.folder / file).write_bytes((PROJECT / file).read_bytes())
