"""What is known not to hold yet, named one by one with the reason. A gap that closes is taken out here; nothing else is excused."""

import re

MEMORY = "a 512 MiB PUT and GET cost 51 MiB once where 48 were allowed; not looked into yet"
INTENTS = "after kill -9 an unacknowledged write may be at one site only: intents in the journal are a later issue"

KNOWN = [
    (r"test_memory\.py::test_one_large_put_and_get_cost_a_few_mib", MEMORY),
    (r"test_two_sites\.py::test_kill_9_during_", INTENTS),
]


def reason(nodeid: str) -> str | None:
    """Why a test is not expected to pass, if it is not."""
    return next((why for pattern, why in KNOWN if re.search(pattern, nodeid)), None)
