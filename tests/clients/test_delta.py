"""deltalake (Rust's object_store) and pyarrow (the AWS SDK for C++): a Delta table's commits, and Parquet's ranges."""

import concurrent.futures
import json
import pathlib
import random
import sys

import pyarrow
import pyarrow.parquet as parquet
import pytest
from common import data
from common.sites import keys_of
from drivers.base import Program

JOB = pathlib.Path(__file__).parent / "drivers" / "delta_job.py"


class Delta(Program):
    """Steps of delta_job.py, each in its own process."""

    program = sys.executable

    def environment(self):
        certificate = {"SSL_CERT_FILE": str(self.target.ca)} if self.target.ca else {}
        return super().environment() | certificate | {
            "ENDPOINT": self.target.endpoint,
            "AWS_REGION": self.target.region,
            "AWS_ACCESS_KEY_ID": self.target.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.target.secret_access_key,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def step(self, name: str, *arguments):
        """What a step printed."""
        return json.loads(self.output(JOB, name, *arguments))

    def rows(self, *arguments) -> pyarrow.Table:
        """What a step that writes a local file read, in the order of the ids; `TO` stands for the file."""
        there = self.folder / "read.parquet"
        self.step(*(there if word == "TO" else word for word in arguments))
        return ordered(parquet.read_table(there))


def ordered(table: pyarrow.Table) -> pyarrow.Table:
    """Which row comes first is no promise."""
    return table.sort_by("id").combine_chunks()


def rows(*ids: int, size: int = 100) -> pyarrow.Table:
    """Rows whose content follows from their ids."""
    columns = {
        "id": pyarrow.array(ids, pyarrow.int64()),
        "name": pyarrow.array([f"client {number} 总账" for number in ids], pyarrow.string()),
        "payload": pyarrow.array([random.Random(number).randbytes(size) for number in ids], pyarrow.binary()),
    }
    return pyarrow.table(columns)


def written(path: pathlib.Path, table: pyarrow.Table) -> pathlib.Path:
    """The rows as a local Parquet file."""
    parquet.write_table(table, path)
    return path


@pytest.fixture
def delta(target, tmp_path):
    """deltalake and pyarrow on the target."""
    return Delta(target, tmp_path / "delta")


@pytest.fixture
def uri(bucket) -> str:
    """A table that is not there yet."""
    return f"s3://{bucket}/books/总账"


@pytest.fixture
def batches(tmp_path) -> list[pathlib.Path]:
    """20 files of 50 rows."""
    return [written(tmp_path / f"{n}.parquet", rows(*range(50 * n, 50 * n + 50))) for n in range(20)]


def commits(s3, bucket) -> list[int]:
    """The versions whose commits are in the log."""
    names = [key.rsplit("/", 1)[1] for key in keys_of(s3, bucket) if "/_delta_log/" in key]
    return sorted(int(name.removesuffix(".json")) for name in names if name.endswith(".json"))


def test_twenty_appends_are_all_there_and_every_version_too(delta, s3, bucket, uri, batches):
    assert delta.step("append", uri, *batches) == 19
    assert commits(s3, bucket) == list(range(20))
    assert delta.rows("read", uri, "TO").equals(rows(*range(1000)))
    for version in (0, 7, 18):
        assert delta.rows("read", uri, "TO", version).equals(rows(*range(50 * version + 50)))


def test_an_overwritten_table_can_be_read_as_it_was(delta, uri, batches):
    delta.step("append", uri, *batches[:2])
    assert delta.step("overwrite", uri, batches[2]) == 2
    assert delta.rows("read", uri, "TO").equals(rows(*range(100, 150)))
    assert delta.rows("read", uri, "TO", 1).equals(rows(*range(100)))


def test_commits_of_concurrent_writers_all_land(delta, target, s3, bucket, uri, batches):
    """Each writer puts the next version with If-None-Match: *; who comes second gets 412 and takes the one after."""
    delta.step("append", uri, batches[0])
    mark = target.proxy.access_log.mark() if target.proxy else 0
    with concurrent.futures.ThreadPoolExecutor(2) as processes:
        list(processes.map(lambda start: delta.step("append_at_once", uri, *batches[start::2]), (1, 2)))
    assert commits(s3, bucket) == list(range(20))
    assert delta.rows("read", uri, "TO").equals(rows(*range(1000)))
    if target.proxy:
        target.proxy.access_log.mark()
        refused = [record for record in target.proxy.access_log.since(mark) if record["status"] == "412"]
        assert refused, "the writers never met"
        assert {record["error_code"] for record in refused} == {"PreconditionFailed"}


def test_a_compacted_table_has_the_same_rows_in_one_file(delta, s3, bucket, uri, batches):
    delta.step("append", uri, *batches)
    assert delta.step("delete", uri, "id >= 900") == 100
    assert delta.step("compact", uri) == {"added": 1, "removed": 18, "vacuumed": 20}
    left = [key for key in keys_of(s3, bucket) if key.endswith(".parquet") and "/_delta_log/" not in key]
    assert len(left) == 1
    assert delta.rows("read", uri, "TO").equals(rows(*range(900)))


def test_a_large_file_goes_in_parts(delta, s3, bucket, uri, tmp_path):
    large = rows(*range(3000), size=10_000)
    delta.step("append", uri, written(tmp_path / "large", large))
    etags = [entry["ETag"] for entry in keys_of(s3, bucket).values() if entry["Size"] > 20 * data.MIB]
    assert len(etags) == 1 and "-" in etags[0], "it was a multipart upload"
    assert delta.rows("read", uri, "TO").equals(large)


@pytest.fixture
def arrow(delta, bucket, tmp_path) -> tuple[str, pyarrow.Table]:
    """A Parquet file of 30 MB that pyarrow wrote as a stream, and its rows."""
    table, path = rows(*range(3000), size=10_000), f"{bucket}/lake/总账 2026.parquet"
    delta.step("arrow_write", written(tmp_path / "local", table), path)
    return path, table


def test_pyarrow_reads_what_it_wrote(delta, s3, bucket, arrow):
    path, table = arrow
    assert delta.rows("arrow_read", path, "TO").equals(table)
    listed = {f"{bucket}/{key}": entry["Size"] for key, entry in keys_of(s3, bucket).items() if not key.endswith("/")}
    assert delta.step("arrow_files", bucket) == listed
    assert set(listed) == {path}


def test_pyarrow_reads_footers_columns_and_row_groups_by_range(delta, target, arrow):
    path, table = arrow

    def sent(step):
        """What the proxy sent of the object for a step, in bytes."""
        if not target.proxy:
            return step(), 0
        log = target.proxy.access_log
        mark = log.mark()
        result = step()
        log.mark()
        answers = [record for record in log.since(mark) if record["operation"] == "REST.GET.OBJECT"]
        assert answers and {record["status"] for record in answers} == {"206"}
        return result, sum(int(record["bytes_sent"]) for record in answers)

    footer, size = sent(lambda: delta.step("arrow_footer", path))
    assert footer == {"rows": 3000, "groups": 3, "columns": ["id", "name", "payload"]} and size < data.MIB
    names, size = sent(lambda: delta.rows("arrow_read", path, "TO", "id,name"))
    assert names.equals(table.select(["id", "name"])) and size < data.MIB
    group, size = sent(lambda: delta.rows("arrow_read", path, "TO", "", "1"))
    assert group.equals(table.slice(1000, 1000).combine_chunks()) and size < 12 * data.MIB
