//! `x-amz-replication-status`: how far an object has come.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-status.html>
use super::Gateway;
use crate::site::Location;
use crate::state::Progress;
use s3s::dto::ReplicationStatus;

/// PENDING while some site lacks it (an outage stays PENDING), FAILED when a site refuses it until somebody helps, COMPLETED when
/// every site has it. `None` when the journal cannot be asked: a read does not fail for that.
pub(super) async fn status(gateway: &Gateway, at: &Location) -> Option<ReplicationStatus> {
    let word = if gateway.tee.is_changing(at) {
        ReplicationStatus::PENDING
    } else {
        match gateway.state.progress(&at.bucket, &at.key).await {
            Ok(Progress::Completed) => ReplicationStatus::COMPLETED,
            Ok(Progress::Pending) => ReplicationStatus::PENDING,
            Ok(Progress::Parked) => ReplicationStatus::FAILED,
            Err(error) => {
                tracing::warn!(%error, "the journal could not be asked for the status of an object");
                return None;
            }
        }
    };
    Some(ReplicationStatus::from_static(word))
}
