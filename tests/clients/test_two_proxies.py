"""Two proxies on one PostgreSQL: they go on with each other's uploads, agree on every key, and take over from the dead."""

import concurrent.futures
import random
import time

import pytest
from common import audit, postgres
from common import target as targets
from common.backlog import pending, until_settled
from common.data import FIVE_MIB, content
from common.sites import keys_of, read
from common.wait import until
from conftest import new_bucket
from test_kill import Writer, compare

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def twins(start_proxy, pool):
    """Two proxies over the same sites, keys and database."""
    return start_twins(start_proxy, pool.sites("embedded"))


def start_twins(start_proxy, sites, **settings):
    """One after the other: the second finds the keyring of the first."""
    one = start_proxy(sites, database=postgres.database(), **settings)
    same = {name: getattr(one.settings, name) for name in ("system_bucket", "root_key", "secret_access_key")}
    return one, start_proxy(sites, database=one.settings.database, **same, **settings)


def test_an_upload_begun_through_one_is_finished_through_the_other_when_the_first_is_killed(twins):
    one, two = twins
    bucket = new_bucket(one.s3())
    where = {"Bucket": bucket, "Key": "m"}
    upload = one.s3().create_multipart_upload(**where)["UploadId"]
    parts = []
    for number, s3 in ((1, one.s3()), (2, two.s3())):
        part = s3.upload_part(**where, UploadId=upload, PartNumber=number, Body=content(FIVE_MIB))
        parts.append({"PartNumber": number, "ETag": part["ETag"]})
    one.kill()
    part = two.s3().upload_part(**where, UploadId=upload, PartNumber=3, Body=content(77))
    parts.append({"PartNumber": 3, "ETag": part["ETag"]})
    assert len(two.s3().list_parts(**where, UploadId=upload)["Parts"]) == 3
    two.s3().complete_multipart_upload(**where, UploadId=upload, MultipartUpload={"Parts": parts})
    assert read(two.s3(), bucket, "m") == content(FIVE_MIB) * 2 + content(77)
    audit.check_bucket(targets.of_proxy(two, "twin"), bucket)


def test_writers_of_the_same_keys_through_both_leave_both_sites_the_same(twins):
    one, two = twins
    bucket = new_bucket(one.s3())

    clients = (one.s3(), two.s3())

    def write(number: int) -> None:
        s3, key = clients[number % 2], f"k{random.randrange(4)}"
        if random.random() < 0.2:
            s3.delete_object(Bucket=bucket, Key=key)
        else:
            s3.put_object(Bucket=bucket, Key=key, Body=content(random.choice((10, 5000, 300_000))) + bytes([number % 256]))

    with concurrent.futures.ThreadPoolExecutor(12) as executor:
        list(executor.map(write, range(300)))
    until(lambda: pending(one) + pending(two) == 0, "everything is settled", 60)
    time.sleep(1)  # Intents linger for a moment; what they find is recorded then.
    until(lambda: pending(one) + pending(two) == 0, "everything is settled", 60)
    audit.check_bucket(targets.of_proxy(one, "twin"), bucket)


def test_what_a_killed_proxy_was_at_is_taken_over_without_a_restart(twins):
    one, two = twins
    bucket, known = new_bucket(one.s3()), {}
    writers = [Writer(one, bucket, f"w{n}", known) for n in range(6)]
    for writer in writers:
        writer.start()
    time.sleep(1)
    one.kill()
    for writer in writers:
        writer.join(60)
    assert sum(writer.acknowledged for writer in writers) > 0
    sites = targets.of_proxy(two, "twin").sites

    def same() -> bool:
        primary, backup = (keys_of(site.s3(), site.raw_bucket(bucket)) for site in sites)
        etags = [{key: entry["Size"] for key, entry in keys.items()} for keys in (primary, backup)]
        return etags[0] == etags[1] and pending(two) == 0

    time.sleep(6)  # The lease runs out, what was in flight has arrived.
    until(same, "the survivor has levelled the sites", 60)
    until_settled(two)
    compare(two, bucket, known)


def test_a_backlog_is_worked_off_once_and_by_whoever_is_left(start_proxy, fault, pool):
    primary, (backup, injector) = pool.sites("embedded")[0], fault(pool.sites("embedded")[1])
    quick = {"connect_timeout": "500ms", "stall_timeout": "2s"}
    one, two = start_twins(start_proxy, [primary, backup], site_options=quick)
    bucket = new_bucket(one.s3())
    injector.mode = "refuse"
    for number in range(40):
        (one, two)[number % 2].s3().put_object(Bucket=bucket, Key=f"k{number}", Body=content(1000 + number))
    until(lambda: pending(two) >= 40, "both see one journal", 30)
    one.kill()
    injector.mode = "pass"
    until_settled(two)
    audit.check_bucket(targets.of_proxy(two, "twin"), bucket)
