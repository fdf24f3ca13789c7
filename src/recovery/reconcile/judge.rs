//! From what two listings say of an object to a finding.
use super::merge::{Listed, Pair};
use super::repair::Outcome;
use super::{Finding, Reconcile, Symbol};
use crate::recovery::object::{Opener, ReadError};
use crate::replication::compare::{self, Likeness, Version};
use crate::site::{Location, Site, SiteError};
use crate::state::StateError;

/// Compares the primary with one backup.
pub(super) struct Judge {
    pub(super) all: Reconcile,
    pub(super) backup: Site,
}

/// Of one version under a customer's key, with different bytes: the frame is right at both.
pub(super) const UNDECIDABLE: &str = "content not checked: customer key. The sites hold different bytes of one version, and only who has that key can tell which are damaged";

/// Why no finding could be made.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    #[error(transparent)]
    Site(#[from] SiteError),
    #[error("the journal cannot be read: {0}")]
    State(#[from] StateError),
    #[error(transparent)]
    Read(#[from] ReadError),
}

// === impl Judge ===

impl Judge {
    pub(super) fn primary(&self) -> &Site {
        &self.all.tee.sites().primary
    }

    /// Nothing more has to be asked.
    pub(super) fn is_plainly_same(&self, at: &Location, pair: &Pair) -> bool {
        let same = match (&pair.here, &pair.there) {
            (Some(here), Some(there)) => here.size == there.size && here.etag.is_some() && here.etag == there.etag,
            _ => false,
        };
        same && !self.all.depth.includes(at.bucket.as_str(), at.key.as_str())
    }

    pub(super) async fn look(&self, at: &Location, pair: &Pair) -> Finding {
        match self.try_look(at, pair).await {
            Ok(finding) => finding,
            Err(trouble) => Finding::error(self.backup.name(), &at.bucket, at.key.as_str(), trouble.to_string()),
        }
    }

    pub(super) async fn try_look(&self, at: &Location, pair: &Pair) -> Result<Finding, Trouble> {
        let (here, there) = self.versions(at, pair).await?;
        let mut doubtful = false;
        let symbol = match (&here, &there) {
            // Deleted at both since the listings.
            (None, None) => Symbol::Same,
            (None, Some(_)) => Symbol::MissingHere,
            (Some(_), None) => Symbol::MissingThere,
            (Some(ours), Some(theirs)) => {
                let likeness = compare::likeness(at, (self.primary(), ours), (&self.backup, theirs)).await?;
                doubtful = likeness == Likeness::Suspect;
                if likeness == Likeness::Different { Symbol::Differs } else { Symbol::Same }
            }
        };
        let finding = Finding::new(self.backup.name(), at, symbol);
        if symbol == Symbol::Same {
            return self.deep(at, finding, (here, there), doubtful).await;
        }
        if let Some(state) = &self.all.state
            && state.is_behind(&at.bucket, &at.key).await?
        {
            return Ok(Finding { pending: true, ..finding });
        }
        self.mend(at, finding, (here, there)).await
    }

    /// The versions now: listings of two moments differ wherever somebody writes.
    async fn versions(&self, at: &Location, pair: &Pair) -> Result<(Option<Version>, Option<Version>), SiteError> {
        let of = |listed: &Option<Listed>| {
            listed.clone().and_then(|listed| Some(Version { etag: listed.etag?, length: listed.size }))
        };
        match (of(&pair.here), of(&pair.there)) {
            (Some(here), Some(there)) if here == there => Ok((Some(here), Some(there))),
            _ => tokio::try_join!(compare::version(self.primary(), at), compare::version(&self.backup, at)),
        }
    }

    /// Equal by what the sites say. Is it also what was sealed?
    async fn deep(
        &self,
        at: &Location,
        finding: Finding,
        versions: (Option<Version>, Option<Version>),
        doubtful: bool,
    ) -> Result<Finding, Trouble> {
        let Some(opener) = &self.all.opener else {
            let why = "the trailers are equal and the ETags are not: one may be damaged; --all tells which";
            return Ok(if doubtful { Finding { symbol: Symbol::Differs, ..finding }.because(why) } else { finding });
        };
        let wanted = doubtful || self.all.depth.includes(at.bucket.as_str(), at.key.as_str());
        if !wanted || versions.0.is_none() {
            return Ok(finding);
        }
        let (ours, theirs) =
            tokio::join!(opener.authenticate(self.primary(), at), opener.authenticate(&self.backup, at));
        if let (Ok(ours), Ok(theirs)) = (&ours, &theirs)
            && ours.has_customer_key()
        {
            let (ours, theirs) = tokio::try_join!(opener.digest(ours), opener.digest(theirs))?;
            return Ok(if ours == theirs {
                finding
            } else {
                Finding { symbol: Symbol::Differs, ..finding }.because(UNDECIDABLE)
            });
        }
        let mut damage = Vec::new();
        let nobody_sealed_it = matches!((&ours, &theirs), (Err(ReadError::NotSealed(_)), Err(ReadError::NotSealed(_))));
        for (site, result) in [(self.primary(), ours.err()), (&self.backup, theirs.err())] {
            match result {
                None => {}
                // What we did not write is compared by what the sites say of it.
                Some(ReadError::NotSealed(_)) if nobody_sealed_it => {}
                Some(error @ ReadError::NotSealed(_)) => damage.push(format!("damaged at {}: {error}", site.name())),
                Some(error) if error.is_damage() => damage.push(format!("damaged at {}: {error}", site.name())),
                Some(error) => return Err(error.into()),
            }
        }
        if damage.is_empty() {
            return Ok(finding);
        }
        let finding = Finding { symbol: Symbol::Differs, ..finding }.because(damage.join("; "));
        self.mend(at, finding, versions).await
    }

    async fn mend(
        &self,
        at: &Location,
        finding: Finding,
        (here, there): (Option<Version>, Option<Version>),
    ) -> Result<Finding, Trouble> {
        let opener: &Opener = match &self.all.opener {
            Some(opener) if self.all.repair => opener,
            _ => return Ok(finding),
        };
        let mended = self.repair(opener, at, here, there).await?;
        let known = finding.why.clone().map_or_else(String::new, |why| format!("{why}; "));
        Ok(match mended {
            Outcome::Repaired(from) => {
                let finding = finding.because(format!("{known}copied from {from}"));
                Finding { repaired: true, copied_from: Some(from), ..finding }
            }
            Outcome::Left(why) => finding.because(format!("{known}left as it is: {why}")),
        })
    }
}
