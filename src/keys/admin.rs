//! Changes of a key, decided by a conditional write at the primary and then written to every other site.
//!
//! Every change raises the serial; proxies look at the sites' keyrings every 1.5 seconds and take the highest. A change is therefore in
//! force everywhere within five seconds of its first write, whichever site that is.
use super::aging;
use super::copies;
use super::document::{Changed, Document, Standing, VersionState};
use super::settle::{Maker, Settled, settle};
use super::state::{KeyState, Limits, WINDOW, window_end};
use super::survey::{self, Copy};
use super::{KeyError, Roots};
use crate::s3::BucketName;
use crate::seal::{Entropy, VaultKeyId};
use crate::site::{Site, SiteError, Sites, WriteCondition};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The keyring as an operator works on it.
pub struct KeyAdmin<'a> {
    pub roots: &'a Roots,
    pub sites: &'a Sites,
    pub bucket: &'a BucketName,
    pub entropy: &'a dyn Entropy,
    /// Who asks, for the record.
    pub by: &'a str,
}

/// A change of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyChange {
    /// A new version, which seals from now on.
    Rotate,
    /// The same, if the newest version is older than that.
    RotateOlder(std::time::Duration),
    /// The same, if this is the newest version.
    Succeed(u32),
    /// Stops it.
    Disable,
    /// Puts it back into use.
    Enable,
    /// Stops it; after so many days it can be destroyed.
    ScheduleDeletion { days: u16 },
    /// Gives a key back whose deletion is pending. It is disabled then, as in AWS KMS.
    CancelDeletion,
    /// Forgets its versions for good, when its window is over.
    Destroy,
    /// Who may use it.
    Limit(Limits),
    /// One version opens nothing any more, until it is put back into use. Not one that would leave the key without a newer one.
    DisableVersion(u32),
    /// Puts a version back into use.
    EnableVersion(u32),
    /// Forgets a disabled version for good.
    DestroyVersion(u32),
}

/// What is known of a key, without its secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyInfo {
    pub id: VaultKeyId,
    pub serial: u64,
    pub state: KeyState,
    /// While deletion is pending: when the window ends, RFC 3339.
    pub window_ends: Option<String>,
    pub limits: Limits,
    /// The last change; none since it was made.
    pub changed: Option<Changed>,
    /// Number, whether enabled, and when made; oldest first.
    pub versions: Vec<(u32, bool, String)>,
}

/// A change that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    pub info: KeyInfo,
    /// Sites that do not have it yet, and why. Every proxy writes it there as soon as it can.
    pub missing: Vec<(String, String)>,
}

/// How often a change is tried anew because somebody else was faster.
const ATTEMPTS: usize = 5;

/// The name of a vault key, checked.
///
/// # Errors
/// [`KeyError::Seal`] says what a name is made of.
pub fn key_id(name: &str) -> Result<VaultKeyId, KeyError> {
    Ok(VaultKeyId::parse(name)?)
}

// === impl KeyAdmin ===

impl KeyAdmin<'_> {
    /// Every key, sorted by name.
    ///
    /// # Errors
    /// When no site can be asked, or the keyring does not open.
    pub async fn list(&self) -> Result<Vec<KeyInfo>, KeyError> {
        let answers = survey::survey(self.roots, self.sites, self.bucket, &[]).await?;
        if let Some(error) = none_answered(&answers) {
            return Err(error);
        }
        let settled = settle(answers)?;
        Ok(settled.iter().map(|(id, settled)| KeyInfo::of(id, &settled.document)).collect())
    }

    /// One key.
    ///
    /// # Errors
    /// [`KeyError::NotFound`]; as [`KeyAdmin::list`].
    pub async fn show(&self, id: &VaultKeyId) -> Result<KeyInfo, KeyError> {
        let (settled, _) = self.settled(id).await?;
        Ok(KeyInfo::of(id, &settled.document))
    }

    /// Makes a key that is nowhere yet.
    ///
    /// # Errors
    /// [`KeyError::Refused`] when there is one; [`KeyError::Unsettled`] when a site cannot be asked.
    pub async fn create(&self, id: &VaultKeyId) -> Result<KeyInfo, KeyError> {
        // All of them: the newest root seals.
        let answers = survey::survey(self.roots, self.sites, self.bucket, std::slice::from_ref(id)).await?;
        let silent = answers.iter().find_map(|answer| answer.copies.as_ref().err().map(ToString::to_string));
        let settled = settle(answers)?;
        if settled.contains_key(id) {
            return Err(KeyError::Refused(id.as_str().to_owned(), "it exists already".to_owned()));
        }
        if let Some(error) = silent {
            return Err(KeyError::Unsettled(format!(
                "a new key is made at every site, and one cannot be asked: {error}"
            )));
        }
        let maker = Maker { roots: self.roots, sites: self.sites, bucket: self.bucket, entropy: self.entropy };
        let sealing = self.roots.sealing(settled.values().map(|known| &known.document));
        Ok(KeyInfo::of(id, &maker.make(id, sealing).await?.document))
    }

    /// Changes a key. Decided at the primary; what takes a key out of use is decided at a backup while the primary is down.
    ///
    /// # Errors
    /// [`KeyError::NotFound`]; [`KeyError::Refused`] for a change that the key's state does not allow; [`KeyError::Site`] when the site
    /// that decides cannot be asked.
    pub async fn change(&self, id: &VaultKeyId, change: &KeyChange, now: OffsetDateTime) -> Result<Done, KeyError> {
        self.decide(id, change.stops(), |document| self.changed(id, document, change, now)).await
    }

    /// Makes the next serial of a key out of what counts now, at the site that decides and then at the others.
    pub(super) async fn decide(
        &self,
        id: &VaultKeyId,
        stops: bool,
        next: impl Fn(&Document) -> Result<Document, KeyError>,
    ) -> Result<Done, KeyError> {
        for _ in 0..ATTEMPTS {
            let (settled, reachable) = self.settled(id).await?;
            let next = next(&settled.document)?;
            let sealed = next.seal(id, self.entropy)?;
            let next = Settled { document: next, sealed };
            let decides = self.decides(&reachable, stops)?;
            copies::bring_up(self.roots, decides, self.bucket, id, &settled).await?;
            if !self.replace(decides, id, &settled.document, &next).await? {
                continue;
            }
            let info = KeyInfo::of(id, &next.document);
            tracing::info!(key = id.as_str(), serial = info.serial, state = %info.state, by = self.by, "a vault key was changed");
            return Ok(Done { info, missing: self.spread(id, &next, decides).await });
        }
        Err(KeyError::Refused(id.as_str().to_owned(), "others change it at this moment; try again".to_owned()))
    }

    /// The site whose conditional write makes the change: the primary; without it the first that answers, for what stops a key.
    fn decides<'s>(&self, reachable: &'s [Site], stops: bool) -> Result<&'s Site, KeyError> {
        let primary = self.sites.primary.name();
        let first = reachable.first().filter(|site| site.name() == primary || stops);
        first.ok_or_else(|| {
            KeyError::Unsettled(format!(
                "site {primary} decides about this change and cannot be asked; try again later"
            ))
        })
    }

    /// The copy that counts, and the sites that answered, the primary first.
    async fn settled(&self, id: &VaultKeyId) -> Result<(Settled, Vec<Site>), KeyError> {
        let answers = survey::ask(self.roots, self.sites, self.bucket, id).await?;
        if let Some(error) = none_answered(&answers) {
            return Err(error);
        }
        let reachable =
            answers.iter().filter(|answer| answer.copies.is_ok()).map(|answer| answer.site.clone()).collect();
        let found = settle(answers)?.remove(id).ok_or_else(|| KeyError::NotFound(id.as_str().to_owned(), 0))?;
        Ok((found, reachable))
    }

    /// False when somebody else changed it meanwhile.
    async fn replace(&self, site: &Site, id: &VaultKeyId, before: &Document, next: &Settled) -> Result<bool, KeyError> {
        let Copy::Good { document, etag, .. } = survey::copy(self.roots, site, self.bucket, id).await? else {
            return Ok(false);
        };
        if !document.says_the_same(before) {
            return Ok(false);
        }
        let at = survey::location(self.bucket, id)?;
        match site.put_small(&at, next.sealed.clone(), &WriteCondition::IfMatch(etag)).await {
            // Such a site decides nothing: what is written last stays. Two operators have to agree among themselves there.
            Err(SiteError::Unsupported { .. }) => {
                site.put_small(&at, next.sealed.clone(), &WriteCondition::Always).await?;
            }
            Err(error) if error.is_precondition_failed() || matches!(error, SiteError::S3 { status: 409, .. }) => {
                return Ok(false);
            }
            written => drop(written?),
        }
        match survey::copy(self.roots, site, self.bucket, id).await? {
            Copy::Good { document, .. } => Ok(document.serial > before.serial),
            _ => Ok(false),
        }
    }

    async fn spread(&self, id: &VaultKeyId, next: &Settled, decided: &Site) -> Vec<(String, String)> {
        let mut missing = Vec::new();
        for site in self.sites.all().filter(|site| site.name() != decided.name()) {
            if let Err(error) = copies::bring_up(self.roots, site, self.bucket, id, next).await {
                missing.push((site.name().to_string(), error.to_string()));
            }
        }
        missing
    }

    fn changed(
        &self,
        id: &VaultKeyId,
        document: &Document,
        change: &KeyChange,
        now: OffsetDateTime,
    ) -> Result<Document, KeyError> {
        let refuse = |why: String| Err(KeyError::Refused(id.as_str().to_owned(), why));
        let at = now.format(&Rfc3339).unwrap_or_default();
        let mut next = document.next(Changed { at, by: self.by.to_owned(), what: change.what() });
        match (change, document.state) {
            (KeyChange::Destroy, state) if state == KeyState::Enabled || state == KeyState::Disabled => {
                return refuse(format!(
                    "it is {state}; schedule its deletion first, and destroy it when its window is over"
                ));
            }
            (_, KeyState::Destroyed) => return refuse("it is destroyed, for good".to_owned()),
            (KeyChange::Rotate | KeyChange::RotateOlder(_) | KeyChange::Succeed(_), KeyState::Enabled) => {
                if let Some(why) = not_due(document, change, now) {
                    return refuse(why);
                }
                next.add_version(now, self.entropy)?;
            }
            (KeyChange::Rotate, state) => return refuse(format!("it is {state}; enable it before it is rotated")),
            (KeyChange::Disable, KeyState::Enabled) => next.state = KeyState::Disabled,
            (KeyChange::Enable, KeyState::Disabled) => next.state = KeyState::Enabled,
            (KeyChange::ScheduleDeletion { days }, KeyState::Enabled | KeyState::Disabled) => {
                if !WINDOW.contains(days) {
                    return refuse(format!("a window has {} to {} days", WINDOW.start(), WINDOW.end()));
                }
                next.state = KeyState::PendingDeletion;
                next.window_ends = window_end(now, *days).format(&Rfc3339).ok();
            }
            (KeyChange::CancelDeletion, KeyState::PendingDeletion) => {
                next.state = KeyState::Disabled;
                next.window_ends = None;
            }
            (KeyChange::Destroy, KeyState::PendingDeletion) => {
                if !KeyInfo::of(id, document).window_is_over(now) {
                    let ends = document.window_ends.as_deref().unwrap_or("?");
                    return refuse(format!("its window ends at {ends}"));
                }
                next.state = KeyState::Destroyed;
                next.shred();
            }
            (KeyChange::Limit(limits), _) => next.limits = limits.clone(),
            (KeyChange::DisableVersion(version), _) => match document.standing(*version) {
                Some(Standing { is_replaced: true, .. }) => next.set_version(*version, VersionState::Disabled),
                standing => return refuse(no_old_version(*version, standing)),
            },
            (KeyChange::EnableVersion(version), _) => match document.standing(*version) {
                Some(_) => next.set_version(*version, VersionState::Enabled),
                None => return refuse(no_old_version(*version, None)),
            },
            (KeyChange::DestroyVersion(version), _) => match document.standing(*version) {
                Some(Standing { is_replaced: true, state: VersionState::Disabled }) => next.forget_version(*version),
                Some(Standing { is_replaced: true, .. }) => {
                    return refuse(format!("version {version} is enabled; disable it before it is destroyed"));
                }
                standing => return refuse(no_old_version(*version, standing)),
            },
            (_, state) => return refuse(format!("it is {state}, so it cannot be {}", change.name())),
        }
        Ok(next)
    }
}

// === impl KeyChange ===

impl KeyChange {
    /// What was done to the key.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Rotate | Self::RotateOlder(_) | Self::Succeed(_) => "rotated",
            Self::Disable => "disabled",
            Self::Enable => "enabled",
            Self::ScheduleDeletion { .. } => "scheduled for deletion",
            Self::CancelDeletion => "given back",
            Self::Destroy => "destroyed",
            Self::Limit(_) => "limited",
            Self::DisableVersion(_) => "version disabled",
            Self::EnableVersion(_) => "version enabled",
            Self::DestroyVersion(_) => "version destroyed",
        }
    }

    /// The same for the key's record.
    fn what(&self) -> String {
        match self {
            Self::DisableVersion(version) | Self::EnableVersion(version) | Self::DestroyVersion(version) => {
                format!("{} ({version})", self.name())
            }
            _ => self.name().to_owned(),
        }
    }

    /// Whether it takes the key out of use, for which one site has to be enough.
    fn stops(&self) -> bool {
        matches!(self, Self::Disable | Self::ScheduleDeletion { .. })
    }
}

/// Why a key that others may have rotated meanwhile is not rotated once more.
fn not_due(document: &Document, change: &KeyChange, now: OffsetDateTime) -> Option<String> {
    let newest = document.outline().last().map(|(newest, ..)| newest);
    match change {
        KeyChange::RotateOlder(after) if !aging::is_old(document, *after, now) => {
            Some("it was rotated a while ago".to_owned())
        }
        KeyChange::Succeed(version) if newest != Some(*version) => {
            Some(format!("version {version} is not its newest any more"))
        }
        _ => None,
    }
}

fn no_old_version(version: u32, standing: Option<Standing>) -> String {
    match standing {
        None => format!("it has no version {version}"),
        Some(_) => format!("version {version} seals what is written now; rotate the key first"),
    }
}

// === impl KeyInfo ===

impl KeyInfo {
    /// Whether a pending deletion may be carried out. What does not say when it may, may not.
    pub fn window_is_over(&self, now: OffsetDateTime) -> bool {
        let ends = self.window_ends.as_deref().and_then(|text| OffsetDateTime::parse(text, &Rfc3339).ok());
        ends.is_some_and(|ends| ends <= now)
    }

    fn of(id: &VaultKeyId, document: &Document) -> Self {
        let versions = document
            .outline()
            .map(|(version, state, created)| (version, state == VersionState::Enabled, created.to_owned()));
        Self {
            id: id.clone(),
            serial: document.serial,
            state: document.state,
            window_ends: document.window_ends.clone(),
            limits: document.limits.clone(),
            changed: document.changed.clone(),
            versions: versions.collect(),
        }
    }
}

fn none_answered(answers: &[survey::Answer]) -> Option<KeyError> {
    if answers.iter().any(|answer| answer.copies.is_ok()) {
        return None;
    }
    let reasons: Vec<String> =
        answers.iter().filter_map(|answer| answer.copies.as_ref().err().map(ToString::to_string)).collect();
    Some(KeyError::Unsettled(format!("no site can be asked: {}", reasons.join("; "))))
}
