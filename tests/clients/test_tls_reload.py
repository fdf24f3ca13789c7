"""TLS: what is offered, and that a renewed certificate is taken up without a restart."""

import os
import socket
import ssl

import pytest
import requests
from common import target as targets
from common.certs import Authority
from common.wait import until
from common.wire import Wire
from conftest import new_bucket


@pytest.fixture
def proxy(start_proxy, pool, tmp_path):
    """A TLS proxy with a CA of its own."""
    ca = Authority(tmp_path / "ca")
    proxy = start_proxy(pool.sites("embedded"), tls=ca.issue(), ca=ca.ca)
    proxy.authority = ca
    return proxy


def serial(proxy) -> int:
    """Serial number of the certificate a new connection gets."""
    context = ssl.create_default_context(cafile=str(proxy.settings.ca))
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=10) as raw:
        with context.wrap_socket(raw, server_hostname="localhost") as connection:
            return int(connection.getpeercert()["serialNumber"], 16)


def replace(proxy) -> None:
    """Writes a new pair beside the old one and renames it over, as certificate tools do."""
    new, old = proxy.authority.issue("renewed"), proxy.settings.tls
    os.replace(new.key, old.key)
    os.replace(new.certificate, old.certificate)


def test_a_renewed_certificate_is_taken_up(proxy):
    s3, before, pid = proxy.s3(), serial(proxy), proxy.pid
    bucket = new_bucket(s3)
    wire = Wire(targets.of_proxy(proxy, "embedded"))
    with wire.connect() as old_connection:
        replace(proxy)
        until(lambda: serial(proxy) != before, "new connections get the new certificate", 60, every=0.3)
        # The old connection goes on.
        old_connection.sendall(wire.head("GET", f"/{bucket}"))
        assert old_connection.recv(20).startswith(b"HTTP/1.1 200")
    assert proxy.pid == pid and proxy.running
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")


def test_a_broken_certificate_leaves_the_old_one_in_use(proxy):
    before = serial(proxy)
    good = proxy.settings.tls.certificate.read_bytes()
    mark = len(proxy.stderr())
    proxy.settings.tls.certificate.write_bytes(b"-----BEGIN CERTIFICATE-----\nbroken\n")
    until(lambda: "certificate" in proxy.stderr()[mark:], "the log says so", 60, every=0.3)
    assert serial(proxy) == before
    proxy.settings.tls.certificate.write_bytes(good)
    replace(proxy)
    until(lambda: serial(proxy) != before, "the next good one is taken", 60, every=0.3)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=lambda v: v.name)
def test_tls_1_2_and_1_3_are_served(proxy, version):
    context = ssl.create_default_context(cafile=str(proxy.settings.ca))
    context.minimum_version = context.maximum_version = version
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=10) as raw:
        with context.wrap_socket(raw, server_hostname="127.0.0.1") as connection:
            assert connection.version() in ("TLSv1.2", "TLSv1.3")


def test_older_tls_is_refused(proxy):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=10) as raw:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            context.wrap_socket(raw)


def test_plain_http_on_the_tls_port_ends_cleanly(proxy):
    with pytest.raises(requests.ConnectionError):
        requests.get(f"http://127.0.0.1:{proxy.port}/", timeout=10)
    assert proxy.running


def test_the_access_log_tells_version_and_cipher(proxy):
    answer = Wire(targets.of_proxy(proxy, "embedded")).send("GET", "/")
    record = proxy.access_log.find(answer.request_id)
    assert record["tls_version"] == "TLSv1.3" and record["cipher_suite"].startswith("TLS_")
