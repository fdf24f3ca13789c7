"""Public suites that this project did not write: what passes against a backend passes through the proxy over it."""

import concurrent.futures
import json
import pathlib
import subprocess
import sys

import pytest
from common import places
from common.process import clean_environment

SUITE = places.ROOT / "target" / "suites" / "minio"
# Less than this would be no suite: 43 functions, some of them twice.
FEWEST = 40
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
