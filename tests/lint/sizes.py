"""A file of more than 600 lines is named, one of more than 800 fails: what is its second subject called?"""

import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
NAMED, REFUSED = 600, 800


def main():
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "*.c", "*.h", "*.py", "*.sh", "tests/check", "deploy/*"],
                            cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    status = 0
    for path in sorted(set(listed)):
        if not (ROOT / path).is_file():
            continue
        lines = (ROOT / path).read_bytes().count(b"\n")
        if lines > REFUSED:
            print(f"{path}: {lines} lines, more than {REFUSED}; split it by its second subject")
            status = 1
        elif lines > NAMED:
            print(f"{path}: {lines} lines (named from {NAMED}, refused from {REFUSED})")
    return status


if __name__ == "__main__":
    sys.exit(main())
