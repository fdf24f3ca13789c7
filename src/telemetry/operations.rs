//! The children of the per-operation metrics, resolved once so that a request looks nothing up.
//!
//! An operation has no series before its first request: most deployments never see most of them.
use super::table::Families;
use crate::s3::Operation;
use prometheus::{Histogram, IntCounter};
use std::sync::OnceLock;

/// Classes of an answer; the last one for requests without a complete answer.
const CLASSES: [&str; 5] = ["2xx", "3xx", "4xx", "5xx", "aborted"];

/// Everything counted for one operation.
pub(super) struct PerOperation {
    classes: [IntCounter; CLASSES.len()],
    pub(super) duration: Histogram,
    pub(super) first_byte: Histogram,
    pub(super) received: IntCounter,
    pub(super) sent: IntCounter,
    pub(super) plain: IntCounter,
    pub(super) sealed: IntCounter,
}

/// One [`PerOperation`] for each operation that was ever asked for.
pub(super) struct Operations {
    families: Families,
    children: [OnceLock<PerOperation>; Operation::ALL.len()],
}

/// These are there from the start, so that rates and alerts see their first error.
const EAGER: &[Operation] = &[
    Operation::PutObject,
    Operation::GetObject,
    Operation::HeadObject,
    Operation::CopyObject,
    Operation::DeleteObject,
    Operation::DeleteObjects,
    Operation::ListObjects,
    Operation::ListObjectsV2,
    Operation::CreateMultipartUpload,
    Operation::UploadPart,
    Operation::UploadPartCopy,
    Operation::CompleteMultipartUpload,
    Operation::AbortMultipartUpload,
    Operation::Other,
];

// === impl PerOperation ===

impl PerOperation {
    fn new(families: &Families, operation: Operation) -> Self {
        let name = operation.name();
        Self {
            classes: CLASSES.map(|class| families.requests.with_label_values(&[name, class])),
            duration: families.duration.with_label_values(&[name]),
            first_byte: families.first_byte.with_label_values(&[name]),
            received: families.received.with_label_values(&[name]),
            sent: families.sent.with_label_values(&[name]),
            plain: families.plain.with_label_values(&[name]),
            sealed: families.sealed.with_label_values(&[name]),
        }
    }

    /// The counter for an answer with this status (`None`: no complete answer).
    pub(super) fn class(&self, status: Option<u16>) -> &IntCounter {
        let [success, redirect, client, server, aborted] = &self.classes;
        match status {
            Some(100..=299) => success,
            Some(300..=399) => redirect,
            Some(400..=499) => client,
            Some(_) => server,
            None => aborted,
        }
    }
}

// === impl Operations ===

impl Operations {
    pub(super) fn new(families: &Families) -> Self {
        let this = Self { families: families.clone(), children: [const { OnceLock::new() }; Operation::ALL.len()] };
        EAGER.iter().for_each(|operation| {
            this.of(*operation);
        });
        this
    }

    pub(super) fn of(&self, operation: Operation) -> &PerOperation {
        // `Operation::ALL` holds every operation in the order of its declaration (tested there).
        self.children[operation as usize].get_or_init(|| PerOperation::new(&self.families, operation))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_its_class() {
        let families = Families::register(&prometheus::Registry::new()).expect("a valid table");
        let operations = Operations::new(&families);
        let get = operations.of(Operation::GetObject);
        let statuses = [Some(200), Some(206), Some(304), Some(404), Some(500), Some(503), None];
        statuses.into_iter().for_each(|status| get.class(status).inc());
        let counts = CLASSES.map(|class| families.requests.with_label_values(&["GetObject", class]).get());
        assert_eq!(counts, [2, 1, 1, 2, 1]);
    }
}
