"""bench/compare runs, proves that its peers relay, and judges rightly. Its timings decide nothing here."""

import subprocess
import sys

import pytest

from support.node import ROOT, build_folder

sys.path.insert(0, str(ROOT / "bench"))

from comparison import report  # noqa: E402
from comparison.scenarios import Row  # noqa: E402


def compare(*arguments):
    return subprocess.run([ROOT / "bench/compare", "--build-dir", build_folder(), *map(str, arguments)], capture_output=True, text=True,
                          timeout=80, check=False)


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
