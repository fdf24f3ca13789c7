//! The checked configuration: what each part of the program is told.
use crate::keys::{Allowance, CustodianSettings, Patience, RootSource};
use crate::policy::{Rule, Suites};
use crate::s3::{Aliases, BucketName};
use crate::secret::SecretText;
use crate::site::{Hedge, SiteConfig};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// The whole configuration. Holds the sites' secrets: no `Debug`.
pub struct Config {
    /// The region clients sign for.
    pub region: String,
    /// Base domain of virtual-host addressing (`BUCKET.domain`); path-style addressing always works.
    pub domain: Option<String>,
    /// The bucket at every site that holds the keyring; hidden from clients.
    pub system_bucket: BucketName,
    /// Listeners.
    pub listen: Listen,
    /// Limits of connections and requests.
    pub limits: Limits,
    /// Where the state is.
    pub state: StatePlace,
    /// Root keys and their custodians.
    pub keys: Keys,
    /// The credentials file.
    pub credentials_file: PathBuf,
    /// The primary site.
    pub primary: SiteConfig,
    /// The backup sites, at least one.
    pub backups: Vec<SiteConfig>,
    /// How long a lagging backup may hold up a write before it is left behind and recorded.
    pub backup_grace: Duration,
    /// Back-off of the replication worker.
    pub retry: Retry,
    /// A multipart upload that no part has come for since so long is aborted.
    pub abandoned_after: Duration,
    /// How often the sites are compared while the proxy runs.
    pub reconcile: Reconcile,
    /// Where the newest report of a restore drill lies; `None`: nowhere.
    pub drill: Option<DrillReport>,
    /// Names that buckets had when their objects were sealed.
    pub aliases: Aliases,
    /// How much the replication worker may do at once.
    pub pace: Pace,
    /// Whether every change leaves an intent before a site is told.
    pub intents: Intents,
    /// Which suites may be written and read.
    pub suites: Suites,
    /// The rules, in order.
    pub rules: Vec<Rule>,
    /// Logs.
    pub logs: Logs,
    /// Opened trailers kept in memory.
    pub cache_entries: u64,
    /// When a slow read is asked of another site as well; `None`: never.
    pub hedge: Option<Hedge>,
}

/// The two listeners.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// S3.
    pub address: SocketAddr,
    /// Health and metrics; always plain HTTP.
    pub admin: SocketAddr,
    /// TLS for the S3 listener.
    pub tls: Option<TlsFiles>,
    /// Whether requests signed with signature version 2 are served.
    pub allow_signature_v2: bool,
}

/// Certificate chain and private key, PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// Certificate chain, leaf first.
    pub certificate: PathBuf,
    /// Private key.
    pub key: PathBuf,
}

/// What one client may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at once; more wait in the listen queue.
    pub connections: usize,
    /// Longest time for the whole head of a request.
    pub header_timeout: Duration,
    /// Longest time a connection may stand idle between requests.
    pub idle_timeout: Duration,
    /// Longest silence while a body travels.
    pub stall_timeout: Duration,
    /// How long requests under way may take to end at shutdown.
    pub drain_timeout: Duration,
    /// Largest head of a request, bytes.
    pub max_header_bytes: usize,
    /// Largest XML body, bytes.
    pub max_xml_body: usize,
}

/// Back-off between tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// After the first failure.
    pub min: Duration,
    /// At most.
    pub max: Duration,
}

/// The comparison of the sites while the proxy runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reconcile {
    /// From the end of one to the start of the next; `None`: never.
    pub every: Option<Duration>,
    /// The share of objects whose content is read and authenticated, 0 to 1.
    pub sample: f64,
    /// Whether differences are repaired.
    pub repair: bool,
    /// Most bytes a second that are read for it; `None`: no limit.
    pub bandwidth: Option<u64>,
}

/// The report of a restore drill, which the metrics tell of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DrillReport {
    /// The file.
    pub file: PathBuf,
    /// The key that it has to be signed with, 64 hex digits.
    pub public_key: String,
}

/// How much the replication worker may do at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Objects copied to one site at the same time.
    pub parallel: u32,
    /// Sealed bytes a second, of all copies together; `None`: as fast as it goes.
    pub bandwidth: Option<u64>,
    /// What reads find damaged is repaired from a good copy.
    pub repair_on_read: bool,
    /// While the primary is out a backup accepts changes in its place.
    pub accept_on_backup: bool,
}

/// Root keys, and who opens them. Holds custodians' secrets: no `Debug`.
pub struct Keys {
    /// Where the root key comes from.
    pub root: RootSource,
    /// Where others come from that open the keyring too: the next one, which may not be there yet, and earlier ones.
    pub other_roots: Vec<RootSource>,
    /// How old a key's newest version gets, and how much it seals.
    pub allowance: Allowance,
    /// Who opens roots that are wrapped.
    pub custodians: Vec<CustodianSettings>,
    /// How often they are asked whether the root may still be used, and how long their silence is borne.
    pub patience: Patience,
}

/// Where the state is.
pub enum StatePlace {
    /// In files of this folder.
    Folder(PathBuf),
    /// In a PostgreSQL that several proxies share.
    Shared {
        /// Its address, with the password.
        url: SecretText,
        /// How long a proxy is believed to live without a sign.
        lease: Duration,
    },
}

/// When changes are written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intents {
    /// Before the first site is told.
    Always,
    /// Only what is seen to have failed.
    Failures,
}

/// Where the logs go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logs {
    /// S3 server-access-log lines.
    pub access: LogTarget,
    /// JSON events.
    pub events: LogTarget,
    /// Level of the program's own log: `error`, `warn`, `info`, `debug` or `trace`.
    pub level: String,
    /// Form of the program's own log.
    pub format: LogFormat,
}

/// A destination of lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogTarget {
    /// Nowhere.
    Off,
    /// Standard output.
    Stdout,
    /// Appended to this file.
    File(PathBuf),
}

/// Form of the program's own log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}
