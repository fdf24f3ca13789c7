//! What a site keeps of an upload that is over, because it did not answer when it was told so. Remembered as a row of its own, which clients
//! never see, until the sweeper gets through to the site.
use crate::site::{Location, SiteName};
use crate::state::{State, Upload};

/// No upload of a client has such an id.
const PREFIX: &str = "left/";

/// Whether this row is no client's upload.
pub(super) fn is_leftover(upload: &Upload) -> bool {
    upload.id.starts_with(PREFIX)
}

/// Remembers that `site` is still to abort `backend_id`. Best effort, as all clearing up.
pub(super) async fn remember(state: &State, at: &Location, site: &SiteName, backend_id: &str) {
    let leftover = Upload {
        id: format!("{PREFIX}{site}/{backend_id}"),
        bucket: at.bucket.clone(),
        key: at.key.clone(),
        wrapped: Vec::new(),
        sites: vec![(site.to_string(), backend_id.to_owned())],
        metadata_tag: None,
        checksum_algorithm: String::new(),
        checksum_type: String::new(),
        initiator: String::new(),
        // Idle from the start.
        created_at: 0,
        extra: String::new(),
    };
    if let Err(error) = state.create_upload(&leftover).await {
        tracing::warn!(%site, bucket = %at.bucket, %error, "a site may keep parts of an upload that is over");
    }
}
