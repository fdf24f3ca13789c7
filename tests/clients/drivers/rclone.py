"""rclone, a current one, with the provider `Other`."""

import json

from .base import CommandDriver


class Rclone(CommandDriver):
    """Compares size, modification time (in its own metadata) and MD5."""

    name = "rclone"
    program = "rclone"

    def run(self, *arguments, **options):
        target = self.target
        config = self.folder / "rclone.conf"
        lines = {
            "type": "s3",
            "provider": "Other",
            "access_key_id": target.access_key_id,
            "secret_access_key": target.secret_access_key,
            "region": target.region,
            "endpoint": target.endpoint,
        }
        text = "\n".join(f"{name} = {value}" for name, value in lines.items())
        config.write_text(f"[s3]\n{text}\n")
        certificate = ["--ca-cert", target.ca] if target.ca else []
        limits = ["--retries", 1, "--low-level-retries", 2, "--s3-upload-cutoff", "16M", "--s3-chunk-size", "8M"]
        return super().run("--config", config, *limits, *certificate, *arguments, **options)

    def put(self, source, bucket, key, content_type=None, metadata=None):
        extra = ["--header-upload", f"Content-Type: {content_type}"] if content_type else []
        for name, value in (metadata or {}).items():
            extra += ["--metadata-set", f"{name}={value}"]
        extra += ["--metadata"] if metadata else []
        self.run("copyto", source, f"s3:{bucket}/{key}", *extra)

    def get(self, bucket, key, destination):
        self.run("copyto", f"s3:{bucket}/{key}", destination)

    def sizes(self, bucket, prefix=""):
        said = self.run("lsjson", "--recursive", "--files-only", f"s3:{bucket}/{prefix}")
        return {prefix + entry["Path"]: entry["Size"] for entry in json.loads(said)}

    def copy(self, bucket, key, to_bucket, to_key):
        self.run("copyto", f"s3:{bucket}/{key}", f"s3:{to_bucket}/{to_key}")

    def delete(self, bucket, key):
        self.run("deletefile", f"s3:{bucket}/{key}")

    def sync_up(self, folder, bucket, prefix):
        return self.sync(folder, f"s3:{bucket}/{prefix}")

    def sync_down(self, bucket, prefix, folder):
        return self.sync(f"s3:{bucket}/{prefix}", folder)

    def sync(self, source, destination) -> int:
        """`rclone sync`; the transfers of its closing statistics."""
        said = self.run("sync", "--use-json-log", "-v", source, destination)
        records = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
        return [record["stats"]["transfers"] for record in records if "stats" in record][-1]

    def check(self, folder, bucket, prefix, *options) -> str:
        """`rclone check`: fails when anything differs."""
        return self.run("check", folder, f"s3:{bucket}/{prefix}", *options)

    def presign(self, bucket, key):
        # A notice about the lifetime precedes the URL.
        return self.run("link", f"s3:{bucket}/{key}").split()[-1]
