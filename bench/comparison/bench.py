"""What the scenarios share: built programs, certificates, cloud stand-ins, the load tool, a temporary folder; and the end of all of it."""

import os
import pathlib
import resource
import shutil
import subprocess
import tempfile

from . import soap
from .certificates import Certificates
from .cloud import Cloud
from .load import RmsLoad
from .problem import Problem

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAMS = ["rms-connectord", "rms-floor", "rms-cloud-sim", "rms-load"]
SLOW_CLOUD_MS = 50


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
        self.files = self._raise_files()
        self.certificates = Certificates(self.folder)
        self.clouds = {}
        self.load = RmsLoad(self)
        self.peers = []  # running

    @staticmethod
    def _raise_files():
        """Every peer may have as many descriptors as this user is allowed; children inherit it."""
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        return most

    def new_folder(self, name):
        self.folders += 1
        folder = self.folder / f"{self.folders}-{name}"
        folder.mkdir()
        return folder

    def program(self, name):
        return self.programs / name

    def missing_program(self, name):
        return [] if os.access(self.program(name), os.X_OK) else [name]

    def cloud_of(self, shape):
        name = "slow-cloud" if shape.slow_cloud else "cloud"
        if name not in self.clouds:
            self.clouds[name] = Cloud(self, name, SLOW_CLOUD_MS if shape.slow_cloud else 0).start()
        return self.clouds[name]

    def start_peer(self, kind, shape):
        """A peer that listens, and the seconds that took."""
        peer = kind(self, shape)
        self.peers.append(peer)
        return peer, peer.start()

    def stop_peer(self, peer):
        peer.stop()
        self.peers.remove(peer)

    def verify(self, peer, request_bytes, answer_bytes):
        """Nothing is timed that does not relay: the answer through the peer is, byte for byte, the one the cloud gives. Twice, so that a kept
        connection is proven too."""
        request = soap.body(max(request_bytes, soap.SMALLEST))
        straight = soap.Connection(peer.cloud_port, self.certificates.ca)
        wanted = straight.post(request, answer_bytes)
        straight.close()
        through = None
        try:
            through = soap.Connection(peer.port, peer.ca_file)
            for _ in range(2):
                if through.post(request, answer_bytes) != wanted:
                    raise Problem("the answer's bytes were changed on the way")
        except (Problem, OSError) as error:
            raise Problem(f"{peer.title} does not relay {request_bytes} bytes of request and {answer_bytes} of answer: {error}\n"
                          f"    it said:\n{peer.process.words()}") from error
        finally:
            if through:
                through.close()

    def close(self):
        for peer in self.peers[:]:
            self.stop_peer(peer)
        for cloud in self.clouds.values():
            cloud.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
