//! `strongroom serve`: the proxy as a configuration file says.
use crate::app::{App, stop_signal};
use anyhow::Context;
use std::path::PathBuf;
use std::process::ExitCode;

/// Serve S3 as a configuration file says, until SIGINT or SIGTERM.
#[derive(clap::Args)]
pub(super) struct Serve {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

impl Serve {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let config = super::load(&self.config)?;
        super::start_tracing(&config.logs.level, config.logs.format);
        super::hardening::report();
        super::runtime()?.block_on(async {
            let stop = stop_signal().context("the signal handlers cannot be set")?;
            // A signal during a slow start (a site that does not answer) ends it.
            let started = stop.run_until_cancelled(App::start(config)).await;
            let Some(mut app) = started.transpose()? else { return Ok(ExitCode::SUCCESS) };
            app.reload_from(self.config).context("the handler of SIGHUP cannot be set")?;
            tracing::info!(s3 = %app.address(), admin = %app.admin(), "serving");
            app.run(stop).await?;
            Ok(ExitCode::SUCCESS)
        })
    }
}
