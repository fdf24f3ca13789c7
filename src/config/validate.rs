//! Raw -> [`Config`]: every check of every table, in the order of the file.
use super::problem::Problems;
use super::raw::{Field, RawConfig, RawLimits, RawListen, RawLog, RawTls};
use super::settings::{Config, Limits, Listen, LogFormat, LogTarget, Logs, Pace, Retry, TlsFiles};
use super::value::Reader;
use super::{Environment, keys, recovery, rules, sites, state, suites};
use crate::s3::BucketName;
use crate::site::Hedge;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use toml::Spanned;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// `None` only when a problem was added.
pub(super) fn validate(
    raw: &RawConfig,
    file: &Path,
    environment: Environment<'_>,
    problems: &mut Problems<'_>,
) -> Option<Config> {
    let folder = file.parent().unwrap_or(Path::new(""));
    let mut reader = Reader { problems, folder, environment };
    let reader = &mut reader;
    let region = region(reader, &raw.region);
    let domain = domain(reader, &raw.domain);
    let system_bucket = system_bucket(reader, &raw.system_bucket);
    let listen = listen(reader, &raw.listen, raw.tls.as_ref());
    let limits = limits(reader, &raw.limits);
    let state = state::state(reader, &raw.state);
    let keys = keys::keys(reader, &raw.keys);
    let credentials_file = credentials_file(reader, &raw.credentials.file);
    let sites = sites::sites(reader, raw, system_bucket.as_ref());
    let grace = &raw.replication.backup_grace;
    let backup_grace = reader.duration(grace, "replication.backup_grace", 5 * SECOND, 100 * MILLI..=10 * MINUTE);
    let retry = retry(reader, raw);
    let abandoned = &raw.uploads.abandoned_after;
    let abandoned_after = reader.duration(abandoned, "uploads.abandoned_after", 30 * 24 * HOUR, SECOND..=87_600 * HOUR);
    let reconcile = recovery::reconcile(reader, &raw.reconcile);
    let drill = recovery::drill(reader, &raw.drill);
    let aliases = recovery::aliases(reader, raw);
    let pace = pace(reader, raw);
    let suites = suites::suites(reader, &raw.suites);
    let rules = rules::rules(reader, raw, &suites);
    let logs = logs(reader, &raw.log);
    let cache_entries = reader.count(&raw.cache.entries, "cache.entries", 10_000, 0..=10_000_000);
    let hedge = hedge(reader, raw);
    if !reader.problems.is_empty() {
        return None;
    }
    let (primary, backups) = sites?;
    let (state, intents) = state?;
    Some(Config {
        region,
        domain,
        system_bucket: system_bucket?,
        listen: listen?,
        limits,
        state,
        keys: keys?,
        credentials_file: credentials_file?,
        primary,
        backups,
        backup_grace,
        retry,
        abandoned_after,
        reconcile,
        drill,
        aliases,
        pace,
        intents,
        suites,
        rules,
        logs,
        cache_entries: u64::from(cache_entries),
        hedge,
    })
}

fn hedge(reader: &mut Reader<'_, '_>, raw: &RawConfig) -> Option<Hedge> {
    let raw = &raw.reads;
    let floor = reader.duration(&raw.hedge_floor, "reads.hedge_floor", 100 * MILLI, MILLI..=MINUTE);
    match reader.count(&raw.hedge_percentile, "reads.hedge_percentile", 99, 0..=99) {
        0 => None,
        percentile if percentile < 50 => {
            let fix = "choose 50 to 99, or 0 for never";
            if let Some(given) = &raw.hedge_percentile {
                reader.wrong(given, "reads.hedge_percentile", "most reads would be asked of two sites", fix);
            }
            None
        }
        percentile => Some(Hedge { percentile, floor }),
    }
}

const SECOND: Duration = Duration::from_secs(1);
const MILLI: Duration = Duration::from_millis(1);

fn region(reader: &mut Reader<'_, '_>, value: &Field<String>) -> String {
    let Some(region) = value else { return "us-east-1".to_owned() };
    let name = region.get_ref();
    if name.is_empty() || name.len() > 64 || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
        let fix = "use letters, digits and `-`, for example \"eu-central-1\"; clients sign for it";
        reader.wrong(region, "region", format!("{name:?} is no region"), fix);
    }
    name.clone()
}

fn domain(reader: &mut Reader<'_, '_>, value: &Field<String>) -> Option<String> {
    let domain = value.as_ref()?;
    let name = domain.get_ref().to_ascii_lowercase();
    let label = |l: &str| !l.is_empty() && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if name.len() > 253 || !name.split('.').all(label) {
        let fix = "write a host name without scheme and port, for example \"s3.example.com\", or remove it";
        reader.wrong(domain, "domain", format!("{:?} is no host name", domain.get_ref()), fix);
    }
    Some(name)
}

fn system_bucket(reader: &mut Reader<'_, '_>, value: &Field<String>) -> Option<BucketName> {
    let name = value.as_ref().map_or("strongroom-system", |v| v.get_ref().as_str());
    let parsed = BucketName::parse(name).ok();
    if let (None, Some(value)) = (&parsed, value) {
        reader.wrong(
            value,
            "system_bucket",
            format!("{name:?} is no bucket name"),
            "use 3 to 63 of a-z, 0-9, `.`, `-`",
        );
    }
    parsed
}

fn listen(reader: &mut Reader<'_, '_>, raw: &RawListen, tls: Option<&Spanned<RawTls>>) -> Option<Listen> {
    let address = address(reader, &raw.address, "listen.address", "127.0.0.1:9000");
    let admin = address_or_default_admin(reader, &raw.admin);
    let tls_files = tls.and_then(|tls| tls_files(reader, tls));
    let (address, admin) = (address?, admin?);
    if address == admin && address.port() != 0 {
        let at = raw.admin.as_ref().or(raw.address.as_ref()).map(|v| v.span().start);
        reader.problems.add(at, "listen.admin", "it is the same address as listen.address", "choose another port");
    }
    let plain_allowed = raw.allow_plain_http.as_ref().is_some_and(|allow| *allow.get_ref());
    if tls.is_none() && !address.ip().is_loopback() && !plain_allowed {
        let at = raw.address.as_ref().map(|v| v.span().start);
        let what = "plain HTTP beyond this machine shows every object on the network";
        let fix = "add [tls] certificate and key, listen on 127.0.0.1, or set allow_plain_http = true in [listen] \
                   when something in front of it speaks TLS";
        reader.problems.add(at, "listen.address", what, fix);
    }
    let allow_signature_v2 = raw.allow_signature_v2.as_ref().is_none_or(|allow| *allow.get_ref());
    Some(Listen { address, admin, tls: tls_files, allow_signature_v2 })
}

fn address(reader: &mut Reader<'_, '_>, value: &Field<String>, field: &str, default: &str) -> Option<SocketAddr> {
    let text = value.as_ref().map_or(default, |v| v.get_ref().as_str());
    let parsed = text.parse().ok();
    if let (None, Some(value)) = (&parsed, value) {
        let fix = format!("write an IP address and a port, for example \"{default}\"");
        reader.wrong(value, field, format!("{text:?} is no address to listen on"), fix);
    }
    parsed
}

fn address_or_default_admin(reader: &mut Reader<'_, '_>, value: &Field<String>) -> Option<SocketAddr> {
    address(reader, value, "listen.admin", "127.0.0.1:9001")
}

fn tls_files(reader: &mut Reader<'_, '_>, raw: &Spanned<RawTls>) -> Option<TlsFiles> {
    let (at, raw) = (raw.span().start, raw.get_ref());
    let mut file = |value: &Field<String>, name: &str| -> Option<PathBuf> {
        let field = format!("tls.{name}");
        reader.required(value, &field, Some(at), &format!("{name} = \"{name}.pem\""))?;
        Some(reader.existing_file(value.as_ref()?, &field, "name a readable PEM file"))
    };
    let (certificate, key) = (file(&raw.certificate, "certificate"), file(&raw.key, "key"));
    Some(TlsFiles { certificate: certificate?, key: key? })
}

fn limits(reader: &mut Reader<'_, '_>, raw: &RawLimits) -> Limits {
    Limits {
        connections: reader.count(&raw.connections, "limits.connections", 4096, 1..=1_000_000) as usize,
        header_timeout: reader.duration(
            &raw.header_timeout,
            "limits.header_timeout",
            10 * SECOND,
            SECOND..=10 * MINUTE,
        ),
        idle_timeout: reader.duration(&raw.idle_timeout, "limits.idle_timeout", 75 * SECOND, SECOND..=HOUR),
        stall_timeout: reader.duration(&raw.stall_timeout, "limits.stall_timeout", 30 * SECOND, SECOND..=HOUR),
        drain_timeout: reader.duration(&raw.drain_timeout, "limits.drain_timeout", 30 * SECOND, Duration::ZERO..=HOUR),
        max_header_bytes: reader.size(&raw.max_header_bytes, "limits.max_header_bytes", 32 << 10, 8 << 10..=1 << 20),
        max_xml_body: reader.size(&raw.max_xml_body, "limits.max_xml_body", 8 << 20, 64 << 10..=32 << 20),
    }
}

fn credentials_file(reader: &mut Reader<'_, '_>, value: &Field<String>) -> Option<PathBuf> {
    let example = "[credentials] file = \"credentials.toml\"";
    reader.required(value, "credentials.file", None, example)?;
    Some(reader.existing_file(value.as_ref()?, "credentials.file", "make one with `strongroom init`"))
}

fn retry(reader: &mut Reader<'_, '_>, raw: &RawConfig) -> Retry {
    let raw = &raw.replication;
    let min = reader.duration(&raw.retry_min, "replication.retry_min", SECOND, 10 * MILLI..=HOUR);
    let max = reader.duration(&raw.retry_max, "replication.retry_max", 5 * MINUTE, SECOND..=24 * HOUR);
    if max < min {
        let at = raw.retry_max.as_ref().or(raw.retry_min.as_ref()).map(|v| v.span().start);
        reader.problems.add(at, "replication.retry_max", "it is shorter than retry_min", "make it at least as long");
    }
    Retry { min, max }
}

fn pace(reader: &mut Reader<'_, '_>, raw: &RawConfig) -> Pace {
    let raw = &raw.replication;
    let unlimited = usize::MAX;
    let bandwidth = reader.size(&raw.bandwidth, "replication.bandwidth", unlimited, 64 << 10..=1 << 40);
    Pace {
        parallel: reader.count(&raw.parallel, "replication.parallel", 8, 1..=256),
        bandwidth: (bandwidth != unlimited).then_some(bandwidth as u64),
        accept_on_backup: reader
            .choice(&raw.primary_down, "replication.primary_down", &[("refuse", false), ("accept-on-backup", true)])
            .unwrap_or(false),
        repair_on_read: raw.repair_on_read.as_ref().is_none_or(|wanted| *wanted.get_ref()),
    }
}

fn logs(reader: &mut Reader<'_, '_>, raw: &RawLog) -> Logs {
    const LEVELS: [(&str, &str); 5] =
        [("error", "error"), ("warn", "warn"), ("info", "info"), ("debug", "debug"), ("trace", "trace")];
    const FORMATS: [(&str, LogFormat); 2] = [("text", LogFormat::Text), ("json", LogFormat::Json)];
    let target = |reader: &mut Reader<'_, '_>, value: &Field<String>, field: &str, default: LogTarget| match value {
        None => default,
        Some(text) => match text.get_ref().as_str() {
            "off" => LogTarget::Off,
            "stdout" => LogTarget::Stdout,
            "" => {
                reader.wrong(text, field, "it is empty", "write \"stdout\", \"off\" or the path of a file");
                default
            }
            path => LogTarget::File(reader.path(path)),
        },
    };
    let access = target(reader, &raw.access, "log.access", LogTarget::Stdout);
    let events = target(reader, &raw.events, "log.events", LogTarget::Off);
    if let (LogTarget::File(one), LogTarget::File(two), Some(at)) = (&access, &events, &raw.events)
        && one == two
    {
        reader.wrong(at, "log.events", "it is the same file as log.access", "give each its own file");
    }
    Logs {
        access,
        events,
        level: reader.choice(&raw.level, "log.level", &LEVELS).unwrap_or("info").to_owned(),
        format: reader.choice(&raw.format, "log.format", &FORMATS).unwrap_or(LogFormat::Text),
    }
}
