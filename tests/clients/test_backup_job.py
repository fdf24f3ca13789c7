"""A backup job that knows nothing of us: `rclone sync` of the raw buckets to folders, then `strongroom unseal`."""

import drivers
import pytest
from common import data
from common import target as targets
from common.proxy import strongroom
from conftest import new_bucket

NAMES = ["letter.txt", "clients/4711/总账 2026.csv", "clients/4711/percent%20.csv", "deep/er/and/deeper", "zero"]


@pytest.fixture(params=["embedded", pytest.param("rgw", marks=pytest.mark.rgw)])
def proxy(request, start_proxy, pool):
    """A proxy with a system bucket of its own."""
    return start_proxy(pool.sites(request.param))


@pytest.mark.parametrize("which", [0, 1], ids=["primary", "backup"])
def test_copies_of_the_raw_buckets_give_the_plain_files_back(proxy, tmp_path, which):
    s3, plain = proxy.s3(), {}
    bucket = new_bucket(s3)
    for seed, name in enumerate(NAMES):
        plain[name] = data.content(0 if name == "zero" else 20_000 + seed, seed)
        s3.put_object(Bucket=bucket, Key=name, Body=plain[name], ContentType="text/plain", Metadata={"a": "b"})
    plain["large.bin"] = data.content(20 * data.MIB + 7)
    s3.upload_file(str(data.file_of(20 * data.MIB + 7)), bucket, "large.bin")
    proxy.stop()

    site = proxy.settings.sites[which]
    rclone = drivers.Rclone(targets.of_site(site, "raw"), tmp_path / "rclone")
    for name, folder in (
        (site.raw_bucket(bucket), "sealed"),
        (site.raw_bucket(proxy.settings.system_bucket), "system"),
    ):
        rclone.run("sync", f"s3:{name}", tmp_path / folder)
    sealed = data.read_tree(tmp_path / "sealed")
    assert set(sealed) == set(plain)
    assert not any(content and content[:16] in sealed[name] for name, content in plain.items())

    command = ["unseal", "--system", str(tmp_path / "system"), "--root-key", str(proxy.folder / "root.key")]
    command += ["--bucket", bucket, str(tmp_path / "sealed"), str(tmp_path / "plain")]
    said = strongroom(*command).stdout
    assert data.read_tree(tmp_path / "plain") == plain
    assert f"{len(plain)} files unsealed" in said and "0 failed" in said


def test_a_damaged_copy_fails_by_name_and_the_rest_comes_back(proxy, tmp_path):
    s3 = proxy.s3()
    bucket = new_bucket(s3)
    for name in ("good", "bad"):
        s3.put_object(Bucket=bucket, Key=name, Body=data.content(40_000))
    site = proxy.settings.sites[0]
    rclone = drivers.Rclone(targets.of_site(site, "raw"), tmp_path / "rclone")
    rclone.run("sync", f"s3:{site.raw_bucket(bucket)}", tmp_path / "sealed")
    rclone.run("sync", f"s3:{site.raw_bucket(proxy.settings.system_bucket)}", tmp_path / "system")
    damaged = bytearray((tmp_path / "sealed" / "bad").read_bytes())
    damaged[100] ^= 1
    (tmp_path / "sealed" / "bad").write_bytes(damaged)

    command = ["unseal", "--system", str(tmp_path / "system"), "--root-key", str(proxy.folder / "root.key")]
    command += ["--bucket", bucket, str(tmp_path / "sealed"), str(tmp_path / "plain")]
    done = strongroom(*command, check=False)
    assert done.returncode == 1 and "bad" in done.stdout + done.stderr
    assert data.read_tree(tmp_path / "plain") == {"good": data.content(40_000)}
