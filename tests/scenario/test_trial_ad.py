"""docs/trial-ad.md, followed word for word on a machine of the laboratory's domain."""

import re
import shutil
import tempfile

import pytest

from support.adlab import people
from support.document import Command, File, Shell, matches, read
from support.node import ROOT, build_folder

DOCUMENT = ROOT / "docs/trial-ad.md"
ACCOUNT = "Tr1al.Passw0rd"


@pytest.fixture
def home():
    """A reader's home, short because of the sockets below it."""
    folder = tempfile.mkdtemp(prefix="rms-home-", dir="/var/tmp")
    yield folder
    shutil.rmtree(folder)


def typed_at(command):
    """What a reader types after this command: passwords are no part of a document."""
    if command.words.startswith("kinit ") and "-k" not in command.words:
        account = command.words.split()[-1]
        return [people.password(account.lower())]
    return [line for shown in command.shown if shown.startswith("ktutil:  ")
            for line in ([shown[9:], ACCOUNT] if "addent" in shown else [shown[9:]])]


class Reader:
    """Follows the document; puts in the places of its examples what is true here, as the document tells."""

    def __init__(self, lab, home):
        self.home, self.shell = home, Shell(home, lab.wrap(), lab.env(KRB5CCNAME="MEMORY:"))
        self.ours = {f"S-1-5-21-1-2-3-{number}": lab.sid(name) for number, name in
                     (("1111", "RMS Connector Clients"), ("1112", "FS01$"))}

    def own(self, text):
        for theirs, ours in self.ours.items():
            text = text.replace(theirs, ours)
        return text

    def write(self, file):
        with open(f"{self.home}/rms-trial/{file.name}", "w", encoding="utf-8") as out:
            out.write(self.own(file.text))

    def follow(self, command):
        typed = typed_at(command)
        said, status = self.shell.run(self.own(command.words), typed)
        where = f"$ {command.words}\n" + "\n".join(said)
        assert status == 0, f"{where}\n[{status}]"
        if not command.words.startswith("ktutil"):
            assert matches(command.shown, said), where


@pytest.mark.timeout(300)
def test_the_trial_does_what_the_document_says(lab, home):
    """E02: E03: C06: from an empty directory to a caller that is let in, one that is refused, and nothing left."""
    (reader := Reader(lab, home)).shell.run(f"cd && mkdir -p rms-connector/build && ln -s {build_folder()}/bin rms-connector/build/bin")
    steps = read(DOCUMENT)
    assert sum(isinstance(step, Command) for step in steps) > 30 and sum(isinstance(step, File) for step in steps) == 5
    try:
        for step in steps:
            if isinstance(step, File):
                reader.write(step)
            else:
                reader.follow(step)
        assert not lab.run("getent", "hosts", "rms-trial.corp.test").stdout
    finally:
        reader.shell.end()
        lab.run("samba-tool", "user", "delete", "svc-rms-trial", "-H", lab.folder / "corp/private/sam.ldb", "-s", lab.folder / "corp/etc/smb.conf")
        lab.run("samba-tool", "dns", "delete", "dc1.corp.test", "corp.test", "rms-trial", "A", "127.0.0.1", "-U",
                f"administrator%{people.ADMINISTRATOR}")


def test_what_only_windows_has_is_marked_and_has_a_counterpart():
    """Each block for Windows is announced as such, and a block that is run follows it before the next heading."""
    text = DOCUMENT.read_text(encoding="utf-8")
    for section in re.split(r"^## ", text, flags=re.M):
        for at in (found.start() for found in re.finditer(r"^```powershell", section, re.M)):
            assert "*On Windows*" in section[:at].rpartition("\n\n")[0].rpartition("\n\n")[2], section[at:at + 200]
            assert "```console" in section[at:], section[at:at + 200]
