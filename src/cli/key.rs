//! `strongroom key`: the vault keys, worked on at the sites. The proxies see a change within five seconds.
use super::Usage;
use super::destroy;
use super::destroy_version;
use super::place::Place;
use crate::clock;
use crate::config::{self, LogFormat};
use crate::keys::{
    Allowance, Done, KeyAdmin, KeyChange, KeyInfo, KeyState, Limits, OsEntropy, USUAL_WINDOW, Used, VaultKeyId, key_id,
};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// See vault keys, and change what may be done with them.
#[derive(clap::Args)]
pub(super) struct Key {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Every key: its state, versions, and last change.
    List(At),
    /// One key, version by version.
    Show(Named),
    /// Make a key before it is needed; rules make theirs on first use.
    Create(Named),
    /// Add a version; what is written from now on is sealed under it. Nothing is encrypted anew.
    Rotate(Named),
    /// Stop a key: nothing is sealed under it or opened with it, until it is enabled again.
    Disable(Named),
    /// Put a disabled key back into use.
    Enable(Named),
    /// Stop a key; when its window is over it can be destroyed.
    ScheduleDeletion(Schedule),
    /// Give a key back whose deletion is pending. It is disabled then.
    Cancel(Named),
    /// Destroy keys whose window is over, and with them what they sealed: for good, also for who has old copies of all buckets.
    Destroy(destroy::Destroy),
    /// Destroy an old version of a key, when no object at any site is under it any more (see `rewrap`).
    DestroyVersion(destroy_version::DestroyVersion),
    /// Say which credentials may seal under a key and open with it.
    Limit(Limit),
}

#[derive(clap::Args)]
pub(super) struct At {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Who does this, for the record. Default: the user and machine that run it.
    #[arg(long, value_name = "WHO")]
    by: Option<String>,
}

#[derive(clap::Args)]
struct Named {
    #[command(flatten)]
    at: At,
    /// The key's name.
    name: String,
}

#[derive(clap::Args)]
struct Schedule {
    #[command(flatten)]
    named: Named,
    /// Days until it can be destroyed, 7 to 30.
    #[arg(long, value_name = "DAYS", default_value_t = USUAL_WINDOW)]
    days: u16,
}

#[derive(clap::Args)]
struct Limit {
    #[command(flatten)]
    named: Named,
    /// Names of credentials that may seal under it. Without this: all of them.
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    encrypt: Option<Vec<String>>,
    /// Names of credentials that may open with it. Without this: all of them.
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    decrypt: Option<Vec<String>>,
}

impl Key {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        super::start_tracing("error", LogFormat::Text);
        super::runtime()?.block_on(self.command.run())
    }
}

impl Command {
    fn at(&self) -> &At {
        match self {
            Self::List(at) => at,
            Self::Show(named)
            | Self::Create(named)
            | Self::Rotate(named)
            | Self::Disable(named)
            | Self::Enable(named)
            | Self::Cancel(named) => &named.at,
            Self::ScheduleDeletion(schedule) => &schedule.named.at,
            Self::Limit(limit) => &limit.named.at,
            Self::Destroy(destroy) => &destroy.at,
            Self::DestroyVersion(destroy) => &destroy.at,
        }
    }

    async fn run(self) -> anyhow::Result<ExitCode> {
        let place = Place::load(&self.at().config)?;
        let (roots, entropy) = (place.roots().await?, OsEntropy);
        let by = self.at().by.clone().unwrap_or_else(somebody);
        let admin =
            KeyAdmin { roots: &roots, sites: &place.sites, bucket: &place.system_bucket, entropy: &entropy, by: &by };
        let mut out = std::io::stdout().lock();
        // A site that was not asked what it can do would be believed to do nothing.
        for site in place.sites.all() {
            let _ = site.probe(&place.system_bucket).await;
        }
        let (name, change) = match self {
            Self::List(_) => {
                for info in admin.list().await? {
                    writeln!(out, "{}", line(&info))?;
                }
                return Ok(ExitCode::SUCCESS);
            }
            Self::Show(named) => {
                let info = admin.show(&id(&named.name)?).await?;
                show(&info, &usage(&place, &info).await, &place.allowance, &mut out)?;
                return Ok(ExitCode::SUCCESS);
            }
            Self::Create(named) => {
                writeln!(out, "{}", line(&admin.create(&id(&named.name)?).await?))?;
                return Ok(ExitCode::SUCCESS);
            }
            Self::Destroy(destroy) => return destroy.run(&place, &by, &mut out).await,
            Self::DestroyVersion(destroy) => return destroy.run(&place, &admin, &mut out).await,
            Self::Rotate(named) => (named.name, KeyChange::Rotate),
            Self::Disable(named) => (named.name, KeyChange::Disable),
            Self::Enable(named) => (named.name, KeyChange::Enable),
            Self::ScheduleDeletion(Schedule { named, days }) => (named.name, KeyChange::ScheduleDeletion { days }),
            Self::Cancel(named) => (named.name, KeyChange::CancelDeletion),
            Self::Limit(Limit { named, encrypt, decrypt }) => {
                (named.name, KeyChange::Limit(Limits { encrypt, decrypt }))
            }
        };
        let Done { info, missing } = admin.change(&id(&name)?, &change, clock::now()).await?;
        writeln!(out, "{}", line(&info))?;
        for (site, why) in missing {
            eprintln!("strongroom: site {site} does not have this yet; the proxies write it there: {why}");
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// A key's name of the command line.
pub(super) fn id(name: &str) -> Result<VaultKeyId, Usage> {
    key_id(name).map_err(|error| Usage(format!("the key name {name:?} is refused: {error}")))
}

/// `USER@HOST`, as far as the environment tells.
pub(super) fn somebody() -> String {
    let user = std::env::var("SUDO_USER").or_else(|_| std::env::var("USER")).unwrap_or_else(|_| "unknown".to_owned());
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("{user}@{}", host.trim())
}

/// A key in one line: name, state, newest version, serial, last change.
fn line(info: &KeyInfo) -> String {
    let newest = info.versions.last().map_or("no version".to_owned(), |(version, ..)| format!("version {version}"));
    let mut line = format!("{}\t{}\t{newest}\tserial {}", info.id, info.state, info.serial);
    if let (KeyState::PendingDeletion, Some(ends)) = (info.state, &info.window_ends) {
        line += &format!("\twindow ends {ends}");
    }
    if let Some(changed) = &info.changed {
        line += &format!("\t{} at {} by {}", changed.what, changed.at, changed.by);
    }
    line
}

/// What was sealed under each version of a key, by its number; or why that is not known here.
async fn usage(place: &Place, info: &KeyInfo) -> Result<BTreeMap<u32, Used>, String> {
    let state = place.state().await.map_err(|error| format!("{error:#}"))?;
    let state = state.ok_or("no proxy of this configuration has a state on this machine")?;
    let sums = state.key_usage().await.map_err(|error| error.to_string());
    state.close().await;
    let sums = sums?.into_iter().filter(|sum| sum.key == *info.id.as_str());
    Ok(sums.map(|sum| (sum.version, Used { objects: sum.objects, bytes: sum.bytes })).collect())
}

fn show(
    info: &KeyInfo,
    usage: &Result<BTreeMap<u32, Used>, String>,
    allowance: &Allowance,
    out: &mut impl Write,
) -> std::io::Result<()> {
    writeln!(out, "{}", line(info))?;
    let sealed = |version: &u32| usage.as_ref().ok().map(|sums| sums.get(version).copied().unwrap_or_default());
    for (version, enabled, created) in &info.versions {
        write!(out, "  version {version}\t{}\tmade {created}", if *enabled { "enabled" } else { "disabled" })?;
        match sealed(version) {
            Some(used) => writeln!(out, "\tsealed {} objects, {} bytes", used.objects, used.bytes)?,
            None => writeln!(out)?,
        }
    }
    let names = |names: &Option<Vec<String>>| names.as_ref().map_or("everybody".to_owned(), |names| names.join(", "));
    writeln!(out, "  may encrypt: {}", names(&info.limits.encrypt))?;
    writeln!(out, "  may decrypt: {}", names(&info.limits.decrypt))?;
    write!(out, "  rotated after: {} objects", allowance.objects)?;
    if let Some(bytes) = allowance.bytes {
        write!(out, ", {bytes} bytes")?;
    }
    if let Some(after) = allowance.after {
        write!(out, ", {}", config::show_duration(after))?;
    }
    let newest = info.versions.last().and_then(|(version, ..)| sealed(version));
    match (usage, newest) {
        (Ok(_), Some(used)) => writeln!(out, "; the newest version has used {:.1} %", 100.0 * allowance.share(used)),
        (Ok(_), None) => writeln!(out),
        (Err(why), _) => writeln!(out, "; what was sealed is not known: {why}"),
    }
}
