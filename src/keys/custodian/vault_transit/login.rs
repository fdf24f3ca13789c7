//! The token that goes with a call: somebody else's, out of its file each time, or our own, which an AppRole gets.
use super::VaultLogin;
use super::api::{Api, Fault, Question};
use crate::keys::CustodianError;
use crate::keys::custodian::SecretSource;
use crate::secret::SecretText;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// Of a token's time, how much is used: what remains is for calls under way.
const USED: f64 = 0.75;

/// Who asks, and the token that it has.
pub(super) struct Login {
    who: VaultLogin,
    /// Held while one is asked for, so that only one is.
    held: Mutex<Option<Held>>,
}

struct Held {
    token: Arc<SecretText>,
    /// When to ask for another; `None`: when this one is refused.
    until: Option<Instant>,
}

#[derive(Serialize)]
struct Credentials<'a> {
    role_id: &'a str,
    secret_id: &'a str,
}

#[derive(Deserialize)]
struct LoggedIn {
    auth: Auth,
}

#[derive(Deserialize)]
struct Auth {
    client_token: SecretText,
    /// Seconds; 0: for ever.
    lease_duration: u64,
}

// === impl Login ===

impl Login {
    pub(super) fn new(who: VaultLogin) -> Self {
        Self { who, held: Mutex::new(None) }
    }

    /// Whether a token that was refused may be exchanged for another.
    pub(super) fn asks_for_tokens(&self) -> bool {
        matches!(self.who, VaultLogin::AppRole { .. })
    }

    /// A token.
    pub(super) async fn token(&self, api: &Api) -> Result<Arc<SecretText>, CustodianError> {
        let fresh = |held: &Held| held.until.is_none_or(|until| Instant::now() < until);
        self.get(api, fresh).await
    }

    /// Another token than this one.
    pub(super) async fn another(
        &self,
        api: &Api,
        refused: &Arc<SecretText>,
    ) -> Result<Arc<SecretText>, CustodianError> {
        self.get(api, |held| !Arc::ptr_eq(&held.token, refused)).await
    }

    async fn get(&self, api: &Api, usable: impl Fn(&Held) -> bool) -> Result<Arc<SecretText>, CustodianError> {
        let (mount, role_id, secret_id) = match &self.who {
            VaultLogin::Token(source) => return read(source, "token").map(Arc::new),
            VaultLogin::AppRole { mount, role_id, secret_id } => (mount, role_id, secret_id),
        };
        let mut place = self.held.lock().await;
        if let Some(held) = place.as_ref().filter(|held| usable(held)) {
            return Ok(held.token.clone());
        }
        *place = None;
        let secret_id = read(secret_id, "secret id")?;
        let body = Credentials { role_id, secret_id: secret_id.expose() };
        let path = format!("auth/{mount}/login");
        let question = Question { path: &path, token: None, body: &body, secret: secret_id.expose() };
        let LoggedIn { auth } = api.post(question).await.map_err(refusal)?;
        let lease = Duration::from_secs(auth.lease_duration).mul_f64(USED);
        let until = Instant::now().checked_add(lease).filter(|_| !lease.is_zero());
        let held = place.insert(Held { token: Arc::new(auth.client_token), until });
        Ok(held.token.clone())
    }
}

fn read(source: &SecretSource, what: &str) -> Result<SecretText, CustodianError> {
    source.read().map_err(|why| CustodianError::Silent(format!("its {what}: {why}")))
}

/// What a login that failed says.
fn refusal(fault: Fault) -> CustodianError {
    match fault {
        Fault::Silent(said) => CustodianError::Silent(said),
        Fault::Forbidden(said) | Fault::Missing(said) | Fault::Bad(said) => CustodianError::Refused(format!(
            "it does not let the AppRole log in; see role_id, its secret id and approle_mount ({said})"
        )),
    }
}
