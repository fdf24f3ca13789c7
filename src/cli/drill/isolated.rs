//! The process that restores. It reads what it is given from standard input, writes the report to standard output, and
//! knows of nothing else.
use super::given::Given;
use crate::cli;
use crate::keys::{RootKey, RootSource};
use crate::recovery::drill::Drill;
use crate::recovery::sample::Seed;
use crate::s3::BucketName;
use crate::site::{Site, Unobserved};
use anyhow::Context;
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
        let report = cli::runtime()?.block_on(async {
            let root = RootKey::load(&RootSource::File(given.root_key.clone()))?;
            let names = given.buckets.iter().map(|name| BucketName::parse(name));
            let drill = Drill {
                endpoint: given.site.endpoint.clone(),
                site: Site::new(given.site.into(), Arc::new(Unobserved))?,
                withheld: given.withheld,
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
