//! Oddities of backends, found by the probe and hidden from everybody else.
use std::sync::atomic::{AtomicBool, Ordering};

/// What this backend does differently. Default: nothing.
#[derive(Debug, Default)]
pub(super) struct Quirks {
    /// `If-Match` on a write is compared without its quotes (Ceph RGW 16).
    if_match_unquoted: AtomicBool,
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
        if self.empty_complete_etag.load(Ordering::Relaxed) {
            lines.push("CompleteMultipartUpload answers an empty ETag: read with a HEAD".to_owned());
        }
        lines
    }
}
