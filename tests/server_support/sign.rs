//! Signed requests as bytes; every part can be made wrong before or after signing.
use super::{ACCESS_KEY, REGION, SECRET};
use base64::Engine as _;
use sha2::{Digest as _, Sha256};
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

    /// The head of a presigned request, which has no body; every header is signed.
    pub fn presigned(&self) -> String {
        let now = strongroom::clock::now() + time::Duration::seconds(self.skew);
        let date = amz_date(now);
        let mut headers = self.headers.clone();
        headers.push(("host".to_owned(), self.host.clone()));
        headers.sort();
        let names = headers.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join("%3B");
        let scope = format!("{}/{}/s3/aws4_request", &date[..8], self.region);
        let query = format!(
            "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={}%2F{}&X-Amz-Date={date}&X-Amz-Expires=60\
             &X-Amz-SignedHeaders={names}",
            self.access_key,
            scope.replace('/', "%2F")
        );
        let canonical: String = headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
        let names = names.replace("%3B", ";");
        let request = format!("{}\n{}\n{query}\n{canonical}\n{names}\n{UNSIGNED}", self.method, self.target);
        let to_sign = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", hex::encode(Sha256::digest(request)));
        let mut signer = Signer { secret: self.secret.clone(), region: self.region.clone(), now, last: String::new() };
        let signature = signer.sign(&to_sign);
        let lines: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        format!("{} {}?{query}&X-Amz-Signature={signature} HTTP/1.1\r\n{lines}\r\n", self.method, self.target)
    }

    /// The head, signed, and the body.
    pub fn bytes(&self) -> Vec<u8> {
        [self.head().into_bytes(), self.body.clone()].concat()
    }

    /// The head, signed.
    pub fn head(&self) -> String {
        self.signed().0
    }

    /// The head, and what signed it.
    pub fn signed(&self) -> (String, Signer) {
        let now = strongroom::clock::now() + time::Duration::seconds(self.skew);
        let date = amz_date(now);
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
        let mut signer = Signer { secret: self.secret.clone(), region: self.region.clone(), now, last: String::new() };
        let signature = signer.sign(&to_sign);
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        for (name, value) in &headers {
            head += &format!("{name}: {value}\r\n");
        }
        head += &format!(
            "authorization: AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={signature}\r\n\r\n",
            self.access_key
        );
        (head, signer)
    }
}

/// Signs what follows a signed head; every signature covers the one before it.
pub struct Signer {
    secret: String,
    region: String,
    now: OffsetDateTime,
    last: String,
}

impl Signer {
    /// The signature of a chunk.
    pub fn chunk(&mut self, data: &[u8]) -> String {
        let hashes = format!("{}\n{}", hex::encode(Sha256::digest(b"")), hex::encode(Sha256::digest(data)));
        let text = self.text("AWS4-HMAC-SHA256-PAYLOAD", &hashes);
        self.sign(&text)
    }

    /// The signature of a trailer, `name:value\n` for every line.
    pub fn trailer(&mut self, lines: &str) -> String {
        let text = self.text("AWS4-HMAC-SHA256-TRAILER", &hex::encode(Sha256::digest(lines)));
        self.sign(&text)
    }

    fn text(&self, kind: &str, hashes: &str) -> String {
        let date = amz_date(self.now);
        format!("{kind}\n{date}\n{}/{}/s3/aws4_request\n{}\n{hashes}", &date[..8], self.region, self.last)
    }

    fn sign(&mut self, text: &str) -> String {
        let key = aws_sigv4::sign::v4::generate_signing_key(&self.secret, self.now.into(), &self.region, "s3");
        self.last = aws_sigv4::sign::v4::calculate_signature(key, text.as_bytes());
        self.last.clone()
    }
}

fn amz_date(now: OffsetDateTime) -> String {
    let (year, month, day) = (now.year(), u8::from(now.month()), now.day());
    format!("{year:04}{month:02}{day:02}T{:02}{:02}{:02}Z", now.hour(), now.minute(), now.second())
}

/// The signed policy of an upload form.
pub struct Policy {
    pub policy: String,
    pub credential: String,
    pub date: String,
    pub signature: String,
}

impl Policy {
    /// For any key of a bucket.
    pub fn new(bucket: &str) -> Self {
        let now = strongroom::clock::now();
        let date = amz_date(now);
        let credential = format!("{ACCESS_KEY}/{}/{REGION}/s3/aws4_request", &date[..8]);
        let policy = format!(
            r#"{{"expiration":"2099-01-01T00:00:00.000Z","conditions":[{{"bucket":"{bucket}"}},
            ["starts-with","$key",""],{{"x-amz-algorithm":"AWS4-HMAC-SHA256"}},
            {{"x-amz-credential":"{credential}"}},{{"x-amz-date":"{date}"}}]}}"#
        );
        let policy = base64::engine::general_purpose::STANDARD.encode(policy);
        let key = aws_sigv4::sign::v4::generate_signing_key(SECRET, now.into(), REGION, "s3");
        let signature = aws_sigv4::sign::v4::calculate_signature(key, policy.as_bytes());
        Self { policy, credential, date, signature }
    }
}
