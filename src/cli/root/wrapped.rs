//! Roots that are wrapped for custodians: making an envelope, changing its custodians, what they say, and the way out of escrow.
use crate::cli::{self, Usage};
use crate::config::Keys;
use crate::identity::read_private;
use crate::keys::{self, Answer, CustodianError, Custodians, Envelope, OsEntropy, RootKey, RootSource, WrapChange};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(clap::Args)]
pub(super) struct New {
    /// The configuration whose custodians the root is wrapped for (default: the root is written plain).
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Wrap it for this custodian; may be given several times (default: all of the configuration).
    #[arg(long, value_name = "NAME", requires = "config")]
    wrap_for: Vec<String>,
    /// The file; an existing one is never overwritten.
    file: PathBuf,
}

#[derive(clap::Args)]
pub(super) struct Rewrap {
    /// The configuration file: its root is an envelope, made when it is not there (see --from).
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The same root in a plain file: to make an envelope of a plain root, or when no custodian opens it.
    #[arg(long, value_name = "ROOT-KEY")]
    from: Option<PathBuf>,
    /// Take this custodian's part out; may be given several times.
    #[arg(long, value_name = "NAME")]
    remove: Vec<String>,
}

#[derive(clap::Args)]
pub(super) struct Recover {
    /// The private key of a recipient (AGE-SECRET-KEY-1...), a file of mode 0600.
    #[arg(long, value_name = "FILE")]
    identity: PathBuf,
    /// The envelope.
    envelope: PathBuf,
    /// Where the plain root key goes; an existing file is never overwritten.
    output: PathBuf,
}

// === impl New ===

impl New {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let (made, what) = match &self.config {
            None => (RootKey::create(&self.file, &OsEntropy)?, "is a new root key"),
            Some(config) => {
                let custodians = Custodians::new(cli::load(config)?.keys.custodians)?;
                (make(&self.file, &custodians, &self.wrap_for).await?, "holds a new root key for its custodians")
            }
        };
        let file = self.file.display();
        writeln!(
            std::io::stdout(),
            "{file} {what}, fingerprint {}.\nKeep a copy of it apart from both sites before it is used.",
            made.fingerprint()
        )?;
        Ok(ExitCode::SUCCESS)
    }
}

/// A new root, in a new envelope.
pub(super) async fn make(file: &Path, custodians: &Custodians, only: &[String]) -> anyhow::Result<RootKey> {
    let root = RootKey::generate(&OsEntropy)?;
    custodians.seal(&root, only).await?.write(file, false)?;
    Ok(root)
}

// === impl Rewrap ===

impl Rewrap {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let Keys { root, custodians, .. } = cli::load(&self.config)?.keys;
        let RootSource::Envelope(path) = &root else {
            let what = "the configuration's root is no envelope; write root = { envelope = \"root.envelope\" }, and name the plain root with --from";
            return Err(Usage(what.to_owned()).into());
        };
        let custodians = Custodians::new(custodians)?;
        let plain = self.from.as_ref().map(|from| RootKey::load(&RootSource::File(from.clone()))).transpose()?;
        if !path.try_exists()? {
            return self.first(path, &custodians, plain).await;
        }
        let before = Envelope::read(path)?;
        let known = match plain {
            Some(plain) => plain,
            None => custodians.load(&root).await?,
        };
        let (after, changes) = custodians.rewrap(&known, &before, &self.remove).await?;
        let mut out = std::io::stdout().lock();
        for (custodian, change) in &changes {
            let said = match change {
                WrapChange::Kept => "kept as it was".to_owned(),
                WrapChange::Untried(why) => format!("kept, but not tried: it {why}"),
                WrapChange::Made => "wrapped now".to_owned(),
                WrapChange::Foreign => {
                    "kept, though the configuration does not name it (--remove takes it out)".to_owned()
                }
                WrapChange::Removed => "removed".to_owned(),
            };
            writeln!(out, "{custodian}\t{said}")?;
        }
        if after == before {
            writeln!(out, "{} is as it was", path.display())?;
            return Ok(ExitCode::SUCCESS);
        }
        after.write(path, true)?;
        tell(path, &after, &mut out)?;
        Ok(ExitCode::SUCCESS)
    }

    /// The first envelope of a root that was plain until now.
    async fn first(&self, path: &Path, custodians: &Custodians, plain: Option<RootKey>) -> anyhow::Result<ExitCode> {
        let Some(root) = plain else {
            let what = format!(
                "{} is not there: name the root it is to hold with --from ROOT-KEY, or make a new root with `strongroom root new --config`",
                path.display()
            );
            return Err(Usage(what).into());
        };
        let envelope = custodians.seal(&root, &[]).await?;
        envelope.write(path, false)?;
        tell(path, &envelope, &mut std::io::stdout().lock())?;
        Ok(ExitCode::SUCCESS)
    }
}

fn tell(path: &Path, envelope: &Envelope, out: &mut impl Write) -> anyhow::Result<()> {
    let parts: Vec<_> = envelope.parts().map(|(name, ..)| name).collect();
    writeln!(
        out,
        "{} holds root {} for {}; what is new in it was opened again.\nCopy it to the other machines, and keep a copy apart from both sites. A custodian \
         that was taken out opens every older copy of the file still.",
        path.display(),
        envelope.fingerprint(),
        parts.join(", ")
    )?;
    Ok(())
}

/// What the custodians of an envelope say now. True when all of those open it who can be asked.
pub(super) async fn show(source: &RootSource, custodians: &Custodians, out: &mut impl Write) -> anyhow::Result<bool> {
    let RootSource::Envelope(path) = source else { return Ok(true) };
    if !source.is_there() {
        return Ok(true);
    }
    let (envelope, mut all_open) = (Envelope::read(path)?, true);
    let answers = custodians.ask(&envelope).await;
    for (name, kind, made) in envelope.parts() {
        let said = match answers.iter().find(|answer| answer.custodian == name).map(|answer| &answer.root) {
            Some(Ok(_)) => "opens it".to_owned(),
            Some(Err(error @ CustodianError::Offline)) => error.to_string(),
            Some(Err(error)) => {
                all_open = false;
                format!("DOES NOT OPEN IT: {error}")
            }
            None => "not in the configuration".to_owned(),
        };
        writeln!(out, "{}\tcustodian {name}\t{kind}\twrapped {made}\t{said}", envelope.fingerprint())?;
    }
    for Answer { custodian, .. } in
        answers.iter().filter(|answer| matches!(answer.root, Err(CustodianError::NotWrapped)))
    {
        all_open = false;
        writeln!(out, "{}\tcustodian {custodian}\t{}", envelope.fingerprint(), CustodianError::NotWrapped)?;
    }
    Ok(all_open)
}

// === impl Recover ===

impl Recover {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let envelope = Envelope::read(&self.envelope)?;
        let identity = read_private(&self.identity)?;
        let root = keys::recover(&envelope, &identity)?;
        root.save(&self.output)?;
        writeln!(
            std::io::stdout(),
            "{} is root key {}, plain. Whoever has it can read everything: wrap it for new custodians (`strongroom root rewrap --from`), then destroy it.",
            self.output.display(),
            root.fingerprint()
        )?;
        Ok(ExitCode::SUCCESS)
    }
}
