//! Sizes in a lifecycle configuration: clients name plain ones, and a site judges what lies there sealed. PURE.
//!
//! The sealed length is a function of the plain one that only grows (`docs/FORMAT.md`), so "larger than" and "smaller than"
//! stay true of the very same objects.
use crate::s3::{PlainLen, SealedLen};
use crate::seal::{plain_len, sealed_len};
use bytes::Bytes;

/// What stands before a size, bytes
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_LifecycleRuleFilter.html>).
const BEFORE_SIZES: [&str; 2] = ["<ObjectSizeGreaterThan>", "<ObjectSizeLessThan>"];

/// A client's configuration, as the sites are told it.
pub(super) fn sealed(body: Bytes) -> Bytes {
    translated(body, |plain| sealed_len(PlainLen(plain)).ok().map(|length| length.0))
}

/// A site's, as a client is told it. A size that no plain one seals to was set at the site itself: it is told as it is.
pub(super) fn plain(body: Bytes) -> Bytes {
    translated(body, |sealed| plain_len(SealedLen(sealed)).map(|length| length.0))
}

/// What is no number is the site's to refuse.
fn translated(body: Bytes, size: impl Fn(u64) -> Option<u64>) -> Bytes {
    let Ok(text) = std::str::from_utf8(&body) else { return body };
    if !BEFORE_SIZES.iter().any(|before| text.contains(before)) {
        return body;
    }
    let replace = |text: String, before: &str| {
        let mut pieces = text.split(before);
        let mut out = pieces.next().unwrap_or_default().to_owned();
        for piece in pieces {
            let (number, rest) = piece.split_at(piece.find('<').unwrap_or(piece.len()));
            let other = number.trim().parse().ok().and_then(&size);
            out.push_str(before);
            out.push_str(&other.map_or_else(|| number.to_owned(), |other| other.to_string()));
            out.push_str(rest);
        }
        out
    };
    Bytes::from(BEFORE_SIZES.into_iter().fold(text.to_owned(), replace))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_sealed_on_their_way_out_and_plain_on_their_way_back() {
        let given = "<And><Prefix>1</Prefix><ObjectSizeGreaterThan> 0 </ObjectSizeGreaterThan>\
                     <ObjectSizeLessThan>16384</ObjectSizeLessThan></And><Days>2</Days>";
        let told = "<And><Prefix>1</Prefix><ObjectSizeGreaterThan>700</ObjectSizeGreaterThan>\
                    <ObjectSizeLessThan>17100</ObjectSizeLessThan></And><Days>2</Days>";
        assert_eq!(sealed(given.into()), told);
        assert_eq!(plain(told.into()), given.replace(" 0 ", "0"));
    }

    #[test]
    fn anything_else_stays_as_it_is() {
        for other in [
            "",
            "<Days>700</Days>",
            "<ObjectSizeLessThan>many</ObjectSizeLessThan>",
            "<ObjectSizeLessThan>99999999999999999</ObjectSizeLessThan>",
            "<ObjectSizeLessThan>",
        ] {
            assert_eq!(sealed(other.into()), other);
        }
        assert_eq!(
            plain("<ObjectSizeLessThan>699</ObjectSizeLessThan>".into()),
            "<ObjectSizeLessThan>699</ObjectSizeLessThan>"
        );
        let binary = Bytes::from_static(b"\xff<ObjectSizeLessThan>1");
        assert_eq!(sealed(binary.clone()), binary);
    }
}
