"""Multipart uploads that nobody ends: the proxy aborts them at every site after `uploads.abandoned_after`."""

from common.data import FIVE_MIB, content
from common.wait import until
from s3errors import error_of


def swept(proxy) -> float:
    """`strongroom_uploads_swept_total`."""
    lines = proxy.metrics().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("strongroom_uploads_swept_total "))


def test_an_abandoned_upload_leaves_nothing_at_any_site(pool, start_proxy):
    sites = pool.sites("embedded")
    proxy = start_proxy(sites, uploads={"abandoned_after": "5s"})
    s3, bucket = proxy.s3(), "t-abandoned-uploads"
    s3.create_bucket(Bucket=bucket)
    where = {"Bucket": bucket, "Key": "k"}
    where["UploadId"] = s3.create_multipart_upload(**where)["UploadId"]
    s3.upload_part(**where, PartNumber=1, Body=content(FIVE_MIB))
    s3.upload_part(**where, PartNumber=2, Body=b"staged")
    until(lambda: swept(proxy) == 1, "the upload was swept", 30)
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)
    assert error_of(s3.list_parts, **where) == ("NoSuchUpload", 404)
    for site in sites:
        raw = site.s3()
        assert "Uploads" not in raw.list_multipart_uploads(Bucket=site.raw_bucket(bucket))
        system = site.raw_bucket(proxy.settings.system_bucket)
        assert "Contents" not in raw.list_objects_v2(Bucket=system, Prefix="staging/")
    s3.delete_bucket(Bucket=bucket)
