//! What the restoring process is given: one site, the path of the root key, and nothing else. It goes through a pipe;
//! arguments and environment would show the site's secret.
use crate::recovery::drill::Report;
use crate::secret::SecretText;
use crate::site::{SiteConfig, SiteName};
use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Holds a secret: no `Debug`.
#[derive(Serialize, Deserialize)]
pub(super) struct Given {
    pub(super) site: GivenSite,
    /// Names, and addresses to be tried in vain.
    pub(super) withheld: Vec<(String, String)>,
    pub(super) system_bucket: String,
    /// As the command line writes them.
    pub(super) aliases: Vec<String>,
    pub(super) root_key: PathBuf,
    pub(super) buckets: Vec<String>,
    pub(super) sample: usize,
    pub(super) seed: u64,
    pub(super) folder: PathBuf,
    pub(super) manifest: Option<PathBuf>,
}

/// Holds a secret: no `Debug`.
#[derive(Serialize, Deserialize)]
pub(super) struct GivenSite {
    name: String,
    pub(super) endpoint: String,
    region: String,
    access_key_id: String,
    secret: String,
    ca_pem: Option<Vec<u8>>,
    bucket_prefix: String,
    connect_ms: u64,
    stall_ms: u64,
}

// === impl Given ===

impl Given {
    /// Has the work done by a process that has nothing but this, and waits for its report.
    pub(super) fn hand_over(&self) -> anyhow::Result<Report> {
        let program = std::env::current_exe().context("this program cannot find itself")?;
        let mut process = Command::new(program)
            .arg("drill-isolated")
            .env_clear()
            .current_dir(&self.folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("the restoring process does not start")?;
        // Dropped at the end of the statement, which closes the pipe.
        process.stdin.take().context("no pipe")?.write_all(&serde_json::to_vec(self)?)?;
        let output = process.wait_with_output()?;
        if !output.status.success() {
            bail!("the restoring process failed (its own words stand above)");
        }
        serde_json::from_slice(&output.stdout).context("the restoring process made no report")
    }
}

// === impl GivenSite ===

impl GivenSite {
    /// A site that is to be tried in vain: no credential is known.
    pub(super) fn tried_in_vain(name: &str, endpoint: &str) -> Self {
        Self {
            name: name.to_owned(),
            endpoint: endpoint.to_owned(),
            region: "us-east-1".to_owned(),
            access_key_id: "NOBODY".to_owned(),
            secret: "withheld".to_owned(),
            ca_pem: None,
            bucket_prefix: String::new(),
            connect_ms: 3000,
            stall_ms: 3000,
        }
    }
}

impl From<SiteConfig> for GivenSite {
    fn from(config: SiteConfig) -> Self {
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Self {
            name: config.name.to_string(),
            endpoint: config.endpoint,
            region: config.region,
            access_key_id: config.access_key_id,
            secret: config.secret_access_key.expose().to_owned(),
            ca_pem: config.ca_pem,
            bucket_prefix: config.bucket_prefix,
            connect_ms: millis(config.connect_timeout),
            stall_ms: millis(config.stall_timeout),
        }
    }
}

impl From<GivenSite> for SiteConfig {
    fn from(given: GivenSite) -> Self {
        Self {
            name: SiteName(given.name.into()),
            endpoint: given.endpoint,
            region: given.region,
            access_key_id: given.access_key_id,
            secret_access_key: SecretText::new(given.secret),
            ca_pem: given.ca_pem,
            bucket_prefix: given.bucket_prefix,
            connect_timeout: Duration::from_millis(given.connect_ms),
            stall_timeout: Duration::from_millis(given.stall_ms),
            max_idle_connections: 8,
        }
    }
}
