//! Carrying a Complete out: what the upload ends with, and what is forgotten afterwards.
use super::asked::Asked;
use super::plan::Plan;
use super::recover;
use crate::audit::RequestContext;
use crate::gateway::Gateway;
use crate::gateway::customer::Brought;
use crate::gateway::multipart::desk::{Answer, Answered};
use crate::gateway::multipart::ending::{Ending, abort_where_missing, end};
use crate::gateway::multipart::session::Session;
use crate::gateway::multipart::staging;
use crate::gateway::put::{Stored, condition, note_stored, note_write, now};
use crate::gateway::respond::{GatewayError, not_implemented};
use crate::gateway::terms;
use crate::s3::{Operation, PlainLen, PlainSpan};
use crate::seal::{Layout, ObjectName, OpenObject, SealError, Trailer, sealed_len};
use crate::site::tee::{Committed, SiteParts, SiteUploads, Tee, TeeError};
use crate::site::{SiteError, SiteName, WriteCondition};
use crate::state::Part;
use bytes::{Bytes, BytesMut};
use std::sync::Arc;

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
    gateway.keyring.writable()?;
    let session = Session::find(gateway, &asked.at, &asked.upload).await?;
    if asked.brought.is_some() {
        session.check_customer_key(asked.brought.as_ref())?;
    }
    let uploaded = gateway.state.parts(&asked.upload, 0, u32::from(u16::MAX)).await?;
    let staged: Vec<String> = staging::keys_of(&uploaded).into_iter().map(str::to_owned).collect();
    let plan = Plan::new(asked, &session, uploaded, now())?;
    terms::check_size(&session.limit, plan.length)?;
    let condition = write_condition(gateway, asked).await?;
    let (uploads, tee) = session.uploads(gateway, condition == WriteCondition::Always).await?;
    let committed = match commit(gateway, &tee, &session, &uploads, &plan, (&condition, asked.brought.as_ref())).await {
        Err(error) if is_gone(&error) => recover::finished(gateway, &session, &plan).await?,
        result => result?,
    };
    let answer = Answer {
        etag: plan.etag().as_str().to_owned(),
        checksum: plan.checksum(),
        version_id: committed.primary.version_id.clone(),
        expiration: committed.primary.expiration.clone(),
        told: session.told(gateway, asked.brought.as_ref()),
    };
    let parts = plan.entries.len() as u32;
    note_write(context, &session.limit.rule, &session.sealer, &committed, plan.length, 0);
    note_stored(
        gateway,
        &asked.at,
        &Stored {
            content: plan.content,
            key: session.sealer.key_ref().id.clone(),
            suite: session.sealer.suite(),
            committed: committed.clone(),
        },
        parts,
    );
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
    tee: &Tee,
    session: &Session,
    uploads: &SiteUploads,
    plan: &Plan,
    (condition, brought): (&WriteCondition, Option<&Brought>),
) -> Result<Committed, GatewayError> {
    let parts = whole_at(uploads, &plan.parts);
    if !parts.iter().any(|(site, _)| site == tee.sites().primary.name()) {
        tracing::error!(bucket = %session.at.bucket, "the state knows no ETag of the deciding site for a part that it lists");
        return Err(s3s::S3Error::new(s3s::S3ErrorCode::InternalError).into());
    }
    let name = ObjectName { bucket: &session.at.bucket, key: &session.at.key };
    let footer = session.sealer.footer(&name, &plan.entries, &plan.content, gateway.entropy.as_ref())?;
    let staged = plan.parts.last().and_then(|part| Some((part.staged_key.as_deref()?, part.plain_len)));
    let before = match staged {
        Some((key, length)) => {
            let check = LastPart::of(gateway, session, plan, &name, &footer, length)?;
            Some(staging::read(gateway, key, length, |bytes| check.authenticate(bytes, brought)).await?)
        }
        None => None,
    };
    let ending = Ending {
        at: &session.at,
        mode: session.mode,
        condition,
        parts,
        last: (plan.footer_number, before, Bytes::from(footer)),
        operation: Operation::CompleteMultipartUpload,
    };
    end(gateway, tee, uploads, ending).await
}

/// The last part, once the footer knows it: what is completed with other bytes than were sealed nobody could read any more.
struct LastPart {
    object: OpenObject,
    layout: Layout,
    span: PlainSpan,
}

impl LastPart {
    fn of(
        gateway: &Gateway,
        session: &Session,
        plan: &Plan,
        name: &ObjectName<'_>,
        footer: &[u8],
        length: PlainLen,
    ) -> Result<Self, GatewayError> {
        let vault = gateway.keyring.for_opening(session.sealer.key_ref())?;
        let object = Trailer::parse(footer, sealed_len(plan.length)?)?.open(&vault, name)?;
        let layout = match object.index_span() {
            None => object.layout_single()?,
            Some((_, index)) => object.layout_from_index(footer.get(..index as usize).unwrap_or_default())?,
        };
        let (end, total) = (plan.length.0, plan.length);
        Ok(Self { object, layout, span: PlainSpan { start: end.saturating_sub(length.0), end, total } })
    }

    /// Whether these are its sealed bytes. (Of an empty part no byte is ever read.) Where a customer's key is needed and the client does not
    /// bring it to Complete, only their message's salt can tell; who reads the object later has the key and authenticates them all.
    fn authenticate(&self, sealed: &Bytes, brought: Option<&Brought>) -> Result<(), SealError> {
        if self.span.is_empty() {
            return Ok(());
        }
        if self.object.has_customer_key() && brought.is_none() {
            let salt = self.layout.parts().last().map(|part| part.salt);
            let same = salt.is_some_and(|salt| sealed.starts_with(&salt));
            return if same { Ok(()) } else { Err(SealError::Authentication("another message")) };
        }
        let mut reader = self.object.reader_with(brought.map(Brought::key), &self.layout, self.span)?;
        let (start, length) = reader.sealed_span();
        let (body, _) = self.object.footer_span();
        let skipped = start.saturating_sub(body.saturating_sub(sealed.len() as u64)) as usize;
        let end = skipped.saturating_add(length as usize);
        if end > sealed.len() {
            return Err(SealError::Authentication("the part has another length"));
        }
        reader.push(sealed.slice(skipped..end), &mut BytesMut::new())?;
        reader.finish()
    }
}

/// The sites that have every part, and the backend's parts there. (What is staged comes with the footer.)
fn whole_at(uploads: &SiteUploads, parts: &[Part]) -> SiteParts {
    let stored = || parts.iter().filter(|part| part.staged_key.is_none());
    let of = |site: &SiteName, part: &Part| {
        let (_, etag) = part.etags.iter().find(|(name, _)| *name == *site.0)?;
        Some((part.part_number, etag.clone()))
    };
    let whole = uploads.iter().filter_map(|(site, _)| {
        let parts: Option<Vec<_>> = stored().map(|part| of(site, part)).collect();
        Some((site.clone(), parts?))
    });
    whole.collect()
}

fn is_gone(error: &GatewayError) -> bool {
    let code = match error {
        GatewayError::Site(SiteError::S3 { code, .. })
        | GatewayError::Tee(TeeError::Site(SiteError::S3 { code, .. })) => code,
        _ => return false,
    };
    code == "NoSuchUpload"
}

/// The upload is over: nothing of it stays but the object.
async fn forget(
    gateway: &Gateway,
    session: &Session,
    committed: &Committed,
    staged: &[String],
) -> Result<(), GatewayError> {
    abort_where_missing(gateway, &session.at, &session.all_uploads(), committed);
    gateway.state.delete_upload(&session.upload.id).await?;
    staging::remove(gateway, &staged.iter().map(String::as_str).collect::<Vec<_>>()).await;
    Ok(())
}
