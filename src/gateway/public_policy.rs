//! What a bucket's policy says of anybody. PURE.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/s3-bucket-user-policy-specifying-principal-intro.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/amazon-s3-policy-keys.html>
use serde_json::Value;

/// Conditions that the primary judges by what it is asked as it would by the client's own request, in lower case: the question has the client's key,
/// prefix, version, `Referer` and `User-Agent`, and it is asked now.
const ALIKE: &[&str] =
    &["aws:currenttime", "aws:epochtime", "aws:referer", "aws:useragent", "s3:delimiter", "s3:prefix", "s3:versionid"];
/// Beginnings of such keys: what is known of the object, and headers of writes, of which those that anybody may send are none.
const ALIKE_BEGINNINGS: &[&str] = &["s3:existingobjecttag/", "s3:x-amz-"];
/// Whether the request came over TLS; the question may, where the client's did not.
const SECURE_TRANSPORT: &str = "aws:securetransport";
/// A variable in a name or value stands for something of whoever asks.
const VARIABLE: &str = "${aws:";

/// Whether a policy allows somebody something who cannot be told from anybody. What is no policy allows nothing.
pub(super) fn allows_anybody(policy: &[u8]) -> bool {
    statements_on_anybody(policy).is_some_and(|statements| {
        statements.iter().any(|statement| statement.get("Effect").and_then(Value::as_str) == Some("Allow"))
    })
}

/// Whether the primary can be asked on behalf of anybody. Not where the policy goes by what it sees of the proxy, which asks, and not of the client, such
/// as its address: what it grants the proxy's own it would not grant to anybody. `secure`: the client came over TLS.
pub(super) fn can_be_asked(policy: &[u8], secure: bool) -> bool {
    let Some(statements) = statements_on_anybody(policy) else { return false };
    let alike = |key: &str| {
        let key = key.to_ascii_lowercase();
        ALIKE.contains(&key.as_str())
            || ALIKE_BEGINNINGS.iter().any(|beginning| key.starts_with(beginning))
            || (secure && key == SECURE_TRANSPORT)
    };
    statements.iter().all(|statement| {
        let variables = statement.to_string().contains(VARIABLE);
        let operators = statement.get("Condition").and_then(Value::as_object);
        let mut keys =
            operators.into_iter().flat_map(|all| all.values()).filter_map(Value::as_object).flat_map(|of| of.keys());
        !variables && keys.all(|key| alike(key))
    })
}

/// The statements that anybody could come under; `None`: it is no policy.
fn statements_on_anybody(policy: &[u8]) -> Option<Vec<Value>> {
    let policy: Value = serde_json::from_slice(policy).ok()?;
    let on_anybody = |statement: &&Value| {
        statement.get("NotPrincipal").is_some() || statement.get("Principal").is_some_and(is_anybody)
    };
    Some(each(policy.get("Statement")?).into_iter().filter(on_anybody).cloned().collect())
}

/// `"*"`, `{"AWS": "*"}` or `{"AWS": ["*", ...]}`.
fn is_anybody(principal: &Value) -> bool {
    let star = |name: &Value| name.as_str() == Some("*");
    match principal {
        Value::Object(kinds) => kinds.values().flat_map(each).any(star),
        name => star(name),
    }
}

/// What policies write as one thing or as a list of them.
fn each(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(all) => all.iter().collect(),
        one => vec![one],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(statements: &[&str]) -> Vec<u8> {
        format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, statements.join(",")).into_bytes()
    }

    #[test]
    fn a_policy_makes_public_what_it_allows_anybody() {
        let statement = |effect: &str, principal: &str| format!(r#"{{"Effect":"{effect}",{principal}}}"#);
        for (statement, public) in [
            (statement("Allow", r#""Principal":"*""#), true),
            (statement("Allow", r#""Principal":{"AWS":"*"}"#), true),
            (statement("Allow", r#""Principal":{"AWS":["arn:aws:iam::1:user/a","*"]}"#), true),
            (statement("Allow", r#""NotPrincipal":{"AWS":"arn:aws:iam::1:user/a"}"#), true),
            (statement("Allow", r#""Principal":{"AWS":"arn:aws:iam::1:user/*"}"#), false),
            (statement("Deny", r#""Principal":"*""#), false),
        ] {
            assert_eq!(allows_anybody(&policy(&["{}", &statement])), public, "{statement}");
            assert_eq!(allows_anybody(format!(r#"{{"Statement":{statement}}}"#).as_bytes()), public, "{statement}");
        }
        for other in ["", "[]", "{}", "no JSON"] {
            assert!(!allows_anybody(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn the_primary_is_not_asked_where_it_would_judge_the_proxy_and_not_the_client() {
        let on = |principal: &str, condition: &str| {
            format!(r#"{{"Effect":"Allow","Principal":{principal},"Condition":{condition}}}"#)
        };
        for (condition, insecure, secure) in [
            ("{}", true, true),
            (r#"{"StringEquals":{"s3:prefix":"a/"},"StringLike":{"aws:Referer":"https://a/*"}}"#, true, true),
            (r#"{"StringEquals":{"s3:ExistingObjectTag/public":"yes"}}"#, true, true),
            (r#"{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}"#, false, false),
            (r#"{"NotIpAddress":{"AWS:sourceip":["10.0.0.0/8"]}}"#, false, false),
            (r#"{"StringEquals":{"aws:SourceVpce":"vpce-1"}}"#, false, false),
            (r#"{"Bool":{"aws:SecureTransport":"true"}}"#, false, true),
            (r#"{"NumericLessThan":{"s3:max-keys":"10"}}"#, false, false),
            (r#"{"StringLike":{"s3:prefix":"${aws:userid}/*"}}"#, false, false),
            (r#"{"Odd":{"odd:key":"1"}}"#, false, false),
        ] {
            let statement = on("\"*\"", condition);
            assert_eq!(can_be_asked(&policy(&[&statement]), false), insecure, "{condition}");
            assert_eq!(can_be_asked(&policy(&["{}", &statement]), true), secure, "{condition} over TLS");
            let named = on(r#"{"AWS":"arn:aws:iam::1:user/a"}"#, condition);
            assert!(can_be_asked(&policy(&[&named]), false), "{condition}: of somebody else");
        }
        assert!(!can_be_asked(b"no policy", true));
    }
}
