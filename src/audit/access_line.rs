//! A record as a line of S3's server access log: 27 fields, separated by spaces
//! (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/LogFormat.html>).
use super::Record;
use super::escape::{push_bare, push_key, push_quoted};
use crate::s3::RequestId;
use std::fmt::Write as _;
use std::time::Duration;
use time::OffsetDateTime;

/// Writes access-log lines.
pub struct AccessLine;

/// A typical line is 300 to 500 bytes.
const TYPICAL: usize = 512;
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
/// Absent: ARN of an access point, whether an ACL was required, the source region.
const ABSENT_TAIL: &str = " - - -\n";

/// What differs between the main line and an extra one.
struct Subject<'a> {
    verb: &'a str,
    bucket: Option<&'a [u8]>,
    key: Option<&'a [u8]>,
    object_size: Option<u64>,
    version_id: Option<&'a [u8]>,
    bytes_sent: u64,
}

// === impl AccessLine ===

impl AccessLine {
    /// The line of a request, and one more for each extra record; every line ends in a newline.
    pub fn write(record: &Record<'_>) -> String {
        let facts = record.facts;
        let mut lines = String::with_capacity(TYPICAL * (1 + facts.also.len()));
        let verb = record.verb();
        let main = Subject {
            verb: &verb,
            bucket: facts.bucket.as_deref().map(str::as_bytes),
            key: facts.key.as_deref().map(str::as_bytes),
            object_size: facts.object_size,
            version_id: facts.version_id.as_deref().map(str::as_bytes),
            bytes_sent: record.bytes_sent,
        };
        push_line(&mut lines, record, &main);
        for (operation, bucket, key) in &facts.also {
            let extra = Subject {
                verb: record.extra_verb(*operation),
                bucket: Some(bucket.as_bytes()),
                key: Some(key.as_bytes()),
                object_size: None,
                version_id: None,
                bytes_sent: 0,
            };
            push_line(&mut lines, record, &extra);
        }
        lines
    }
}

fn push_line(line: &mut String, record: &Record<'_>, subject: &Subject<'_>) {
    let facts = record.facts;
    line.push_str("strongroom ");
    bare(line, subject.bucket);
    push_time(line, record.time);
    match record.remote {
        Some(address) => drop(write!(line, "{address} ")),
        None => line.push_str("- "),
    }
    bare(line, facts.principal.as_deref().map(str::as_bytes));
    push_id(line, facts.request_id);
    bare(line, Some(subject.verb.as_bytes()));
    push_key(line, subject.key);
    line.push(' ');
    push_request(line, record);
    number(line, record.status.map(u64::from));
    bare(line, facts.error_code.as_deref().map(str::as_bytes));
    number(line, Some(subject.bytes_sent).filter(|bytes| *bytes > 0));
    number(line, subject.object_size);
    number(line, Some(millis(record.total)));
    number(line, record.turn_around.map(millis));
    push_quoted(line, record.referer);
    line.push(' ');
    push_quoted(line, record.user_agent);
    line.push(' ');
    bare(line, subject.version_id);
    bare(line, Some(record.host_id.as_bytes()));
    bare(line, record.signature.map(str::as_bytes));
    bare(line, record.tls_cipher.map(str::as_bytes));
    bare(line, facts.auth_type.map(str::as_bytes));
    bare(line, record.host);
    push_bare(line, record.tls_version.map(str::as_bytes));
    line.push_str(ABSENT_TAIL);
}

fn bare(line: &mut String, value: Option<&[u8]>) {
    push_bare(line, value);
    line.push(' ');
}

fn number(line: &mut String, value: Option<u64>) {
    match value {
        Some(value) => drop(write!(line, "{value} ")),
        None => line.push_str("- "),
    }
}

fn push_id(line: &mut String, id: RequestId) {
    line.push_str(id.as_str());
    line.push(' ');
}

fn push_time(line: &mut String, time: OffsetDateTime) {
    let time = time.to_offset(time::UtcOffset::UTC);
    let month = MONTHS[usize::from(u8::from(time.month())) - 1];
    let (day, year) = (time.day(), time.year());
    let (hour, minute, second) = time.to_hms();
    let _ = write!(line, "[{day:02}/{month}/{year:04}:{hour:02}:{minute:02}:{second:02} +0000] ");
}

/// Method, URI and version in one pair of quotes.
fn push_request(line: &mut String, record: &Record<'_>) {
    if record.method.is_empty() {
        line.push_str("\"-\" ");
        return;
    }
    let request = format!("{} {} {}", record.method, record.uri, record.version);
    push_quoted(line, Some(request.as_bytes()));
    line.push(' ');
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{Facts, Outcome};
    use crate::s3::Operation;
    use proptest::prelude::*;
    use time::macros::datetime;

    fn facts() -> Facts {
        let mut facts = Facts::new(RequestId::from_bits(0x0123_4567_89ab_cdef));
        facts.operation = Operation::GetObject;
        facts.bucket = Some("accounting".to_owned());
        facts.key = Some("clients/4711/voucher 1.pdf".to_owned());
        facts.principal = Some("erp".to_owned());
        facts.auth_type = Some("AuthHeader");
        facts.object_size = Some(3462);
        facts
    }

    fn record(facts: &Facts) -> Record<'_> {
        Record {
            time: datetime!(2026-02-06 00:00:38 UTC),
            facts,
            host_id: "aG9zdA==",
            remote: Some([192, 0, 2, 3].into()),
            method: "GET",
            uri: "/accounting/clients/4711/voucher%201.pdf",
            version: "HTTP/1.1",
            status: Some(200),
            bytes_sent: 3462,
            bytes_received: 0,
            total: Duration::from_millis(70),
            turn_around: Some(Duration::from_millis(10)),
            referer: None,
            user_agent: Some(b"aws-cli/2"),
            host: Some(b"s3.example.com"),
            signature: Some("SigV4"),
            claimed_access_key_id: None,
            tls_version: Some("TLSv1.3"),
            tls_cipher: Some("TLS_AES_128_GCM_SHA256"),
            outcome: Outcome::Complete,
        }
    }

    /// Splits as a reader of the format does: by spaces, but not inside quotes or brackets.
    fn fields(line: &str) -> Vec<String> {
        let (mut fields, mut field, mut end) = (Vec::new(), String::new(), None);
        for character in line.chars() {
            match (end, character) {
                (None, ' ') => fields.push(std::mem::take(&mut field)),
                (None, '"') => end = Some('"'),
                (None, '[') => end = Some(']'),
                (Some(closing), c) if c == closing => end = None,
                _ => {}
            }
            if !(end.is_none() && character == ' ') {
                field.push(character);
            }
        }
        fields.push(field);
        fields
    }

    #[test]
    fn a_line_is_as_s3_writes_it() {
        let expected = "strongroom accounting [06/Feb/2026:00:00:38 +0000] 192.0.2.3 erp 0123456789ABCDEF \
             REST.GET.OBJECT clients/4711/voucher%201.pdf \"GET /accounting/clients/4711/voucher%201.pdf HTTP/1.1\" \
             200 - 3462 3462 70 10 \"-\" \"aws-cli/2\" - aG9zdA== SigV4 TLS_AES_128_GCM_SHA256 AuthHeader \
             s3.example.com TLSv1.3 - - -\n";
        assert_eq!(AccessLine::write(&record(&facts())), expected);
    }

    #[test]
    fn an_empty_record_still_has_27_fields() {
        let facts = Facts::new(RequestId::from_bits(1));
        let record = Record { method: "", status: None, remote: None, turn_around: None, ..record(&facts) };
        assert_eq!(fields(AccessLine::write(&record).trim_end()).len(), 27);
    }

    #[test]
    fn a_copy_writes_a_second_record_for_its_source() {
        let mut facts = facts();
        facts.operation = Operation::CopyObject;
        facts.also.push((Operation::GetObject, "from".to_owned(), "a b".to_owned()));
        let lines = AccessLine::write(&record(&facts));
        let [main, extra] = lines.lines().map(fields).collect::<Vec<_>>().try_into().expect("two lines");
        assert_eq!((main[6].as_str(), extra[6].as_str()), ("REST.COPY.OBJECT", "REST.COPY.OBJECT_GET"));
        assert_eq!((extra[1].as_str(), extra[7].as_str()), ("from", "a%20b"));
        assert_eq!(main[5], extra[5]);
    }

    #[test]
    fn a_refused_request_is_named_by_method_and_resource() {
        let mut facts = Facts::new(RequestId::from_bits(1));
        assert_eq!(record(&facts).verb(), "REST.GET.SERVICE");
        facts.bucket = Some("b".to_owned());
        assert_eq!(Record { method: "DELETE", ..record(&facts) }.verb(), "REST.DELETE.BUCKET");
        facts.key = Some("k".to_owned());
        assert_eq!(Record { method: "PATCH", ..record(&facts) }.verb(), "REST.OTHER");
    }

    proptest! {
        #[test]
        fn no_client_can_forge_a_line(text in any::<String>(), bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let mut facts = facts();
            for field in [&mut facts.bucket, &mut facts.key, &mut facts.principal, &mut facts.version_id] {
                *field = Some(text.clone());
            }
            facts.error_code = Some(text.clone());
            let record = Record {
                uri: &text,
                referer: Some(&bytes),
                user_agent: Some(&bytes),
                host: Some(&bytes),
                ..record(&facts)
            };
            let line = AccessLine::write(&record);
            let line = line.strip_suffix('\n').expect("a line ends in a newline");
            prop_assert!(line.bytes().all(|byte| (0x20..0x7f).contains(&byte)), "{line:?}");
            prop_assert_eq!(fields(line).len(), 27, "{}", line);
        }
    }
}
