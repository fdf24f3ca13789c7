//! The root key: 32 secret bytes that wrap everything else. From a file or the environment, never from the config.
use super::KeyError;
use crate::seal::Entropy;
use crate::secret::SecretBytes;
use sha2::{Digest, Sha256};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use zeroize::{Zeroize, Zeroizing};

/// Bytes of the key in hex digits.
const DIGITS: usize = 64;
/// A root key file is one line; more is something else.
const FILE_LIMIT: u64 = 256;
/// Domain of the fingerprint.
const FINGERPRINT: &[u8] = b"strongroom/v1/root-key-fingerprint\0";

/// Where the root key comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RootSource {
    /// A file with 64 hex digits, mode 0600 or stricter.
    File(PathBuf),
    /// An environment variable with 64 hex digits.
    Environment(String),
}

// === impl RootSource ===

impl RootSource {
    /// Whether there is something, good or bad.
    pub fn is_there(&self) -> bool {
        match self {
            Self::File(path) => path.exists(),
            Self::Environment(name) => std::env::var_os(name).is_some(),
        }
    }
}

impl std::fmt::Display for RootSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => write!(f, "the file {}", path.display()),
            Self::Environment(name) => write!(f, "the environment variable {name}"),
        }
    }
}

/// The root key: 32 secret bytes and a public fingerprint.
pub struct RootKey(pub SecretBytes<32>);

// === impl RootKey ===

impl RootKey {
    /// Loads and checks it.
    ///
    /// # Errors
    /// [`KeyError::Root`] when it is missing, not 64 hex digits, all zero, or a file that others may read or write.
    pub fn load(source: &RootSource) -> Result<Self, KeyError> {
        let (name, text) = match source {
            RootSource::File(path) => (path.display().to_string(), read_file(path)?),
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
        let mut bytes = Zeroizing::new([0u8; 32]);
        entropy.fill(bytes.as_mut())?;
        let key = Self(SecretBytes::new(*bytes));
        if key.0.is_zero() {
            return Err(KeyError::Root("the random generator gave zeros".to_owned()));
        }
        write_file(path, &key).map_err(|e| KeyError::Root(format!("{}: {e}", path.display())))?;
        Ok(key)
    }

    /// 16 hex digits that name the key and tell nothing about it:
    /// `SHA-256("strongroom/v1/root-key-fingerprint" || 0x00 || key)`, its first 8 bytes. For logs.
    pub fn fingerprint(&self) -> String {
        let digest = Sha256::new().chain_update(FINGERPRINT).chain_update(self.0.expose()).finalize();
        hex::encode(&digest[..8])
    }

    fn parse(text: &[u8]) -> Result<Self, &'static str> {
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

fn read_file(path: &Path) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let shown = path.display();
    let failed = |e: io::Error| KeyError::Root(format!("{shown}: {e} (`strongroom init` makes a root key)"));
    let file = File::open(path).map_err(failed)?;
    // Of the open file, so that it cannot be exchanged between the check and the read.
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(KeyError::Root(format!("{shown} is not a regular file")));
    }
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & 0o7177 != 0 {
        return Err(KeyError::Root(format!("{shown} has mode {mode:04o}, others may use it: run `chmod 600 {shown}`")));
    }
    let mut text = Zeroizing::new(Vec::with_capacity(256));
    file.take(FILE_LIMIT).read_to_end(&mut text).map_err(failed)?;
    Ok(text)
}

fn write_file(path: &Path, key: &RootKey) -> io::Result<()> {
    let mut line = Zeroizing::new([b'\n'; DIGITS + 1]);
    hex::encode_to_slice(key.0.expose(), &mut line[..DIGITS]).map_err(io::Error::other)?;
    // Written beside and linked: a running proxy may be waiting for this file, and half a key is worse than none.
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}.partial", std::process::id()));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    let written = file.write_all(line.as_ref()).and_then(|()| file.sync_all());
    line.zeroize();
    // A link, unlike a rename, never replaces.
    let linked = written.and_then(|()| std::fs::hard_link(&beside, path));
    std::fs::remove_file(&beside)?;
    linked?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::OsEntropy;

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
    fn fingerprints_tell_keys_apart_and_are_stable() {
        let key = |byte| RootKey(SecretBytes::new([byte; 32]));
        assert_eq!(key(1).fingerprint().len(), 16);
        assert_eq!(key(1).fingerprint(), key(1).fingerprint());
        assert_ne!(key(1).fingerprint(), key(2).fingerprint());
    }
}
