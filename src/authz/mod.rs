//! May they: a [`Principal`] and an action become a [`Permit`], whose constructor is private.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn principal() -> Principal {
        Principal { access_key_id: "AK".into(), name: "erp".into() }
    }

    fn bucket(name: &str) -> BucketName {
        BucketName::parse(name).expect("a test's bucket")
    }

    #[test]
    fn the_system_bucket_is_denied_for_every_operation() {
        let authorizer = Authorizer::new(bucket("strongroom-system"));
        let key = ObjectKey::parse("keyring").expect("a test's key");
        for &operation in Operation::ALL {
            for key in [None, Some(&key)] {
                let answer = authorizer.permit(&principal(), operation, Some(&bucket("strongroom-system")), key);
                assert!(matches!(answer, Err(Denied)), "{operation:?}");
            }
        }
    }

    #[test]
    fn a_bucket_whose_name_only_starts_alike_is_not_the_system_bucket() {
        let authorizer = Authorizer::new(bucket("strongroom-system"));
        let other = bucket("strongroom-system2");
        assert!(authorizer.permit(&principal(), Operation::GetObject, Some(&other), None).is_ok());
    }

    #[test]
    fn a_permit_carries_exactly_what_was_asked() {
        let authorizer = Authorizer::new(bucket("strongroom-system"));
        let (docs, key) = (bucket("docs"), ObjectKey::parse("a/b").expect("a test's key"));
        let permit = authorizer.permit(&principal(), Operation::PutObject, Some(&docs), Some(&key));
        let permit = permit.expect("an ordinary bucket is permitted");
        assert_eq!(permit.principal(), &principal());
        assert_eq!(permit.operation(), Operation::PutObject);
        assert_eq!((permit.bucket(), permit.key()), (Some(&docs), Some(&key)));
        let permit = authorizer.permit(&principal(), Operation::ListBuckets, None, None);
        assert!(permit.is_ok_and(|p| p.bucket().is_none() && p.key().is_none()));
    }
}
