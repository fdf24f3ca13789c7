//! `[reconcile]`, `[drill]` and `[[bucket_alias]]`.
use super::quantity;
use super::raw::{RawAlias, RawConfig, RawDrill, RawReconcile};
use super::settings::{DrillReport, Reconcile};
use super::value::Reader;
use crate::s3::{Alias, Aliases, BucketName};
use std::time::Duration;
use toml::Spanned;

pub(super) fn reconcile(reader: &mut Reader<'_, '_>, raw: &RawReconcile) -> Reconcile {
    let hour = Duration::from_secs(3600);
    let every = raw.every.as_ref().filter(|every| every.get_ref() != "never");
    let allowed = Duration::from_secs(1)..=hour * 24 * 366;
    let every = every.map(|every| reader.duration(&Some(every.clone()), "reconcile.every", hour * 24, allowed));
    let sample = raw.sample.as_ref().map_or(0.0, |text| {
        let share = text.get_ref().strip_suffix('%').and_then(|number| number.trim().parse::<f64>().ok());
        share.filter(|share| (0.0..=100.0).contains(share)).map_or_else(
            || {
                let what = format!("{:?} is no share", text.get_ref());
                reader.wrong(text, "reconcile.sample", what, "write 0% to 100%, for example \"1%\"");
                0.0
            },
            |share| share / 100.0,
        )
    });
    let bandwidth = raw.bandwidth.as_ref().filter(|text| text.get_ref() != "unlimited").and_then(|text| {
        let size = quantity::size(text.get_ref());
        size.map_err(|what| reader.wrong(text, "reconcile.bandwidth", what, "bytes a second, or \"unlimited\"")).ok()
    });
    Reconcile { every, sample, repair: raw.repair.as_ref().is_some_and(|repair| *repair.get_ref()), bandwidth }
}

/// The file may come later: drills are made somewhere else.
pub(super) fn drill(reader: &mut Reader<'_, '_>, raw: &RawDrill) -> Option<DrillReport> {
    let file = raw.report.as_ref()?;
    let Some(key) = &raw.public_key else {
        let fix = "add drill.public_key, which `strongroom drill` says when it makes its signing key";
        reader.wrong(file, "drill.report", "nobody would know whose report it is", fix);
        return None;
    };
    let public_key = key.get_ref().to_ascii_lowercase();
    if public_key.len() != 64 || !public_key.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        reader.wrong(key, "drill.public_key", "it is no public key", "write its 64 hex digits");
    }
    Some(DrillReport { file: reader.path(file.get_ref()), public_key })
}

pub(super) fn aliases(reader: &mut Reader<'_, '_>, raw: &RawConfig) -> Aliases {
    let sound = raw.bucket_alias.iter().enumerate().filter_map(|(index, raw)| alias(reader, raw, index));
    Aliases::new(sound.collect())
}

fn alias(reader: &mut Reader<'_, '_>, raw: &Spanned<RawAlias>, index: usize) -> Option<Alias> {
    let (at, raw) = (raw.span().start, raw.get_ref());
    let mut bucket = |value: &Option<Spanned<String>>, name: &str| {
        let field = format!("bucket_alias[{}].{name}", index + 1);
        let text = reader.required(value, &field, Some(at), &format!("{name} = \"ledgers\""))?;
        let parsed = BucketName::parse(&text).ok();
        if parsed.is_none() {
            let fix = "use 3 to 63 of a-z, 0-9, `.`, `-`";
            reader.problems.add(Some(at), field, format!("{text:?} is no bucket name"), fix);
        }
        parsed
    };
    let (now, then) = (bucket(&raw.bucket, "bucket"), bucket(&raw.sealed_as, "sealed_as"));
    let text = |value: &Option<Spanned<String>>| value.as_ref().map(|v| v.get_ref().clone()).unwrap_or_default();
    Some(Alias {
        bucket: now?,
        prefix: text(&raw.prefix),
        sealed_bucket: then?,
        sealed_prefix: text(&raw.sealed_prefix),
    })
}
