//! Who may do what, as `s3s` asks it: secrets for signature checks, and one decision per request.
//!
//! [`Access::check`] runs after the signature was verified and before the operation reads its input. It leaves a
//! [`Permit`] in the request's extensions; operations take it with [`request::permit`] and cannot go on without one.
use super::Gateway;
use super::anonymous::{self, Visit};
use super::form::Recorder;
use super::publish;
use super::request;
use super::support;
use super::terms::{check_transport, is_secure};
use crate::audit::RequestContext;
use crate::authz::{Authorizer, Permit};
use crate::identity::{Credentials, Principal};
use crate::policy::LiveRules;
use crate::s3::{BucketName, NameError, ObjectKey, Operation};
use percent_encoding::percent_decode_str;
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::{S3Auth, SecretKey};
use s3s::dto::PostObjectInput;
use s3s::{S3Error, S3ErrorCode, S3Request, S3Result};
use std::sync::Arc;

const SECURITY_TOKEN: &str = "x-amz-security-token";
const ENCRYPTION: &str = "x-amz-server-side-encryption";
const COPY_SOURCE: &str = "x-amz-copy-source";
/// `s3s`'s name for a form upload; it is a PutObject whose key stands in the form.
const POST_OBJECT: &str = "PostObject";

/// The signature of this request was verified before, and has been taken out since.
#[derive(Clone)]
pub(super) struct Verified {
    /// Whose it was; `None`: there was none.
    pub(super) access_key_id: Option<String>,
}

/// Secrets for signature checks.
pub(super) struct Auth(pub(super) Arc<Credentials>);

/// What a decision is about.
pub(super) struct Asking<'a> {
    pub(super) operation: Operation,
    pub(super) bucket: Option<&'a str>,
    pub(super) key: Option<&'a str>,
    /// Whose signature was verified.
    pub(super) access_key_id: Option<&'a str>,
    /// Nobody's was, and the primary would let anybody do this.
    pub(super) anybody: bool,
    pub(super) headers: &'a http::HeaderMap,
    pub(super) query: &'a str,
    pub(super) context: Option<&'a RequestContext>,
}

/// One decision per request.
#[derive(Clone)]
pub(super) struct Access {
    pub(super) credentials: Arc<Credentials>,
    pub(super) authorizer: Arc<Authorizer>,
    pub(super) rules: Arc<LiveRules>,
    /// Whose primary is asked what anybody may do, and who remembers what is made public; `None`: nobody is, and nothing.
    pub(super) gateway: Option<Arc<Gateway>>,
}

// === impl Auth ===

#[async_trait::async_trait]
impl S3Auth for Auth {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        let secret = self.0.secret(access_key).ok_or_else(|| S3Error::new(S3ErrorCode::InvalidAccessKeyId))?;
        Ok(SecretKey::from(secret.expose()))
    }
}

// === impl Access ===

#[async_trait::async_trait]
impl S3Access for Access {
    async fn check(&self, cx: &mut S3AccessContext<'_>) -> S3Result<()> {
        let context = cx.extensions_mut().get::<RequestContext>().cloned();
        let verified = cx.extensions_mut().remove::<Verified>().and_then(|verified| verified.access_key_id);
        let access_key_id = cx.credentials().map(|credentials| credentials.access_key.clone()).or(verified);
        let is_form = cx.s3_op().name() == POST_OBJECT;
        if is_form
            && access_key_id.is_none()
            && let Some(form) = cx.extensions_mut().get::<Recorder>().cloned()
            && form.lacks_its_signature().await
        {
            return Err(unsigned_form());
        }
        let (operation, bucket) = (operation_of(cx), cx.s3_path().get_bucket_name());
        let query = cx.uri().query().unwrap_or_default();
        let (key, headers, secure) = (cx.s3_path().get_object_key(), cx.headers(), is_secure(context.as_ref()));
        let visit = Visit { operation, bucket, key, query, row: None, headers, secure };
        let anybody = match (&access_key_id, &self.gateway) {
            (None, Some(gateway)) if is_form => anonymous::may_admit_form(gateway, bucket).await?,
            (None, _) => self.admits_anybody(&visit).await?,
            _ => false,
        };
        let permit = self.decide(cx, access_key_id.as_deref(), anybody, context.as_ref())?;
        if let Some(gateway) = &self.gateway {
            publish::remember(gateway, &permit, cx.headers(), b"").await?;
        }
        cx.extensions_mut().insert(permit);
        Ok(())
    }

    /// A form names its key only in its body: the permit for the bucket is narrowed to the object.
    async fn post_object(&self, req: &mut S3Request<PostObjectInput>) -> S3Result<()> {
        let key = ObjectKey::parse(&req.input.key).map_err(|error| name_error(&error))?;
        let of_bucket = request::permit(req)?;
        let narrowed =
            self.authorizer.permit(of_bucket.principal(), Operation::PutObject, of_bucket.bucket(), Some(&key));
        let narrowed = narrowed.map_err(|_| denied())?;
        let secure = is_secure(req.extensions.get::<RequestContext>());
        if of_bucket.principal().is_anonymous() {
            let (bucket, key) = (of_bucket.bucket().map(BucketName::as_str), Some(key.as_str()));
            let (operation, headers) = (Operation::PutObject, &req.headers);
            if !self.admits_anybody(&Visit { operation, bucket, key, query: "", row: None, headers, secure }).await? {
                return Err(denied());
            }
        }
        check_transport(&self.rules, secure, of_bucket.bucket(), Some(&key))?;
        if let Some(context) = req.extensions.get::<RequestContext>() {
            context.with(|facts| facts.key = Some(key.as_str().to_owned()));
        }
        req.extensions.insert(narrowed);
        Ok(())
    }
}

impl Access {
    /// Whether the primary lets anybody do this, and is asked about it.
    pub(super) async fn admits_anybody(&self, visit: &Visit<'_>) -> S3Result<bool> {
        match &self.gateway {
            Some(gateway) => anonymous::admits(gateway, visit).await,
            None => Ok(false),
        }
    }

    fn decide(
        &self,
        cx: &S3AccessContext<'_>,
        access_key_id: Option<&str>,
        anybody: bool,
        context: Option<&RequestContext>,
    ) -> S3Result<Permit> {
        let operation = operation_of(cx);
        let permit = self.admit(&Asking {
            operation,
            bucket: cx.s3_path().get_bucket_name(),
            key: cx.s3_path().get_object_key(),
            access_key_id,
            anybody,
            headers: cx.headers(),
            query: cx.uri().query().unwrap_or_default(),
            context,
        })?;
        self.refuse_hidden_source(cx)?;
        refuse_unserved(operation, cx.s3_op().name(), cx.uri().query())?;
        refuse_header(cx.headers())?;
        if permit.principal().is_anonymous() && anonymous::asks_for_more(cx.headers()) {
            return Err(denied());
        }
        refuse_encryption_of_reads(operation, cx.headers())?;
        Ok(permit)
    }

    /// The decision itself, before anything is said about what exists or is served there.
    pub(super) fn admit(&self, asking: &Asking<'_>) -> S3Result<Permit> {
        let principal = asking
            .access_key_id
            .map(|id| self.credentials.principal(id).ok_or_else(|| S3Error::new(S3ErrorCode::InvalidAccessKeyId)));
        let principal = principal.transpose()?;
        if let Some(context) = asking.context {
            context.with(|facts| {
                facts.operation = asking.operation;
                facts.bucket = asking.bucket.map(str::to_owned);
                facts.key = asking.key.map(str::to_owned);
                facts.principal = principal.as_ref().map(|p| p.name.to_string());
                facts.access_key_id = principal.as_ref().map(|p| p.access_key_id.to_string());
            });
        }
        let principal = principal.or_else(|| asking.anybody.then(Principal::anonymous)).ok_or_else(denied)?;
        refuse_session_token(asking)?;
        let bucket = asking.bucket.map(BucketName::parse).transpose().map_err(|error| name_error(&error))?;
        let key = asking.key.map(ObjectKey::parse).transpose().map_err(|error| name_error(&error))?;
        let permit = self.authorizer.permit(&principal, asking.operation, bucket.as_ref(), key.as_ref());
        let permit = permit.map_err(|_| denied())?;
        check_transport(&self.rules, is_secure(asking.context), bucket.as_ref(), key.as_ref())?;
        Ok(permit)
    }

    /// A copy reads its source, so what is hidden cannot be one.
    fn refuse_hidden_source(&self, cx: &S3AccessContext<'_>) -> S3Result<()> {
        let Some(source) = cx.headers().get(COPY_SOURCE) else { return Ok(()) };
        let source = String::from_utf8_lossy(source.as_bytes());
        let source = percent_decode_str(&source).decode_utf8_lossy();
        let bucket = source.trim_start_matches('/').split(['/', '?']).next();
        if bucket == Some(self.authorizer.system_bucket().as_str()) { Err(denied()) } else { Ok(()) }
    }
}

fn operation_of(cx: &S3AccessContext<'_>) -> Operation {
    let name = cx.s3_op().name();
    if name == POST_OBJECT { Operation::PutObject } else { Operation::from_name(name) }
}

fn unsigned_form() -> S3Error {
    let message =
        "Bucket POST must contain a field named 'Signature'. If it is specified, please check the order of the fields.";
    S3Error::with_message(S3ErrorCode::InvalidArgument, message)
}

fn denied() -> S3Error {
    S3Error::new(S3ErrorCode::AccessDenied)
}

fn name_error(error: &NameError) -> S3Error {
    match error {
        NameError::Bucket => S3Error::new(S3ErrorCode::InvalidBucketName),
        NameError::KeyTooLong => S3Error::new(S3ErrorCode::KeyTooLongError),
        NameError::EmptyKey => S3Error::with_message(S3ErrorCode::InvalidArgument, "The object key is empty."),
    }
}

/// `s3s` does not look at session tokens. Long-term credentials have none, so a token that comes along is wrong.
fn refuse_session_token(asking: &Asking<'_>) -> S3Result<()> {
    let in_query = parameters(asking.query).any(|name| name.eq_ignore_ascii_case(SECURITY_TOKEN));
    if in_query || asking.headers.contains_key(SECURITY_TOKEN) {
        return Err(wrong_token());
    }
    Ok(())
}

fn wrong_token() -> S3Error {
    let message = "The provided token is malformed or otherwise invalid: this access key has no session tokens.";
    S3Error::with_message(S3ErrorCode::InvalidToken, message)
}

/// What a request's headers are refused for, of a form's fields.
pub(super) fn refuse_fields(fields: &http::HeaderMap) -> S3Result<()> {
    if fields.contains_key(SECURITY_TOKEN) {
        return Err(wrong_token());
    }
    refuse_header(fields)
}

fn refuse_unserved(operation: Operation, name: &str, query: Option<&str>) -> S3Result<()> {
    let what = if operation == Operation::Other {
        match support::why_refused(name) {
            Some(why) => return Err(not_served(&format!("{name} is not implemented by Strongroom: {why}."))),
            None => name.to_owned(),
        }
    } else {
        let own = match operation {
            Operation::ListObjectVersions => "versions",
            Operation::GetObjectAttributes => "attributes",
            _ => "",
        };
        match parameters(query.unwrap_or_default()).find(|name| support::is_sub_resource(name) && name != own) {
            Some(sub) => format!("The sub-resource {sub}"),
            None => return Ok(()),
        }
    };
    Err(not_served(&format!("{what} is not implemented by Strongroom.")))
}

fn refuse_header(headers: &http::HeaderMap) -> S3Result<()> {
    match support::refused_header(headers) {
        Some(name) => Err(not_served(&format!("The header {name} is not implemented by Strongroom."))),
        None => Ok(()),
    }
}

/// S3 tells on reads how an object is encrypted, and is not asked.
fn refuse_encryption_of_reads(operation: Operation, headers: &http::HeaderMap) -> S3Result<()> {
    let reads = matches!(operation, Operation::GetObject | Operation::HeadObject);
    if reads && headers.contains_key(ENCRYPTION) {
        let message = format!("{ENCRYPTION} header is not supported for this operation.");
        return Err(S3Error::with_message(S3ErrorCode::InvalidArgument, message));
    }
    Ok(())
}

fn not_served(message: &str) -> S3Error {
    S3Error::with_message(S3ErrorCode::NotImplemented, message.to_owned())
}

/// Names of a query's parameters, decoded.
pub(super) fn parameters(query: &str) -> impl Iterator<Item = std::borrow::Cow<'_, str>> {
    query.split('&').map(|parameter| {
        let name = parameter.split_once('=').map_or(parameter, |(name, _)| name);
        percent_decode_str(name).decode_utf8_lossy()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(result: S3Result<()>) -> Option<S3ErrorCode> {
        result.err().map(|error| error.code().clone())
    }

    #[test]
    fn a_sub_resource_never_falls_through_to_the_plain_operation() {
        for query in ["policy", "acl=", "x=1&tagging", "%61cl", "versions&prefix=a"] {
            let refused = refuse_unserved(Operation::GetObject, "GetObject", Some(query));
            assert_eq!(code(refused), Some(S3ErrorCode::NotImplemented), "{query}");
        }
        for query in ["", "versionId=1", "partNumber=1&uploadId=x", "prefix=acl", "x-custom=policy", "list-type=2"] {
            assert_eq!(code(refuse_unserved(Operation::GetObject, "GetObject", Some(query))), None, "{query}");
        }
    }

    #[test]
    fn a_read_does_not_ask_for_encryption() {
        let asks = [(http::HeaderName::from_static(ENCRYPTION), http::HeaderValue::from_static("AES256"))];
        let headers = asks.into_iter().collect();
        for (operation, refused) in
            [(Operation::GetObject, true), (Operation::HeadObject, true), (Operation::PutObject, false)]
        {
            assert_eq!(refuse_encryption_of_reads(operation, &headers).is_err(), refused, "{operation:?}");
        }
    }

    #[test]
    fn an_operation_we_do_not_serve_is_named() {
        let refused = refuse_unserved(Operation::Other, "SelectObjectContent", None).err();
        assert!(refused.and_then(|e| e.message().map(|m| m.contains("SelectObjectContent"))).unwrap_or_default());
    }
}
