//! The root key: 32 bytes, as 64 hex digits, from a file that nobody else can read or from the environment.
use super::KeyError;
use crate::seal::Entropy;
use crate::secret::SecretBytes;
use sha2::Digest;
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use zeroize::{Zeroize, Zeroizing};

/// Where the root key comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RootSource {
    /// A file with 64 hex digits, mode 0600 or stricter.
    File(PathBuf),
    /// An environment variable with 64 hex digits.
    Environment(String),
}

/// The root key: 32 secret bytes and a public fingerprint. No `Debug`.
pub struct RootKey(pub SecretBytes<32>);

// === impl RootKey ===

impl RootKey {
    /// Loads and checks it.
    ///
    /// # Errors
    /// [`KeyError::Root`]: missing, readable by others, not 64 hex digits, or zero.
    pub fn load(source: &RootSource) -> Result<Self, KeyError> {
        match source {
            RootSource::File(path) => Self::parse(&read(path)?, &path.display().to_string()),
            RootSource::Environment(name) => {
                let value = std::env::var(name).map(Zeroizing::new);
                let value = value.map_err(|_| KeyError::Root(format!("the environment variable {name} is not set")))?;
                Self::parse(&value, &format!("environment variable {name}"))
            }
        }
    }

    /// Makes a new one and writes it to `path` (0600, never overwrites, synced).
    ///
    /// # Errors
    /// [`KeyError::Root`] when the file exists or cannot be written.
    pub fn create(path: &Path, entropy: &dyn Entropy) -> Result<Self, KeyError> {
        let mut bytes = [0; 32];
        entropy.fill(&mut bytes)?;
        let key = Self(SecretBytes::new(bytes));
        bytes.zeroize();
        let failed = |error: std::io::Error| KeyError::Root(format!("cannot write {}: {error}", path.display()));
        let mut file =
            std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
        let text = Zeroizing::new(format!("{}\n", &*Zeroizing::new(hex::encode(key.0.expose()))));
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
        Ok(key)
    }

    /// Tells keys apart in logs without telling the key: 16 hex digits of a domain-separated SHA-256.
    pub fn fingerprint(&self) -> String {
        let digest = sha2::Sha256::new().chain_update(b"strongroom.v1.root-fingerprint").chain_update(self.0.expose());
        hex::encode(&digest.finalize()[..8])
    }

    fn parse(text: &str, origin: &str) -> Result<Self, KeyError> {
        let mut bytes = [0; 32];
        let decoded = hex::decode_to_slice(text.trim(), &mut bytes);
        let key = SecretBytes::new(bytes);
        bytes.zeroize();
        decoded.map_err(|_| KeyError::Root(format!("{origin} does not hold 64 hex digits")))?;
        if key.is_zero() {
            return Err(KeyError::Root(format!("{origin} holds the zero key, which protects nothing")));
        }
        Ok(Self(key))
    }
}

fn read(path: &Path) -> Result<Zeroizing<String>, KeyError> {
    let failed = |error: std::io::Error| KeyError::Root(format!("cannot read {}: {error}", path.display()));
    let mode = std::fs::metadata(path).map_err(failed)?.permissions().mode();
    if mode & 0o077 != 0 {
        let shown = path.display();
        return Err(KeyError::Root(format!(
            "{shown} can be read by others (mode {:04o}): chmod 600 {shown}",
            mode & 0o7777
        )));
    }
    std::fs::read_to_string(path).map(Zeroizing::new).map_err(failed)
}
