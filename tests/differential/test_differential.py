"""Whatever a backend answers directly, the proxy over it answers too, but for what `meant.py` says."""

import dataclasses
import json

import pytest
from common.wait import until
from compare import differences
from meant import MEANT
from side import Side


def _run(case, target):
    side = Side(target)
    try:
        case.run(side)
    finally:
        side.close()
    return side


# What is known not to hold yet, one by one: case to reason. A gap that closes is taken out here.
GAPS = {
    **dict.fromkeys(
        tuple(f"forms.answer_that_is_none.{kind}_v{version}" for kind in ("status", "empty") for version in (2, 4)),
        "a form is refused whose success_action_status is no number; S3 takes it for 204 (docs/SEMANTICS.md)",
    ),
}
# Of each object of a DeleteObjects, and of the source of a copy.
FURTHER = ("BATCH.DELETE.OBJECT", "REST.COPY.OBJECT_GET", "REST.COPY.PART_GET")


def _check_access_log(log, mark, requests):
    """One line for each request, which says what the client was answered (and the further records of S3's own log)."""
    # A request that could not be read as HTTP has a line, too, but was answered before it had an id.
    unread = [(asked.status, "BadRequest") for asked in requests if not asked.request_id]
    named = [asked for asked in requests if asked.request_id]
    ids = {asked.request_id for asked in named}

    def written():
        lines = {}
        for record in log.since(mark):
            if record["operation"] not in FURTHER:
                lines.setdefault(record["request_id"], []).append((int(record["status"]), record["error_code"]))
        whole = ids <= lines.keys() and len(lines) >= len(ids) + len(unread)
        return lines if whole else None

    lines = until(written, "a line in the access log for every request")
    further = [line for request_id, found in lines.items() if request_id not in ids for line in found]
    assert all(line in further for line in unread), f"{unread}: {further}"
    for asked in named:
        found = lines.get(asked.request_id, [])
        assert [status for status, _ in found] == [asked.status], f"{asked}: {found}"
        assert asked.code in (None, found[0][1]), f"{asked}: {found}"


def _record(file, backend, name, found, unmeant):
    with open(file, "a") as lines:
        for one in found:
            line = {"backend": backend, "case": name, **dataclasses.asdict(one), "meant": one not in unmeant}
            lines.write(json.dumps(line, ensure_ascii=False) + "\n")


def test_the_proxy_answers_as_its_backend_does(pool, backend, case, request):
    """One case on one backend."""
    if why := GAPS.get(case.name):
        request.applymarker(pytest.mark.xfail(reason=why, strict=True))
    as_users = backend == "rgw" and (case.name.startswith("users.") or request.config.getoption("--as-users"))
    backend_alone, with_proxy = pool.pair("rgw-users" if as_users else backend)
    direct = _run(case, backend_alone)
    log = with_proxy.proxy.access_log
    mark = log.size()
    proxied = _run(case, with_proxy)
    assert direct.steps, "the case asked nothing"
    _check_access_log(log, mark, proxied.requests)
    found = differences(direct.steps, proxied.steps)
    unmeant = [one for one in found if not any(meant.covers(backend, case.name, one) for meant in MEANT)]
    if file := request.config.getoption("--record"):
        _record(file, backend, case.name, found, unmeant)
    if unmeant:
        pytest.fail("\n".join(map(str, unmeant)), pytrace=False)
