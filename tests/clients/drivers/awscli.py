"""awscli v1 (`aws s3`, `aws s3api`)."""

import json
import re

from .base import CommandDriver


class AwsCli(CommandDriver):
    """What most people type."""

    name = "awscli"
    program = "aws"

    def environment(self):
        config = self.folder / "aws.conf"
        # Without `signature_version` awscli v1 still makes V2 presigned URLs in us-east-1 (see test_bad_input.py).
        config.write_text("[default]\ns3 =\n    addressing_style = path\n    signature_version = s3v4\n")
        target = self.target
        settings = {
            "AWS_ACCESS_KEY_ID": target.access_key_id,
            "AWS_SECRET_ACCESS_KEY": target.secret_access_key,
            "AWS_DEFAULT_REGION": target.region,
            "AWS_ENDPOINT_URL": target.endpoint,
            "AWS_CONFIG_FILE": str(config),
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_MAX_ATTEMPTS": "2",
        }
        if target.ca:
            settings["AWS_CA_BUNDLE"] = str(target.ca)
        return {**super().environment(), **settings}

    def put(self, source, bucket, key, content_type=None, metadata=None):
        extra = ["--content-type", content_type] if content_type else []
        extra += ["--metadata", json.dumps(metadata)] if metadata else []
        self.run("s3", "cp", source, f"s3://{bucket}/{key}", *extra)

    def get(self, bucket, key, destination):
        self.run("s3", "cp", f"s3://{bucket}/{key}", destination)

    def sizes(self, bucket, prefix=""):
        said = self.run("s3api", "list-objects-v2", "--bucket", bucket, "--prefix", prefix, "--output", "json")
        listed = json.loads(said or "{}").get("Contents", [])
        return {entry["Key"]: entry["Size"] for entry in listed}

    def copy(self, bucket, key, to_bucket, to_key):
        self.run("s3", "cp", f"s3://{bucket}/{key}", f"s3://{to_bucket}/{to_key}")

    def delete(self, bucket, key):
        self.run("s3", "rm", f"s3://{bucket}/{key}")

    def sync_up(self, folder, bucket, prefix):
        return _transfers(self.run("s3", "sync", folder, f"s3://{bucket}/{prefix}", "--no-progress"))

    def sync_down(self, bucket, prefix, folder):
        return _transfers(self.run("s3", "sync", f"s3://{bucket}/{prefix}", folder, "--no-progress"))

    def presign(self, bucket, key):
        return self.run("s3", "presign", f"s3://{bucket}/{key}").strip()


def _transfers(said: str) -> int:
    return len(re.findall(r"^(?:upload|download|copy): ", said, re.M))
