"""Access control lists, as they are kept for those who ask the storage itself."""

from cases import case, cases

_ALL = "http://acs.amazonaws.com/groups/global/AllUsers"


@cases(
    private=("private",),
    public=("public-read",),
    public_write=("public-read-write",),
    authenticated=("authenticated-read",),
    owner=("bucket-owner-full-control",),
    none=("no-such-acl",),
)
def canned(side, name):
    side.put_object(Key="foo", Body=b"bar", ACL=name)
    side.get_object_acl(Key="foo")
    side.put_object(Key="goo", Body=b"bar")
    side.put_object_acl(Key="goo", ACL=name)
    side.get_object_acl(Key="goo")
    side.put_bucket_acl(ACL=name)
    side.get_bucket_acl()
    side.create_bucket(Bucket=side.name(), ACL=name)


def grants(side, permission, grantee):
    """An ACL of the bucket's owner with one grant."""
    owner = side.s3.get_bucket_acl(Bucket=side.bucket)["Owner"]
    return {"Owner": owner, "Grants": [{"Grantee": grantee, "Permission": permission}]}


@cases(
    full=("FULL_CONTROL",),
    read=("READ",),
    write=("WRITE",),
    read_acp=("READ_ACP",),
    write_acp=("WRITE_ACP",),
    none=("EVERYTHING",),
)
def granted(side, permission):
    side.put_object(Key="foo", Body=b"bar")
    policy = grants(side, permission, {"Type": "Group", "URI": _ALL})
    side.put_object_acl(Key="foo", AccessControlPolicy=policy)
    side.get_object_acl(Key="foo")
    side.put_bucket_acl(AccessControlPolicy=policy)
    side.get_bucket_acl()


@case
def granted_to_nobody(side):
    side.put_object(Key="foo", Body=b"bar")
    for grantee in (
        {"Type": "CanonicalUser", "ID": "_foo"},
        {"Type": "AmazonCustomerByEmail", "EmailAddress": "nobody@example.invalid"},
        {"Type": "Group", "URI": "http://example.invalid/"},
    ):
        policy = grants(side, "READ", grantee)
        side.put_object_acl(Key="foo", AccessControlPolicy=policy)
        side.put_bucket_acl(AccessControlPolicy=policy)
    side.get_object_acl(Key="foo")


@case
def revoked(side):
    side.put_object(Key="foo", Body=b"bar")
    owner = side.s3.get_bucket_acl(Bucket=side.bucket)["Owner"]
    side.put_bucket_acl(AccessControlPolicy={"Owner": owner, "Grants": []})
    side.get_bucket_acl()
    side.get_object(Key="foo")
    side.put_object(Key="goo", Body=b"bar")


@case
def in_headers(side):
    owner = side.s3.get_bucket_acl(Bucket=side.bucket)["Owner"]["ID"]
    side.put_object(Key="foo", Body=b"bar", GrantRead=f"id={owner}", GrantReadACP=f'id="{owner}"')
    side.get_object_acl(Key="foo")
    side.put_object(Key="goo", Body=b"bar", GrantRead=f'uri="{_ALL}"')
    side.get_object_acl(Key="goo")
    side.create_bucket(Bucket=side.name(), GrantWrite=f"id={owner}")
    side.raw("PUT", "both", b"bar", headers={"x-amz-acl": "private", "x-amz-grant-read": f"id={owner}"})
    side.raw("PUT", "bad", b"bar", headers={"x-amz-grant-read": "nonsense"})


@case
def of_nothing(side):
    side.get_object_acl(Key="never-there")
    side.put_object_acl(Key="never-there", ACL="private")
    side.raw("PUT", "never-there", b"no xml", query={"acl": ""})
    side.raw("PUT", body=b"no xml", query={"acl": ""})
