"""Runs the commands of a document in one shell, as a reader would: `$ ` lines of console blocks, with what is typed at prompts; files from the blocks that
a line with their name in backquotes stands before."""

import dataclasses
import os
import re
import select
import subprocess
import time

from support.node import SANITIZER_REPORT

END = "--- end of what that command said:"


@dataclasses.dataclass
class Command:
    words: str
    shown: list  # the lines below it


@dataclasses.dataclass
class File:
    name: str
    text: str


def read(path):
    """Commands and files in their order; other blocks are for people."""
    found, before, block, kind = [], "", None, ""
    for line in path.read_text(encoding="utf-8").splitlines():
        if block is None and line.startswith("```"):
            block, kind = [], line[3:]
        elif block is not None and line == "```":
            name = re.fullmatch(r"`([\w.-]+)`:", before)
            if name:
                found.append(File(name.group(1), "\n".join(block) + "\n"))
            elif kind == "console":
                found += commands(block)
            block, before = None, ""
        elif block is not None:
            block.append(line)
        elif line:
            before = line
    return found


def commands(lines):
    found = []
    for line in lines:
        if line.startswith("$ "):
            found.append(Command(line[2:], []))
        else:
            found[-1].shown.append(line)
    return found


def matches(shown, said):
    """... stands for anything on its line, and alone on a line for any lines."""
    pattern = "".join(r"(?:.*\n)*?" if line == "..." else ".*".join(re.escape(part) for part in line.split("...")) + r"\n" for line in shown)
    return re.fullmatch(pattern, "".join(line.rstrip() + "\n" for line in said)) is not None


class Shell:
    """wrap: what stands before bash."""

    def __init__(self, folder, wrap=(), env=None):
        self.process = subprocess.Popen([*wrap, "bash", "--norc", "--noprofile"], cwd=folder, env={**(env or os.environ), "HOME": str(folder)},
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
        self.run("set -m; shopt -s expand_aliases")

    def run(self, words, typed=(), seconds=60):
        """(lines, status)"""
        text = "".join(line + "\n" for line in typed)
        stdin = f"<<'{END}'\n{text}{END}" if typed else "</dev/null"  # not the commands that follow
        self.process.stdin.write(f"{{ {words}\n}} {stdin}\necho \"\n{END} $?\"\n".encode())
        self.process.stdin.flush()
        said, end = b"", time.monotonic() + seconds
        while not (found := re.search(rf"\n{END} (\d+)\n\Z".encode(), said)):
            assert time.monotonic() < end, f"$ {words}\nhas not ended after {seconds} s and said\n{said.decode(errors='replace')}"
            if select.select([self.process.stdout], [], [], 0.5)[0]:
                more = os.read(self.process.stdout.fileno(), 65536)
                assert more, f"$ {words}\nended the shell and said\n{said.decode(errors='replace')}"
                said += more
        lines = said[:found.start()].decode(errors="replace").splitlines()
        assert not SANITIZER_REPORT.search("\n".join(lines)), lines
        return lines, int(found.group(1))

    def end(self):
        """With all that it started and did not end."""
        if self.process.poll() is None:
            self.process.stdin.write(b"jobs -p | xargs -r kill\nwait\nexit\n")
            self.process.stdin.close()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
