"""Races between a request and the end of the idle connection it is sent on: nothing with an effect reaches the cloud twice (H07).

The cloud ends its connections at random moments round a request. Each request has a tag; the cloud counts each tag. 100,000 races at full count.
"""

import collections
import random
import threading
import time

from support import soap
from support.campaign import Progress, hands, lab, main
from support.caller import Gone
from support.upstream import answer

ENDS = ("finish", "cut", "reset")


class Races:
    def __init__(self):
        self.seen = collections.Counter()
        self.lock = threading.Lock()

    def script(self, connection, request):
        tag = request.body.rsplit(b"tag-", 1)[1][:12]
        with self.lock:
            self.seen[tag] += 1
        fate = random.random()
        if fate < 0.15:
            getattr(connection, random.choice(ENDS))()  # died instead of answering
            return
        connection.send(answer(body=b"for-" + tag))
        if fate < 0.6:
            # the end comes while the node may already be sending the next request
            time.sleep(random.random() * 0.002)
            getattr(connection, random.choice(ENDS))()


def campaign(count):
    races = Races()
    with lab() as it:
        node = it.node(it.cloud(races.script))
        progress = Progress("reuse races", count)
        answered = collections.Counter()

        def one(number):
            """A caller of its own: several requests in a row, so that upstream connections are reused at once."""
            with node.caller() as caller:
                for turn in range(10):
                    op = soap.OPERATIONS[random.randrange(len(soap.OPERATIONS))]
                    tag = f"{number:08d}{turn:04d}".encode()
                    try:
                        got = caller.ask(soap.request(op, body=soap.request_body(op) + b"<!--tag-" + tag + b"-->"))
                    except Gone as problem:
                        return f"{tag}: {problem}"
                    answered[got.status] += 1
                    if got.status == 200 and got.body != b"for-" + tag:
                        return f"{tag} was answered {got.body!r}"
                    if got.status not in (200, 500):
                        return f"{tag} was answered {got.status}"
                    times = races.seen[tag]
                    if times > (2 if op.retry_safe else 1) or (got.status == 200 and times == 0):
                        return f"{op.name} {tag} reached the cloud {times} times"
                progress.step(n=9)
            return None
        hands(range(max(1, count // 10)), one, progress, 8)
        progress.end(f"({dict(answered)}, {node.metric('upstream_retries'):.0f} sent again)")
        assert node.metric("unexpected_events") == 0


if __name__ == "__main__":
    main(campaign, __doc__, 100_000)
