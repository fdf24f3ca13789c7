//! What a backend was found to do.

/// What the probe found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// `If-None-Match: *` on PUT is honoured (probed, not believed).
    pub put_if_none_match: bool,
    /// `If-Match` on PUT is honoured.
    pub put_if_match: bool,
    /// `If-Match` on PUT of an object that is not there fails the condition (412), where AWS says that it is not there (404).
    pub absent_fails_if_match: bool,
    /// `If-None-Match: *` on CompleteMultipartUpload is honoured.
    pub complete_if_none_match: bool,
    /// `If-Match` on GET is honoured.
    pub get_if_match: bool,
    /// `If-Match` on DELETE is honoured.
    pub delete_if_match: bool,
    /// UploadPartCopy works.
    pub upload_part_copy: bool,
    /// Buckets can be versioned.
    pub versioning: bool,
    /// Object lock is known.
    pub object_lock: bool,
    /// `x-amz-checksum-*` is verified by the backend.
    pub checksums: bool,
    /// A checksum behind the body (`x-amz-trailer`) is verified, and the body stored without its framing.
    pub checksum_trailers: bool,
    /// Largest single user-metadata value that survives, bytes.
    pub max_metadata: usize,
    /// One line per oddity hidden by this module.
    pub quirks: Vec<String>,
}
