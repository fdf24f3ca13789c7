//! Uploads whose bucket is removed: every site drops its own with the bucket, and a bucket made again under the name has none.
use super::abort::forget;
use crate::gateway::Gateway;
use crate::gateway::respond::GatewayError;
use crate::s3::BucketName;

/// Uploads looked for together.
const BATCH: u32 = 1000;

/// The uploads in a bucket, before it is removed.
///
/// # Errors
/// When the state cannot be read.
pub(in crate::gateway) async fn uploads_in(
    gateway: &Gateway,
    bucket: &BucketName,
) -> Result<Vec<String>, GatewayError> {
    let mut ids = Vec::new();
    let mut after: Option<(String, String)> = None;
    loop {
        let marker = after.as_ref().map(|(key, id)| (key.as_str(), id.as_str()));
        let batch = gateway.state.uploads(bucket, "", marker, BATCH).await?;
        let Some(last) = batch.last() else { return Ok(ids) };
        after = Some((last.key.as_str().to_owned(), last.id.clone()));
        ids.extend(batch.into_iter().map(|upload| upload.id));
    }
}

/// Forgets them once the bucket is gone. Those alone: there may be a new bucket of that name already, with uploads of its own. What cannot
/// be forgotten now is swept later, as an upload that nobody goes on with.
pub(in crate::gateway) async fn forget_all(gateway: &Gateway, bucket: &BucketName, ids: &[String]) {
    for id in ids {
        let _alone = gateway.uploads.alone(id).await;
        let forgotten = match gateway.state.parts(id, 0, u32::from(u16::MAX)).await {
            Ok(parts) => forget(gateway, id, &parts).await,
            Err(error) => Err(error.into()),
        };
        if let Err(error) = forgotten {
            tracing::warn!(%bucket, %error, "an upload of a removed bucket is still listed; it is swept later");
        }
    }
}
