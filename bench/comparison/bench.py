"""What the scenarios share: built programs, certificates, cloud stand-ins, the load tool, a temporary folder; and the end of all of it."""

import hashlib
import os
import pathlib
import resource
import shutil
import subprocess
import tempfile
import time

from . import soap
from .certificates import Certificates
from .cloud import Cloud
from .load import RmsLoad
from .peers import MIB, Shape
from .problem import Problem
from .tickets import Tickets

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROOF_BYTES = (1024, 16384, 262144, 3 * MIB)
PROOF_S = 5


def build(folder):
    """A release with the test switch, which lets the node take callers without a directory."""
    for tool, package in (("cmake", "cmake"), ("ninja", "ninja-build")):
        if not shutil.which(tool):
            raise Problem(f"{tool} is missing. On Debian: apt-get install {package}; or give built programs with --build-dir")
    for command in (["cmake", "-S", ROOT, "-B", folder, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=RelWithDebInfo", "-DRMS_TEST_SWITCHES=ON",
                     "-DRMS_TESTS=OFF"], ["cmake", "--build", folder]):
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
        if done.returncode:
            raise Problem(f"the release build failed: {' '.join(map(str, command))}\n{done.stdout[-3000:]}{done.stderr[-3000:]}")


def install(packages):
    """Debian packages that are missing, the way tests/check installs its own."""
    if not packages:
        return
    script = 'cd "$0"; . deploy/packages.sh; packages_install "$@"'
    if subprocess.run(["bash", "-c", script, str(ROOT), *packages], check=False).returncode:
        raise Problem(f"not installed: {', '.join(packages)}; or leave it out with --peers")


class Bench:
    def __init__(self, build_dir):
        self.programs = pathlib.Path(build_dir).resolve() / "bin"
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="rms-compare-"))
        self.folders = 0
        self.files_before, self.files = self._raise_files()
        self.certificates = Certificates(self.folder)
        self.clouds = {}
        self.load = RmsLoad(self)
        self._tickets = None
        self.peers = []  # running

    @staticmethod
    def _raise_files():
        """Every peer may have as many descriptors as this user is allowed; children inherit it."""
        before, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        return before, most

    def new_folder(self, name):
        self.folders += 1
        folder = self.folder / f"{self.folders}-{name}"
        folder.mkdir()
        return folder

    def program(self, name):
        return self.programs / name

    def missing_program(self, name):
        return [] if os.access(self.program(name), os.X_OK) else [name]

    @property
    def tickets(self):
        """Made when first asked for."""
        if not self._tickets:
            self._tickets = Tickets(self.new_folder("tickets"))
        return self._tickets

    def cloud(self, kind):
        if kind not in self.clouds:
            self.clouds[kind] = Cloud(self, kind)
            self.clouds[kind].start()
        return self.clouds[kind]

    def start_peer(self, kind, shape):
        """A peer that listens, and the seconds that took."""
        peer = kind(self, shape)
        self.peers.append(peer)
        return peer, peer.start()

    def stop_peer(self, peer, seconds=3):
        peer.stop(seconds)
        self.peers.remove(peer)

    def prove(self, kind, tls_ins=(False, True)):
        """Before anything is timed: requests of many sizes reach the cloud byte for byte, over HTTP and HTTPS."""
        for tls_in in tls_ins:
            peer, _ = self.start_peer(kind, Shape(cloud="real", tls_in=tls_in))
            for size in PROOF_BYTES:
                self._complain(peer, f"{size} bytes of request over {'HTTPS' if tls_in else 'HTTP'}", self._prove_request, peer, soap.body(size))
            self.stop_peer(peer)

    @staticmethod
    def _prove_request(peer, request):
        number = peer.cloud.seen()["requests"] + 1
        caller = soap.Connection(peer.port, peer.ca_file)
        caller.send(request, 1024)
        end = time.monotonic() + PROOF_S
        while True:
            seen = [one for one in peer.cloud.seen(last=1)["last"] if one["number"] == number and one["whole"]]
            if seen or time.monotonic() > end:
                break
            time.sleep(0.01)
        caller.close()
        if not seen:
            raise Problem(f"the request did not reach the cloud in {PROOF_S} s")
        if seen[0]["sha256"] != hashlib.sha256(request).hexdigest():
            raise Problem("other bytes than those sent reached the cloud")

    def verify(self, peer, request_bytes, answer_bytes):
        """Nothing is timed that does not relay: the answer through the peer is, byte for byte, the one the cloud gives. Twice, so that a kept
        connection is proven too."""
        self._complain(peer, f"{request_bytes} bytes of request and {answer_bytes} of answer", self._verify, peer,
                       soap.body(request_bytes), answer_bytes)

    def _verify(self, peer, request, answer_bytes):
        straight = soap.Connection(peer.cloud_port, self.certificates.ca)
        wanted = straight.post(request, answer_bytes)
        straight.close()
        through = soap.Connection(peer.port, peer.ca_file)
        for more in (peer.credentials(), ""):
            if through.post(request, answer_bytes, more=more) != wanted:
                raise Problem("other bytes than those of the cloud came back")
        through.close()

    @staticmethod
    def _complain(peer, what, work, *arguments):
        try:
            work(*arguments)
        except (Problem, OSError) as error:
            raise Problem(f"{peer.title} does not relay {what}: {error}\n    it said:\n{peer.process.words()}") from error

    def close(self):
        for peer in self.peers[:]:
            self.stop_peer(peer)
        for cloud in self.clouds.values():
            cloud.stop()
        resource.setrlimit(resource.RLIMIT_NOFILE, (self.files_before, self.files))
        shutil.rmtree(self.folder, ignore_errors=True)
