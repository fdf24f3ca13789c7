//! Requests that `s3s` verifies and then hands back: what is passed on to the sites, and what was only to be verified.
use super::screen::Target;
use super::verify;
use crate::audit::RequestContext;
use crate::gateway::Gateway;
use crate::gateway::access::{Access, Asking};
use crate::gateway::anonymous::Visit;
use crate::gateway::passthrough::{self, Row};
use crate::gateway::request;
use crate::gateway::terms::is_secure;
use http::request::Parts;
use http::{HeaderMap, Method, Uri};
use percent_encoding::percent_decode_str;
use s3s::route::S3Route;
use s3s::{Body, S3Error, S3ErrorCode, S3Request, S3Response, S3Result};
use std::sync::Arc;

/// Both kinds.
pub(super) struct Routes {
    /// `None`: nothing is passed on.
    pub(super) gateway: Option<Arc<Gateway>>,
    pub(super) access: Access,
}

/// Marks a request that is passed on, with what it is about.
#[derive(Clone)]
struct Passed {
    row: &'static Row,
    target: Target,
}

/// Marks `head` when it is to be passed on.
pub(super) fn mark(head: &mut Parts, target: &Target) -> bool {
    let Some(row) = row_of(head, target) else { return false };
    head.extensions.insert(Passed { row, target: target.clone() });
    true
}

/// The operation, when the request is one that is passed on.
pub(super) fn row_of(head: &Parts, target: &Target) -> Option<&'static Row> {
    target.bucket.as_ref()?;
    // A name that is no UTF-8 has only been guessed at; `s3s` refuses it.
    percent_decode_str(head.uri.path()).decode_utf8().ok()?;
    passthrough::find(&head.method, target.key.is_some(), head.uri.query()?)
}

#[async_trait::async_trait]
impl S3Route for Routes {
    fn is_match(&self, _: &Method, _: &Uri, _: &HeaderMap, extensions: &mut http::Extensions) -> bool {
        verify::is_marked(extensions) || (self.gateway.is_some() && extensions.get::<Passed>().is_some())
    }

    async fn check_access(&self, req: &mut S3Request<Body>) -> S3Result<()> {
        // The second time decides.
        let Some(Passed { row, target }) = req.extensions.get::<Passed>().cloned() else { return Ok(()) };
        let (operation, query) = (row.operation, req.uri.query().unwrap_or_default());
        let (bucket, key) = (target.bucket.as_deref(), target.key.as_deref());
        let (headers, secure) = (&req.headers, is_secure(req.extensions.get::<RequestContext>()));
        let visit = Visit { operation, bucket, key, query, row: Some(row), headers, secure };
        let anybody = req.credentials.is_none() && self.access.admits_anybody(&visit).await?;
        let permit = self.access.admit(&Asking {
            operation,
            bucket,
            key,
            access_key_id: req.credentials.as_ref().map(|credentials| credentials.access_key.as_str()),
            anybody,
            headers: &req.headers,
            query,
            context: req.extensions.get::<RequestContext>(),
        })?;
        req.extensions.insert(permit);
        Ok(())
    }

    async fn call(&self, req: S3Request<Body>) -> S3Result<S3Response<Body>> {
        match (req.extensions.get::<Passed>().cloned(), &self.gateway) {
            (None, _) => Ok(verify::verified(req)),
            (Some(passed), Some(gateway)) => {
                let permit = request::permit(&req)?;
                passthrough::pass_on(gateway.of(Some(&permit)), passed.row, &permit, req).await
            }
            (Some(_), None) => Err(S3Error::new(S3ErrorCode::NotImplemented)),
        }
    }
}
