"""Destroying a key: what it sealed is gone at every site, for every proxy, offline, and from an old copy of everything; nobody else loses a byte."""

import datetime
import json
import pathlib
import random
import secrets
import subprocess
import sys
import threading
import time

import pytest
from common import localstack, places, postgres
from common.data import FIVE_MIB, content
from common.ports import free_port
from common.process import clean_environment
from common.proxy import strongroom
from common.sites import keys_of, read
from common.wait import until
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from test_keys import client_rule, code_of, key

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "format_decoder"))

import keyring as decoder  # noqa: E402
from cobblestone import SUITES  # noqa: E402

pytestmark = pytest.mark.timeout(300)

# How long until every proxy knows of a destroyed key, seconds.
IN_FORCE = 5
GONE = "KMS.NotFoundException"


def reseal(root: str, name: str, document: dict) -> bytes:
    """A keyring object, written here a second time on purpose (docs/FORMAT.md, section 8)."""
    salt, label = secrets.token_bytes(24), f"keyring/v1/{name}".encode()
    derived = SUITES[1].expand(bytes.fromhex(root), b"strongroom.v1.blob" + salt, 76)
    text = json.dumps(document).encode()
    return decoder.MAGIC + salt + AESGCM(derived[:32]).encrypt(derived[32:44], text, label)


def let_the_window_end(proxy, name: str) -> None:
    """As if the days had gone by: what the keyring says of the window's end, moved into the past at every site."""
    label, settings = f"keyring/v1/{name}", proxy.settings
    for site in settings.sites:
        where = {"Bucket": site.raw_bucket(settings.system_bucket), "Key": label}
        sealed = site.s3().get_object(**where)["Body"].read()
        document = json.loads(decoder.open_blob(bytes.fromhex(settings.root_key), label, sealed))
        assert document["state"] == "pending_deletion"
        document["serial"] += 1
        document["window_ends"] = "2026-01-01T00:00:00Z"
        if site is settings.sites[0]:
            aged = reseal(settings.root_key, name, document)
        site.s3().put_object(**where, Body=aged)


def doom(proxy, name: str) -> None:
    """Makes a key one that can be destroyed."""
    key(proxy, "schedule-deletion", name, "--days", "7")
    let_the_window_end(proxy, name)


def download(site, bucket: str, folder: pathlib.Path) -> pathlib.Path:
    """A copy of a site's bucket, as any S3 tool would make it."""
    for name in keys_of(site.s3(), site.raw_bucket(bucket)):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(read(site.s3(), site.raw_bucket(bucket), name))
    return folder


def unsealed(system: pathlib.Path, root: pathlib.Path, bucket: str, data: pathlib.Path, out: pathlib.Path) -> dict[str, bytes]:
    """What the offline tool gets out of a copy."""
    command = ["unseal", "--system", system, "--root-key", root, "--bucket", bucket, data, out]
    strongroom(*map(str, command), check=False)
    return {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()}


class Reader(threading.Thread):
    """Reads what another client keeps, through all the proxies, the whole time."""

    def __init__(self, proxies, bucket: str, objects: dict[str, bytes]):
        super().__init__(daemon=True)
        self.proxies, self.bucket, self.objects = proxies, bucket, objects
        self.reads, self.faults, self._over = 0, [], threading.Event()

    def run(self):
        while not self._over.is_set():
            for proxy in self.proxies:
                for name, body in self.objects.items():
                    try:
                        same = read(proxy.s3(), self.bucket, name) == body
                        self.faults += [] if same else [f"{name}: other bytes"]
                    except Exception as fault:  # noqa: BLE001 - whatever it was, it was not the object
                        self.faults.append(f"{name}: {fault}")
                    self.reads += 1
            time.sleep(0.1)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self.join()
        assert self.reads and not self.faults, self.faults[:3]


@pytest.fixture
def next_root(tmp_path):
    """Where the next root will be; nothing is there yet."""
    return tmp_path / "root-2.key"


@pytest.fixture
def world(start_proxy, pool, next_root):
    """Two proxies over the same sites that expect another root; two clients' objects, small, large and in parts."""
    bucket, sites = f"shred-{secrets.token_hex(6)}", pool.sites("embedded")
    common = {"rules": [client_rule(bucket)], "other_roots": [str(next_root)]}
    one = start_proxy(sites, database=postgres.database(), **common)
    same = {name: getattr(one.settings, name) for name in ("system_bucket", "root_key", "secret_access_key", "database")}
    two = start_proxy(sites, **common, **same)
    s3 = one.s3()
    s3.create_bucket(Bucket=bucket)
    objects = {}
    for client in ("dead", "living"):
        for name, size in (("small", 1000), ("large", FIVE_MIB + 77)):
            objects[f"clients/{client}/{name}"] = content(size)
            s3.put_object(Bucket=bucket, Key=f"clients/{client}/{name}", Body=content(size))
        where = {"Bucket": bucket, "Key": f"clients/{client}/parts"}
        upload = s3.create_multipart_upload(**where)["UploadId"]
        bodies = [content(FIVE_MIB), content(1234)]
        parts = [
            {"PartNumber": n, "ETag": s3.upload_part(**where, UploadId=upload, PartNumber=n, Body=body)["ETag"]}
            for n, body in enumerate(bodies, 1)
        ]
        s3.complete_multipart_upload(**where, UploadId=upload, MultipartUpload={"Parts": parts})
        objects[where["Key"]] = b"".join(bodies)
    return (one, two), bucket, objects


def of(client: str, objects: dict[str, bytes]) -> dict[str, bytes]:
    """One client's."""
    return {name: body for name, body in objects.items() if name.startswith(f"clients/{client}/")}


def destroying(proxy, *arguments: str) -> subprocess.Popen:
    """`strongroom key destroy`, running."""
    command = [str(places.strongroom()), "key", "destroy", "--config", str(proxy.config), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=clean_environment())


def test_a_destroyed_clients_objects_are_gone_everywhere_and_nobody_elses(world, next_root, tmp_path):
    proxies, bucket, objects = world
    one, _ = proxies
    sites, old_root = one.settings.sites, one.folder / "root.key"
    dead, living = of("dead", objects), of("living", objects)
    old = {
        site.name: (
            download(site, one.settings.system_bucket, tmp_path / site.name / "system"),
            download(site, bucket, tmp_path / site.name / "data"),
        )
        for site in sites
    }
    assert key(one, "destroy", "client-dead", check=False).returncode == 1, "it is in use"
    key(one, "schedule-deletion", "client-dead", "--days", "7")
    early = key(one, "destroy", "client-dead", check=False)
    assert early.returncode == 1 and "window ends" in early.stderr and not next_root.exists()
    let_the_window_end(one, "client-dead")
    gone = {}
    with Reader(proxies, bucket, living):
        command = destroying(one, "client-dead")
        said = ""
        while "destroyed, serial" not in said:
            line = command.stdout.readline()
            assert line, command.stderr.read()
            said += line
        began = time.monotonic()
        while len(gone) < 2 and time.monotonic() - began < 20:
            for at, proxy in enumerate(proxies):
                if at not in gone and code_of(proxy.s3().get_object, Bucket=bucket, Key="clients/dead/large") == GONE:
                    gone[at] = time.monotonic() - began
        out, err = command.communicate(timeout=120)
        time.sleep(2)
    said += out
    assert command.returncode == 0, (said, err)
    assert len(gone) == 2 and max(gone.values()) < IN_FORCE, gone
    assert str(old_root) in said and "root show" in said, "the operator is told what to put an end to"
    assert next_root.stat().st_mode & 0o777 == 0o600
    for proxy in proxies:
        s3 = proxy.s3()
        for name in dead:
            assert code_of(s3.get_object, Bucket=bucket, Key=name) == GONE
            assert code_of(s3.get_object, Bucket=bucket, Key=name, Range="bytes=0-9") == GONE
            assert code_of(s3.head_object, Bucket=bucket, Key=name) == "400"
            source = {"Bucket": bucket, "Key": name}
            assert code_of(s3.copy_object, Bucket=bucket, Key="elsewhere", CopySource=source) == GONE
        assert code_of(s3.put_object, Bucket=bucket, Key="clients/dead/new", Body=b"x") == GONE
        assert read(s3, bucket, "clients/living/small") == living["clients/living/small"]
        s3.put_object(Bucket=bucket, Key="clients/new/x", Body=b"made under the new root")
    for site in sites:
        system, data = old[site.name]
        now = download(site, one.settings.system_bucket, tmp_path / site.name / "system-now")
        data_now = download(site, bucket, tmp_path / site.name / "data-now")
        out = lambda: tmp_path / f"out-{secrets.token_hex(4)}"  # noqa: E731
        assert unsealed(system, old_root, bucket, data, out()) == objects, "the old copy is one: with the old root all is there"
        assert unsealed(now, next_root, bucket, data_now, out()) == {**living, "clients/new/x": b"made under the new root"}
        assert unsealed(now, next_root, bucket, data, out()) == living, "an old copy of the data reads with today's keyring"
        assert unsealed(system, next_root, bucket, data, out()) == {}, "the old copy of everything, and the new root"
        # The dead key's own object, out of the old copy, laid into today's keyring.
        (now / "keyring/v1/client-dead").write_bytes((system / "keyring/v1/client-dead").read_bytes())
        assert not of("dead", unsealed(now, next_root, bucket, data, out()))
    again = key(one, "destroy", "client-dead").stdout
    assert "sealing" not in again, "nothing is left to do, and no root is changed for it"
    shown = strongroom("root", "show", "--config", str(one.config)).stdout
    assert "nothing lies under it any more" in shown and "to be left" not in shown, shown
    # What the operator does last: the new root alone, the old one gone.
    fresh = next_root.read_text().strip()
    old_root.unlink()
    for proxy in proxies:
        proxy.stop()
        proxy.settings.root_key, proxy.settings.other_roots = fresh, []
        proxy.write_config()
        proxy.start()
        assert read(proxy.s3(), bucket, "clients/living/large") == living["clients/living/large"]
        assert code_of(proxy.s3().get_object, Bucket=bucket, Key="clients/dead/large") == GONE


def test_a_destruction_that_is_killed_anywhere_loses_nobody_else_and_is_done_again(world, next_root):
    proxies, bucket, objects = world
    one, two = proxies
    living = of("living", objects)
    for number in range(6):
        one.s3().put_object(Bucket=bucket, Key=f"clients/other-{number}/x", Body=content(50 + number))
        living[f"clients/other-{number}/x"] = content(50 + number)
    doom(one, "client-dead")
    moments = random.Random(5)
    with Reader(proxies, bucket, living):
        for delay in (0.2, 0.6, 1.2, 5.5, 5.9, 6.3, moments.uniform(5, 8)):
            command = destroying(one, "client-dead")
            time.sleep(delay)
            command.kill()
            command.wait()
        command = destroying(one, "client-dead")
        out, err = command.communicate(timeout=120)
        assert command.returncode == 0, (out, err)
    for proxy in proxies:
        until(lambda: code_of(proxy.s3().get_object, Bucket=bucket, Key="clients/dead/small") == GONE, "gone", IN_FORCE)
    shown = strongroom("root", "show", "--config", str(one.config)).stdout
    assert "to be left" not in shown and "NOT" not in shown, shown
    # A proxy that knows the new root alone reads all the others.
    fresh = next_root.read_text().strip()
    two.stop()
    two.settings.root_key, two.settings.other_roots = fresh, []
    two.write_config()
    two.start()
    for name, body in living.items():
        assert read(two.s3(), bucket, name) == body


def test_a_root_is_changed_by_one_command_and_the_old_one_opens_nothing_any_more(world, next_root, tmp_path):
    proxies, bucket, objects = world
    one, _ = proxies
    config = ("--config", str(one.config))
    with Reader(proxies, bucket, objects):
        said = strongroom("root", "rotate", *config).stdout
        for number, proxy in enumerate(proxies):
            proxy.s3().put_object(Bucket=bucket, Key=f"clients/late-{number}/x", Body=b"late")
    assert "read back" in said
    assert strongroom("root", "rotate", *config, check=False).returncode == 64, "there is no next root"
    site = one.settings.sites[1]
    system = download(site, one.settings.system_bucket, tmp_path / "system")
    data = download(site, bucket, tmp_path / "data")
    late = {f"clients/late-{number}/x": b"late" for number in range(2)}
    assert unsealed(system, one.folder / "root.key", bucket, data, tmp_path / "out-old") == {}
    assert unsealed(system, next_root, bucket, data, tmp_path / "out-new") == {**objects, **late}


def test_nothing_is_destroyed_without_a_next_root_or_with_a_site_away(start_proxy, pool, next_root):
    bucket = f"shred-{secrets.token_hex(6)}"
    proxy = start_proxy(pool.sites("embedded"), rules=[client_rule(bucket)])
    proxy.s3().create_bucket(Bucket=bucket)
    proxy.s3().put_object(Bucket=bucket, Key="clients/dead/x", Body=b"x")
    doom(proxy, "client-dead")
    refused = key(proxy, "destroy", "client-dead", check=False)
    assert refused.returncode == 64 and "other_roots" in refused.stderr
    # The same configuration, but nobody answers where the backup is said to be.
    primary, backup = proxy.settings.sites
    away = backup.through(f"http://127.0.0.1:{free_port()}")
    same = {name: getattr(proxy.settings, name) for name in ("system_bucket", "root_key", "secret_access_key", "rules")}
    other = start_proxy([primary, away], ready=False, other_roots=[str(next_root)], **same)
    refused = key(other, "destroy", "client-dead", check=False)
    assert refused.returncode == 1 and "nothing is destroyed" in refused.stderr, refused.stderr
    assert "pending deletion" in key(proxy, "show", "client-dead").stdout and not next_root.exists()


def test_nothing_is_destroyed_that_a_site_has_to_keep(start_proxy, next_root):
    sites = localstack.pair()
    bucket = f"shred-{secrets.token_hex(6)}"
    proxy = start_proxy(sites, rules=[client_rule(bucket)], other_roots=[str(next_root)])
    s3 = proxy.s3()
    s3.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    for client in ("dead", "held", "free"):
        s3.put_object(Bucket=bucket, Key=f"clients/{client}/x", Body=b"now")
        s3.put_object(Bucket=bucket, Key=f"clients/{client}/x", Body=b"then")
    until_then = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=60)
    lock = {"Mode": "GOVERNANCE", "RetainUntilDate": until_then}
    # An old version, at the backup alone.
    raw = {"Bucket": sites[1].raw_bucket(bucket), "Key": "clients/dead/x"}
    versions = sites[1].s3().list_object_versions(Bucket=raw["Bucket"], Prefix=raw["Key"])["Versions"]
    oldest = [version["VersionId"] for version in versions if not version["IsLatest"]]
    assert len(oldest) == 1
    sites[1].s3().put_object_retention(**raw, VersionId=oldest[0], Retention=lock)
    held = {"Bucket": sites[0].raw_bucket(bucket), "Key": "clients/held/x"}
    sites[0].s3().put_object_legal_hold(**held, LegalHold={"Status": "ON"})
    for name in ("client-dead", "client-held", "client-free"):
        doom(proxy, name)
    for name, why in (("client-dead", "retained until"), ("client-held", "under a legal hold")):
        refused = key(proxy, "destroy", name, check=False)
        assert refused.returncode == 1 and why in refused.stderr and "nothing is destroyed" in refused.stderr, refused.stderr
        assert "pending deletion" in key(proxy, "show", name).stdout
    assert not next_root.exists()
    until(lambda: datetime.datetime.now(datetime.UTC) > until_then, "the retention is over", 70)
    done = key(proxy, "destroy", "client-dead", "client-free").stdout
    assert "client-dead\tdestroyed" in done and "client-free\tdestroyed" in done
    assert "8 of 12 versions" in done, done
    assert "pending deletion" in key(proxy, "show", "client-held").stdout
