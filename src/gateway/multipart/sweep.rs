//! Uploads that nobody goes on with: aborted at every site, with their staged parts and what the state knows of them. S3 has lifecycle rules
//! for that, which see the sites' uploads but not ours.
use super::abort::forget;
use super::leftover::is_leftover;
use super::session::uploads_of;
use crate::gateway::Gateway;
use crate::gateway::respond::GatewayError;
use crate::site::Location;
use std::time::Duration;

/// Uploads looked at together.
const BATCH: u32 = 100;

impl Gateway {
    /// Aborts the uploads that no part has come for since `idle`, and what sites were told to abort and did not; how many. One that a site does not abort stays for the next time: as long
    /// as it is known here, nothing of it is forgotten there.
    pub async fn sweep_uploads(&self, idle: Duration) -> usize {
        let idle = i64::try_from(idle.as_secs()).unwrap_or(i64::MAX);
        let since = crate::clock::now().unix_timestamp().saturating_sub(idle);
        let (mut swept, mut after) = (0, String::new());
        loop {
            let batch = self.state.idle_uploads(since, &after, BATCH).await;
            let batch = batch.unwrap_or_else(|error| {
                tracing::warn!(%error, "abandoned uploads cannot be looked for; tried again later");
                Vec::new()
            });
            let Some(last) = batch.last() else { return swept };
            after.clone_from(&last.id);
            for upload in &batch {
                match sweep(self, &upload.id, since).await {
                    Ok(true) => swept += 1,
                    Ok(false) => {}
                    Err(error) => {
                        let bucket = &upload.bucket;
                        tracing::warn!(%bucket, %error, "an abandoned upload is not aborted everywhere; tried again later");
                    }
                }
            }
        }
    }
}

/// False when it is in use after all, or gone.
async fn sweep(gateway: &Gateway, id: &str, since: i64) -> Result<bool, GatewayError> {
    let _alone = gateway.uploads.alone(id).await;
    let Some(upload) = gateway.state.upload(id).await? else { return Ok(false) };
    let parts = gateway.state.parts(id, 0, u32::from(u16::MAX)).await?;
    if parts.iter().any(|part| part.written_at > since) {
        return Ok(false);
    }
    let at = Location { bucket: upload.bucket.clone(), key: upload.key.clone() };
    for (site, backend_id) in uploads_of(&upload) {
        let Some(site) = gateway.sites.by_name(&site) else { continue };
        match site.abort_multipart(&at, &backend_id).await {
            Err(error) if !error.is_not_found() => return Err(error.into()),
            _ => {}
        }
    }
    forget(gateway, id, &parts).await?;
    if is_leftover(&upload) {
        return Ok(true);
    }
    gateway.metrics.upload_swept();
    tracing::info!(bucket = %at.bucket, parts = parts.len(), "an abandoned upload was aborted");
    Ok(true)
}
