//! A copy that moves no data: every site copies the sealed body by itself, only the footer is new.
//!
//! A body is bound to its object's key and id, not to its name. The copy keeps both, and with them all that they were used for: the messages, their
//! salts, the part structure, ETag and checksum, and the suite: where the new rule asks for another one, the bytes have to be sealed anew. Its footer is sealed for the new name under the vault key of the new rule.
use super::assemble::{Assembly, SMALLEST_BODY, assemble};
use crate::audit::RequestContext;
use crate::gateway::Gateway;
use crate::gateway::encryption::Encryption;
use crate::gateway::metadata::UserMetadata;
use crate::gateway::open::{Opened, layout, trailer_bytes};
use crate::gateway::put::{Stored, headers, mode, note_stored, note_write, now, plan_of, seal_metadata};
use crate::gateway::request;
use crate::gateway::respond::{GatewayError, not_sealed};
use crate::gateway::terms;
use crate::policy::Plan;
use crate::seal::{ChecksumAlgorithm, ChecksumType, ContentInfo, ObjectName, ObjectSealer, SealedMetadata};
use crate::site::tee::CopySource;
use crate::site::{Location, WriteCondition};
use bytes::Bytes;
use std::sync::Arc;

/// A copy to be made.
pub(super) struct Reuse {
    pub(super) from: Location,
    pub(super) opened: Arc<Opened>,
    pub(super) at: Location,
    pub(super) metadata: UserMetadata,
    pub(super) kept: Vec<(&'static str, String)>,
    pub(super) condition: WriteCondition,
    pub(super) encryption: Encryption,
    /// Whose credential asks for it.
    pub(super) who: Arc<str>,
}

/// What the copy consists of.
struct Prepared {
    plan: Plan,
    source: CopySource,
    sealer: ObjectSealer,
    metadata: Option<SealedMetadata>,
    content: ContentInfo,
    footer: Bytes,
}

/// Whether this version's body can serve as it is, as far as can be told before the rule is known.
pub(super) fn is_possible(
    gateway: &Gateway,
    opened: &Opened,
    asked: Option<ChecksumAlgorithm>,
    condition: &WriteCondition,
) -> bool {
    let primary = &gateway.sites.primary;
    let able = primary.capabilities();
    let conditional = *condition != WriteCondition::Always;
    let Some(object) = opened.object.sealed() else { return false };
    let (body, _) = object.footer_span();
    opened.site.name() == primary.name()
        && able.upload_part_copy
        && (able.complete_if_none_match || !conditional)
        && body >= SMALLEST_BODY
        && has_checksum(object.content(), asked)
}

/// The checksum that the client asks for is there, or it asks for none. One over the parts is not what it would get from a copy of the bytes.
fn has_checksum(content: &ContentInfo, asked: Option<ChecksumAlgorithm>) -> bool {
    asked.is_none_or(|asked| {
        let has = |kind: ChecksumType, algorithm| kind == ChecksumType::FullObject && algorithm == asked;
        content.checksum.as_ref().is_some_and(|(value, kind)| has(*kind, value.algorithm))
    })
}

/// Makes the copy; `None` when the sites turn out not to be able to, with nothing left behind: then the bytes have to be read.
/// Runs to its end even if the client goes away.
pub(super) async fn copy(
    gateway: &Arc<Gateway>,
    reuse: Reuse,
    context: Option<RequestContext>,
) -> Result<Option<Stored>, GatewayError> {
    let gateway = Arc::clone(gateway);
    let task = tokio::spawn(async move { run(&gateway, &reuse, context.as_ref()).await });
    task.await.map_err(s3s::S3Error::internal_error)?
}

async fn run(
    gateway: &Arc<Gateway>,
    reuse: &Reuse,
    context: Option<&RequestContext>,
) -> Result<Option<Stored>, GatewayError> {
    let prepared = match prepare(gateway, reuse).await {
        // Changed, damaged or out of reach: for whoever reads to deal with.
        Err(GatewayError::Site(_) | GatewayError::Integrity { .. }) => return Ok(None),
        prepared => prepared?,
    };
    let Some(prepared) = prepared else { return Ok(None) };
    let headers = headers(&prepared.plan, &reuse.metadata, prepared.metadata.as_ref(), reuse.kept.clone());
    let Prepared { plan, source, sealer, content, footer, .. } = prepared;
    let sealed = footer.len() as u64;
    let assembly = Assembly {
        at: &reuse.at,
        source: &source,
        headers: &headers,
        footer,
        condition: &reuse.condition,
        mode: mode(&plan),
    };
    // What a site refuses, reading the source may cure; an outage it cannot.
    let Ok(committed) = assemble(gateway, assembly).await? else { return Ok(None) };
    let stored = Stored { content, key: sealer.key_ref().id.clone(), suite: sealer.suite(), committed };
    let object = &reuse.opened.object;
    note_stored(gateway, &reuse.at, &stored, object.part_count());
    note_write(context, &plan.rule, &sealer, &stored.committed, object.plain_len(), sealed);
    request::note(context, |facts| facts.bytes_plain = 0);
    Ok(Some(stored))
}

/// Everything that can fail before a site is asked for anything. `None` when the rule asks for another suite.
async fn prepare(gateway: &Arc<Gateway>, reuse: &Reuse) -> Result<Option<Prepared>, GatewayError> {
    let (from, opened) = (&reuse.from, &reuse.opened);
    let object = opened.object.sealed().ok_or_else(not_sealed)?;
    let plan = plan_of(gateway, &reuse.at, &reuse.metadata, &reuse.kept, &reuse.encryption);
    terms::check_object(&plan, &reuse.metadata, object.plain_len())?;
    if object.suite() != plan.terms.suite {
        return Ok(None);
    }
    let vault = reuse.encryption.key(gateway, &plan, &reuse.who).await?;
    let sealer = ObjectSealer::rewrap(object, &vault, gateway.entropy.as_ref())?;
    let metadata = seal_metadata(gateway, &reuse.metadata, &sealer)?;
    let (layout, last_bytes) = tokio::try_join!(layout(gateway, from, opened), trailer_bytes(from, opened))?;
    let source = CopySource {
        at: from.clone(),
        version: opened.named_version.clone(),
        etag: opened.sealed_etag.clone(),
        total: object.sealed_len(),
        body: object.footer_span().0,
        last_bytes,
    };
    let content = ContentInfo {
        written_at: now(),
        metadata_tag: metadata.as_ref().map(|sealed| sealed.tag),
        ..object.content().clone()
    };
    let name = ObjectName { bucket: &reuse.at.bucket, key: &reuse.at.key };
    let footer = sealer.footer(&name, layout.parts(), &content, gateway.entropy.as_ref())?.into();
    Ok(Some(Prepared { plan, source, sealer, metadata, content, footer }))
}
