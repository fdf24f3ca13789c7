"""Buckets: made, made again, looked at, removed; names that are none."""

from cases import case, cases


@case
def life(side):
    name = side.name()
    side.create_bucket(Bucket=name)
    side.head_bucket(Bucket=name)
    side.get_bucket_location(Bucket=name)
    side.create_bucket(Bucket=name)
    side.list_objects_v2(Bucket=name)
    side.delete_bucket(Bucket=name)
    side.delete_bucket(Bucket=name)
    side.head_bucket(Bucket=name)
    side.list_objects(Bucket=name)


@case
def not_empty(side):
    side.put_object(Key="foo", Body=b"bar")
    side.delete_bucket()
    side.delete_object(Key="foo")
    side.delete_bucket()


@case
def none_there(side):
    for operation in ("list_objects", "list_objects_v2", "list_object_versions", "get_bucket_acl", "get_bucket_cors"):
        side.call(operation, Bucket="no-such-bucket-anywhere")
    side.put_object(Bucket="no-such-bucket-anywhere", Key="foo", Body=b"bar")
    side.get_object(Bucket="no-such-bucket-anywhere", Key="foo")
    side.head_object(Bucket="no-such-bucket-anywhere", Key="foo")
    side.delete_object(Bucket="no-such-bucket-anywhere", Key="foo")
    side.delete_objects(Bucket="no-such-bucket-anywhere", Delete={"Objects": [{"Key": "foo"}]})


@cases(
    one_letter=("a",),
    two_letters=("aa",),
    underscore_first=("_foo",),
    upper=("UpperCase",),
    punctuation=("alpha!soup",),
    address=("192.168.5.123",),
    long_64=("a" * 64,),
    long_255=("a" * 255,),
    long_300=("a" * 300,),
    dash_last=("foo-",),
    dot_dot=("foo..bar",),
)
def bad_name(side, name):
    side.raw("PUT", path=f"/{name}")
    side.raw("GET", path=f"/{name}")


@case
def put_on_the_root(side):
    side.raw("PUT", path="/")
    side.raw("POST", path="/")
    side.raw("DELETE", path="/")


@case
def listed(side):
    answer = side.s3.list_buckets()
    mine = [bucket for bucket in answer["Buckets"] if bucket["Name"] == side.bucket]
    side.note(buckets=mine, owner=bool(answer["Owner"].get("ID")))
    page = side.s3.list_buckets(Prefix=side.bucket)
    side.note(prefixed=[b for b in page["Buckets"] if b["Name"] == side.bucket])


@case
def location_constraint(side):
    name = side.name()
    side.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "nowhere-1"})
    side.raw("PUT", path=f"/{side.name()}", body=b"<CreateBucketConfiguration><Loc")


@cases(
    three=("{:.3}",),
    digit=("0{}",),
    dots=("{}.a.b",),
    hyphens=("{}-a--b",),
    long_60=("{:a<60}",),
    long_63=("{:a<63}",),
)
def good_name(side, form):
    name = form.format(side.name())
    side.buckets.append(name)
    side.create_bucket(Bucket=name)
    side.put_object(Bucket=name, Key="foo", Body=b"bar")
    side.list_objects_v2(Bucket=name)
    side.get_object(Bucket=name, Key="foo")
    side.delete_object(Bucket=name, Key="foo")
    side.delete_bucket(Bucket=name)


@case
def made_again_with_something_in_it(side):
    side.put_object(Key="foo", Body=b"bar")
    side.create_bucket()
    side.create_bucket(ACL="public-read")
    side.get_bucket_acl()
    side.list_objects_v2()


@case
def listed_in_pages(side):
    mine = {side.bucket, *(side.new_bucket() for _ in range(3))}
    more, found, pages = {}, set(), 0
    while more is not None and pages < 200:
        page = side.s3.list_buckets(MaxBuckets=2, **more)
        found |= {one["Name"] for one in page["Buckets"]}
        more = {"ContinuationToken": page["ContinuationToken"]} if page.get("ContinuationToken") else None
        pages += 1
    side.note(all_there=mine <= found, ended=more is None)


@cases(none=("0",), too_many=("10001",), letters=("many",), empty=("",))
def listed_with_a_bad_page_size(side, value):
    answer = side.wire.send("GET", "/", query={"max-buckets": value})
    side.note(status=answer.status, code=answer.code)


@case
def created_when(side):
    bucket = next(one for one in side.s3.list_buckets()["Buckets"] if one["Name"] == side.bucket)
    side.note(date=type(bucket["CreationDate"]).__name__)


@case
def emptied_and_removed_with_versions(side):
    side.put_bucket_versioning(VersioningConfiguration={"Status": "Enabled"})
    version = side.put_object(Key="foo", Body=b"bar")["VersionId"]
    marker = side.delete_object(Key="foo")["VersionId"]
    side.delete_bucket()
    side.delete_object(Key="foo", VersionId=version)
    side.delete_bucket()
    side.delete_object(Key="foo", VersionId=marker)
    side.delete_bucket()


@cases(
    nothing=(b"",),
    empty_element=(b"<CreateBucketConfiguration/>",),
    empty_place=(b"<CreateBucketConfiguration><LocationConstraint></LocationConstraint></CreateBucketConfiguration>",),
)
def configuration_that_says_nothing(side, body):
    name = side.name()
    side.raw("PUT", path=f"/{name}", body=body)
    side.raw("GET", path=f"/{name}", query={"location": ""})
