"""Every fault, at either site, under load: refuse, hang, reset and cut in mid-body, slow, 500, 503 SlowDown, wrong bytes.

While only the backup is out no client sees an error. While the primary is out clients see errors and never a wrong byte. After the
site is healed both sites hold the same sealed bytes, and every change that was acknowledged.
"""

import hashlib
import random
import threading
import time

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from common.backlog import until_settled
from conftest import new_bucket
from test_kill import Writer, compare

pytestmark = pytest.mark.timeout(300)
QUICK = {"connect_timeout": "500ms", "stall_timeout": "1s"}
FAULTS = ["refuse", "hang", "reset", "cut", "slow", "500", "503", "wrong"]


class Client(Writer):
    """Changes and reads keys of its own until it is told to stop."""

    def __init__(self, proxy, bucket: str, name: str, known: dict):
        super().__init__(proxy, bucket, name, known)
        self.stop, self.errors, self.wrong, self.read = threading.Event(), [], [], 0

    def run(self):
        while not self.stop.is_set():
            try:
                self._change(f"{self.prefix}/{self.random.randrange(10)}")
                self.acknowledged += 1
                self._look()
            except (BotoCoreError, ClientError) as error:
                self.errors.append(error)

    def _look(self) -> None:
        key = self.random.choice([key for key in list(self.known) if key.startswith(f"{self.prefix}/")])
        try:
            body = self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()
            found = hashlib.sha256(body).hexdigest()
        except self.s3.exceptions.NoSuchKey:
            found = None
        self.read += 1
        if found not in self.known[key]:
            self.wrong.append((key, found))


def _more(clients: list[Client], changes: int, also=lambda: True) -> None:
    """Waits for so many more tries, and a condition; not for ever: some faults leave little to be tried."""
    deadline = time.monotonic() + 15
    before = sum(client.acknowledged + len(client.errors) for client in clients)
    while time.monotonic() < deadline:
        if sum(client.acknowledged + len(client.errors) for client in clients) >= before + changes and also():
            return
        time.sleep(0.05)


def under_load(proxy, bucket: str, injector, fault: str, rounds: int) -> tuple[list[Client], dict]:
    """Clients at work while the fault comes and goes."""
    known = {}
    clients = [Client(proxy, bucket, f"c{n}", known) for n in range(4)]
    for client in clients:
        client.start()
    for _ in range(rounds):
        _more(clients, 8)
        injector.reset_after = random.choice((200, 1000) if fault == "cut" else (20_000, 100_000, 500_000))
        met = injector.injected
        injector.mode = fault
        time.sleep(random.uniform(0.5, 1.0))
        _more(clients, 12, lambda met=met: injector.injected > met)
        injector.mode = "pass"
    for client in clients:
        client.stop.set()
    for client in clients:
        client.join(60)
        assert not client.is_alive(), "a client hangs"
    return clients, known


@pytest.mark.parametrize("fault_name", FAULTS)
@pytest.mark.parametrize("out", ["primary", "backup"])
def test_a_fault_under_load_is_survived_and_the_sites_agree_afterwards(
    request, start_proxy, fault, pool, out, fault_name
):
    raw = pool.sites("embedded")
    index = ("primary", "backup").index(out)
    site, injector = fault(raw[index])
    sites = [site if at == index else raw[at] for at in range(2)]
    proxy = start_proxy(sites, site_options=QUICK)
    bucket = new_bucket(proxy.s3())
    rounds = 12 if request.config.getoption("--full") else 2
    clients, known = under_load(proxy, bucket, injector, fault_name, rounds)
    errors = [error for client in clients for error in client.errors]
    wrong = [one for client in clients for one in client.wrong]
    acknowledged = sum(client.acknowledged for client in clients)
    reads = sum(client.read for client in clients)
    assert not wrong, wrong[:3]
    assert injector.injected, "the fault was met"
    if out == "backup":
        assert not errors, errors[:3]
    assert acknowledged >= 8 and reads >= 8, "there was load"
    until_settled(proxy)
    compare(proxy, bucket, known)
    print(
        f"FAULTS {fault_name} at the {out}: {injector.injected} injected, {acknowledged} changes acknowledged, "
        f"{reads} reads right, {len(errors)} errors, no difference afterwards"
    )
