//! `strongroom demo`: two embedded S3 sites and the proxy in front of them, by the same way as `serve`.
use super::init::{ensure_credential, private_folder};
use crate::app::{App, stop_signal};
use crate::config::{Config, LogFormat};
use crate::identity;
use crate::keys::{OsEntropy, RootKey};
use crate::secret::SecretText;
use crate::site::embedded::EmbeddedSite;
use anyhow::Context;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tokio_util::sync::CancellationToken;

const REGION: &str = "us-east-1";
/// How a configuration begins that the demo may write anew.
const HEADER: &str = "# Written by `strongroom demo` at every start";

/// Try it: the proxy and two embedded S3 sites on this machine, nothing else needed.
#[derive(clap::Args)]
pub(super) struct Demo {
    /// Where everything is kept: keys, credential, state, both sites. A second start reuses it.
    #[arg(long, value_name = "FOLDER", default_value = "./strongroom-demo")]
    dir: PathBuf,
    /// Where the proxy serves S3.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9000")]
    listen: SocketAddr,
    /// Where health and metrics are.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9001")]
    admin: SocketAddr,
    /// Port of the raw primary site on 127.0.0.1.
    #[arg(long, value_name = "PORT", default_value_t = 9010)]
    primary_port: u16,
    /// Port of the raw backup site on 127.0.0.1.
    #[arg(long, value_name = "PORT", default_value_t = 9020)]
    backup_port: u16,
}

/// The one credential of the demo: for the proxy and for both raw sites.
struct Access {
    id: String,
    secret: SecretText,
}

/// Both embedded sites.
struct RawSites {
    primary: EmbeddedSite,
    backup: EmbeddedSite,
}

// === impl Demo ===

impl Demo {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        super::start_tracing("info", LogFormat::Text);
        super::runtime()?.block_on(async {
            let stop = stop_signal().context("the signal handlers cannot be set")?;
            let access = self.prepare()?;
            let sites = self.start_sites(&access).await?;
            let served = self.serve(&access, &sites, stop).await;
            // The proxy has drained: whatever it still wrote is through.
            sites.primary.stop().await;
            sites.backup.stop().await;
            served.map(|()| ExitCode::SUCCESS)
        })
    }

    /// Makes folder, root key and credential when they are missing; reads the credential.
    fn prepare(&self) -> anyhow::Result<Access> {
        private_folder(&self.dir)?;
        let root = self.dir.join("root.key");
        if !root.try_exists()? {
            RootKey::generate_for_demo(&OsEntropy)?.save(&root)?;
        }
        let file = self.dir.join("credentials.toml");
        ensure_credential(&file, "demo")?;
        let credentials = identity::load(&file)?;
        let (principal, secret) =
            credentials.iter().min_by_key(|(p, _)| p.access_key_id.clone()).context("no credential")?;
        Ok(Access { id: principal.access_key_id.to_string(), secret: SecretText::new(secret.expose().to_owned()) })
    }

    async fn start_sites(&self, access: &Access) -> anyhow::Result<RawSites> {
        let start = async |folder: &str, port: u16, option: &str| {
            let started = EmbeddedSite::start(&self.dir.join(folder), port, &access.id, &access.secret).await;
            started.with_context(|| {
                format!("the {folder} site cannot listen on port {port}; choose another with --{option}")
            })
        };
        let primary = start("primary", self.primary_port, "primary-port").await?;
        let backup = match start("backup", self.backup_port, "backup-port").await {
            Ok(backup) => backup,
            Err(error) => {
                primary.stop().await;
                return Err(error);
            }
        };
        Ok(RawSites { primary, backup })
    }

    async fn serve(&self, access: &Access, sites: &RawSites, stop: CancellationToken) -> anyhow::Result<()> {
        let config = self.config(access, sites)?;
        let Some(app) = stop.run_until_cancelled(App::start_demo(config)).await.transpose()? else { return Ok(()) };
        let text = self.welcome(access, sites, &app);
        let mut out = std::io::stdout().lock();
        // Nobody may be reading; that is no reason to stop.
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        drop(out);
        Ok(app.run(stop).await?)
    }

    /// Writes the configuration (anew at each start, since ports may change) and reads it like any other.
    fn config(&self, access: &Access, sites: &RawSites) -> anyhow::Result<Config> {
        let path = self.dir.join("strongroom.toml");
        refuse_foreign(&path)?;
        fs::write(&path, self.config_text(&access.id, sites.primary.address, sites.backup.address))
            .with_context(|| format!("{} cannot be written", path.display()))?;
        let secret = self.dir.join("site.secret");
        let matches = identity::read_private(&secret).is_ok_and(|text| text.trim() == access.secret.expose());
        if !matches {
            if secret.try_exists()? {
                fs::remove_file(&secret)?;
            }
            identity::write_private(&secret, access.secret.expose())?;
        }
        super::load(&path)
    }

    fn config_text(&self, access_key_id: &str, primary: SocketAddr, backup: SocketAddr) -> String {
        let (listen, admin, plain) = (self.listen, self.admin, !self.listen.ip().is_loopback());
        let mut text = format!(
            "{HEADER}; changes here are lost. For a real one: `strongroom init`.\n\
             region = \"{REGION}\"\n\
             [listen]\naddress = \"{listen}\"\nadmin = \"{admin}\"\nallow_plain_http = {plain}\n\
             [state]\nfolder = \"state\"\n\
             [keys]\nroot = {{ file = \"root.key\" }}\n\
             [credentials]\nfile = \"credentials.toml\"\n\
             [log]\naccess = \"access.log\"\nevents = \"events.json\"\n"
        );
        for (name, address) in [("primary", primary), ("backup", backup)] {
            let _ = write!(
                text,
                "[[site]]\nname = \"{name}\"\nrole = \"{name}\"\nendpoint = \"http://{address}\"\n\
                 access_key_id = \"{access_key_id}\"\nsecret_access_key_file = \"site.secret\"\n"
            );
        }
        text
    }

    fn welcome(&self, access: &Access, sites: &RawSites, app: &App) -> String {
        let (address, admin) = (reachable(app.address()), reachable(app.admin()));
        let (primary, backup) = (sites.primary.address, sites.backup.address);
        let (id, secret, dir) = (&access.id, access.secret.expose(), self.dir.display());
        format!(
            "Strongroom is running. Paste this into another terminal:\n\n\
             export AWS_ENDPOINT_URL=http://{address}\n\
             export AWS_ACCESS_KEY_ID={id}\n\
             export AWS_SECRET_ACCESS_KEY={secret}\n\
             export AWS_REGION={REGION}\n\n\
             aws s3 mb s3://demo\n\
             aws s3 cp {example} s3://demo/first.toml\n\
             aws s3 cp s3://demo/first.toml -\n\n\
             What the storage sees (same credential, sealed bytes, the same at both sites):\n\n\
             aws --endpoint-url http://{primary} s3 cp s3://demo/first.toml - | head -c 200 | od -c | head\n\
             aws --endpoint-url http://{backup} s3 ls s3://demo\n\n\
             Health and metrics: http://{admin}/readyz http://{admin}/metrics\n\
             Access log: {dir}/access.log   Files of the sites: {dir}/primary {dir}/backup\n\
             Ctrl-C stops it; the next start finds everything again.\n",
            example = display_path(&self.dir.join("strongroom.toml")),
        )
    }
}

/// Somebody's own configuration is not the demo's to overwrite.
fn refuse_foreign(path: &Path) -> anyhow::Result<()> {
    if path.try_exists()? && !fs::read_to_string(path)?.starts_with(HEADER) {
        anyhow::bail!("{} is not the demo's own; choose another folder with --dir", path.display());
    }
    Ok(())
}

/// An address to connect to: an unspecified one is reached over loopback.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        ip if !ip.is_unspecified() => ip,
        ip if ip.is_ipv4() => std::net::Ipv4Addr::LOCALHOST.into(),
        _ => std::net::Ipv6Addr::LOCALHOST.into(),
    };
    SocketAddr::new(ip, address.port())
}

/// A path as a shell takes it.
fn display_path(path: &Path) -> String {
    let text = path.display().to_string();
    let harmless = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"/._-".contains(&b));
    if harmless { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn demo(dir: &Path, listen: &str) -> Demo {
        let address = |text: &str| text.parse().expect("a test's address");
        Demo {
            dir: dir.to_owned(),
            listen: address(listen),
            admin: address("127.0.0.1:9001"),
            primary_port: 9010,
            backup_port: 9020,
        }
    }

    #[test]
    fn the_written_configuration_is_a_valid_one() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["root.key", "credentials.toml", "site.secret"] {
            identity::write_private(&folder.path().join(name), "text").expect("a file");
        }
        for listen in ["127.0.0.1:9000", "0.0.0.0:9000", "[::1]:0"] {
            let demo = demo(folder.path(), listen);
            let port = |port| SocketAddr::from(([127, 0, 0, 1], port));
            let text = demo.config_text("SRTEST", port(9010), port(9020));
            let config = Config::parse(&text, &folder.path().join("strongroom.toml"), &|_| None);
            let config = config.unwrap_or_else(|e| panic!("{e}"));
            assert_eq!(config.primary.endpoint, "http://127.0.0.1:9010");
            assert_eq!(config.listen.address, demo.listen);
        }
    }

    #[test]
    fn the_first_start_makes_a_credential_and_the_second_reuses_it() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("root.key"), "made before").expect("a file");
        let demo = demo(folder.path(), "127.0.0.1:9000");
        let (first, second) = (demo.prepare().expect("a start"), demo.prepare().expect("another start"));
        assert_eq!((first.id, first.secret.expose()), (second.id, second.secret.expose()));
    }

    #[test]
    fn a_configuration_of_somebody_elses_is_never_overwritten() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("strongroom.toml");
        assert!(refuse_foreign(&path).is_ok());
        std::fs::write(&path, "region = \"mine\"\n").expect("a file");
        assert!(refuse_foreign(&path).is_err_and(|e| e.to_string().contains("--dir")));
        let port = SocketAddr::from(([127, 0, 0, 1], 1));
        let own = demo(folder.path(), "127.0.0.1:9000").config_text("SRTEST", port, port);
        std::fs::write(&path, own).expect("a file");
        assert!(refuse_foreign(&path).is_ok());
    }

    #[test]
    fn an_unspecified_address_is_shown_as_one_that_can_be_reached() {
        let shown = |text: &str| reachable(text.parse().expect("a test's address")).to_string();
        assert_eq!(shown("0.0.0.0:9000"), "127.0.0.1:9000");
        assert_eq!(shown("[::]:9000"), "[::1]:9000");
        assert_eq!(shown("10.0.0.1:9000"), "10.0.0.1:9000");
    }

    #[test]
    fn paths_are_quoted_for_the_shell_when_they_need_it() {
        assert_eq!(display_path(Path::new("./a-b/c.toml")), "./a-b/c.toml");
        assert_eq!(display_path(Path::new("it's here")), "'it'\\''s here'");
    }
}
