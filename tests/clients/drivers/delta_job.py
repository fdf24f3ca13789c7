"""Run as a program, one step at a time: deltalake's and pyarrow's certificates are those of the process.

`delta_job.py STEP ARGUMENTS`: what to connect to comes from the environment, the result is printed as JSON. Tables go
in and out as local Parquet files, so that what is expected is said by the test alone.
"""

import concurrent.futures
import json
import os
import sys

import pyarrow.fs
import pyarrow.parquet as parquet
from deltalake import CommitProperties, DeltaTable, write_deltalake

ENDPOINT, REGION, CA = os.environ["ENDPOINT"], os.environ["AWS_REGION"], os.environ.get("SSL_CERT_FILE")
CREDENTIAL = {"access_key": os.environ["AWS_ACCESS_KEY_ID"], "secret_key": os.environ["AWS_SECRET_ACCESS_KEY"]}
STORAGE = {
    "AWS_ENDPOINT_URL": ENDPOINT,
    "AWS_ALLOW_HTTP": "true",
    "AWS_REGION": REGION,
    "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "false",
    "AWS_ACCESS_KEY_ID": CREDENTIAL["access_key"],
    "AWS_SECRET_ACCESS_KEY": CREDENTIAL["secret_key"],
    "aws_conditional_put": "etag",
}


def table(uri: str, version: str | None = None) -> DeltaTable:
    """The table, as it is or as it was."""
    return DeltaTable(uri, version=None if version is None else int(version), storage_options=STORAGE)


def append(uri: str, *files: str) -> int:
    """One commit for every file; the table's version then."""
    for file in files:
        write_deltalake(uri, parquet.read_table(file), mode="append", storage_options=STORAGE)
    return table(uri).version()


def append_at_once(uri: str, *files: str) -> None:
    """As many writers as files; who comes second in the race for a version tries again."""
    patient = CommitProperties(max_commit_retries=200)

    def commit(rows):
        write_deltalake(uri, rows, mode="append", storage_options=STORAGE, commit_properties=patient)

    with concurrent.futures.ThreadPoolExecutor(len(files)) as pool:
        list(pool.map(commit, [parquet.read_table(file) for file in files]))


def overwrite(uri: str, file: str) -> int:
    """A commit that replaces all rows."""
    write_deltalake(uri, parquet.read_table(file), mode="overwrite", storage_options=STORAGE)
    return table(uri).version()


def read(uri: str, to: str, version: str | None = None) -> int:
    """All rows of a version into a local file."""
    there = table(uri, version)
    parquet.write_table(there.to_pyarrow_table(), to)
    return there.version()


def compact(uri: str) -> dict:
    """Many small files become one; what was replaced is removed for good, and the log is summed up."""
    metrics = table(uri).optimize.compact()
    removed = table(uri).vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
    table(uri).create_checkpoint()
    return {"added": metrics["numFilesAdded"], "removed": metrics["numFilesRemoved"], "vacuumed": len(removed)}


def delete(uri: str, predicate: str) -> int:
    """Deletes rows: files are rewritten without them."""
    return table(uri).delete(predicate)["num_deleted_rows"]


def arrow() -> pyarrow.fs.S3FileSystem:
    """pyarrow's own file system, over the AWS SDK for C++."""
    scheme, authority = ENDPOINT.split("://")
    certificate = {"tls_ca_file_path": CA} if CA else {}
    # Its own patience with a slow answer is three seconds.
    return pyarrow.fs.S3FileSystem(
        **CREDENTIAL, **certificate, region=REGION, scheme=scheme, endpoint_override=authority, request_timeout=60
    )


def arrow_write(file: str, path: str) -> None:
    """A Parquet file of many row groups, written as a stream."""
    parquet.write_table(parquet.read_table(file), path, filesystem=arrow(), row_group_size=1000)


def arrow_footer(path: str) -> dict:
    """Only what the footer says."""
    footer = parquet.read_metadata(path, filesystem=arrow())
    return {"rows": footer.num_rows, "groups": footer.num_row_groups, "columns": footer.schema.names}


def arrow_read(path: str, to: str, columns: str = "", groups: str = "") -> None:
    """Some columns of some row groups (all by default), into a local file."""
    file = parquet.ParquetFile(path, filesystem=arrow(), pre_buffer=True)
    chosen = [int(group) for group in groups.split(",")] if groups else range(file.num_row_groups)
    parquet.write_table(file.read_row_groups(list(chosen), columns=columns.split(",") if columns else None), to)


def arrow_files(path: str) -> dict[str, int]:
    """Every file below, with its size."""
    found = arrow().get_file_info(pyarrow.fs.FileSelector(path, recursive=True))
    return {info.path: info.size for info in found if info.type == pyarrow.fs.FileType.File}


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]](*sys.argv[2:])), flush=True)
    # The threads of pyarrow's and deltalake's clients may abort an interpreter that ends under them.
    os._exit(0)
