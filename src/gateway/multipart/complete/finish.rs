//! Carrying a Complete out: the last backend part, Complete at every site, and what is forgotten afterwards.
use super::asked::Asked;
use super::plan::Plan;
use super::recover;
use crate::audit::RequestContext;
use crate::gateway::Gateway;
use crate::gateway::multipart::desk::{Answer, Answered};
use crate::gateway::multipart::session::{Session, abort_at};
use crate::gateway::multipart::staging;
use crate::gateway::put::{Stored, condition, note_stored, note_write, now};
use crate::gateway::respond::{GatewayError, not_implemented};
use crate::s3::{Operation, SealedETag};
use crate::seal::{ObjectName, message_len};
use crate::site::tee::{Committed, SiteUploads, TeeError};
use crate::site::{SiteError, SiteName, WriteCondition};
use crate::state::Part;
use bytes::Bytes;
use std::sync::Arc;

/// Per site, the backend parts that make the object.
type SiteParts = Vec<(SiteName, Vec<(u16, SealedETag)>)>;

/// Completes the upload, or answers again what was answered before.
pub(super) async fn complete(
    gateway: &Arc<Gateway>,
    asked: &Asked,
    context: Option<&RequestContext>,
) -> Result<Answer, GatewayError> {
    let _alone = gateway.uploads.alone(&asked.upload).await;
    if let Some(answer) = answered_before(gateway, asked) {
        return Ok(answer);
    }
    let session = Session::find(gateway, &asked.at, &asked.upload).await?;
    let uploads = session.uploads(gateway)?;
    let uploaded = gateway.state.parts(&asked.upload, 0, u32::from(u16::MAX)).await?;
    let staged: Vec<String> = staging::keys_of(&uploaded).into_iter().map(str::to_owned).collect();
    let plan = Plan::new(asked, &session, uploaded, now())?;
    let condition = write_condition(gateway, asked).await?;
    let committed = match commit(gateway, &session, &uploads, &plan, &condition).await {
        Err(error) if is_gone(&error) => recover::finished(gateway, &session, &plan).await?,
        result => result?,
    };
    let answer = Answer {
        etag: plan.etag().as_str().to_owned(),
        checksum: plan.checksum(),
        version_id: committed.primary.version_id.clone(),
    };
    let rule = gateway.rules.plan(&asked.at.bucket, &asked.at.key);
    let parts = plan.entries.len() as u32;
    note_write(context, &rule, &session.sealer, &committed, plan.length, 0);
    note_stored(gateway, &asked.at, &Stored { content: plan.content, committed: committed.clone() }, parts);
    forget(gateway, &session, &committed, &staged).await?;
    let (bucket, key) = (asked.at.bucket.to_string(), asked.at.key.to_string());
    let answered = Answered { bucket, key, asked: asked.digest(), answer: answer.clone() };
    gateway.uploads.remember(&asked.upload, answered);
    Ok(answer)
}

fn answered_before(gateway: &Gateway, asked: &Asked) -> Option<Answer> {
    let same = |answered: &Answered| {
        answered.bucket == asked.at.bucket.as_str()
            && answered.key == asked.at.key.as_str()
            && answered.asked == asked.digest()
    };
    gateway.uploads.recall(&asked.upload).filter(same).map(|answered| answered.answer)
}

async fn write_condition(gateway: &Arc<Gateway>, asked: &Asked) -> Result<WriteCondition, GatewayError> {
    let condition = condition(gateway, &asked.at, asked.if_match.as_ref(), asked.if_none_match.as_ref()).await?;
    if condition != WriteCondition::Always && !gateway.sites.primary.capabilities().complete_if_none_match {
        return Err(not_implemented("A condition on CompleteMultipartUpload over this storage").into());
    }
    Ok(condition)
}

/// Sends the last backend part and completes at every site that has all of them.
async fn commit(
    gateway: &Gateway,
    session: &Session,
    uploads: &SiteUploads,
    plan: &Plan,
    condition: &WriteCondition,
) -> Result<Committed, GatewayError> {
    let able = whole_at(uploads, &plan.parts);
    if able.first().map(|(site, _)| site) != Some(gateway.sites.primary.name()) {
        tracing::error!(bucket = %session.at.bucket, "the state knows no ETag of the primary for a part that it lists");
        return Err(s3s::S3Error::new(s3s::S3ErrorCode::InternalError).into());
    }
    let last = send_last(gateway, session, &able, plan).await?;
    let (uploads, parts) = with_last(able, plan, &last);
    let result = gateway.tee.complete_multipart(&session.at, &uploads, &parts, condition, session.mode).await;
    gateway.objects.forget(&session.at);
    match result {
        Err(TeeError::Site(error)) if error.is_outage() => {
            level_backups(gateway, session, &error.to_string()).await?;
            Err(error.into())
        }
        result => Ok(result?),
    }
}

/// The footer, and the staged part before it, where there is one.
async fn send_last(
    gateway: &Gateway,
    session: &Session,
    uploads: &SiteUploads,
    plan: &Plan,
) -> Result<Committed, GatewayError> {
    let name = ObjectName { bucket: &session.at.bucket, key: &session.at.key };
    let footer = session.sealer.footer(&name, &plan.entries, &plan.content, gateway.entropy.as_ref())?;
    let footer = Bytes::from(footer);
    let staged = plan.parts.last().and_then(|part| Some((part.staged_key.as_deref()?, part.plain_len)));
    let before = match staged {
        Some((key, length)) => Some((staging::read(gateway, key, length).await?, message_len(length).0)),
        None => None,
    };
    let length = footer.len() as u64 + before.as_ref().map_or(0, |(_, length)| *length);
    let mut write = gateway.tee.part(&session.at, uploads, plan.footer_number, length, session.mode);
    if let Some((bytes, _)) = before {
        write.send(bytes).await?;
    }
    let committed = write.commit(footer).await?;
    gateway.metrics.moved(Operation::CompleteMultipartUpload, 0, length);
    Ok(committed)
}

/// The sites that have every part.
fn whole_at(uploads: &SiteUploads, parts: &[Part]) -> SiteUploads {
    let has =
        |site: &SiteName, part: &Part| part.staged_key.is_some() || part.etags.iter().any(|(name, _)| *name == *site.0);
    uploads.iter().filter(|(site, _)| parts.iter().all(|part| has(site, part))).cloned().collect()
}

/// The sites that took the last part as well, and what each completes with.
fn with_last(uploads: SiteUploads, plan: &Plan, last: &Committed) -> (SiteUploads, SiteParts) {
    let mut kept = SiteUploads::new();
    let mut parts = SiteParts::new();
    for (site, upload) in uploads {
        let Some((_, last)) = last.written.iter().find(|(name, _)| *name == site) else { continue };
        let of_site = |part: &Part| {
            let etag = part.etags.iter().find(|(name, _)| *name == *site.0)?;
            Some((part.part_number, etag.1.clone()))
        };
        let mut list: Vec<_> = plan.parts.iter().filter_map(of_site).collect();
        list.push((plan.footer_number, last.clone()));
        parts.push((site.clone(), list));
        kept.push((site, upload));
    }
    (kept, parts)
}

fn is_gone(error: &GatewayError) -> bool {
    let code = match error {
        GatewayError::Site(SiteError::S3 { code, .. })
        | GatewayError::Tee(TeeError::Site(SiteError::S3 { code, .. })) => code,
        _ => return false,
    };
    code == "NoSuchUpload"
}

/// It may have happened at the primary: let the backups follow whatever it shows later.
async fn level_backups(gateway: &Gateway, session: &Session, reason: &str) -> Result<(), GatewayError> {
    for backup in gateway.sites.backups.iter() {
        gateway.tee.level(&session.at, backup.name(), reason).await?;
    }
    Ok(())
}

/// The upload is over: nothing of it stays but the object.
async fn forget(
    gateway: &Gateway,
    session: &Session,
    committed: &Committed,
    staged: &[String],
) -> Result<(), GatewayError> {
    let uploads = session.all_uploads();
    for (site, _) in &uploads {
        if !committed.written.iter().any(|(written, _)| written == site) {
            abort_at(gateway, &session.at, &uploads, site);
        }
    }
    gateway.state.delete_upload(&session.upload.id).await?;
    staging::remove(gateway, &staged.iter().map(String::as_str).collect::<Vec<_>>()).await;
    Ok(())
}
