//! `strongroom check`: is the configuration right, what can the sites do, does the keyring open? Changes nothing
//! but what the probe needs in the system bucket.
use super::policy::explain;
use crate::app;
use crate::config::{Config, LogFormat};
use crate::identity::{self, Credentials};
use crate::keys::{Answer, CustodianError, Custodians, Envelope, KeyError, RootSource, Roots};
use crate::policy::RuleSet;
use crate::recovery::ring;
use crate::s3::BucketName;
use crate::site::{Capabilities, Site, SiteError, SiteName, Sites, Unobserved};
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

/// Validate a configuration, probe both sites, and say what they can and cannot do.
#[derive(clap::Args)]
pub(super) struct Check {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Only say which rule decides for this object, and why; asks no site.
    #[arg(long, value_name = "BUCKET/KEY")]
    explain: Option<String>,
}

impl Check {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let config = super::load(&self.config)?;
        if let Some(path) = &self.explain {
            return explain(config, path, None, "--explain");
        }
        super::start_tracing("error", LogFormat::Text);
        let mut out = std::io::stdout().lock();
        writeln!(out, "configuration: good ({})", self.config.display())?;
        let well = super::runtime()?.block_on(check(config, &mut out))?;
        writeln!(out, "{}", if well { "all well" } else { "not all is well, see above" })?;
        Ok(if well { ExitCode::SUCCESS } else { ExitCode::from(super::EXIT_FAILURE) })
    }
}

/// Goes on after a failure: the operator wants to see all of them. True when there was none.
async fn check(config: Config, out: &mut impl Write) -> anyhow::Result<bool> {
    let mut well = true;
    let mut report = |out: &mut dyn Write, what: &str, result: Result<String, String>| {
        well &= result.is_ok();
        match result {
            Ok(fine) => writeln!(out, "{what}: {fine}"),
            Err(error) => writeln!(out, "{what}: FAILED: {error}"),
        }
    };
    let credentials = identity::load(&config.credentials_file);
    let known = credentials.as_ref().map(|c| format!("{} known", c.len())).map_err(ToString::to_string);
    report(out, "credentials", known)?;
    let rules = RuleSet::new(config.rules, config.suites);
    let keys = rules.as_ref().map(|rules| format!("vault keys {}", rules.keys().join(", ")));
    report(out, "rules", keys.map_err(ToString::to_string))?;
    let keys = config.keys;
    let custodians = Custodians::new(keys.custodians)?;
    if let RootSource::Envelope(path) = &keys.root
        && let Ok(envelope) = Envelope::read(path)
    {
        for Answer { custodian, root } in custodians.ask(&envelope).await {
            let said = match root {
                Ok(_) => Ok("opens the root".to_owned()),
                Err(error @ CustodianError::Offline) => Ok(error.to_string()),
                Err(error) => Err(error.to_string()),
            };
            report(out, &format!("custodian {custodian}"), said)?;
        }
    }
    let roots = Roots::load(&keys.root, &keys.other_roots, &custodians).await;
    report(out, "root key", roots.as_ref().map(|_| "good".to_owned()).map_err(ToString::to_string))?;
    let sites = app::build_sites(config.primary, config.backups, Arc::new(Unobserved))?;
    for site in sites.all() {
        let probed = site.probe(&config.system_bucket).await;
        let answered = probed.is_ok();
        report(out, &format!("site {}", site.name()), probed.map(|c| describe(&c)).map_err(|e| e.to_string()))?;
        if answered {
            let keyring = keyring(site, &config.system_bucket, roots.as_ref()).await;
            report(out, &format!("keyring at {}", site.name()), keyring.map_err(|e| format!("{e:#}")))?;
        }
    }
    if let Ok(credentials) = credentials {
        for (what, answer) in site_users(&credentials, &sites).await {
            report(out, &what, answer)?;
        }
    }
    Ok(well)
}

/// Whether the sites know the callers who are users of their own there.
async fn site_users(credentials: &Credentials, sites: &Sites) -> Vec<(String, Result<String, String>)> {
    let actors = match app::actors(credentials, sites) {
        Ok(actors) => actors,
        Err(error) => return vec![("users of the sites".to_owned(), Err(error.to_string()))],
    };
    let told = |(name, site, answer): (String, SiteName, Result<(), SiteError>)| {
        let answer = answer.map(|()| "is known there".to_owned()).map_err(|error| error.to_string());
        (format!("credential {name} at {site}"), answer)
    };
    app::greet(credentials, &actors).await.into_iter().map(told).collect()
}

/// Opens a copy of the site's keyring; the site's own is only read.
async fn keyring(site: &Site, system_bucket: &BucketName, roots: Result<&Roots, &KeyError>) -> anyhow::Result<String> {
    let roots = roots.map_err(|error| anyhow::anyhow!("{error}"))?;
    let opened = ring::open(site, system_bucket, roots.clone()).await?;
    Ok(opened.map_or("none yet; the first start makes it", |_| "opens with this root key").to_owned())
}

/// What a site can and cannot do, a line each, and what an absent ability means.
fn describe(can: &Capabilities) -> String {
    let rows = [
        ("conditional create (If-None-Match: *)", can.put_if_none_match, "refused to clients"),
        ("conditional replace (If-Match)", can.put_if_match, "refused to clients"),
        ("conditional multipart completion", can.complete_if_none_match, "refused to clients"),
        ("conditional delete (If-Match)", can.delete_if_match, "refused to clients"),
        ("pinned reads (If-Match on GET)", can.get_if_match, "an object replaced while it is read breaks the read"),
        ("server-side part copy", can.upload_part_copy, "copies travel through the proxy"),
        ("versioned buckets", can.versioning, "a rollback at the site goes unnoticed"),
        ("object lock", can.object_lock, "no retention at this site"),
        ("verifies checksums", can.checksums, "only the proxy does"),
        (
            "verifies checksums behind a body",
            can.checksum_trailers,
            "none are sent, which AWS asks for under object lock",
        ),
    ];
    let mut text = "answers".to_owned();
    for (what, able, otherwise) in rows {
        text += &if able { format!("\n  can: {what}") } else { format!("\n  cannot: {what} ({otherwise})") };
    }
    text += &format!("\n  largest metadata value: {} bytes", can.max_metadata);
    for quirk in &can.quirks {
        text += &format!("\n  quirk, worked round: {quirk}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_site_cannot_do_is_said_with_what_it_means() {
        let can = Capabilities { put_if_match: true, quirks: vec!["odd".into()], ..Capabilities::default() };
        let text = describe(&can);
        assert!(text.contains("can: conditional replace") && text.contains("cannot: object lock (no retention"));
        assert!(text.ends_with("quirk, worked round: odd"), "{text}");
    }
}
