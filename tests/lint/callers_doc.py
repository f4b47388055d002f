"""docs/callers.md says what the rows say: numbers, levels and texts of events; the tables of reasons are made from their rows (--write renews them)."""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/callers.md"
LEVELS = {"INFO": "Information", "WARNING": "Warning", "ERROR": "Error"}
STRING = r'"((?:[^"\\]|\\.)*)"'
VENDORS = range(1002, 4000)  # events that administrators of the vendor's connector know and that concern callers: each needs a row


def events():
    """{number: (level, text)}"""
    found = re.findall(rf"^EVENT\((\d+),\s*(\w+),\s*\w+,\s*{STRING}\)", (ROOT / "core/base/events.def").read_text(encoding="utf-8"), re.M)
    return {int(number): (LEVELS[level], text) for number, level, text in found}


def reasons():
    """Which of them are answered 429 is decided in core/relay/authn.c."""
    code = (ROOT / "core/relay/authn.c").read_text(encoding="utf-8")
    late = re.findall(r"case AUTHD_(\w+):", code[code.index("switch (reason)"):code.index("return ERR_OF(AUTH_UNAVAILABLE")])
    answers = {"NTLM_OFF": "401, final; event 4022", **{name: "429, tried again; no event for each caller" for name in late}}
    found = re.findall(rf"^AUTHD_REASON\((\w+),\s*{STRING},\s*{STRING}\)", (ROOT / "proto/authd_reasons.def").read_text(encoding="utf-8"), re.M)
    return "| Reason | Answer | How to mend it |\n|---|---|---|\n" + "".join(
        f"| {text} | {answers.get(name, '401, final; event 2000')} | {mend} |\n" for name, text, mend in found if name != "NONE")


def decisions():
    answers = {"NO": "403, final", "LATER": "429, tried again"}
    found = re.findall(rf"^DECISION\(\w+,\s*(\w+),\s*{STRING}\)", (ROOT / "store/decision_reasons.def").read_text(encoding="utf-8"), re.M)
    return "| Reason | Answer |\n|---|---|\n" + "".join(f"| {text} | {answers[verdict]} |\n" for verdict, text in found if verdict != "YES")


TABLES = {"proto/authd_reasons.def": reasons, "store/decision_reasons.def": decisions}


def renewed(page):
    for source, make in TABLES.items():
        begin, end = f"<!-- begin: made from {source} -->\n", f"<!-- end: {source} -->\n"
        if page.count(begin) != 1 or page.count(end) != 1:
            return page, f"docs/callers.md: one line {begin.strip()} and one {end.strip()}"
        before, _, rest = page.partition(begin)
        page = before + begin + make() + end + rest.partition(end)[2]
    return page, None


def main(write=False):
    page = PAGE.read_text(encoding="utf-8")
    fresh, problem = renewed(page)
    wrong = [problem] if problem else []
    if fresh != page and write:
        PAGE.write_text(fresh, encoding="utf-8")
    elif fresh != page:
        wrong.append("docs/callers.md: the tables of reasons are not what the rows say; renew them: python3 tests/lint/callers_doc.py --write")
    known, told = events(), re.findall(r"^\| (\d{4}) \| (\w+) \| ([^|]+) \|", page, re.M)
    for number, level, text in told:
        if known.get(int(number)) != (level, text):
            wrong.append(f"docs/callers.md: event {number} is {known.get(int(number))} in core/base/events.def, not {(level, text)}")
    missing = {number for number in known if number in VENDORS} - {int(number) for number, _, _ in told}
    if missing:
        wrong.append(f"docs/callers.md: the table of events has no row for {sorted(missing)}")
    if len(told) != len({number for number, _, _ in told}):
        wrong.append("docs/callers.md: an event has two rows")
    if wrong:
        print("\n".join(wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main("--write" in sys.argv[1:]))
