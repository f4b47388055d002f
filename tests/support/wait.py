"""Waiting with an end."""

import time


def eventually(look, seconds=5.0, pause=0.02):
    """Calls look() until it returns something true and returns that. Exceptions count as not yet; the last one is shown."""
    end = time.monotonic() + seconds
    problem = None
    while True:
        try:
            seen = look()
            problem = None
            if seen:
                return seen
        except Exception as e:  # pylint: disable=broad-except
            problem = e
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s; last seen: {problem if problem is not None else seen!r}")
        time.sleep(pause)


def never(look, seconds=0.5, pause=0.02):
    """Fails as soon as look() is true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        seen = look()
        assert not seen, f"happened, and should not: {seen!r}"
        time.sleep(pause)
