//! `[[site]]`: exactly one primary, at least one backup, no two that are the same place.
use super::raw::{Field, RawConfig, RawSite};
use super::value::Reader;
use crate::s3::BucketName;
use crate::site::{SiteConfig, SiteName};
use std::net::IpAddr;
use std::time::Duration;
use toml::Spanned;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Primary,
    Backup,
}

/// A checked site, and what it is compared with the others by.
struct Checked {
    role: Role,
    at: usize,
    config: SiteConfig,
}

/// Returns the primary and the backups when all is well.
pub(super) fn sites(
    reader: &mut Reader<'_, '_>,
    raw: &RawConfig,
    system_bucket: Option<&BucketName>,
) -> Option<(SiteConfig, Vec<SiteConfig>)> {
    let mut checked: Vec<Checked> = Vec::new();
    for (index, raw) in raw.site.iter().enumerate() {
        let path = format!("site[{}]", index + 1);
        if let Some(site) = site(reader, raw, &path, system_bucket) {
            compare(reader, &site, &path, &checked);
            checked.push(site);
        }
    }
    count_roles(reader, raw);
    let primary = checked.iter().position(|site| site.role == Role::Primary)?;
    let primary = checked.remove(primary).config;
    Some((primary, checked.into_iter().map(|site| site.config).collect()))
}

fn count_roles(reader: &mut Reader<'_, '_>, raw: &RawConfig) {
    let with_role = |word: &str| -> Vec<&Spanned<RawSite>> {
        let has = |site: &&Spanned<RawSite>| site.get_ref().role.as_ref().is_some_and(|role| role.get_ref() == word);
        raw.site.iter().filter(has).collect()
    };
    let (primaries, backups) = (with_role("primary"), with_role("backup"));
    if primaries.is_empty() {
        reader.problems.add(None, "site", "no site has the role \"primary\"", "give it to exactly one [[site]]");
    }
    for extra in primaries.iter().skip(1) {
        reader.wrong(extra, "site", "a second site has the role \"primary\"", "make it role = \"backup\"");
    }
    if backups.is_empty() {
        let fix = "add a [[site]] with role = \"backup\"; every object is kept at two sites at least";
        reader.problems.add(None, "site", "no site has the role \"backup\"", fix);
    }
}

fn site(
    reader: &mut Reader<'_, '_>,
    raw: &Spanned<RawSite>,
    path: &str,
    system_bucket: Option<&BucketName>,
) -> Option<Checked> {
    let (at, raw) = (raw.span().start, raw.get_ref());
    let field = |name: &str| format!("{path}.{name}");
    let name = name(reader, &raw.name, &field("name"), at, "name = \"primary\"");
    let role = role(reader, &raw.role, &field("role"), at);
    let endpoint = reader
        .required(&raw.endpoint, &field("endpoint"), Some(at), "endpoint = \"https://s3.example.com\"")
        .and_then(|_| endpoint(reader, &raw.endpoint, &raw.allow_plain_http, &field("endpoint")));
    let (access_key_id, secret) =
        reader.access_key((path, at), &raw.access_key_id, &raw.secret_access_key_file, &raw.secret_access_key_env);
    let ca_pem = reader.authorities(&raw.ca_file, &field("ca_file"));
    let bucket_prefix = prefix(reader, &raw.bucket_prefix, &field("bucket_prefix"), system_bucket);
    let seconds = Duration::from_secs;
    let second_to_hour = seconds(1)..=seconds(3600);
    let connect_timeout = reader.duration(
        &raw.connect_timeout,
        &field("connect_timeout"),
        seconds(3),
        Duration::from_millis(100)..=seconds(60),
    );
    let stall_timeout = reader.duration(&raw.stall_timeout, &field("stall_timeout"), seconds(30), second_to_hour);
    let idle = reader.count(&raw.max_idle_connections, &field("max_idle_connections"), 128, 1..=10_000);
    let region = raw.region.as_ref().map_or("us-east-1", |region| region.get_ref().as_str());
    let config = SiteConfig {
        name: SiteName(name?.into()),
        endpoint: endpoint?,
        region: region.to_owned(),
        access_key_id: access_key_id?,
        secret_access_key: secret?,
        ca_pem: ca_pem?,
        bucket_prefix: bucket_prefix?,
        connect_timeout,
        stall_timeout,
        max_idle_connections: idle as usize,
    };
    Some(Checked { role: role?, at, config })
}

pub(super) fn name(
    reader: &mut Reader<'_, '_>,
    value: &Field<String>,
    field: &str,
    at: usize,
    example: &str,
) -> Option<String> {
    let name = reader.required(value, field, Some(at), example)?;
    let fine = name.len() <= 32 && name.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-'));
    if !fine {
        let fix = "use 1 to 32 of a-z, 0-9, `_` and `-`; it is a label of metrics and logs";
        reader.problems.add(value.as_ref().map(|v| v.span().start), field, format!("{name:?} is no name"), fix);
    }
    fine.then_some(name)
}

fn role(reader: &mut Reader<'_, '_>, value: &Field<String>, field: &str, at: usize) -> Option<Role> {
    if value.is_none() {
        reader.problems.add(Some(at), field, "it is missing", "add role = \"primary\" or role = \"backup\"");
    }
    reader.choice(value, field, &[("primary", Role::Primary), ("backup", Role::Backup)])
}

/// `scheme://host[:port]` in lower case with the port spelled out, so that equal places look equal.
pub(super) fn endpoint(
    reader: &mut Reader<'_, '_>,
    value: &Field<String>,
    allow_plain_http: &Field<bool>,
    field: &str,
) -> Option<String> {
    let (endpoint, exposed) = address(reader, value, field)?;
    let allowed = allow_plain_http.as_ref().is_some_and(|allow| *allow.get_ref());
    if let (true, false, Some(value)) = (exposed, allowed, value) {
        let fix = "use https://, or set allow_plain_http = true here if its network is trusted";
        reader.wrong(value, field, "plain HTTP to another machine shows the requests and their signatures", fix);
    }
    Some(endpoint)
}

/// The same, of a server that is told secrets: over TLS, or on this machine.
pub(super) fn private_endpoint(reader: &mut Reader<'_, '_>, value: &Field<String>, field: &str) -> Option<String> {
    let (endpoint, exposed) = address(reader, value, field)?;
    if let (true, Some(value)) = (exposed, value) {
        let what = "plain HTTP to another machine would show it the root key and the token";
        reader.wrong(value, field, what, "use https://, or an agent on this machine (http://127.0.0.1:8200)");
    }
    Some(endpoint)
}

/// An endpoint, and whether what is sent there can be read on the way.
fn address(reader: &mut Reader<'_, '_>, value: &Field<String>, field: &str) -> Option<(String, bool)> {
    let value = value.as_ref()?;
    let text = value.get_ref();
    let example = "write scheme, host and port only, for example \"https://s3.example.com:9000\"";
    let Ok(uri) = text.parse::<http::Uri>() else {
        reader.wrong(value, field, format!("{text:?} is no address"), example);
        return None;
    };
    let (scheme, host) = (uri.scheme_str().unwrap_or_default(), uri.host().unwrap_or_default().to_ascii_lowercase());
    let plain =
        uri.path() == "/" && uri.query().is_none() && !uri.authority().is_some_and(|a| a.as_str().contains('@'));
    if !matches!(scheme, "http" | "https")
        || host.is_empty()
        || !plain
        || (text.contains(']') && uri.port().is_none() && !text.trim_end_matches('/').ends_with(']'))
    {
        reader.wrong(value, field, format!("{text:?} is no endpoint of a server"), example);
        return None;
    }
    let port = uri.port_u16().unwrap_or(if scheme == "http" { 80 } else { 443 });
    Some((format!("{scheme}://{host}:{port}"), scheme == "http" && !is_loopback(&host)))
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|ip| ip.is_loopback())
}

fn prefix(
    reader: &mut Reader<'_, '_>,
    value: &Field<String>,
    field: &str,
    system_bucket: Option<&BucketName>,
) -> Option<String> {
    let Some(prefix) = value else { return Some(String::new()) };
    let system = system_bucket.map_or("aaa", BucketName::as_str);
    // Leaves the client's own name at least half of the 63 characters.
    if prefix.get_ref().len() > 30 || BucketName::parse(&format!("{}{system}", prefix.get_ref())).is_err() {
        let what = format!("{:?} before a bucket name makes no bucket name", prefix.get_ref());
        reader.wrong(prefix, field, what, "use at most 30 of a-z, 0-9 and `-`, so that prefix + name stay within 63");
        return None;
    }
    Some(prefix.get_ref().clone())
}

fn compare(reader: &mut Reader<'_, '_>, site: &Checked, path: &str, earlier: &[Checked]) {
    for other in earlier {
        if other.config.name == site.config.name {
            let what = format!("the name {:?} is taken by an earlier site", &*site.config.name.0);
            reader.problems.add(Some(site.at), format!("{path}.name"), what, "choose another");
        }
        if other.config.endpoint == site.config.endpoint && other.config.bucket_prefix == site.config.bucket_prefix {
            let what = format!("it is the same place as site {:?}: nothing would be kept twice", &*other.config.name.0);
            let fix = "name another endpoint, or at least another bucket_prefix";
            reader.problems.add(Some(site.at), format!("{path}.endpoint"), what, fix);
        }
    }
}
