"""What is known not to hold yet, named one by one with the reason. A gap that closes is taken out here; nothing else is excused."""

import re

SIGNED_RANGE = "a malformed Range that the signature covers is answered 400 InvalidArgument by s3s 0.17, not ignored as on S3"
CLOSING_CHUNK = "s3s 0.17 ends a signed chunked body at its declared length without waiting for the empty last chunk"
MEMORY = "a 512 MiB PUT and GET cost 51 MiB once where 48 were allowed; not looked into yet"
INTENTS = "after kill -9 an unacknowledged write may be at one site only: intents in the journal are a later issue"
ANY_REGION = "decided otherwise: clients may sign for any region"

KNOWN = [
    (r"test_memory\.py::test_one_large_put_and_get_cost_a_few_mib", MEMORY),
    (r"test_two_sites\.py::test_kill_9_during_", INTENTS),
    (r"test_bad_bodies\.py::test_a_missing_closing_chunk_leaves_nothing", CLOSING_CHUNK),
    (r"test_bad_input\.py::test_another_region_is_told", ANY_REGION),
    (r"test_objects\.py::test_a_malformed_range_is_the_whole_object", SIGNED_RANGE),
]


def reason(nodeid: str) -> str | None:
    """Why a test is not expected to pass, if it is not."""
    return next((why for pattern, why in KNOWN if re.search(pattern, nodeid)), None)
