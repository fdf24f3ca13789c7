"""Requests without any signature."""

from cases import case


@case
def of_a_private_bucket(side):
    side.put_object(Key="foo", Body=b"bar")
    for method, key in (("GET", "foo"), ("HEAD", "foo"), ("GET", ""), ("HEAD", ""), ("DELETE", "foo"), ("GET", "gone")):
        side.raw(method, key, sign=False)
    side.raw("PUT", "foo", b"bar", sign=False)
    side.raw("PUT", path=f"/{side.name()}", sign=False)
    side.raw("GET", path="/no-such-bucket-anywhere/foo", sign=False)
    side.get_object(Key="foo")


@case
def of_a_public_bucket(side):
    side.put_bucket_acl(ACL="public-read")
    side.put_object(Key="foo", Body=b"bar", ACL="public-read")
    side.raw("GET", "foo", sign=False)
    side.raw("GET", "", sign=False)


@case
def list_of_buckets(side):
    side.raw("GET", path="/", sign=False)
