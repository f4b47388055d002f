"""A real Active Directory (lab.sh) for the tests of one pytest run: started by the first process that needs it, shared by all of them,
gone soon after the last has ended. The domains' files are made once for each build directory and copied for each run."""

import contextlib
import ctypes
import fcntl
import hashlib
import os
import pathlib
import shutil
import subprocess
import threading

from support.adlab import people
from support.node import build_folder
from support.wait import eventually

HERE = pathlib.Path(__file__).resolve().parent
CLONE_NEWNET = 0x40000000


@contextlib.contextmanager
def locked(path, how=fcntl.LOCK_EX):
    with open(path, "a", encoding="ascii") as file:
        fcntl.flock(file, how)
        yield


def refuse_without_namespaces():
    tried = subprocess.run(["unshare", "--net", "--mount", "--pid", "--fork", "true"], capture_output=True, text=True)
    assert tried.returncode == 0, ("the Active Directory of the tests needs network, mount and process namespaces of its own: run the tests "
                                   f"as root, and in a container with CAP_SYS_ADMIN (--privileged). {tried.stderr.strip()}")
    for name in ("samba", "winbindd", "samba-tool", "ldapsearch", "kinit", "smbclient"):
        assert shutil.which(name) or pathlib.Path("/usr/sbin", name).exists(), (
            f"{name} is missing: the Active Directory of the tests needs the Debian packages in packages_lab of deploy/packages.sh")


def made():
    """The folder of provisioned domains, made now if this build directory has none of this making."""
    refuse_without_namespaces()
    making = hashlib.sha256()
    for name in ("lab.sh", "people.py", "accounts.py"):
        making.update((HERE / name).read_bytes())
    parent = build_folder() / "adlab"
    parent.mkdir(parents=True, exist_ok=True)
    folder = parent / making.hexdigest()[:16]
    with locked(parent / "lock"):
        if not (folder / "made").exists():
            for old in parent.iterdir():
                if old.is_dir():
                    shutil.rmtree(old)
            folder.mkdir()
            done = subprocess.run([HERE / "lab.sh", "provision", folder], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600)
            assert done.returncode == 0, f"lab.sh provision: {done.stderr[-2000:]}\n{last_words(folder)}"
            (folder / "made").touch()
    return folder


def last_words(folder):
    said = [(path.name, path.read_text(errors="replace")[-1500:]) for path in sorted((folder / "log").glob("*")) if path.is_file()]
    return "\n".join(f"-- {name}\n{text}" for name, text in said if text and not name.startswith("provision"))


class Lab:
    """folder: where keytabs and logs of this run are. pid: the process whose namespaces are the member's machine."""

    def __init__(self, shared):
        self.folder = pathlib.Path(shared) / "adlab"
        self.folder.mkdir(exist_ok=True)
        self.holds = open(self.folder / "users", "a", encoding="ascii")  # pylint: disable=consider-using-with
        fcntl.flock(self.holds, fcntl.LOCK_SH)
        with locked(self.folder / "lock"):
            self.pid = self.running() or self.start()
        self.conf = self.folder / "member/smb.conf"
        self.keytab = self.folder / "authd.keytab"
        self.ready("corp")

    def running(self):
        """The lab's processes hold a lock by a descriptor that they inherit: nothing else tells at every moment whether they are there."""
        with open(self.folder / "serving", "a", encoding="ascii") as held:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return int((self.folder / "pid").read_text())
        return None

    def start(self):
        origin = made()
        for name in ("corp", "partner", "member", "log", "corp.run", "partner.run", "corp.ready", "partner.ready"):
            path = self.folder / name
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        subprocess.run(["cp", "-a", *(str(path) for path in origin.glob("*") if path.suffix != ".run"), str(self.folder)], check=True)
        with open(self.folder / "stderr", "wb") as said, open(self.folder / "serving", "a", encoding="ascii") as serving:
            fcntl.flock(serving, fcntl.LOCK_EX)
            process = subprocess.Popen([HERE / "lab.sh", "serve", self.folder], stdin=subprocess.DEVNULL, stdout=said, stderr=said,
                                       start_new_session=True, pass_fds=[serving.fileno()])
        (self.folder / "pid").write_text(str(process.pid))
        threading.Thread(target=process.wait, daemon=True).start()  # so that it is not left as a zombie
        return process.pid

    def ready(self, which, seconds=90):
        def look():
            assert pathlib.Path(f"/proc/{self.pid}/ns/net").exists(), f"the lab ended: {(self.folder / 'stderr').read_text()}\n{last_words(self.folder)}"
            return (self.folder / f"{which}.ready").exists()
        eventually(look, seconds, 0.1)

    def leave(self):
        self.holds.close()

    # ---- being a machine of the member's ----

    def wrap(self):
        """What stands before a command that shall run there; signals go to the command itself."""
        return ["nsenter", f"--target={self.pid}", "--net", "--mount", f"--wdns={os.getcwd()}", "--"]

    def env(self, **more):
        return {**os.environ, "KRB5_CONFIG": str(self.folder / "krb5.conf"), "LC_ALL": "C", **{k: str(v) for k, v in more.items()}}

    def run(self, *command, stdin="", timeout=30, **env):
        return subprocess.run([*self.wrap(), *map(str, command)], env=self.env(**env), input=stdin, capture_output=True, text=True,
                              timeout=timeout)

    def must(self, *command, **how):
        done = self.run(*command, **how)
        assert done.returncode == 0, f"{command}: status {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    @contextlib.contextmanager
    def network(self):
        """Sockets that this thread makes meanwhile, and processes it starts, are in the lab's network. Sockets stay there afterwards."""
        libc = ctypes.CDLL(None, use_errno=True)
        with open("/proc/thread-self/ns/net", "rb") as ours, open(f"/proc/{self.pid}/ns/net", "rb") as theirs:
            assert libc.setns(theirs.fileno(), CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
            try:
                yield
            finally:
                assert libc.setns(ours.fileno(), CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())

    def ticket(self, account, folder, domain=people.CORP):
        """A credential cache with this account's ticket-granting ticket, as a value for KRB5CCNAME."""
        cache = f"FILE:{folder}/cc.{domain.name}.{account.strip('$')}"
        for _ in range(3):  # on a busy machine a controller may be too slow for kinit
            done = self.run("kinit", "-c", cache, f"{account}@{domain.realm}", stdin=people.password(account, domain) + "\n")
            if "Cannot contact any KDC" not in done.stderr:
                break
        assert done.returncode == 0, done
        return cache

    def directory(self, *arguments, domain="corp"):
        """samba-tool on the controller's own database, for changes while the domain runs."""
        database = self.folder / domain / "private/sam.ldb"
        return self.must("samba-tool", *arguments, "-H", database, "-s", self.folder / domain / "etc/smb.conf")

    def add_member(self, group, member, domain="corp"):
        """Scenarios share the domains: it may be one already."""
        try:
            self.directory("group", "addmembers", group, member, domain=domain)
        except AssertionError as problem:
            if "already exists" not in str(problem):
                raise

    def sid(self, account, domain="corp"):
        found = self.must("ldbsearch", "-H", self.folder / domain / "private/sam.ldb", f"(sAMAccountName={account})", "objectSid")
        return next(line.split()[1] for line in found.splitlines() if line.startswith("objectSid:"))
