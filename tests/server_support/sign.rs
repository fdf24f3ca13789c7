//! Signed requests as bytes; every part can be made wrong before or after signing.
use super::{ACCESS_KEY, REGION, SECRET};
use sha2::{Digest as _, Sha256};
use std::time::{Duration, SystemTime};
use time::OffsetDateTime;

pub const UNSIGNED: &str = "UNSIGNED-PAYLOAD";

/// A request to be signed.
#[derive(Clone)]
pub struct Request {
    pub method: String,
    /// Path and query, encoded; parameters sorted.
    pub target: String,
    pub host: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// What `x-amz-content-sha256` says.
    pub hash: String,
    pub access_key: String,
    pub secret: String,
    pub region: String,
    /// Seconds from now.
    pub skew: i64,
}

impl Request {
    pub fn new(method: &str, target: &str, body: &[u8]) -> Self {
        Self {
            method: method.to_owned(),
            target: target.to_owned(),
            host: "127.0.0.1".to_owned(),
            headers: vec![("content-length".to_owned(), body.len().to_string())],
            body: body.to_vec(),
            hash: hex::encode(Sha256::digest(body)),
            access_key: ACCESS_KEY.to_owned(),
            secret: SECRET.to_owned(),
            region: REGION.to_owned(),
            skew: 0,
        }
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(other, _)| other != name);
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(other, _)| other != name);
        self
    }

    /// The head, signed, and the body.
    pub fn bytes(&self) -> Vec<u8> {
        [self.head().into_bytes(), self.body.clone()].concat()
    }

    /// The head, signed.
    pub fn head(&self) -> String {
        #[allow(clippy::disallowed_methods, reason = "a client has a clock of its own")]
        let now = OffsetDateTime::from(SystemTime::now()) + time::Duration::seconds(self.skew);
        let date = format!(
            "{:04}{:02}{:02}T{:02}{:02}{:02}Z",
            now.year(),
            u8::from(now.month()),
            now.day(),
            now.hour(),
            now.minute(),
            now.second()
        );
        let mut headers = self.headers.clone();
        headers.push(("host".to_owned(), self.host.clone()));
        headers.push(("x-amz-content-sha256".to_owned(), self.hash.clone()));
        headers.push(("x-amz-date".to_owned(), date.clone()));
        headers.sort();
        let (path, query) = self.target.split_once('?').unwrap_or((&self.target, ""));
        let query: Vec<String> = query
            .split('&')
            .filter(|parameter| !parameter.is_empty())
            .map(|parameter| if parameter.contains('=') { parameter.to_owned() } else { format!("{parameter}=") })
            .collect();
        let canonical: String = headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
        let names = headers.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(";");
        let request = format!("{}\n{path}\n{}\n{canonical}\n{names}\n{}", self.method, query.join("&"), self.hash);
        let scope = format!("{}/{}/s3/aws4_request", &date[..8], self.region);
        let to_sign = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", hex::encode(Sha256::digest(request)));
        let when = SystemTime::UNIX_EPOCH + Duration::from_secs(now.unix_timestamp().unsigned_abs());
        let key = aws_sigv4::sign::v4::generate_signing_key(&self.secret, when, &self.region, "s3");
        let signature = aws_sigv4::sign::v4::calculate_signature(key, to_sign.as_bytes());
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        for (name, value) in &headers {
            head += &format!("{name}: {value}\r\n");
        }
        head + &format!(
            "authorization: AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={signature}\r\n\r\n",
            self.access_key
        )
    }
}
