//! An object as clients read it: sealed, or as somebody else put it into storage where a rule lets that be served.
use crate::s3::{PlainETag, PlainLen, Suite};
use crate::seal::{ContentInfo, CustomerKey, CustomerKeyFault, OpenObject, SealError, VaultKeyRef};
use crate::site::GotObject;

/// Either kind. What only a sealed object can tell is an `Option`.
#[expect(clippy::large_enum_variant, reason = "almost every one is sealed: a box would be an allocation a read")]
pub enum Readable {
    /// Sealed by us, authenticated.
    Sealed(OpenObject),
    /// Plain in storage: nothing about it is authenticated.
    Unsealed(Unsealed),
}

/// What a site says of an object that is not sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsealed {
    /// Its length.
    pub(super) length: PlainLen,
    /// The site's ETag, which is the client's too.
    pub(super) etag: PlainETag,
    /// The MD5 of its bytes, where the ETag is one.
    pub(super) md5: Option<[u8; 16]>,
}

/// How the site keeps an object encrypted
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html>: only without KMS and customers' keys is an ETag an MD5).
const ENCRYPTION: &str = "x-amz-server-side-encryption";
const CUSTOMER_KEY: &str = "x-amz-server-side-encryption-customer-algorithm";

// === impl Readable ===

impl Readable {
    /// The sealed object.
    pub fn sealed(&self) -> Option<&OpenObject> {
        match self {
            Self::Sealed(object) => Some(object),
            Self::Unsealed(_) => None,
        }
    }

    /// Plain length.
    pub fn plain_len(&self) -> PlainLen {
        match self {
            Self::Sealed(object) => object.plain_len(),
            Self::Unsealed(object) => object.length,
        }
    }

    /// The ETag the client sees.
    pub fn etag(&self) -> PlainETag {
        match self {
            Self::Sealed(object) => object.etag(),
            Self::Unsealed(object) => object.etag.clone(),
        }
    }

    /// How many parts it was uploaded in, as far as that is known; 1 for a plain PUT.
    pub fn part_count(&self) -> u32 {
        match self {
            Self::Sealed(object) => object.part_count(),
            Self::Unsealed(object) => object.etag.part_count().unwrap_or(1),
        }
    }

    /// Whether it was a multipart upload.
    pub fn is_multipart(&self) -> bool {
        match self {
            Self::Sealed(object) => object.content().multipart,
            Self::Unsealed(object) => object.etag.part_count().is_some(),
        }
    }

    /// What the bytes of a plain object have to hash to: the only thing that can be checked when it is sealed.
    pub fn unsealed_md5(&self) -> Option<[u8; 16]> {
        match self {
            Self::Sealed(_) => None,
            Self::Unsealed(object) => object.md5,
        }
    }

    /// Whether its content opens only with a key of the customer's.
    pub fn has_customer_key(&self) -> bool {
        self.sealed().is_some_and(OpenObject::has_customer_key)
    }

    /// Whether the customer's key that was brought, or none, is the one for this object.
    ///
    /// # Errors
    /// `CustomerKey` when it is not.
    pub fn check_customer_key(&self, brought: Option<&CustomerKey>) -> Result<(), SealError> {
        match self {
            Self::Sealed(object) => object.check_customer_key(brought),
            Self::Unsealed(_) => brought.map_or(Ok(()), |_| Err(CustomerKeyFault::NotUsed.into())),
        }
    }

    /// What the trailer keeps encrypted.
    pub fn content(&self) -> Option<&ContentInfo> {
        self.sealed().map(OpenObject::content)
    }

    /// The suite that it is sealed with.
    pub fn suite(&self) -> Option<Suite> {
        self.sealed().map(OpenObject::suite)
    }

    /// The vault key version.
    pub fn key_ref(&self) -> Option<&VaultKeyRef> {
        self.sealed().map(OpenObject::key_ref)
    }
}

// === impl Unsealed ===

impl Unsealed {
    pub(super) fn of(got: &GotObject) -> Self {
        let etag = PlainETag::of_unsealed(&got.etag);
        let by_kms = got.headers.get(ENCRYPTION).is_some_and(|kind| kind != "AES256");
        let hashed = !by_kms && !got.headers.contains_key(CUSTOMER_KEY);
        Self { length: PlainLen(got.total.0), md5: etag.md5().filter(|_| hashed), etag }
    }
}
