"""boto3: its own transfer manager, and the one of the AWS Common Runtime (CRT)."""

import functools

import awscrt.auth
import boto3.s3.transfer
import botocore.config
import botocore.session
import s3transfer.crt
from common.data import MIB, read_tree
from common.wait import until

from .base import Driver


class Boto3(Driver):
    """boto3 as it comes; requests are signed and checksums made by awscrt, which is installed."""

    name = "boto3"

    @functools.cached_property
    def s3(self):
        """The client."""
        return self.target.s3()

    def put(self, source, bucket, key, content_type=None, metadata=None):
        extra = {"ContentType": content_type} if content_type else {}
        if metadata:
            extra["Metadata"] = metadata
        self.upload(source, bucket, key, extra)

    def upload(self, source, bucket, key, extra):
        """The transfer manager's upload: multipart from 8 MiB."""
        config = boto3.s3.transfer.TransferConfig(preferred_transfer_client="classic")
        self.s3.upload_file(str(source), bucket, key, ExtraArgs=extra, Config=config)

    def get(self, bucket, key, destination):
        config = boto3.s3.transfer.TransferConfig(preferred_transfer_client="classic")
        self.s3.download_file(bucket, key, str(destination), Config=config)

    def sizes(self, bucket, prefix=""):
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return {entry["Key"]: entry["Size"] for page in pages for entry in page.get("Contents", [])}

    def copy(self, bucket, key, to_bucket, to_key):
        self.s3.copy({"Bucket": bucket, "Key": key}, to_bucket, to_key)

    def delete(self, bucket, key):
        self.s3.delete_object(Bucket=bucket, Key=key)

    def sync_up(self, folder, bucket, prefix):
        """boto3 has no sync: the same by hand, by size."""
        there, moved = self.sizes(bucket, prefix), 0
        for name, content in read_tree(folder).items():
            if there.get(prefix + name) != len(content):
                self.put(folder / name, bucket, prefix + name)
                moved += 1
        return moved

    def sync_down(self, bucket, prefix, folder):
        here, moved = read_tree(folder), 0
        for key, size in self.sizes(bucket, prefix).items():
            name = key.removeprefix(prefix)
            if len(here.get(name, b"")) != size or name not in here:
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                self.get(bucket, key, folder / name)
                moved += 1
        return moved

    def presign(self, bucket, key):
        # By default boto3 still makes V2 URLs in us-east-1, which S3 refuses for buckets made since 2020.
        s3 = self.target.s3(signature_version="s3v4")
        return s3.generate_presigned_url("get_object", {"Bucket": bucket, "Key": key}, ExpiresIn=300)


class Boto3Crt(Boto3):
    """Transfers by the CRT's S3 client: parallel ranged GETs that check ETags, multipart with checksums."""

    name = "boto3-crt"

    @functools.cached_property
    def manager(self):
        """The CRT transfer manager. boto3's own wrapping can't be given a CA or a plain-HTTP endpoint."""
        target = self.target
        session = botocore.session.Session()
        session.set_credentials(target.access_key_id, target.secret_access_key)
        provider = awscrt.auth.AwsCredentialsProvider.new_static(target.access_key_id, target.secret_access_key)
        client = s3transfer.crt.create_s3_crt_client(
            target.region,
            crt_credentials_provider=provider,
            part_size=8 * MIB,
            use_ssl=target.tls,
            verify=str(target.ca) if target.ca else None,
        )
        path_style = botocore.config.Config(s3={"addressing_style": "path"})
        arguments = {"region_name": target.region, "endpoint_url": target.endpoint, "config": path_style}
        serializer = s3transfer.crt.BotocoreCRTRequestSerializer(session, arguments)
        return s3transfer.crt.CRTTransferManager(client, serializer)

    def upload(self, source, bucket, key, extra):
        self.manager.upload(str(source), bucket, key, extra_args=extra).result()

    def get(self, bucket, key, destination):
        self.manager.download(bucket, key, str(destination)).result()
        # The temporary file gets its name in a callback, after the result is there.
        until(destination.exists, f"{destination} is there")
