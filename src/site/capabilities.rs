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

// === impl Capabilities ===

impl Capabilities {
    /// One line per fact, for a person: what was probed and what was found.
    pub fn report(&self) -> Vec<(String, String)> {
        let yes_no = |found: bool| if found { "yes" } else { "no" }.to_owned();
        let mut lines: Vec<(String, String)> = [
            ("PutObject If-None-Match: *", self.put_if_none_match),
            ("PutObject If-Match", self.put_if_match),
            ("CompleteMultipartUpload If-None-Match: *", self.complete_if_none_match),
            ("GetObject If-Match", self.get_if_match),
            ("DeleteObject If-Match", self.delete_if_match),
            ("UploadPartCopy", self.upload_part_copy),
            ("bucket versioning", self.versioning),
            ("object lock", self.object_lock),
            ("verifies x-amz-checksum-*", self.checksums),
            ("verifies checksums in trailers", self.checksum_trailers),
        ]
        .map(|(what, found)| (what.to_owned(), yes_no(found)))
        .into();
        lines.push(("largest metadata value (bytes)".to_owned(), self.max_metadata.to_string()));
        lines.extend(self.quirks.iter().map(|quirk| ("hidden oddity".to_owned(), quirk.clone())));
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_names_every_fact_and_every_quirk() {
        let found =
            Capabilities { put_if_match: true, quirks: vec!["odd".into()], max_metadata: 4096, ..Default::default() };
        let report = found.report();
        assert!(report.contains(&("PutObject If-Match".into(), "yes".into())));
        assert!(report.contains(&("PutObject If-None-Match: *".into(), "no".into())));
        assert!(report.contains(&("largest metadata value (bytes)".into(), "4096".into())));
        assert!(report.contains(&("hidden oddity".into(), "odd".into())));
    }
}
