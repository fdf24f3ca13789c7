//! `strongroom restore`: a bucket, as it is or as it was, back from any site.
use super::Usage;
use super::place::{self, Place};
use super::progress::Counter;
use crate::config::LogFormat;
use crate::identity;
use crate::recovery::restore::{Destination, Done, Form, Observer, Restore as Job, RestoreError, Summary};
use crate::secret::SecretText;
use crate::site::{Site, SiteConfig, SiteName, Unobserved};
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Restore a bucket, or what lies below a prefix, from any site to a folder or another bucket.
///
/// Every object is verified to its last byte before it gets its final name. Failures are lines on standard error. Exit
/// code: 0 everything was restored, 1 some objects were not, 2 the work could not be done, 64 bad usage.
#[derive(clap::Args)]
#[command(group(clap::ArgGroup::new("destination").required(true).args(["to_folder", "to_bucket"])))]
pub(super) struct Restore {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The site to restore from (default: the primary). No other site is asked for anything.
    #[arg(long, value_name = "SITE")]
    from: Option<String>,
    /// The bucket, as clients name it.
    #[arg(long, value_name = "NAME")]
    bucket: String,
    /// Only keys that begin so.
    #[arg(long, value_name = "PREFIX", default_value = "")]
    prefix: String,
    /// As it was then, in a versioned bucket: 2026-11-20T10:00:00Z.
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Into this folder; each key becomes a path below it.
    #[arg(long, value_name = "FOLDER")]
    to_folder: Option<PathBuf>,
    /// Into this bucket, of --to-site (sealed) or --to-endpoint.
    #[arg(long, value_name = "NAME")]
    to_bucket: Option<String>,
    /// The site of the configuration that --to-bucket is at. Only with --sealed: sites never get plaintext.
    #[arg(long, value_name = "SITE", requires = "sealed", conflicts_with = "to_endpoint")]
    to_site: Option<String>,
    /// The S3 endpoint that --to-bucket is at, for example the proxy itself: http://127.0.0.1:9000
    #[arg(long, value_name = "URL", requires_all = ["to_access_key_id", "to_secret_file"])]
    to_endpoint: Option<String>,
    /// The credential for --to-endpoint.
    #[arg(long, value_name = "ID")]
    to_access_key_id: Option<String>,
    /// The private file (mode 0600) with its secret.
    #[arg(long, value_name = "FILE")]
    to_secret_file: Option<PathBuf>,
    /// The region for --to-endpoint.
    #[arg(long, value_name = "REGION", default_value = "us-east-1")]
    to_region: String,
    /// The sealed bytes as they lie at the site (verified all the same), instead of plaintext.
    #[arg(long)]
    sealed: bool,
    /// Go on with an interrupted restore: leave what is there and the same, replace what is not.
    #[arg(long)]
    resume: bool,
    /// Replace what exists at the destination.
    #[arg(long)]
    overwrite: bool,
    /// At most so many bytes a second, for example 10MiB.
    #[arg(long, value_name = "SIZE")]
    bandwidth: Option<String>,
    /// Objects restored at once.
    #[arg(long, value_name = "NUMBER", default_value_t = 8)]
    parallel: usize,
}

/// Shows progress and failures.
struct Shown(Counter);

// === impl Restore ===

impl Restore {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        super::start_tracing("error", LogFormat::Text);
        place::judged(super::runtime()?.block_on(self.work()))
    }

    async fn work(&self) -> anyhow::Result<u8> {
        let place = Place::load(&self.config)?;
        let from = self.from.as_deref().map_or_else(|| Ok(place.sites.primary.clone()), |name| place.site(name))?;
        let bucket = place::bucket(&self.bucket)?;
        let at = self.at.as_deref().map(moment).transpose()?;
        let destination = self.destination(&place)?;
        let pace = place::pace(self.bandwidth.as_deref())?;
        let opener = place.opener(std::slice::from_ref(&from), pace).await?;
        let job = Job {
            opener,
            from,
            bucket,
            prefix: self.prefix.clone(),
            at,
            destination: Arc::new(destination),
            form: if self.sealed { Form::Sealed } else { Form::Plain },
            resume: self.resume,
            overwrite: self.overwrite,
            parallel: self.parallel,
        };
        let mut shown = Shown(Counter::new("objects restored"));
        let summary = job.run(&mut shown).await?;
        shown.0.finish();
        let Summary { restored, bytes, there, failed } = summary;
        writeln!(
            std::io::stdout(),
            "{restored} restored ({bytes} plain bytes), {there} there already, {failed} failed"
        )?;
        if self.sealed && self.to_bucket.as_ref().is_some_and(|to| *to != self.bucket) {
            let (now, then) = (self.to_bucket.as_deref().unwrap_or_default(), &self.bucket);
            eprintln!(
                "The objects in {now} are still bound to the name {then}. To read them there, add to the configuration:\n\
                 [[bucket_alias]]\nbucket = \"{now}\"\nsealed_as = \"{then}\""
            );
        }
        Ok(if failed == 0 { place::GOOD } else { place::BAD })
    }

    fn destination(&self, place: &Place) -> anyhow::Result<Destination> {
        if let Some(folder) = &self.to_folder {
            return Ok(Destination::Folder(folder.clone()));
        }
        let bucket = place::bucket(self.to_bucket.as_deref().unwrap_or_default())?;
        let site = match (&self.to_site, &self.to_endpoint) {
            (Some(name), _) => place.site(name)?,
            (None, Some(endpoint)) => self.endpoint(endpoint)?,
            (None, None) => return Err(Usage("--to-bucket needs --to-site or --to-endpoint".to_owned()).into()),
        };
        Ok(Destination::Bucket(site, bucket))
    }

    fn endpoint(&self, endpoint: &str) -> anyhow::Result<Site> {
        let file = self.to_secret_file.clone().unwrap_or_default();
        let secret = identity::read_private(&file)?;
        let config = SiteConfig {
            name: SiteName("destination".into()),
            endpoint: endpoint.to_owned(),
            region: self.to_region.clone(),
            access_key_id: self.to_access_key_id.clone().unwrap_or_default(),
            secret_access_key: SecretText::new(secret.trim().to_owned()),
            ca_pem: None,
            bucket_prefix: String::new(),
            connect_timeout: Duration::from_secs(5),
            stall_timeout: Duration::from_secs(60),
            max_idle_connections: self.parallel,
        };
        Ok(Site::new(config, Arc::new(Unobserved))?)
    }
}

fn moment(text: &str) -> Result<OffsetDateTime, Usage> {
    OffsetDateTime::parse(text, &Rfc3339)
        .map_err(|e| Usage(format!("--at {text:?} is no time ({e}); write for example 2026-11-20T10:00:00Z")))
}

impl Observer for Shown {
    fn object(&mut self, key: &str, outcome: &Result<Done, RestoreError>) {
        self.0.one();
        if let Err(error) = outcome {
            self.0.say(&format!("failed: {}: {error}", key.escape_debug()));
        }
    }
}
