//! `strongroom adopt`: seals the plain objects of a bucket in place, through the running proxy.
use super::Usage;
use super::progress::AdoptBar;
use super::proxy::ProxyAt;
use crate::app;
use crate::config::LogFormat;
use crate::recovery::adopt::{Adopt as Job, Summary};
use crate::s3::BucketName;
use anyhow::Context;
use std::io::Write;
use std::process::ExitCode;

/// Seal the plain objects of a bucket in place, through the running proxy.
///
/// The bucket's rule has to say unsealed = "read". Every plain object is copied onto itself by the proxy, on condition
/// that no client changes it meanwhile, and read back. What is sealed already is left alone, so a job that was
/// broken off is simply started again. Exit code 0: nothing plain is left (or it was a dry run); 1: something is.
#[derive(clap::Args)]
pub(super) struct Adopt {
    #[command(flatten)]
    at: ProxyAt,
    /// Only say what would be sealed.
    #[arg(long)]
    dry_run: bool,
    /// Objects at a time.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=256))]
    parallel: u16,
    /// The bucket, or a bucket and the beginning of keys.
    #[arg(value_name = "BUCKET[/PREFIX]")]
    what: String,
}

impl Adopt {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let (bucket, prefix) = self.what.split_once('/').unwrap_or((&self.what, ""));
        let bucket = BucketName::parse(bucket)
            .map_err(|e| Usage(format!("{:?}: {e}; write for example ledgers or ledgers/2019/", self.what)))?;
        super::start_tracing("error", LogFormat::Text);
        let job = Job {
            proxy: self.at.proxy(usize::from(self.parallel))?,
            bucket,
            prefix: prefix.to_owned(),
            dry_run: self.dry_run,
            parallel: usize::from(self.parallel),
        };
        super::runtime()?.block_on(async {
            let stop = app::stop_signal().context("the signal handlers cannot be set")?;
            let mut bar = AdoptBar::new();
            let done = job.run(&mut bar, || !stop.is_cancelled()).await;
            bar.finish();
            let summary = done.with_context(|| format!("the bucket {}", job.bucket))?;
            report(&mut std::io::stdout().lock(), &summary, self.dry_run, stop.is_cancelled())?;
            let well = summary.is_well() && !stop.is_cancelled();
            Ok(if well { ExitCode::SUCCESS } else { ExitCode::from(super::EXIT_FAILURE) })
        })
    }
}

fn report(out: &mut impl Write, summary: &Summary, dry_run: bool, stopped: bool) -> std::io::Result<()> {
    let Summary { adopted, plain, sealed, changed, failed, bytes, plain_versions } = summary;
    if dry_run {
        writeln!(out, "{plain} objects to seal, {bytes} bytes; {sealed} sealed already, {failed} refused")?;
    } else {
        writeln!(
            out,
            "{adopted} objects sealed, {bytes} bytes; {sealed} sealed already, {changed} changed meanwhile, {failed} failed"
        )?;
    }
    if *plain_versions > 0 {
        writeln!(
            out,
            "{plain_versions} of them have their plain version still, because the bucket is versioned: delete those versions"
        )?;
    }
    match (stopped, dry_run, summary.is_well()) {
        (true, _, _) => writeln!(out, "stopped; run it again to go on"),
        (_, false, true) => writeln!(out, "nothing plain is left here: take unsealed = \"read\" out of the rule"),
        (_, false, false) => writeln!(out, "run it again for what changed meanwhile; see above for what failed"),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_says_what_to_do_next() {
        let said = |summary: &Summary, dry_run, stopped| {
            let mut out = Vec::new();
            report(&mut out, summary, dry_run, stopped).expect("it is written");
            String::from_utf8(out).expect("text")
        };
        let well = Summary { adopted: 2, bytes: 9, plain_versions: 1, ..Summary::default() };
        let text = said(&well, false, false);
        assert!(text.contains("2 objects sealed, 9 bytes") && text.contains("delete those versions"), "{text}");
        assert!(text.contains("take unsealed = \"read\" out"), "{text}");
        assert!(said(&well, false, true).ends_with("stopped; run it again to go on\n"));
        assert!(said(&Summary { changed: 1, ..well }, false, false).contains("run it again for what changed"));
        assert!(said(&Summary { plain: 3, ..Summary::default() }, true, false).starts_with("3 objects to seal"));
    }
}
