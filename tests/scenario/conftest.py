"""Fixtures of the scenarios: certificates once a session; clouds and nodes per test, each ended and examined at the test's end."""

import os
import shutil
import tempfile

import pytest

from support.adlab import Lab
from support.certs import Certs
from support.ctl import LIST, put_list
from support.directory import Directory
from support.fake_authd import FakeAuthd, by_name, entries, refused
from support.node import ROOT, Node, program
from support.upstream import Upstream


def pytest_collection_modifyitems(items):
    for item in items:
        if "adlab" in item.fixturenames:
            item.add_marker(pytest.mark.timeout(700))  # the first of them in a build directory makes the domains
    if not (ROOT / "core/main.c").exists():
        for item in items:
            if item.path.stem not in ("test_harness", "test_load", "test_load_cloud"):
                item.add_marker(pytest.mark.skip("this tree has no node yet"))


@pytest.fixture(scope="session")
def certs(tmp_path_factory):
    return Certs(tmp_path_factory.mktemp("certs"))


@pytest.fixture
def cloud(certs):
    """Makes clouds of raw bytes (support/upstream.py): cloud(script, ...). Their complaints fail the test."""
    made = []

    def make(*arguments, **how):
        made.append(Upstream(certs, *arguments, **how))
        return made[-1]
    yield make
    for one in made:
        one.stop()
    for one in made:
        assert not one.problems, f"the cloud's script failed: {one.problems}"


@pytest.fixture
def node(certs, tmp_path):
    """Makes nodes: node(upstream, settings={...}, listeners=[...]). upstream: anything with .url, or the URL."""
    made = []

    def make(upstream, start=True, **how):
        url = upstream if isinstance(upstream, str) else upstream.url
        made.append(Node(tmp_path / f"node{len(made)}", certs, url, **how))
        return made[-1].start() if start else made[-1]
    yield make
    problems = []
    for one in made:
        try:
            one.finish()
        except AssertionError as problem:
            problems.append(str(problem))
    assert not problems, "\n".join(problems)


# ---- administration ----

REALMS = [{"name": "CORP.TEST"}, {"name": "EXAMPLE.ORG", "directory": False}]


@pytest.fixture
def place():
    """A short path (a socket's has at most 107 bytes) that every user may enter."""
    folder = tempfile.mkdtemp(prefix="rms-ctl-", dir="/var/tmp")
    os.chmod(folder, 0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def administered(node, place):
    def make(settings=None, **how):
        state = f"{place}/state"
        os.makedirs(state, mode=0o700, exist_ok=True)
        one = node("http://127.0.0.1:9", settings={"admin.socket": f"{place}/a.sock", "node.state_directory": state, **(settings or {})}, **how)
        one.socket, one.state = f"{place}/a.sock", state
        return one
    return make


@pytest.fixture
def listed(administered, place):
    """A node with LIST and without rms-connector-authd; its watch of the file is of no use here, so that what a refresh does can be seen."""
    def make(**settings):
        return administered({"list.file": put_list(place, LIST), **settings}, realms=REALMS)
    return make


@pytest.fixture
def directed(administered, place):
    """directed(): a node with LIST and a directory (support/directory.py). own: it owns its list, which begins with that document."""
    made = []

    def make(own=None, script=lambda request: refused("NO_KEY_FOR_SPN"), **settings):
        directory = Directory()
        made.append(FakeAuthd(f"{place}/d.sock", script, directory))
        os.makedirs(f"{place}/state", mode=0o700, exist_ok=True)
        if own:
            put_list(f"{place}/state", own)
        source = {"list.file": put_list(place, LIST)} if own is None else {"list.source": "local"}
        one = administered({"auth.socket": f"{place}/d.sock", **source, **settings}, caller=None, realms=REALMS, start=False)
        one.directory, one.authd = directory, made[-1]
        one.knows_callers = own != {}
        return one.start()
    yield make
    for one in made:
        one.die()
        assert not one.problems, one.problems


@pytest.fixture
def known(node, cloud, tmp_path):
    """known(script): a node with an authd that is told what to say, and a list of exch and share; .authd, .cloud, .list"""
    made = []

    def make(script=by_name, rows=((1001, "exchange"), (1002, "sharepoint")), upstream=None, settings=None, **how):
        made.append(FakeAuthd(tmp_path / "authd.sock", script))
        file = tmp_path / "list.json"
        file.write_text(entries(*rows))
        upstream = upstream or cloud()
        relay = node(upstream, caller=None, settings={"auth.socket": made[-1].path, "list.file": str(file), **(settings or {})}, **how)
        relay.authd, relay.cloud, relay.list = made[-1], upstream, file
        return relay
    yield make
    for one in made:
        one.stop()
        assert not one.problems, one.problems


@pytest.fixture
def promtool():
    path = shutil.which("promtool")
    assert path, "promtool is missing (Debian package prometheus)"
    return path


@pytest.fixture
def connectord():
    return program("rms-connectord")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows what its nodes said."""
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for number in range(4):
            said = item.funcargs.get("tmp_path", None)
            said = said and said / f"node{number}" / "stderr.txt"
            if said and said.exists():
                report.sections.append((f"node {number} stderr", said.read_text(errors="replace")[-4000:]))


@pytest.fixture(scope="session")
def adlab(tmp_path_factory, worker_id):
    """The Active Directory, one for all processes of this pytest run (support/adlab)."""
    base = tmp_path_factory.getbasetemp()
    lab = Lab(base if worker_id == "master" else base.parent)
    yield lab
    lab.leave()


@pytest.fixture
def lab(adlab):
    """The same, with this test's sockets and programs in its network."""
    with adlab.network():
        yield adlab
