//! `strongroom init`: a commented configuration, a root key and a first credential. Never overwrites.
use crate::identity::{self, Credential};
use crate::keys::{OsEntropy, RootKey};
use anyhow::Context;
use std::fs;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const EXAMPLE: &str = include_str!("../../config/strongroom.example.toml");

/// Write a commented configuration, a root key and a first credential.
#[derive(clap::Args)]
pub(super) struct Init {
    /// The folder to write into (made when missing).
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    dir: PathBuf,
}

impl Init {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        private_folder(&self.dir)?;
        let mut out = std::io::stdout().lock();
        let config = self.dir.join("strongroom.toml");
        let wrote = write_new(&config, EXAMPLE)?;
        report(&mut out, &config, wrote)?;
        let key = self.dir.join("root.key");
        report(&mut out, &key, ensure_root_key(&key)?)?;
        let credentials = self.dir.join("credentials.toml");
        report(&mut out, &credentials, ensure_credential(&credentials, "first")?)?;
        let shown = config.display();
        writeln!(
            out,
            "\nNext:\n\
             1. Keep a copy of {} apart from both sites: without it nothing can ever be read again.\n\
             2. In {shown}, fill in both [[site]] tables (CHANGE-ME) and put their secrets where it says.\n\
             3. strongroom check --config {shown}\n\
             4. strongroom serve --config {shown}\n\
             Applications use the access key in {}.",
            key.display(),
            credentials.display(),
        )?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Makes the folder, closed to others, when it is missing.
pub(super) fn private_folder(folder: &Path) -> anyhow::Result<()> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.with_context(|| format!("the folder {} cannot be made", folder.display()))
}

/// Makes a root key when there is none. True when it did.
pub(super) fn ensure_root_key(path: &Path) -> anyhow::Result<bool> {
    if path.try_exists()? {
        return Ok(false);
    }
    RootKey::create(path, &OsEntropy)?;
    Ok(true)
}

/// Makes a credentials file with one credential when there is none. True when it did.
pub(super) fn ensure_credential(path: &Path, name: &str) -> anyhow::Result<bool> {
    if path.try_exists()? {
        return Ok(false);
    }
    identity::save_new(path, &Credential::generate(name)?)?;
    Ok(true)
}

fn write_new(path: &Path, text: &str) -> anyhow::Result<bool> {
    let created = fs::OpenOptions::new().write(true).create_new(true).open(path);
    match created {
        Ok(mut file) => {
            file.write_all(text.as_bytes()).with_context(|| format!("{} cannot be written", path.display()))?
        }
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => return Ok(false),
        Err(error) => return Err(error).with_context(|| format!("{} cannot be made", path.display())),
    }
    Ok(true)
}

fn report(out: &mut impl Write, path: &Path, wrote: bool) -> std::io::Result<()> {
    let what = if wrote { "written" } else { "kept as it was" };
    writeln!(out, "{}: {what}", path.display())
}
