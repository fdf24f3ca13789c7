//! `strongroom replication`: what the sites still miss, what they refuse, what they keep. Beside a running proxy, or without one.
use crate::app;
use crate::clock;
use crate::config::LogFormat;
use crate::state::{Backlog, Resting, State};
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// Rows of one listing.
const LISTED: u32 = 10_000;

/// See what the sites still miss, and have it tried again.
#[derive(clap::Args)]
pub(super) struct Replication {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// How much each site misses, how old that is, what is parked and what is kept.
    Status(Place),
    /// Try everything again now, what is parked too. The running proxy takes it up within 15 seconds.
    Retry(Retry),
    /// What a site refuses, and why.
    Parked(Place),
    /// What backups keep although it was deleted, and until when.
    Retained(Place),
}

#[derive(clap::Args)]
struct Place {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

#[derive(clap::Args)]
struct Retry {
    #[command(flatten)]
    place: Place,
    /// Only what this site misses.
    #[arg(long, value_name = "NAME")]
    site: Option<String>,
}

impl Replication {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        super::start_tracing("error", LogFormat::Text);
        let place = match &self.command {
            Command::Status(place) | Command::Parked(place) | Command::Retained(place) => place,
            Command::Retry(retry) => &retry.place,
        };
        let config = super::load(&place.config)?;
        super::runtime()?.block_on(async {
            let state = app::open_state(&config.state).await?;
            let mut out = std::io::stdout().lock();
            match &self.command {
                Command::Status(_) => status(&state, &mut out).await?,
                Command::Parked(_) => parked(&state, &mut out).await?,
                Command::Retained(_) => retained(&state, &mut out).await?,
                Command::Retry(retry) => {
                    let rows = state.retry(retry.site.as_deref(), now()).await?;
                    writeln!(out, "{rows} operations are tried again")?;
                }
            }
            state.close().await;
            Ok(ExitCode::SUCCESS)
        })
    }
}

async fn status(state: &State, out: &mut impl Write) -> anyhow::Result<()> {
    let sites = state.backlogs().await?;
    if sites.is_empty() {
        writeln!(out, "every site has everything")?;
    }
    for (site, objects) in state.away().await? {
        writeln!(out, "{site}: {objects} objects that it accepted while the primary was out are not home yet")?;
    }
    for (site, backlog) in sites {
        let Backlog { pending, bytes, oldest, parked, retained } = backlog;
        let age = oldest.map_or(0, |oldest| now().saturating_sub(oldest).max(0));
        writeln!(
            out,
            "{site}: {pending} pending ({bytes} bytes, oldest {age} s), {parked} parked, {retained} retained"
        )?;
    }
    Ok(())
}

async fn parked(state: &State, out: &mut impl Write) -> anyhow::Result<()> {
    for Resting { row, reason } in state.resting(false, LISTED).await? {
        let key = row.key.as_ref().map_or("", |key| key.as_str());
        writeln!(out, "{}\t{}/{}\t{} tries\t{reason}", row.site, row.bucket, key.escape_debug(), row.attempts)?;
    }
    Ok(())
}

async fn retained(state: &State, out: &mut impl Write) -> anyhow::Result<()> {
    for Resting { row, .. } in state.resting(true, LISTED).await? {
        let key = row.key.as_ref().map_or("", |key| key.as_str());
        let left = row.retain_until.saturating_sub(now()).max(0);
        let (days, hours) = (left / 86_400, left % 86_400 / 3600);
        writeln!(out, "{}\t{}/{}\t{days} days {hours} hours left", row.site, row.bucket, key.escape_debug())?;
    }
    Ok(())
}

fn now() -> i64 {
    clock::now().unix_timestamp()
}
