"""Recovery commands on real servers: a versioned bucket as it was, two RADOS Gateways compared and repaired."""

import datetime
import time

import pytest
from common.data import FIVE_MIB, content
from common.proxy import strongroom
from conftest import new_bucket

pytestmark = pytest.mark.rgw


@pytest.fixture
def target(pool):
    """The proxy over two RADOS Gateways, plain HTTP."""
    return pool.target("rgw", "http")


@pytest.fixture
def versioned(s3):
    """A bucket that keeps versions; emptied of all of them at the end."""
    name = new_bucket(s3)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    yield name
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=name):
        for entry in page.get("Versions", []) + page.get("DeleteMarkers", []):
            s3.delete_object(Bucket=name, Key=entry["Key"], VersionId=entry["VersionId"])
    s3.delete_bucket(Bucket=name)


def config(target) -> str:
    """Of the running proxy."""
    return str(target.proxy.config)


def now_between_writes(s3, bucket) -> str:
    """A moment by the servers' clock, whole seconds away from the writes before and after."""
    time.sleep(1.1)
    answer = s3.head_bucket(Bucket=bucket)["ResponseMetadata"]["HTTPHeaders"]["date"]
    time.sleep(1.1)
    moment = datetime.datetime.strptime(answer, "%a, %d %b %Y %H:%M:%S %Z")
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.mark.parametrize("site", ["primary", "backup"])
def test_a_versioned_bucket_comes_back_as_it_was(target, s3, versioned, tmp_path, site):
    sites = [known.name for known in target.proxy.settings.sites]
    source = sites[0] if site == "primary" else sites[1]
    large = content(2 * FIVE_MIB + 17)
    s3.put_object(Bucket=versioned, Key="ledgers/a", Body=b"one")
    s3.put_object(Bucket=versioned, Key="ledgers/b", Body=b"bee")
    s3.put_object(Bucket=versioned, Key="deleted-before", Body=b"x")
    s3.delete_object(Bucket=versioned, Key="deleted-before")
    s3.put_object(Bucket=versioned, Key="large", Body=large)
    moment = now_between_writes(s3, versioned)
    s3.put_object(Bucket=versioned, Key="ledgers/a", Body=b"spoilt")
    s3.delete_object(Bucket=versioned, Key="ledgers/b")
    s3.put_object(Bucket=versioned, Key="later", Body=b"x")
    out = tmp_path / "out"
    arguments = ["--config", config(target), "--from", source, "--bucket", versioned, "--to-folder", str(out)]
    done = strongroom("restore", *arguments, "--at", moment)
    assert done.stdout.startswith("3 restored"), done.stdout
    assert (out / "ledgers/a").read_bytes() == b"one" and (out / "ledgers/b").read_bytes() == b"bee"
    assert (out / "large").read_bytes() == large
    assert sorted(path.name for path in out.rglob("*") if path.is_file()) == ["a", "b", "large"]


def test_two_gateways_are_compared_verified_and_repaired(target, s3):
    bucket = new_bucket(s3)
    for key in ("a", "b/c", "d e+f"):
        s3.put_object(Bucket=bucket, Key=key, Body=content(100_000), Metadata={"client": "4711"})
    arguments = ["--config", config(target), "--bucket", bucket]
    compared = strongroom("reconcile", *arguments, "--all")
    assert [line[0] for line in compared.stdout.splitlines()] == ["=", "=", "="]
    backup = target.sites[1]
    backup.s3().delete_object(Bucket=backup.raw_bucket(bucket), Key="a")
    assert strongroom("reconcile", *arguments, check=False).returncode == 1
    repaired = strongroom("reconcile", *arguments, "--repair")
    assert "\trepaired" in repaired.stdout.splitlines()[0]
    verified = strongroom("verify", *arguments)
    assert verified.stdout.startswith("6 good"), verified.stdout
    for key in ("a", "b/c", "d e+f"):
        s3.delete_object(Bucket=bucket, Key=key)
    s3.delete_bucket(Bucket=bucket)
