"""Reading the access log (27 fields, design note 8) and the JSON events as a stranger would."""

import dataclasses
import json
import pathlib
import re
import time

from .wait import until

FIELDS = (
    "bucket_owner bucket time remote_ip requester request_id operation key request_uri status error_code bytes_sent "
    "object_size total_time turn_around_time referer user_agent version_id host_id sig_version cipher_suite auth_type "
    "host_header tls_version access_point_arn acl_required source_region"
).split()

_FIELD = re.compile(r'\[[^\]]*\]|"[^"]*"|\S+')


def parse_line(line: str) -> dict[str, str]:
    """One record; every field by its name."""
    fields = _FIELD.findall(line)
    assert " ".join(fields) == line, f"not space-separated fields: {line!r}"
    assert len(fields) == len(FIELDS), f"{len(fields)} fields instead of 27: {line!r}"
    return dict(zip(FIELDS, fields, strict=False))


@dataclasses.dataclass
class _Tail:
    path: pathlib.Path

    def size(self) -> int:
        """Where the file ends now; lines of earlier requests may still come."""
        return self.path.stat().st_size if self.path.exists() else 0

    def mark(self) -> int:
        """Where the file ends, once the lines of earlier requests are in it: they are written behind the answers."""
        size = -1
        while size != (now := self.size()):
            size = now
            time.sleep(0.1)
        return size

    def lines_since(self, mark: int) -> list[str]:
        """Complete lines written since."""
        if not self.path.exists():
            return []
        with open(self.path, "rb") as file:
            file.seek(mark)
            text = file.read()
        return text[: text.rfind(b"\n") + 1].decode().split("\n")[:-1]


class AccessLog(_Tail):
    """The access log."""

    def since(self, mark: int) -> list[dict[str, str]]:
        """The records written since, parsed."""
        return [parse_line(line) for line in self.lines_since(mark)]

    def find(self, request_id: str) -> dict[str, str]:
        """The one record of a request."""
        found = until(
            lambda: [r for r in self.since(0) if r["request_id"] == request_id], f"a record of {request_id}", 10
        )
        assert len(found) == 1, found
        return found[0]


class Events(_Tail):
    """The event stream, one JSON object a line."""

    def since(self, mark: int) -> list[dict]:
        """The events written since."""
        return [json.loads(line) for line in self.lines_since(mark)]
