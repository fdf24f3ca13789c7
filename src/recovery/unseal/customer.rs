//! A customer's key from a file, for objects that were written with one (SSE-C).
use super::UnsealError;
use crate::seal::CustomerKey;
use std::path::Path;
use zeroize::Zeroizing;

/// Reads a file of 64 hex digits.
///
/// # Errors
/// When it cannot be read or is no key.
pub fn customer_key(path: &Path) -> Result<CustomerKey, UnsealError> {
    let text = std::fs::read(path).map_err(|source| UnsealError::Io { path: path.to_owned(), source })?;
    let text = Zeroizing::new(text);
    let mut bytes = Zeroizing::new([0u8; 32]);
    let decoded = hex::decode_to_slice(text.trim_ascii(), bytes.as_mut_slice()).is_ok();
    let key = if decoded { CustomerKey::new(&bytes).ok() } else { None };
    key.ok_or_else(|| UnsealError::NoCustomerKey(path.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_customers_key_is_64_digits_and_not_zero() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("key");
        for (text, good) in [
            ("c7".repeat(32) + "\n", true),
            ("C7".repeat(32), true),
            ("00".repeat(32), false),
            ("c7".repeat(31), false),
            ("c7".repeat(33), false),
            ("zz".repeat(32), false),
            (String::new(), false),
        ] {
            std::fs::write(&path, &text).expect("written");
            assert_eq!(customer_key(&path).is_ok(), good, "{} digits", text.len());
        }
        assert!(matches!(customer_key(&folder.path().join("none")), Err(UnsealError::Io { .. })));
    }
}
