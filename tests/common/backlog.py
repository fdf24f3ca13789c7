"""What the metrics of a proxy say of its backlog."""

from .wait import until


def replication(proxy, what: str) -> float:
    """`strongroom_replication_WHAT`, summed over its series."""
    name = f"strongroom_replication_{what}"
    lines = [line for line in proxy.metrics().splitlines() if line.split("{")[0].split(" ")[0] == name]
    assert lines, f"no metric {name}"
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines)


def pending(proxy) -> float:
    """Operations that some site still misses."""
    return replication(proxy, "pending_operations")


def until_settled(proxy, seconds: float = 60) -> None:
    """Every site has everything."""
    until(lambda: pending(proxy) == 0, "everything is settled", seconds)
