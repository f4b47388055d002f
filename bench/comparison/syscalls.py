"""Counts the system calls of running processes: by the kernel's tracepoint where perf may use it, else by strace, which slows what it counts."""

import re
import shutil
import signal
import subprocess
import time

from .problem import Problem

EVENT = "raw_syscalls:sys_enter"


def perf_works():
    if not shutil.which("perf"):
        return False
    done = subprocess.run(["perf", "stat", "-x,", "-e", EVENT, "true"], capture_output=True, text=True, check=False)
    return done.returncode == 0 and re.search(rf"^[1-9]\d*,,{EVENT}", done.stderr, re.M) is not None


class Counter:
    """with Counter(pids, folder) as c: ...   then c.calls."""

    def __init__(self, pids, folder):
        self.pids, self.out, self.calls = pids, folder / "calls.txt", 0
        self.tool = "perf" if perf_works() else "strace"
        if self.tool == "strace" and not shutil.which("strace"):
            raise Problem("neither perf nor strace can count system calls here. On Debian: apt-get install strace")

    def __enter__(self):
        self.out.unlink(missing_ok=True)
        if self.tool == "perf":
            command = ["perf", "stat", "-x,", "-e", EVENT, "-o", self.out, "-p", ",".join(map(str, self.pids))]
        else:
            command = ["strace", "-f", "-c", "-q", "-o", self.out, *(part for pid in self.pids for part in ("-p", str(pid)))]
        self.child = subprocess.Popen([str(part) for part in command], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                      stderr=subprocess.PIPE, text=True)
        time.sleep(0.3)  # until it is attached
        if self.child.poll() is not None:
            raise Problem(f"{self.tool} could not attach: {self.child.stderr.read()}")
        return self

    def __exit__(self, kind, error, trace):
        self.child.send_signal(signal.SIGINT)
        try:
            _, said = self.child.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.communicate()
            raise Problem(f"{self.tool} did not end") from error
        if kind:
            return
        text = self.out.read_text() if self.out.exists() else ""
        if self.tool == "perf":
            found = re.search(rf"^(\d+),,{EVENT}", text, re.M)
        else:
            found = re.search(r"^100\.00\s+\S+\s+\S+\s+(\d+)\s", text, re.M)
        if not found:
            raise Problem(f"{self.tool} counted nothing: {said}{text}")
        self.calls = int(found.group(1))
