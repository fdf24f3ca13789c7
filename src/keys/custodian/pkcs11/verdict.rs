//! What the return values of PKCS#11 mean: the standard's chapter "Function return values".
use crate::keys::CustodianError;
use cryptoki::context::Function;
use cryptoki::error::{Error, RvError};

/// Whether it refuses, or cannot be asked. What is not known to be a refusal is none: tokens, their networks and their libraries fail in many ways.
pub(super) fn verdict(error: &Error) -> CustodianError {
    let Error::Pkcs11(value, function) = error else { return CustodianError::Silent(error.to_string()) };
    let said = format!("{value:?} of C_{function:?}");
    let refused = |what: &str| CustodianError::Refused(format!("{what} ({said})"));
    match value {
        RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange => refused(
            "the token does not take the PIN, and it is not tried again, so that the token does not lock; change pin_file, or pin_env and start again",
        ),
        RvError::PinLocked => refused("the token has locked the PIN; its security officer can set another"),
        RvError::PinExpired | RvError::UserPinNotInitialized => {
            refused("the token wants another PIN to be set first, with the vendor's tool")
        }
        RvError::MechanismInvalid
        | RvError::MechanismParamInvalid
        | RvError::KeyFunctionNotPermitted
        | RvError::KeyTypeInconsistent
        | RvError::KeySizeRange => refused("the token does not do AES-GCM (CKM_AES_GCM) with that key"),
        RvError::EncryptedDataInvalid | RvError::EncryptedDataLenRange => CustodianError::Unusable(format!(
            "it was wrapped with another key, for another root, or is damaged; run `strongroom root rewrap` ({said})"
        )),
        _ => CustodianError::Silent(said),
    }
}

/// Whether an error may be about what was to be decrypted, and not about the token.
pub(super) fn is_about_the_data(error: &Error) -> bool {
    matches!(
        error,
        Error::Pkcs11(
            RvError::EncryptedDataInvalid
                | RvError::EncryptedDataLenRange
                | RvError::DataInvalid
                | RvError::DataLenRange
                | RvError::SignatureInvalid
                | RvError::GeneralError
                | RvError::FunctionFailed,
            Function::Decrypt
        )
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(value: RvError, function: Function) -> CustodianError {
        verdict(&Error::Pkcs11(value, function))
    }

    #[test]
    fn a_token_that_will_not_is_told_from_one_that_cannot() {
        for value in [RvError::PinIncorrect, RvError::PinLocked, RvError::MechanismInvalid] {
            assert!(matches!(of(value, Function::Login), CustodianError::Refused(_)), "{value:?}");
        }
        for value in [
            RvError::TokenNotPresent,
            RvError::DeviceRemoved,
            RvError::DeviceError,
            RvError::GeneralError,
            RvError::SessionHandleInvalid,
            RvError::CryptokiNotInitialized,
        ] {
            assert!(of(value, Function::OpenSession).is_outage(), "{value:?}");
        }
        assert!(matches!(of(RvError::EncryptedDataInvalid, Function::Decrypt), CustodianError::Unusable(_)));
    }

    #[test]
    fn only_what_decrypting_says_may_be_about_the_data() {
        let about = |function| is_about_the_data(&Error::Pkcs11(RvError::GeneralError, function));
        assert!(about(Function::Decrypt) && !about(Function::DecryptInit) && !about(Function::Login));
    }
}
