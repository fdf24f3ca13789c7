//! [`Healer`]: makes a damaged copy good. Telling good from damaged needs keys, which nobody here has, so whoever has them is handed in.
use crate::site::{Location, Site, SiteError, SiteName};

/// How an object was found when it was looked at for its damage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Healed {
    /// Made good, from this site.
    Repaired(SiteName),
    /// It is good, or it is not there any more: nothing was changed.
    Sound,
    /// No copy of it is known to be good; and why. Nothing was changed.
    Hopeless(String),
}

/// Why nothing is known of a damage yet.
#[derive(Debug, thiserror::Error)]
pub enum HealError {
    /// A site failed.
    #[error(transparent)]
    Site(#[from] SiteError),
    /// Something else: it is tried again.
    #[error("{0}")]
    Other(String),
}

/// Makes damaged copies good.
#[async_trait::async_trait]
pub trait Healer: Send + Sync {
    /// Reads the object at this site and at the others, and copies to this site from one whose every byte authenticates. Never replaces
    /// anything newer than what was found damaged.
    ///
    /// # Errors
    /// When no verdict could be had.
    async fn heal(&self, site: &Site, at: &Location) -> Result<Healed, HealError>;
}
