"""s5cmd."""

import json
import re

from .base import CommandDriver


class S5cmd(CommandDriver):
    """Written in Go on the AWS SDK v1; very parallel. A copy gets the content type it guesses from the name."""

    name = "s5cmd"
    program = "s5cmd"
    copies_content_type = False

    def environment(self):
        target = self.target
        settings = {
            "AWS_ACCESS_KEY_ID": target.access_key_id,
            "AWS_SECRET_ACCESS_KEY": target.secret_access_key,
            "AWS_REGION": target.region,
            "AWS_EC2_METADATA_DISABLED": "true",
            "S3_ENDPOINT_URL": target.endpoint,
        }
        if target.ca:
            settings["SSL_CERT_FILE"] = str(target.ca)
        return {**super().environment(), **settings}

    def run(self, *arguments, **options):
        return super().run("--retry-count", 1, "--numworkers", 8, *arguments, **options)

    def put(self, source, bucket, key, content_type=None, metadata=None):
        extra = ["--content-type", content_type] if content_type else []
        for name, value in (metadata or {}).items():
            extra += ["--metadata", f"{name}={value}"]
        self.run("cp", "--raw", "--part-size", 8, *extra, source, f"s3://{bucket}/{key}")

    def get(self, bucket, key, destination):
        self.run("cp", "--raw", "--part-size", 8, f"s3://{bucket}/{key}", destination)

    def sizes(self, bucket, prefix=""):
        said = self.run("--json", "ls", f"s3://{bucket}/{prefix}*")
        entries = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
        start = f"s3://{bucket}/"
        return {entry["key"].removeprefix(start): entry.get("size", 0) for entry in entries if "etag" in entry}

    def copy(self, bucket, key, to_bucket, to_key):
        self.run("cp", "--raw", f"s3://{bucket}/{key}", f"s3://{to_bucket}/{to_key}")

    def delete(self, bucket, key):
        self.run("rm", "--raw", f"s3://{bucket}/{key}")

    def sync_up(self, folder, bucket, prefix):
        return _transfers(self.run("sync", f"{folder}/", f"s3://{bucket}/{prefix}"))

    def sync_down(self, bucket, prefix, folder):
        return _transfers(self.run("sync", f"s3://{bucket}/{prefix}*", f"{folder}/"))

    def presign(self, bucket, key):
        return self.run("presign", f"s3://{bucket}/{key}").strip()


def _transfers(said: str) -> int:
    return len(re.findall(r"^cp ", said, re.M))
