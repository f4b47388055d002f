"""Ambiguous requests by the million: each is a good one with a few things changed that make two readers disagree (F16).

The judge is the cloud: nothing of a hostile head reaches it, no half of a hostile body is ever whole there, no hidden second request is ever seen.
"""

import random

from support import hostile, soap
from support.campaign import Progress, hands, lab, main
from support.caller import Gone
from support.upstream import well

GROUP = 50


def spoil(rng, data):
    """One hostile message: a row of the table, at times with harmless differences around the harmful one."""
    if rng.random() < 0.5:
        data = data.replace(b"rmsconnector.corp.test\r\n", rng.choice([b"RMSCONNECTOR.corp.test\r\n", b"rmsconnector.corp.test\r\nX-Any: 1\r\n"]), 1)
    if rng.random() < 0.5:
        data = data.replace(b"Content-Type", rng.choice([b"CONTENT-TYPE", b"content-type", b"Content-type"]), 1)
    if rng.random() < 0.3:
        data = data.replace(b"SOAPAction", b"X-Long: " + b"a" * rng.randrange(3000) + b"\r\nSOAPAction", 1)
    return data


def campaign(count):
    with lab() as it:
        cloud = it.cloud(well)
        node = it.node(cloud, settings={"limits.linger_ms": 10, "limits.head_timeout_ms": 2000, "limits.body_timeout_ms": 2000, "node.workers": 2,
                                        "log.requests_file": ""})
        progress = Progress("hostile requests", count)

        def group(seed):
            rng = random.Random(seed)
            for _ in range(GROUP):
                heads = rng.random() < 0.9
                name, data = rng.choice(hostile.REQUEST_HEADS if heads else hostile.REQUEST_BODIES)
                data = spoil(rng, data)
                cut = rng.randrange(1, len(data)) if rng.random() < 0.2 else None
                with node.caller() as caller:
                    if cut:
                        caller.try_send(data[:cut])
                        caller.try_send(data[cut:])
                    else:
                        caller.try_send(data)
                    try:
                        got = caller.answer()
                        if got.status != 400 or not got.closes:
                            return f"{name}: {got.status} {data[:300]!r}"
                    except Gone:
                        pass  # our reset overtook its answer; what counts is the cloud
                progress.step()
            return reached(cloud)
        base = random.randrange(1 << 30)
        hands(range(base, base + max(1, count // GROUP)), group, progress)
        wrong = reached(cloud)
        assert not wrong, wrong
        progress.end()
        assert node.metric("unexpected_events") == 0


def reached(cloud):
    """What should not have reached the cloud, or None. Forgets what it has looked at."""
    seen, cloud.requests = cloud.requests, []
    raw, cloud.raw = cloud.raw, {}
    for request in seen:
        if request.complete or request.operation is soap.ACQUIRE_LICENSE:
            return f"reached the cloud: {request.raw_head!r} {request.body[-200:]!r}"
    if any(hostile.MARK in data for data in raw.values()):
        return "bytes of a hidden request reached the cloud"
    return None


if __name__ == "__main__":
    main(campaign, __doc__, 1_000_000)
