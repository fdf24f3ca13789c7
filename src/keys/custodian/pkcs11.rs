//! An AES key in a PKCS#11 token (an HSM, or SoftHSM2) as custodian: `CKM_AES_GCM` wraps and opens. The key never leaves the token.
//!
//! A call into a vendor's library cannot be broken off. So each runs on a thread of its own that nobody has to wait for, one at a time; a token that does
//! not answer costs one thread, and is a custodian that cannot be asked.
//!
//! | file | what it holds |
//! |---|---|
//! | [`module`] | the vendor's library, loaded and initialised once in a process |
//! | [`token`] | which token, which key, and whether that key will do |
//! | [`pins`] | which PINs are not tried again |
//! | [`verdict`] | what the return values mean |
mod module;
mod pins;
mod token;
mod verdict;

use super::{Custodian, CustodianError, SecretSource, label, root_of};
use crate::keys::envelope::Wrapped;
use crate::keys::{OsEntropy, RootKey};
use crate::seal::Entropy;
use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cryptoki::error::Error;
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::aead::GcmParams;
use cryptoki::session::UserType;
use cryptoki::types::AuthPin;
use module::Module;
use pins::Pins;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use token::{Opened, find_key, find_token};
use tokio::sync::{Mutex, oneshot};
use verdict::{is_about_the_data, verdict};
use zeroize::Zeroizing;

/// The longest that an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(15);
/// Bytes of an initialisation vector.
const IV: usize = 12;
/// Bits of a tag.
const TAG: u64 = 128;

/// How to reach a key. The PIN has no `Debug`.
pub struct Pkcs11Settings {
    /// The vendor's library.
    pub module: PathBuf,
    /// Label of the token; one of label and serial is there.
    pub token_label: Option<String>,
    /// Its serial number.
    pub token_serial: Option<String>,
    /// Label of the key; one of label and id is there.
    pub key_label: Option<String>,
    /// Its id.
    pub key_id: Option<Vec<u8>>,
    /// The user's PIN.
    pub pin: SecretSource,
}

/// The custodian.
pub(super) struct Pkcs11 {
    hsm: Arc<Hsm>,
    /// Held by a call until it came back, however long nobody waits for it any more.
    turn: Arc<Mutex<()>>,
}

struct Hsm {
    settings: Pkcs11Settings,
    pins: Pins,
}

// === impl Pkcs11 ===

impl Pkcs11 {
    pub(super) fn new(settings: Pkcs11Settings) -> Self {
        Self { hsm: Arc::new(Hsm { settings, pins: Pins::default() }), turn: Arc::default() }
    }

    /// Works with the key, on a thread of its own.
    async fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Opened) -> Result<T, CustodianError> + Send + 'static,
    ) -> Result<T, CustodianError> {
        let silent = |what: &str| CustodianError::Silent(what.to_owned());
        let asked = async {
            let turn = self.turn.clone().lock_owned().await;
            let (answer, answered) = oneshot::channel();
            let hsm = self.hsm.clone();
            let thread = std::thread::Builder::new().name("pkcs11".to_owned());
            let started = thread.spawn(move || {
                let done = hsm.with_key(work);
                drop(turn);
                // Nobody may be waiting any more.
                let _ = answer.send(done);
            });
            started.map_err(|e| silent(&e.to_string()))?;
            answered.await.map_err(|_| silent("the call into its module ended without an answer"))?
        };
        let late = |_| silent("its module has not come back within 15 seconds");
        tokio::time::timeout(PATIENCE, asked).await.map_err(late)?
    }
}

#[async_trait]
impl Custodian for Pkcs11 {
    async fn wrap(&self, root: &RootKey) -> Result<Wrapped, CustodianError> {
        let (plain, bound_to) = (root.0.duplicate(), label("pkcs11", &root.fingerprint()));
        self.ask(move |opened| {
            let mut iv = [0u8; IV];
            OsEntropy.fill(&mut iv).map_err(|e| CustodianError::Silent(e.to_string()))?;
            let sealed = encrypt(opened, &mut iv, &bound_to, plain.expose()).map_err(|e| verdict(&e))?;
            Ok(Wrapped::Pkcs11 {
                token: opened.token.clone(),
                key: opened.name.clone(),
                iv: hex::encode(iv),
                sealed: STANDARD.encode(sealed),
            })
        })
        .await
    }

    async fn unwrap(&self, fingerprint: &str, wrapped: &Wrapped) -> Result<RootKey, CustodianError> {
        let Wrapped::Pkcs11 { iv, sealed, .. } = wrapped else { return Err(CustodianError::other_kind()) };
        let damaged = |what: &str| CustodianError::Unusable(format!("damaged: {what}"));
        let mut bytes = [0u8; IV];
        hex::decode_to_slice(iv, &mut bytes).map_err(|_| damaged("the initialisation vector is no 24 hex digits"))?;
        let sealed = STANDARD.decode(sealed).map_err(|_| damaged("no base64"))?;
        let bound_to = label("pkcs11", fingerprint);
        self.ask(move |opened| match decrypt(opened, bytes, &bound_to, &sealed) {
            Ok(plain) => root_of(&plain),
            Err(error) if is_about_the_data(&error) && works(opened) => Err(CustodianError::Unusable(
                "it was wrapped with another key, for another root, or is damaged; run `strongroom root rewrap`"
                    .to_owned(),
            )),
            Err(error) => Err(verdict(&error)),
        })
        .await
    }
}

// === impl Hsm ===

impl Hsm {
    fn with_key<T>(&self, work: impl FnOnce(&Opened) -> Result<T, CustodianError>) -> Result<T, CustodianError> {
        let module = Module::of(&self.settings.module)?;
        let mut module = module.lock().unwrap_or_else(PoisonError::into_inner);
        let done = self.open(&mut module).and_then(|opened| work(&opened));
        // What went away may come back as another one: the module looks for tokens when it is initialised.
        if done.as_ref().is_err_and(CustodianError::is_outage) {
            module.rest();
        }
        done
    }

    /// A session with the key, logged in. It ends when it is dropped, and the login with it.
    fn open(&self, module: &mut Module) -> Result<Opened, CustodianError> {
        let pin = self.settings.pin.read().map_err(|why| CustodianError::Silent(format!("its PIN: {why}")))?;
        self.pins.allow(&pin)?;
        let library = module.ready()?;
        let (slot, info) = find_token(library, &self.settings)?;
        self.pins.spare(&pin, &info)?;
        let session = library.open_ro_session(slot).map_err(|e| verdict(&e))?;
        let login = session.login(UserType::User, Some(&AuthPin::new(pin.expose().into())));
        self.pins.learn(pin, login.as_ref().err());
        login.map_err(|e| verdict(&e))?;
        let (key, name) = find_key(&session, &self.settings)?;
        Ok(Opened { session, key, token: info.label().to_owned(), name })
    }
}

/// The tag stands behind the bytes. A token that insists on an initialisation vector of its own writes it in the place of ours.
fn encrypt(opened: &Opened, iv: &mut [u8; IV], bound_to: &str, plain: &[u8]) -> Result<Vec<u8>, Error> {
    let mechanism = Mechanism::AesGcm(GcmParams::new(iv, bound_to.as_bytes(), TAG.into())?);
    opened.session.encrypt(&mechanism, opened.key, plain)
}

fn decrypt(opened: &Opened, mut iv: [u8; IV], bound_to: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
    let mechanism = Mechanism::AesGcm(GcmParams::new(&mut iv, bound_to.as_bytes(), TAG.into())?);
    opened.session.decrypt(&mechanism, opened.key, sealed).map(Zeroizing::new)
}

/// Whether the token does its work at all. Some (SoftHSM2 among them) have one return value for what does not authenticate and for what is broken.
fn works(opened: &Opened) -> bool {
    let mut iv = [0u8; IV];
    let sealed = OsEntropy.fill(&mut iv).ok().and_then(|()| encrypt(opened, &mut iv, "", &[0; 32]).ok());
    sealed.is_some_and(|sealed| decrypt(opened, iv, "", &sealed).is_ok())
}
