//! A record as a JSON event: everything the access log says, and what its format has no field for.
//!
//! Fields that are not known are left out. `trace_id` is the request id: the same is in the answer's
//! `x-amz-request-id`, the access log and the program's own log.
use super::Record;
use crate::s3::Operation;
use serde::Serialize;
use std::borrow::Cow;
use time::format_description::well_known::Rfc3339;

/// One event; serialised as one line.
#[derive(Serialize)]
pub struct Event<'a> {
    time: String,
    request_id: &'a str,
    trace_id: &'a str,
    operation: &'static str,
    verb: Cow<'a, str>,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bucket: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    principal: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    access_key_id: Option<&'a str>,
    /// What the request claimed, when it was not verified.
    #[serde(skip_serializing_if = "Option::is_none")]
    claimed_access_key_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signature_version: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remote_ip: Option<std::net::IpAddr>,
    #[serde(skip_serializing_if = "str::is_empty")]
    method: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    uri: &'a str,
    http_version: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    referer: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls_version: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls_cipher: Option<&'a str>,
    host_id: &'a str,
    bytes_received: u64,
    bytes_sent: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    object_size: Option<u64>,
    bytes_plain: u64,
    bytes_sealed: u64,
    total_ms: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    turn_around_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vault_key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vault_key_version: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    suite: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    served_by: Option<&'a str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    sites_written: &'a [String],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    sites_pending: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    replication_status: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    also: Vec<Extra<'a>>,
}

/// A further object that the request touched.
#[derive(Serialize)]
struct Extra<'a> {
    verb: &'static str,
    operation: &'static str,
    bucket: &'a str,
    key: &'a str,
}

// === impl Event ===

impl<'a> Event<'a> {
    /// The line of a request, ending in a newline.
    pub fn write(record: &'a Record<'a>) -> String {
        let mut line = serde_json::to_string(&Self::new(record)).unwrap_or_else(|error| {
            // Strings and numbers always serialise; should they not, the event is still one line and says so.
            tracing::error!(%error, "an event cannot be written as JSON");
            format!("{{\"request_id\":\"{}\"}}", record.facts.request_id)
        });
        line.push('\n');
        line
    }

    fn new(record: &'a Record<'a>) -> Self {
        let facts = record.facts;
        let id = facts.request_id.as_str();
        Self {
            time: record.time.format(&Rfc3339).unwrap_or_default(),
            request_id: id,
            trace_id: id,
            operation: facts.operation.name(),
            verb: record.verb(),
            outcome: record.outcome.as_str(),
            status: record.status,
            error_code: facts.error_code.as_deref(),
            bucket: facts.bucket.as_deref(),
            key: facts.key.as_deref(),
            version_id: facts.version_id.as_deref(),
            principal: facts.principal.as_deref(),
            access_key_id: facts.access_key_id.as_deref(),
            claimed_access_key_id: record.claimed_access_key_id.filter(|_| facts.access_key_id.is_none()),
            auth_type: facts.auth_type,
            signature_version: record.signature,
            remote_ip: record.remote,
            method: record.method,
            uri: record.uri,
            http_version: record.version,
            host: record.host.map(String::from_utf8_lossy),
            referer: record.referer.map(String::from_utf8_lossy),
            user_agent: record.user_agent.map(String::from_utf8_lossy),
            tls_version: record.tls_version,
            tls_cipher: record.tls_cipher,
            host_id: record.host_id,
            bytes_received: record.bytes_received,
            bytes_sent: record.bytes_sent,
            object_size: facts.object_size,
            bytes_plain: facts.bytes_plain,
            bytes_sealed: facts.bytes_sealed,
            total_ms: record.total.as_secs_f64() * 1e3,
            turn_around_ms: record.turn_around.map(|time| time.as_secs_f64() * 1e3),
            rule: facts.rule.as_deref(),
            vault_key: facts.vault_key.as_deref(),
            vault_key_version: facts.vault_key_version,
            suite: facts.suite,
            served_by: facts.served_by.as_deref(),
            sites_written: &facts.sites_written,
            sites_pending: &facts.sites_pending,
            replication_status: replication_status(&facts.sites_written, &facts.sites_pending),
            also: facts.also.iter().map(|extra| Extra::new(record, extra)).collect(),
        }
    }
}

// === impl Extra ===

impl<'a> Extra<'a> {
    fn new(record: &Record<'_>, (operation, bucket, key): &'a (Operation, String, String)) -> Self {
        Self { verb: record.extra_verb(*operation), operation: operation.name(), bucket, key }
    }
}

/// S3's word for it: `COMPLETED` only when every site has it.
fn replication_status(written: &[String], pending: &[String]) -> Option<&'static str> {
    match (written.is_empty(), pending.is_empty()) {
        (true, true) => None,
        (_, false) => Some("PENDING"),
        (false, true) => Some("COMPLETED"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{Facts, Outcome};
    use crate::s3::RequestId;
    use proptest::prelude::*;
    use std::time::Duration;
    use time::macros::datetime;

    fn record(facts: &Facts) -> Record<'_> {
        Record {
            time: datetime!(2026-02-06 00:00:38.5 UTC),
            facts,
            host_id: "aG9zdA==",
            remote: Some([192, 0, 2, 3].into()),
            method: "PUT",
            uri: "/b/k",
            version: "HTTP/1.1",
            status: Some(200),
            bytes_sent: 0,
            bytes_received: 1000,
            total: Duration::from_micros(1500),
            turn_around: None,
            referer: None,
            user_agent: None,
            host: None,
            signature: None,
            claimed_access_key_id: Some("AKCLAIMED"),
            tls_version: None,
            tls_cipher: None,
            outcome: Outcome::Complete,
        }
    }

    fn parsed(record: &Record<'_>) -> serde_json::Value {
        let line = Event::write(record);
        assert_eq!(line.matches('\n').count(), 1);
        serde_json::from_str(&line).expect("JSON")
    }

    #[test]
    fn an_event_says_who_what_where_and_how() {
        let mut facts = Facts::new(RequestId::from_bits(0xff));
        facts.operation = Operation::PutObject;
        facts.access_key_id = Some("AKERP".to_owned());
        facts.sites_written = vec!["primary".to_owned()];
        facts.sites_pending = vec!["backup".to_owned()];
        facts.vault_key_version = Some(3);
        let event = parsed(&record(&facts));
        assert_eq!(event["time"], "2026-02-06T00:00:38.5Z");
        assert_eq!(event["request_id"], "00000000000000FF");
        assert_eq!(event["trace_id"], event["request_id"]);
        assert_eq!((&event["operation"], &event["verb"]), (&"PutObject".into(), &"REST.PUT.OBJECT".into()));
        assert_eq!(event["sites_written"], serde_json::json!(["primary"]));
        assert_eq!(event["replication_status"], "PENDING");
        assert_eq!((&event["vault_key_version"], &event["total_ms"]), (&3.into(), &1.5.into()));
        assert!(event.get("claimed_access_key_id").is_none() && event.get("error_code").is_none());
    }

    #[test]
    fn an_unverified_credential_is_only_claimed() {
        let facts = Facts::new(RequestId::from_bits(1));
        let event = parsed(&record(&facts));
        assert_eq!(event["claimed_access_key_id"], "AKCLAIMED");
        assert!(event.get("access_key_id").is_none() && event.get("replication_status").is_none());
    }

    proptest! {
        #[test]
        fn whatever_a_client_sends_is_one_line_of_json(text in any::<String>(), bytes in any::<Vec<u8>>()) {
            let mut facts = Facts::new(RequestId::from_bits(1));
            facts.key = Some(text.clone());
            facts.also.push((Operation::DeleteObject, text.clone(), text.clone()));
            let record = Record { uri: &text, user_agent: Some(&bytes), host: Some(&bytes), ..record(&facts) };
            prop_assert_eq!(&parsed(&record)["key"], &serde_json::Value::from(text.clone()));
        }
    }
}
