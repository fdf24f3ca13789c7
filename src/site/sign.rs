//! SigV4 header signing for the lean door.
//!
//! `aws-sigv4` derives the day's key and computes the signature; the canonical request is written here, because
//! we know every header we send and need neither a parsed URL nor a sorted map
//! (<https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>). The payload of
//! objects is `UNSIGNED-PAYLOAD`: what is sent is authenticated by its own seal, and hashing it again would halve the speed.
use super::config::SiteCredential;
use crate::secret::SecretBytes;
use arc_swap::ArcSwapOption;
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::sync::Arc;
use time::{Date, OffsetDateTime};

/// The value of `x-amz-content-sha256`.
pub(super) const UNSIGNED: &str = "UNSIGNED-PAYLOAD";

/// Signs requests with one credential for one region.
pub(super) struct Signer {
    credential: SiteCredential,
    region: String,
    day: ArcSwapOption<DayKey>,
}

/// The signing key, valid for one UTC day.
struct DayKey {
    date: Date,
    key: SecretBytes<32>,
}

/// A header's name and value.
pub(super) type Header<'a> = (&'a str, &'a str);

/// What is signed. `before` and `after` are the headers that sort before `x-amz-content-sha256` (but for `host`),
/// and after it (but for `x-amz-date`); each lower-case, sorted, its value without runs of spaces.
pub(super) struct ToSign<'a> {
    pub(super) method: &'a str,
    pub(super) path: &'a str,
    pub(super) query: &'a str,
    pub(super) host: &'a str,
    pub(super) before: &'a [Header<'a>],
    pub(super) after: &'a [Header<'a>],
    /// `x-amz-content-sha256`: the payload's hash in hex, or [`UNSIGNED`].
    pub(super) payload: &'a str,
}

/// The two headers a signature adds.
pub(super) struct Signed {
    /// `x-amz-date`.
    pub(super) date: String,
    /// `authorization`.
    pub(super) authorization: String,
}

// === impl Signer ===

impl Signer {
    pub(super) fn new(credential: SiteCredential, region: String) -> Self {
        Self { credential, region, day: ArcSwapOption::empty() }
    }

    pub(super) fn region(&self) -> &str {
        &self.region
    }

    pub(super) fn sign(&self, request: &ToSign<'_>, now: OffsetDateTime) -> Signed {
        let date = amz_date(now);
        let scope = format!("{}/{}/s3/aws4_request", &date[..8], self.region);
        let names = signed_names(request);
        let hash = canonical_hash(request, &date, &names);
        let to_sign = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", hex::encode(hash));
        let key = self.day_key(now);
        let signature = aws_sigv4::sign::v4::calculate_signature(key.key.expose(), to_sign.as_bytes());
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={signature}",
            self.credential.access_key_id
        );
        Signed { date, authorization }
    }

    fn day_key(&self, now: OffsetDateTime) -> Arc<DayKey> {
        if let Some(key) = self.day.load_full().filter(|key| key.date == now.date()) {
            return key;
        }
        let secret = self.credential.secret_access_key.expose();
        let derived = aws_sigv4::sign::v4::generate_signing_key(secret, now.into(), &self.region, "s3");
        let mut key = [0u8; 32];
        key.copy_from_slice(derived.as_ref());
        let key = Arc::new(DayKey { date: now.date(), key: SecretBytes::new(key) });
        self.day.store(Some(key.clone()));
        key
    }
}

/// `YYYYMMDDTHHMMSSZ`.
fn amz_date(now: OffsetDateTime) -> String {
    let (year, month, day) = (now.year(), u8::from(now.month()), now.day());
    format!("{year:04}{month:02}{day:02}T{:02}{:02}{:02}Z", now.hour(), now.minute(), now.second())
}

fn signed_names(request: &ToSign<'_>) -> String {
    let mut names = String::with_capacity(128);
    let (first, before) = around_host(request);
    for (name, _) in first {
        let _ = write!(names, "{name};");
    }
    names.push_str("host");
    for (name, _) in before {
        let _ = write!(names, ";{name}");
    }
    names.push_str(";x-amz-content-sha256");
    let (between, after) = around_date(request);
    for (name, _) in between {
        let _ = write!(names, ";{name}");
    }
    names.push_str(";x-amz-date");
    for (name, _) in after {
        let _ = write!(names, ";{name}");
    }
    names
}

/// The headers that sort before `host`, and those after it.
fn around_host<'a>(request: &ToSign<'a>) -> (&'a [Header<'a>], &'a [Header<'a>]) {
    request.before.split_at(request.before.partition_point(|(name, _)| *name < "host"))
}

/// The headers behind `x-amz-content-sha256` that sort before `x-amz-date`, and those after it.
fn around_date<'a>(request: &ToSign<'a>) -> (&'a [Header<'a>], &'a [Header<'a>]) {
    request.after.split_at(request.after.partition_point(|(name, _)| *name < "x-amz-date"))
}

/// SHA-256 of the canonical request, fed piece by piece.
fn canonical_hash(request: &ToSign<'_>, date: &str, names: &str) -> [u8; 32] {
    let mut hash = Sha256::new();
    let mut line = |pieces: &[&str]| {
        pieces.iter().for_each(|piece| hash.update(piece.as_bytes()));
        hash.update(b"\n");
    };
    line(&[request.method]);
    line(&[request.path]);
    line(&[request.query]);
    let (first, before) = around_host(request);
    for (name, value) in first {
        line(&[name, ":", value.trim()]);
    }
    line(&["host:", request.host]);
    for (name, value) in before {
        line(&[name, ":", value.trim()]);
    }
    line(&["x-amz-content-sha256:", request.payload]);
    let (between, after) = around_date(request);
    for (name, value) in between {
        line(&[name, ":", value.trim()]);
    }
    line(&["x-amz-date:", date]);
    for (name, value) in after {
        line(&[name, ":", value.trim()]);
    }
    line(&[]);
    line(&[names]);
    hash.update(request.payload.as_bytes());
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::SecretText;
    use aws_sigv4::http_request::{
        PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
        UriPathNormalizationMode, sign,
    };
    use aws_sigv4::sign::v4::SigningParams;
    use time::macros::datetime;

    const NOW: OffsetDateTime = datetime!(2026-11-23 16:40:05 UTC);

    fn signer() -> Signer {
        let secret_access_key = SecretText::new("secret/+=".into());
        Signer::new(SiteCredential { access_key_id: "AKID".into(), secret_access_key }, "eu-central-1".into())
    }

    /// The signature that the SDK's own signer gives to the same request.
    fn oracle(request: &ToSign<'_>) -> String {
        let credentials = aws_credential_types::Credentials::new("AKID", "secret/+=", None, None, "test").into();
        let mut settings = SigningSettings::default();
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        let params = SigningParams::builder()
            .identity(&credentials)
            .region("eu-central-1")
            .name("s3")
            .time(NOW.into())
            .settings(settings)
            .build()
            .expect("complete parameters")
            .into();
        let query = if request.query.is_empty() { String::new() } else { format!("?{}", request.query) };
        let uri = format!("http://{}{}{query}", request.host, request.path);
        let headers = request.before.iter().chain(request.after).copied();
        let payload = match request.payload {
            UNSIGNED => SignableBody::UnsignedPayload,
            hash => SignableBody::Precomputed(hash.to_owned()),
        };
        let signable = SignableRequest::new(request.method, &uri, headers, payload).expect("a valid request");
        let (instructions, _) = sign(signable, &params).expect("signed").into_parts();
        let (headers, _) = instructions.into_parts();
        let found = headers.iter().find(|h| h.name() == "authorization").expect("authorization");
        found.value().to_owned()
    }

    #[test]
    fn signatures_equal_those_of_the_sdk() {
        let metadata = [("x-amz-meta-strongroom", "AbC=")];
        let copied = [("x-amz-copy-source", "b/k"), ("x-amz-copy-source-if-match", "\"1\""), ("x-amz-meta-a", "b")];
        let conditions = [("if-match", "\"0123\""), ("range", "bytes=0-9")];
        let content =
            [("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg=="), ("content-type", "text/xml"), ("x-amz-acl", "private")];
        for request in [
            ToSign {
                method: "PUT",
                path: "/b",
                query: "tagging=&x=y",
                host: "h",
                before: &content,
                after: &metadata,
                payload: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            },
            ToSign {
                method: "GET",
                path: "/b/k",
                query: "",
                host: "h:9000",
                before: &[],
                after: &[],
                payload: UNSIGNED,
            },
            ToSign {
                method: "GET",
                path: "/b//a%20b/../c",
                query: "",
                host: "h",
                before: &conditions,
                after: &[],
                payload: UNSIGNED,
            },
            ToSign {
                method: "PUT",
                path: "/b/%E5",
                query: "",
                host: "h",
                before: &conditions,
                after: &copied,
                payload: UNSIGNED,
            },
            ToSign {
                method: "PUT",
                path: "/b/k",
                query: "partNumber=3&uploadId=2~x%2F",
                host: "h",
                before: &[],
                after: &metadata,
                payload: UNSIGNED,
            },
        ] {
            assert_eq!(
                signer().sign(&request, NOW).authorization,
                oracle(&request),
                "{} {}",
                request.method,
                request.path
            );
        }
    }

    #[test]
    fn a_new_day_has_a_new_key() {
        let signer = signer();
        let request =
            ToSign { method: "GET", path: "/", query: "", host: "h", before: &[], after: &[], payload: UNSIGNED };
        let today = signer.sign(&request, NOW);
        assert_eq!(today.date, "20261123T164005Z");
        let tomorrow = signer.sign(&request, NOW + time::Duration::DAY);
        assert_ne!(today.authorization, tomorrow.authorization);
        assert_eq!(signer.sign(&request, NOW).authorization, today.authorization);
    }
}
