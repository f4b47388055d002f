"""Words that have no place in the tree: unfinished business, paths of one developer's machine, spaces at line ends."""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
OURSELVES = "tests/lint/words.py"

RULES = [  # pattern, what is wrong
    (re.compile(r"\b(TODO|FIXME|XXX|HACK)\b"), "unfinished business belongs in an issue, not in the tree"),
    (re.compile(r"(?<![\w.])/(tmp/[wb]|work|home/\w+|root)/"), "a path of one developer's machine"),
    (re.compile(r"\bshared/(protocol|design|hooks)\b"), "a path outside this tree"),
    (re.compile(r"[ \t]+$"), "spaces at the end of the line"),
    (re.compile(r"^(<<<<<<<|>>>>>>>) "), "a merge conflict"),
]


def main():
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True,
                            check=True).stdout.splitlines()
    status = 0
    for path in listed:
        file = ROOT / path
        if path == OURSELVES or not file.is_file() or path.startswith(("tests/fuzz/corpus/", "tests/data/")):
            continue
        raw = file.read_bytes()
        if b"\0" in raw:
            continue
        for number, line in enumerate(raw.decode("utf-8", "replace").split("\n"), 1):
            for pattern, wrong in RULES:
                if pattern.search(line):
                    print(f"{path}:{number}: {wrong}: {line.strip()[:100]}")
                    status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
