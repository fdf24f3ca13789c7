//! Whether the custodians still let the root be used. Asked in the background, by one task, never by a request.
//!
//! | what the custodians say | what the proxy does |
//! |---|---|
//! | one opens the envelope | goes on |
//! | none can be asked | goes on with the root it has for [`Patience::stale_for`], then stops sealing and opening until one opens it |
//! | none opens it, and one was asked and will not | stops at once, until one opens it |
use super::{Custodians, Envelope, KeyError, Keyring};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Between two looks while the last one was not good.
const SOON: Duration = Duration::from_secs(30);

/// How often is asked, and how long silence is borne.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Between two looks.
    pub recheck: Duration,
    /// How long a root is used that no custodian could be asked about.
    pub stale_for: Duration,
}

/// The watch over one envelope.
pub struct Vigil {
    envelope: PathBuf,
    custodians: Custodians,
    keyring: Arc<Keyring>,
    patience: Patience,
    /// When a custodian opened it last.
    opened: Instant,
}

/// What one look showed.
pub struct Seen {
    /// Each custodian that can be asked, and whether it opens the envelope.
    pub custodians: Vec<(String, bool)>,
    /// How long ago one opened it; zero when one does now.
    pub stale: Duration,
    /// Until the next look.
    pub pause: Duration,
}

/// What the answers mean together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Good,
    Silence,
    Refusal,
}

// === impl Vigil ===

impl Vigil {
    /// The root has just been opened, or nobody could be asked for it: silence is borne from now on.
    pub fn new(envelope: PathBuf, custodians: Custodians, keyring: Arc<Keyring>, patience: Patience) -> Self {
        Self { envelope, custodians, keyring, patience, opened: Instant::now() }
    }

    /// Asks all custodians at once, and lets the keyring know what that means.
    pub async fn look(&mut self) -> Seen {
        let (verdict, custodians) = match self.ask().await {
            Ok(said) => said,
            Err(error) => {
                tracing::error!(%error, "the root envelope cannot be read, so no custodian can be asked");
                (Verdict::Silence, self.custodians.online().map(|name| (name.to_owned(), false)).collect())
            }
        };
        let now = Instant::now();
        if verdict == Verdict::Good {
            self.opened = now;
        }
        let stale = now.duration_since(self.opened);
        self.enforce(verdict, stale);
        let pause = if verdict == Verdict::Good { self.patience.recheck } else { self.patience.recheck.min(SOON) };
        Seen { custodians, stale, pause }
    }

    async fn ask(&self) -> Result<(Verdict, Vec<(String, bool)>), KeyError> {
        let path = self.envelope.clone();
        let read = tokio::task::spawn_blocking(move || Envelope::read(&path)).await;
        let envelope = read.map_err(|error| KeyError::Root(error.to_string()))??;
        let roots = self.keyring.roots();
        let is_known = roots.fingerprints().iter().any(|known| known == envelope.fingerprint());
        // One that is missing since the start is asked for elsewhere; here only whether anybody refuses it.
        if !is_known && !roots.awaits(&self.envelope) {
            return Err(KeyError::Root(format!("it holds another root now ({})", envelope.fingerprint())));
        }
        let (mut verdict, mut custodians) = (Verdict::Silence, Vec::new());
        let online: Vec<_> = self.custodians.online().collect();
        for answer in self.custodians.ask(&envelope).await {
            if !online.contains(&answer.custodian.as_str()) {
                continue;
            }
            if let Err(error) = &answer.root {
                tracing::warn!(custodian = answer.custodian, %error, "a custodian does not open the root");
            }
            verdict = verdict.and(&answer.root);
            custodians.push((answer.custodian, answer.root.is_ok()));
        }
        Ok((verdict, custodians))
    }

    fn enforce(&self, verdict: Verdict, stale: Duration) {
        let over = stale >= self.patience.stale_for;
        let withheld = match verdict {
            Verdict::Good => None,
            Verdict::Refusal => Some("the custodians of the root key refuse it"),
            Verdict::Silence if over => Some("no custodian of the root key could be asked for too long"),
            // A refusal is not forgotten because the custodian fell silent.
            Verdict::Silence => self.keyring.withheld(),
        };
        if verdict == Verdict::Silence && withheld.is_none() {
            let (stale, left) = (stale.as_secs(), self.patience.stale_for.saturating_sub(stale).as_secs());
            tracing::warn!(
                stale,
                left,
                "no custodian of the root key can be asked; the root in memory is used for some seconds more"
            );
        }
        if self.keyring.withhold(withheld) {
            match withheld {
                Some(why) => {
                    tracing::error!(why, "nothing is sealed or opened any more until a custodian opens the root")
                }
                None => tracing::info!("a custodian opens the root again: sealing and opening go on"),
            }
        }
    }
}

// === impl Verdict ===

impl Verdict {
    /// With one more answer. One that opens is enough; without one, a single refusal counts.
    pub(super) fn and<T>(self, answer: &Result<T, super::CustodianError>) -> Self {
        match (self, answer) {
            (_, Ok(_)) | (Self::Good, _) => Self::Good,
            (_, Err(super::CustodianError::Refused(_) | super::CustodianError::Unusable(_))) | (Self::Refusal, _) => {
                Self::Refusal
            }
            (Self::Silence, Err(_)) => Self::Silence,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::CustodianError;

    fn verdict(answers: &[Result<(), CustodianError>]) -> Verdict {
        answers.iter().fold(Verdict::Silence, Verdict::and)
    }

    #[test]
    fn one_that_opens_is_enough_and_without_one_a_refusal_counts_more_than_silence() {
        let silent = || Err(CustodianError::Silent("x".to_owned()));
        let refused = || Err(CustodianError::Refused("x".to_owned()));
        assert_eq!(verdict(&[]), Verdict::Silence);
        assert_eq!(verdict(&[silent(), silent(), Err(CustodianError::NotWrapped)]), Verdict::Silence);
        assert_eq!(verdict(&[refused(), silent()]), Verdict::Refusal);
        assert_eq!(verdict(&[silent(), refused()]), Verdict::Refusal);
        assert_eq!(verdict(&[silent(), Err(CustodianError::Unusable("x".to_owned()))]), Verdict::Refusal);
        for answers in [[Ok(()), refused()], [refused(), Ok(())], [silent(), Ok(())]] {
            assert_eq!(verdict(&answers), Verdict::Good);
        }
    }
}
