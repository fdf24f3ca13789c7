//! Oddities of backends, found by the probe and hidden from everybody else.
use std::sync::atomic::{AtomicBool, Ordering};

/// What this backend does differently. Default: nothing.
#[derive(Debug, Default)]
pub(super) struct Quirks {
    /// `If-Match` on a write is compared without its quotes (Ceph RGW 16).
    if_match_unquoted: AtomicBool,
    /// `x-amz-copy-source` is decoded twice; a lone `%` in a key then makes the whole gateway abort (Ceph RGW 16).
    copy_source_decoded_twice: AtomicBool,
    /// `x-amz-copy-source-if-match` is ignored (Ceph RGW 16).
    copy_source_if_match_ignored: AtomicBool,
    /// CompleteMultipartUpload answers an empty ETag (Ceph RGW 16).
    empty_complete_etag: AtomicBool,
}

// === impl Quirks ===

impl Quirks {
    pub(super) fn if_match_unquoted(&self) -> bool {
        self.if_match_unquoted.load(Ordering::Relaxed)
    }

    pub(super) fn set_if_match_unquoted(&self, found: bool) {
        self.if_match_unquoted.store(found, Ordering::Relaxed);
    }

    pub(super) fn copy_source_decoded_twice(&self) -> bool {
        self.copy_source_decoded_twice.load(Ordering::Relaxed)
    }

    pub(super) fn set_copy_source_decoded_twice(&self, found: bool) {
        self.copy_source_decoded_twice.store(found, Ordering::Relaxed);
    }

    pub(super) fn copy_source_if_match_ignored(&self) -> bool {
        self.copy_source_if_match_ignored.load(Ordering::Relaxed)
    }

    pub(super) fn set_copy_source_if_match_ignored(&self, found: bool) {
        self.copy_source_if_match_ignored.store(found, Ordering::Relaxed);
    }

    /// Noted whenever it is met; only reported, since every empty ETag is looked up anyway.
    pub(super) fn note_empty_complete_etag(&self) {
        self.empty_complete_etag.store(true, Ordering::Relaxed);
    }

    /// For [`super::Capabilities::quirks`].
    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if self.if_match_unquoted() {
            lines.push("If-Match on a write is accepted only without quotes: sent so".to_owned());
        }
        if self.copy_source_decoded_twice() {
            lines.push("the source of a copied part is decoded twice: encoded twice".to_owned());
        }
        if self.copy_source_if_match_ignored() {
            lines.push("the condition on the source of a copied part is ignored: checked before and after".to_owned());
        }
        if self.empty_complete_etag.load(Ordering::Relaxed) {
            lines.push("CompleteMultipartUpload answers an empty ETag: read with a HEAD".to_owned());
        }
        lines
    }
}
