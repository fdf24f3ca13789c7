"""Object lock: the bucket's default, retention, legal hold, and who may remove what."""

import base64
import datetime
import hashlib

from cases import case, cases

_LATER = datetime.datetime(2090, 1, 1, tzinfo=datetime.UTC)
_SOONER = datetime.datetime(2089, 1, 1, tzinfo=datetime.UTC)
_PAST = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)


def _locked(side):
    name = side.name()
    side.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    side.bucket = name


def _rule(mode, **time):
    return {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": mode, **time}}}


def _free(side, key="foo"):
    """What is locked in governance mode is let go, so that the bucket can be removed."""
    for one in side.s3.list_object_versions(Bucket=side.bucket).get("Versions", []):
        arguments = {"Bucket": side.bucket, "Key": one["Key"], "VersionId": one["VersionId"]}
        try:
            side.s3.put_object_legal_hold(**arguments, LegalHold={"Status": "OFF"})
            side.s3.delete_object(**arguments, BypassGovernanceRetention=True)
        except side.s3.exceptions.ClientError:
            pass


@cases(
    governance_days=(_rule("GOVERNANCE", Days=1),),
    compliance_years=(_rule("COMPLIANCE", Years=1),),
    no_rule=({"ObjectLockEnabled": "Enabled"},),
    no_mode=(_rule("governance", Years=1),),
    other_mode=(_rule("abc", Years=1),),
    both=(_rule("GOVERNANCE", Days=1, Years=1),),
    no_days=(_rule("GOVERNANCE", Days=0),),
    negative_years=(_rule("GOVERNANCE", Years=-1),),
    neither=(_rule("GOVERNANCE"),),
    disabled=({**_rule("GOVERNANCE", Years=1), "ObjectLockEnabled": "Disabled"},),
)
def default(side, configuration):
    _locked(side)
    side.put_object_lock_configuration(ObjectLockConfiguration=configuration)
    side.get_object_lock_configuration()
    side.get_bucket_versioning()


@case
def of_a_bucket_without(side):
    side.put_object(Key="foo", Body=b"bar")
    side.get_object_lock_configuration()
    side.put_object_lock_configuration(ObjectLockConfiguration=_rule("GOVERNANCE", Days=1))
    side.put_object_retention(Key="foo", Retention={"Mode": "GOVERNANCE", "RetainUntilDate": _LATER})
    side.get_object_retention(Key="foo")
    side.put_object_legal_hold(Key="foo", LegalHold={"Status": "ON"})
    side.get_object_legal_hold(Key="foo")
    side.put_object(Key="goo", Body=b"bar", ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=_LATER)
    side.put_object(Key="hoo", Body=b"bar", ObjectLockLegalHoldStatus="ON")


@case
def versioning_cannot_be_suspended(side):
    _locked(side)
    side.put_bucket_versioning(VersioningConfiguration={"Status": "Suspended"})
    side.get_bucket_versioning()


@cases(
    right=({"Mode": "GOVERNANCE", "RetainUntilDate": _LATER},),
    past=({"Mode": "GOVERNANCE", "RetainUntilDate": _PAST},),
    other_mode=({"Mode": "governance", "RetainUntilDate": _LATER},),
    abc=({"Mode": "abc", "RetainUntilDate": _LATER},),
    no_date=({"Mode": "GOVERNANCE"},),
    no_mode=({"RetainUntilDate": _LATER},),
)
def retention(side, given):
    _locked(side)
    side.put_object(Key="foo", Body=b"bar")
    side.get_object_retention(Key="foo")
    side.put_object_retention(Key="foo", Retention=given)
    side.get_object_retention(Key="foo")
    side.head_object(Key="foo")
    _free(side)


@case
def retention_is_lengthened_and_shortened(side):
    _locked(side)
    version = side.put_object(Key="foo", Body=b"bar")["VersionId"]
    side.put_object_retention(Key="foo", Retention={"Mode": "GOVERNANCE", "RetainUntilDate": _SOONER})
    side.put_object_retention(Key="foo", Retention={"Mode": "GOVERNANCE", "RetainUntilDate": _LATER})
    side.put_object_retention(Key="foo", Retention={"Mode": "GOVERNANCE", "RetainUntilDate": _SOONER})
    shorter = {"Mode": "GOVERNANCE", "RetainUntilDate": _SOONER}
    side.put_object_retention(Key="foo", Retention=shorter, BypassGovernanceRetention=True)
    side.get_object_retention(Key="foo", VersionId=version)
    side.delete_object(Key="foo", VersionId=version)
    side.delete_object(Key="foo", VersionId=version, BypassGovernanceRetention=True)
    side.get_object(Key="foo")


@case
def retention_of_a_version(side):
    _locked(side)
    first = side.put_object(Key="foo", Body=b"one")["VersionId"]
    side.put_object(Key="foo", Body=b"two")
    side.put_object_retention(
        Key="foo", VersionId=first, Retention={"Mode": "GOVERNANCE", "RetainUntilDate": _LATER}
    )
    side.get_object_retention(Key="foo", VersionId=first)
    side.get_object_retention(Key="foo")
    side.get_object_retention(Key="foo", VersionId="no-such-version")
    side.get_object_retention(Key="never-there")
    _free(side)


@case
def legal_hold(side):
    _locked(side)
    version = side.put_object(Key="foo", Body=b"bar")["VersionId"]
    side.get_object_legal_hold(Key="foo")
    side.put_object_legal_hold(Key="foo", LegalHold={"Status": "ON"})
    side.get_object_legal_hold(Key="foo")
    side.head_object(Key="foo")
    side.delete_object(Key="foo", VersionId=version)
    side.delete_object(Key="foo", VersionId=version, BypassGovernanceRetention=True)
    side.put_object_legal_hold(Key="foo", LegalHold={"Status": "abc"})
    side.put_object_legal_hold(Key="foo", LegalHold={"Status": "OFF"})
    side.get_object_legal_hold(Key="foo")
    side.delete_object(Key="foo", VersionId=version)


@case
def written_under_a_lock(side):
    _locked(side)
    side.put_object(
        Key="foo",
        Body=b"bar",
        ObjectLockMode="GOVERNANCE",
        ObjectLockRetainUntilDate=_LATER,
        ObjectLockLegalHoldStatus="ON",
    )
    side.head_object(Key="foo")
    side.get_object(Key="foo")
    side.get_object_retention(Key="foo")
    side.get_object_legal_hold(Key="foo")
    side.put_object(Key="goo", Body=b"bar", ObjectLockMode="GOVERNANCE")
    side.put_object(Key="goo", Body=b"bar", ObjectLockRetainUntilDate=_LATER)
    side.put_object(Key="goo", Body=b"bar", ObjectLockMode="abc", ObjectLockRetainUntilDate=_LATER)
    side.put_object(Key="goo", Body=b"bar", ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=_PAST)
    side.head_object(Key="goo")
    _free(side)


@case
def parts_and_copies_under_a_lock(side):
    _locked(side)
    lock = {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": _LATER}
    upload = side.create_multipart_upload(Key="foo", **lock)["UploadId"]
    part = side.upload_part(Key="foo", UploadId=upload, PartNumber=1, Body=b"abc")
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    side.complete_multipart_upload(Key="foo", UploadId=upload, MultipartUpload=parts)
    side.head_object(Key="foo")
    side.copy_object(Key="copy", CopySource={"Bucket": side.bucket, "Key": "foo"}, **lock)
    side.head_object(Key="copy")
    side.copy_object(Key="free", CopySource={"Bucket": side.bucket, "Key": "foo"})
    side.head_object(Key="free")
    _free(side)


@case
def default_is_applied(side):
    _locked(side)
    side.put_object_lock_configuration(ObjectLockConfiguration=_rule("GOVERNANCE", Days=1))
    version = side.put_object(Key="foo", Body=b"bar")["VersionId"]
    side.head_object(Key="foo")
    side.delete_object(Key="foo", VersionId=version)
    side.delete_object(Key="foo")
    side.list_object_versions()
    _free(side)


@case
def many_removed_under_retention(side):
    _locked(side)
    versions = [side.put_object(Key=key, Body=b"bar")["VersionId"] for key in ("foo", "goo")]
    side.put_object_retention(Key="foo", Retention={"Mode": "GOVERNANCE", "RetainUntilDate": _LATER})
    both = [{"Key": key, "VersionId": version} for key, version in zip(("foo", "goo"), versions, strict=True)]
    side.delete_objects(Delete={"Objects": both})
    side.list_object_versions()
    side.delete_objects(Delete={"Objects": both[:1]}, BypassGovernanceRetention=True)
    side.list_object_versions()


@case
def mode_is_changed(side):
    _locked(side)
    side.put_object(Key="foo", Body=b"bar")
    soon = datetime.datetime.now(datetime.UTC).replace(microsecond=0) + datetime.timedelta(seconds=8)
    side.put_object_retention(Key="foo", Retention={"Mode": "GOVERNANCE", "RetainUntilDate": soon})
    compliance = {"Mode": "COMPLIANCE", "RetainUntilDate": soon}
    side.put_object_retention(Key="foo", Retention=compliance)
    side.put_object_retention(Key="foo", Retention=compliance, BypassGovernanceRetention=True)
    side.put_object_retention(
        Key="foo", Retention={"Mode": "GOVERNANCE", "RetainUntilDate": soon}, BypassGovernanceRetention=True
    )


@case
def of_a_version_that_is_not_there(side):
    _locked(side)
    side.put_object(Key="foo", Body=b"bar")
    for operation in ("get_object_retention", "get_object_legal_hold"):
        side.call(operation, Key="never-there")
        side.call(operation, Key="foo", VersionId="no-such-version")
    side.put_object_legal_hold(Key="never-there", LegalHold={"Status": "ON"})
    side.put_object_retention(Key="never-there", Retention={"Mode": "GOVERNANCE", "RetainUntilDate": _LATER})


@case
def enabled_afterwards(side):
    side.put_bucket_versioning(VersioningConfiguration={"Status": "Enabled"})
    side.put_object_lock_configuration(ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"})
    side.get_object_lock_configuration()
    side.put_object(Key="foo", Body=b"bar")
    side.get_object_retention(Key="foo")


@case
def what_is_on_hold_is_copied_and_overwritten(side):
    _locked(side)
    side.put_object(Key="foo", Body=b"bar", ObjectLockLegalHoldStatus="ON")
    side.put_object(Key="foo", Body=b"new")
    side.head_object(Key="foo")
    side.copy_object(Key="copy", CopySource={"Bucket": side.bucket, "Key": "foo"}, ObjectLockLegalHoldStatus="ON")
    side.head_object(Key="copy")
    side.delete_object(Key="copy")
    side.list_object_versions()
    _free(side)


@case
def default_of_a_multipart_upload(side):
    _locked(side)
    side.put_object_lock_configuration(ObjectLockConfiguration=_rule("GOVERNANCE", Days=1))
    upload = side.create_multipart_upload(Key="foo")["UploadId"]
    part = side.upload_part(Key="foo", UploadId=upload, PartNumber=1, Body=b"abc")
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    done = side.complete_multipart_upload(Key="foo", UploadId=upload, MultipartUpload=parts)
    side.head_object(Key="foo")
    side.get_object_retention(Key="foo")
    side.delete_object(Key="foo", VersionId=done["VersionId"])
    _free(side)


@cases(empty=(b"",), other=(b"<Other/>",), no_status=(b"<LegalHold></LegalHold>",))
def hold_that_is_none(side, body):
    _locked(side)
    side.put_object(Key="foo", Body=b"bar")
    digest = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
    side.raw("PUT", "foo", body, query={"legal-hold": ""}, headers={"Content-MD5": digest})
    side.raw("PUT", "foo", body, query={"retention": ""}, headers={"Content-MD5": digest})
