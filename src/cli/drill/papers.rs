//! The report's files, the key that signs it, and `strongroom drill verify`.
use crate::clock;
use crate::identity;
use crate::recovery::drill::{Report, Signed, SigningKey, page};
use crate::secret::SecretBytes;
use anyhow::{Context, anyhow};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Check a report's signature and say what it says. Exit code: 0 the signature fits, 1 it does not.
#[derive(clap::Args)]
pub(super) struct Verify {
    /// The public key that is expected, 64 hex digits; without it anybody may have signed.
    #[arg(long, value_name = "HEX")]
    public_key: Option<String>,
    /// The report (JSON).
    report: PathBuf,
}

// === impl Verify ===

impl Verify {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let shown = self.report.display();
        let text = fs::read(&self.report).with_context(|| format!("{shown} cannot be read"))?;
        let signed = Signed::parse(&text).with_context(|| shown.to_string())?;
        let report = signed.verify(self.public_key.as_deref()).with_context(|| shown.to_string())?;
        let mut out = std::io::stdout().lock();
        writeln!(out, "the signature fits (Ed25519, key {})", signed.public_key())?;
        if self.public_key.is_none() {
            writeln!(out, "whose key that is, only --public-key can tell")?;
        }
        writeln!(
            out,
            "{}: {} objects restored from {} between {} and {}; RPO {} s, RTO {} s",
            if report.passed { "passed" } else { "FAILED" },
            report.sample.objects.len(),
            report.isolation.site,
            report.started,
            report.ended,
            report.rpo.seconds,
            report.rto.seconds
        )?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Reads the signing key, or makes one and says its public key.
pub(super) fn signing_key(path: &Path) -> anyhow::Result<SigningKey> {
    if !path.try_exists()? {
        let mut seed = [0u8; 32];
        clock::random(&mut seed)?;
        identity::write_private(path, &(hex::encode(seed) + "\n"))?;
        let key = SigningKey::from_seed(&SecretBytes::new(seed))?;
        eprintln!(
            "A key that signs drill reports was made: {}. Its public key, to be given to whoever reads them: {}",
            path.display(),
            key.public_key()
        );
        return Ok(key);
    }
    let text = identity::read_private(path)?;
    let mut seed = [0u8; 32];
    hex::decode_to_slice(text.trim(), &mut seed)
        .map_err(|_| anyhow!("{}: a signing key is 64 hex digits; remove the file to have one made", path.display()))?;
    Ok(SigningKey::from_seed(&SecretBytes::new(seed))?)
}

/// Writes the signed report and the page beside it; neither is ever seen half written.
pub(super) fn write(path: &Path, report: &Report, key: &SigningKey) -> anyhow::Result<()> {
    let signed = key.sign(report)?;
    for (path, text) in
        [(path.with_extension("html"), page(report, &key.public_key())), (path.to_owned(), signed.text()?)]
    {
        let beside = path.with_extension("partial");
        let written = fs::write(&beside, text).and_then(|()| fs::rename(&beside, &path));
        written.with_context(|| format!("{} cannot be written", path.display()))?;
    }
    Ok(())
}
