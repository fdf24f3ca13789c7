"""Custodians of the root key: any one opens it, a KMS that disables its key stops the proxy, one that is out does not at once, and escrow opens offline."""

import base64
import hmac
import json
import os
import pathlib
import re
import secrets
import threading
import time

import pytest
import requests
from botocore.exceptions import ClientError
from common import localstack
from common.data import FIVE_MIB, content
from common.proxy import strongroom
from common.sites import read
from common.wait import until
from conftest import new_bucket
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from test_hygiene import Search
from test_shred import download, unsealed

pytestmark = pytest.mark.timeout(300)

PASSPHRASE = "canary: seven blue herons wade at dawn"
SECRET = "canary-of-the-kms-credential"
REGIONS = ("eu-central-1", "eu-west-1")
# Asked every second; silence is borne for so long, seconds.
PATIENT = {"recheck": "1s", "stale_for": "1h"}
IMPATIENT = {"recheck": "1s", "stale_for": "4s"}


def private(path: pathlib.Path, text: str) -> str:
    path.touch(mode=0o600)
    path.write_text(text + "\n")
    return str(path)


def bech32(prefix: str, data: bytes) -> str:
    """BIP 173, as `age` writes its keys."""
    letters = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
    bits = int.from_bytes(data) << (-len(data) * 8 % 5)
    groups = -(-len(data) * 8 // 5)
    values = [bits >> 5 * (groups - 1 - index) & 31 for index in range(groups)]

    def polymod(values: list[int]) -> int:
        check = 1
        for value in values:
            top, check = check >> 25, (check & 0x1FFFFFF) << 5 ^ value
            for index, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
                check ^= generator if top >> index & 1 else 0
        return check

    spread = [ord(letter) >> 5 for letter in prefix] + [0] + [ord(letter) & 31 for letter in prefix]
    check = polymod(spread + values + [0] * 6) ^ 1
    return prefix + "1" + "".join(letters[value] for value in values + [check >> 5 * (5 - index) & 31 for index in range(6)])


def identity(key: X25519PrivateKey | None = None) -> tuple[str, str]:
    """A key pair of `age`: private, public."""
    key = key or X25519PrivateKey.generate()
    return bech32("age-secret-key-", key.private_bytes_raw()).upper(), bech32("age", key.public_key().public_bytes_raw())


def age_decrypt(key: X25519PrivateKey, armor: str) -> bytes:
    """What the `age` tool does, written here a second time, from https://c2sp.org/age alone."""

    def derive(secret: bytes, salt: bytes, info: bytes) -> bytes:
        return HKDF(hashes.SHA256(), 32, salt, info).derive(secret)

    def unpadded(text: bytes) -> bytes:
        return base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)

    begin, *lines, end = armor.strip().split("\n")
    assert (begin, end) == ("-----BEGIN AGE ENCRYPTED FILE-----", "-----END AGE ENCRYPTED FILE-----")
    version, stanza, body, rest = base64.b64decode("".join(lines), validate=True).split(b"\n", 3)
    last, payload = rest.split(b"\n", 1)
    share = unpadded(stanza.removeprefix(b"-> X25519 "))
    wrap = derive(key.exchange(X25519PublicKey.from_public_bytes(share)), share + key.public_key().public_bytes_raw(), b"age-encryption.org/v1/X25519")
    file_key = ChaCha20Poly1305(wrap).decrypt(bytes(12), unpadded(body), None)
    header = b"\n".join([version, stanza, body, b"---"])
    assert version == b"age-encryption.org/v1" and hmac.digest(derive(file_key, b"", b"header"), header, "sha256") == unpadded(last.removeprefix(b"--- "))
    return ChaCha20Poly1305(derive(file_key, payload[:16], b"payload")).decrypt(bytes(11) + b"\x01", payload[16:], None)


@pytest.fixture
def cloud(worker_folder):
    """A LocalStack of the test's own."""
    cloud = localstack.Own(worker_folder / f"localstack-{secrets.token_hex(4)}")
    yield cloud
    cloud.kill()


class Key:
    """A KMS key and the custodian that uses it."""

    def __init__(self, cloud: localstack.Own, region: str, folder: pathlib.Path):
        self.kms, self.name = cloud.kms(region), f"kms-{region}"
        self.id = self.kms.create_key()["KeyMetadata"]["KeyId"]
        self.custodian = {
            "name": self.name,
            "kind": "aws-kms",
            "key_id": self.id,
            "region": region,
            "endpoint": cloud.endpoint,
            "access_key_id": "test",
            "secret_access_key_file": private(folder / f"{self.name}.secret", SECRET),
        }


@pytest.fixture
def keys(cloud, tmp_path):
    """One key in each of two regions."""
    return [Key(cloud, region, tmp_path) for region in REGIONS]


def passphrase(folder: pathlib.Path, name: str = "phrase", text: str = PASSPHRASE) -> dict:
    return {"name": name, "kind": "passphrase", "passphrase_file": private(folder / f"{name}.passphrase", text)}


def wrapped(start_proxy, sites, folder: pathlib.Path, custodians: list[dict], **settings):
    """A proxy whose root lies in an envelope for these custodians; it is not started."""
    proxy = start_proxy(sites, ready=False, envelope=str(folder / "root.envelope"), custodians=custodians, **settings)
    strongroom("root", "rewrap", "--config", str(proxy.config), "--from", str(proxy.folder / "root.key"))
    # The plain root is of no use to the proxy from here on.
    (proxy.folder / "root.key").unlink()
    proxy.secrets += [PASSPHRASE, SECRET]
    return proxy


def root(proxy, *arguments: str, check: bool = True):
    command, *rest = arguments
    return strongroom("root", command, "--config", str(proxy.config), *rest, check=check)


def status_of(call) -> int:
    try:
        return call()["ResponseMetadata"]["HTTPStatusCode"]
    except ClientError as error:
        return error.response["ResponseMetadata"]["HTTPStatusCode"]


def metric(proxy, name: str) -> float:
    found = re.search(rf"^{re.escape(name)} ([0-9.e+]+)$", proxy.metrics(), re.M)
    return float(found.group(1)) if found else -1


def up(proxy, key: Key) -> float:
    return metric(proxy, f'strongroom_root_custodian_up{{custodian="{key.name}"}}')


def ready(proxy) -> requests.Response:
    return requests.get(f"http://{proxy.admin}/readyz", timeout=5)


class Writer(threading.Thread):
    """Writes and reads back the whole time; every fault is kept."""

    def __init__(self, proxy, bucket: str):
        super().__init__(daemon=True)
        self.s3, self.bucket, self.faults, self.done = proxy.s3(retries={"total_max_attempts": 1}), bucket, [], 0
        self._over = threading.Event()

    def run(self):
        while not self._over.is_set():
            body = secrets.token_bytes(1000)
            try:
                self.s3.put_object(Bucket=self.bucket, Key="written", Body=body)
                self.faults += [] if read(self.s3, self.bucket, "written") == body else ["other bytes"]
            except Exception as fault:  # noqa: BLE001 - whatever it was, it was not meant to be
                self.faults.append(repr(fault))
            self.done += 1

    def __enter__(self):
        self.start()
        until(lambda: self.done > 2, "the writer writes")
        return self

    def __exit__(self, *_):
        before = self.done
        until(lambda: self.done > before + 2, "the writer still writes")
        self._over.set()
        self.join()
        assert not self.faults, self.faults[:3]


def test_a_plain_root_moves_into_an_envelope_and_nothing_else_changes(start_proxy, pool, tmp_path):
    proxy = start_proxy(pool.sites("embedded"))
    bucket, body = new_bucket(proxy.s3()), content(FIVE_MIB + 17)
    proxy.s3().put_object(Bucket=bucket, Key="before", Body=body)
    proxy.stop()
    settings = proxy.settings
    settings.envelope, settings.custodians, settings.keys = str(tmp_path / "root.envelope"), [passphrase(tmp_path)], PATIENT
    proxy.write_config()
    proxy.secrets.append(PASSPHRASE)
    missing = root(proxy, "rewrap", check=False)
    assert missing.returncode == 64 and "--from" in missing.stderr
    root(proxy, "rewrap", "--from", str(proxy.folder / "root.key"))
    (proxy.folder / "root.key").unlink()
    assert pathlib.Path(settings.envelope).stat().st_mode & 0o777 == 0o600
    proxy.start()
    assert read(proxy.s3(), bucket, "before") == body
    proxy.s3().put_object(Bucket=bucket, Key="after", Body=body)
    assert "opens it" in root(proxy, "show").stdout
    assert "custodian phrase: opens the root" in strongroom("check", "--config", str(proxy.config)).stdout
    assert metric(proxy, 'strongroom_root_custodian_up{custodian="phrase"}') == 1
    search = Search({"the root": bytes.fromhex(settings.root_key), "the passphrase": PASSPHRASE.encode()})
    search.look("the envelope", pathlib.Path(settings.envelope).read_bytes())
    search.folder(proxy.folder, {"root.key", "credentials.toml"})
    proxy.stop()

    private(tmp_path / "phrase.passphrase", "seven blue herons wade at dusk")
    proxy.spawn()
    assert proxy.end() == 1
    assert "phrase cannot open its part: another passphrase" in proxy.stderr() and "root recover" in proxy.stderr()


def test_an_envelope_that_somebody_changed_is_refused(start_proxy, pool, tmp_path):
    proxy = wrapped(start_proxy, pool.sites("embedded"), tmp_path, [passphrase(tmp_path)])
    path = pathlib.Path(proxy.settings.envelope)
    good = path.read_text()
    weak = json.loads(good)
    weak["wraps"][0]["wrapped"]["argon2id"]["memory_kib"] = 1024
    other = json.loads(good)
    other["fingerprint"] = "0123456789abcdef"
    for text, reason in ((json.dumps(weak), "Argon2id with 1024 KiB"), (json.dumps(other), "cannot open its part"), (good[:-9], "no root envelope")):
        path.write_text(text)
        proxy.spawn()
        assert proxy.end() == 1
        assert reason in proxy.stderr(), proxy.stderr()
    path.write_text(good)
    proxy.start()


def test_two_regions_one_disabled_loses_nothing_and_both_disabled_stop_the_proxy(start_proxy, pool, tmp_path, keys):
    proxy = wrapped(start_proxy, pool.sites("embedded"), tmp_path, [key.custodian for key in keys], keys=PATIENT).start()
    s3 = proxy.s3(retries={"total_max_attempts": 1})
    bucket = new_bucket(s3)
    s3.put_object(Bucket=bucket, Key="kept", Body=b"kept")
    assert [up(proxy, key) for key in keys] == [1, 1]
    one, two = keys
    one.kms.disable_key(KeyId=one.id)
    until(lambda: up(proxy, one) == 0, "the disabled key is noticed")
    s3.put_object(Bucket=bucket, Key="more", Body=b"more")
    assert read(s3, bucket, "kept") == b"kept" and ready(proxy).status_code == 200
    assert metric(proxy, "strongroom_root_stale_seconds") == 0
    proxy.stop()
    # A start needs one of them only.
    proxy.start()
    assert read(s3, bucket, "kept") == b"kept"

    two.kms.schedule_key_deletion(KeyId=two.id, PendingWindowInDays=7)
    until(lambda: ready(proxy).status_code == 503, "both keys are refused")
    assert ready(proxy).json()["reasons"] == ["the custodians of the root key refuse it"]
    assert status_of(lambda: s3.get_object(Bucket=bucket, Key="kept")) == 503
    assert status_of(lambda: s3.put_object(Bucket=bucket, Key="new", Body=b"new")) == 503
    shown = root(proxy, "show", check=False)
    assert shown.returncode == 1 and "disabled" in shown.stdout and "pending deletion" in shown.stdout

    one.kms.enable_key(KeyId=one.id)
    until(lambda: ready(proxy).status_code == 200, "an enabled key lets it go on")
    assert read(s3, bucket, "kept") == b"kept"
    s3.put_object(Bucket=bucket, Key="new", Body=b"new")


def test_a_kms_that_is_out_stops_nothing_until_the_root_is_stale(start_proxy, pool, tmp_path, cloud, keys):
    escrow = {"name": "escrow", "kind": "recipient", "recipient": identity()[1]}
    custodians = [keys[0].custodian, escrow]
    proxy = wrapped(start_proxy, pool.sites("embedded"), tmp_path, custodians, keys=IMPATIENT).start()
    s3 = proxy.s3(retries={"total_max_attempts": 1})
    bucket = new_bucket(s3)
    s3.put_object(Bucket=bucket, Key="kept", Body=b"kept")
    until(lambda: up(proxy, keys[0]) == 1, "the KMS was asked")
    cloud.kill()
    until(lambda: metric(proxy, "strongroom_root_stale_seconds") > 0, "the outage is noticed")
    # Neither reads nor writes, nor listings, need the KMS.
    assert ready(proxy).status_code == 200 and read(s3, bucket, "kept") == b"kept"
    s3.put_object(Bucket=bucket, Key="meanwhile", Body=b"meanwhile")
    assert [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["kept", "meanwhile"]
    until(lambda: ready(proxy).status_code == 503, "the root is stale")
    assert ready(proxy).json()["reasons"] == ["no custodian of the root key could be asked for too long"]
    assert status_of(lambda: s3.get_object(Bucket=bucket, Key="kept")) == 503
    assert status_of(lambda: s3.put_object(Bucket=bucket, Key="new", Body=b"new")) == 503
    proxy.stop()
    proxy.spawn()
    assert proxy.end() == 1
    for reason in (f"{keys[0].name} cannot be asked", "escrow opens offline only", "strongroom root recover"):
        assert reason in proxy.stderr(), proxy.stderr()[-2000:]


def test_escrow_opens_offline_and_reads_everything(start_proxy, pool, tmp_path):
    private_key = X25519PrivateKey.generate()
    secret, recipient = identity(private_key)
    custodians = [passphrase(tmp_path), {"name": "escrow", "kind": "recipient", "recipient": recipient}]
    proxy = wrapped(start_proxy, pool.sites("embedded"), tmp_path, custodians).start()
    s3, bodies = proxy.s3(), {"small": b"small", "large": content(FIVE_MIB + 3)}
    bucket = new_bucket(s3)
    for name, body in bodies.items():
        s3.put_object(Bucket=bucket, Key=name, Body=body)
    backup, settings = proxy.settings.sites[1], proxy.settings
    system, data = download(backup, settings.system_bucket, tmp_path / "system"), download(backup, bucket, tmp_path / "data")
    proxy.stop()
    [armor] = [part["wrapped"]["age"] for part in json.loads(pathlib.Path(settings.envelope).read_text())["wraps"] if part["custodian"] == "escrow"]
    assert age_decrypt(private_key, armor) == settings.root_key.encode() + b"\n", "the standard tool opens it"
    key, out = private(tmp_path / "identity", f"# created by hand\n{secret}"), tmp_path / "recovered.key"
    recovered = strongroom("root", "recover", "--identity", key, settings.envelope, str(out))
    assert secret not in recovered.stdout + recovered.stderr and settings.root_key not in recovered.stdout
    assert out.read_text() == settings.root_key + "\n" and os.stat(out).st_mode & 0o777 == 0o600
    assert unsealed(system, out, bucket, data, tmp_path / "plain") == bodies
    again = strongroom("root", "recover", "--identity", key, settings.envelope, str(out), check=False)
    assert again.returncode == 1, "an existing file is never overwritten"
    other = private(tmp_path / "other", identity()[0])
    refused = strongroom("root", "recover", "--identity", other, settings.envelope, str(tmp_path / "x"), check=False)
    assert refused.returncode == 1 and recipient in refused.stderr


def test_the_root_goes_from_one_kms_to_another_while_a_client_writes(start_proxy, pool, tmp_path, keys):
    one, two = keys
    sites, both = pool.sites("embedded"), [one.custodian, two.custodian]
    proxy = wrapped(start_proxy, sites, tmp_path, [one.custodian], keys=PATIENT)
    # Proxies are told of both first.
    proxy.settings.custodians = both
    proxy.write_config()
    (proxy.folder / "root.key").unlink()
    proxy.start()
    bucket, path = new_bucket(proxy.s3()), pathlib.Path(proxy.settings.envelope)
    with Writer(proxy, bucket):
        before = json.loads(path.read_text())
        said = root(proxy, "rewrap").stdout
        assert f"{one.name}\tkept" in said and f"{two.name}\twrapped now" in said
        assert "is as it was" in root(proxy, "rewrap").stdout
        until(lambda: up(proxy, two) == 1, "the second KMS opens the root")
        assert f"{one.name}\tremoved" in root(proxy, "rewrap", "--remove", one.name).stdout
        after = json.loads(path.read_text())
        assert [wrap["custodian"] for wrap in after["wraps"]] == [two.name]
        assert after["fingerprint"] == before["fingerprint"]
        one.kms.disable_key(KeyId=one.id)
        until(lambda: up(proxy, one) == 0, "the first KMS opens nothing any more")
        last = root(proxy, "rewrap", "--remove", two.name, check=False)
        assert last.returncode == 1 and json.loads(path.read_text()) == after, "an envelope without a custodian is not made"
        time.sleep(2)
        assert ready(proxy).status_code == 200
    proxy.stop()
    proxy.start()
    assert proxy.s3().head_object(Bucket=bucket, Key="written")["ContentLength"] == 1000
