//! The root key: 32 secret bytes that wrap everything else. From a file, the environment or an envelope, never from the config.
use super::{KeyError, private};
use crate::seal::Entropy;
use crate::secret::SecretBytes;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Bytes of the key in hex digits.
const DIGITS: usize = 64;
/// A root key file is one line; more is something else.
const FILE_LIMIT: u64 = 256;
/// Domain of the fingerprint.
const FINGERPRINT: &[u8] = b"strongroom/v1/root-key-fingerprint\0";

/// Domain of what marks the key of a demo.
const DEMO: &[u8] = b"strongroom/v1/demo-root-key\0";
/// Bytes of a demo's key that are random; the rest is their mark.
const DEMO_RANDOM: usize = 24;

/// Where the root key comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RootSource {
    /// A file with 64 hex digits, mode 0600 or stricter.
    File(PathBuf),
    /// An environment variable with 64 hex digits.
    Environment(String),
    /// A file that holds it wrapped; its custodians open it ([`super::Custodians::load`]).
    Envelope(PathBuf),
}

// === impl RootSource ===

impl RootSource {
    /// Whether there is something, good or bad.
    pub fn is_there(&self) -> bool {
        match self {
            Self::File(path) | Self::Envelope(path) => path.exists(),
            Self::Environment(name) => std::env::var_os(name).is_some(),
        }
    }
}

impl std::fmt::Display for RootSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => write!(f, "the file {}", path.display()),
            Self::Environment(name) => write!(f, "the environment variable {name}"),
            Self::Envelope(path) => write!(f, "the envelope {}", path.display()),
        }
    }
}

/// The root key: 32 secret bytes and a public fingerprint.
pub struct RootKey(pub SecretBytes<32>);

// === impl RootKey ===

impl RootKey {
    /// Loads and checks it. What is in an envelope only its custodians can open.
    ///
    /// # Errors
    /// [`KeyError::Root`] when it is missing, not 64 hex digits, all zero, a file that others may read or write, or an envelope.
    pub fn load(source: &RootSource) -> Result<Self, KeyError> {
        let (name, text) = match source {
            RootSource::File(path) => (path.display().to_string(), read_file(path)?),
            RootSource::Envelope(path) => {
                return Err(KeyError::Root(format!(
                    "{} holds a wrapped root, which its custodians open",
                    path.display()
                )));
            }
            RootSource::Environment(name) => {
                let text = std::env::var(name).map_err(|_| {
                    KeyError::Root(format!("the environment variable {name} is not set (64 hex digits are expected)"))
                })?;
                (format!("the environment variable {name}"), Zeroizing::new(text.into_bytes()))
            }
        };
        Self::parse(&text).map_err(|what| KeyError::Root(format!("{name}: {what}")))
    }

    /// Makes a new one and writes it to `path` (0600, durably, never overwrites).
    ///
    /// # Errors
    /// [`KeyError::Root`] when the file exists or cannot be written; [`KeyError::Seal`] without randomness.
    pub fn create(path: &Path, entropy: &dyn Entropy) -> Result<Self, KeyError> {
        let key = Self::generate(entropy)?;
        key.save(path)?;
        Ok(key)
    }

    /// Makes a new one, in memory alone.
    ///
    /// # Errors
    /// [`KeyError::Seal`] without randomness.
    pub fn generate(entropy: &dyn Entropy) -> Result<Self, KeyError> {
        let mut bytes = Zeroizing::new([0u8; 32]);
        entropy.fill(bytes.as_mut())?;
        let key = Self(SecretBytes::new(*bytes));
        if key.0.is_zero() {
            return Err(KeyError::Root("the random generator gave zeros".to_owned()));
        }
        Ok(key)
    }

    /// Makes one for `strongroom demo`: 192 random bits, and a mark by which [`Self::is_of_a_demo`] knows it, wherever it is carried.
    ///
    /// # Errors
    /// [`KeyError::Seal`] without randomness.
    pub fn generate_for_demo(entropy: &dyn Entropy) -> Result<Self, KeyError> {
        let mut bytes = Zeroizing::new([0u8; 32]);
        entropy.fill(&mut bytes[..DEMO_RANDOM])?;
        let mark = demo_mark(&bytes[..DEMO_RANDOM]);
        bytes[DEMO_RANDOM..].copy_from_slice(&mark);
        Ok(Self(SecretBytes::new(*bytes)))
    }

    /// Whether a demo made it. Of other keys one in 2^64 looks like that.
    pub fn is_of_a_demo(&self) -> bool {
        let (random, mark) = self.0.expose().split_at(DEMO_RANDOM);
        bool::from(demo_mark(random).ct_eq(mark))
    }

    /// Writes it in plain to `path` (0600, durably, never overwrites).
    ///
    /// # Errors
    /// [`KeyError::Root`] when the file exists or cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), KeyError> {
        private::create(path, &*self.line()).map_err(|e| KeyError::Root(format!("{}: {e}", path.display())))
    }

    /// What stands in a file: 64 hex digits and a line end.
    pub(super) fn line(&self) -> Zeroizing<[u8; DIGITS + 1]> {
        let mut line = Zeroizing::new([b'\n'; DIGITS + 1]);
        hex::encode_to_slice(self.0.expose(), &mut line[..DIGITS]).expect("the line has room for the digits");
        line
    }

    /// 16 hex digits that name the key and tell nothing about it:
    /// `SHA-256("strongroom/v1/root-key-fingerprint" || 0x00 || key)`, its first 8 bytes. For logs.
    pub fn fingerprint(&self) -> String {
        let digest = Sha256::new().chain_update(FINGERPRINT).chain_update(self.0.expose()).finalize();
        hex::encode(&digest[..8])
    }

    /// The opposite of [`Self::line`].
    pub(super) fn parse(text: &[u8]) -> Result<Self, &'static str> {
        if text.first() == Some(&b'{') {
            return Err("this is a root envelope; write root = { envelope = ... }, or see `strongroom root recover`");
        }
        let line = text.strip_suffix(b"\n").unwrap_or(text);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.len() != DIGITS {
            return Err("a root key is 64 hex digits and nothing else (`strongroom init` makes one)");
        }
        let mut bytes = Zeroizing::new([0u8; 32]);
        hex::decode_to_slice(line, bytes.as_mut()).map_err(|_| "a root key is 64 hex digits and nothing else")?;
        let key = SecretBytes::new(*bytes);
        if key.is_zero() {
            return Err("the all-zero key is refused: it protects nothing");
        }
        Ok(Self(key))
    }
}

fn demo_mark(random: &[u8]) -> [u8; 32 - DEMO_RANDOM] {
    let digest = Sha256::new().chain_update(DEMO).chain_update(random).finalize();
    let mut mark = [0; 32 - DEMO_RANDOM];
    mark.copy_from_slice(&digest[..32 - DEMO_RANDOM]);
    mark
}

fn read_file(path: &Path) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    private::read(path, FILE_LIMIT, "`strongroom init` makes a root key").map_err(KeyError::Root)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::OsEntropy;
    use std::os::unix::fs::PermissionsExt;

    const HEX: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

    fn file(text: &str, mode: u32) -> (tempfile::TempDir, RootSource) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("root.key");
        std::fs::write(&path, text).expect("written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("chmod");
        (folder, RootSource::File(path))
    }

    fn refusal(source: &RootSource) -> String {
        match RootKey::load(source) {
            Ok(_) => panic!("{source:?} was accepted"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_key_is_64_hex_digits_with_or_without_a_line_end() {
        for text in [HEX.to_owned(), format!("{HEX}\n"), format!("{HEX}\r\n"), HEX.to_uppercase()] {
            let (_folder, source) = file(&text, 0o600);
            assert_eq!(RootKey::load(&source).map(|key| key.0.expose()[31]).ok(), Some(31));
        }
        let upper = HEX.replace("1f", "1g");
        for text in ["", "\n", &HEX[1..], &upper, &format!("{HEX}\n\n"), &format!(" {HEX}"), &format!("{HEX}00")] {
            let (_folder, source) = file(text, 0o600);
            assert!(refusal(&source).contains("64 hex digits"), "{text:?}");
        }
    }

    #[test]
    fn the_zero_key_is_refused() {
        let (_folder, source) = file(&"0".repeat(64), 0o600);
        assert!(refusal(&source).contains("zero"));
    }

    #[test]
    fn a_file_that_others_may_use_is_refused_with_the_command_that_helps() {
        for mode in [0o640, 0o604, 0o644, 0o660, 0o666, 0o700, 0o620] {
            let (_folder, source) = file(HEX, mode);
            assert!(refusal(&source).contains("chmod 600"), "{mode:o}");
        }
        for mode in [0o600, 0o400] {
            let (_folder, source) = file(HEX, mode);
            assert!(RootKey::load(&source).is_ok(), "{mode:o}");
        }
    }

    #[test]
    fn no_refusal_shows_the_key() {
        let (_folder, source) = file(&format!("{HEX}00"), 0o600);
        assert!(!refusal(&source).contains("0a0b0c"));
    }

    #[test]
    fn a_missing_file_or_variable_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(refusal(&RootSource::File(folder.path().join("none.key"))).contains("none.key"));
        assert!(refusal(&RootSource::File(folder.path().to_owned())).contains("regular file"));
        assert!(refusal(&RootSource::Environment("STRONGROOM_NO_SUCH".into())).contains("STRONGROOM_NO_SUCH"));
    }

    #[test]
    fn a_created_key_is_private_loads_again_and_is_never_overwritten() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("root.key");
        let Ok(made) = RootKey::create(&path, &OsEntropy) else { panic!("created") };
        assert_eq!(std::fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
        let Ok(loaded) = RootKey::load(&RootSource::File(path.clone())) else { panic!("loads") };
        assert_eq!(loaded.0.expose(), made.0.expose());
        let before = std::fs::read(&path).expect("readable");
        assert!(RootKey::create(&path, &OsEntropy).is_err());
        assert_eq!(std::fs::read(&path).expect("readable"), before);
    }

    #[test]
    fn a_demos_key_is_known_again_and_others_are_not_taken_for_one() {
        let Ok(demo) = RootKey::generate_for_demo(&OsEntropy) else { panic!("made") };
        let Ok(other) = RootKey::generate(&OsEntropy) else { panic!("made") };
        assert!(demo.is_of_a_demo() && !other.is_of_a_demo());
        let Ok(again) = RootKey::parse(&*demo.line()) else { panic!("reads back") };
        assert!(again.is_of_a_demo());
        let mut changed = *demo.0.expose();
        changed[0] ^= 1;
        assert!(!RootKey(SecretBytes::new(changed)).is_of_a_demo());
    }

    #[test]
    fn fingerprints_tell_keys_apart_and_are_stable() {
        let key = |byte| RootKey(SecretBytes::new([byte; 32]));
        assert_eq!(key(1).fingerprint().len(), 16);
        assert_eq!(key(1).fingerprint(), key(1).fingerprint());
        assert_ne!(key(1).fingerprint(), key(2).fingerprint());
    }
}
