"""docs/requirements.md and the tests agree: a row that is done names a test with its id, and no test names an id without a row."""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
TABLE = ROOT / "docs/requirements.md"
ROW = re.compile(r"^\| ([A-M]\d\d) \| (.+?) \|(.*?)\| (\w+) \|$", re.M)
ID = re.compile(r"(?<![A-Za-z0-9_%\\])[A-M]\d\d(?![A-Za-z0-9])")
TESTS = ("unit/*.c", "fuzz/*.c", "scenario/*.py", "memory/*.py", "long/*.py")
# Rows that a document, not a program, fulfils: their "test" is that document.
DOCUMENTS = {"L07", "M01", "M04", "M05", "M06"}


def main():
    text = TABLE.read_text(encoding="utf-8")
    rows = {match.group(1): match for match in ROW.finditer(text)}
    wrong = []
    for line in text.splitlines():
        if re.match(r"\| [A-M]\d\d ", line) and not ROW.match(line):
            wrong.append(f"docs/requirements.md: not `| id | what | test | done or open |`: {line}")
    for letter in sorted({row[0] for row in rows}):
        numbers = [int(row[1:]) for row in rows if row[0] == letter]
        if numbers != list(range(1, len(numbers) + 1)):
            wrong.append(f"docs/requirements.md: the rows of {letter} are not numbered 1 to {len(numbers)} in order")
    named = {}
    for pattern in TESTS:
        for path in sorted((ROOT / "tests").glob(pattern)):
            for found in ID.findall(path.read_text(encoding="utf-8", errors="replace")):
                named.setdefault(found, set()).add(str(path.relative_to(ROOT)))
    for found, paths in sorted(named.items()):
        if found not in rows:
            wrong.append(f"{', '.join(sorted(paths))}: {found} is no row of docs/requirements.md")
    for row, match in rows.items():
        tests, state = re.findall(r"[\w./-]+", match.group(3)), match.group(4)
        for test in tests:
            path = test if row in DOCUMENTS else f"tests/{test}"
            if not (ROOT / path).exists():
                wrong.append(f"docs/requirements.md: {row} names {path}, which does not exist")
            elif row not in DOCUMENTS and path not in named.get(row, ()):
                wrong.append(f"docs/requirements.md: {row} names {path}, which does not contain {row}")
        if state not in ("done", "open"):
            wrong.append(f"docs/requirements.md: {row} is {state}; done or open")
        if state == "done" and not tests:
            wrong.append(f"docs/requirements.md: {row} is done and names no test")
    if not rows:
        wrong.append("docs/requirements.md: no rows")
    if wrong:
        print("\n".join(wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
