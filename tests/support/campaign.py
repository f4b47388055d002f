"""What campaigns share: a node and its clouds in a temporary directory, many hands for many jobs, and a line of progress."""

import argparse
import contextlib
import pathlib
import random
import sys
import tempfile
import threading
import time

from support.certs import Certs
from support.node import Node
from support.upstream import Upstream

MANY = 20  # problems that are enough to stop


class Lab:
    """Certificates, and nodes and clouds that are ended and examined when the campaign ends."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.certs = Certs(self.folder / "certs")
        self.nodes, self.others = [], []

    def also(self, other):
        self.others.append(other)
        return other

    def cloud(self, *arguments, **how):
        return self.also(Upstream(self.certs, *arguments, **how))

    def node(self, upstream, **how):
        url = upstream if isinstance(upstream, str) else upstream.url
        self.nodes.append(Node(self.folder / f"node{len(self.nodes)}", self.certs, url, **how))
        return self.nodes[-1].start()

    def finish(self):
        for node in self.nodes:
            node.finish()
        for other in self.others:
            other.stop()
            assert not getattr(other, "problems", None), other.problems

    def abandon(self):
        for node in self.nodes:
            if node.process and node.process.poll() is None:
                node.process.kill()
                node.process.wait()
            print(node.stderr()[-3000:], file=sys.stderr)


@contextlib.contextmanager
def lab():
    with tempfile.TemporaryDirectory(prefix="rms-campaign-") as folder:
        one = Lab(folder)
        try:
            yield one
        except BaseException:
            one.abandon()
            raise
        one.finish()


class Progress:
    """A line that changes on a terminal, a line a minute elsewhere."""

    def __init__(self, what, total):
        self.what, self.total, self.begun, self.last = what, total, time.monotonic(), time.monotonic()
        self.done, self.problems, self.lock = 0, [], threading.Lock()

    def step(self, problem=None, n=1):
        with self.lock:
            self.done += n
            if problem:
                self.problems.append(problem)
            now = time.monotonic()
            if now - self.last > (0.5 if sys.stdout.isatty() else 60):
                self.last = now
                print(f"{self.what}: {self.done} of {self.total}, {len(self.problems)} wrong, {now - self.begun:.0f} s   ",
                      end="\r" if sys.stdout.isatty() else "\n", flush=True)

    def end(self, more=""):
        print(f"{self.what}: {self.done} done, {len(self.problems)} wrong, {time.monotonic() - self.begun:.0f} s {more}")
        assert not self.problems, "\n".join(map(str, self.problems[:MANY]))


def hands(jobs, work, progress, count=6):
    """work(job) for every job, by that many threads; it returns what is wrong, or None. Stops early when much is wrong."""
    jobs, lock = iter(jobs), threading.Lock()

    def run():
        while len(progress.problems) < MANY:
            with lock:
                job = next(jobs, None)
            if job is None:
                return
            try:
                progress.step(work(job))
            except Exception as problem:  # pylint: disable=broad-except
                progress.step(f"{job}: {problem!r}")
    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def spread(items, count):
    """count of the items, evenly."""
    items = list(items)
    return items if count >= len(items) else [items[i * len(items) // count] for i in range(count)]


def main(campaign, what, count):
    parser = argparse.ArgumentParser(description=what)
    parser.add_argument("--count", type=int, default=count, help=f"how much of it (default {count})")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="to repeat a run")
    got = parser.parse_args()
    print(f"count {got.count}, seed {got.seed}", flush=True)
    random.seed(got.seed)
    campaign(got.count)
