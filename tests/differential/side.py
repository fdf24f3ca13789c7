"""One side of a comparison: an S3 endpoint, a fresh bucket there, and a record of everything that it answered.

What no two runs have in common (names of buckets, dates, ids) is replaced before it is recorded; all else is kept, so
that a difference nobody thought of is seen too.
"""

import dataclasses
import datetime
import functools
import hashlib
import re
import secrets
import urllib.parse

from botocore.exceptions import ClientError, HTTPClientError
from common.target import Target
from common.wire import Answer, Wire

# Fields of boto3's answers that are compared by presence alone.
_BY_PRESENCE = {
    "VersionId",
    "NextVersionIdMarker",
    "VersionIdMarker",
    "DeleteMarkerVersionId",
    "CopySourceVersionId",
    "UploadId",
    "UploadIdMarker",
    "NextUploadIdMarker",
    "ID",
    "DisplayName",
    "NextContinuationToken",
    "ContinuationToken",
}
# Headers that S3 has no say about, or that name one request.
_OWN = {
    "connection",
    "content-length",
    "date",
    "keep-alive",
    "last-modified",
    "server",
    "transfer-encoding",
    "x-amz-id-2",
    "x-amz-request-id",
    "x-amz-version-id",
}


@functools.lru_cache(maxsize=64)
def client(target: Target, **config):
    """A boto3 client that asks once; making one costs as much as a dozen requests."""
    return target.s3(retries={"max_attempts": 0}, **config)


@dataclasses.dataclass
class Step:
    """One request and what was answered, flat: field to value."""

    name: str
    told: dict[str, str]


@dataclasses.dataclass(frozen=True)
class Answered:
    """What the client knows of one request, to be found in the access log."""

    request_id: str
    status: int
    code: str | None


class Side:
    """What a case works with. `side.put_object(Key=...)` is boto3's call in the side's bucket; an S3 error is an
    answer like any other, and the call then returns None."""

    def __init__(self, target: Target):
        self.target = target
        self.s3 = client(target)
        # Somebody else, where there is one.
        self.other = client(target.as_other()) if target.other else None
        self.wire = Wire(target)
        self.steps: list[Step] = []
        self.requests: list[Answered] = []
        self.buckets: list[str] = []
        self.bucket = self.new_bucket()

    def name(self) -> str:
        """A name for a bucket that the case makes itself; it is removed with the others."""
        self.buckets.append(f"d-{secrets.token_hex(8)}")
        return self.buckets[-1]

    def new_bucket(self) -> str:
        """One more bucket, not recorded."""
        name = self.name()
        self.s3.create_bucket(Bucket=name)
        return name

    def __getattr__(self, operation: str):
        if operation.startswith("_"):
            raise AttributeError(operation)

        def call(**arguments):
            return self.call(operation, **arguments)

        return call

    def call(self, operation: str, client=None, **arguments):
        """One recorded boto3 call; `Bucket` is the side's own unless given."""
        if operation != "list_buckets":
            arguments.setdefault("Bucket", self.bucket)
        try:
            answer = getattr(client or self.s3, operation)(**arguments)
        except ClientError as error:
            meta, details = error.response["ResponseMetadata"], error.response["Error"]
            self._note(meta.get("HTTPHeaders", {}), meta["HTTPStatusCode"], details.get("Code"))
            self._record(operation, {"status": meta["HTTPStatusCode"], "code": details.get("Code", "")})
            return None
        except HTTPClientError as error:
            self._record(operation, {"broken": type(error).__name__})
            return None
        meta = answer["ResponseMetadata"]
        self._note(meta["HTTPHeaders"], meta["HTTPStatusCode"], None)
        told = {name: value for name, value in answer.items() if name != "ResponseMetadata"}
        if "Body" in told:
            body = answer["Content"] = told["Body"].read()
            told["Body"] = _digest(body)
        told["status"] = meta["HTTPStatusCode"]
        self._record(operation, told)
        return answer

    def raw(self, method: str, key: str = "", body: bytes = b"", *, path: str | None = None, **options) -> Answer:
        """One recorded request byte by byte; `key` is escaped here, `path` is not."""
        path = path if path is not None else f"/{self.bucket}" + (f"/{urllib.parse.quote(key)}" if key else "")
        return self.answered(method, self.wire.send(method, path, body, **options))

    def answered(self, name: str, answer: Answer) -> Answer:
        """Records an answer that the case got itself."""
        self._note(answer.headers, answer.status, answer.code)
        told = {"status": answer.status}
        if answer.status >= 400:
            told["code"] = answer.code
        else:
            told["body"] = _digest(answer.body) if not answer.body.startswith(b"<?xml") else "xml"
            told["headers"] = {k.lower(): v for k, v in answer.headers.items() if k.lower() not in _OWN}
        self._record(name, told)
        return answer

    def note(self, **facts) -> None:
        """Anything else that is to be the same."""
        self._record("note", facts)

    def _note(self, headers, status: int, code: str | None) -> None:
        # The code of an error without a body (HEAD) is made up by boto3.
        code = None if status < 400 or (code or "").isdigit() else code
        self.requests.append(Answered(headers.get("x-amz-request-id", ""), status, code))

    def _record(self, name: str, told: dict) -> None:
        flat: dict[str, str] = {}
        self._flatten("", told, flat)
        self.steps.append(Step(f"{len(self.steps) + 1}.{name}", flat))

    def _flatten(self, path: str, value, flat: dict[str, str]) -> None:
        leaf = path.rsplit(".", 1)[-1]
        if leaf in _BY_PRESENCE:
            flat[path] = "present" if value else "empty"
        elif isinstance(value, dict):
            for name, inner in value.items():
                self._flatten(f"{path}.{name}" if path else name, inner, flat)
        elif isinstance(value, list):
            for index, inner in enumerate(value):
                self._flatten(f"{path}.{index}", inner, flat)
        elif isinstance(value, datetime.datetime):
            flat[path] = "a date"
        else:
            flat[path] = self._without_names(str(value))

    def _without_names(self, text: str) -> str:
        for index, name in enumerate(self.buckets):
            text = text.replace(name, f"bucket{index}")
        return text.replace(self.target.authority, "endpoint")

    def close(self) -> None:
        """Removes the buckets, with everything in them."""
        for name in self.buckets:
            try:
                self._empty(name)
                self.s3.delete_bucket(Bucket=name)
            except ClientError:
                pass  # It was never made, or removed by the case.

    def _empty(self, bucket: str) -> None:
        raw = self.target.sites[0].s3() if self.target.sites else self.s3
        for page in raw.get_paginator("list_object_versions").paginate(Bucket=bucket):
            for entry in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
                raw.delete_object(Bucket=bucket, Key=entry["Key"], VersionId=entry["VersionId"])


def _digest(body: bytes) -> str:
    text = body.decode("latin-1")
    return repr(text) if len(body) <= 64 and re.fullmatch(r"[\x20-\x7e]*", text) else hashlib.sha256(body).hexdigest()
