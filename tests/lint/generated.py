"""What programs can print about themselves equals the file in the tree. To renew one: PROGRAM OPTION > FILE."""

import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILDS = ("build-asan", "build", "build-tsan")
GENERATED = [  # file, program, option
    ("deploy/rms-connector.yaml", "rms-connectord", "--print-example-config"),
    ("docs/settings.md", "rms-connectord", "--print-settings-doc"),
    ("docs/events.md", "rms-connectord", "--print-events-doc"),
    ("docs/metrics.md", "rms-connectord", "--print-metrics-doc"),
]


def newest(program):
    found = [ROOT / build / "bin" / program for build in BUILDS]
    return max((path for path in found if path.exists()), key=os.path.getmtime, default=None)


def main():
    status = 0
    for file, name, option in GENERATED:
        program = newest(name)
        if program is None:  # this lint is run after a build
            continue
        printed = subprocess.run([program, option], capture_output=True, text=True, timeout=30)
        path = ROOT / file
        if printed.returncode != 0:
            print(f"{name} {option} ended with {printed.returncode}: {printed.stderr.strip()[:200]}")
            status = 1
        elif not path.exists() or path.read_text(encoding="utf-8") != printed.stdout:
            print(f"{file} is not what the program prints; renew it: {program.relative_to(ROOT)} {option} > {file}")
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
