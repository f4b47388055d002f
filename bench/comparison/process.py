"""One measured program: start, wait until it listens, CPU time and memory of it and all its children, stop. Ends only what it started."""

import ctypes
import os
import pathlib
import random
import signal
import socket
import subprocess
import time

from .problem import Problem

PR_SET_PDEATHSIG = 1
PROC = pathlib.Path("/proc")
LIBC = ctypes.CDLL(None)


def free_port():
    """Below the range that clients' own ports are taken from, so that no connection can sit on it before the program listens."""
    for _ in range(200):
        port = random.randint(20000, 31000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise Problem("no free port between 20000 and 31000 on 127.0.0.1")


def _die_with_parent():
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class Process:
    def __init__(self, name, command, folder, env=None):
        self.name = name
        self.command = [str(part) for part in command]
        self.log = pathlib.Path(folder) / f"{name}.log"
        self.env = {**os.environ, **(env or {})}
        self.child = None
        self.begun = 0.0

    def start(self):
        with open(self.log, "ab") as log:
            self.begun = time.monotonic()
            try:
                self.child = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.env,
                                              start_new_session=True, preexec_fn=_die_with_parent)
            except OSError as error:
                raise Problem(f"{self.command[0]} could not be started: {error.strerror}") from error
        return self

    def words(self):
        """The end of what it printed."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join("    " + line for line in text.splitlines()[-15:]) or "    (it printed nothing)"

    def check_alive(self):
        if self.child.poll() is not None:
            raise Problem(f"{self.name} ended with status {self.child.returncode}. It said:\n{self.words()}\n"
                          f"    command: {' '.join(self.command)}")

    def wait_listening(self, *ports, seconds=10.0):
        """Seconds from start until the last of the ports takes connections."""
        end = time.monotonic() + seconds
        for port in ports:
            while True:
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                self.check_alive()
                if time.monotonic() > end:
                    raise Problem(f"{self.name} does not listen on 127.0.0.1:{port} after {seconds:g} s. It said:\n{self.words()}")
                time.sleep(0.0005)
        return time.monotonic() - self.begun

    def tree(self):
        """Its process id and those of all its children."""
        pids = [self.child.pid]
        for pid in pids:
            for children in PROC.glob(f"{pid}/task/*/children"):
                try:
                    pids += [int(child) for child in children.read_text().split()]
                except OSError:
                    pass
        return pids

    def cpu_seconds(self):
        """User and system time of all threads. The scheduler's own sum: the same quantity as in /proc/PID/stat, in ns instead of 10 ms."""
        self.check_alive()
        total = 0
        for pid in self.tree():
            for account in PROC.glob(f"{pid}/task/*/schedstat"):
                total += int(account.read_text().split()[0])
        if total == 0:
            raise Problem("/proc/PID/task/TID/schedstat has no CPU times: this kernel was built without CONFIG_SCHED_INFO")
        return total / 1e9

    def _status_bytes(self, field):
        total = 0
        for pid in self.tree():
            for line in (PROC / str(pid) / "status").read_text().splitlines():
                if line.startswith(field + ":"):
                    total += int(line.split()[1]) * 1024
        return total

    def resident_bytes(self):
        return self._status_bytes("VmRSS")

    def peak_bytes(self):
        return self._status_bytes("VmHWM")

    def reset_peak(self):
        for pid in self.tree():
            (PROC / str(pid) / "clear_refs").write_text("5")

    def pause(self, seconds):
        """Stops it for a while: the stall of a neighbour."""
        self.child.send_signal(signal.SIGSTOP)
        try:
            time.sleep(seconds)
        finally:
            self.child.send_signal(signal.SIGCONT)

    def stop(self, seconds=3):
        """It has so long to end in good order."""
        if self.child is None:
            return
        if self.child.poll() is None:
            self.child.terminate()
            try:
                self.child.wait(seconds)
            except subprocess.TimeoutExpired:
                pass
        try:  # whatever of its own session is left
            os.killpg(self.child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.child.wait()
        self.child = None
