"""The integration tests that come with versitygw, a gateway to S3 (Apache-2.0): each by itself, with its own program, against an S3 endpoint.

They name their buckets one like the other in every run, and some leave them behind, so before each test the endpoint is cleared of them.
"""

import contextlib
import pathlib
import re
import subprocess

from botocore.exceptions import ClientError
from common import places
from common.process import clean_environment
from common.target import Target

PROGRAM = places.ROOT / "target" / "clients-go" / "versitygw"
_BUCKETS = "test-bucket"
# Of its own accounts, administration and settings; races; and what it does not have, which others may.
_OWN = re.compile("^(IAM|S3IAM|AccessControl|GWIAM|Website|DisabledACL|NoACL|SidecarOnly)|racey|_not_implemented$")
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def names() -> list[str]:
    """Every test that is about S3."""
    told = subprocess.run([PROGRAM, "test", "--help"], capture_output=True, text=True, check=True).stdout
    found = {line.split()[0] for line in told.splitlines() if "integration test" in line}
    return sorted(name for name in found if not _OWN.search(name))


def run(target: Target, tests: list[str], folder: pathlib.Path) -> dict[str, str]:
    """What each said; empty: it passed. Their files go to the folder."""
    folder.mkdir()
    s3 = target.s3(retries={"max_attempts": 0})
    said = {}
    for test in tests:
        _clear(s3)
        said[test] = _one(target, test, folder)
    _clear(s3)
    return said


def _one(target: Target, test: str, folder: pathlib.Path) -> str:
    command = [PROGRAM, "test", "-a", target.access_key_id, "-s", target.secret_access_key, "-e", target.endpoint, test]
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=clean_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=120,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return "it did not end within two minutes"
    text = _COLOURS.sub("", done.stdout)
    return "" if "PASS " in text and "FAIL " not in text else text or f"it ended with code {done.returncode}"


def _clear(s3) -> None:
    for bucket in s3.list_buckets()["Buckets"]:
        if bucket["Name"].startswith(_BUCKETS):
            with contextlib.suppress(ClientError):
                _remove(s3, bucket["Name"])


def _remove(s3, bucket: str) -> None:
    for upload in s3.list_multipart_uploads(Bucket=bucket).get("Uploads", []):
        s3.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        for entry in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
            version = {"Bucket": bucket, "Key": entry["Key"], "VersionId": entry["VersionId"]}
            with contextlib.suppress(ClientError):
                s3.put_object_legal_hold(**version, LegalHold={"Status": "OFF"})
            with contextlib.suppress(ClientError):
                s3.delete_object(**version, BypassGovernanceRetention=True)
            with contextlib.suppress(ClientError):
                s3.delete_object(**version)
    s3.delete_bucket(Bucket=bucket)
