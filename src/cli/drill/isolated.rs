//! The process that restores. It reads what it is given from standard input, writes the report to standard output, and
//! knows of nothing else: of other sites only where they are, and it can open no connection to them.
use super::given::{Given, GivenSite};
use crate::cli;
use crate::keys::{RootKey, RootSource};
use crate::recovery::drill::{Drill, Withheld};
use crate::recovery::sample::Seed;
use crate::s3::BucketName;
use crate::site::{Site, SiteError, Unobserved, confine};
use anyhow::{Context, bail};
use std::io::{Read, Write};
use std::process::ExitCode;
use std::sync::Arc;

/// For `strongroom drill` alone.
#[derive(clap::Args)]
pub(in crate::cli) struct Isolated {}

// === impl Isolated ===

impl Isolated {
    pub(in crate::cli) fn run(self) -> anyhow::Result<ExitCode> {
        let mut text = Vec::new();
        std::io::stdin().read_to_end(&mut text)?;
        let given: Given = serde_json::from_slice(&text).context("only `strongroom drill` starts this")?;
        if !confine(&given.site.endpoint) {
            bail!("this process cannot be confined to {}", given.site.endpoint);
        }
        let report = cli::runtime()?.block_on(async {
            let root = RootKey::load(&RootSource::File(given.root_key.clone()))?;
            let names = given.buckets.iter().map(|name| BucketName::parse(name));
            let withheld = given.withheld.into_iter().map(|(name, endpoint)| {
                let config = GivenSite::tried_in_vain(&name, &endpoint).into();
                Ok(Withheld { site: Site::new(config, Arc::new(Unobserved))?, name, endpoint })
            });
            let drill = Drill {
                endpoint: given.site.endpoint.clone(),
                site: Site::new(given.site.into(), Arc::new(Unobserved))?,
                withheld: withheld.collect::<Result<_, SiteError>>()?,
                system_bucket: BucketName::parse(&given.system_bucket)?,
                aliases: cli::aliases(&given.aliases)?,
                buckets: names.collect::<Result<_, _>>()?,
                sample: given.sample,
                seed: Seed(given.seed),
                folder: given.folder,
                manifest: given.manifest,
            };
            drill.run(root).await.map_err(anyhow::Error::from)
        })?;
        std::io::stdout().write_all(&serde_json::to_vec(&report)?)?;
        Ok(ExitCode::SUCCESS)
    }
}
