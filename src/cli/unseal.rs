//! `strongroom unseal`: a folder (or one file, or a tarball) copied straight from a site, back to plain files, offline.
use super::Usage;
use super::progress::Bar;
use crate::keys::{Keyring, RootKey, RootSource};
use crate::recovery::unseal;
use crate::s3::BucketName;
use anyhow::Context;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Decrypt what was copied straight from a site (a folder, a file, a tarball), offline: keyring and root key are enough.
///
/// Every file is opened as the object BUCKET/path-below-INPUT, written under a temporary name, verified to its
/// last byte and renamed then. Files that fail are listed and the exit code is 1.
#[derive(clap::Args)]
pub(super) struct Unseal {
    /// A copy of the system bucket (it holds the sealed keyring).
    #[arg(long, value_name = "FOLDER")]
    system: PathBuf,
    /// The root key's file.
    #[arg(long, value_name = "FILE")]
    root_key: PathBuf,
    /// The bucket the files came from, as clients name it (without a site's bucket_prefix).
    #[arg(long, value_name = "NAME")]
    bucket: String,
    /// The object's key, when INPUT is a single file (default: its file name).
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// When INPUT is a tarball (.tar, .tar.gz): the folder in it that holds the bucket's files.
    #[arg(long, value_name = "FOLDER", default_value = "")]
    strip: String,
    /// The bucket was renamed or copied: NOW[/PREFIX]=SEALED-AS[/PREFIX]. May be given several times.
    #[arg(long, value_name = "NOW=THEN")]
    alias: Vec<String>,
    /// A file with the customer's key (64 hex digits) of objects that were written with one (SSE-C).
    #[arg(long, value_name = "FILE")]
    customer_key: Option<PathBuf>,
    /// Replace files that exist in OUTPUT.
    #[arg(long)]
    overwrite: bool,
    /// The sealed folder, file or tarball.
    input: PathBuf,
    /// The folder for the plain files; for a single file, the plain file (or an existing folder to put it into).
    output: PathBuf,
}

impl Unseal {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let bucket = BucketName::parse(&self.bucket)
            .map_err(|e| Usage(format!("--bucket {:?}: {e}; name the bucket as clients do", self.bucket)))?;
        let found = std::fs::metadata(&self.input)
            .map_err(|e| Usage(format!("{}: {e}; name the copied folder or file", self.input.display())))?;
        if found.is_dir() && self.key.is_some() {
            return Err(Usage("--key names a single object, but the input is a folder; leave it out".to_owned()).into());
        }
        let root = RootKey::load(&RootSource::File(self.root_key.clone()))?;
        let keyring = Keyring::open_folder(root, &self.system)
            .with_context(|| format!("no keyring from {}", self.system.display()))?;
        let aliases = super::aliases(&self.alias)?;
        let customer = self.customer_key.as_deref().map(unseal::customer_key).transpose()?;
        let job = unseal::Unseal {
            keyring: &keyring,
            bucket: &bucket,
            aliases: &aliases,
            overwrite: self.overwrite,
            customer: customer.as_ref(),
        };
        let mut bar = Bar::new();
        let kind = if found.is_dir() { None } else { Some(unseal::kind_of(&self.input)?) };
        let summary = match kind {
            None => job.folder(&self.input, &self.output, &mut bar)?,
            Some(unseal::Kind::Object) => {
                let (key, output) = self.single()?;
                job.file(&self.input, &key, &output, &mut bar)
            }
            Some(kind) => job.tarball(&self.input, kind, Path::new(&self.strip), &self.output, &mut bar)?,
        };
        bar.finish();
        let unseal::Summary { files, bytes, failed } = summary;
        writeln!(std::io::stdout(), "{files} files unsealed, {bytes} bytes, {failed} failed")?;
        Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::from(super::EXIT_FAILURE) })
    }

    /// Key and output of a single file.
    fn single(&self) -> anyhow::Result<(String, PathBuf)> {
        let name = self.input.file_name().unwrap_or_default();
        let key = match &self.key {
            Some(key) => key.clone(),
            None => name
                .to_str()
                .map(str::to_owned)
                .ok_or_else(|| Usage("the file name is not UTF-8; give --key".into()))?,
        };
        let output = if self.output.is_dir() { self.output.join(Path::new(name)) } else { self.output.clone() };
        Ok((key, output))
    }
}
