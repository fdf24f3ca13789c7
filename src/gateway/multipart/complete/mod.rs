//! CompleteMultipartUpload: the footer is made and sent, and the object appears at every site.
//!
//! A client that never saw the answer asks again. It gets the same one: from memory for a while, and where the proxy was restarted or the
//! primary's answer was lost, from the object itself, which carries the upload's own object id.
mod asked;
mod finish;
mod plan;
mod recover;

use super::desk::Answer;
use crate::gateway::Gateway;
use crate::gateway::address::address_of;
use crate::gateway::customer::Brought;
use crate::gateway::request;
use asked::Asked;
use s3s::dto::{CompleteMultipartUploadInput, CompleteMultipartUploadOutput};
use s3s::{S3Error, S3Request, S3Response, S3Result};
use std::sync::Arc;

pub(in crate::gateway) async fn complete_multipart_upload(
    gateway: &Arc<Gateway>,
    req: S3Request<CompleteMultipartUploadInput>,
) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
    let at = request::object_of(&request::permit(&req)?)?;
    let context = request::context(&req);
    let brought = Brought::of(&req.headers, context.as_ref())?;
    let address = address_of(&req.uri, &req.headers, context.as_ref(), &at);
    let asked = Asked { brought, ..Asked::from_input(&at, req.input)? };
    let task = {
        let gateway = Arc::clone(gateway);
        // To its end, even when the client has gone away: sites and state must agree.
        tokio::spawn(async move { finish::complete(&gateway, &asked, context.as_ref()).await })
    };
    let answer: Answer = task.await.map_err(S3Error::internal_error)??;
    Ok(S3Response::new(answer.output(&at, address)))
}
