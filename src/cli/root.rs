//! `strongroom root`: which root keys the keyring lies under, and from one to the next; roots that are wrapped ([`wrapped`]).
mod wrapped;

use super::Usage;
use super::place::Place;
use crate::clock;
use crate::config::LogFormat;
use crate::keys::{Envelope, KeyAdmin, OsEntropy, Rewrapped, RootKey, RootSource, RootUse, Roots, TAKEN_OVER};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// See which root keys the keyring lies under, and change the root.
#[derive(clap::Args)]
pub(super) struct Root {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Which roots are known, and how much lies under each of them at every site.
    Show(Show),
    /// Make a root key in a new file, plain or wrapped for custodians, to be given to the proxies before it is used.
    New(wrapped::New),
    /// Wrap the root for the custodians of the configuration: the root stays, proxies go on. Safe to repeat.
    Rewrap(wrapped::Rewrap),
    /// Take a root out of escrow, offline: into a plain root key file.
    Recover(wrapped::Recover),
    /// Seal every key anew under the next root, at every site, and say what becomes of the old one. Safe to repeat.
    Rotate(Rotate),
}

#[derive(clap::Args)]
struct Show {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

#[derive(clap::Args)]
struct Rotate {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The next root's file, made when it is not there (default: the next one in other_roots).
    #[arg(long, value_name = "FILE")]
    new_root: Option<PathBuf>,
    /// Who does this, for the record. Default: the user and machine that run it.
    #[arg(long, value_name = "WHO")]
    by: Option<String>,
}

/// The root to go to.
pub(super) struct Target {
    roots: Roots,
    fingerprint: String,
}

/// A configuration's keyring, to change its root.
pub(super) struct Changing<'a> {
    pub(super) place: &'a Place,
    pub(super) by: &'a str,
    /// The next root's file, if the command line names one.
    pub(super) new_root: Option<&'a Path>,
}

// === impl Root ===

impl Root {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        super::start_tracing("error", LogFormat::Text);
        match self.command {
            Command::Show(show) => super::runtime()?.block_on(show.run()),
            Command::New(new) => super::runtime()?.block_on(new.run()),
            Command::Rewrap(rewrap) => super::runtime()?.block_on(rewrap.run()),
            Command::Recover(recover) => recover.run(),
            Command::Rotate(rotate) => super::runtime()?.block_on(rotate.run()),
        }
    }
}

impl Show {
    async fn run(self) -> anyhow::Result<ExitCode> {
        let place = Place::load(&self.config)?;
        let changing = Changing { place: &place, by: "", new_root: None };
        let mut out = std::io::stdout().lock();
        let mut all_open = true;
        for source in changing.sources() {
            all_open &= wrapped::show(source, &place.custodians, &mut out).await?;
        }
        let seen = changing.seen().await?;
        for source in changing.sources().filter(|source| source.is_there()) {
            let fingerprint = fingerprint_of(source)?;
            if !seen.copies.contains_key(&fingerprint) {
                let what =
                    if seen.past.contains(&fingerprint) { "nothing lies under it any more" } else { "not in use yet" };
                writeln!(out, "{fingerprint}\t{source}\t{what}")?;
            }
        }
        for (fingerprint, copies) in &seen.copies {
            let place = changing.place_of(fingerprint);
            let seals = if seen.seals.as_ref() == Some(fingerprint) { "seals" } else { "to be left" };
            let copies: Vec<String> = copies.iter().map(|(site, count)| format!("{count} keys at {site}")).collect();
            writeln!(out, "{fingerprint}\t{place}\t{seals}\t{}", copies.join(", "))?;
        }
        for (site, key) in &seen.closed {
            writeln!(out, "NOT OPENED\tkey {key} at {site}")?;
        }
        for (site, why) in &seen.silent {
            writeln!(out, "NOT ASKED\t{site}: {why}")?;
        }
        let clear = all_open && seen.closed.is_empty() && seen.silent.is_empty();
        Ok(if clear { ExitCode::SUCCESS } else { ExitCode::from(super::EXIT_FAILURE) })
    }
}

impl Rotate {
    async fn run(self) -> anyhow::Result<ExitCode> {
        let place = Place::load(&self.config)?;
        let by = self.by.clone().unwrap_or_else(super::key::somebody);
        let changing = Changing { place: &place, by: &by, new_root: self.new_root.as_deref() };
        changing.probe().await;
        let mut out = std::io::stdout().lock();
        let (target, done) = changing.change(&mut out).await?;
        changing.tell(&target, &done, &mut out)?;
        Ok(ExitCode::SUCCESS)
    }
}

// === impl Changing ===

impl Changing<'_> {
    /// A site that was not asked what it can do would be believed to do nothing.
    pub(super) async fn probe(&self) {
        for site in self.place.sites.all() {
            let _ = site.probe(&self.place.system_bucket).await;
        }
    }

    /// The roots that the configuration names, and the one of the command line when it is there.
    pub(super) async fn roots(&self) -> anyhow::Result<Roots> {
        let roots = self.place.roots().await?;
        match self.new_root {
            Some(path) if path.exists() => Ok(roots.with(RootKey::load(&RootSource::File(path.to_owned()))?)),
            _ => Ok(roots),
        }
    }

    /// Which roots are in use.
    pub(super) async fn seen(&self) -> anyhow::Result<RootUse> {
        Ok(self.admin(&self.roots().await?).roots_in_use().await?)
    }

    /// Seals every key anew under one root: the one that seals already, when a change of root was broken off, else the next one.
    pub(super) async fn change(&self, out: &mut impl Write) -> anyhow::Result<(Target, Rewrapped)> {
        let (roots, seen) = (self.roots().await?, self.seen().await?);
        let target = match &seen.seals {
            Some(seals) if !seen.is_settled() => Target { roots, fingerprint: seals.clone() },
            _ => self.next(&roots, &seen).await?,
        };
        let done = self.go(&target, out).await?;
        Ok((target, done))
    }

    /// The next root: named and never used, or made now.
    pub(super) async fn next(&self, roots: &Roots, seen: &RootUse) -> anyhow::Result<Target> {
        let named = self.new_root.map(|path| RootSource::File(path.to_owned()));
        let sources: Vec<&RootSource> = match &named {
            Some(named) => vec![named],
            None => self.place.other_roots.iter().collect(),
        };
        for source in &sources {
            let root = match (source.is_there(), source) {
                (true, source) => self.place.custodians.load(source).await?,
                (false, RootSource::File(path)) => RootKey::create(path, &OsEntropy)?,
                (false, RootSource::Envelope(path)) => wrapped::make(path, &self.place.custodians, &[]).await?,
                (false, RootSource::Environment(_)) => continue,
            };
            let fingerprint = root.fingerprint();
            if !seen.copies.contains_key(&fingerprint) && !seen.past.contains(&fingerprint) {
                return Ok(Target { roots: roots.with(root), fingerprint });
            }
        }
        let used = named.map_or_else(String::new, |named| format!("{named} was in use already. "));
        Err(Usage(format!("{used}{}", self.guidance())).into())
    }

    /// What has to be done by hand first.
    fn guidance(&self) -> String {
        let waiting = self.place.other_roots.iter().find(|source| !source.is_there());
        match (waiting, &self.place.root) {
            (Some(RootSource::Environment(name)), _) => format!(
                "A running program's environment cannot be changed from outside, so this kind of root needs a hand: make 64 hex digits \
                 (`strongroom root new FILE`, then delete the file), set {name} to them where the proxies and this command are started, restart the \
                 proxies one after another, and run this again"
            ),
            (_, RootSource::Environment(_)) => "no next root is named: write other_roots = [{ environment = \"STRONGROOM_ROOT_KEY_2\" }] \
                 into [keys] of every proxy's configuration, set that variable to a new root (64 hex digits, `strongroom root new FILE` makes \
                 some), restart the proxies one after another, and run this again"
                .to_owned(),
            (_, RootSource::Envelope(_)) => {
                "no next root is named: write other_roots = [{ envelope = \"root-2.envelope\" }] into [keys] of every proxy's configuration, \
                 restart the proxies one after another, and run this again (the file is made; copy it to the other machines first, see \
                 `strongroom root new --config`)"
                    .to_owned()
            }
            _ => "no next root is named: write other_roots = [{ file = \"root-2.key\" }] into [keys] of every proxy's configuration, restart the \
                 proxies one after another, and run this again (the file is made; copy it to the other machines first, see `strongroom root \
                 new`). Without proxies, --new-root FILE will do"
                .to_owned(),
        }
    }

    pub(super) async fn go(&self, target: &Target, out: &mut impl Write) -> anyhow::Result<Rewrapped> {
        writeln!(
            out,
            "sealing the keyring under root {} ({}) ...",
            target.fingerprint,
            self.place_of(&target.fingerprint)
        )?;
        Ok(self.admin(&target.roots).rewrap(&target.fingerprint, clock::now(), TAKEN_OVER).await?)
    }

    /// What became of it, and what is left to the operator.
    pub(super) fn tell(&self, target: &Target, done: &Rewrapped, out: &mut impl Write) -> anyhow::Result<()> {
        let (new, keys, changed) = (self.place_of(&target.fingerprint), done.keys, done.changed);
        writeln!(
            out,
            "every one of {keys} keys lies under root {} ({new}), at every site, read back; {changed} were sealed anew.",
            target.fingerprint
        )?;
        writeln!(
            out,
            "\n1. Copy the new root to where copies of the old one are kept, now: the old one opens the keyring no more."
        )?;
        writeln!(
            out,
            "2. Make it the root of every configuration (root = ...; the old one out of it), and restart the proxies one after another."
        )?;
        writeln!(out, "3. `strongroom root show` must show nothing under another root.")?;
        writeln!(out, "4. Then put an end to every copy of the old:")?;
        for fingerprint in &done.retired {
            let how = match self.source_of(fingerprint) {
                Some(RootSource::File(path)) => format!(
                    "delete {} on every machine, its copies in escrow and in backups of these machines. What was on a flash drive or a snapshot \
                     is gone only with the drive or snapshot",
                    path.display()
                ),
                Some(RootSource::Environment(name)) => format!(
                    "take {name} out of where it is set (unit, container, secret store), earlier versions kept there included, and restart what \
                     was started with it"
                ),
                Some(RootSource::Envelope(path)) => format!(
                    "delete {} on every machine, its copies in escrow and in backups. Where a copy may be left, put an end to what opens it: delete the \
                     KMS key if nothing else needs it, destroy the passphrase and the escrow's identity",
                    path.display()
                ),
                None => "in no configuration any more; delete what copies are left in escrow and backups".to_owned(),
            };
            writeln!(out, "   {fingerprint}: {how}.")?;
        }
        writeln!(
            out,
            "Copies of buckets made until now are read with the keyring as it is now: keep a copy of the system bucket of today with them."
        )?;
        Ok(())
    }

    pub(super) fn admin<'a>(&'a self, roots: &'a Roots) -> KeyAdmin<'a> {
        KeyAdmin {
            roots,
            sites: &self.place.sites,
            bucket: &self.place.system_bucket,
            entropy: &OsEntropy,
            by: self.by,
        }
    }

    fn sources(&self) -> impl Iterator<Item = &RootSource> {
        std::iter::once(&self.place.root).chain(&self.place.other_roots)
    }

    fn source_of(&self, fingerprint: &str) -> Option<RootSource> {
        let named = self.new_root.map(|path| RootSource::File(path.to_owned()));
        let mut sources = self.sources().cloned().chain(named).filter(RootSource::is_there);
        sources.find(|source| fingerprint_of(source).is_ok_and(|found| found == fingerprint))
    }

    fn place_of(&self, fingerprint: &str) -> String {
        self.source_of(fingerprint).map_or_else(|| "in no configuration".to_owned(), |source| source.to_string())
    }
}

/// An envelope says it itself: no custodian is asked for it.
fn fingerprint_of(source: &RootSource) -> anyhow::Result<String> {
    Ok(match source {
        RootSource::Envelope(path) => Envelope::read(path)?.fingerprint().to_owned(),
        _ => RootKey::load(source)?.fingerprint(),
    })
}
