//! Escaping for lines of text. Percent-encoding throughout: what a client sends can end neither field nor line.
use percent_encoding::percent_decode_str;
use std::borrow::Cow;

const HEX: &[u8; 16] = b"0123456789ABCDEF";
/// A field that is not there.
const ABSENT: char = '-';
/// Query parameters whose value could be replayed.
const SECRET_PARAMETERS: [&str; 3] = ["x-amz-signature", "x-amz-security-token", "signature"];

/// An unquoted field: graphic ASCII without the delimiters of quoted and bracketed fields.
pub(super) fn push_bare(line: &mut String, value: Option<&[u8]>) {
    push(line, value, |byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'[' | b']'));
}

/// An object's key, URL-encoded as S3 does it: all but unreserved characters and `/`.
pub(super) fn push_key(line: &mut String, value: Option<&[u8]>) {
    push(line, value, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~' | b'/'));
}

/// A field in quotes: printable ASCII but the quote itself.
pub(super) fn push_quoted(line: &mut String, value: Option<&[u8]>) {
    line.push('"');
    push(line, value, |byte| (byte.is_ascii_graphic() || byte == b' ') && byte != b'"');
    line.push('"');
}

fn push(line: &mut String, value: Option<&[u8]>, plain: impl Fn(u8) -> bool) {
    let value = value.unwrap_or_default();
    if value.is_empty() {
        line.push(ABSENT);
    }
    for &byte in value {
        if plain(byte) {
            line.push(char::from(byte));
        } else {
            let digits = [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 0xf)]];
            line.push('%');
            line.extend(digits.map(char::from));
        }
    }
}

/// A path and query without the values that would let a reader of the log replay a presigned request.
pub fn redact_query(uri: &str) -> Cow<'_, str> {
    let Some((path, query)) = uri.split_once('?') else { return uri.into() };
    if !query.split('&').any(is_secret) {
        return uri.into();
    }
    let mut out = String::with_capacity(uri.len());
    out.push_str(path);
    let mut before = '?';
    for parameter in query.split('&') {
        out.push(before);
        before = '&';
        match parameter.split_once('=') {
            Some((name, _)) if is_secret(parameter) => {
                out.push_str(name);
                out.push_str("=redacted");
            }
            _ => out.push_str(parameter),
        }
    }
    out.into()
}

fn is_secret(parameter: &str) -> bool {
    let name = parameter.split_once('=').map_or(parameter, |(name, _)| name);
    let among = |name: &str| SECRET_PARAMETERS.iter().any(|secret| name.eq_ignore_ascii_case(secret));
    // The server decodes names before it compares them; so must we.
    if name.contains('%') { among(&percent_decode_str(name).decode_utf8_lossy()) } else { among(name) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pushed(push: fn(&mut String, Option<&[u8]>), value: &[u8]) -> String {
        let mut line = String::new();
        push(&mut line, Some(value));
        line
    }

    #[test]
    fn an_absent_or_empty_field_is_a_dash() {
        assert_eq!(pushed(push_bare, b""), "-");
        assert_eq!(pushed(push_quoted, b""), "\"-\"");
        let mut line = String::new();
        push_key(&mut line, None);
        assert_eq!(line, "-");
    }

    #[test]
    fn nothing_that_ends_a_field_or_a_line_survives() {
        for byte in 0..=255u8 {
            let value = [b'a', byte, b'b'];
            let (bare, quoted, key) =
                (pushed(push_bare, &value), pushed(push_quoted, &value), pushed(push_key, &value));
            let graphic = |text: &str| text.bytes().all(|b| b.is_ascii_graphic());
            assert!(graphic(&bare) && !bare.contains(['"', '[', ']', ' ']), "{byte}: {bare}");
            assert!(quoted.bytes().all(|b| (0x20..0x7f).contains(&b)), "{byte}: {quoted}");
            assert_eq!(quoted.matches('"').count(), 2, "{byte}: {quoted}");
            assert!(graphic(&key) && !key.contains(['"', '[', ']', ' ']), "{byte}: {key}");
        }
    }

    #[test]
    fn a_key_is_url_encoded() {
        assert_eq!(pushed(push_key, "文/a b+c%20.pdf".as_bytes()), "%E6%96%87/a%20b%2Bc%2520.pdf");
    }

    #[test]
    fn signatures_and_tokens_are_redacted_however_their_names_are_written() {
        let cases = [
            ("/b/k?X-Amz-Signature=abc&x=1", "/b/k?X-Amz-Signature=redacted&x=1"),
            ("/b/k?x-amz-%53ignature=abc", "/b/k?x-amz-%53ignature=redacted"),
            ("/b/k?a=b&X-Amz-Security-Token=t", "/b/k?a=b&X-Amz-Security-Token=redacted"),
            ("/b/k?Signature=abc&Expires=1", "/b/k?Signature=redacted&Expires=1"),
            ("/b/k?prefix=signature", "/b/k?prefix=signature"),
            ("/b/X-Amz-Signature=abc", "/b/X-Amz-Signature=abc"),
        ];
        for (uri, expected) in cases {
            assert_eq!(redact_query(uri), expected);
        }
    }
}
