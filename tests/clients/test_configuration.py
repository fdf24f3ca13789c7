"""Configuration that the sites keep, passed through to all of them (Ceph RGW): tags, ACLs, policies, lifecycle, CORS, locks."""

import datetime
import json

import pytest
from common.data import content
from conftest import new_bucket
from s3errors import error_of

pytestmark = pytest.mark.rgw
TAGS = [{"Key": "client", "Value": "4711"}, {"Key": "kind", "Value": "凭证 +&"}]


@pytest.fixture
def target(request, pool):
    """The proxy over two RADOS Gateways, plain HTTP."""
    return pool.target("direct_rgw" if request.config.getoption("--direct") else "rgw", "http")


def at_sites(target, bucket, ask):
    """The answers of the raw sites to one question: `ask(s3, raw bucket)`."""
    return [ask(site.s3(), site.raw_bucket(bucket)) for site in target.sites]


def sort(tags):
    """Tags in a fixed order: sites sort them as they like."""
    return sorted(tags, key=lambda tag: tag["Key"])


def test_tags_of_an_object_reach_every_site(target, s3, bucket):
    s3.put_object(Bucket=bucket, Key="k ü", Body=b"x")
    assert s3.get_object_tagging(Bucket=bucket, Key="k ü")["TagSet"] == []
    s3.put_object_tagging(Bucket=bucket, Key="k ü", Tagging={"TagSet": TAGS})
    assert sort(s3.get_object_tagging(Bucket=bucket, Key="k ü")["TagSet"]) == TAGS
    for raw in at_sites(target, bucket, lambda raw, name: raw.get_object_tagging(Bucket=name, Key="k ü")):
        assert sort(raw["TagSet"]) == TAGS
    s3.delete_object_tagging(Bucket=bucket, Key="k ü")
    for raw in at_sites(target, bucket, lambda raw, name: raw.get_object_tagging(Bucket=name, Key="k ü")):
        assert raw["TagSet"] == []


def test_what_the_site_refuses_is_refused_in_its_own_words(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    many = [{"Key": str(number), "Value": "v"} for number in range(11)]
    code, status = error_of(s3.put_object_tagging, Bucket=bucket, Key="k", Tagging={"TagSet": many})
    assert status == 400 and code in ("InvalidTag", "BadRequest")
    assert error_of(s3.get_object_tagging, Bucket=bucket, Key="none") == ("NoSuchKey", 404)
    assert error_of(s3.get_bucket_policy, Bucket=bucket) == ("NoSuchBucketPolicy", 404)
    assert error_of(s3.get_bucket_cors, Bucket=bucket) == ("NoSuchCORSConfiguration", 404)
    assert error_of(s3.get_bucket_lifecycle_configuration, Bucket=bucket) == ("NoSuchLifecycleConfiguration", 404)
    assert error_of(s3.get_bucket_tagging, Bucket=bucket)[1] == 404
    assert error_of(s3.get_bucket_acl, Bucket="t-no-such-bucket") == ("NoSuchBucket", 404)


def test_the_configuration_of_a_bucket_comes_back_and_reaches_every_site(target, s3, bucket):
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": TAGS})
    assert sort(s3.get_bucket_tagging(Bucket=bucket)["TagSet"]) == TAGS
    rule = {"ID": "old", "Status": "Enabled", "Filter": {"Prefix": "tmp/"}, "Expiration": {"Days": 30}}
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [rule]})
    cors = {"AllowedMethods": ["GET"], "AllowedOrigins": ["https://erp.example.com"], "MaxAgeSeconds": 60}
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [cors]})
    for raw in [(s3, bucket), *[(site.s3(), site.raw_bucket(bucket)) for site in target.sites]]:
        client, name = raw
        assert client.get_bucket_lifecycle_configuration(Bucket=name)["Rules"][0]["ID"] == "old"
        assert client.get_bucket_cors(Bucket=name)["CORSRules"][0]["AllowedOrigins"] == cors["AllowedOrigins"]
    s3.delete_bucket_lifecycle(Bucket=bucket)
    s3.delete_bucket_cors(Bucket=bucket)
    s3.delete_bucket_tagging(Bucket=bucket)
    for client, name in [(s3, bucket), *[(site.s3(), site.raw_bucket(bucket)) for site in target.sites]]:
        assert error_of(client.get_bucket_lifecycle_configuration, Bucket=name)[1] == 404
        assert error_of(client.get_bucket_cors, Bucket=name)[1] == 404


def test_a_policy_names_the_bucket_as_each_site_calls_it(target, s3, bucket):
    statement = {
        "Effect": "Deny",
        "Principal": {"AWS": ["arn:aws:iam:::user/nobody"]},
        "Action": ["s3:GetObject"],
        "Resource": [f"arn:aws:s3:::{bucket}/*"],
    }
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
    shown = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])
    assert shown["Statement"][0]["Resource"] in (f"arn:aws:s3:::{bucket}/*", [f"arn:aws:s3:::{bucket}/*"])
    for raw in at_sites(target, bucket, lambda raw, name: (name, raw.get_bucket_policy(Bucket=name)["Policy"])):
        assert f"arn:aws:s3:::{raw[0]}/*" in raw[1]
    s3.delete_bucket_policy(Bucket=bucket)
    assert error_of(s3.get_bucket_policy, Bucket=bucket) == ("NoSuchBucketPolicy", 404)


def test_what_a_policy_forbids_is_denied_to_the_client(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    forbidden = ["s3:GetObject", "s3:PutObject", "s3:ListBucket"]
    resources = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
    statement = {"Effect": "Deny", "Principal": "*", "Action": forbidden, "Resource": resources}
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    denied = ("AccessDenied", 403)
    assert error_of(s3.get_object, Bucket=bucket, Key="k") == denied
    assert error_of(s3.head_object, Bucket=bucket, Key="k")[1] == 403
    assert error_of(s3.put_object, Bucket=bucket, Key="k", Body=b"y") == denied
    assert error_of(s3.create_multipart_upload, Bucket=bucket, Key="k") == denied
    assert error_of(s3.list_objects_v2, Bucket=bucket) == denied
    assert error_of(s3.copy_object, Bucket=bucket, Key="c", CopySource={"Bucket": bucket, "Key": "k"}) == denied
    s3.delete_bucket_policy(Bucket=bucket)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"


def test_writes_tell_when_a_lifecycle_rule_will_remove_them(s3, bucket):
    rule = {"ID": "old", "Status": "Enabled", "Filter": {"Prefix": "tmp/"}, "Expiration": {"Days": 1}}
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [rule]})
    where = {"Bucket": bucket, "Key": "tmp/k"}
    told = s3.put_object(**where, Body=b"x")["Expiration"]
    assert 'rule-id="old"' in told and s3.head_object(**where)["Expiration"] == told
    assert "Expiration" not in s3.put_object(Bucket=bucket, Key="kept", Body=b"x")


def test_acls_are_the_sites_own(target, s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    owner = s3.get_bucket_acl(Bucket=bucket)["Owner"]["ID"]
    assert owner and s3.get_object_acl(Bucket=bucket, Key="k")["Owner"]["ID"] == owner
    s3.put_object_acl(Bucket=bucket, Key="k", ACL="public-read")
    everyone = "http://acs.amazonaws.com/groups/global/AllUsers"
    for client, name in [(s3, bucket), *[(site.s3(), site.raw_bucket(bucket)) for site in target.sites]]:
        grants = client.get_object_acl(Bucket=name, Key="k")["Grants"]
        assert any(grant["Grantee"].get("URI") == everyone for grant in grants)


@pytest.fixture
def locked(s3):
    """A bucket with object lock; emptied with the governance bypass."""
    name = f"{new_bucket(s3)}-lock"
    s3.delete_bucket(Bucket=name.removesuffix("-lock"))
    s3.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    yield name
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=name):
        for entry in page.get("Versions", []) + page.get("DeleteMarkers", []):
            key = {"Bucket": name, "Key": entry["Key"], "VersionId": entry["VersionId"]}
            s3.delete_object(**key, BypassGovernanceRetention=True)
    s3.delete_bucket(Bucket=name)


def soon():
    """A time a while away, in whole seconds."""
    return datetime.datetime.now(datetime.UTC).replace(microsecond=0) + datetime.timedelta(hours=1)


def test_a_lock_holds_until_it_is_bypassed(target, s3, locked):
    assert s3.get_bucket_versioning(Bucket=locked)["Status"] == "Enabled"
    assert s3.get_object_lock_configuration(Bucket=locked)["ObjectLockConfiguration"]["ObjectLockEnabled"] == "Enabled"
    until = soon()
    version = s3.put_object(
        Bucket=locked, Key="k", Body=content(1000), ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=until
    )["VersionId"]
    head = s3.head_object(Bucket=locked, Key="k")
    assert (head["ObjectLockMode"], head["ObjectLockRetainUntilDate"]) == ("GOVERNANCE", until)
    named = {"Bucket": locked, "Key": "k", "VersionId": version}
    assert s3.get_object_retention(**named)["Retention"] == {"Mode": "GOVERNANCE", "RetainUntilDate": until}
    for site in target.sites:
        raw = site.s3().head_object(Bucket=site.raw_bucket(locked), Key="k")
        assert raw["ObjectLockMode"] == "GOVERNANCE"
    assert error_of(s3.delete_object, **named) == ("AccessDenied", 403)
    assert s3.get_object(**named)["Body"].read() == content(1000)
    answer = s3.delete_objects(Bucket=locked, Delete={"Objects": [{"Key": "k", "VersionId": version}]})
    assert [error["Code"] for error in answer["Errors"]] == ["AccessDenied"]
    s3.delete_object(**named, BypassGovernanceRetention=True)
    assert error_of(s3.get_object, Bucket=locked, Key="k") == ("NoSuchKey", 404)
    for site in target.sites:
        left = site.s3().list_object_versions(Bucket=site.raw_bucket(locked))
        assert "Versions" not in left


def test_a_legal_hold_is_put_and_taken_at_every_site(target, s3, locked):
    version = s3.put_object(Bucket=locked, Key="k", Body=b"x", ObjectLockLegalHoldStatus="ON")["VersionId"]
    named = {"Bucket": locked, "Key": "k", "VersionId": version}
    assert s3.get_object_legal_hold(**named)["LegalHold"]["Status"] == "ON"
    assert error_of(s3.delete_object, **named) == ("AccessDenied", 403)
    s3.put_object_legal_hold(**named, LegalHold={"Status": "OFF"})
    for site in target.sites:
        raw = site.s3().get_object_legal_hold(Bucket=site.raw_bucket(locked), Key="k")
        assert raw["LegalHold"]["Status"] == "OFF"
    s3.delete_object(**named)


def test_the_default_retention_of_a_bucket_is_passed_on(target, s3, locked):
    rule = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}}
    s3.put_object_lock_configuration(Bucket=locked, ObjectLockConfiguration=rule)
    assert s3.get_object_lock_configuration(Bucket=locked)["ObjectLockConfiguration"] == rule
    s3.put_object(Bucket=locked, Key="k", Body=b"x")
    assert s3.head_object(Bucket=locked, Key="k")["ObjectLockMode"] == "GOVERNANCE"
    for site in target.sites:
        assert site.s3().head_object(Bucket=site.raw_bucket(locked), Key="k")["ObjectLockMode"] == "GOVERNANCE"
    until = soon() + datetime.timedelta(days=2)
    version = s3.head_object(Bucket=locked, Key="k")["VersionId"]
    retention = {"Mode": "GOVERNANCE", "RetainUntilDate": until}
    s3.put_object_retention(Bucket=locked, Key="k", VersionId=version, Retention=retention)
    for site in target.sites:
        raw = site.s3().get_object_retention(Bucket=site.raw_bucket(locked), Key="k")
        assert raw["Retention"]["RetainUntilDate"] == until


def test_headers_of_a_put_reach_every_site(target, s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", Tagging="client=4711&kind=a%20b", ACL="public-read")
    multi = s3.create_multipart_upload(Bucket=bucket, Key="m", Tagging="client=4712")["UploadId"]
    place = {"Bucket": bucket, "Key": "m", "UploadId": multi}
    part = s3.upload_part(**place, PartNumber=1, Body=b"part")
    parts = [{"PartNumber": 1, "ETag": part["ETag"]}]
    s3.complete_multipart_upload(**place, MultipartUpload={"Parts": parts})
    s3.copy_object(
        Bucket=bucket, Key="c", CopySource={"Bucket": bucket, "Key": "k"}, TaggingDirective="REPLACE", Tagging="c=d"
    )
    s3.copy_object(Bucket=bucket, Key="d", CopySource={"Bucket": bucket, "Key": "k"})
    expected = {
        "k": [{"Key": "client", "Value": "4711"}, {"Key": "kind", "Value": "a b"}],
        # RGW 16 itself drops the tags of CreateMultipartUpload ("m").
        "c": [{"Key": "c", "Value": "d"}],
        "d": [{"Key": "client", "Value": "4711"}, {"Key": "kind", "Value": "a b"}],
    }
    for client, name in [(s3, bucket), *[(site.s3(), site.raw_bucket(bucket)) for site in target.sites]]:
        for key, tags in expected.items():
            found = client.get_object_tagging(Bucket=name, Key=key)
            assert sort(found.get("TagSet", [])) == tags, (key, name)
    assert s3.head_object(Bucket=bucket, Key="k")["TagCount"] == 2
