//! `strongroom key destroy-version`: an old version of a vault key is forgotten, when nothing at any site is under it any more.
//!
//! In this order, each step safe to repeat: no object, no older version of one and no upload in progress is under it; it is disabled, and every
//! proxy has had the time to see that, so that nothing can be finished under it; nothing has come to be under it meanwhile; its key is
//! forgotten at every site. What is found at the second look puts it back into use.
use super::Usage;
use super::key::{At, id};
use super::place::Place;
use super::progress::Counter;
use crate::clock;
use crate::keys::{KeyAdmin, KeyChange, KeyInfo, KeyState, TAKEN_OVER, VaultKeyRef};
use crate::recovery::holdings::{Held, Holdings, Observer, Under, uploads};
use crate::s3::BucketName;
use crate::site::Site;
use anyhow::{Context, bail};
use std::io::Write;
use std::process::ExitCode;

/// Versions in the way that are shown one by one.
const SHOWN: u64 = 20;

#[derive(clap::Args)]
pub(super) struct DestroyVersion {
    #[command(flatten)]
    pub(super) at: At,
    /// Versions of objects looked at at once.
    #[arg(long, value_name = "NUMBER", default_value_t = 16)]
    parallel: usize,
    /// The key's name.
    name: String,
    /// The version's number.
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    version: u32,
}

/// Shows progress and what is in the way.
struct Shown(Counter, u64);

// === impl DestroyVersion ===

impl DestroyVersion {
    /// The sites have been probed.
    pub(super) async fn run(
        &self,
        place: &Place,
        admin: &KeyAdmin<'_>,
        out: &mut impl Write,
    ) -> anyhow::Result<ExitCode> {
        let (key, version) = (id(&self.name)?, self.version);
        let info = admin.show(&key).await?;
        let Some(is_enabled) = self.is_enabled(&info)? else {
            writeln!(out, "{key}\tversion {version} is destroyed already")?;
            self.tell(out)?;
            return Ok(ExitCode::SUCCESS);
        };
        let under = Under::Version(VaultKeyRef { id: key.clone(), version });
        let looked = self.look(place, &under).await;
        let looked = match looked {
            Err(error) if !is_enabled => return Err(self.back(admin, error).await),
            looked => looked?,
        };
        if is_enabled {
            self.change(admin, &KeyChange::DisableVersion(version)).await?;
            writeln!(out, "{key}\tversion {version} disabled: {looked} versions at all sites, none of them under it")?;
        }
        tokio::time::sleep(TAKEN_OVER).await;
        if let Err(error) = self.look(place, &under).await {
            return Err(self.back(admin, error).await);
        }
        self.change(admin, &KeyChange::DestroyVersion(version)).await?;
        writeln!(out, "{key}\tversion {version} destroyed")?;
        self.tell(out)?;
        Ok(ExitCode::SUCCESS)
    }

    /// Whether the version is enabled; `None` when it was destroyed before.
    fn is_enabled(&self, info: &KeyInfo) -> anyhow::Result<Option<bool>> {
        if info.state == KeyState::Destroyed {
            bail!("vault key {} is destroyed, with all its versions", info.id);
        }
        let (newest, version) = (info.versions.last().map_or(0, |(newest, ..)| *newest), self.version);
        match info.versions.iter().find(|(number, ..)| *number == version) {
            Some((_, enabled, _)) if version < newest => Ok(Some(*enabled)),
            None if version < newest => Ok(None),
            None => Err(Usage(format!("vault key {} has no version {version} yet", info.id)).into()),
            Some(_) => bail!(
                "version {version} is the newest of vault key {}; rotate the key (`key rotate`) and move its objects (`rewrap`) first",
                info.id
            ),
        }
    }

    /// Refuses when anything is under the version, or when that cannot be known; else how much was looked at.
    async fn look(&self, place: &Place, under: &Under) -> anyhow::Result<u64> {
        const UNKNOWN: &str = "it cannot be known whether something is under this version, so it is not destroyed";
        let state = place.state().await?.with_context(|| {
            format!("{UNKNOWN}: uploads in progress are in the state of the proxy, and there is none here; run this on its machine")
        })?;
        let pending = uploads(&state, under).await.context(UNKNOWN)?;
        if pending > 0 {
            bail!("{pending} uploads in progress are under this version; complete or abort them, and run this again");
        }
        let job = Holdings {
            sites: &place.sites,
            system_bucket: &place.system_bucket,
            under,
            parallel: self.parallel,
            now: clock::now(),
        };
        let mut shown = Shown(Counter::new("versions looked at"), 0);
        let held = job.look(&mut shown).await;
        shown.0.finish();
        let Held { looked, under, unknown, .. } = held.context(UNKNOWN)?;
        if under > 0 {
            bail!(
                "{under} versions of objects at all sites are under this version; move the current ones with `rewrap`, and delete older ones or wait until they are gone"
            );
        }
        if unknown > 0 {
            bail!(
                "{UNKNOWN}: of {unknown} sealed objects it cannot be told under what they are; reconcile the sites first"
            );
        }
        Ok(looked)
    }

    async fn change(&self, admin: &KeyAdmin<'_>, change: &KeyChange) -> anyhow::Result<()> {
        let done = admin.change(&id(&self.name)?, change, clock::now()).await?;
        if let Some((site, why)) = done.missing.first() {
            bail!("{} {}: site {site} does not know it yet ({why}); run this again", self.name, change.name());
        }
        Ok(())
    }

    /// What was found in the way needs the version.
    async fn back(&self, admin: &KeyAdmin<'_>, error: anyhow::Error) -> anyhow::Error {
        match self.change(admin, &KeyChange::EnableVersion(self.version)).await {
            Ok(()) => error.context("the version is in use again"),
            Err(failed) => error.context(format!("the version is disabled still ({failed:#}); run this again")),
        }
    }

    fn tell(&self, out: &mut impl Write) -> std::io::Result<()> {
        writeln!(
            out,
            "Its bytes may be in old versions, snapshots and backups of the system bucket, sealed under the root. They are gone for good when \
             the root is changed (`root rotate`) and the old one destroyed."
        )
    }
}

// === impl Shown ===

impl Observer for Shown {
    fn looked(&mut self) {
        self.0.one();
    }

    fn found(&mut self, site: &Site, bucket: &BucketName, key: &str, version: &str) {
        self.1 += 1;
        if self.1 <= SHOWN {
            self.0.say(&format!("{}:{bucket}/{} version {version}", site.name(), key.escape_debug()));
        }
    }
}
