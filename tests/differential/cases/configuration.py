"""What a bucket is told about itself: lifecycle, policy, website, notification, logging, encryption, and the others."""

import base64
import hashlib
import json

from cases import case, cases


def _rule(**more):
    return {"ID": "one", "Status": "Enabled", "Filter": {"Prefix": "a/"}, "Expiration": {"Days": 1}, **more}


@cases(
    days=([_rule()],),
    two=([_rule(), _rule(ID="two", Filter={"Prefix": "b/"})],),
    date=([_rule(Expiration={"Date": "2090-01-01T00:00:00Z"})],),
    date_with_time=([_rule(Expiration={"Date": "2090-01-01T01:02:03Z"})],),
    no_id=([{k: v for k, v in _rule().items() if k != "ID"}],),
    long_id=([_rule(ID="x" * 256)],),
    same_ids=([_rule(), _rule(Filter={"Prefix": "b/"})],),
    no_days=([_rule(Expiration={"Days": 0})],),
    other_status=([_rule(Status="enabled")],),
    disabled=([_rule(Status="Disabled")],),
    old_versions=([_rule(Expiration={"ExpiredObjectDeleteMarker": True})],),
    noncurrent=([{**_rule(), "NoncurrentVersionExpiration": {"NoncurrentDays": 2}}],),
    uploads=([{**_rule(), "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 2}}],),
    empty_filter=([_rule(Filter={})],),
    tag=([_rule(Filter={"Tag": {"Key": "a", "Value": "b"}})],),
    tags=([_rule(Filter={"And": {"Prefix": "x", "Tags": [{"Key": "a", "Value": "b"}]}})],),
    nothing=([],),
)
def lifecycle(side, rules):
    side.get_bucket_lifecycle_configuration()
    side.put_bucket_lifecycle_configuration(LifecycleConfiguration={"Rules": rules})
    side.get_bucket_lifecycle_configuration()
    side.put_object(Key="a/foo", Body=b"bar")
    side.head_object(Key="a/foo")
    side.delete_bucket_lifecycle()
    side.get_bucket_lifecycle_configuration()


def _policy(side, **more):
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": "s3:ListBucket",
        "Resource": [f"arn:aws:s3:::{side.bucket}", f"arn:aws:s3:::{side.bucket}/*"],
        **more,
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@cases(
    allow=({},),
    deny_a_key=({"Effect": "Deny", "Action": "s3:DeleteObject"},),
    condition=({"Condition": {"StringEquals": {"s3:prefix": "a"}}},),
    unknown_action=({"Action": "s3:Everything"},),
    unknown_effect=({"Effect": "Perhaps"},),
)
def policy(side, changes):
    side.get_bucket_policy()
    side.get_bucket_policy_status()
    given = _policy(side, **changes)
    side.put_bucket_policy(Policy=given)
    answer = side.wire.send("GET", f"/{side.bucket}", query={"policy": ""})
    kept = answer.status == 200 and json.loads(answer.body) == json.loads(given)
    side.note(status=answer.status, code=answer.code, kept=kept)
    side.get_bucket_policy_status()
    side.delete_bucket_policy()
    side.get_bucket_policy()


@case
def policy_that_is_none(side):
    for text in ("", "no json", "{}", "[]"):
        side.raw("PUT", body=text.encode(), query={"policy": ""})
    side.get_bucket_policy()


@case
def policy_of_another_bucket(side):
    side.put_bucket_policy(Policy=_policy(side, Resource="arn:aws:s3:::another-bucket-anywhere/*"))


@cases(
    index=({"IndexDocument": {"Suffix": "index.html"}},),
    both=({"IndexDocument": {"Suffix": "index.html"}, "ErrorDocument": {"Key": "e.html"}},),
    redirect=({"RedirectAllRequestsTo": {"HostName": "example.com", "Protocol": "https"}},),
    nothing=({},),
)
def website(side, configuration):
    side.get_bucket_website()
    side.put_bucket_website(WebsiteConfiguration=configuration)
    side.get_bucket_website()
    side.delete_bucket_website()
    side.get_bucket_website()


@case
def public_access_block(side):
    block = {"BlockPublicAcls": True, "IgnorePublicAcls": True, "BlockPublicPolicy": True, "RestrictPublicBuckets": False}
    side.get_public_access_block()
    side.put_public_access_block(PublicAccessBlockConfiguration=block)
    side.get_public_access_block()
    side.put_object(Key="foo", Body=b"bar", ACL="public-read")
    side.put_bucket_acl(ACL="public-read")
    side.put_bucket_policy(Policy=_policy(side))
    side.delete_public_access_block()
    side.get_public_access_block()


@case
def ownership(side):
    side.get_bucket_ownership_controls()
    side.put_bucket_ownership_controls(OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]})
    side.get_bucket_ownership_controls()
    side.delete_bucket_ownership_controls()
    side.create_bucket(Bucket=side.name(), ObjectOwnership="ObjectWriter")


@case
def encryption(side):
    side.get_bucket_encryption()
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    side.put_bucket_encryption(ServerSideEncryptionConfiguration={"Rules": [rule]})
    side.get_bucket_encryption()
    side.put_object(Key="foo", Body=b"bar")
    side.get_object(Key="foo")
    side.delete_bucket_encryption()
    side.get_bucket_encryption()


@case
def logging(side):
    side.get_bucket_logging()
    enabled = {"TargetBucket": side.bucket, "TargetPrefix": "log/"}
    side.put_bucket_logging(BucketLoggingStatus={"LoggingEnabled": enabled})
    side.get_bucket_logging()
    side.put_bucket_logging(BucketLoggingStatus={})
    side.get_bucket_logging()


@case
def notification(side):
    side.get_bucket_notification_configuration()
    topic = {"TopicArn": "arn:aws:sns:us-east-1:000000000000:none", "Events": ["s3:ObjectCreated:*"]}
    side.put_bucket_notification_configuration(NotificationConfiguration={"TopicConfigurations": [topic]})
    side.put_bucket_notification_configuration(NotificationConfiguration={})
    side.get_bucket_notification_configuration()


@case
def request_payment(side):
    side.get_bucket_request_payment()
    side.put_bucket_request_payment(RequestPaymentConfiguration={"Payer": "Requester"})
    side.get_bucket_request_payment()
    side.put_bucket_request_payment(RequestPaymentConfiguration={"Payer": "Nobody"})


@case
def acceleration(side):
    side.get_bucket_accelerate_configuration()
    side.put_bucket_accelerate_configuration(AccelerateConfiguration={"Status": "Enabled"})


@case
def cors(side):
    side.get_bucket_cors()
    rule = {"AllowedMethods": ["GET", "PUT"], "AllowedOrigins": ["*.get", "*.put"], "ID": "x", "MaxAgeSeconds": 3}
    side.put_bucket_cors(CORSConfiguration={"CORSRules": [rule]})
    side.get_bucket_cors()
    side.put_bucket_cors(CORSConfiguration={"CORSRules": []})
    side.put_bucket_cors(CORSConfiguration={"CORSRules": [{**rule, "AllowedMethods": ["BREW"]}]})
    side.delete_bucket_cors()
    side.get_bucket_cors()


# Configuration that is set in XML: the case's name, and the query that names it.
_IN_XML = {
    "acl": ("acl",),
    "cors": ("cors",),
    "lifecycle": ("lifecycle",),
    "tagging": ("tagging",),
    "versioning": ("versioning",),
    "website": ("website",),
    "notification": ("notification",),
    "logging": ("logging",),
    "encryption": ("encryption",),
    "object_lock": ("object-lock",),
    "payment": ("requestPayment",),
    "block": ("publicAccessBlock",),
    "ownership": ("ownershipControls",),
}


@cases(**_IN_XML, policy=("policy",), location=("location",), uploads=("uploads",), versions=("versions",))
def of_no_bucket(side, what):
    side.raw("GET", path="/no-such-bucket-anywhere", query={what: ""})


@cases(
    transition=([_rule(Expiration={"Days": 40}, Transitions=[{"Days": 30, "StorageClass": "STANDARD_IA"}])],),
    transition_date=([_rule(Expiration={"Date": "2091-01-01T00:00:00Z"}, Transitions=[{"Date": "2090-01-01T00:00:00Z", "StorageClass": "GLACIER"}])],),
    transition_to_nothing=([_rule(Transitions=[{"Days": 1, "StorageClass": "NO_SUCH_CLASS"}])],),
    noncurrent_transition=([{**_rule(), "NoncurrentVersionTransitions": [{"NoncurrentDays": 30, "StorageClass": "GLACIER"}]}],),
    newer_noncurrent=([{**_rule(), "NoncurrentVersionExpiration": {"NoncurrentDays": 2, "NewerNoncurrentVersions": 3}}],),
    larger_than=([_rule(Filter={"ObjectSizeGreaterThan": 2000})],),
    larger_and_smaller=([_rule(Filter={"And": {"Prefix": "a/", "ObjectSizeGreaterThan": 1, "ObjectSizeLessThan": 9}})],),
    old_form=([{"ID": "one", "Status": "Enabled", "Prefix": "a/", "Expiration": {"Days": 1}}],),
    only_uploads=([{"ID": "one", "Status": "Enabled", "Filter": {"Prefix": ""}, "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 2}}],),
    days_and_date=([_rule(Expiration={"Days": 1, "Date": "2090-01-01T00:00:00Z"})],),
    no_action=([{"ID": "one", "Status": "Enabled", "Filter": {"Prefix": "a/"}}],),
)
def lifecycle_of_more_kinds(side, rules):
    side.put_bucket_lifecycle_configuration(LifecycleConfiguration={"Rules": rules})
    side.get_bucket_lifecycle_configuration()
    side.put_object(Key="a/foo", Body=b"bar", Tagging="a=b")
    side.head_object(Key="a/foo")
    side.get_object(Key="a/foo")


@cases(
    enforced=("BucketOwnerEnforced",),
    preferred=("BucketOwnerPreferred",),
    writer=("ObjectWriter",),
    none=("NoSuchOwnership",),
)
def ownership_and_acls(side, kind):
    name = side.name()
    side.create_bucket(Bucket=name, ObjectOwnership=kind)
    side.get_bucket_ownership_controls(Bucket=name)
    side.put_object(Bucket=name, Key="foo", Body=b"bar")
    side.put_object(Bucket=name, Key="foo", Body=b"bar", ACL="private")
    side.put_object(Bucket=name, Key="foo", Body=b"bar", ACL="bucket-owner-full-control")
    side.put_object_acl(Bucket=name, Key="foo", ACL="public-read")
    side.put_bucket_acl(Bucket=name, ACL="public-read")
    side.put_bucket_ownership_controls(Bucket=name, OwnershipControls={"Rules": [{"ObjectOwnership": kind}]})


@cases(
    put=("s3:PutObject",),
    get=("s3:GetObject",),
    delete=("s3:DeleteObject",),
    list=("s3:ListBucket",),
    acl=("s3:GetObjectAcl",),
    tags=("s3:PutObjectTagging",),
    versions=("s3:ListBucketVersions",),
    uploads=("s3:ListBucketMultipartUploads",),
    location=("s3:GetBucketLocation",),
    abort=("s3:AbortMultipartUpload",),
)
def policy_that_denies(side, action):
    side.put_object(Key="foo", Body=b"bar")
    side.put_bucket_policy(Policy=_policy(side, Effect="Deny", Action=action))
    side.put_object(Key="foo", Body=b"new")
    side.get_object(Key="foo")
    side.head_object(Key="foo")
    side.list_objects_v2()
    side.list_object_versions()
    side.list_multipart_uploads()
    side.get_bucket_location()
    side.get_object_acl(Key="foo")
    side.put_object_tagging(Key="foo", Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    side.copy_object(Key="copy", CopySource={"Bucket": side.bucket, "Key": "foo"})
    upload = side.create_multipart_upload(Key="parts")
    if upload:
        side.upload_part(Key="parts", UploadId=upload["UploadId"], PartNumber=1, Body=b"bar")
        side.abort_multipart_upload(Key="parts", UploadId=upload["UploadId"])
    side.delete_object(Key="foo")
    side.delete_objects(Delete={"Objects": [{"Key": "copy"}]})
    side.delete_bucket_policy()
    side.list_objects_v2()


@cases(
    acl=({"StringEquals": {"s3:x-amz-acl": "public-read"}}, {"x-amz-acl": "public-read"}),
    tag=({"StringEquals": {"s3:RequestObjectTag/security": "public"}}, {"x-amz-tagging": "security=public"}),
    not_tag=({"StringNotEquals": {"s3:RequestObjectTag/security": "public"}}, {"x-amz-tagging": "security=private"}),
    encryption=({"StringEquals": {"s3:x-amz-server-side-encryption": "AES256"}}, {"x-amz-server-side-encryption": "AES256"}),
    not_encrypted=({"Null": {"s3:x-amz-server-side-encryption": "true"}}, {"x-amz-server-side-encryption": "AES256"}),
    grant=({"StringLike": {"s3:x-amz-grant-full-control": "*"}}, {"x-amz-grant-full-control": 'uri="http://acs.amazonaws.com/groups/global/AllUsers"'}),
)
def policy_about_a_header(side, condition, headers):
    given = _policy(side, Effect="Deny", Action="s3:PutObject", Resource=f"arn:aws:s3:::{side.bucket}/*", Condition=condition)
    side.put_bucket_policy(Policy=given)
    side.raw("PUT", "without", b"bar")
    side.raw("PUT", "with", b"bar", headers=headers)
    side.delete_bucket_policy()


@case
def policy_about_tags_that_are_there(side):
    for key, value in (("public", "public"), ("private", "private")):
        side.put_object(Key=key, Body=b"bar", Tagging=f"security={value}")
    side.put_object(Key="bare", Body=b"bar")
    condition = {"StringEquals": {"s3:ExistingObjectTag/security": "private"}}
    side.put_bucket_policy(Policy=_policy(side, Effect="Deny", Action=["s3:GetObject", "s3:GetObjectTagging"], Condition=condition))
    for key in ("public", "private", "bare"):
        side.get_object(Key=key)
        side.get_object_tagging(Key=key)
    side.delete_bucket_policy()


@cases(
    everybody=({"Principal": "*"},),
    signed_in=({"Principal": {"AWS": "arn:aws:iam::000000000000:root"}},),
    from_an_address=({"Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/32"}}},),
    of_a_key=({"Action": "s3:GetObject", "Resource": "arn:aws:s3:::{bucket}/*"},),
)
def policy_is_public(side, changes):
    given = {k: v.format(bucket=side.bucket) if k == "Resource" else v for k, v in changes.items()}
    side.put_bucket_policy(Policy=_policy(side, **given))
    side.get_bucket_policy_status()
    side.put_public_access_block(PublicAccessBlockConfiguration={"BlockPublicPolicy": True})
    side.put_bucket_policy(Policy=_policy(side, **given))


@cases(
    simple=({"TargetBucket": "{bucket}", "TargetPrefix": "log/"},),
    no_prefix=({"TargetBucket": "{bucket}", "TargetPrefix": ""},),
    by_event_time=({"TargetBucket": "{bucket}", "TargetPrefix": "log/", "TargetObjectKeyFormat": {"PartitionedPrefix": {"PartitionDateSource": "EventTime"}}},),
    simple_names=({"TargetBucket": "{bucket}", "TargetPrefix": "log/", "TargetObjectKeyFormat": {"SimplePrefix": {}}},),
    granted=({"TargetBucket": "{bucket}", "TargetPrefix": "log/", "TargetGrants": [{"Grantee": {"Type": "Group", "URI": "http://acs.amazonaws.com/groups/global/AllUsers"}, "Permission": "READ"}]},),
    to_nowhere=({"TargetBucket": "no-such-bucket-anywhere", "TargetPrefix": "log/"},),
)
def logging_of_a_kind(side, enabled):
    given = {**enabled, "TargetBucket": enabled["TargetBucket"].format(bucket=side.bucket)}
    side.put_bucket_logging(BucketLoggingStatus={"LoggingEnabled": given})
    side.get_bucket_logging()


@cases(**_IN_XML, acceleration=("accelerate",))
def set_to_no_xml(side, what):
    digest = base64.b64encode(hashlib.md5(b"no xml", usedforsecurity=False).digest()).decode()
    side.raw("PUT", body=b"no xml", query={what: ""}, headers={"Content-MD5": digest})
    digest = base64.b64encode(hashlib.md5(b"<Nothing/>", usedforsecurity=False).digest()).decode()
    side.raw("PUT", body=b"<Nothing/>", query={what: ""}, headers={"Content-MD5": digest})
    side.raw("GET", query={what: ""})


@case
def encryption_by_a_kms(side):
    for rule in ({"SSEAlgorithm": "aws:kms"}, {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "key-1"}, {"SSEAlgorithm": "ROT13"}):
        configuration = {"Rules": [{"ApplyServerSideEncryptionByDefault": rule, "BucketKeyEnabled": True}]}
        side.put_bucket_encryption(ServerSideEncryptionConfiguration=configuration)
        side.get_bucket_encryption()
        side.put_object(Key="foo", Body=b"bar")
        side.get_object(Key="foo")
        upload = side.create_multipart_upload(Key="parts")
        if upload:
            part = side.upload_part(Key="parts", UploadId=upload["UploadId"], PartNumber=1, Body=b"bar")
            if part:
                parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
                side.complete_multipart_upload(Key="parts", UploadId=upload["UploadId"], MultipartUpload=parts)
                side.get_object(Key="parts")


@case
def tags_of_a_bucket(side):
    for tags in ([], [{"Key": "a", "Value": ""}], [{"Key": f"k{n}", "Value": "v"} for n in range(51)], [{"Key": "a", "Value": "1"}] * 2, [{"Key": "aws:a", "Value": "1"}]):
        side.put_bucket_tagging(Tagging={"TagSet": tags})
        side.get_bucket_tagging()
