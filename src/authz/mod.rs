//! May they: a [`Principal`] and an action become a [`Permit`], whose constructor is private. CONTRACT SKELETON.
use crate::identity::Principal;
use crate::s3::{BucketName, ObjectKey, Operation};

/// Proof that this principal may do this to that. Nothing downstream of `authz` runs without one.
#[derive(Clone, Debug)]
pub struct Permit {
    principal: Principal,
    operation: Operation,
    bucket: Option<BucketName>,
    key: Option<ObjectKey>,
}

/// Refused: 403 AccessDenied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("access denied")]
pub struct Denied;

/// Decides. For now every known credential may do everything but touch the system bucket.
pub struct Authorizer {
    system_bucket: BucketName,
}

impl Authorizer {
    /// Protects `system_bucket` from clients.
    pub fn new(system_bucket: BucketName) -> Self {
        Self { system_bucket }
    }

    /// One decision.
    pub fn permit(
        &self,
        principal: &Principal,
        operation: Operation,
        bucket: Option<&BucketName>,
        key: Option<&ObjectKey>,
    ) -> Result<Permit, Denied> {
        if bucket == Some(&self.system_bucket) {
            return Err(Denied);
        }
        Ok(Permit { principal: principal.clone(), operation, bucket: bucket.cloned(), key: key.cloned() })
    }

    /// The bucket hidden from clients.
    pub fn system_bucket(&self) -> &BucketName {
        &self.system_bucket
    }
}

impl Permit {
    /// Who.
    pub fn principal(&self) -> &Principal {
        &self.principal
    }
    /// What.
    pub fn operation(&self) -> Operation {
        self.operation
    }
    /// Where.
    pub fn bucket(&self) -> Option<&BucketName> {
        self.bucket.as_ref()
    }
    /// On which object.
    pub fn key(&self) -> Option<&ObjectKey> {
        self.key.as_ref()
    }
}
