"""The differences that are meant, each with its reason. Nothing else may differ.

The measure is S3 itself (AWS's documentation): where a backend strays from it, the proxy does not follow. Where the proxy
strays, docs/SEMANTICS.md says so.
"""

from compare import Meant

_SEALED = "every sealed object says so, whatever its backend does"
_REPLICATED = "the sites are copies of each other, and S3 tells of an object's replication"
_CHECKED = "what the client sent was verified and is kept, also where the backend knows nothing of checksums"
_OWN_HEADER = "a header of the backend's own"
_REGION = "the region is the proxy's, whatever its sites' are"
_NAMES = "a name that cannot be a bucket's is called so, as on S3"
_LIMIT = "S3's limit on user metadata, which the backend does not have"
_ENCODED = "user metadata beyond ASCII comes back in the form of RFC 2047, as from S3"
_NUMBERS = "S3 takes whole numbers that are not negative, and nothing else"
_RFC_CONDITIONS = "RFC 9110, section 13: the backend takes `*` for an ETag, or forgets the ETag of a 304"
_POLICY_CODE = "a bad policy has a code of its own on S3"
_ANONYMOUS = "nobody is anonymous: the storage does not decide who reads plaintext (docs/SEMANTICS.md)"
_CORS = "S3's own codes, methods and `*`; pages of a named origin may send credentials"
_FRAMING = "the framing of a request is checked to its end, and no part of the object"
_UNSIGNED = "trap 16: x-amz-* headers that a signature does not cover are refused"


def _rgw(reason: str, field: str, case: str = "*") -> Meant:
    return Meant(reason, field, case, "rgw")


def _localstack(reason: str, field: str, case: str = "*") -> Meant:
    return Meant(reason, field, case, "localstack")


_EVERYWHERE = [
    Meant(_SEALED, "*.ServerSideEncryption"),
    Meant(_SEALED, "*.headers.x-amz-server-side-encryption"),
    Meant(_REPLICATED, "*.ReplicationStatus"),
    Meant(_REPLICATED, "*.headers.x-amz-replication-status"),
    Meant(_CHECKED, "*.Checksum*"),
    Meant(_CHECKED, "*.headers.x-amz-checksum-*"),
    Meant(_REGION, "*.BucketRegion"),
    Meant(_REGION, "*.headers.x-amz-bucket-region"),
    Meant(_REGION, "*.LocationConstraint"),
    Meant(_REGION, "*create_bucket.answer", "buckets.location_constraint"),
    Meant("what is no XML is MalformedXML", "*.PUT.answer", "buckets.location_constraint"),
    Meant(_NAMES, "*.answer", "buckets.bad_name.*"),
    Meant(_LIMIT, "*.answer", "metadata.size.*beyond"),
    Meant(_ENCODED, "*.headers.x-amz-meta-meta1", "metadata.user_value.*"),
    Meant(_NUMBERS, "*.answer", "listings.bad_value.*"),
    Meant(_NUMBERS, "*.answer", "listings.asked.negative"),
    Meant(_RFC_CONDITIONS, "*.answer", "conditions.of_a_read.*_any"),
    Meant(_RFC_CONDITIONS, "*.headers.etag", "conditions.of_a_read.*"),
    Meant("S3's words for a key beyond 1,024 bytes", "*", "keys.key.too_long"),
    Meant("XML 1.0 has no such character: the backend breaks over it", "*.answer", "keys.key.bell"),
    Meant("S3 says where a new bucket or object is", "*.Location"),
    Meant("S3 says where a new bucket or object is", "*.headers.location"),
    Meant("a decoder gets the same prefix, and so does boto3, which decodes it not", "*.list_objects.Prefix"),
    Meant(_ANONYMOUS, "*.answer", "anonymous.*"),
    Meant(_CORS, "*.answer", "cors.of_no_bucket"),
    Meant(_CORS, "*.headers.access-control-allow-*", "cors.*"),
    Meant(_CORS, "*.headers.access-control-expose-headers", "cors.*"),
    Meant(_CORS, "*.headers.vary", "cors.*"),
    Meant(_FRAMING, "*.answer", "chunked.*"),
    Meant(_FRAMING, "*ontent*ncoding", "chunked.*"),
]

_RGW = [
    _rgw(_OWN_HEADER, "*.headers.x-rgw-*"),
    _rgw("Ceph says it of every answer, S3 of GET and HEAD", "*.headers.accept-ranges"),
    _rgw("S3 gives every object a type", "*.headers.content-type", "metadata.content_header.content_type_empty"),
    _rgw("Ceph makes - of _", "*.Metadata.a*b", "metadata.names"),
    _rgw("Ceph 16 compares the quotes of an ETag, too", "*", "conditions.of_a_write.match"),
    _rgw("Ceph 16 compares the quotes of an ETag, too", "*", "conditions.of_a_write.none_match"),
    _rgw("Ceph 16 compares the quotes of an ETag, too", "*", "conditions.of_the_last_write"),
    _rgw("no ETag matches what is not there", "*", "conditions.of_a_write.none_match_other"),
    _rgw("a date that is none is ignored (RFC 9110, section 13.1.3)", "*.answer", "conditions.of_a_read.no_date"),
    _rgw("Ceph 16 knows nothing of If-Range", "*", "ranges.if_range"),
    _rgw("Ceph reads ranges that RFC 9110 does not have", "*", "ranges.of_eleven_bytes.*"),
    _rgw("Ceph 16 knows nothing of part numbers on reads", "*", "ranges.part_numbers"),
    _rgw("DeleteObjects needs keys, 1,000 at most, in XML", "*.answer", "objects.*many_removed*"),
    _rgw("S3 has no such operation", "*.answer", "objects.nothing_there.*post*"),
    _rgw("Ceph's code for what S3 calls AccessForbidden and BadRequest", "*.OPTIONS.answer", "cors.*"),
    _rgw(_POLICY_CODE, "*.form.answer", "forms.*"),
    _rgw("a policy need not name the bucket (docs/SEMANTICS.md)", "*", "forms.condition.no_bucket_*"),
    _rgw("sizes in a policy are numbers", "*", "forms.condition.size_as_text_*"),
    _rgw("S3 says what was stored", "*.form.headers.etag"),
    _rgw("Ceph writes its answer without an XML declaration", "*.form.body", "forms.answer.created_*"),
    _rgw(_UNSIGNED, "*", "presigned.with_headers_added"),
    _rgw(_UNSIGNED, "*", "signatures.unsigned_header_added"),
    _rgw("S3 has a code of its own for it", "*.answer", "signatures.authorization.*"),
    _rgw("S3 has a code of its own for it", "*.answer", "signatures.content_*"),
    _rgw("S3 has a code of its own for it", "*.answer", "presigned.with_parameters_changed"),
    _rgw("a date before all computers is none", "*.answer", "signatures.amz_date.before_1970"),
]

_LOCALSTACK = [
    _localstack(_OWN_HEADER, "*.headers.x-localstack"),
    _localstack("LocalStack fails over what it does not understand", "*.answer", "buckets.put_on_the_root"),
    _localstack("LocalStack fails over what it does not understand", "*.answer", "objects.nothing_there.*"),
    _localstack("LocalStack fails over what it does not understand", "*.answer", "objects.many_removed_is_bad_xml"),
    _localstack("LocalStack fails over what it does not understand", "*.answer", "conditions.of_a_read.*date*"),
    _localstack("LocalStack fails over an Expires that is no date", "*", "metadata.content_header.expires*"),
    _localstack("LocalStack fails over an Expires that is no date", "*", "metadata.overrides"),
    _localstack("S3 wants a method; a `*` may stand for nothing, and names have no case", "*.answer", "cors.preflight.*"),
    _localstack("an ETag in If-None-Match, and * in If-Match, are taken as Ceph does", "*", "conditions.of_a_write.*"),
    _localstack("If-Match silences If-Unmodified-Since (RFC 9110, section 13.2.2)", "*", "conditions.of_a_read.match_and_*"),
    _localstack("LocalStack ignores dates that are to come", "*.answer", "conditions.of_a_read.modified_since_later"),
    _localstack("LocalStack takes max-keys=0 for none, and does not cut it to 1,000", "*", "listings.asked.none"),
    _localstack("LocalStack takes max-keys=0 for none, and does not cut it to 1,000", "*.MaxKeys", "listings.asked.thousands"),
    _localstack("the next marker is told without a delimiter, too, as Ceph does", "*.list_objects.NextMarker"),
    _localstack("LocalStack takes a last page of prefixes for truncated", "*", "listings.paged.*"),
    _localstack("S3 repeats what it was asked", "*.StartAfter"),
    _localstack("Ceph's allow-unordered", "*.answer", "listings.unordered_with_a_delimiter"),
    _localstack("LocalStack keeps objects in files, of which / is none", "*", "keys.key.only_slash"),
    _localstack("LocalStack does not limit it", "*", "objects.too_many_removed"),
    _localstack("part numbers are from 1 to 10,000", "*.answer", "ranges.part_numbers"),
    _localstack("RFC 9110, section 14: what is no range is ignored, and none of nothing is", "*", "ranges.of_eleven_bytes.*"),
    _localstack("RFC 9110, section 14: what is no range is ignored, and none of nothing is", "*", "objects.empty"),
    _localstack("LocalStack knows nothing of If-Range", "*", "ranges.if_range"),
]

MEANT: list[Meant] = [*_EVERYWHERE, *_RGW, *_LOCALSTACK]
