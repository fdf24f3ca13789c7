//! What a site lets anybody do: it is asked without a signature, and its answer counts, not what it says.
use super::error::{SiteError, element};
use super::forward::Forward;
use super::lean::Plan;
use super::object::Location;
use super::path;
use super::sign::{Header, UNSIGNED};
use super::site::{Inner, Site};
use super::stream::whole_body;
use crate::s3::{BucketName, ObjectKey};
use bytes::Bytes;
use http::{Method, StatusCode};

/// The first byte: whether there is more to be had is not asked.
const BYTE: Header<'static> = ("range", "bytes=0-0");

type Answer = http::Response<hyper::body::Incoming>;

impl Site {
    /// Whether the site serves this GET to somebody who signs nothing and says this of themselves (sorted, all behind `range`). Of an object no more than a
    /// byte is asked for.
    ///
    /// # Errors
    /// When it does not say. That there is no such thing is an error, too, for the client to be told: a site may say so of what it does not let
    /// them see.
    pub async fn lets_anybody_read(
        &self,
        bucket: &BucketName,
        key: Option<&ObjectKey>,
        query: &[(String, String)],
        client: &[Header<'_>],
    ) -> Result<bool, SiteError> {
        let inner = &self.inner;
        let path = path::path_of(&inner.bucket_prefix, bucket, key);
        let before: Vec<_> = key.map(|_| BYTE).into_iter().chain(client.iter().copied()).collect();
        let plan = Plan { before: &before, ..plan(Method::GET, path, path::query(query)) };
        let asked = async { Ok(inner.granted(inner.ask_unsigned(&plan, None).await?).await?.is_some()) };
        inner.watched("unsigned", asked).await
    }

    /// Whether the site takes this object from somebody who signs nothing: it is asked to begin an upload, which is ended at once.
    ///
    /// # Errors
    /// As [`Site::lets_anybody_read`].
    pub async fn lets_anybody_write(&self, at: &Location, client: &[Header<'_>]) -> Result<bool, SiteError> {
        let inner = &self.inner;
        let query = path::query(&[("uploads".to_owned(), String::new())]);
        let plan = Plan { before: client, ..plan(Method::POST, path::object_path(&inner.bucket_prefix, at), query) };
        let asked = async {
            let Some(begun) = inner.granted(inner.ask_unsigned(&plan, Some(Bytes::new())).await?).await? else {
                return Ok(None);
            };
            let answer = whole_body(inner, begun.into_body()).await?;
            let upload = element(&String::from_utf8_lossy(&answer), "UploadId");
            upload.map(Some).ok_or_else(|| inner.nonsense("an upload was begun that has no id"))
        };
        let Some(upload) = inner.watched("unsigned", asked).await? else { return Ok(false) };
        if let Err(error) = self.abort_multipart(at, &upload).await {
            tracing::warn!(
                site = %self.name(), bucket = %at.bucket, %error,
                "a site may keep an upload without parts, begun only to ask whether anybody may write there"
            );
        }
        Ok(true)
    }
}

impl Site {
    /// The policy of a bucket, as the proxy sees it; `None`: it has none, or the site knows no policies.
    ///
    /// # Errors
    /// When the site does not say, 403 included.
    pub async fn bucket_policy(&self, bucket: &BucketName) -> Result<Option<Bytes>, SiteError> {
        let question = Forward::question(bucket, None, vec![("policy".to_owned(), String::new())]);
        match self.forward(&question).await {
            Ok(answer) => Ok(Some(answer.body)),
            Err(SiteError::S3 { status: 404 | 405 | 501, .. } | SiteError::Unsupported { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl Inner {
    /// The answer, where it grants what was asked for; `None`: it refuses.
    async fn granted(&self, response: Answer) -> Result<Option<Answer>, SiteError> {
        match response.status() {
            // An empty object has no first byte.
            status if status.is_success() || status == StatusCode::RANGE_NOT_SATISFIABLE => Ok(Some(response)),
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => Err(self.refusal(response).await),
            status if status.is_server_error() => Err(self.refusal(response).await),
            _ => Ok(None),
        }
    }
}

fn plan(method: Method, path: String, query: String) -> Plan<'static> {
    Plan { method, path, query, before: &[], after: &[], payload: UNSIGNED }
}
