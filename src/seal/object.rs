//! One object version's secrets: [`ObjectSealer`] while it is written, [`OpenObject`] when it is read.
use super::aead::{Aead, Fast, TAG};
use super::customer::{self, CustomerCheck, CustomerKey};
use super::derive::{Derived, Expander, INDEX, Identity, METADATA, PART, SALT};
use super::error::{Entropy, SealError, random};
use super::length::{ENTRY, MAX_PARTS, MIN_PART, TRAILER_LEN, message_len, sealed_len};
use super::message::MessageSealer;
use super::metadata::{self, SealedMetadata};
use super::part::{ContentInfo, Fields, PartEntry};
use super::reader::{Layout, SpanReader};
use super::trailer::{self, Clear, ObjectName, Secret};
use super::vault_key::{VaultKey, VaultKeyId, VaultKeyRef, WRAPPED};
use crate::s3::{PlainETag, PlainLen, PlainSpan, SealedLen, Suite};
use crate::secret::SecretBytes;
use std::sync::{Arc, OnceLock};

/// The secrets and identity of one object version being written: made once per PUT or per CreateMultipartUpload. Holds
/// the DEK; no `Debug`. Shared between parts.
pub struct ObjectSealer {
    identity: Identity,
    expander: Arc<Expander>,
    key: VaultKeyRef,
    wrapped: [u8; WRAPPED],
    /// With a customer's key: what is remembered of it.
    customer: Option<CustomerCheck>,
}

/// An authenticated object: its DEK (no `Debug`, zeroised on drop) and its facts.
pub struct OpenObject {
    clear: Clear,
    secret: Secret,
    sealed: SealedLen,
    dek: SecretBytes<32>,
    expander: Arc<Expander>,
    /// The keys of the first message, once a read needed them.
    first: OnceLock<Derived>,
}

/// Version of the wrapped form that the state database keeps.
const WRAPPED_FORM: u8 = 1;
/// The same, followed by what is remembered of a customer's key.
const WRAPPED_FORM_CUSTOMER: u8 = 2;

/// What a wrapped form says.
struct Wrapped {
    identity: Identity,
    key: VaultKeyRef,
    dek: [u8; WRAPPED],
    customer: Option<CustomerCheck>,
}

// === impl ObjectSealer ===

impl ObjectSealer {
    /// A fresh DEK and object id, wrapped under `vault`, and unwrapped again as a check. All of the object is of `suite`.
    ///
    /// # Errors
    /// When there is no randomness or the key is unusable.
    pub fn generate(suite: Suite, vault: &VaultKey, entropy: &dyn Entropy) -> Result<Self, SealError> {
        let dek = SecretBytes::new(random(entropy)?);
        let identity = Identity::new(suite, random(entropy)?);
        Self::wrapped_under(identity, &dek, vault, entropy)
    }

    /// The messages are to be under the DEK and this key of the customer's, where there is one. Called before anything is sealed.
    ///
    /// # Errors
    /// `BadKey` when the key does not go with this object (never, in practice).
    pub fn with_customer_key(self, key: Option<&CustomerKey>) -> Result<Self, SealError> {
        let customer = key.map(|key| key.check(&self.expander, &self.identity)).transpose()?;
        Ok(Self { customer, ..self })
    }

    /// A new sealer for a copy of an existing object whose body is reused: same suite, DEK, object id and customer's key, new wrap under
    /// `vault`.
    ///
    /// # Errors
    /// As [`Self::generate`].
    pub fn rewrap(open: &OpenObject, vault: &VaultKey, entropy: &dyn Entropy) -> Result<Self, SealError> {
        let sealer = Self::wrapped_under(open.clear.identity, &open.dek, vault, entropy)?;
        Ok(Self { customer: open.secret.customer, ..sealer })
    }

    fn wrapped_under(
        identity: Identity,
        dek: &SecretBytes<32>,
        vault: &VaultKey,
        entropy: &dyn Entropy,
    ) -> Result<Self, SealError> {
        let wrapped = vault.wrap(&identity, dek, entropy)?;
        if vault.unwrap(&identity, &wrapped)?.expose() != dek.expose() {
            return Err(SealError::BadKey("a wrapped key did not unwrap to itself"));
        }
        let expander = Arc::new(Expander::new(identity.suite(), dek)?);
        Ok(Self { identity, expander, key: vault.reference.clone(), wrapped, customer: None })
    }

    /// The wrapped form (object id, key reference, wrapped DEK, what is remembered of a customer's key), safe to keep in the state
    /// database.
    pub fn to_wrapped(&self) -> Vec<u8> {
        let name = self.key.id.as_str().as_bytes();
        let mut out = vec![if self.customer.is_some() { WRAPPED_FORM_CUSTOMER } else { WRAPPED_FORM }];
        out.extend_from_slice(self.identity.bytes());
        out.push(name.len() as u8);
        out.extend_from_slice(name);
        out.extend_from_slice(&self.key.version.to_be_bytes());
        out.extend_from_slice(&self.wrapped);
        out.extend(self.customer.iter().flatten());
        out
    }

    /// Which vault key a wrapped form needs.
    ///
    /// # Errors
    /// `Malformed` for anything that [`Self::to_wrapped`] did not make.
    pub fn wrapped_key_ref(wrapped: &[u8]) -> Result<VaultKeyRef, SealError> {
        parse_wrapped(wrapped).map(|wrapped| wrapped.key)
    }

    /// Back from the wrapped form.
    ///
    /// # Errors
    /// `Authentication` under another key.
    pub fn from_wrapped(wrapped: &[u8], vault: &VaultKey) -> Result<Self, SealError> {
        let Wrapped { identity, key, dek: wrapped, customer } = parse_wrapped(wrapped)?;
        let dek = vault.unwrap(&identity, &wrapped)?;
        Ok(Self { identity, expander: Arc::new(Expander::new(identity.suite(), &dek)?), key, wrapped, customer })
    }

    /// The vault key version it is wrapped under.
    pub fn key_ref(&self) -> &VaultKeyRef {
        &self.key
    }

    /// The suite that everything of it is sealed with.
    pub fn suite(&self) -> Suite {
        self.identity.suite()
    }

    /// The 16-byte object id.
    pub fn object_id(&self) -> [u8; 16] {
        self.identity.object_id()
    }

    /// Whether a customer's key is needed for its messages.
    pub fn has_customer_key(&self) -> bool {
        self.customer.is_some()
    }

    /// Whether the customer's key that was brought, or none, is the one that it was begun with.
    ///
    /// # Errors
    /// `CustomerKey` when it is not.
    pub fn check_customer_key(&self, brought: Option<&CustomerKey>) -> Result<(), SealError> {
        customer::check(&self.expander, &self.identity, self.customer.as_ref(), brought)
    }

    /// Starts one message (a whole plain PUT, or one part) under a fresh random salt.
    ///
    /// # Errors
    /// When there is no randomness; `CustomerKey` when it needs one.
    pub fn message(&self, entropy: &dyn Entropy) -> Result<MessageSealer, SealError> {
        self.message_with(None, entropy)
    }

    /// The same, with the customer's key that it was begun with.
    ///
    /// # Errors
    /// When there is no randomness; `CustomerKey` when it is not that key.
    pub fn message_with(
        &self,
        brought: Option<&CustomerKey>,
        entropy: &dyn Entropy,
    ) -> Result<MessageSealer, SealError> {
        let content = customer::content(&self.expander, &self.identity, self.customer.as_ref(), brought)?;
        let salt = random(entropy)?;
        MessageSealer::new(&message_keys(&content, &self.identity, &salt)?, salt)
    }

    /// Seals user metadata (an opaque byte string that the gateway encodes).
    ///
    /// # Errors
    /// `TooLarge` beyond 16 KiB.
    pub fn seal_metadata(&self, plain: &[u8], entropy: &dyn Entropy) -> Result<SealedMetadata, SealError> {
        let salt = random::<SALT>(entropy)?;
        metadata::seal(&self.expander.derive(&[METADATA, self.identity.bytes(), &salt])?, &salt, plain)
    }

    /// Seals one part's record for the state database (bound to `part_number`).
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn seal_part_record(
        &self,
        part_number: u16,
        part: &PartEntry,
        entropy: &dyn Entropy,
    ) -> Result<Vec<u8>, SealError> {
        let salt = random::<SALT>(entropy)?;
        let derived = self.expander.derive(&[PART, self.identity.bytes(), &salt])?;
        let mut out = salt.to_vec();
        part.encode(&mut out);
        let tag = Fast::new(&derived.key)?.seal(derived.nonce, &part_number.to_be_bytes(), &mut out[SALT..])?;
        out.extend_from_slice(&tag);
        Ok(out)
    }

    /// Opens what [`Self::seal_part_record`] made.
    ///
    /// # Errors
    /// `Authentication` for another upload's or another part's record.
    pub fn open_part_record(&self, part_number: u16, sealed: &[u8]) -> Result<PartEntry, SealError> {
        let (salt, text) = sealed.split_first_chunk::<SALT>().ok_or(SealError::Malformed("part record"))?;
        let derived = self.expander.derive(&[PART, self.identity.bytes(), salt])?;
        let mut text = text.to_vec();
        let plain = Fast::new(&derived.key)?.open(derived.nonce, &part_number.to_be_bytes(), &mut text)?;
        PartEntry::decode((&*plain).try_into().map_err(|_| SealError::Malformed("part record"))?)
    }

    /// The footer (index, padding, trailer) that completes an object made of `parts` in this order. Together with the
    /// messages it makes exactly `sealed_len(sum of plain lengths)` bytes.
    ///
    /// # Errors
    /// `Malformed` when a part but the last is under 5 MiB or there is none; `TooLarge` past the limits.
    pub fn footer(
        &self,
        name: &ObjectName<'_>,
        parts: &[PartEntry],
        content: &ContentInfo,
        entropy: &dyn Entropy,
    ) -> Result<Vec<u8>, SealError> {
        let first = parts.first().ok_or(SealError::Malformed("an object has at least one part"))?.clone();
        if parts.len() > 1 && !content.multipart {
            return Err(SealError::Malformed("several parts are a multipart upload"));
        }
        let (plain_len, body_len) = measure(parts)?;
        let salt = random(entropy)?;
        let index = if parts.len() > 1 { self.index(parts, &salt)? } else { Vec::new() };
        let clear = Clear {
            multipart: content.multipart,
            has_metadata: content.metadata_tag.is_some(),
            has_customer_key: self.customer.is_some(),
            identity: self.identity,
            plain_len,
            parts: parts.len() as u32,
            index_len: index.len() as u32,
            body_len,
            salt,
            commitment: [0; 32],
            key: self.key.clone(),
            wraps: vec![self.wrapped],
        };
        let total = sealed_len(plain_len)?.0;
        let length = total.checked_sub(body_len).filter(|l| *l >= index.len() as u64 + TRAILER_LEN);
        let length = length.ok_or(SealError::Malformed("the parts leave no room for the footer"))? as usize;
        let mut footer = index;
        footer.resize(length - TRAILER_LEN as usize, 0);
        let secret = Secret { content: content.clone(), first, customer: self.customer };
        footer.extend_from_slice(&trailer::seal(&clear, &secret, &self.expander, name)?);
        Ok(footer)
    }

    fn index(&self, parts: &[PartEntry], salt: &[u8; SALT]) -> Result<Vec<u8>, SealError> {
        let mut index = Vec::with_capacity(parts.len() * ENTRY as usize + TAG);
        parts.iter().for_each(|part| part.encode(&mut index));
        let derived = self.expander.derive(&[INDEX, self.identity.bytes(), salt])?;
        let tag = Fast::new(&derived.key)?.seal(derived.nonce, &[], &mut index)?;
        index.extend_from_slice(&tag);
        Ok(index)
    }
}

// === impl OpenObject ===

impl OpenObject {
    pub(super) fn new(
        clear: Clear,
        secret: Secret,
        sealed: SealedLen,
        dek: SecretBytes<32>,
        expander: Expander,
    ) -> Result<Self, SealError> {
        Ok(Self { clear, secret, sealed, dek, expander: Arc::new(expander), first: OnceLock::new() })
    }

    /// Plain length.
    pub fn plain_len(&self) -> PlainLen {
        self.clear.plain_len
    }

    /// Sealed length of the whole object.
    pub fn sealed_len(&self) -> SealedLen {
        self.sealed
    }

    /// The ETag the client sees.
    pub fn etag(&self) -> PlainETag {
        self.secret.content.etag(self.clear.parts)
    }

    /// Everything the trailer keeps encrypted.
    pub fn content(&self) -> &ContentInfo {
        &self.secret.content
    }

    /// How many parts (1 for a plain PUT).
    pub fn part_count(&self) -> u32 {
        self.clear.parts
    }

    /// The vault key version.
    pub fn key_ref(&self) -> &VaultKeyRef {
        &self.clear.key
    }

    /// The suite that everything of it is sealed with.
    pub fn suite(&self) -> Suite {
        self.clear.identity.suite()
    }

    /// The object id.
    pub fn object_id(&self) -> [u8; 16] {
        self.clear.identity.object_id()
    }

    /// Whether its content opens only with a key of the customer's. Everything about it opens without.
    pub fn has_customer_key(&self) -> bool {
        self.secret.customer.is_some()
    }

    /// Whether the customer's key that was brought, or none, is the one for this object.
    ///
    /// # Errors
    /// `CustomerKey` when it is not.
    pub fn check_customer_key(&self, brought: Option<&CustomerKey>) -> Result<(), SealError> {
        customer::check(&self.expander, &self.clear.identity, self.secret.customer.as_ref(), brought)
    }

    /// True when both are one version, whichever site each was read from: no two footers share their salt.
    pub fn is_same_version(&self, other: &Self) -> bool {
        let version = |open: &Self| (open.object_id(), open.clear.salt, open.sealed);
        version(self) == version(other)
    }

    /// The sealed byte span (start, length) of the index; `None` when there is one part.
    pub fn index_span(&self) -> Option<(u64, u64)> {
        (self.clear.parts > 1).then_some((self.clear.body_len, u64::from(self.clear.index_len)))
    }

    /// The sealed byte span (start, length) of the footer: index, padding, trailer.
    pub fn footer_span(&self) -> (u64, u64) {
        (self.clear.body_len, self.sealed.0 - self.clear.body_len)
    }

    /// Checks the padding of a footer (all the bytes of [`Self::footer_span`]).
    ///
    /// # Errors
    /// `Authentication` when it is not all zero or not of the right length.
    pub fn check_footer(&self, footer: &[u8]) -> Result<(), SealError> {
        let padding = footer
            .get(self.clear.index_len as usize..footer.len().saturating_sub(TRAILER_LEN as usize))
            .filter(|_| footer.len() as u64 == self.footer_span().1);
        match padding {
            Some(padding) if padding.iter().all(|b| *b == 0) => Ok(()),
            _ => Err(SealError::Authentication("the padding is not zero")),
        }
    }

    /// Opens user metadata that came with the object. A missing value where the trailer remembers one (or the other way
    /// round) is the caller's decision.
    ///
    /// # Errors
    /// `Authentication` for a changed or foreign value, or an older one of the same object.
    pub fn open_metadata(&self, value: &str) -> Result<Vec<u8>, SealError> {
        let sealed = metadata::parse(value)?;
        if self.secret.content.metadata_tag != Some(sealed.tag()) {
            return Err(SealError::Authentication("the metadata is not this version's"));
        }
        let derived = self.expander.derive(&[METADATA, self.clear.identity.bytes(), sealed.salt()])?;
        metadata::open(&derived, sealed)
    }

    /// The layout of a one-part object (no index needed).
    ///
    /// # Errors
    /// `Malformed` when there are several parts.
    pub fn layout_single(&self) -> Result<Layout, SealError> {
        if self.clear.parts != 1 {
            return Err(SealError::Malformed("several parts need the index"));
        }
        Layout::new(vec![self.secret.first.clone()], self.clear.plain_len)
    }

    /// The layout from the sealed index bytes (exactly [`Self::index_span`]).
    ///
    /// # Errors
    /// `Authentication` when they are not this trailer's index.
    pub fn layout_from_index(&self, sealed_index: &[u8]) -> Result<Layout, SealError> {
        let derived = self.expander.derive(&[INDEX, self.clear.identity.bytes(), &self.clear.salt])?;
        if sealed_index.len() != self.clear.index_len as usize {
            return Err(SealError::Authentication("the index has another length"));
        }
        let mut bytes = sealed_index.to_vec();
        let plain = Fast::new(&derived.key)?.open(derived.nonce, &[], &mut bytes);
        let plain = plain.map_err(|_| SealError::Authentication("the index does not authenticate"))?;
        let entries = plain.as_chunks::<{ ENTRY as usize }>().0;
        let parts = entries.iter().map(PartEntry::decode).collect::<Result<Vec<_>, _>>()?;
        let (_, body) = measure(&parts)?;
        if body != self.clear.body_len || parts.first().map(|p| p.salt) != Some(self.secret.first.salt) {
            return Err(SealError::Malformed("index and trailer contradict each other"));
        }
        Layout::new(parts, self.clear.plain_len)
    }

    /// Reads `span` of the plaintext. The caller fetches [`SpanReader::sealed_span`] and pushes its bytes.
    ///
    /// # Errors
    /// `Malformed` when the span is not inside the object; `CustomerKey` when it needs one.
    pub fn reader(&self, layout: &Layout, span: PlainSpan) -> Result<SpanReader, SealError> {
        self.reader_with(None, layout, span)
    }

    /// The same, with the customer's key for this object. What is derived from it lives no longer than the reader.
    ///
    /// # Errors
    /// As [`Self::reader`]; `CustomerKey` when it is not that key.
    pub fn reader_with(
        &self,
        brought: Option<&CustomerKey>,
        layout: &Layout,
        span: PlainSpan,
    ) -> Result<SpanReader, SealError> {
        let identity = self.clear.identity;
        let content = customer::content(&self.expander, &identity, self.secret.customer.as_ref(), brought)?;
        if self.has_customer_key() {
            let first = message_keys(&content, &identity, &self.secret.first.salt)?;
            return SpanReader::new(&content, identity, layout, span, &first);
        }
        let first = match self.first.get() {
            Some(first) => first,
            None => {
                let derived = message_keys(&content, &identity, &self.secret.first.salt)?;
                self.first.get_or_init(|| derived)
            }
        };
        SpanReader::new(&content, identity, layout, span, first)
    }
}

/// One message's key, base nonce and commitment.
pub(super) fn message_keys(expander: &Expander, identity: &Identity, salt: &[u8; SALT]) -> Result<Derived, SealError> {
    expander.message(salt, &[super::derive::MESSAGE, identity.bytes()])
}

/// Plain length of all parts and sealed length of all their messages.
fn measure(parts: &[PartEntry]) -> Result<(PlainLen, u64), SealError> {
    if parts.len() > MAX_PARTS {
        return Err(SealError::TooLarge("an object has at most 10,000 parts"));
    }
    let (mut plain, mut body, mut previous) = (0u64, 0u64, 0);
    for (at, part) in parts.iter().enumerate() {
        if at + 1 < parts.len() && part.plain_len.0 < MIN_PART {
            return Err(SealError::Malformed("a part other than the last is under 5 MiB"));
        }
        if part.part_number <= previous {
            return Err(SealError::Malformed("part numbers do not ascend"));
        }
        previous = part.part_number;
        plain = plain.checked_add(part.plain_len.0).ok_or(SealError::TooLarge("object"))?;
        body = body.checked_add(message_len(part.plain_len).0).ok_or(SealError::TooLarge("object"))?;
    }
    Ok((PlainLen(plain), body))
}

fn parse_wrapped(bytes: &[u8]) -> Result<Wrapped, SealError> {
    let mut fields = Fields(bytes);
    let [form, suite] = fields.take()?;
    if !matches!(form, WRAPPED_FORM | WRAPPED_FORM_CUSTOMER) {
        return Err(SealError::Unsupported("wrapped form"));
    }
    let suite = Suite::from_number(suite).ok_or(SealError::Unsupported("suite"))?;
    let identity = Identity::new(suite, fields.take()?);
    let [length] = fields.take()?;
    let name = std::str::from_utf8(fields.slice(usize::from(length))?).map_err(|_| SealError::Malformed("key name"))?;
    let key = VaultKeyRef { id: VaultKeyId::parse(name)?, version: u32::from_be_bytes(fields.take()?) };
    let dek = fields.take()?;
    let customer = if form == WRAPPED_FORM_CUSTOMER { Some(fields.take()?) } else { None };
    if !fields.0.is_empty() || customer == Some([0; 32]) {
        return Err(SealError::Malformed("wrapped form"));
    }
    Ok(Wrapped { identity, key, dek, customer })
}
