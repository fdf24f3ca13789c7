//! What a drill says of itself: the content of the signed report. Whole numbers and texts only, so that its form as
//! JSON is the same everywhere.
use serde::{Deserialize, Serialize};

/// Of this form.
pub const FORMAT: u32 = 1;

/// A restore drill.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// [`FORMAT`].
    pub format: u32,
    /// Every sampled object was restored and is right, and there was at least one.
    pub passed: bool,
    /// RFC 3339, UTC.
    pub started: String,
    /// RFC 3339, UTC.
    pub ended: String,
    /// `ended` in Unix seconds.
    pub ended_at: i64,
    /// The version of the program.
    pub program: String,
    /// What the restoring process was given to work with.
    pub isolation: Isolation,
    /// What the backup holds.
    pub held: Held,
    /// What was sampled and restored.
    pub sample: Sample,
    /// Held against a listing of the primary that was exported before, where there was one.
    pub manifest: Option<ManifestCheck>,
    /// Recovery point.
    pub rpo: Measure,
    /// Recovery time for everything that the backup holds.
    pub rto: Measure,
}

/// What the restoring process could reach.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Isolation {
    /// The one site whose address and credential it was given.
    pub site: String,
    /// That site's address.
    pub endpoint: String,
    /// The sites that it was not told of, by name: neither address nor credential.
    pub withheld: Vec<String>,
    /// The remote addresses of all connections that the process had open, read from the system while it worked.
    pub connections: Vec<String>,
    /// What became of an attempt to reach each withheld site, made before and after the work; absent in reports of older programs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<Attempt>,
    /// Names of environment variables that the process had (none is expected).
    pub environment: Vec<String>,
    /// Fingerprint of the root key that it used: the escrowed copy.
    pub root_key: String,
}

/// An attempt to reach a site that must not be reachable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// The site.
    pub site: String,
    /// Its address: all that the process was told of it.
    pub endpoint: String,
    /// No connection was made.
    pub refused: bool,
    /// What came of it.
    pub outcome: String,
}

/// What the site holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// The buckets looked at.
    pub buckets: Vec<String>,
    /// Objects in them.
    pub objects: u64,
    /// Sealed bytes in them.
    pub sealed_bytes: u64,
    /// The newest object's time there, Unix seconds; 0: none.
    pub newest: i64,
}

/// What was restored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// How many were asked for.
    pub asked: u64,
    /// Which ones: those with the smallest `SHA-256("strongroom/v1/sample" || 0 || seed || bucket || 0 || key)`.
    pub seed: u64,
    /// The objects.
    pub objects: Vec<Sampled>,
    /// Plain bytes that were restored and are right.
    pub plain_bytes: u64,
    /// From the first request to the last verified byte.
    pub milliseconds: u64,
}

/// One object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sampled {
    /// Bucket.
    pub bucket: String,
    /// Key.
    pub key: String,
    /// Plain bytes restored.
    pub bytes: u64,
    /// True when it is under a customer's key: it was restored as it lies at the site, everything but its content verified.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub content_not_checked: bool,
    /// Why it is not right; absent when it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// The backup against the exported listing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestCheck {
    /// When the listing was exported, Unix seconds.
    pub taken: i64,
    /// Objects in it.
    pub objects: u64,
    /// Of these, missing at the backup.
    pub missing: u64,
    /// Of these, with another content at the backup.
    pub different: u64,
}

/// A measured time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measure {
    /// Seconds.
    pub seconds: u64,
    /// How it was measured.
    pub basis: String,
}
