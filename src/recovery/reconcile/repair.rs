//! Which side is good, and the copy from there. Damage is never spread: what is copied has authenticated to its last
//! byte just before, and is read back afterwards.
use super::judge::{Judge, Trouble, UNDECIDABLE};
use crate::recovery::object::{OpenedObject, Opener, ReadError};
use crate::replication::compare::{self, Version};
use crate::replication::{self, Copied};
use crate::site::{Location, Site, SiteError};

/// How often an object that keeps changing is followed.
const ROUNDS: u32 = 3;

/// What became of a difference.
pub(super) enum Outcome {
    /// Copied from this site.
    Repaired(String),
    /// And why.
    Left(String),
}

/// One side of a difference.
struct Side<'a> {
    site: &'a Site,
    version: Option<Version>,
    content: Content,
}

enum Content {
    Good(Box<OpenedObject>),
    Missing,
    Damaged(String),
    /// Not ours: nobody can say which is right.
    Foreign,
}

/// From which side to which.
enum Choice {
    HereToThere,
    ThereToHere,
    Neither(String),
}

// === impl Judge ===

impl Judge {
    pub(super) async fn repair(
        &self,
        opener: &Opener,
        at: &Location,
        mut here: Option<Version>,
        mut there: Option<Version>,
    ) -> Result<Outcome, Trouble> {
        for _ in 0..ROUNDS {
            let (mut ours, mut theirs) =
                tokio::try_join!(side(opener, at, self.primary(), here), side(opener, at, &self.backup, there))?;
            let damaged = "it is no sealed object any more";
            if ours.is_damage_of(&theirs) {
                ours.content = Content::Damaged(damaged.to_owned());
            } else if theirs.is_damage_of(&ours) {
                theirs.content = Content::Damaged(damaged.to_owned());
            }
            let prefers = |side: &Side<'_>| self.all.prefer.as_ref().is_some_and(|name| name == side.site.name());
            let (from, to) = match choose(&ours, &theirs, prefers(&ours), prefers(&theirs)) {
                Choice::HereToThere => (ours, theirs),
                Choice::ThereToHere => (theirs, ours),
                Choice::Neither(why) => return Ok(Outcome::Left(why)),
            };
            if copy(self, opener, at, &from, &to).await? {
                return Ok(Outcome::Repaired(from.site.name().to_string()));
            }
            (here, there) = tokio::try_join!(compare::version(self.primary(), at), compare::version(&self.backup, at))?;
        }
        Ok(Outcome::Left("it changes faster than it can be repaired; reconcile again".to_owned()))
    }
}

// === impl Side ===

impl Side<'_> {
    /// What is no sealed object by itself is a damaged one when the site says it is what the other one holds whole: the same ETag or
    /// length. Otherwise it is somebody else's.
    fn is_damage_of(&self, other: &Side<'_>) -> bool {
        let (Some(ours), Some(theirs)) = (&self.version, &other.version) else { return false };
        let alike = ours.etag == theirs.etag || ours.length == theirs.length;
        alike && matches!((&self.content, &other.content), (Content::Foreign, Content::Good(_)))
    }
}

/// Good beats damaged and missing. Of two good ones the newer counts when it is the primary's; a backup that is newer than its
/// primary without the journal's knowing is for a person to judge: the primary may have been set back.
fn choose(here: &Side<'_>, there: &Side<'_>, prefer_here: bool, prefer_there: bool) -> Choice {
    match (&here.content, &there.content) {
        (Content::Good(ours), Content::Good(theirs))
            if ours.has_customer_key() && ours.is_same_version(theirs) && !prefer_here && !prefer_there =>
        {
            Choice::Neither(UNDECIDABLE.to_owned())
        }
        (Content::Good(ours), Content::Good(theirs)) => {
            if prefer_here || (!prefer_there && ours.written_at() >= theirs.written_at()) {
                Choice::HereToThere
            } else if prefer_there {
                Choice::ThereToHere
            } else {
                Choice::Neither(format!(
                    "both are authentic and the one at {} is newer: the primary may have been set back to an older \
                     version. Choose with --prefer {} or --prefer {}",
                    there.site.name(),
                    there.site.name(),
                    here.site.name()
                ))
            }
        }
        (Content::Good(_), Content::Missing | Content::Damaged(_)) => Choice::HereToThere,
        (Content::Missing | Content::Damaged(_), Content::Good(_)) => Choice::ThereToHere,
        (Content::Foreign, _) | (_, Content::Foreign) => {
            Choice::Neither("it was not written through Strongroom, so no side can be known to be good".to_owned())
        }
        (Content::Missing, Content::Missing) => Choice::Neither("it is gone from both by now".to_owned()),
        (ours, theirs) => {
            let say = |content: &Content| match content {
                Content::Damaged(why) => format!("damaged ({why})"),
                _ => "missing".to_owned(),
            };
            let (ours, theirs) = (say(ours), say(theirs));
            let (here, there) = (here.site.name(), there.site.name());
            Choice::Neither(format!(
                "no good copy: {here} {ours}, {there} {theirs}; try a third site or an older version"
            ))
        }
    }
}

async fn side<'a>(
    opener: &Opener,
    at: &Location,
    site: &'a Site,
    version: Option<Version>,
) -> Result<Side<'a>, ReadError> {
    let content = match &version {
        None => Content::Missing,
        Some(_) => match opener.authenticate(site, at).await {
            Ok(opened) => Content::Good(Box::new(opened)),
            Err(ReadError::NotSealed(_)) => Content::Foreign,
            Err(error) if error.is_damage() => Content::Damaged(error.to_string()),
            Err(error) => return Err(error),
        },
    };
    Ok(Side { site, version, content })
}

/// False when either side changed meanwhile.
async fn copy(judge: &Judge, opener: &Opener, at: &Location, from: &Side<'_>, to: &Side<'_>) -> Result<bool, Trouble> {
    let (Content::Good(opened), Some(source)) = (&from.content, &from.version) else { return Ok(false) };
    // Only the version that authenticated is copied.
    if *opened.sealed_etag() != source.etag {
        return Ok(false);
    }
    let tee = &judge.all.tee;
    let copied = match replication::repair(tee, at, (from.site, source), (to.site, to.version.clone())).await {
        Err(SiteError::S3 { site, code, .. }) if code == "NoSuchBucket" && site == *to.site.name() => {
            make_bucket(to.site, at).await?;
            replication::repair(tee, at, (from.site, source), (to.site, None)).await?
        }
        other => other?,
    };
    if matches!(copied, Copied::Changed) {
        return Ok(false);
    }
    opener.authenticate(to.site, at).await?;
    // Another process, which does not share the commit lock, may have written in between.
    Ok(compare::version(from.site, at).await?.as_ref() == Some(source))
}

async fn make_bucket(site: &Site, at: &Location) -> Result<(), SiteError> {
    match site.create_bucket(&at.bucket, None).await {
        // Another object's repair made it.
        Err(SiteError::S3 { status: 409, .. }) => Ok(()),
        other => other,
    }
}
