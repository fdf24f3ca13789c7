//! When a certificate expires: the one field of X.509 (RFC 5280 section 4.1) that operators have to watch.
//!
//! ```text
//! Certificate    := SEQUENCE { tbsCertificate, ... }
//! tbsCertificate := SEQUENCE { [0] version?, serial, signature, issuer, validity, ... }
//! validity       := SEQUENCE { notBefore, notAfter }          UTCTime or GeneralizedTime, always UTC
//! ```
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};

const SEQUENCE: u8 = 0x30;
const EXPLICIT_0: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// `notAfter` of a certificate in DER; `None` when it is not one.
pub(super) fn expires(der: &[u8]) -> Option<OffsetDateTime> {
    let (certificate, _) = of_kind(der, SEQUENCE)?;
    let (mut fields, _) = of_kind(certificate, SEQUENCE)?;
    if fields.first() == Some(&EXPLICIT_0) {
        fields = element(fields)?.2;
    }
    for _serial_signature_issuer in 0..3 {
        fields = element(fields)?.2;
    }
    let (validity, _) = of_kind(fields, SEQUENCE)?;
    let (_, _, not_after) = element(validity)?;
    let (tag, text, _) = element(not_after)?;
    instant(tag, std::str::from_utf8(text).ok()?)
}

fn instant(tag: u8, text: &str) -> Option<OffsetDateTime> {
    let format = format_description!("[year][month][day][hour][minute][second]Z");
    let text = match tag {
        // RFC 5280 section 4.1.2.5.1: 50 to 99 are of the last century.
        UTC_TIME if text.get(..2)? >= "50" => format!("19{text}"),
        UTC_TIME => format!("20{text}"),
        GENERALIZED_TIME => text.to_owned(),
        _ => return None,
    };
    Some(PrimitiveDateTime::parse(&text, &format).ok()?.assume_utc())
}

/// The content of the first element, which must have this tag, and what follows it.
fn of_kind(der: &[u8], wanted: u8) -> Option<(&[u8], &[u8])> {
    let (tag, content, rest) = element(der)?;
    (tag == wanted).then_some((content, rest))
}

/// Tag, content and rest of the first element (X.690: definite lengths, tags of one byte).
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x84 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use time::macros::datetime;

    fn certificate(not_after: OffsetDateTime) -> Vec<u8> {
        let mut parameters = rcgen::CertificateParams::new(["a.test".to_owned()]).expect("valid names");
        parameters.not_after = not_after;
        let key = rcgen::KeyPair::generate().expect("a key");
        parameters.self_signed(&key).expect("a certificate").der().to_vec()
    }

    #[test]
    fn both_forms_of_time_are_read() {
        for moment in [datetime!(2031-12-31 23:59:58 UTC), datetime!(2061-02-03 04:05:06 UTC)] {
            assert_eq!(expires(&certificate(moment)), Some(moment));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>, cut in 0usize..400, flip in 0usize..400) {
            let _ = expires(&bytes);
            let mut der = certificate(datetime!(2031-12-31 23:59:58 UTC));
            let at = flip % der.len();
            der[at] ^= 0xff;
            let _ = expires(&der[..cut.min(der.len())]);
            let _ = expires(&der);
        }
    }
}
