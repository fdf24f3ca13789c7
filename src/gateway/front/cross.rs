//! Requests of pages from another origin: a browser's preflight is answered here, and a real answer gets the headers that let the
//! page see it.
use super::errors;
use super::screen::Target;
use crate::audit::RequestContext;
use crate::gateway::Gateway;
use crate::gateway::cors::{self, Crossing};
use crate::s3::Operation;
use http::Method;
use http::request::Parts;
use s3s::{Body, HttpResponse};
use std::sync::Arc;

/// What a request is, as a browser would send it for a page.
pub(super) struct Page {
    gateway: Option<Arc<Gateway>>,
    preflight: bool,
    crossing: Option<Crossing>,
}

// === impl Page ===

impl Page {
    pub(super) fn of(gateway: Option<&Arc<Gateway>>, head: &Parts, target: &Target) -> Self {
        Self {
            gateway: gateway.cloned(),
            preflight: head.method == Method::OPTIONS,
            crossing: Crossing::of(&head.method, &head.headers, target.bucket.as_deref()),
        }
    }

    /// Nothing else is asked with `OPTIONS`.
    pub(super) fn is_preflight(&self) -> bool {
        self.preflight && self.gateway.is_some()
    }

    pub(super) async fn preflight(&self, context: &RequestContext) -> HttpResponse {
        context.with(|facts| facts.operation = Operation::OptionsObject);
        let Some(gateway) = &self.gateway else { return HttpResponse::new(Body::empty()) };
        match cors::preflight(gateway, self.crossing.clone()).await {
            Ok(headers) => {
                let mut response = HttpResponse::new(Body::empty());
                *response.headers_mut() = headers;
                response
            }
            Err(refusal) => errors::response(refusal),
        }
    }

    /// A real answer, with what the bucket's rules grant the page.
    pub(super) async fn allowed(&self, mut response: HttpResponse) -> HttpResponse {
        if let (false, Some(gateway), Some(crossing)) = (self.preflight, &self.gateway, &self.crossing) {
            response.headers_mut().extend(crossing.granted(gateway).await);
        }
        response
    }
}
