"""`strongroom demo` end to end, as the README promises it."""

import os
import re
import stat
import subprocess

import drivers
import pytest
from common import places, sealed
from common.data import content, file_of
from common.demo import Demo
from common.process import clean_environment
from common.proxy import strongroom
from common.sites import keys_of, read
from common.target import Target


@pytest.fixture
def demo(request, worker_folder, tmp_path):
    """A demo of its own, stopped at the end."""
    if request.config.getoption("--direct"):
        pytest.skip("looks behind the proxy")
    demo = Demo(tmp_path / "demo").start()
    yield demo
    if demo.running:
        demo.stop()


def as_target(demo: Demo) -> Target:
    """The demo for a driver, with nothing but what it printed."""
    shown = demo.printed()
    return Target(
        "demo",
        shown["AWS_ENDPOINT_URL"],
        shown["AWS_ACCESS_KEY_ID"],
        shown["AWS_SECRET_ACCESS_KEY"],
        shown["AWS_REGION"],
        None,
        tuple(demo.sites()),
        None,
    )


def test_what_it_prints_works_when_pasted(demo, tmp_path):
    """The export lines go through a real shell, and the `aws s3 cp` line is run as printed."""
    said = demo.stdout()
    exports = [line.strip() for line in said.splitlines() if re.match(r"\s*export AWS_", line)]
    copies = [line.strip() for line in said.splitlines() if "aws s3 cp" in line]
    assert len(exports) == 4 and copies, said
    lines = [line.strip() for line in said.splitlines() if re.match(r"\s*aws s3 ", line)]
    (tmp_path / "README.md").write_text("hello")
    script = "\n".join(["set -e", *exports, *lines])
    path = f"{places.VENV_BIN}{os.pathsep}{os.environ['PATH']}"
    environment = {**clean_environment(), "PATH": path, "HOME": str(tmp_path), "AWS_EC2_METADATA_DISABLED": "true"}
    done = subprocess.run(
        ["sh", "-c", script], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"


def test_the_raw_sites_show_sealed_bytes_only(demo, tmp_path):
    client = drivers.AwsCli(as_target(demo), tmp_path / "client")
    client.run("s3", "mb", "s3://vouchers")
    client.put(file_of(16385), "vouchers", "2026/一月.bin")
    client.get("vouchers", "2026/一月.bin", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == content(16385)
    copies = [read(site.s3(), "vouchers", "2026/一月.bin") for site in demo.sites()]
    assert copies[0] == copies[1] and len(copies[0]) == sealed.canonical_length(16385)
    assert not sealed.betrayals(copies[0], content(16385))


def test_a_second_start_reuses_everything(demo, tmp_path):
    first = demo.printed()
    s3 = demo.s3()
    s3.create_bucket(Bucket="kept")
    s3.put_object(Bucket="kept", Key="k", Body=content(1000))
    demo.stop()
    demo.start()
    assert demo.stdout().count(first["AWS_SECRET_ACCESS_KEY"]) >= 2, "the same credential is printed again"
    assert read(demo.s3(), "kept", "k") == content(1000)


def test_its_root_key_serves_nobody_else(demo):
    demo.s3().create_bucket(Bucket="kept")
    demo.stop()
    refused = strongroom("serve", "--config", str(demo.data / "strongroom.toml"), check=False)
    assert refused.returncode != 0
    assert "was made by `strongroom demo`" in refused.stderr and "strongroom init" in refused.stderr
    assert (demo.data / "root.key").read_text().strip() not in refused.stdout + refused.stderr


def test_the_same_folder_works_on_other_ports(demo, tmp_path):
    s3 = demo.s3()
    s3.create_bucket(Bucket="kept")
    s3.put_object(Bucket="kept", Key="k", Body=content(1000))
    demo.stop()
    moved = Demo(tmp_path / "moved", demo.data).start()
    try:
        assert read(moved.s3(), "kept", "k") == content(1000)
        assert keys_of(moved.sites()[1].s3(), "kept").keys() == {"k"}
    finally:
        moved.stop()


def test_secrets_are_private_files(demo):
    shown = demo.printed()
    holding = [
        path
        for path in demo.data.rglob("*")
        if path.is_file() and shown["AWS_SECRET_ACCESS_KEY"].encode() in path.read_bytes()
    ]
    assert holding, "the credential is kept somewhere"
    for path in [*holding, demo.data / "root.key"]:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert re.fullmatch(r"[0-9a-f]{64}\s*", (demo.data / "root.key").read_text())


def test_ctrl_c_is_a_clean_end(demo):
    demo.s3().list_buckets()
    demo.stop()  # asserts exit code 0
    assert "panicked" not in demo.stderr()


def test_a_port_in_use_is_said_clearly(demo, tmp_path):
    other = Demo(tmp_path / "other")
    other.arguments[other.arguments.index("--listen") + 1] = f"127.0.0.1:{demo.port}"
    other.spawn()
    assert other.end() not in (0, 101)
    assert str(demo.port) in other.stderr()
