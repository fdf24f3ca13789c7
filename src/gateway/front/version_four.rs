//! What is wrong with a signature of version 4, component by component: of an Authorization header, of a presigned URL. PURE.
//!
//! `s3s` has one answer for all of it; whoever writes a client needs to know what it got wrong.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-auth-using-authorization-header.html>
use percent_encoding::percent_decode_str;
use s3s::{S3Error, S3ErrorCode, S3Result};

/// The name of the algorithm, which is the header's first word.
pub(super) const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const SERVICE: &str = "s3";
const TERMINATOR: &str = "aws4_request";
const DIGITS_OF_A_DATE: usize = 8;
/// Access key, date, region, service, terminator.
const PARTS_OF_A_CREDENTIAL: usize = 5;
const MALFORMED_CREDENTIAL: &str =
    "the Credential is mal-formed; expecting \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".";

const CREDENTIAL: &str = "X-Amz-Credential";
/// What a presigned URL of version 4 has.
const PARAMETERS: [&str; 6] =
    ["X-Amz-Algorithm", CREDENTIAL, "X-Amz-Signature", "X-Amz-Date", "X-Amz-SignedHeaders", "X-Amz-Expires"];

/// # Errors
/// AuthorizationHeaderMalformed, with what is missing or malformed, for a header that begins with [`ALGORITHM`].
pub(super) fn refuse_malformed(authorization: &str) -> S3Result<()> {
    let components = authorization.strip_prefix(ALGORITHM).unwrap_or(authorization);
    let (mut credential, mut signed_headers, mut signature) = (None, None, None);
    for component in components.split([' ', ',']).filter(|component| !component.is_empty()) {
        let Some((name, value)) = component.split_once('=') else {
            return malformed(&format!("the authorization component \"{component}\" is malformed."));
        };
        match name {
            "Credential" => credential = Some(value),
            "SignedHeaders" => signed_headers = Some(value),
            "Signature" => signature = Some(value),
            _ => {}
        }
    }
    match (credential, signed_headers, signature) {
        (None, None, None) => {
            malformed("the authorization header requires three components: Credential, SignedHeaders, and Signature.")
        }
        (None, _, _) => malformed("missing Credential."),
        (_, None, _) => malformed("missing SignedHeaders."),
        (_, _, None) => malformed("missing Signature."),
        (Some(credential), _, _) => refuse_scope(credential),
    }
}

/// Of a presigned URL, which has all the parameters or none.
///
/// # Errors
/// AuthorizationQueryParametersError, for a parameter that is not there and a credential that is none.
pub(super) fn refuse_incomplete(query: &str) -> S3Result<()> {
    let refuse = |message: &str| {
        let code = S3ErrorCode::AuthorizationQueryParametersError;
        Err(S3Error::with_message(code, message.to_owned()))
    };
    let value_of = |wanted: &str| query.split('&').find_map(|pair| pair.strip_prefix(wanted)?.strip_prefix('='));
    if PARAMETERS.iter().any(|name| value_of(name).is_none()) {
        return refuse(
            "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.",
        );
    }
    let credential = percent_decode_str(value_of(CREDENTIAL).unwrap_or_default()).decode_utf8_lossy();
    if credential.split('/').count() < PARTS_OF_A_CREDENTIAL {
        return refuse(&format!("Error parsing the X-Amz-Credential parameter; {MALFORMED_CREDENTIAL}"));
    }
    Ok(())
}

/// An access key may have slashes; what comes behind it may not.
fn refuse_scope(credential: &str) -> S3Result<()> {
    let mut parts = credential.rsplitn(PARTS_OF_A_CREDENTIAL, '/');
    let (Some(terminator), Some(service), Some(_region), Some(date), Some(_access_key)) =
        (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return malformed(MALFORMED_CREDENTIAL);
    };
    if terminator != TERMINATOR {
        return malformed(&format!("incorrect terminal \"{terminator}\". This endpoint uses \"{TERMINATOR}\"."));
    }
    if service != SERVICE {
        return malformed(&format!("incorrect service \"{service}\". This endpoint belongs to \"{SERVICE}\"."));
    }
    if date.len() != DIGITS_OF_A_DATE || !date.bytes().all(|byte| byte.is_ascii_digit()) {
        return malformed(&format!(
            "incorrect date format \"{date}\". This date in the credential must be in the format \"yyyyMMdd\"."
        ));
    }
    Ok(())
}

fn malformed(what: &str) -> S3Result<()> {
    let message = format!("The authorization header is malformed; {what}");
    Err(S3Error::with_message(S3ErrorCode::AuthorizationHeaderMalformed, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(components: &str) -> Option<String> {
        refuse_malformed(&format!("{ALGORITHM}{components}")).err().map(|error| {
            assert_eq!(error.code(), &S3ErrorCode::AuthorizationHeaderMalformed);
            error.message().expect("a message").replace("The authorization header is malformed; ", "")
        })
    }

    #[test]
    fn a_whole_one_passes() {
        let scope = "20130524/eu-west-1/s3/aws4_request";
        for key in ["AKIDEXAMPLE", "with/slashes/in/it", ""] {
            assert_eq!(
                said(&format!(" Credential={key}/{scope},SignedHeaders=host;date, Signature=00")),
                None,
                "{key}"
            );
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        let credential = "Credential=a/20130524/us-east-1/s3/aws4_request";
        for (components, starts) in [
            (String::new(), "the authorization header requires three components"),
            (" SignedHeaders=host,Signature=00".to_owned(), "missing Credential"),
            (format!(" {credential},Signature=00"), "missing SignedHeaders"),
            (format!(" {credential},SignedHeaders=host"), "missing Signature."),
            (
                format!(" {credential},SignedHeaders-host,Signature=00"),
                "the authorization component \"SignedHeaders-host\"",
            ),
        ] {
            let said = said(&components).expect("refused");
            assert!(said.starts_with(starts), "{components}: {said}");
        }
    }

    #[test]
    fn a_presigned_url_has_all_its_parameters() {
        let whole = PARAMETERS.map(|name| format!("{name}=a%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"));
        assert!(refuse_incomplete(&whole.join("&")).is_ok());
        let says = |query: &str| refuse_incomplete(query).expect_err("refused").message().map(str::to_owned);
        for missing in 0..PARAMETERS.len() {
            let mut less = whole.to_vec();
            less.remove(missing);
            assert!(
                says(&less.join("&")).is_some_and(|text| text.starts_with("Query-string authentication")),
                "{missing}"
            );
        }
        let other = whole.join("&").replace("%2Fs3%2Faws4_request", "");
        assert!(says(&other).is_some_and(|text| text.contains("the Credential is mal-formed")));
    }

    #[test]
    fn a_scope_that_is_none_says_which_part() {
        for (credential, starts) in [
            ("HAHAHA", "the Credential is mal-formed"),
            ("a/20130524/us-east-1/aws4_request", "the Credential is mal-formed"),
            ("a/20130524/us-east-1/s3/aws_request", "incorrect terminal \"aws_request\""),
            ("a/20130524/us-east-1/ec2/aws4_request", "incorrect service \"ec2\""),
            ("a/2013-5-4/us-east-1/s3/aws4_request", "incorrect date format \"2013-5-4\""),
            ("a/yyyymmdd/us-east-1/s3/aws4_request", "incorrect date format \"yyyymmdd\""),
        ] {
            let said = said(&format!(" Credential={credential},SignedHeaders=host,Signature=00")).expect("refused");
            assert!(said.starts_with(starts), "{credential}: {said}");
        }
    }
}
