"""Rewrap over storage that has object lock and ACLs: whatever keeps an object, or lets somebody see it, stays with it."""

import datetime

import pytest
from botocore.exceptions import ClientError
from common import localstack
from common.data import FIVE_MIB, content
from common.sites import keys_of, read
from test_retention import in_years
from test_rewrap import World

pytestmark = pytest.mark.timeout(300)

DAY = datetime.timedelta(days=1)
UNTIL = datetime.datetime.now(datetime.UTC).replace(microsecond=0) + 20 * DAY
KINDS = {
    "governance": {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": UNTIL},
    "compliance": {"ObjectLockMode": "COMPLIANCE", "ObjectLockRetainUntilDate": UNTIL + DAY},
    "hold": {"ObjectLockLegalHoldStatus": "ON"},
    "both": {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": UNTIL, "ObjectLockLegalHoldStatus": "ON"},
    "public": {"ACL": "public-read"},
    "authenticated": {"ACL": "authenticated-read"},
    "plain": {},
}
SIZES = {"small": 1000, "large": FIVE_MIB + 1}


@pytest.fixture
def world(start_proxy):
    # Without tags: LocalStack tells of a versioned bucket's objects only with a version id that they have some.
    return World(start_proxy, localstack.pair(), locked=True)


def fill(world) -> None:
    """Every kind in every size, and in parts; some of it said after the write."""
    usual = {"Bucket": world.bucket, "ContentType": "text/csv", "Metadata": {"client": "4711"}}
    for kind, kept in KINDS.items():
        for size, length in SIZES.items():
            world.s3.put_object(**usual, **kept, Key=f"{kind}/{size}", Body=content(length))
        where = {"Bucket": world.bucket, "Key": f"{kind}/parts"}
        upload = world.s3.create_multipart_upload(**usual, **kept, Key=where["Key"])["UploadId"]
        world.finish(where, upload, [FIVE_MIB, 77])
    for size in SIZES:
        late = {"Bucket": world.bucket, "Key": f"plain/{size}"}
        world.s3.put_object_retention(**late, Retention={"Mode": "GOVERNANCE", "RetainUntilDate": UNTIL + 2 * DAY})
        world.s3.put_object_legal_hold(**late, LegalHold={"Status": "ON"})
        world.s3.put_object_acl(**late, ACL="public-read")


def protection(world) -> dict:
    """What keeps every object, and who may see it, as each site says."""
    seen = {}
    for site in world.sites:
        s3, raw = site.s3(), site.raw_bucket(world.bucket)
        for key in keys_of(s3, raw):
            head = s3.head_object(Bucket=raw, Key=key)
            lock = [head.get(f"ObjectLock{what}") for what in ("Mode", "RetainUntilDate", "LegalHoldStatus")]
            grants = s3.get_object_acl(Bucket=raw, Key=key)["Grants"]
            seen[site.name, key] = (*lock, sorted((g["Grantee"].get("URI", "owner"), g["Permission"]) for g in grants))
    return seen


def differences(before: dict, after: dict) -> dict:
    """What is not as it was, without the bytes of bodies."""
    short = lambda facts: [fact if not isinstance(fact, bytes) else (len(fact), hash(fact)) for fact in facts]
    return {key: (short(before[key]), short(after[key])) for key in before if before[key] != after[key]}


def test_locks_holds_and_canned_acls_stay(world):
    fill(world)
    before, kept = world.view(), protection(world)
    assert kept["primary", "both/large"][:3] == ("GOVERNANCE", UNTIL, "ON") and len(kept["primary", "public/parts"][3]) == 2
    world.rotate()
    said = world.rewrap()
    assert f"{3 * len(KINDS)} objects moved" in said and " 0 failed" in said, said
    assert set(world.versions().values()) == {2}
    assert differences(before, world.view()) == {}
    assert differences(kept, protection(world)) == {}
    for key in ("governance/small", "compliance/large", "hold/parts", "plain/large"):
        version = world.s3.head_object(Bucket=world.bucket, Key=key)["VersionId"]
        with pytest.raises(ClientError, match="AccessDenied"):
            world.s3.delete_object(Bucket=world.bucket, Key=key, VersionId=version)
    assert "0 objects moved" in world.rewrap()


def test_an_acl_that_no_write_can_say_leaves_the_object_as_it_is(world):
    s3 = world.s3
    s3.put_object(Bucket=world.bucket, Key="own", Body=b"x")
    s3.put_object(Bucket=world.bucket, Key="usual", Body=b"x")
    somebody = "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be"
    s3.put_object_acl(Bucket=world.bucket, Key="own", GrantRead=f"id={somebody}")
    kept = protection(world)
    world.rotate()
    said = world.rewrap(code=1)
    assert "1 objects moved" in said and "1 failed" in said and "an ACL of its own" in said, said
    assert world.versions()["primary", "own"] == 1 and world.versions()["primary", "usual"] == 2
    assert protection(world) == kept and read(s3, world.bucket, "own") == b"x"


def test_what_a_rule_said_by_headers_stays_too(start_proxy):
    """Retention and metadata in clear of such a rule: rewrap knows no headers of the write."""
    headers = {"x-amz-meta-kind": "contract"}
    rules = [{"name": "contracts", "match": "**", "headers": headers, "retention": "30y", "metadata": "clear"}]
    rules.append({"name": "rest", "match": "*/other/**", "retention": "2y"})
    world = World(start_proxy, localstack.pair(), locked=True, rules=rules)
    for size, length in SIZES.items():
        world.s3.put_object(Bucket=world.bucket, Key=f"contract/{size}", Body=content(length), Metadata={"kind": "contract"})
        world.s3.put_object(Bucket=world.bucket, Key=f"other/{size}", Body=content(length), Metadata={"kind": "other"})
    before, kept = world.view(), protection(world)
    world.rotate()
    assert "4 objects moved" in world.rewrap()
    assert set(world.versions().values()) == {2}
    assert world.view() == before and protection(world) == kept
    for site in world.sites:
        for key in keys_of(site.s3(), site.raw_bucket(world.bucket)):
            head = site.s3().head_object(Bucket=site.raw_bucket(world.bucket), Key=key)
            contract = key.startswith("contract/")
            assert head["Metadata"].get("kind") == ("contract" if contract else None)
            assert head["Metadata"].get("strongroom-retention", "").startswith("GOVERNANCE 20") == contract
            assert in_years(head["ObjectLockRetainUntilDate"], 30 if contract else 2)
