"""Public suites that this project did not write: what passes against a backend passes through the proxy over it."""

import concurrent.futures
import dataclasses
import json
import pathlib
import subprocess
import sys

import pytest
import versitygw_suite
from common import localstack, places, rgw
from common import target as targets
from common.process import clean_environment
from common.proxy import Proxy, Settings

SUITE = places.ROOT / "target" / "suites" / "minio"
# Less than this would be no suite: 43 functions, some of them twice.
FEWEST = 40
FEWEST_OF_VERSITYGW = 700
# Refused on purpose: no storage can look for lines in what is sealed. Ceph can in plain objects.
MEANT = {"test_select_object_content"}


def run_suite(target, folder: pathlib.Path) -> set[str]:
    """The tests that pass; what they said is in the folder."""
    folder.mkdir()
    environment = clean_environment(
        MINT_MODE="full",
        ENABLE_HTTPS="0",
        SERVER_ENDPOINT=target.authority,
        ACCESS_KEY=target.access_key_id,
        SECRET_KEY=target.secret_access_key,
    )
    driver = pathlib.Path(__file__).with_name("minio_suite.py")
    with open(folder / "said", "w") as said:
        command = [sys.executable, str(driver), str(SUITE)]
        done = subprocess.run(
            command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=said, text=True, timeout=600, check=False
        )
    assert done.returncode == 0, (folder / "said").read_text()[-3000:]
    results = json.loads(done.stdout.splitlines()[-1])
    assert len(results) >= FEWEST, results
    return {name for name, passed in results.items() if passed}


@pytest.mark.timeout(1300)
@pytest.mark.parametrize("backend", ["localstack", "rgw"])
def test_what_passes_directly_passes_through_the_proxy(request, pool, backend, tmp_path):
    if request.config.getoption("--no-rgw") or request.config.getoption(f"--no-{backend}"):
        pytest.skip("takes minutes: not in the quick run, nor without its backend")
    direct, through = pool.pair(backend)
    with concurrent.futures.ThreadPoolExecutor(2) as both:
        directly = both.submit(run_suite, direct, tmp_path / "direct")
        passed, through_it = run_suite(through, tmp_path / "through"), directly.result()
    lost = passed - through_it - MEANT
    assert not lost, f"{sorted(lost)}\n{(tmp_path / 'through' / 'said').read_text()[-3000:]}"
    assert len(through_it) >= FEWEST, sorted(through_it)


# What passes directly and not through the proxy, and why.
VERSITYGW_MEANT = {
    **dict.fromkeys(
        (
            "CompleteMultipartUpload_checksum_type_mismatch",
            "CompleteMultipartUpload_incorrect_checksum_part",
            "ListObjectsV2_with_checksum",
            "ListParts_with_checksums",
            "PostObject_checksums_success",
            "PutObject_invalid_checksum_header",
            "UploadPartCopy_should_copy_the_checksum",
        ),
        "they go through all checksums, of which a sealed object can hold five (docs/S3-COMPATIBILITY.md)",
    ),
    "CreateBucket_invalid_location_constraint": "the region is the proxy's, whatever its sites' are",
    "CreateMultipartUpload_invalid_object_lock_mode": "the storage's words for it",
    "DeleteObjects_empty_input": "S3's schema wants an object in it; Ceph does not",
    "ListMultipartUploads_invalid_uploadId_marker": "an upload id that was never given out is no marker; LocalStack's code for it",
    "PostObject_policy_content_length_too_small": "an error's ProposedSize is not told",
}


@pytest.mark.timeout(3000)
@pytest.mark.parametrize("backend", ["localstack", "rgw"])
def test_what_of_versitygws_tests_passes_directly_passes_through_the_proxy(request, backend, tmp_path):
    if not request.config.getoption("--full") or request.config.getoption(f"--no-{backend}"):
        pytest.skip("takes a quarter of an hour: with --full, and its backend")
    if not versitygw_suite.PROGRAM.exists():
        pytest.skip("versitygw is not built: scripts/setup-clients --full does it, with Go")
    site, backup = {"localstack": localstack, "rgw": rgw}[backend].pair()
    # Both sides name their buckets alike.
    sites = [dataclasses.replace(one, bucket_prefix=f"through-{one.name}-") for one in (site, backup)]
    tests = versitygw_suite.names()
    assert len(tests) >= FEWEST_OF_VERSITYGW, tests
    rule = {"anonymous": "as-storage"} if backend == "rgw" else {}
    proxy = Proxy(places.run_folder() / f"versitygw-{backend}", Settings(sites, rule=rule)).start()
    sides = (targets.of_site(dataclasses.replace(site, bucket_prefix=""), backend), targets.of_proxy(proxy, backend))
    try:
        with concurrent.futures.ThreadPoolExecutor(2) as both:
            run = versitygw_suite.run
            directly = both.submit(run, sides[0], tests, tmp_path / "direct")
            through_it, direct = run(sides[1], tests, tmp_path / "through"), directly.result()
    finally:
        proxy.stop()
    passed = [test for test in tests if not direct[test]]
    lost = {test: through_it[test] for test in passed if through_it[test] and test not in VERSITYGW_MEANT}
    print(f"versitygw over {backend}: {len(passed)} of {len(tests)} pass directly, {sum(not said for said in through_it.values())} through")
    assert not lost, json.dumps(lost, indent=1)[:20_000]
    assert len(passed) >= FEWEST_OF_VERSITYGW // 2, {test: said for test, said in direct.items() if said}
