//! PROVISIONAL.
use super::{Gateway, Service};
use crate::authz::Permit;
use crate::identity::Credentials;
use crate::s3::{BucketName, ObjectKey, Operation};
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::{S3Auth, SecretKey};
use s3s::{S3Error, S3ErrorCode, S3Result};
use std::sync::Arc;

struct Auth(Arc<Credentials>);
struct Access(Arc<Gateway>);

#[async_trait::async_trait]
impl S3Auth for Auth {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        self.0
            .secret(access_key)
            .map(|s| SecretKey::from(s.expose()))
            .ok_or_else(|| S3Error::new(S3ErrorCode::InvalidAccessKeyId))
    }
}

#[async_trait::async_trait]
impl S3Access for Access {
    async fn check(&self, cx: &mut S3AccessContext<'_>) -> S3Result<()> {
        let denied = || S3Error::new(S3ErrorCode::AccessDenied);
        let principal =
            cx.credentials().and_then(|c| self.0.credentials.principal(&c.access_key)).ok_or_else(denied)?;
        let operation = Operation::from_name(cx.s3_op().name());
        if operation == Operation::Other {
            return Err(S3Error::new(S3ErrorCode::NotImplemented));
        }
        let bucket = match cx.s3_path() {
            s3s::path::S3Path::Root => None,
            s3s::path::S3Path::Bucket { bucket } => Some(&**bucket),
            s3s::path::S3Path::Object { bucket, .. } => Some(&**bucket),
        };
        let bucket =
            bucket.map(BucketName::parse).transpose().map_err(|_| S3Error::new(S3ErrorCode::InvalidBucketName))?;
        let key = cx
            .s3_path()
            .as_object()
            .map(|(_, k)| ObjectKey::parse(k))
            .transpose()
            .map_err(|_| S3Error::new(S3ErrorCode::KeyTooLongError))?;
        let permit: Permit =
            self.0.authorizer.permit(&principal, operation, bucket.as_ref(), key.as_ref()).map_err(|_| denied())?;
        cx.extensions_mut().insert(permit);
        Ok(())
    }
}

/// The service.
pub fn service(gateway: &Arc<Gateway>) -> s3s::service::S3Service {
    let mut b = s3s::service::S3ServiceBuilder::new(Service(gateway.clone()));
    b.set_auth(Auth(gateway.credentials.clone()));
    b.set_access(Access(gateway.clone()));
    b.build()
}
