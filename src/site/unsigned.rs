//! What a site lets anybody do: it is asked without a signature, and its answer counts, not what it says.
use super::error::{SiteError, element};
use super::lean::Plan;
use super::object::Location;
use super::path;
use super::sign::UNSIGNED;
use super::site::{Inner, Site};
use super::stream::whole_body;
use crate::s3::{BucketName, ObjectKey};
use bytes::Bytes;
use http::{Method, StatusCode};

/// Of an answer to a question of this kind.
type Answer = http::Response<hyper::body::Incoming>;

impl Site {
    /// Whether the site answers this read to somebody who signs nothing. That there is no such thing is an answer, too.
    ///
    /// # Errors
    /// When it does not say.
    pub async fn lets_anybody_read(
        &self,
        method: Method,
        bucket: &BucketName,
        key: Option<&ObjectKey>,
        query: &[(String, String)],
    ) -> Result<bool, SiteError> {
        let inner = &self.inner;
        let path = path::path_of(&inner.bucket_prefix, bucket, key);
        let asked = async {
            let response = inner.ask_unsigned(&plan(method, path, path::query(query)), None).await?;
            inner.verdict(response).await.map(|granted| granted.is_some())
        };
        inner.watched("unsigned", asked).await
    }

    /// Whether the site takes this object from somebody who signs nothing: it is asked to begin an upload, which is ended at once.
    ///
    /// # Errors
    /// When it does not say.
    pub async fn lets_anybody_write(&self, at: &Location) -> Result<bool, SiteError> {
        let inner = &self.inner;
        let path = path::object_path(&inner.bucket_prefix, at);
        let asked = async {
            let query = path::query(&[("uploads".to_owned(), String::new())]);
            let response = inner.ask_unsigned(&plan(Method::POST, path, query), Some(Bytes::new())).await?;
            let Some(response) = inner.verdict(response).await? else { return Ok(None) };
            // That there is no such bucket is for the write itself to say.
            if !response.status().is_success() {
                return Ok(Some(None));
            }
            let answer = whole_body(inner, response.into_body()).await?;
            Ok(Some(element(&String::from_utf8_lossy(&answer), "UploadId")))
        };
        let upload = match inner.watched("unsigned", asked).await? {
            None => return Ok(false),
            Some(None) => return Ok(true),
            Some(Some(upload)) => upload,
        };
        if let Err(error) = self.abort_multipart(at, &upload).await {
            tracing::warn!(site = %self.name(), bucket = %at.bucket, %error, "a site may keep an upload without parts, begun only to ask whether anybody may write there");
        }
        Ok(true)
    }
}

impl Inner {
    /// `None`: it refused. An outage is no answer.
    async fn verdict(&self, response: Answer) -> Result<Option<Answer>, SiteError> {
        match response.status() {
            // What is not there, or is deleted in the version that was named, is told to those who may know.
            status
                if status.is_success() || matches!(status, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED) =>
            {
                Ok(Some(response))
            }
            status if status.is_server_error() => Err(self.refusal(response).await),
            _ => Ok(None),
        }
    }
}

fn plan(method: Method, path: String, query: String) -> Plan<'static> {
    Plan { method, path, query, before: &[], after: &[], payload: UNSIGNED }
}
