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
_NOT_SERVED = "SSE-C and KMS keys are refused (docs/SEMANTICS.md)"
_NO_CHECKSUMS = "Ceph 16 knows nothing of checksums, which the proxy checks itself"
_MOVES_NOTHING = "a copy from 5 MiB on moves no data, and keeps its source's ETag (docs/SEMANTICS.md)"
_SITES_OWN = "a bucket's default encryption is the site's, around what is sealed already"
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
    Meant(_RFC_CONDITIONS, "*.headers.etag", "conditions.of_its_own_date"),
    Meant(_RFC_CONDITIONS, "*.answer", "metadata.of_a_read_and_its_range"),
    Meant(_NUMBERS, "*.answer", "multipart.page_size_of_parts.*"),
    Meant(_NUMBERS, "*.answer", "buckets.listed_with_a_bad_page_size.*"),
    Meant(_SITES_OWN, "*.SSEKMSKeyId", "configuration.encryption_by_a_kms"),
    Meant(_SITES_OWN, "*.BucketKeyEnabled", "configuration.encryption_by_a_kms"),
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
    Meant(_MOVES_NOTHING, "*.ETag", "copies.of_an_object_in_parts"),
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
    _rgw(_POLICY_CODE, "*.form.answer", "forms.expiration.*"),
    _rgw(_POLICY_CODE, "*.form.answer", "forms.conditions.*"),
    _rgw(_POLICY_CODE, "*.form.answer", "forms.condition.size_*"),
    _rgw(_POLICY_CODE, "*.form.answer", "forms.condition.unknown_operator_*"),
    _rgw("S3 has a code of its own for it", "*.form.answer", "forms.signature_*"),
    _rgw("what the policy forbids is denied before anything else is looked at", "*.form.answer", "forms.field.no_key_*"),
    _rgw("a signature is that of a policy", "*.form.answer", "forms.field.no_policy_*"),
    _rgw("S3 has a code of its own for it", "*.form.answer", "forms.tags.*"),
    _rgw("S3 ignores a redirect that is no address", "*.form.answer", "forms.*redirect*"),
    _rgw("sizes in a policy are numbers", "*", "forms.condition.size_as_text_*"),
    _rgw("S3 says what was stored", "*.form.headers.etag"),
    _rgw("Ceph writes its answer without an XML declaration", "*.form.body", "forms.answer.created_*"),
    _rgw(_UNSIGNED, "*", "presigned.with_headers_added"),
    _rgw(_UNSIGNED, "*", "signatures.unsigned_header_added"),
    _rgw("S3 has a code of its own for it", "*.answer", "signatures.authorization.*"),
    _rgw("S3 has a code of its own for it", "*.answer", "signatures.content_*"),
    _rgw("S3 has a code of its own for it", "*.answer", "presigned.with_parameters_changed"),
    _rgw("a date before all computers is none", "*.answer", "signatures.amz_date.before_1970"),
    _rgw("Ceph 16 has no GetObjectAttributes", "*.get_object_attributes.answer"),
    _rgw("Ceph 16 has no GetObjectAttributes", "*", "attributes.*"),
    _rgw("Ceph forgets the quotes of an ETag", "*.Copy*Result.ETag"),
    _rgw("Ceph's answer to Complete has no ETag where boto3 looks for it", "*.complete_multipart_upload.ETag"),
    _rgw("Ceph's answer to Complete has no ETag where boto3 looks for it", "*.note.same", "multipart.completed_twice"),
    _rgw(_NO_CHECKSUMS, "*", "checksums.*"),
    _rgw(_NO_CHECKSUMS, "*", "multipart.*checksum*"),
    _rgw(_NO_CHECKSUMS, "*", "multipart.size_told_to_complete.wrong"),
    _rgw("a storage class that is named is a change", "*", "copies.onto_itself"),
    _rgw("Ceph 16 forgets the redirect of a copy", "*.WebsiteRedirectLocation", "copies.*"),
    _rgw("Ceph 16 knows nothing of x-amz-tagging-directive", "*", "copies.tags.*"),
    _rgw("Ceph 16 copies whatever the condition says", "*", "*copie*.under_a_condition.*"),
    _rgw("Ceph 16 copies whatever the condition says", "*", "multipart.parts_are_copied_under_a_condition.*"),
    _rgw("a copy source is a bucket, a key, and perhaps a version", "*", "copies.source.*"),
    _rgw("Ceph 16 tells no version of a copy", "*.CopySourceVersionId"),
    _rgw("Ceph 16 tells no version of a copy", "*.copy_object.VersionId"),
    _rgw("Ceph 16 locks no copies, and takes over an ETag with a dash", "*.head_object.*", "locks.parts_and_copies*"),
    _rgw(_NOT_SERVED, "*.answer", "encryption.*"),
    _rgw("S3 is not asked for encryption on reads, by another code", "*.answer", "encryption.asked_for_on_reads"),
    _rgw("the id of a rule that was given none is drawn anew", "*.Expiration", "configuration.lifecycle.no_id"),
    _rgw("S3 names the owner of an upload", "*.list_parts.Initiator.*"),
    _rgw("S3 names the owner of an upload", "*.list_parts.Owner.*"),
    _rgw("Ceph 16 leaves out of this listing what S3 repeats and folds", "*.list_multipart_uploads.*"),
    _rgw("Ceph 16 knows nothing of part numbers on reads", "*", "multipart.one_small_part"),
    _rgw("Ceph 16 knows nothing of part numbers on reads", "*", "multipart.ranges_and_parts_are_read"),
    _rgw("part numbers are from 1 to 10,000", "*", "multipart.part_number.*"),
    _rgw("parts are named in order", "*.answer", "multipart.out_of_order"),
    _rgw("an upload that is not there has a code of its own on S3", "*.answer", "multipart.aborted"),
    _rgw("an upload that is not there has a code of its own on S3", "*.answer", "multipart.unknown_upload"),
    _rgw("an upload that is not there has a code of its own on S3", "*.answer", "multipart.of_another_key"),
    _rgw("Ceph 16 ignores conditions on Complete, so they are refused", "*", "multipart.completed_under_a_condition.*"),
    _rgw("a range of another form is an InvalidArgument", "*.answer", "multipart.copied_range.*"),
    _rgw("Ceph 16 drops these fields of a form, which S3 keeps or checks", "*", "forms.further_field.*"),
    _rgw("an upload that is not there has a code of its own on S3", "*.answer", "multipart.life"),
    _rgw("what has no body needs no length", "*.answer", "objects.without_a_body_or_a_length"),
    _rgw("S3 joins a header that comes twice, also in the signature", "*", "objects.repeated_headers.*"),
    _rgw("XML is called so", "*.headers.content-type", "objects.head_of_a_bucket"),
    _rgw("a torrent of sealed bytes is not served, in S3's words", "*.answer", "objects.torrent_restore_select"),
    _rgw("half a second is no number of seconds", "*.answer", "presigned.expires_that_is_no_number.*"),
    _rgw("S3 says how keys are encoded, and encodes no slash", "*", "versioning.listed.encoded"),
    _rgw("XML is called so", "*.headers.content-type", "buckets.configuration_that_says_nothing.*"),
    _rgw("a configuration that says nothing asks for nothing", "*.answer", "buckets.configuration_that_says_nothing.*"),
    _rgw("S3 has no condition of both at once", "*.answer", "conditions.of_a_write_both_at_once"),
    _rgw("RFC 9110, sections 8.8 and 13.1: ETags in lists, and weak ones", "*.answer", "conditions.of_several_etags"),
    _rgw("a 304 has the ETag that a 200 would have had", "*.headers.etag", "conditions.with_a_range"),
    _rgw("the region is the proxy's; its sites are only asked whether the bucket is there", "*.get_bucket_location.answer", "configuration.policy_that_denies.*"),
    _rgw("what the proxy encrypts, sites are not asked to encrypt (docs/SEMANTICS.md)", "*.PUT.answer", "configuration.policy_about_a_header.*encrypt*"),
    _rgw("whether the source is there comes before the class of the copy", "*.copy_object.answer", "copies.keeps_and_changes_the_class"),
    _rgw("Ceph 16 ignores conditions on copies", "*", "copies.onto_something_under_a_condition.*"),
    _rgw("S3 ignores the body of a copy, and of a delete", "*.answer", "copies.with_a_body"),
    _rgw("S3 ignores the body of a copy, and of a delete", "*.answer", "objects.a_body_where_none_belongs.*"),
    _rgw("Ceph 16 locks no copies", "*.head_object.ObjectLock*", "locks.what_is_on_hold_is_copied_and_overwritten"),
    _rgw(_NO_CHECKSUMS, "*.POST.answer", "multipart.begun_with_headers_that_are_wrong"),
    _rgw("S3 takes no address that is no UTF-8", "*.answer", "objects.key_that_is_no_text.*"),
    _rgw("Ceph 16 ignores conditions on deletes, so they are refused", "*", "removals.*under*condition*"),
    _rgw("Ceph 16 knows nothing of part numbers on reads", "*.get_object.answer", "versioning.parts_and_copies_of_versions"),
    _rgw("a version-id marker cannot be empty", "*.answer", "versioning.markers_that_are_none"),
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
    _localstack("LocalStack takes max-keys=0 for none, and does not cut it to 1,000", "*.MaxKeys", "versioning.listed.none"),
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
    Meant("LocalStack fails over what it does not understand", "*.answer", backend="localstack", direct="500 *"),
    Meant("LocalStack's code for what it does not have", "*.answer", backend="localstack", direct="501 InternalFailure"),
    _localstack("S3 wants to be told which attributes", "*.GET.answer", "attributes.of_an_object"),
    _localstack("LocalStack takes a checksum that is none", "*", "checksums.wrong.*"),
    _localstack("LocalStack takes a checksum that is none", "*", "checksums.unknown_algorithm"),
    _localstack("LocalStack takes another checksum than was announced", "*", "checksums.another_than_announced"),
    _localstack("LocalStack takes any class and directive", "*", "copies.metadata*none"),
    _localstack("LocalStack ignores dates that are to come", "*", "copies.under_a_condition.not_modified"),
    _localstack("If-Match silences If-Unmodified-Since", "*", "copies.under_a_condition.match_and_not_unmodified"),
    _localstack("an old version is restored by a copy onto itself", "*", "copies.of_a_version"),
    _localstack("a copy source is a bucket, a key, and perhaps a version", "*", "copies.source.a_bucket_and_a_slash"),
    _localstack("a copy source is a bucket, a key, and perhaps a version", "*", "copies.source.with_a_parameter"),
    _localstack("LocalStack says `null` of a copy, and not of a put", "*.VersionId", "versioning.suspended*"),
    _localstack("a part that was never sent is that before anything is too small", "*.answer", "multipart.missing_part"),
    _localstack("parts are named in order", "*", "multipart.out_of_order"),
    _localstack("Complete may be said again, as on S3", "*", "multipart.completed_twice"),
    _localstack("part numbers are from 1 to 10,000", "*.answer", "multipart.ranges_and_parts_are_read"),
    _localstack("S3's schema wants a part in it", "*.answer", "multipart.without_parts"),
    _localstack("a range is `bytes=`, and one that is not there InvalidRange, as Ceph says", "*.answer", "multipart.copied_range.*"),
    _localstack("an empty marker is none", "*.list_multipart_uploads.Next*"),
    _localstack("Ceph takes a configuration that says nothing", "*.answer", "buckets.configuration_that_says_nothing.*"),
    _localstack("LocalStack's own CORS", "*.headers.access-control-*", "buckets.configuration_that_says_nothing.*"),
    _localstack("LocalStack's own CORS", "*.headers.vary", "buckets.configuration_that_says_nothing.*"),
    _localstack("RFC 9110, sections 8.8 and 13.1: ETags in lists, and weak ones", "*.answer", "conditions.of_several_etags"),
    _localstack("LocalStack ignores conditions on copies", "*", "copies.onto_something_under_a_condition.*"),
    _localstack("LocalStack fails over what it does not understand", "*.get_object.answer", "copies.with_a_body"),
    _localstack("LocalStack fails over what it does not understand", "*.get_object.answer", "objects.a_body_where_none_belongs.*"),
    _localstack("a common prefix that was a marker does not come again, as with Ceph", "*", "listings.asked_for_both.*common_prefix"),
    _localstack("S3 takes no address that is no UTF-8", "*.answer", "objects.key_that_is_no_text.*"),
    _localstack("LocalStack ignores conditions on deletes", "*", "removals.many_under_conditions.*"),
    Meant("the trailer of what is archived cannot be read, so HEAD needs it restored, too", "*.head_object.answer", "objects.archived.*", direct="200"),
    _localstack("LocalStack forgets the encoding that was asked for", "*.Key", "multipart.uploads_are_listed.encoded"),
    _localstack("RFC 9110, section 5.5: no header has such a character", "*.answer", "objects.user_agent.unreadable"),
    _localstack("an upload needs a length", "*.answer", "objects.without_a_body_or_a_length"),
    _localstack("LocalStack's own CORS", "*.headers.access-control-*", "objects.without_a_body_or_a_length"),
    _localstack("LocalStack's own CORS", "*.headers.vary", "objects.without_a_body_or_a_length"),
    _localstack("S3 joins a header that comes twice", "*.Metadata.a", "objects.repeated_headers.*"),
    _localstack("S3 counts the tags on HEAD, too", "*.head_object.TagCount"),
    _localstack("S3 counts the tags on HEAD, too", "*.HEAD.headers.x-amz-tagging-count", "tags.*"),
    _localstack("HEAD of a bucket has no body whose type could be told", "*.HEAD.headers.content-type", "objects.head_of_a_bucket"),
    _localstack(_NOT_SERVED, "*.answer", "encryption.*"),
]

MEANT: list[Meant] = [*_EVERYWHERE, *_RGW, *_LOCALSTACK]
