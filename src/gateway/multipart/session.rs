//! An upload as an operation finds it: its row, its place, its sealer.
use super::leftover::is_leftover;
use crate::authz::Permit;
use crate::gateway::Gateway;
use crate::gateway::checksum::algorithm_by_name;
use crate::gateway::customer::{self, Brought};
use crate::gateway::encryption::{Encryption, Told};
use crate::gateway::put::mode;
use crate::gateway::respond::{GatewayError, own_words};
use crate::gateway::terms::Limit;
use crate::policy::Plan;
use crate::s3::{BucketName, ObjectKey};
use crate::seal::{ChecksumAlgorithm, ChecksumType, ObjectSealer, SealError};
use crate::site::tee::{Mode, SiteUploads, Tee};
use crate::site::{Forward, Location, Site, SiteName};
use crate::state::Upload;
use s3s::dto::StorageClass;
use s3s::{S3Error, S3ErrorCode, S3Result};

/// The parts of one upload that a client may send: the last of S3's 10,000 numbers is kept for the footer.
pub(super) const MAX_PART_NUMBER: u16 = 9_999;

/// What else the gateway wants to know of an upload, in [`Upload::extra`].
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub(super) struct Extra {
    /// True when every site is required: what the rule said when the upload was created.
    pub(super) strict: bool,
    /// True when only the primary is written at once.
    pub(super) later: bool,
    /// True when the client asked for `aws:kms`.
    pub(super) kms: bool,
    /// The storage class that the client asked for; empty: none.
    pub(super) class: String,
    /// The rule that it goes by to its end; empty: it was begun before this was remembered.
    pub(super) rule: String,
    /// That rule's limit, bytes.
    pub(super) max_size: Option<u64>,
}

/// An upload under way.
pub(super) struct Session {
    pub(super) upload: Upload,
    pub(super) at: Location,
    pub(super) mode: Mode,
    /// How large it may become, by the rule that it was begun under.
    pub(super) limit: Limit,
    /// As it was asked for when the upload was created.
    pub(super) encryption: Encryption,
    pub(super) sealer: ObjectSealer,
    /// Algorithm and type that the object's checksum is to have.
    pub(super) checksum: Option<(ChecksumAlgorithm, ChecksumType)>,
}

// === impl Extra ===

impl Extra {
    fn mode(&self) -> Mode {
        match (self.strict, self.later) {
            (true, _) => Mode::Strict,
            (false, true) => Mode::Async,
            (false, false) => Mode::Tee,
        }
    }

    pub(super) fn of(plan: &Plan, encryption: &Encryption, class: Option<&StorageClass>) -> Self {
        let mode = mode(plan);
        let class = class.map_or("", StorageClass::as_str).to_owned();
        Self {
            strict: mode == Mode::Strict,
            later: mode == Mode::Async,
            kms: encryption.is_kms(),
            class,
            rule: plan.rule.to_string(),
            max_size: plan.terms.max_size,
        }
    }

    fn limit(&self, gateway: &Gateway, at: &Location) -> Limit {
        if self.rule.is_empty() {
            return Limit::of(&gateway.rules.plan(&at.bucket, &at.key));
        }
        Limit { rule: self.rule.clone(), most: self.max_size }
    }
}

// === impl Session ===

impl Session {
    /// The upload `id` of the object at `at`.
    ///
    /// # Errors
    /// As [`find_row`].
    pub(super) async fn find(gateway: &Gateway, at: &Location, id: &str) -> Result<Self, GatewayError> {
        let upload = find_row(gateway, at, id).await?;
        let extra = extra_of(&upload);
        let (mode, limit) = (extra.mode(), extra.limit(gateway, at));
        let encryption = if extra.kms { Encryption::Kms(None) } else { Encryption::Usual };
        let vault = gateway.keyring.opening_key(&ObjectSealer::wrapped_key_ref(&upload.wrapped)?).await?;
        let sealer = ObjectSealer::from_wrapped(&upload.wrapped, &vault)?;
        let checksum = checksum_of(&upload)?;
        Ok(Self { at: at.clone(), mode, limit, encryption, sealer, checksum, upload })
    }

    /// The backend uploads, and the tee that they go on at: the primary's, or, while that is out, a backup's.
    ///
    /// # Errors
    /// `NoSuchUpload` when no site of the configuration takes part, 503 when one does that cannot decide now.
    pub(super) async fn uploads(&self, gateway: &Gateway, plain: bool) -> Result<(SiteUploads, Tee), GatewayError> {
        let uploads = self.all_uploads();
        let names: Vec<SiteName> = uploads.iter().map(|(site, _)| site.clone()).collect();
        if !names.iter().any(|name| gateway.sites.by_name(name).is_some()) {
            tracing::warn!(bucket = %self.at.bucket, "an upload was created over other sites and cannot go on");
            return Err(no_such_upload().into());
        }
        let tee = gateway.tee.acting_for(&self.at, &names, plain, self.mode).await?;
        Ok((uploads, tee))
    }

    /// The backend uploads of whatever sites took part.
    pub(super) fn all_uploads(&self) -> SiteUploads {
        uploads_of(&self.upload)
    }

    /// Whether the client's own key, or none, is the one that the upload was begun with.
    ///
    /// # Errors
    /// `InvalidRequest` when it is not.
    pub(super) fn check_customer_key(&self, brought: Option<&Brought>) -> Result<(), GatewayError> {
        match self.sealer.check_customer_key(brought.map(Brought::key)) {
            Err(SealError::CustomerKey(fault)) => Err(customer::refused_part(fault).into()),
            checked => Ok(checked?),
        }
    }

    /// How answers tell of its encryption.
    pub(super) fn told(&self, gateway: &Gateway, brought: Option<&Brought>) -> Told {
        if self.sealer.has_customer_key() {
            return Told::customer(brought);
        }
        self.encryption.told(gateway, &self.sealer.key_ref().id)
    }

    pub(super) fn algorithm(&self) -> Option<ChecksumAlgorithm> {
        self.checksum.map(|(algorithm, _)| algorithm)
    }
}

fn extra_of(upload: &Upload) -> Extra {
    serde_json::from_str(&upload.extra).unwrap_or_default()
}

/// The storage class that an upload's object is to have.
pub(super) fn storage_class(upload: &Upload) -> StorageClass {
    let class = extra_of(upload).class;
    if class.is_empty() { StorageClass::from_static(StorageClass::STANDARD) } else { class.into() }
}

/// What the state knows of the upload `id` of the object at `at`; no key is needed for that.
///
/// # Errors
/// `NoSuchUpload` when there is none for this object, `NoSuchBucket` when there is no such bucket either.
pub(super) async fn find_row(gateway: &Gateway, at: &Location, id: &str) -> Result<Upload, GatewayError> {
    let upload = gateway.state.upload(id).await?;
    let of_this = |upload: &Upload| upload.bucket == at.bucket && upload.key == at.key && !is_leftover(upload);
    if let Some(upload) = upload.filter(of_this) {
        return Ok(upload);
    }
    check_bucket(gateway, &at.bucket).await?;
    Err(no_such_upload().into())
}

/// The state knows uploads, not buckets.
pub(super) async fn check_bucket(gateway: &Gateway, bucket: &BucketName) -> S3Result<()> {
    match gateway.sites.primary.head_bucket(bucket).await {
        Err(error) if error.is_not_found() => Err(S3Error::new(S3ErrorCode::NoSuchBucket)),
        // Down: what the state knows is right all the same.
        _ => Ok(()),
    }
}

/// Whether the caller may be told what the state knows of an upload. Whoever began it may; of others who are users of their own at the sites the
/// primary decides, as it would if they asked it directly.
///
/// # Errors
/// What the primary says to them.
pub(super) async fn check_reader(gateway: &Gateway, permit: &Permit, upload: &Upload) -> S3Result<()> {
    if is_trusted_with(gateway, permit, upload) {
        return Ok(());
    }
    let primary = &gateway.sites.primary;
    let (_, id) = uploads_of(upload).into_iter().find(|(site, _)| site == primary.name()).ok_or_else(denied)?;
    let query = vec![("max-parts".to_owned(), "1".to_owned()), ("uploadId".to_owned(), id)];
    ask_leave(primary, &upload.bucket, Some(&upload.key), query).await
}

/// Whether the caller may put a part where the sites do not see whose it is: whoever began the upload.
///
/// # Errors
/// AccessDenied.
pub(super) fn check_writer(gateway: &Gateway, permit: &Permit, upload: &Upload) -> S3Result<()> {
    if is_trusted_with(gateway, permit, upload) { Ok(()) } else { Err(denied()) }
}

fn is_trusted_with(gateway: &Gateway, permit: &Permit, upload: &Upload) -> bool {
    !gateway.sites.primary.is_acting() || *permit.principal().access_key_id == *upload.initiator
}

/// Whether the primary serves this GET to the caller.
///
/// # Errors
/// What it says.
pub(super) async fn ask_leave(
    primary: &Site,
    bucket: &BucketName,
    key: Option<&ObjectKey>,
    query: Vec<(String, String)>,
) -> S3Result<()> {
    primary.forward(&Forward::question(bucket, key, query)).await.map(drop).map_err(own_words)
}

fn denied() -> S3Error {
    S3Error::new(S3ErrorCode::AccessDenied)
}

/// The backend uploads of whatever sites take part.
pub(super) fn uploads_of(upload: &Upload) -> SiteUploads {
    upload.sites.iter().map(|(site, id)| (SiteName(site.as_str().into()), id.clone())).collect()
}

/// S3's words.
pub(super) fn no_such_upload() -> S3Error {
    let message = "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.";
    S3Error::with_message(S3ErrorCode::NoSuchUpload, message)
}

/// A part number from 1 to 9,999.
pub(super) fn part_number(asked: i32) -> S3Result<u16> {
    let number = u16::try_from(asked).ok().filter(|number| (1..=MAX_PART_NUMBER).contains(number));
    number.ok_or_else(|| {
        let message = "Part number must be an integer between 1 and 9999, inclusive: the last number is kept for the sealed footer";
        S3Error::with_message(S3ErrorCode::InvalidArgument, message)
    })
}

/// By S3's name.
pub(super) fn checksum_type(name: &str) -> S3Result<ChecksumType> {
    match name {
        "COMPOSITE" => Ok(ChecksumType::Composite),
        "FULL_OBJECT" => Ok(ChecksumType::FullObject),
        _ => {
            Err(S3Error::with_message(S3ErrorCode::InvalidRequest, "Value for x-amz-checksum-type header is invalid."))
        }
    }
}

fn checksum_of(upload: &Upload) -> S3Result<Option<(ChecksumAlgorithm, ChecksumType)>> {
    if upload.checksum_algorithm.is_empty() {
        return Ok(None);
    }
    Ok(Some((algorithm_by_name(&upload.checksum_algorithm)?, checksum_type(&upload.checksum_type)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn part_numbers_end_before_the_one_kept_for_the_footer() {
        assert_eq!(part_number(1).ok(), Some(1));
        assert_eq!(part_number(9_999).ok(), Some(9_999));
        for wrong in [0, -1, 10_000, 65_537, i32::MAX] {
            let error = part_number(wrong).expect_err("refused");
            assert_eq!(*error.code(), S3ErrorCode::InvalidArgument, "{wrong}");
        }
    }
}
