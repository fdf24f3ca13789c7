"""Objects are moved to the newest version of their vault key without moving their bytes, and the old version is destroyed; no client notices."""

import re
import secrets
import signal
import subprocess
import threading
import time

import pytest
from common import audit, places
from common import target as targets
from common.data import FIVE_MIB, content
from common.process import clean_environment
from common.proxy import strongroom
from common.sites import keys_of, read
from common.wait import until
from conftest import SITE_BYTES, new_bucket
from test_keys import key
from test_shred import download, unsealed

pytestmark = pytest.mark.timeout(300)

TRAILER = 528
# What goes between the proxy and all sites for an object of 5 MiB or more: trailers, an index, two footers, and headers are not counted.
LITTLE = 8 * 1024
WHOLE = {"empty": 0, "small": 1000, "half/凭证": 3_000_000, "half/large": 24 * 1024 * 1024 + 77}
PARTS = {"parts/uneven": [FIVE_MIB + 1, 2 * FIVE_MIB, 999], "parts/one": [1234]}


class World:
    """A proxy, a bucket, and what a client keeps in it."""

    def __init__(self, start_proxy, sites, has_tags: bool = False, locked: bool = False, rules: list | None = None):
        # A key of its own: sites are shared, and every object under a key of that name would count.
        self.key = f"rewrap-{secrets.token_hex(4)}"
        rules = [{**rule, "key": self.key} for rule in rules or []]
        self.proxy, self.sites, self.has_tags = start_proxy(sites, rule={"key": self.key}, rules=rules), sites, has_tags
        self.s3 = self.proxy.s3()
        if locked:
            self.bucket = f"locked-{secrets.token_hex(4)}"
            self.s3.create_bucket(Bucket=self.bucket, ObjectLockEnabledForBucket=True)
        else:
            self.bucket = new_bucket(self.s3)

    def fill(self) -> None:
        """One object of every kind."""
        kept = {"ContentType": "text/csv", "Metadata": {"client": "4711"}}
        kept |= {"Tagging": "kind=voucher"} if self.has_tags else {}
        for name, size in WHOLE.items():
            self.s3.put_object(Bucket=self.bucket, Key=name, Body=content(size), **kept)
        for name, sizes in PARTS.items():
            where = {"Bucket": self.bucket, "Key": name}
            upload = self.s3.create_multipart_upload(**where, **kept)["UploadId"]
            self.finish(where, upload, sizes)

    def finish(self, where: dict, upload: str, sizes: list[int]) -> None:
        """The parts of an upload, and its end."""
        parts = [
            {
                "PartNumber": n,
                "ETag": self.s3.upload_part(**where, UploadId=upload, PartNumber=n, Body=content(size, n))["ETag"],
            }
            for n, size in enumerate(sizes, 1)
        ]
        self.s3.complete_multipart_upload(**where, UploadId=upload, MultipartUpload={"Parts": parts})

    def view(self) -> dict:
        """All that a client sees of every object, but for the time of its last change."""
        seen = {}
        for name, entry in keys_of(self.s3, self.bucket).items():
            where = {"Bucket": self.bucket, "Key": name}
            got = self.s3.get_object(**where)
            tags = self.s3.get_object_tagging(**where)["TagSet"] if self.has_tags else None
            facts = [got[what] for what in ("ETag", "ContentType", "Metadata", "ContentLength")]
            headers = got["ResponseMetadata"]["HTTPHeaders"]
            assert "x-strongroom-served-by" not in headers
            seen[name] = (*facts, entry["ETag"], entry["Size"], tags, got["Body"].read())
        return seen

    def versions(self) -> dict[tuple[str, str], int]:
        """The key's version that every object is under, by site and name."""
        found = {}
        for site in self.sites:
            raw = site.raw_bucket(self.bucket)
            for name in keys_of(site.s3(), raw):
                last = site.s3().get_object(Bucket=raw, Key=name, Range=f"bytes=-{TRAILER}")["Body"].read()
                found[site.name, name] = int.from_bytes(last[165:169])
        return found

    def rotate(self) -> int:
        """A new version, which seals when this returns."""
        said = key(self.proxy, "rotate", self.key).stdout
        version = int(re.search(r"version (\d+)", said)[1])

        def is_in_use() -> bool:
            self.s3.put_object(Bucket=self.bucket, Key="probe", Body=b"probe")
            return self.versions()[self.sites[0].name, "probe"] == version

        until(is_in_use, "the new version seals", 10)
        self.s3.delete_object(Bucket=self.bucket, Key="probe")
        return version

    def command(self, *arguments: str) -> list[str]:
        """`strongroom rewrap`."""
        return ["rewrap", "--config", str(self.proxy.config), *arguments, f"s3://{self.bucket}"]

    def rewrap(self, *arguments: str, code: int = 0) -> str:
        """Runs it; what it printed."""
        done = strongroom(*self.command(*arguments), check=False)
        assert done.returncode == code, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    def destroy(self, version: int, code: int = 0) -> str:
        """`strongroom key destroy-version`; what it printed."""
        done = key(self.proxy, "destroy-version", self.key, str(version), check=False)
        assert done.returncode == code, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    def moved(self) -> float:
        """Bytes to and from all sites since the proxy started."""
        return sum(float(value) for value in SITE_BYTES.findall(self.proxy.metrics()))

    def audit(self) -> None:
        """The sites hold the same, and clients see it."""
        audit.check_bucket(targets.of_proxy(self.proxy, "rewrapped"), self.bucket)


@pytest.fixture
def world(start_proxy, pool):
    return World(start_proxy, pool.sites("embedded"))


def test_rotate_rewrap_and_destroy_the_old_version(world, tmp_path):
    world.fill()
    names = {*WHOLE, *PARTS}
    before = world.view()
    assert "is the newest" in world.destroy(1, code=1)
    assert world.rotate() == 2
    assert "are under this version" in (said := world.destroy(1, code=1)) and "rewrap" in said
    assert "version 1\tenabled" in key(world.proxy, "show", world.key).stdout, "a refusal changes nothing"

    assert f"{len(names)} objects to move" in world.rewrap("--dry-run")
    assert set(world.versions().values()) == {1}
    assert f"0 objects moved to the newest version, {len(names) * TRAILER} bytes" in world.rewrap("--key", "another")

    at_start = world.moved()
    said = world.rewrap()
    moved = world.moved() - at_start
    assert f"{len(names)} objects moved to the newest version" in said
    assert set(world.versions().values()) == {2}
    assert world.view() == before
    world.audit()
    lengths = {name: entry["Size"] for name, entry in keys_of(world.s3, world.bucket).items()}
    small = sum(length for length in lengths.values() if length < FIVE_MIB)
    # Small ones are read once and written to both sites, as they lie there.
    most = 3 * (small * 1.01 + 1000 * len(names)) + LITTLE * len(names) + 64 * 1024
    print(f"{moved:.0f} bytes for {len(names)} objects of {sum(lengths.values())} bytes ({small} in small ones)")
    assert moved < most < sum(lengths.values())

    assert "0 objects moved" in (again := world.rewrap()) and f"{len(names)} there already" in again
    assert "version 1 destroyed" in (said := world.destroy(1)) and "root rotate" in said
    shown = key(world.proxy, "show", world.key).stdout
    assert "version 1\t" not in shown and "version 2\tenabled" in shown and "version destroyed (1)" in shown
    until(lambda: world.view() == before, "every object reads as before", 10)
    assert "destroyed already" in world.destroy(1)
    assert "is the newest" in world.destroy(2, code=1)

    backup, settings = world.sites[1], world.proxy.settings
    system = download(backup, settings.system_bucket, tmp_path / "system")
    data = download(backup, world.bucket, tmp_path / "data")
    offline = unsealed(system, world.proxy.folder / "root.key", world.bucket, data, tmp_path / "out")
    assert offline == {name: body for name, (*_, body) in before.items()}


def test_bytes_go_with_the_number_of_objects_not_with_their_size(world):
    sizes = [FIVE_MIB, 2 * FIVE_MIB, 8 * FIVE_MIB]
    figures = []
    for number, size in enumerate(sizes):
        world.s3.put_object(Bucket=world.bucket, Key=f"large-{number}", Body=content(size))
        where = {"Bucket": world.bucket, "Key": f"parts-{number}"}
        world.finish(where, world.s3.create_multipart_upload(**where)["UploadId"], [size, 1000])
    world.rotate()
    for number, _ in enumerate(sizes):
        for kind in ("large", "parts"):
            at_start = world.moved()
            said = strongroom("rewrap", "--config", str(world.proxy.config), f"s3://{world.bucket}/{kind}-{number}")
            told = int(re.search(r"version, (\d+) bytes to and from", said.stdout)[1])
            figures.append((kind, sizes[number], told, world.moved() - at_start))
    print(figures)
    assert all(told < 8000 and told <= moved < told + 64 * 1024 for _, _, told, moved in figures), figures
    of_one_part = {told for kind, _, told, _ in figures if kind == "large"}
    assert len(of_one_part) == 1, "the same for every size"
    world.audit()


def test_killed_in_the_middle_it_goes_on(world, tmp_path):
    count = 120
    for number in range(count):
        world.s3.put_object(Bucket=world.bucket, Key=f"{number:04}", Body=content(500 + number))
    world.rotate()
    state = tmp_path / "state.json"
    command = world.command("--state", str(state), "--rate", "20", "--parallel", "2")
    running = subprocess.Popen(
        [str(places.strongroom()), *command], env=clean_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    until(state.exists, "it has come some way", 30)
    running.send_signal(signal.SIGKILL)
    running.communicate()
    # The proxy finishes what it was asked for.
    time.sleep(3)
    done = sum(version == 2 for version in world.versions().values())
    assert 0 < done < 2 * count
    said = world.rewrap("--state", str(state))
    moved, current = (int(re.search(pattern, said)[1]) for pattern in (r"(\d+) objects moved", r"(\d+) there already"))
    assert moved + current == count
    assert not state.exists()
    assert set(world.versions().values()) == {2}
    other = strongroom(*world.command("--state", str(tmp_path), "--key", world.key), check=False)
    assert other.returncode == 2, "a folder is no state file"
    world.audit()


class Writer(threading.Thread):
    """Overwrites objects all the time, and remembers what was acknowledged last."""

    def __init__(self, world: World, names: dict[str, int]):
        super().__init__(daemon=True)
        self.world, self.names, self.written, self.over = world, names, {}, threading.Event()
        self.rounds = 0

    def run(self):
        while not self.over.is_set():
            self.rounds += 1
            for name, size in self.names.items():
                body = b"%09d" % self.rounds + content(size)
                self.world.s3.put_object(Bucket=self.world.bucket, Key=name, Body=body)
                self.written[name] = body


def test_a_clients_write_wins(world):
    names = {f"{kind}-{number}": size for kind, size in (("small", 2000), ("large", FIVE_MIB)) for number in range(4)}
    for name, size in names.items():
        world.s3.put_object(Bucket=world.bucket, Key=name, Body=content(size))
    writer = Writer(world, names)
    writer.start()
    version = 1
    while version < 4 or writer.rounds < 4:
        key(world.proxy, "rotate", world.key)
        version += 1
        done = strongroom(*world.command("--parallel", "8"), check=False)
        assert done.returncode in (0, 1) and " 0 failed" in done.stdout, done.stdout + done.stderr
    writer.over.set()
    writer.join()
    for name, body in writer.written.items():
        assert read(world.s3, world.bucket, name) == body, f"{name}: an acknowledged write is lost"
    world.audit()
    until(lambda: "0 changed meanwhile, 0 left for later, 0 failed" in strongroom(*world.command(), check=False).stdout,
          "all are moved", 30)
    assert set(world.versions().values()) == {version}


def test_an_upload_in_progress_keeps_its_version_and_a_disabled_key_is_left(world):
    world.fill()
    where = {"Bucket": world.bucket, "Key": "late"}
    upload = world.s3.create_multipart_upload(**where)["UploadId"]
    world.rotate()
    world.rewrap()
    assert "1 uploads in progress are under this version" in world.destroy(1, code=1)
    world.finish(where, upload, [FIVE_MIB, 77])
    assert world.versions()[world.sites[0].name, "late"] == 1
    assert "are under this version" in world.destroy(1, code=1)

    key(world.proxy, "disable", world.key)
    # Without --dry-run it would move the object until the proxy knows.
    until(lambda: "disabled" in strongroom(*world.command("--dry-run"), check=False).stderr, "the proxy knows", 10)
    said = world.rewrap(code=1)
    assert f"{len(WHOLE) + len(PARTS) + 1} failed" in said and "The vault key is disabled." in said
    key(world.proxy, "enable", world.key)
    until(lambda: "1 objects moved" in strongroom(*world.command(), check=False).stdout, "the last one is moved", 10)
    world.destroy(1)
    assert read(world.s3, world.bucket, "late") == content(FIVE_MIB, 1) + content(77, 2)
    world.audit()
