"""What a bucket is told about itself: lifecycle, policy, website, notification, logging, encryption, and the others."""

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


@cases(
    acl=("acl",),
    cors=("cors",),
    lifecycle=("lifecycle",),
    policy=("policy",),
    tagging=("tagging",),
    versioning=("versioning",),
    website=("website",),
    notification=("notification",),
    logging=("logging",),
    encryption=("encryption",),
    object_lock=("object-lock",),
    payment=("requestPayment",),
    block=("publicAccessBlock",),
    ownership=("ownershipControls",),
    location=("location",),
    uploads=("uploads",),
    versions=("versions",),
)
def of_no_bucket(side, what):
    side.raw("GET", path="/no-such-bucket-anywhere", query={what: ""})
