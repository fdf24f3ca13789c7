"""Waiting for a condition, never for a time."""

import time


def until(condition, what: str, seconds: float = 20.0, every: float = 0.05):
    """The first true result of `condition()`; fails with `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:g} s: {what}")
        time.sleep(every)
