"""The steps of tests/check, in order. Each prints its name, its counts and its seconds; whole logs stay in build*/check/."""

import collections
import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).resolve().parent.parent
CPUS = os.cpu_count() or 1
TAIL_LINES = 60

BUILDS = {  # name: (directory, CMake settings), as in CMakePresets.json; every one with warnings as errors
    "asan": ("build-asan", ["-DCMAKE_BUILD_TYPE=Debug", "-DCMAKE_C_FLAGS=-O1", "-DRMS_SANITIZE=address,undefined"]),
    "tsan": ("build-tsan", ["-DCMAKE_BUILD_TYPE=Debug", "-DCMAKE_C_FLAGS=-O1", "-DRMS_SANITIZE=thread"]),
    "fuzz": ("build-fuzz", ["-DCMAKE_BUILD_TYPE=Debug", "-DCMAKE_C_FLAGS=-O1", "-DCMAKE_C_COMPILER=clang",
                            "-DRMS_SANITIZE=address,undefined", "-DRMS_FUZZ=ON", "-DRMS_TESTS=OFF"]),
    "release": ("build", ["-DCMAKE_BUILD_TYPE=RelWithDebInfo"]),
    "clang": ("build-clang", ["-DCMAKE_BUILD_TYPE=RelWithDebInfo", "-DCMAKE_C_COMPILER=clang"]),
}
SANITIZERS = {
    "ASAN_OPTIONS": "detect_leaks=1:detect_stack_use_after_return=1",
    "UBSAN_OPTIONS": "print_stacktrace=1",
    "TSAN_OPTIONS": "second_deadlock_stack=1",
}


class Failed(Exception):
    """A step that could not count: the text says what and how to see more."""


class Tally:
    passed = failed = 0


def log_path(build, name):
    folder = ROOT / BUILDS[build][0] / "check"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{name}.log"


def tail(text, lines=TAIL_LINES):
    kept = text.splitlines()[-lines:]
    return "\n".join("    " + line for line in kept)


def run(command, log, timeout, env=None, cwd=ROOT):
    """Exit status and output, kept in log. A command that outlives timeout is killed and counts as 124."""
    merged = {**os.environ, **SANITIZERS, **(env or {})}
    with open(log, "w+", encoding="utf-8", errors="replace") as out:
        out.write("$ " + " ".join(map(str, command)) + "\n")
        out.flush()
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, cwd=cwd, env=merged,
                                   stdin=subprocess.DEVNULL, start_new_session=True)
        try:
            status = process.wait(timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.wait()
            out.write(f"\nstopped: not done after {timeout} s\n")
            status = 124
        out.flush()
        out.seek(0)
        return status, out.read()


def step(name, work):
    """work() returns (passed, failed, what to show)."""
    print(f"{name} ...", flush=True)
    begun = time.monotonic()
    try:
        passed, failed, shown = work()
    except Failed as problem:
        passed, failed, shown = 0, 1, str(problem)
    Tally.passed += passed
    Tally.failed += failed
    if failed and shown:
        print(shown)
    print(f"{name}: {passed} passed, {failed} failed, {time.monotonic() - begun:.1f} s", flush=True)
    return failed == 0


# ---- format and lints ----

def sources(*patterns):
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "--", *patterns], cwd=ROOT,
                            capture_output=True, text=True)
    if listed.returncode != 0:  # a tree without git, such as an unpacked release
        return sorted(str(p.relative_to(ROOT)) for pattern in patterns for p in ROOT.rglob(pattern)
                      if "build" not in p.relative_to(ROOT).parts[0])
    return [path for path in listed.stdout.splitlines() if (ROOT / path).exists()]


def check_format():
    files = sources("*.c", "*.h")
    checked = subprocess.run(["clang-format", "--dry-run", "-Werror", *files], cwd=ROOT, capture_output=True, text=True)
    wrong = sorted(set(re.findall(r"^(\S+?):\d+:\d+: error", checked.stderr, re.M)))
    if checked.returncode and not wrong:
        raise Failed(tail(checked.stderr))
    return len(files) - len(wrong), len(wrong), "".join(f"    {path} is not formatted; tests/check fix mends it\n" for path in wrong)


AFTER_A_BUILD = "generated"  # the one lint that asks the programs


def check_lints(after_a_build=False):
    passed = failed = 0
    shown = []
    for lint in sorted((ROOT / "tests/lint").glob("*.py")):
        if (lint.stem == AFTER_A_BUILD) != after_a_build:
            continue
        done = subprocess.run([sys.executable, lint], cwd=ROOT, capture_output=True, text=True, timeout=120)
        if done.returncode == 0:
            passed += 1
            print(done.stdout, end="")  # remarks that fail nothing
        else:
            failed += 1
            shown.append(f"    lint {lint.stem}:\n{tail(done.stdout + done.stderr, 200)}")
    return passed, failed, "\n".join(shown)


def fix():
    subprocess.run(["clang-format", "-i", *sources("*.c", "*.h")], cwd=ROOT, check=True)


# ---- builds ----

def build(name):
    folder, settings = BUILDS[name]
    log = log_path(name, "build")
    configure = ["cmake", "-S", ".", "-B", folder, "-G", "Ninja", "-DCMAKE_COMPILE_WARNING_AS_ERROR=ON", *settings]
    if shutil.which("ccache"):
        configure.append("-DCMAKE_C_COMPILER_LAUNCHER=ccache")
    for command in (configure, ["ninja", "-C", folder]):
        status, output = run(command, log, 1200)
        if status:
            raise Failed(f"the {name} build failed; the whole log is {log.relative_to(ROOT)}\n{tail(output)}")
    return 1, 0, ""


def binaries(build_name, pattern):
    return sorted(path for path in (ROOT / BUILDS[build_name][0] / "bin").glob(pattern) if os.access(path, os.X_OK))


# ---- unit tests ----

def count_unit(output, status):
    """cmocka prints a line for each case; a crash shows as a status without a failed case."""
    passed = len(re.findall(r"^\[       OK \]", output, re.M))
    failed = len(set(re.findall(r"^\[  FAILED  \] ([a-zA-Z_]\w*)$", output, re.M)))
    if (status != 0 and not failed) or not passed + failed:
        failed += 1
    return passed, failed


def units(build_name, only=None):
    # A test whose source was renamed leaves its old program in the build directory: the sources decide.
    programs = [ROOT / BUILDS[build_name][0] / "bin" / source.stem for source in sorted((ROOT / "tests/unit").glob("test_*.c"))
                if only is None or source.stem == f"test_{only}"]
    if only and not programs:
        raise Failed(f"    there is no tests/unit/test_{only}.c")

    def one(program):
        return program, *run([*fixed_layout(build_name), program], log_path(build_name, program.stem), 300)

    passed = failed = 0
    shown = []
    with concurrent.futures.ThreadPoolExecutor(CPUS) as pool:
        for program, status, output in pool.map(one, programs):
            good, bad = count_unit(output, status)
            passed, failed = passed + good, failed + bad
            if bad or only:
                shown.append(f"    {program.name} (status {status}):\n{tail(output)}")
    if only and not failed:
        print("\n".join(shown))
    return passed, failed, "\n".join(shown)


def fixed_layout(build_name):
    """ThreadSanitizer of this age stops on kernels that scatter mappings widely; where allowed, run without scattering."""
    if build_name != "tsan" or not shutil.which("setarch"):
        return []
    prefix = ["setarch", "-R"]
    return prefix if subprocess.run([*prefix, "true"], capture_output=True).returncode == 0 else []


# ---- scenarios ----

def scenarios(build_name, *selection, folder="tests/scenario", timeout=1500):
    if not list((ROOT / folder).glob("test_*.py")):
        return 0, 0, ""
    name = f"pytest-{folder.rsplit('/', maxsplit=1)[-1]}"
    report = log_path(build_name, name).with_suffix(".xml")
    report.unlink(missing_ok=True)
    # Scenarios mostly wait for timers and sockets, so a few more of them than processors may run side by side.
    command = [*fixed_layout(build_name), sys.executable, "-m", "pytest", "-c", "tests/pytest.ini", "-q", "-n", str(CPUS + 1),
               f"--junitxml={report}", *selection]
    if not any(part.startswith("tests/") for part in selection):
        command.append(folder)
    status, output = run(command, log_path(build_name, name), timeout, {"RMS_BUILD": str(ROOT / BUILDS[build_name][0])})
    if not report.exists():
        raise Failed(f"pytest gave no report (status {status})\n{tail(output)}")
    suite = xml.etree.ElementTree.parse(report).getroot().find("testsuite")
    total, bad, skipped = (int(suite.get(key, 0)) for key in ("tests", "failures", "skipped"))
    bad += int(suite.get("errors", 0))
    if status not in (0, 1) and not bad:
        bad += 1
    for reason, count in collections.Counter(skip.get("message") for skip in suite.iter("skipped")).items():
        print(f"    {count} skipped: {reason}")
    if total == 0 and selection:
        raise Failed(f"    nothing matches {' '.join(selection)}\n{tail(output, 5)}")
    return total - bad - skipped, bad, tail(output)


# ---- fuzzers ----

def fuzz(seconds):
    programs = binaries("fuzz", "fuzz_*")
    passed = failed = 0
    shown = []

    def one(program):
        subject = program.name.removeprefix("fuzz_")
        corpus = ROOT / "tests/fuzz/corpus" / subject
        work = ROOT / BUILDS["fuzz"][0] / "corpus" / subject
        findings = ROOT / BUILDS["fuzz"][0] / "findings"
        for folder in (work, findings):
            folder.mkdir(parents=True, exist_ok=True)
        seeds = [corpus] if corpus.is_dir() and any(corpus.iterdir()) else []
        common = ["-timeout=10", "-rss_limit_mb=1024", f"-artifact_prefix={findings}/{subject}-"]
        results = [("has seeds", 0 if seeds else 1, f"{corpus} holds no seed")]
        if seeds:
            results.append(("replay", *run([program, "-runs=0", *common, *seeds], log_path("fuzz", f"replay_{subject}"), 300)))
        results.append((f"{seconds} s", *run([program, f"-max_total_time={seconds}", *common, work, *seeds],
                                             log_path("fuzz", f"fuzz_{subject}"), seconds + 120)))
        return subject, results

    with concurrent.futures.ThreadPoolExecutor(CPUS) as pool:
        for subject, results in pool.map(one, programs):
            for what, status, output in results:
                if status == 0:
                    passed += 1
                else:
                    failed += 1
                    shown.append(f"    fuzz_{subject}, {what} (status {status}):\n{tail(output)}")
    return passed, failed, "\n".join(shown)


# ---- clang-tidy ----

def tidy():
    files = sources("core/*.c", "proto/*.c", "store/*.c", "bench/*.c")
    passed = failed = 0
    shown = []
    with concurrent.futures.ThreadPoolExecutor(CPUS) as pool:
        jobs = pool.map(lambda path: (path, *run(["clang-tidy", "-p", BUILDS["clang"][0], "--quiet", "--warnings-as-errors=*", path],
                                                  log_path("clang", "tidy-" + path.replace("/", "-")), 600)), files)
        for path, status, output in jobs:
            passed, failed = passed + (status == 0), failed + (status != 0)
            if status:
                shown.append(f"    clang-tidy {path}:\n{tail(output, 30)}")
    return passed, failed, "\n".join(shown)


# ---- the commands ----

def quick():
    step("format", check_format)
    step("lints", check_lints)
    built = step("build with ASan and UBSan (gcc)", lambda: build("asan"))
    if built:
        step("generated documents", lambda: check_lints(after_a_build=True))
        step("unit tests, ASan and UBSan", lambda: units("asan"))
    return built


def everything(fuzz_seconds=5):
    built = quick()
    step("build release (gcc)", lambda: build("release"))
    if built:
        step("scenarios, ASan and UBSan", lambda: scenarios("asan"))
    if step("build with TSan (gcc)", lambda: build("tsan")):
        step("unit tests, TSan", lambda: units("tsan"))
        step("threaded scenarios, TSan", lambda: scenarios("tsan", "-m", "threaded"))
    if step("build fuzzers (clang)", lambda: build("fuzz")):
        step(f"fuzzers, corpora and {fuzz_seconds} s each", lambda: fuzz(fuzz_seconds))
    step("build release (clang)", lambda: build("clang"))


def full():
    everything(60)
    step("clang-tidy", tidy)
    step("failing memory", lambda: scenarios("release", "-n", "0", folder="tests/memory"))


def long(name):
    campaign = ROOT / "tests/long" / f"{name}.py"
    known = sorted(path.stem for path in campaign.parent.glob("[a-z]*.py"))
    if not campaign.exists():
        raise SystemExit(f"there is no campaign {name}; there are: {', '.join(known) or 'none'}")
    if not step("build release (gcc)", lambda: build("release")):
        return

    def work():
        env = {**os.environ, "RMS_BUILD": str(ROOT / BUILDS["release"][0]), "PYTHONPATH": str(ROOT / "tests")}
        done = subprocess.run([sys.executable, campaign], cwd=ROOT, env=env, check=False)  # it shows its own progress
        return int(done.returncode == 0), int(done.returncode != 0), f"    tests/long/{name}.py ended with status {done.returncode}"
    step(f"campaign {name}", work)


def unit(name):
    if step("build with ASan and UBSan (gcc)", lambda: build("asan")):
        step(f"unit test {name}", lambda: units("asan", name))


def scenario(name):
    selection = [f"tests/scenario/test_{name}.py"] if (ROOT / f"tests/scenario/test_{name}.py").exists() else ["-k", name]
    if step("build with ASan and UBSan (gcc)", lambda: build("asan")):
        step(f"scenario {name}", lambda: scenarios("asan", *selection))


def main(arguments):
    os.chdir(ROOT)
    commands = {(): everything, ("quick",): quick, ("full",): full, ("fix",): fix}
    named = {"long": long, "unit": unit, "scenario": scenario}
    if tuple(arguments) in commands:
        commands[tuple(arguments)]()
    elif len(arguments) == 2 and arguments[0] in named:
        named[arguments[0]](arguments[1])
    else:
        raise SystemExit("usage: tests/check [quick | full | fix | long NAME | unit NAME | scenario NAME]")
    if arguments == ["fix"]:
        return 0
    print(f"{Tally.passed} passed, {Tally.failed} failed")
    return 0 if Tally.failed == 0 and Tally.passed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
