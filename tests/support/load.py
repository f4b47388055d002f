"""Runs rms-load and reads what it says."""

import json
import pathlib
import subprocess

from support.node import SANITIZER_REPORT, program


class Load:
    """One run, ended. report: its JSON, None if it wrote none."""

    def __init__(self, folder, *arguments, timeout=60):
        self.file = pathlib.Path(folder) / "load.json"
        self.file.unlink(missing_ok=True)
        self.process = subprocess.Popen([program("rms-load"), *map(str, arguments), "--json", str(self.file)], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.timeout = timeout
        self.report = None

    def wait(self):
        try:
            self.out, self.err = self.process.communicate(timeout=self.timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
            raise
        assert not SANITIZER_REPORT.search(self.err), self.err
        self.status = self.process.returncode
        if self.file.exists():
            self.report = json.loads(self.file.read_text(encoding="utf-8"))
        return self

    def __getitem__(self, path):
        """load["connections.opened"]"""
        found = self.report
        for part in path.split("."):
            found = found[int(part)] if isinstance(found, list) else found[part]
        return found


def load(folder, *arguments, expect=0, **how):
    done = Load(folder, *arguments, **how).wait()
    assert done.status == expect, f"status {done.status}\n{done.out}\n{done.err}"
    return done
