//! What a backup accepted while the primary was out: which keys are not home yet, and where their newest bytes are.
use super::super::database::Connection;
use crate::s3::{BucketName, ObjectKey};
use crate::state::{State, StateError};
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

const HOME: &str = "SELECT home_from FROM misses WHERE bucket = $1 AND object_key = $2 AND home_from <> ''";
const BEHIND: &str = "SELECT site FROM misses WHERE bucket = $1 AND object_key = $2 AND damaged = 0";

/// A process died in the middle of a change of this key: what the backup holds may be that change, a delete too.
const DOUBTFUL: &str = "UPDATE misses SET home_gone = 1, generation = generation + 1
    WHERE bucket = $1 AND object_key = $2 AND home_from <> ''";

impl State {
    /// The backup that has what was acknowledged last of this object, while that is not at the primary yet.
    ///
    /// # Errors
    /// When it cannot be read: then nobody knows who has the newest bytes.
    pub async fn home_of(&self, bucket: &BucketName, key: &ObjectKey) -> Result<Option<String>, StateError> {
        // Nearly always nothing is away from home, and nobody need ask the file. (Others may have recorded it where the state is
        // shared.)
        let known = self.homes().load(Ordering::SeqCst);
        if !self.expects_homes() && self.no_homes_as_of().load(Ordering::SeqCst) == known {
            return Ok(None);
        }
        let query = sqlx::query_scalar(HOME).bind(bucket.as_str()).bind(key.as_str().as_bytes());
        let found = query.fetch_optional(self.readers()).await?;
        if found.is_none() {
            self.look_for_homes().await?;
        }
        Ok(found)
    }

    /// The sites that miss something of this object.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn behind(&self, bucket: &BucketName, key: &ObjectKey) -> Result<Vec<String>, StateError> {
        // As for `State::progress`.
        if !self.is_shared() && self.empty_as_of().load(Ordering::SeqCst) == self.recorded().load(Ordering::SeqCst) {
            return Ok(Vec::new());
        }
        let query = sqlx::query_scalar(BEHIND).bind(bucket.as_str()).bind(key.as_str().as_bytes());
        Ok(query.fetch_all(self.readers()).await?)
    }

    /// How many objects are away from home, by the backup that has them.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn away(&self) -> Result<BTreeMap<String, i64>, StateError> {
        let query = "SELECT home_from, count(*) FROM misses WHERE home_from <> '' GROUP BY 1";
        Ok(sqlx::query_as(query).fetch_all(self.readers()).await?.into_iter().collect())
    }

    /// Remembers when nothing is away.
    async fn look_for_homes(&self) -> Result<(), StateError> {
        let known = self.homes().load(Ordering::SeqCst);
        let query = "SELECT id FROM misses WHERE home_from <> '' LIMIT 1";
        let any: Option<i64> = sqlx::query_scalar(query).fetch_optional(self.readers()).await?;
        if any.is_none() {
            self.no_homes_as_of().store(known, Ordering::SeqCst);
        }
        Ok(())
    }
}

/// See [`DOUBTFUL`].
pub(in crate::state) async fn doubt(
    connection: &mut Connection,
    bucket: &BucketName,
    key: &[u8],
) -> Result<(), StateError> {
    sqlx::query(DOUBTFUL).bind(bucket.as_str()).bind(key).execute(connection).await?;
    Ok(())
}
