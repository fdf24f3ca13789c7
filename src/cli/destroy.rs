//! `strongroom key destroy`: a key and everything it sealed, gone for good, an old copy of all buckets included.
//!
//! In this order, each step safe to repeat: nothing under the key has to be kept, at any site; the next root is there; the key becomes a name
//! without bytes at every site, and every proxy has had the time to see that; every living key is sealed under the next root. What is left to
//! the operator is the old root itself.
use super::key::{At, id};
use super::place::Place;
use super::progress::Counter;
use super::root::Changing;
use crate::clock;
use crate::keys::{KeyChange, KeyInfo, KeyState, RootUse, TAKEN_OVER, VaultKeyId};
use crate::recovery::holdings::{Held, Holdings, Observer, Under};
use crate::s3::BucketName;
use crate::site::{Hold, Site};
use anyhow::{Context, bail};
use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// Kept versions that are shown one by one.
const SHOWN: u64 = 20;

#[derive(clap::Args)]
pub(super) struct Destroy {
    #[command(flatten)]
    pub(super) at: At,
    /// The next root's file, made when it is not there (default: the next one in other_roots).
    #[arg(long, value_name = "FILE")]
    new_root: Option<PathBuf>,
    /// Versions looked at at once.
    #[arg(long, value_name = "NUMBER", default_value_t = 16)]
    parallel: usize,
    /// The keys' names. One change of root serves them all.
    #[arg(required = true)]
    names: Vec<String>,
}

/// Shows progress and what is in the way.
struct Shown(Counter, u64);

// === impl Destroy ===

impl Destroy {
    /// The sites have been probed.
    pub(super) async fn run(self, place: &Place, by: &str, out: &mut impl Write) -> anyhow::Result<ExitCode> {
        let changing = Changing { place, by, new_root: self.new_root.as_deref() };
        let names: BTreeSet<VaultKeyId> = self.names.iter().map(|name| id(name)).collect::<Result<_, _>>()?;
        let doomed = self.doomed(&changing, &names).await?;
        if !doomed.is_empty() {
            self.destroy(&changing, &doomed, out).await?;
        }
        if !is_gone(&changing.seen().await?, &names)? {
            let (target, done) = changing.change(out).await?;
            changing.tell(&target, &done, out)?;
        }
        if !is_gone(&changing.seen().await?, &names)? {
            bail!("the destroyed keys may still be opened with a root that is in use; run this again");
        }
        for name in &names {
            writeln!(out, "{name}\tdestroyed; nothing in use opens it. It is gone for good when the old root is.")?;
        }
        Ok(ExitCode::SUCCESS)
    }

    /// The keys that are still to be destroyed; refuses those that may not be.
    async fn doomed(&self, changing: &Changing<'_>, names: &BTreeSet<VaultKeyId>) -> anyhow::Result<Vec<KeyInfo>> {
        let roots = changing.roots().await?;
        let mut doomed = Vec::new();
        for name in names {
            let info = changing.admin(&roots).show(name).await?;
            match info.state {
                KeyState::Destroyed => {}
                KeyState::PendingDeletion if info.window_is_over(clock::now()) => doomed.push(info),
                KeyState::PendingDeletion => {
                    bail!("vault key {name}: its window ends at {}", info.window_ends.as_deref().unwrap_or("?"))
                }
                state => bail!(
                    "vault key {name} is {state}; schedule its deletion first (`key schedule-deletion`), and destroy it when its window is over"
                ),
            }
        }
        Ok(doomed)
    }

    async fn destroy(&self, changing: &Changing<'_>, doomed: &[KeyInfo], out: &mut impl Write) -> anyhow::Result<()> {
        let keys: BTreeSet<VaultKeyId> = doomed.iter().map(|info| info.id.clone()).collect();
        let held = self.held(changing.place, &keys).await?;
        if held.kept > 0 {
            bail!("{} versions have to be kept, so nothing is destroyed", held.kept);
        }
        let mut seen = changing.seen().await?;
        if !seen.is_settled() {
            // Another change of root was broken off: what is destroyed from here on needs one of its own.
            changing.change(out).await?;
            seen = changing.seen().await?;
        }
        let roots = changing.roots().await?;
        // Better refused now than when the key is gone and its bytes are not.
        changing.next(&roots, &seen).await?;
        let Held { looked, under, bytes, .. } = held;
        writeln!(
            out,
            "{under} of {looked} versions at all sites are under these keys ({bytes} sealed bytes); none has to be kept."
        )?;
        for info in doomed {
            let done = changing.admin(&roots).change(&info.id, &KeyChange::Destroy, clock::now()).await?;
            if let Some((site, why)) = done.missing.first() {
                bail!("{} is destroyed, but site {site} does not know it yet ({why}); run this again", info.id);
            }
            writeln!(out, "{}\tdestroyed, serial {}", info.id, done.info.serial)?;
        }
        // Proxies that were not given the next root can still see this.
        tokio::time::sleep(TAKEN_OVER).await;
        Ok(())
    }

    async fn held(&self, place: &Place, keys: &BTreeSet<VaultKeyId>) -> anyhow::Result<Held> {
        let under = Under::Keys(keys.clone());
        let job = Holdings {
            sites: &place.sites,
            system_bucket: &place.system_bucket,
            under: &under,
            parallel: self.parallel,
            now: clock::now(),
        };
        let mut shown = Shown(Counter::new("versions looked at"), 0);
        let held = job.look(&mut shown).await;
        shown.0.finish();
        held.context("it cannot be known whether something has to be kept, so nothing is destroyed")
    }
}

/// Whether none of these keys can be opened with a root in use, whatever old copies there are.
fn is_gone(seen: &RootUse, names: &BTreeSet<VaultKeyId>) -> anyhow::Result<bool> {
    if let Some((site, why)) = seen.silent.first() {
        bail!("site {site} cannot be asked ({why}); run this again when it answers");
    }
    Ok(names.iter().all(|name| seen.is_shredded(name)))
}

// === impl Shown ===

impl Observer for Shown {
    fn looked(&mut self) {
        self.0.one();
    }

    fn kept(&mut self, site: &Site, bucket: &BucketName, key: &str, version: &str, hold: Hold) {
        self.1 += 1;
        if self.1 <= SHOWN {
            self.0.say(&format!("{}:{bucket}/{} version {version}: {hold}", site.name(), key.escape_debug()));
        }
    }
}
