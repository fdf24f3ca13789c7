//! What a form's fields mean to S3 beyond what `s3s` makes of them. PURE.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html>
use super::super::access::refuse_fields;
use super::super::support::is_reserved;
use super::recorder::Fields;
use http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::dto::{Tag, Tagging};
use s3s::post_policy::{PostPolicy, PostPolicyCondition};
use s3s::xml::{Deserialize as _, Deserializer};
use s3s::{S3Error, S3ErrorCode, S3Result};

const USER_METADATA: &str = "x-amz-meta-";

/// The bucket is in the address and no field of the form, yet S3 treats it as one: a policy that does not name it would be good for any.
///
/// # Errors
/// AccessDenied when no condition is about the bucket.
pub(super) fn refuse_any_bucket(fields: &Fields) -> S3Result<()> {
    let policy = fields.get("policy").and_then(|policy| PostPolicy::from_base64(policy).ok());
    let names_it = |condition: &PostPolicyCondition| match condition {
        PostPolicyCondition::Eq { field, .. } | PostPolicyCondition::StartsWith { field, .. } => field == "bucket",
        PostPolicyCondition::ContentLengthRange { .. } => false,
    };
    if policy.is_some_and(|policy| policy.conditions.iter().any(names_it)) {
        return Ok(());
    }
    let message = "Invalid according to Policy: no condition of the policy is about the bucket.";
    Err(S3Error::with_message(S3ErrorCode::AccessDenied, message))
}

/// The headers of a PutObject that the fields stand for: what the sites keep, and what the body is compared with. What is sealed
/// (metadata, content headers) `s3s` has read.
///
/// # Errors
/// What the headers would be refused for.
pub(super) fn headers_of(fields: &Fields) -> S3Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    for (name, value) in fields.all() {
        if is_reserved(name) {
            let message = format!("The field {name} is reserved.");
            return Err(S3Error::with_message(S3ErrorCode::InvalidArgument, message));
        }
        let (name, value) = match name {
            "acl" | "tagging" if value.is_empty() => continue,
            "acl" => ("x-amz-acl", value.to_owned()),
            "tagging" => ("x-amz-tagging", tagging_header(value)?),
            name if name == "content-md5" || (name.starts_with("x-amz-") && !name.starts_with(USER_METADATA)) => {
                (name, value.to_owned())
            }
            _ => continue,
        };
        let pair = HeaderName::try_from(name).ok().zip(HeaderValue::try_from(value).ok());
        let (name, value) = pair.ok_or_else(|| {
            let message = format!("The field {name} has a value that no header could have.");
            S3Error::with_message(S3ErrorCode::InvalidArgument, message)
        })?;
        headers.insert(name, value);
    }
    refuse_fields(&headers)?;
    Ok(headers)
}

/// What `x-amz-tagging` would say, of the field's XML.
///
/// # Errors
/// MalformedXML when it is none.
fn tagging_header(xml: &str) -> S3Result<String> {
    let mut reader = Deserializer::new(xml.as_bytes());
    let tagging = Tagging::deserialize(&mut reader).map_err(|_| S3Error::new(S3ErrorCode::MalformedXML))?;
    reader.expect_eof().map_err(|_| S3Error::new(S3ErrorCode::MalformedXML))?;
    let escape =
        |text: Option<&String>| utf8_percent_encode(text.map_or("", String::as_str), NON_ALPHANUMERIC).to_string();
    let pair = |tag: &Tag| format!("{}={}", escape(tag.key.as_ref()), escape(tag.value.as_ref()));
    Ok(tagging.tag_set.iter().map(pair).collect::<Vec<_>>().join("&"))
}

/// Whether a form may send its reader there; S3 ignores what is no address.
pub(super) fn is_address(redirect: &str) -> bool {
    !redirect.chars().any(char::is_control) && url::Url::parse(redirect).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_in_xml_are_those_of_a_header() {
        let xml = "<Tagging xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><TagSet>\
                   <Tag><Key>a b</Key><Value>1&amp;2=\u{fc}</Value></Tag><Tag><Key>c</Key><Value/></Tag></TagSet></Tagging>";
        assert_eq!(tagging_header(xml).expect("tags"), "a%20b=1%262%3D%C3%BC&c=");
        assert_eq!(tagging_header("<Tagging><TagSet/></Tagging>").expect("none"), "");
        for other in ["", "a=b", "<Tagging>", "<Other/>", "<Tagging><TagSet/></Tagging><more/>"] {
            let code = tagging_header(other).err().map(|error| error.code().clone());
            assert_eq!(code, Some(S3ErrorCode::MalformedXML), "{other}");
        }
    }

    #[test]
    fn an_address_has_a_scheme_and_no_line_breaks() {
        assert!(is_address("http://127.0.0.1:1/there?a=b") && is_address("https://a/\u{fc}"));
        for other in ["", "no address", "/relative", "http://a:99999/", "http://a/\r\nX: y"] {
            assert!(!is_address(other), "{other}");
        }
    }
}
