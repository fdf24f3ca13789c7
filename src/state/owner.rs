//! Who is alive: every process that changes something is an [`Owner`], and what a dead one left is taken over.
//!
//! In a folder an owner holds a lock on a file of its own: the lock goes with the process, however that ends, and nobody
//! has to wait. In a shared database it has a lease, by the database's clock, that it renews ([`State::renew`]); one that has run out,
//! or that nobody ever heard of, is dead.
use super::database::Statement;
use super::open::Home;
use super::{State, StateError, folder};
use std::fs::{File, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Every process that may have left something.
const OWNERS: &str = "SELECT id FROM owners UNION SELECT owner FROM intents UNION SELECT leased_by FROM misses";
/// Those of them that live, in a shared database.
const ALIVE: &str = "SELECT id FROM owners WHERE expires_at >= CAST(extract(epoch FROM clock_timestamp()) AS BIGINT)";

/// A process, while it lives. Dropping it is dying.
#[derive(Clone)]
pub struct Owner {
    id: Arc<str>,
    _alive: Option<Arc<File>>,
}

// === impl Owner ===

impl Owner {
    /// Its id: random, never used again.
    pub fn id(&self) -> &str {
        &self.id
    }
}

impl State {
    /// A new owner, alive from now on.
    ///
    /// # Errors
    /// When it cannot be written down.
    pub async fn enlist(&self) -> Result<Owner, StateError> {
        let mut random = [0; 8];
        crate::clock::random(&mut random).map_err(|error| StateError(error.to_string()))?;
        let id: Arc<str> = hex::encode(random).into();
        let alive = match self.home() {
            Home::Folder(folder) => Some(Arc::new(locked(&owner_file(folder, &id))?)),
            Home::Shared(_) => None,
        };
        let owner = Owner { id, _alive: alive };
        self.renew(&owner).await?;
        Ok(owner)
    }

    /// A sign of life; to be given several times in each [`State::lease_time`].
    ///
    /// # Errors
    /// When it cannot be given: after a while others think that the process is dead.
    pub async fn renew(&self, owner: &Owner) -> Result<(), StateError> {
        let mut statement = Statement::new("INSERT INTO owners (id, expires_at) VALUES (");
        statement.push_bind(owner.id.to_string())?.push(", ");
        match self.lease_time() {
            None => statement.push("0"),
            Some(lease) => {
                statement.push("CAST(extract(epoch FROM clock_timestamp()) AS BIGINT) + ");
                statement.push_bind(i64::try_from(lease.as_secs()).unwrap_or(i64::MAX))?
            }
        };
        statement.push(") ON CONFLICT (id) DO UPDATE SET expires_at = excluded.expires_at");
        self.change(statement).await.map(drop)
    }

    /// How long a process is believed to live without a sign; `None`: for as long as it lives.
    pub fn lease_time(&self) -> Option<Duration> {
        match self.home() {
            Home::Folder(_) => None,
            Home::Shared(lease) => Some(*lease),
        }
    }

    /// Those that wrote something and are gone.
    pub(super) async fn dead_owners(&self, owner: &Owner) -> Result<Vec<String>, StateError> {
        // Who lives is asked last: one that enlists between the two questions is not taken for dead.
        let all: Vec<String> = sqlx::query_scalar(OWNERS).fetch_all(self.readers()).await?;
        let others = all.into_iter().filter(|id| !id.is_empty() && **id != *owner.id);
        match self.home() {
            Home::Folder(folder) => Ok(others.filter(|id| is_dead(&owner_file(folder, id))).collect()),
            Home::Shared(_) => {
                let alive: Vec<String> = sqlx::query_scalar(ALIVE).fetch_all(self.readers()).await?;
                Ok(others.filter(|id| !alive.contains(id)).collect())
            }
        }
    }

    /// What is left of a dead one once its rows are gone.
    pub(super) fn forget_owner(&self, id: &str) -> Result<(), StateError> {
        let Home::Folder(folder) = self.home() else { return Ok(()) };
        let path = owner_file(folder, id);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(folder::at(&path, &error)),
            _ => Ok(()),
        }
    }
}

fn owner_file(folder: &Path, id: &str) -> PathBuf {
    folder.join(format!("owner-{id}.lock"))
}

fn locked(path: &Path) -> Result<File, StateError> {
    let file = File::options().write(true).create_new(true).mode(0o600).open(path);
    file.and_then(|file| file.lock().map(|()| file)).map_err(|error| folder::at(path, &error))
}

/// When in doubt it lives: what it left is then taken over later.
fn is_dead(path: &Path) -> bool {
    match File::open(path) {
        Ok(file) => match file.try_lock() {
            Ok(()) => true,
            Err(TryLockError::WouldBlock | TryLockError::Error(_)) => false,
        },
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    }
}
