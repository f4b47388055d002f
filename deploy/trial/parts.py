"""What the quickstart is made of: programs that are started, watched and ended, ports, certificates, and the directory that holds it all."""

import ctypes
import fcntl
import os
import pathlib
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time

LIBC, PR_SET_PDEATHSIG = ctypes.CDLL(None), 1
HOST = "127.0.0.1"
PREFIX = "rms-quickstart-"
# Where Debian puts krb5kdc; the PATH of an ordinary user does not have it.
PATH = os.environ.get("PATH", "/usr/bin:/bin") + ":/usr/sbin:/sbin"


class Trouble(Exception):
    """Said to the user as it is."""


def end_with_us():
    """In a child: it ends when we do, even when we are killed."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def find(program):
    found = shutil.which(program, path=PATH)
    if not found:
        raise Trouble(f"the program {program} is not there; run deploy/quickstart, which says what to install")
    return found


class Part:
    """One program. Its output is kept in a file."""

    def __init__(self, name, command, place, env=None):
        self.name, self.command, self.place, self.env = name, [str(word) for word in command], place, env
        self.log = place.folder / f"{name}.log"
        self.process = None

    def start(self):
        # A session of its own, so that Ctrl-C reaches only us.
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True,
                                            preexec_fn=end_with_us, env={**os.environ, **(self.env or {})}, pass_fds=[self.place.held])

    def running(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        if self.running():
            self.process.kill()
            self.process.wait()

    def stop(self):
        if self.running():
            self.process.terminate()
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.kill()

    def child(self, name):
        """The process id of a program that this one has started, or None."""
        for folder in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                words = (folder / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
                if int(words[1]) == self.process.pid and (folder / "cmdline").read_bytes().split(b"\0")[0].endswith(name.encode()):
                    return int(folder.name)
            except OSError:
                continue
        return None

    def wait_until(self, ready, seconds=15):
        end = time.monotonic() + seconds
        while not ready():
            if not self.running():
                raise Trouble(f"{self.name} ended at once; it said:\n{self.log.read_text(errors='replace')[-2000:]}")
            if time.monotonic() > end:
                raise Trouble(f"{self.name} was not ready within {seconds} s; it said:\n{self.log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.02)


class Place:
    """The directory of one quickstart. Every program of it inherits a descriptor with a lock, so that the next quickstart knows when the last of
    them has ended, also when this one was killed."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=PREFIX))
        self.held = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self.held, fcntl.LOCK_EX)
        os.write(self.held, str(os.getpid()).encode())

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)
        os.close(self.held)


def remove_stale(seconds=10):
    """Directories of quickstarts that were killed: waits for what they started (it ends by itself) and takes them away."""
    for folder in pathlib.Path(tempfile.gettempdir()).glob(PREFIX + "*"):
        try:
            about = os.lstat(folder)
            if not stat.S_ISDIR(about.st_mode) or about.st_uid != os.getuid():
                continue
            held = os.open(folder / "lock", os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            owner = int(os.read(held, 20) or b"0")
            end = time.monotonic() + seconds
            while not try_lock(held) and not alive(owner) and time.monotonic() < end:
                time.sleep(0.05)
            if try_lock(held):
                shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(held)


def try_lock(fd):
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False


def alive(pid):
    return pid > 0 and pathlib.Path(f"/proc/{pid}").exists()


def free_port(wanted):
    """That port, or any other when somebody has it."""
    for port in (wanted, 0):
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind((HOST, port))
            except OSError:
                continue
            return s.getsockname()[1]
    raise Trouble("no free port on loopback")


def run_tool(*words, env=None, cwd=None):
    done = subprocess.run([str(word) for word in words], env={**os.environ, **(env or {})}, cwd=cwd, capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=60)
    if done.returncode:
        raise Trouble(f"{pathlib.Path(words[0]).name} {words[1]} failed: {(done.stderr or done.stdout).strip()[-1000:]}")
    return done.stdout


def make_certificates(folder, name):
    """A certification authority that lives as long as the directory, and a certificate each for cloud and connector (called name)."""
    def openssl(*words):
        run_tool("openssl", *words, cwd=folder)
    curve = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]
    openssl("genpkey", *curve, "-out", "ca.key")
    openssl("req", "-x509", "-new", "-key", "ca.key", "-subj", "/CN=quickstart throw-away root", "-days", "2", "-out", "ca.pem")
    for file, subject in (("cloud", "localhost"), ("connector", name)):
        (folder / f"{file}.ext").write_text(f"basicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n"
                                            f"subjectAltName=DNS:{subject},DNS:localhost,IP:{HOST}\n")
        openssl("genpkey", *curve, "-out", f"{file}.key")
        openssl("req", "-new", "-key", f"{file}.key", "-subj", f"/CN={subject}", "-out", f"{file}.csr")
        openssl("x509", "-req", "-in", f"{file}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-sha256",
                "-extfile", f"{file}.ext", "-out", f"{file}.pem")
        with open(folder / f"{file}.pem", "a", encoding="ascii") as chain:
            chain.write((folder / "ca.pem").read_text())
