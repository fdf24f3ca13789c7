"""Vault Transit as custodian of the root key: sealed is an outage, a policy taken away a refusal, versions of the key come and go, tokens too."""

import json
import pathlib

import pytest
from common.proxy import strongroom
from common.sites import read
from common.vault import Vault, write_token
from common.wait import until
from conftest import new_bucket
from test_hygiene import Search
from test_roots import IMPATIENT, PATIENT, Writer, metric, passphrase, private, ready, root, status_of, wrapped

pytestmark = pytest.mark.timeout(300)

PATHS = ("transit/encrypt/strongroom", "transit/decrypt/strongroom")


@pytest.fixture
def vault():
    """A server of the test's own, with a key and a policy for it. Nothing may have been asked of it that its pages do not describe."""
    vault = Vault()
    vault.make_key("strongroom")
    vault.policy("strongroom", *PATHS)
    yield vault
    vault.stop()
    assert not vault.complaints, vault.complaints


def custodian(vault: Vault, folder: pathlib.Path, name: str = "vault", **settings) -> dict:
    """One that asks with a token out of a file."""
    token = write_token(folder / f"{name}.token", vault.token("strongroom"))
    return {"name": name, "kind": "vault-transit", "address": vault.address, "key": "strongroom", "token_file": token, **settings}


def asked(proxy, name: str = "vault") -> float:
    return metric(proxy, f'strongroom_root_custodian_up{{custodian="{name}"}}')


def part(proxy, name: str = "vault") -> dict:
    """What the envelope holds for a custodian."""
    wraps = json.loads(pathlib.Path(proxy.settings.envelope).read_text())["wraps"]
    return next(wrap["wrapped"] for wrap in wraps if wrap["custodian"] == name)


def client(proxy):
    """A client that does not try again, a bucket, and an object in it."""
    s3 = proxy.s3(retries={"total_max_attempts": 1})
    bucket = new_bucket(s3)
    s3.put_object(Bucket=bucket, Key="kept", Body=b"kept")
    return s3, bucket


def stopped(proxy, s3, bucket: str) -> None:
    """Whether it seals and opens nothing any more, because custodians refuse."""
    until(lambda: ready(proxy).status_code == 503, "the refusal is noticed")
    assert ready(proxy).json()["reasons"] == ["the custodians of the root key refuse it"]
    assert status_of(lambda: s3.get_object(Bucket=bucket, Key="kept")) == 503
    assert status_of(lambda: s3.put_object(Bucket=bucket, Key="new", Body=b"new")) == 503


def goes_on(proxy, s3, bucket: str) -> None:
    until(lambda: ready(proxy).status_code == 200, "it goes on")
    assert read(s3, bucket, "kept") == b"kept"
    s3.put_object(Bucket=bucket, Key="new", Body=b"new")


def test_a_new_root_is_made_for_vault_and_opens_at_a_start(start_proxy, pool, tmp_path, vault):
    token = vault.token("strongroom")
    vaulted = {**custodian(vault, tmp_path), "token_file": write_token(tmp_path / "vault.token", token)}
    proxy = start_proxy(pool.sites("embedded"), ready=False, envelope=str(tmp_path / "root.envelope"), custodians=[vaulted], keys=PATIENT)
    (proxy.folder / "root.key").unlink()
    made = strongroom("root", "new", "--config", str(proxy.config), proxy.settings.envelope)
    assert "fingerprint" in made.stdout
    kept = part(proxy)
    assert kept["kind"] == "vault-transit" and kept["key"] == "transit/strongroom" and kept["ciphertext"].startswith("vault:v1:")
    proxy.secrets.append(token)
    proxy.start()
    s3, bucket = client(proxy)
    assert read(s3, bucket, "kept") == b"kept" and asked(proxy) == 1
    assert "opens it" in root(proxy, "show").stdout
    assert "custodian vault: opens the root" in strongroom("check", "--config", str(proxy.config)).stdout
    search = Search({"the token": token.encode()})
    search.look("the envelope", pathlib.Path(proxy.settings.envelope).read_bytes())
    search.folder(proxy.folder, {"credentials.toml"})


def test_a_sealed_vault_stops_nothing_until_the_root_is_stale(start_proxy, pool, tmp_path, vault):
    proxy = wrapped(start_proxy, pool.sites("embedded"), tmp_path, [custodian(vault, tmp_path)], keys=IMPATIENT).start()
    s3, bucket = client(proxy)
    until(lambda: asked(proxy) == 1, "Vault was asked")
    vault.sealed = True
    until(lambda: metric(proxy, "strongroom_root_stale_seconds") > 0, "the outage is noticed")
    assert ready(proxy).status_code == 200 and read(s3, bucket, "kept") == b"kept"
    until(lambda: ready(proxy).status_code == 503, "the root is stale")
    assert ready(proxy).json()["reasons"] == ["no custodian of the root key could be asked for too long"]
    assert "vault cannot be asked: 503" in strongroom("check", "--config", str(proxy.config), check=False).stdout.replace("custodian vault: ", "vault ")
    vault.sealed = False
    goes_on(proxy, s3, bucket)
    proxy.stop()

    for state in ("sealed", "standby"):
        setattr(vault, state, True)
        proxy.spawn()
        assert proxy.end() == 1 and "vault cannot be asked: " in proxy.stderr(), proxy.stderr()[-2000:]
        setattr(vault, state, False)
    vault.stop()
    proxy.spawn()
    assert proxy.end() == 1 and "refused" in proxy.stderr().rsplit("vault cannot be asked: ", 1)[1]
    vault.start()
    proxy.start()


def test_a_policy_or_a_key_taken_away_stops_the_proxy_at_once_until_it_is_back(start_proxy, pool, tmp_path, vault):
    proxy = wrapped(start_proxy, pool.sites("embedded"), tmp_path, [custodian(vault, tmp_path)], keys=PATIENT).start()
    s3, bucket = client(proxy)
    vault.policy("strongroom")
    stopped(proxy, s3, bucket)
    shown = root(proxy, "show", check=False)
    assert shown.returncode == 1 and "allow update on transit/encrypt/strongroom and transit/decrypt/strongroom" in shown.stdout
    vault.policy("strongroom", *PATHS)
    goes_on(proxy, s3, bucket)

    key = vault.engines["transit"].pop("strongroom")
    stopped(proxy, s3, bucket)
    assert "there is no key strongroom" in root(proxy, "show", check=False).stdout
    engine = vault.engines.pop("transit")
    assert "there is no Transit engine at transit" in root(proxy, "show", check=False).stdout
    # Silence does not take a refusal back.
    vault.sealed = True
    until(lambda: "Vault is sealed" in proxy.stderr(), "Vault falls silent")
    assert ready(proxy).status_code == 503
    vault.sealed, vault.engines["transit"] = False, engine | {"strongroom": key}
    goes_on(proxy, s3, bucket)


def test_versions_of_the_key_come_and_go(start_proxy, pool, tmp_path, vault):
    custodians = [custodian(vault, tmp_path), passphrase(tmp_path)]
    proxy = wrapped(start_proxy, pool.sites("embedded"), tmp_path, custodians, keys=PATIENT).start()
    s3, bucket = client(proxy)
    first = part(proxy)["ciphertext"]
    vault.rotate("strongroom")
    assert "vault\tkept" in root(proxy, "rewrap").stdout, "what an older version wrapped still opens"
    vault.engines["transit"]["strongroom"].min_decryption_version = 2
    until(lambda: asked(proxy) == 0, "the old version is over")
    assert "min_decryption_version" in root(proxy, "show", check=False).stdout
    assert "vault\twrapped now" in root(proxy, "rewrap").stdout
    second = part(proxy)["ciphertext"]
    assert first.startswith("vault:v1:") and second.startswith("vault:v2:")
    until(lambda: asked(proxy) == 1, "the new part opens")
    assert read(s3, bucket, "kept") == b"kept"


def test_the_root_goes_from_a_passphrase_to_vault_while_a_client_writes(start_proxy, pool, tmp_path, vault):
    proxy = wrapped(start_proxy, pool.sites("embedded"), tmp_path, [passphrase(tmp_path)], keys=PATIENT)
    proxy.settings.custodians = [passphrase(tmp_path), custodian(vault, tmp_path)]
    proxy.write_config()
    (proxy.folder / "root.key").unlink()
    proxy.start()
    bucket = new_bucket(proxy.s3())
    with Writer(proxy, bucket):
        said = root(proxy, "rewrap").stdout
        assert "phrase\tkept" in said and "vault\twrapped now" in said
        until(lambda: asked(proxy) == 1, "Vault opens the root")
        assert "phrase\tremoved" in root(proxy, "rewrap", "--remove", "phrase").stdout
        until(lambda: asked(proxy, "phrase") == 0, "the passphrase opens it no more")
        assert ready(proxy).status_code == 200
    proxy.stop()
    proxy.settings.custodians = [custodian(vault, tmp_path)]
    proxy.write_config()
    (proxy.folder / "root.key").unlink()
    proxy.start()
    assert proxy.s3().head_object(Bucket=bucket, Key="written")["ContentLength"] == 1000


def test_a_token_is_read_from_its_file_at_each_use(start_proxy, pool, tmp_path, vault):
    proxy = wrapped(start_proxy, pool.sites("embedded"), tmp_path, [custodian(vault, tmp_path)], keys=PATIENT).start()
    s3, bucket = client(proxy)
    file = tmp_path / "vault.token"
    with Writer(proxy, bucket):
        # An agent renews it before the old one is over.
        old, new = file.read_text().strip(), vault.token("strongroom")
        write_token(file, new)
        vault.revoke(old)
        before = vault.done["decrypt"]
        until(lambda: vault.done["decrypt"] > before + 2, "the new token is used")
        assert ready(proxy).status_code == 200
    proxy.secrets += [old, new]
    vault.revoke()
    stopped(proxy, s3, bucket)
    write_token(file, vault.token("strongroom"))
    goes_on(proxy, s3, bucket)
    # A file that is not there, or that others may read, says nothing about the root.
    file.chmod(0o644)
    until(lambda: asked(proxy) == 0, "the file is not read")
    assert ready(proxy).status_code == 200 and "chmod 600" in proxy.stderr()


def test_an_app_role_logs_in_when_its_token_is_over_and_not_more_often(start_proxy, pool, tmp_path, vault):
    role_id, secret_id = vault.role("strongroom", seconds=3600, mount="machines/approle")
    secret = private(tmp_path / "secret-id", secret_id)
    vaulted = {"name": "vault", "kind": "vault-transit", "address": vault.address, "key": "strongroom"}
    vaulted |= {"approle_mount": "machines/approle", "role_id": role_id, "secret_id_file": secret}
    proxy = wrapped(start_proxy, pool.sites("embedded"), tmp_path, [vaulted], keys=PATIENT)
    proxy.secrets.append(secret_id)
    vault.done.clear()
    proxy.start()
    s3, bucket = client(proxy)
    until(lambda: vault.done["decrypt"] > 4, "it was asked some times")
    assert vault.done["login"] == 1
    vault.revoke()
    until(lambda: vault.done["login"] == 2, "it logs in again")
    assert ready(proxy).status_code == 200
    # Before a token is over by itself, another is got.
    vault.roles[role_id]["seconds"] = 2
    vault.revoke()
    until(lambda: vault.done["login"] > 4, "short tokens are exchanged")
    assert ready(proxy).status_code == 200 and asked(proxy) == 1
    vault.roles[role_id]["secret_id"] = "another"
    stopped(proxy, s3, bucket)
    assert "see role_id, its secret id and approle_mount" in root(proxy, "show", check=False).stdout
    vault.roles[role_id]["secret_id"] = secret_id
    goes_on(proxy, s3, bucket)


def test_another_key_of_the_same_name_opens_nothing(start_proxy, pool, tmp_path, vault):
    proxy = wrapped(start_proxy, pool.sites("embedded"), tmp_path, [custodian(vault, tmp_path)])
    vault.make_key("strongroom")
    proxy.spawn()
    assert proxy.end() == 1
    assert "vault cannot open its part: it was wrapped with another key" in proxy.stderr(), proxy.stderr()[-2000:]


def test_a_part_is_bound_to_its_root(start_proxy, pool, tmp_path, vault):
    """Whoever may write the file cannot pass another root's part off as this one's: Vault itself refuses it."""
    proxy = wrapped(start_proxy, pool.sites("embedded"), tmp_path, [custodian(vault, tmp_path)])
    path = pathlib.Path(proxy.settings.envelope)
    envelope = json.loads(path.read_text())
    path.unlink()
    strongroom("root", "new", "--config", str(proxy.config), str(path))
    other = json.loads(path.read_text())
    other["wraps"] = envelope["wraps"]
    path.write_text(json.dumps(other))
    shown = root(proxy, "show", check=False).stdout
    assert "message authentication failed" in shown, shown


def test_tls_a_namespace_and_another_mount(start_proxy, pool, tmp_path, authority):
    vault = Vault(authority.issue("vault"))
    vault.make_key("strongroom", "team/storage/crypto/transit")
    vault.policy("strongroom", *(f"team/storage/crypto/{path}" for path in PATHS))
    vaulted = custodian(vault, tmp_path, mount="crypto/transit", namespace="team/storage", ca_file=str(authority.ca))
    assert vault.address.startswith("https://")
    proxy = wrapped(start_proxy, pool.sites("embedded"), tmp_path, [vaulted]).start()
    s3, bucket = client(proxy)
    assert read(s3, bucket, "kept") == b"kept"
    proxy.stop()
    # Whom no known authority vouches for is told neither the token nor the root.
    del vaulted["ca_file"]
    proxy.write_config()
    before = dict(vault.done)
    proxy.spawn()
    assert proxy.end() == 1 and "vault cannot be asked: " in proxy.stderr() and "certificate" in proxy.stderr()
    assert vault.done == before
    vault.stop()
    assert not vault.complaints


def test_check_refuses_plain_http_to_another_machine_and_a_key_of_the_wrong_kind(start_proxy, pool, tmp_path, vault):
    vaulted = custodian(vault, tmp_path)
    proxy = start_proxy(pool.sites("embedded"), ready=False, envelope=str(tmp_path / "root.envelope"), custodians=[vaulted])
    vault.engines["transit"]["strongroom"].derived = True
    made = root(proxy, "rewrap", "--from", str(proxy.folder / "root.key"), check=False)
    assert made.returncode == 1 and "neither derived nor convergent" in made.stderr and not pathlib.Path(proxy.settings.envelope).exists()
    vaulted["address"] = "http://192.0.2.1:8200"
    proxy.write_config()
    checked = strongroom("check", "--config", str(proxy.config), check=False)
    assert checked.returncode != 0 and "plain HTTP to another machine would show it the root key and the token" in checked.stderr + checked.stdout


def test_a_vault_that_does_not_answer_holds_nothing_up(start_proxy, pool, tmp_path, vault):
    proxy = wrapped(start_proxy, pool.sites("embedded"), tmp_path, [custodian(vault, tmp_path), passphrase(tmp_path)], keys=PATIENT).start()
    s3, bucket = client(proxy)
    vault.delay = 20
    until(lambda: asked(proxy) == 0, "its silence is noticed", 60)
    assert asked(proxy, "phrase") == 1 and read(s3, bucket, "kept") == b"kept"
    assert "no answer within 5 seconds" in proxy.stderr()
    vault.delay = 0
    until(lambda: asked(proxy) == 1, "it answers again", 60)
