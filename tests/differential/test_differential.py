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


# What is known not to hold yet, one by one. A gap that closes is taken out here.
GAPS = {
    **dict.fromkeys(("presigned.expires.zero", "presigned.expires.negative"), "a URL that never was valid"),
    **dict.fromkeys(
        ("forms.answer.redirect_to_nonsense_v2", "forms.answer.redirect_to_nonsense_v4"),
        "a redirect that is no URL is ignored by S3, and refused here",
    ),
    **dict.fromkeys(
        tuple(f"signatures.content_length.{kind}" for kind in ("letters", "negative", "empty")),
        "the line of a request that could not be read has an id that the client was not told",
    ),
}
# Of each object of a DeleteObjects, and of the source of a copy.
FURTHER = ("BATCH.DELETE.OBJECT", "REST.COPY.OBJECT_GET", "REST.COPY.PART_GET")


def _check_access_log(log, mark, requests):
    """One line for each request, which says what the client was answered (and the further records of S3's own log)."""
    ids = {asked.request_id for asked in requests}

    def written():
        lines = {}
        for record in log.since(mark):
            if record["operation"] not in FURTHER:
                lines.setdefault(record["request_id"], []).append((int(record["status"]), record["error_code"]))
        return lines if ids <= lines.keys() else None

    lines = until(written, "a line in the access log for every request")
    for asked in requests:
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
    backend_alone, with_proxy = pool.pair(backend)
    direct = _run(case, backend_alone)
    log = with_proxy.proxy.access_log
    mark = log.size()
    proxied = _run(case, with_proxy)
    assert direct.steps, "the case asked nothing"
    _check_access_log(log, mark, proxied.requests)
    found = differences(direct.steps, proxied.steps)
    unmeant = [one for one in found if not any(meant.covers(backend, case.name, one.field) for meant in MEANT)]
    if file := request.config.getoption("--record"):
        _record(file, backend, case.name, found, unmeant)
    if unmeant:
        pytest.fail("\n".join(map(str, unmeant)), pytrace=False)
