"""s3cmd."""

import re

from .base import CommandDriver


class S3cmd(CommandDriver):
    """Verifies MD5 ETags itself; signs with V4; its presigned URLs are V2 only, which we do not serve."""

    name = "s3cmd"
    program = "s3cmd"
    presigns = False

    def run(self, *arguments, **options):
        target = self.target
        config = self.folder / "s3cmd.conf"
        lines = {
            "access_key": target.access_key_id,
            "secret_key": target.secret_access_key,
            "bucket_location": target.region,
            "host_base": target.authority,
            "host_bucket": target.authority,
            "use_https": target.tls,
            "ca_certs_file": target.ca or "",
            "check_ssl_certificate": True,
            "check_ssl_hostname": True,
            "max_retries": 2,
            "use_mime_magic": False,
            "guess_mime_type": False,
            "default_mime_type": "binary/octet-stream",
        }
        text = "\n".join(f"{name} = {value}" for name, value in lines.items())
        config.write_text(f"[default]\n{text}\n")
        return super().run("--config", config, "--no-progress", *arguments, **options)

    def put(self, source, bucket, key, content_type=None, metadata=None):
        extra = ["--mime-type", content_type] if content_type else []
        for name, value in (metadata or {}).items():
            extra += ["--add-header", f"x-amz-meta-{name}:{value}"]
        self.run(*extra, "put", source, f"s3://{bucket}/{key}")

    def get(self, bucket, key, destination):
        self.run("--force", "get", f"s3://{bucket}/{key}", destination)

    def sizes(self, bucket, prefix=""):
        said = self.run("ls", "--recursive", f"s3://{bucket}/{prefix}")
        found = re.findall(rf"^\S+ +\S+ +(\d+) +s3://{bucket}/(.*)$", said, re.M)
        return {key: int(size) for size, key in found}

    def copy(self, bucket, key, to_bucket, to_key):
        self.run("cp", f"s3://{bucket}/{key}", f"s3://{to_bucket}/{to_key}")

    def delete(self, bucket, key):
        self.run("del", f"s3://{bucket}/{key}")

    def sync_up(self, folder, bucket, prefix):
        return _transfers(self.run("sync", f"{folder}/", f"s3://{bucket}/{prefix}"))

    def sync_down(self, bucket, prefix, folder):
        return _transfers(self.run("sync", f"s3://{bucket}/{prefix}", f"{folder}/"))


def _transfers(said: str) -> int:
    return len(re.findall(r"^(?:upload|download): '", said, re.M))
