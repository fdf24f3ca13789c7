//! The command line: one file per command. Here: what can be typed, and what the exit code says.
mod adopt;
mod check;
mod demo;
mod destroy;
mod destroy_version;
mod drill;
mod hardening;
mod init;
mod key;
mod place;
mod policy;
mod progress;
mod proxy;
mod reconcile;
mod replication;
mod restore;
mod rewrap;
mod root;
mod serve;
mod unseal;
mod verify;

use crate::config::{Config, ConfigError, LogFormat};
use crate::s3::{Alias, Aliases};
use crate::telemetry::{self, Format};
use clap::{Parser, Subcommand};
use std::path::Path;
use std::process::ExitCode;

/// Bad usage or configuration (`EX_USAGE` of sysexits.h).
const EXIT_USAGE: u8 = 64;
/// Anything else that went wrong.
const EXIT_FAILURE: u8 = 1;

/// An S3-compatible proxy that seals every object into a primary and backup buckets.
#[derive(Parser)]
#[command(name = "strongroom", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve S3 as a configuration file says, until SIGINT or SIGTERM.
    Serve(serve::Serve),
    /// Try it: the proxy and two embedded S3 sites on this machine, nothing else needed.
    Demo(demo::Demo),
    /// Write a commented configuration, a root key and a first credential.
    Init(init::Init),
    /// Validate a configuration, probe both sites, and say what they can and cannot do.
    Check(check::Check),
    /// Seal the plain objects of a bucket in place, through the running proxy.
    Adopt(adopt::Adopt),
    /// Move objects to the newest versions of their vault keys, without moving their bytes.
    Rewrap(rewrap::Rewrap),
    /// Compare every backup with the primary, and repair what differs.
    Reconcile(reconcile::Reconcile),
    /// Read every object of the sites and authenticate every byte.
    Verify(verify::Verify),
    /// Restore a bucket, as it is or as it was, from any site to a folder or another bucket.
    Restore(restore::Restore),
    /// Restore a sample from a backup alone, with the escrowed root key, and sign what was found.
    Drill(drill::Drill),
    /// The part of `drill` that restores.
    #[command(hide = true)]
    DrillIsolated(drill::Isolated),
    /// See vault keys, and change what may be done with them.
    Key(key::Key),
    /// See which root keys the keyring lies under, and change the root.
    Root(root::Root),
    /// See which rule decides, and whether the rules say what was meant.
    Policy(policy::Policy),
    /// See what the sites still miss, and have it tried again.
    Replication(replication::Replication),
    /// Decrypt what was copied straight from a site, offline: keyring and root key are enough.
    Unseal(unseal::Unseal),
}

/// The mistake is in what was typed, not in what happened.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Usage(String);

/// Parses the arguments, runs the command, and turns its outcome into an exit code: 0 all well, 64 bad usage or
/// configuration, 1 anything else.
pub fn main() -> ExitCode {
    hardening::no_core_dumps();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no errors; clap prints them to standard output.
            let code = if error.use_stderr() { EXIT_USAGE } else { 0 };
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    let outcome = match cli.command {
        Command::Serve(command) => command.run(),
        Command::Demo(command) => command.run(),
        Command::Init(command) => command.run(),
        Command::Check(command) => command.run(),
        Command::Adopt(command) => command.run(),
        Command::Rewrap(command) => command.run(),
        Command::Reconcile(command) => command.run(),
        Command::Verify(command) => command.run(),
        Command::Restore(command) => command.run(),
        Command::Drill(command) => command.run(),
        Command::DrillIsolated(command) => command.run(),
        Command::Key(command) => command.run(),
        Command::Root(command) => command.run(),
        Command::Policy(command) => command.run(),
        Command::Replication(command) => command.run(),
        Command::Unseal(command) => command.run(),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("strongroom: {error:#}");
        let usage = error.is::<ConfigError>() || error.is::<Usage>();
        ExitCode::from(if usage { EXIT_USAGE } else { EXIT_FAILURE })
    })
}

fn load(config: &Path) -> anyhow::Result<Config> {
    Ok(Config::load(config)?)
}

/// The aliases of a command line.
fn aliases(given: &[String]) -> Result<Aliases, Usage> {
    let parse = |text: &String| {
        let example = "write NOW[/PREFIX]=SEALED-AS[/PREFIX], for example ledgers-2026=ledgers";
        Alias::parse(text).ok_or_else(|| Usage(format!("--alias {text:?} names no two buckets; {example}")))
    };
    Ok(Aliases::new(given.iter().map(parse).collect::<Result<_, _>>()?))
}

/// The program's own log, on standard error.
fn start_tracing(level: &str, format: LogFormat) {
    let format = match format {
        LogFormat::Text => Format::Text,
        LogFormat::Json => Format::Json,
    };
    if let Err(error) = telemetry::start_tracing(level, format) {
        eprintln!("strongroom: no log: {error}");
    }
}

/// Of a worker thread, bytes; twice the usual. Builds without optimisation put the SDK's futures on the stack again and again.
const STACK: usize = 4 * 1024 * 1024;

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    use anyhow::Context;
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.enable_all().thread_stack_size(STACK).build().context("the worker threads do not start")
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
