//! What of an upload form goes by before its file. `s3s` reads these fields, checks them against the policy and keeps some; S3
//! acts by more of them. So they are read a second time here, by the same parser.
use super::super::ingest::collect;
use super::tail::{HELD, without_tail};
use bytes::Bytes;
use futures_util::{Stream, stream};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};
use s3s::{Body, HttpResponse, S3Error, S3ErrorCode, S3Result};
use s3s_multipart::{Boundary, Error, Multipart, Part, parse_content_disposition};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Semaphore, SemaphorePermit};

/// Of all that stands before the file, bytes: the fields (`s3s` takes 64 KiB of them) and the lines around them.
pub(super) const LIMIT: usize = 128 * 1024;
pub(super) const FILE: &str = "file";
/// Fields that mean nothing without a signature.
const SIGNED: [&str; 3] = ["policy", "awsaccesskeyid", "x-amz-credential"];

/// Forms that are held at the same time; while there are so many, others stream through as they are.
static HOLDING: Semaphore = Semaphore::const_new(64);

/// Sees a form go by; kept in the request's extensions. Clones are one recorder.
#[derive(Clone)]
pub(in crate::gateway) struct Recorder(Arc<Mutex<Recorded>>);

struct Recorded {
    boundary: Boundary,
    /// The start of the body, as far as it has gone by and [`LIMIT`] allows.
    start: Vec<u8>,
    instead: Option<HttpResponse>,
    /// While the form is held, to the end of its request.
    held: Option<SemaphorePermit<'static>>,
}

/// The fields before the file, in their order; names in lower case, as S3 compares them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fields(Vec<(String, String)>);

// === impl Recorder ===

impl Recorder {
    /// `None`: this is no form that could be read.
    pub(in crate::gateway) fn of(headers: &HeaderMap) -> Option<Self> {
        let kind: mime::Mime = headers.get(CONTENT_TYPE)?.to_str().ok()?.parse().ok()?;
        let boundary = kind.get_param(mime::BOUNDARY).filter(|_| kind.essence_str() == "multipart/form-data")?;
        let boundary = Boundary::new(boundary.as_str().as_bytes()).ok()?;
        Some(Self(Arc::new(Mutex::new(Recorded { boundary, start: Vec::new(), instead: None, held: None }))))
    }

    /// The next bytes of the body.
    pub(in crate::gateway) fn take(&self, data: &[u8]) {
        let mut recorded = self.lock();
        let room = LIMIT.saturating_sub(recorded.start.len()).min(data.len());
        recorded.start.extend_from_slice(&data[..room]);
    }

    /// The form as `s3s` takes it: without the fields behind its file, as long as it may be held.
    ///
    /// # Errors
    /// When the body does not come whole.
    pub(in crate::gateway) async fn cut(&self, headers: &mut HeaderMap, body: Body) -> S3Result<Body> {
        let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        let may_be_held = length.is_some_and(|length| length <= HELD);
        let Some(permit) = may_be_held.then(|| HOLDING.try_acquire().ok()).flatten() else { return Ok(body) };
        let boundary = {
            let mut recorded = self.lock();
            recorded.held = Some(permit);
            recorded.boundary.clone()
        };
        let form = without_tail(collect(body).await?, &boundary).await;
        headers.insert(CONTENT_LENGTH, HeaderValue::from(form.len()));
        Ok(Body::from(form))
    }

    /// The fields that have gone by. Only once: what was recorded is let go.
    ///
    /// # Errors
    /// MaxPostPreDataLengthExceededError when the file does not begin within what is recorded.
    pub(super) async fn fields(&self) -> S3Result<Fields> {
        let (start, boundary) = {
            let mut recorded = self.lock();
            (std::mem::take(&mut recorded.start), recorded.boundary.clone())
        };
        parse(start.into(), &boundary).await.map_err(|_| {
            S3Error::with_message(
                S3ErrorCode::MaxPostPreDataLengthExceededError,
                "Your POST request fields preceding the upload file were too large.",
            )
        })
    }

    /// Whether there is no signature to what needs one: `s3s` takes such a form for one that nobody signed.
    pub(in crate::gateway) async fn lacks_its_signature(&self) -> bool {
        let (start, boundary) = {
            let recorded = self.lock();
            (Bytes::copy_from_slice(&recorded.start), recorded.boundary.clone())
        };
        let fields = parse(start, &boundary).await;
        fields.is_ok_and(|fields| SIGNED.iter().any(|name| fields.get(name).is_some()))
    }

    /// What the client is to be answered, where `s3s` would answer otherwise.
    pub(super) fn answer_with(&self, response: HttpResponse) {
        self.lock().instead = Some(response);
    }

    /// The answer that was set, if one was.
    pub(in crate::gateway) fn answer(&self) -> Option<HttpResponse> {
        self.lock().instead.take()
    }

    fn lock(&self) -> MutexGuard<'_, Recorded> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Fields ===

impl Fields {
    /// Name and value of each.
    pub(super) fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The last field of this name, as `s3s` reads it.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }
}

async fn parse(start: Bytes, boundary: &Boundary) -> Result<Fields, Error> {
    let mut parser = Multipart::new(stream::iter([Ok(start)]), boundary, LIMIT);
    let mut fields = Vec::new();
    while let Some(mut part) = parser.next_part().await? {
        let name = name_of(&mut part).await?.ok_or(Error::InvalidFormat)?;
        if name == FILE {
            return Ok(Fields(fields));
        }
        let mut value = Vec::new();
        while let Some(data) = part.next_data().await? {
            value.extend_from_slice(&data);
        }
        fields.push((name, String::from_utf8_lossy(&value).into_owned()));
    }
    Err(Error::IncompleteStream)
}

/// The name of the field that a part holds, in lower case.
pub(super) async fn name_of<S>(part: &mut Part<'_, S>) -> Result<Option<String>, Error>
where
    S: Stream<Item = Result<Bytes, Error>> + Send + Unpin,
{
    let mut name = None;
    while let Some(header) = part.next_header().await? {
        if header.name.eq_ignore_ascii_case("content-disposition") {
            let disposition = parse_content_disposition(header.value);
            name = disposition.and_then(|it| Some(String::from_utf8_lossy(it.name?).to_ascii_lowercase()));
        }
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn recorder(content_type: &'static str) -> Option<Recorder> {
        Recorder::of(&[(CONTENT_TYPE, HeaderValue::from_static(content_type))].into_iter().collect())
    }

    fn field(name: &str, value: &str) -> String {
        format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    }

    async fn fields(pieces: &[&str]) -> Result<Vec<(String, String)>, String> {
        let recorder = recorder("multipart/form-data; boundary=\"x\"").expect("a form");
        pieces.iter().for_each(|piece| recorder.take(piece.as_bytes()));
        recorder.fields().await.map(|fields| fields.0).map_err(|error| error.code().as_str().to_owned())
    }

    #[tokio::test]
    async fn the_fields_before_the_file_are_read_however_they_are_cut() {
        let form =
            field("kEy", "a/b") + &field("acl", "private") + &field("File", "bar") + &field("late", "1") + "--x--";
        let expected = Ok([("key", "a/b"), ("acl", "private")].map(|(k, v)| (k.to_owned(), v.to_owned())).to_vec());
        for cut in 0..form.len() {
            let (start, end) = form.split_at(cut);
            assert_eq!(fields(&[start, end]).await, expected, "{cut}");
        }
    }

    #[tokio::test]
    async fn a_file_that_does_not_come_soon_enough_is_refused() {
        let long = field("a", &"b".repeat(LIMIT)) + &field("file", "");
        for form in ["", "nothing of the kind", &field("key", "a"), &long] {
            assert_eq!(fields(&[form]).await, Err("MaxPostPreDataLengthExceededError".to_owned()));
        }
    }

    #[test]
    fn only_forms_are_recorded() {
        for other in
            ["text/plain", "multipart/mixed; boundary=x", "multipart/form-data", "multipart/form-data; boundary="]
        {
            assert!(recorder(other).is_none(), "{other}");
        }
        assert!(recorder("Multipart/Form-Data; charset=a; Boundary=x").is_some());
    }

    #[tokio::test]
    async fn a_form_with_a_policy_needs_a_signature() {
        for (name, lacks) in [("Policy", true), ("AWSAccessKeyId", true), ("X-Amz-Credential", true), ("acl", false)] {
            let recorder = recorder("multipart/form-data; boundary=x").expect("a form");
            recorder.take((field("key", "a") + &field(name, "a") + &field("file", "")).as_bytes());
            assert_eq!(recorder.lacks_its_signature().await, lacks, "{name}");
            assert!(recorder.fields().await.is_ok(), "it is still there");
        }
    }

    #[tokio::test]
    async fn of_two_fields_of_a_name_the_last_counts() {
        let recorder = recorder("multipart/form-data; boundary=x").expect("a form");
        recorder.take((field("acl", "1") + &field("ACL", "2") + &field("file", "")).as_bytes());
        assert_eq!(recorder.fields().await.expect("fields").get("acl"), Some("2"));
    }
}
