"""bench/compare runs, proves that its peers relay, and judges rightly. Its timings decide nothing here."""

import json
import pathlib
import subprocess
import sys
import textwrap

import pytest

from support.node import ROOT, build_folder

sys.path.insert(0, str(ROOT / "bench"))

from comparison import added, authenticated, report  # noqa: E402
from comparison.bench import Bench  # noqa: E402
from comparison.peers import Peer, Shape  # noqa: E402
from comparison.problem import Problem  # noqa: E402
from comparison.scenarios import Row  # noqa: E402


def compare(*arguments):
    return subprocess.run([ROOT / "bench/compare", "--build-dir", build_folder(), *map(str, arguments)], capture_output=True, text=True,
                          timeout=80, check=False)


def test_quick_run_gives_a_table_and_json_with_sane_figures(tmp_path):
    out = tmp_path / "compare.json"
    done = compare("--quick", "--scenarios", "A", "--peers", "floor,node", "--json", out)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [cell.strip() for cell in lines[0].split("|")[3:8]] == ["unit", "floor", "node", "node/floor", "goal"]
    assert lines[2].startswith("| A ")
    assert lines[-1].startswith("compare: gate held in ")
    document = json.loads(pathlib.Path(out).read_text(encoding="utf-8"))
    row = document["scenarios"]["A"]["cpu"]
    assert row["unit"] == "us/request"
    for peer in ("floor", "node"):
        assert len(row["peers"][peer]["runs"]) == 1
        assert 1 < row["peers"][peer]["median"] < 100_000
        assert document["details"]["A"][peer][0]["completed"] > 10
        assert document["details"]["A"][peer][0]["errors"] == 0
    assert row["ratio_to_floor"]["node"] == pytest.approx(row["peers"]["node"]["median"] / row["peers"]["floor"]["median"])
    assert row["better_than_nginx_and_haproxy"] is None  # they did not run


def test_callers_with_tickets_are_measured_against_a_bare_acceptance(tmp_path):
    """E11 E13: new connections with a ticket of 6 KB each, and kept ones with one each; what has no equal has no figure."""
    out = tmp_path / "compare.json"
    done = compare("--quick", "--scenarios", "X,X-tls,kept", "--peers", "floor,node,nginx", "--json", out)
    assert done.returncode == 0, done.stderr
    document = json.loads(out.read_text(encoding="utf-8"))
    for name in ("X", "X-tls"):
        row, told = document["scenarios"][name]["cpu"], document["details"][name]
        assert set(row["peers"]) == {"floor", "node"} and row["better_than_nginx_and_haproxy"] is None
        floor = told["floor"][0]
        assert row["peers"]["floor"]["median"] == pytest.approx(floor["relay_us"] + floor["accept_us"])
        assert floor["accept_us"] > 20 and told["node"][0]["errors"] == 0
    assert set(document["scenarios"]["kept"]["cpu"]["peers"]) == {"floor", "node"}
    row = next(line for line in done.stdout.splitlines() if line.startswith("| kept "))
    assert "<= 1.03 x --loopback-caller" in row and [cell.strip() for cell in row.split("|")][6] == "-"


@pytest.mark.parametrize("arguments, says", [
    (["--scenarios", "Z", "--peers", "floor"], "no such scenario: Z"),
    (["--peers", "apache"], "no such peer: apache"),
    (["--build-dir", "/nonexistent", "--peers", "floor"], "not in /nonexistent/bin: rms-floor"),
])
def test_what_it_cannot_do_is_said_in_one_message(arguments, says):
    done = compare(*arguments)
    assert done.returncode == 1
    assert says in done.stderr
    assert "Traceback" not in done.stderr


LIAR = textwrap.dedent("""
    import select, socket, ssl, sys, threading, time
    listening = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=256)
    cloud = ssl.create_default_context(cafile=sys.argv[3])
    request_xor, answer_xor, delay = int(sys.argv[4]), int(sys.argv[5]), float(sys.argv[6])

    def pass_on(source, target, done, change, delay=0.0):
        got = bytearray(source.recv(65536))
        time.sleep(delay)
        if done <= 700 < done + len(got):
            got[700 - done] ^= change
        target.sendall(got)
        return len(got)

    def relay(caller):
        upstream = cloud.wrap_socket(socket.create_connection(("127.0.0.1", int(sys.argv[2]))), server_hostname="localhost")
        up = down = 0
        while True:  # one thread: an SSL object is not for two
            ready = [upstream] if upstream.pending() else select.select([caller, upstream], [], [])[0]
            if caller in ready:
                n = pass_on(caller, upstream, up, request_xor, delay)
                up += n
            else:
                n = pass_on(upstream, caller, down, answer_xor)
                down += n
            if not n:
                caller.close()
                upstream.close()
                return

    while True:
        threading.Thread(target=relay, args=(listening.accept()[0],), daemon=True).start()
    """)


def liar(request_xor=0, answer_xor=0, delay=0.0):
    class Liar(Peer):
        name = title = "liar"

        def command(self):
            script = self.write("liar.py", LIAR)
            return [sys.executable, script, self.port, self.cloud_port, self.bench.certificates.ca, request_xor, answer_xor, delay]
    return Liar


@pytest.fixture
def bench():
    made = Bench(build_folder())
    yield made
    made.close()


def test_an_honest_relay_is_proven(bench):
    bench.prove(liar(), (False,))
    bench.verify(bench.start_peer(liar(), Shape())[0], 2048, 8192)


def test_a_peer_that_changes_one_bit_of_an_answer_is_not_timed(bench):
    with pytest.raises(Problem, match="other bytes than those of the cloud"):
        bench.verify(bench.start_peer(liar(answer_xor=1), Shape())[0], 2048, 8192)


def test_a_peer_that_changes_one_bit_of_a_request_is_not_timed(bench):
    with pytest.raises(Problem, match="other bytes than those sent"):
        bench.prove(liar(request_xor=1), (False,))


def test_a_node_that_lets_the_callers_of_x_not_in_is_not_timed(bench):
    bench.tickets.list.write_text(json.dumps({"version": 1, "entries": []}))
    with pytest.raises(Problem, match="wanted 200 .* got: HTTP/1.1 403"):
        bench.verify(bench.start_peer(authenticated.KnowingNode, Shape())[0], 49152, 16384)


def test_the_steady_rate_is_the_difference_to_the_straight_way(bench):
    steady = authenticated.Steady("X-750", Shape())
    peer = bench.start_peer(authenticated.KnowingNode, steady.shape)[0]
    values, told = steady.measure(bench, peer, 0.3)
    assert values["p99"] == pytest.approx(told["through_p99_ms"] - told["straight_p99_ms"]) and told["calls_per_s"] > 10


def test_time_that_a_peer_adds_is_seen(bench):
    """At 50 ms the load tool's histogram has buckets of 1 ms: this figure must not come from there. 20 ms were added to every request."""
    peer, _ = bench.start_peer(liar(delay=0.02), Shape(cloud="slow"))
    through, straight = added.compare(peer, 50, 1.0)
    assert added.quantile(through, 0.5) - added.quantile(straight, 0.5) > 0.01
    assert added.quantile(straight, 0.5) >= 0.049


def test_ratio_is_of_pairs_of_the_same_round():
    # Round 2 was slow for both: medians alone would give 13/10, 1.3.
    values = {"floor": [10, 20, 9], "node": [11, 22, 13]}
    assert report.judge(Row("cpu", "", "us", goal_ratio=1.15), values)["ratio_to_floor"]["node"] == pytest.approx(1.1)


@pytest.mark.parametrize("node, better", [([20, 20, 20], True), ([29, 31, 31], False), ([45, 45, 45], False)])
def test_gate_wants_the_node_before_the_better_of_its_rivals(node, better):
    values = {"node": node, "nginx": [40, 40, 40], "haproxy": [50, 50, 50], "haproxy64": [30, 30, 30]}
    assert report.judge(Row("cpu", "", "us"), values)["better_than_nginx_and_haproxy"] is better


def test_there_is_no_verdict_without_both_rivals():
    assert report.judge(Row("cpu", "", "us"), {"node": [1], "nginx": [2]})["better_than_nginx_and_haproxy"] is None
