//! Which PINs are not tried again: tokens lock after a few wrong ones, some for ever.
use crate::keys::CustodianError;
use crate::secret::SecretText;
use cryptoki::context::Function;
use cryptoki::error::{Error, RvError};
use cryptoki::slot::TokenInfo;
use std::sync::{Mutex, PoisonError};

/// What was learnt of the last PIN.
#[derive(Default)]
pub(super) struct Pins(Mutex<Option<Learnt>>);

struct Learnt {
    pin: SecretText,
    is_right: bool,
}

// === impl Pins ===

impl Pins {
    /// A PIN that was refused is not tried again until it is another one, or the process.
    pub(super) fn allow(&self, pin: &SecretText) -> Result<(), CustodianError> {
        match self.is_right(pin) {
            Some(false) => Err(CustodianError::Refused(
                "the token did not take the PIN, and it is not tried again, so that the token does not lock; change pin_file, or pin_env and \
                 start again"
                    .to_owned(),
            )),
            _ => Ok(()),
        }
    }

    /// The last try is not ours, unless the PIN was right before: somebody else was wrong then.
    pub(super) fn spare(&self, pin: &SecretText, token: &TokenInfo) -> Result<(), CustodianError> {
        let refused = |what: &str| Err(CustodianError::Refused(what.to_owned()));
        if token.user_pin_locked() {
            return refused("the token has locked the PIN after wrong ones; its security officer can set another");
        }
        if token.user_pin_final_try() && self.is_right(pin) != Some(true) {
            return refused(
                "one more wrong PIN would lock the token, so none is tried; log in once with the vendor's tool, which sets the count back",
            );
        }
        Ok(())
    }

    pub(super) fn learn(&self, pin: SecretText, error: Option<&Error>) {
        let is_right = match error {
            None => true,
            Some(Error::Pkcs11(
                RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange,
                Function::Login,
            )) => false,
            Some(_) => return,
        };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Learnt { pin, is_right });
    }

    fn is_right(&self, pin: &SecretText) -> Option<bool> {
        let learnt = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        learnt.as_ref().filter(|learnt| learnt.pin.expose() == pin.expose()).map(|learnt| learnt.is_right)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pin(text: &str) -> SecretText {
        SecretText::new(text.to_owned())
    }

    #[test]
    fn a_wrong_pin_is_tried_once_and_another_one_is_tried() {
        let pins = Pins::default();
        assert!(pins.allow(&pin("1234")).is_ok());
        let wrong = Error::Pkcs11(RvError::PinIncorrect, Function::Login);
        pins.learn(pin("1234"), Some(&wrong));
        assert!(matches!(pins.allow(&pin("1234")), Err(CustodianError::Refused(_))));
        assert!(pins.allow(&pin("12345")).is_ok());
        // A device that failed says nothing about the PIN.
        pins.learn(pin("12345"), Some(&Error::Pkcs11(RvError::DeviceError, Function::Login)));
        assert!(pins.allow(&pin("12345")).is_ok() && pins.allow(&pin("1234")).is_err());
        pins.learn(pin("12345"), None);
        assert!(pins.allow(&pin("12345")).is_ok());
    }
}
