"""A key in an HSM (PKCS#11) as custodian of the root key: a token that is gone is an outage, a PIN or key that is wrong a refusal, and no PIN is tried twice."""

import json
import pathlib

import pytest
from common.proxy import strongroom
from common.sites import read
from common.softhsm import Token, write_pin
from common.wait import until
from conftest import new_bucket
from test_hygiene import Search
from test_roots import IMPATIENT, PATIENT, Writer, metric, passphrase, ready
from test_roots_vault import client, goes_on, part, stopped

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def token(tmp_path):
    """A token of the test's own, with a key."""
    token = Token(tmp_path / "softhsm")
    token.make_key()
    return token


def unstarted(start_proxy, pool, tmp_path, token, custodians=None, **settings):
    """A proxy that may use the token."""
    custodians = custodians or [token.custodian(tmp_path)]
    proxy = start_proxy(pool.sites("embedded"), ready=False, envelope=str(tmp_path / "root.envelope"), custodians=custodians, **settings)
    proxy.environment |= token.environment
    proxy.secrets.append(token.pin)
    return proxy


def run(proxy, token, *arguments: str, check: bool = True):
    """`strongroom root ...`, which may use the token."""
    command, *rest = arguments
    return strongroom("root", command, "--config", str(proxy.config), *rest, check=check, **token.environment)


def hsm_proxy(start_proxy, pool, tmp_path, token, custodians=None, **settings):
    """One whose root lies in an envelope for them; it is not started."""
    proxy = unstarted(start_proxy, pool, tmp_path, token, custodians, **settings)
    run(proxy, token, "rewrap", "--from", str(proxy.folder / "root.key"))
    (proxy.folder / "root.key").unlink()
    return proxy


def asked(proxy, name: str = "hsm") -> float:
    return metric(proxy, f'strongroom_root_custodian_up{{custodian="{name}"}}')


def test_a_new_root_is_made_for_the_token_and_opens_at_a_start(start_proxy, pool, tmp_path, token):
    proxy = unstarted(start_proxy, pool, tmp_path, token, keys=PATIENT)
    (proxy.folder / "root.key").unlink()
    assert "fingerprint" in run(proxy, token, "new", proxy.settings.envelope).stdout
    kept = part(proxy, "hsm")
    assert (kept["kind"], kept["token"], kept["key"]) == ("pkcs11", "strongroom", "root")
    assert len(kept["iv"]) == 24 and len(kept["sealed"]) == 64
    proxy.start()
    s3, bucket = client(proxy)
    assert read(s3, bucket, "kept") == b"kept" and asked(proxy) == 1
    assert "opens it" in run(proxy, token, "show").stdout
    assert "custodian hsm: opens the root" in strongroom("check", "--config", str(proxy.config), **token.environment).stdout
    search = Search({"the PIN": token.pin.encode()})
    search.look("the envelope", pathlib.Path(proxy.settings.envelope).read_bytes())
    search.folder(proxy.folder, {"credentials.toml"})
    assert not token.wrong_pins()


def test_a_token_that_is_pulled_out_stops_nothing_until_the_root_is_stale(start_proxy, pool, tmp_path, token):
    proxy = hsm_proxy(start_proxy, pool, tmp_path, token, keys=IMPATIENT).start()
    s3, bucket = client(proxy)
    until(lambda: asked(proxy) == 1, "the token was asked")
    token.remove()
    until(lambda: metric(proxy, "strongroom_root_stale_seconds") > 0, "the outage is noticed")
    assert ready(proxy).status_code == 200 and read(s3, bucket, "kept") == b"kept"
    until(lambda: ready(proxy).status_code == 503, "the root is stale")
    assert ready(proxy).json()["reasons"] == ["no custodian of the root key could be asked for too long"]
    token.insert()
    goes_on(proxy, s3, bucket)
    proxy.stop()
    token.remove()
    proxy.spawn()
    assert proxy.end() == 1 and "hsm cannot be asked: " in proxy.stderr(), proxy.stderr()[-2000:]
    token.insert()
    proxy.start()


def test_a_wrong_pin_is_a_refusal_and_is_tried_once(start_proxy, pool, tmp_path, token):
    proxy = hsm_proxy(start_proxy, pool, tmp_path, token, keys=PATIENT).start()
    s3, bucket = client(proxy)
    write_pin(tmp_path / "hsm.pin", "not-the-pin")
    stopped(proxy, s3, bucket)
    assert token.wrong_pins()
    until(lambda: proxy.stderr().count("it is not tried again") > 3, "it was asked some more times")
    assert proxy.stderr().count("PinIncorrect of C_Login") == 1, "of which one only went to the token"
    # Whoever logs in with the right one sets the count back.
    token.make_key("other", "02")
    assert not token.wrong_pins()
    write_pin(tmp_path / "hsm.pin", token.pin)
    goes_on(proxy, s3, bucket)
    proxy.stop()

    token.change_pin("another-pin")
    proxy.spawn()
    assert proxy.end() == 1 and "hsm refuses: the token does not take the PIN" in proxy.stderr()
    write_pin(tmp_path / "hsm.pin", token.pin)
    proxy.start()
    assert "not-the-pin" not in proxy.stderr() and token.pin not in proxy.stderr()


def test_a_key_that_is_gone_and_another_of_the_same_name_open_nothing(start_proxy, pool, tmp_path, token):
    custodians = [token.custodian(tmp_path), passphrase(tmp_path)]
    proxy = hsm_proxy(start_proxy, pool, tmp_path, token, custodians, keys=PATIENT)
    token.delete_key()
    shown = run(proxy, token, "show", check=False)
    assert shown.returncode == 1 and "the token has no AES key root" in shown.stdout
    token.make_key()
    assert "cannot open its part: it was wrapped with another key" in run(proxy, token, "show", check=False).stdout
    proxy.start()
    until(lambda: asked(proxy) == 0, "its part does not open")
    assert "hsm\twrapped now" in run(proxy, token, "rewrap").stdout
    until(lambda: asked(proxy) == 1, "the new part opens")
    token.make_key("root", "02")
    assert "more than one AES key root" in run(proxy, token, "show", check=False).stdout
    proxy.settings.custodians[0]["key_id"] = "01"
    proxy.write_config()
    assert "hsm\tpkcs11" in run(proxy, token, "show").stdout


@pytest.mark.parametrize(
    ("bits", "flags", "reason"),
    [
        (256, ("--sensitive", "--private", "--extractable"), "it can be taken out of the token"),
        (256, ("--private",), "it can be taken out of the token"),
        (256, ("--sensitive",), "it can be used without the PIN"),
        (128, ("--sensitive", "--private"), "it is no AES-256 key"),
    ],
)
def test_a_key_that_guards_nothing_is_refused(start_proxy, pool, tmp_path, bits, flags, reason):
    token = Token(tmp_path / "softhsm")
    token.make_key(bits=bits, flags=flags)
    proxy = unstarted(start_proxy, pool, tmp_path, token)
    made = run(proxy, token, "rewrap", "--from", str(proxy.folder / "root.key"), check=False)
    assert made.returncode == 1 and reason in made.stderr and "make another one in the token" in made.stderr, made.stderr
    assert not pathlib.Path(proxy.settings.envelope).exists()


def test_the_root_goes_from_a_passphrase_to_the_token_while_a_client_writes(start_proxy, pool, tmp_path, token):
    proxy = hsm_proxy(start_proxy, pool, tmp_path, token, [passphrase(tmp_path)], keys=PATIENT)
    proxy.settings.custodians = [passphrase(tmp_path), token.custodian(tmp_path)]
    proxy.write_config()
    (proxy.folder / "root.key").unlink()
    proxy.start()
    bucket = new_bucket(proxy.s3())
    with Writer(proxy, bucket):
        said = run(proxy, token, "rewrap").stdout
        assert "phrase\tkept" in said and "hsm\twrapped now" in said
        until(lambda: asked(proxy) == 1, "the token opens the root")
        assert "phrase\tremoved" in run(proxy, token, "rewrap", "--remove", "phrase").stdout
        until(lambda: asked(proxy, "phrase") == 0, "the passphrase opens it no more")
        assert ready(proxy).status_code == 200
    proxy.stop()
    proxy.settings.custodians = [token.custodian(tmp_path)]
    proxy.write_config()
    (proxy.folder / "root.key").unlink()
    proxy.start()
    assert proxy.s3().head_object(Bucket=bucket, Key="written")["ContentLength"] == 1000


def test_a_part_is_bound_to_its_root(start_proxy, pool, tmp_path, token):
    proxy = hsm_proxy(start_proxy, pool, tmp_path, token)
    path = pathlib.Path(proxy.settings.envelope)
    wraps = json.loads(path.read_text())["wraps"]
    path.unlink()
    run(proxy, token, "new", str(path))
    other = json.loads(path.read_text())
    other["wraps"] = wraps
    path.write_text(json.dumps(other))
    # Not "another root came out": the token itself does not open it.
    shown = run(proxy, token, "show", check=False).stdout
    assert "it was wrapped with another key, for another root, or is damaged" in shown, shown


def test_a_library_that_is_none_is_an_outage(start_proxy, pool, tmp_path, token):
    library = tmp_path / "none.so"
    library.write_text("this is no library")
    custodians = [token.custodian(tmp_path, module=str(library)), passphrase(tmp_path)]
    proxy = unstarted(start_proxy, pool, tmp_path, token, custodians)
    made = run(proxy, token, "rewrap", "--from", str(proxy.folder / "root.key"), check=False)
    assert made.returncode == 1 and f"custodian hsm cannot be asked: its module {library}" in made.stderr, made.stderr
