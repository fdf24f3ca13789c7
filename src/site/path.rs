//! URI paths and queries exactly as SigV4 for S3 wants them: encoded once, never normalised.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>: every byte but
//! `A-Za-z0-9-._~` becomes `%XX`; `/` stays in a path. The encoded form is both what is signed and what is sent.
use super::Location;
use crate::s3::{BucketName, ObjectKey};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// The one header that carries our sealed metadata. Objects of other origin have none.
pub const METADATA_HEADER: &str = "x-amz-meta-strongroom";

/// What is encoded in a query value.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// What is encoded in a path.
const PATH: &AsciiSet = &QUERY.remove(b'/');

/// `/bucket/key`, with the site's bucket prefix.
pub(super) fn object_path(bucket_prefix: &str, at: &Location) -> String {
    let (bucket, key) = (at.bucket.as_str(), at.key.as_str());
    let mut path = String::with_capacity(2 + bucket_prefix.len() + bucket.len() + key.len() + 16);
    path.push('/');
    path.push_str(bucket_prefix);
    path.push_str(bucket);
    path.push('/');
    path.extend(utf8_percent_encode(key, PATH));
    path
}

/// The value of `x-amz-copy-source`: `bucket/key`, encoded; once more for servers that decode it twice. Then the version, if one is named.
pub(super) fn copy_source(bucket_prefix: &str, at: &Location, version: Option<&str>, twice: bool) -> String {
    let source = object_path(bucket_prefix, at).split_off(1);
    let source = if twice { utf8_percent_encode(&source, PATH).to_string() } else { source };
    match version {
        Some(version) => format!("{source}?{}", version_query(version)),
        None => source,
    }
}

/// What a client names an object by as the source of a copy.
pub fn source_of(at: &Location) -> String {
    copy_source("", at, None, false)
}

/// The path of a bucket, or of an object in it.
pub(super) fn path_of(bucket_prefix: &str, bucket: &BucketName, key: Option<&ObjectKey>) -> String {
    match key {
        Some(key) => object_path(bucket_prefix, &Location { bucket: bucket.clone(), key: key.clone() }),
        None => format!("/{bucket_prefix}{bucket}"),
    }
}

/// A canonical query: encoded, then sorted.
pub(super) fn query(parameters: &[(String, String)]) -> String {
    let encode = |text: &str| utf8_percent_encode(text, QUERY).to_string();
    let mut pairs: Vec<_> = parameters.iter().map(|(name, value)| (encode(name), encode(value))).collect();
    pairs.sort_unstable();
    let pairs: Vec<_> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join("&")
}

/// The canonical query of a read of one version.
pub(super) fn version_query(version: &str) -> String {
    format!("versionId={}", utf8_percent_encode(version, QUERY))
}

/// The canonical query of an UploadPart.
pub(super) fn part_query(part: u16, upload_id: &str) -> String {
    format!("partNumber={part}&uploadId={}", utf8_percent_encode(upload_id, QUERY))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(key: &str) -> Location {
        Location {
            bucket: BucketName::parse("b.c-d").expect("a valid name"),
            key: ObjectKey::parse(key).expect("a valid key"),
        }
    }

    #[test]
    fn keys_are_encoded_once_and_never_normalised() {
        for (key, path) in [
            ("a b+c%d", "/b.c-d/a%20b%2Bc%25d"),
            ("/lead//double/", "/b.c-d//lead//double/"),
            ("../x/./y", "/b.c-d/../x/./y"),
            ("%2e%2E", "/b.c-d/%252e%252E"),
            ("凭证/a~_-.", "/b.c-d/%E5%87%AD%E8%AF%81/a~_-."),
            ("q?x=1&y#z\"<>\u{1}\u{7f}", "/b.c-d/q%3Fx%3D1%26y%23z%22%3C%3E%01%7F"),
        ] {
            assert_eq!(object_path("", &at(key)), path);
        }
    }

    #[test]
    fn the_site_prefix_comes_before_the_bucket() {
        assert_eq!(object_path("agency-", &at("k")), "/agency-b.c-d/k");
        assert_eq!(copy_source("agency-", &at("a b"), None, false), "agency-b.c-d/a%20b");
        assert_eq!(copy_source("agency-", &at("a b"), None, true), "agency-b.c-d/a%2520b");
        assert_eq!(copy_source("", &at("k"), Some("v/1"), false), "b.c-d/k?versionId=v%2F1");
    }

    #[test]
    fn queries_are_encoded_and_sorted() {
        let pairs = [("versionId", "a+b"), ("tagging", ""), ("x y", "/")];
        let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(query(&pairs), "tagging=&versionId=a%2Bb&x%20y=%2F");
        assert_eq!(path_of("p-", &at("k").bucket, None), "/p-b.c-d");
    }

    #[test]
    fn part_queries_are_canonical() {
        assert_eq!(part_query(7, "2~a/b+="), "partNumber=7&uploadId=2~a%2Fb%2B%3D");
    }
}
