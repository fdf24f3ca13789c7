//! The composition root: the one place that knows the concrete types and wires them.
//!
//! [`App::start`] reads secrets, probes the sites, opens state and keyring and binds the listeners, in this
//! order; [`App::run`] serves until it is told to stop, drains, and leaves nothing running.
mod actors;
mod background;
mod drill;
mod front;
mod reconcile;
mod reload;
mod signals;
mod usage;

pub use actors::{ActorError, actors, greet};
pub use signals::stop_signal;

use crate::authz::Authorizer;
use crate::config::{Config, Intents, Keys, StatePlace};
use crate::gateway::md5::Md5Pool;
use crate::gateway::{Gateway, Parts};
use crate::identity::{self, IdentityError};
use crate::keys::{Custodians, KeyError, Keyring, OsEntropy, RootSource, Roots, Vigil};
use crate::policy::{LiveRules, PolicyError, RuleSet};
use crate::recovery::object::Opener;
use crate::recovery::pace::Pace;
use crate::recovery::reconcile::Physician;
use crate::replication::Journal;
use crate::s3::BucketName;
use crate::seal::{Entropy, SealError, VaultKeyId};
use crate::site::tee::{Keeps, Tee};
use crate::site::{Site, SiteConfig, SiteError, SiteObserver, Sites};
use crate::state::{State, StateError};
use crate::telemetry::Metrics;
use background::Background;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// A started proxy: listening, not yet serving.
pub struct App {
    front: front::Front,
    background: Background,
    journal: Arc<Journal>,
    keyring: Arc<Keyring>,
    state: State,
    rules: Arc<LiveRules>,
}

/// Why the proxy does not start, or stopped with an error.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AppError {
    /// The credentials file.
    #[error(transparent)]
    Credentials(#[from] IdentityError),
    /// Who a caller is at the sites.
    #[error(transparent)]
    Actor(#[from] ActorError),
    /// The rules.
    #[error(transparent)]
    Rules(#[from] PolicyError),
    /// A site's settings.
    #[error(transparent)]
    Site(#[from] SiteError),
    /// The state database.
    #[error(transparent)]
    State(#[from] StateError),
    /// Root key or keyring.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// A vault key's name.
    #[error("the vault key name {0:?} is refused: {1}")]
    KeyName(String, SealError),
    /// No thread to hash with.
    #[error("cannot start a thread: {0}")]
    Threads(std::io::Error),
    /// A listener.
    #[error("{0}")]
    Front(#[from] front::FrontError),
}

/// What it is started for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Service,
    Demo,
}

// === impl App ===

impl App {
    /// Builds everything and binds the listeners.
    ///
    /// # Errors
    /// When something is missing that nothing can be served without. A site that is down is no reason: the others
    /// serve, and it is tried again.
    pub async fn start(config: Config) -> Result<Self, AppError> {
        Self::start_as(config, Purpose::Service).await
    }

    /// The same for `strongroom demo`, whose own root key is refused otherwise.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn start_demo(config: Config) -> Result<Self, AppError> {
        Self::start_as(config, Purpose::Demo).await
    }

    async fn start_as(config: Config, purpose: Purpose) -> Result<Self, AppError> {
        let credentials = Arc::new(identity::load(&config.credentials_file)?);
        let rules = Arc::new(LiveRules::new(RuleSet::new(config.rules, config.suites)?));
        let metrics = Metrics::new();
        let sites = build_sites(config.primary, config.backups, metrics.clone())?;
        sites.all().for_each(|site| metrics.declare_site(&site.name().0));
        let actors = actors::actors(&credentials, &sites)?;
        let look = actors::look(&credentials, &actors);
        let (unprobed, ()) = tokio::join!(probe_all(&sites, &config.system_bucket), look);
        let state = open_state(&config.state).await?;
        let entropy: Arc<dyn Entropy> = Arc::new(OsEntropy);
        let patience = config.keys.patience;
        let (keyring, vigil) =
            open_keyring(config.keys, purpose, &sites, &config.system_bucket, &rules, &state, entropy.clone()).await?;
        let journal = start_journal(config.intents, &state, &sites).await?;
        let tee = Tee::new(sites.clone(), journal.clone(), config.backup_grace).keeping(keeps(rules.clone()));
        let tee = tee.among_users(!actors.is_empty());
        let tee = if config.pace.accept_on_backup {
            state.expect_homes();
            tee.accepting_on_backup()
        } else {
            tee
        };
        let gateway = Gateway::new(Parts {
            sites: sites.clone(),
            tee: tee.clone(),
            actors,
            keyring: keyring.clone(),
            rules: rules.clone(),
            aliases: config.aliases.clone(),
            authorizer: Arc::new(Authorizer::new(config.system_bucket.clone())),
            credentials,
            state: state.clone(),
            metrics: metrics.clone(),
            entropy,
            region: config.region,
            cache_entries: config.cache_entries,
            md5: Md5Pool::start(md5_threads()).map_err(AppError::Threads)?,
            hedge: config.hedge,
        });
        let settings = front::Settings {
            listen: config.listen,
            limits: config.limits,
            domain: config.domain,
            logs: config.logs,
            metrics: metrics.clone(),
            keyring: keyring.clone(),
        };
        if let Some(report) = config.drill {
            drill::tell(report, &metrics);
        }
        let front = front::bind(settings, gateway.clone(), &sites).await?;
        let mut background = Background::new(config.retry);
        let opener = Opener {
            keyring: keyring.clone(),
            aliases: config.aliases.clone(),
            pace: Arc::new(Pace::new(config.pace.bandwidth)),
        };
        let physician = Arc::new(Physician::new(tee.clone(), opener, state.clone()));
        background.replicate(config.pace, journal.clone(), tee.clone(), metrics.clone(), physician);
        background.watch_keyring(&keyring, &sites, &metrics);
        background.tend_keys(&keyring, vigil, patience, &metrics);
        background.sweep(gateway, config.abandoned_after);
        let compared = reconcile::Schedule::new(&config.reconcile, tee, keyring.clone(), state.clone(), config.aliases);
        if let Some(schedule) = compared {
            background.reconcile(schedule, config.system_bucket.clone(), metrics);
        }
        background.probe_later(unprobed, config.system_bucket);
        Ok(Self { front, background, journal, keyring, state, rules })
    }

    /// Reads the rules again from this file on SIGHUP and when it changes.
    ///
    /// # Errors
    /// When the operating system refuses the handler.
    pub fn reload_from(&mut self, file: PathBuf) -> std::io::Result<()> {
        let hangup = signal(SignalKind::hangup())?;
        let reload = reload::Reload { file, rules: self.rules.clone(), audit: self.front.audit().clone() };
        self.background.reload(reload, hangup);
        Ok(())
    }

    /// Where S3 is served.
    pub fn address(&self) -> SocketAddr {
        self.front.address()
    }

    /// Where health and metrics are served.
    pub fn admin(&self) -> SocketAddr {
        self.front.admin()
    }

    /// Serves until `stop`, then: no new connections, requests under way end (up to the drain limit), background
    /// work ends, state is closed.
    ///
    /// # Errors
    /// When a listener breaks; background work and state are closed all the same.
    pub async fn run(self, stop: CancellationToken) -> Result<(), AppError> {
        let served = self.front.run(stop).await;
        self.background.stop().await;
        self.journal.close().await;
        self.keyring.settle_usage().await;
        self.state.close().await;
        tracing::info!("stopped");
        Ok(served?)
    }
}

/// Opens the keyring with the roots of the configuration. A root that came out of an envelope is watched from then on.
async fn open_keyring(
    keys: Keys,
    purpose: Purpose,
    sites: &Sites,
    system_bucket: &BucketName,
    rules: &LiveRules,
    state: &State,
    entropy: Arc<dyn Entropy>,
) -> Result<(Arc<Keyring>, Option<Vigil>), AppError> {
    let wanted = vault_keys(&rules.current())?;
    let custodians = Custodians::new(keys.custodians)?;
    let roots = Roots::load_what_opens(&keys.root, &keys.other_roots, &custodians).await?;
    if purpose == Purpose::Service {
        roots.refuse_of_a_demo()?;
    }
    let keyring = Keyring::open(roots, sites, system_bucket, &wanted, entropy).await?;
    let keyring = Arc::new(keyring.counting(Arc::new(usage::StateLedger(state.clone())), keys.allowance));
    let vigil = match keys.root {
        RootSource::Envelope(path) => Some(Vigil::new(path, custodians, keyring.clone(), keys.patience)),
        RootSource::File(_) | RootSource::Environment(_) => None,
    };
    Ok((keyring, vigil))
}

async fn start_journal(intents: Intents, state: &State, sites: &Sites) -> Result<Arc<Journal>, StateError> {
    let backups = sites.backups.iter().map(Site::name);
    match intents {
        Intents::Always => Journal::start(state.clone(), backups).await,
        Intents::Failures => Journal::without_intents(state.clone(), backups).await,
    }
}

/// Opens the state where the configuration says.
///
/// # Errors
/// When it cannot be opened.
pub async fn open_state(place: &StatePlace) -> Result<State, StateError> {
    match place {
        StatePlace::Folder(folder) => State::open(folder).await,
        StatePlace::Shared { url, lease } => State::connect(url, *lease).await,
    }
}

/// One thread hashes several GB/s where there are wide vectors; a second one where there are cores to spare.
fn md5_threads() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| (cores.get() / 4).clamp(1, 4))
}

/// Builds every site's clients; opens no connection.
///
/// # Errors
/// When a site's settings cannot make a client.
pub fn build_sites(
    primary: SiteConfig,
    backups: Vec<SiteConfig>,
    observer: Arc<dyn SiteObserver>,
) -> Result<Sites, AppError> {
    let primary = Site::new(primary, observer.clone())?;
    let backups = backups.into_iter().map(|config| Site::new(config, observer.clone()));
    Ok(Sites { primary, backups: backups.collect::<Result<Vec<_>, _>>()?.into() })
}

/// The retention of whatever rule is in force.
pub fn keeps(rules: Arc<LiveRules>) -> Keeps {
    Arc::new(move |at, written| rules.plan(&at.bucket, &at.key).terms.retention.map(|class| class.lock(written)))
}

/// Probes every site at once; returns those that did not answer.
async fn probe_all(sites: &Sites, system_bucket: &BucketName) -> Vec<Site> {
    let probes = sites.all().map(|site| async move { (site, site.probe(system_bucket).await) });
    let mut unprobed = Vec::new();
    for (site, result) in futures_util::future::join_all(probes).await {
        let name = site.name();
        match result {
            Ok(capabilities) => {
                tracing::info!(site = %name, quirks = ?capabilities.quirks, "site probed");
            }
            Err(error) => {
                tracing::warn!(site = %name, %error, "site cannot be probed now; it will be tried again");
                unprobed.push(site.clone());
            }
        }
    }
    unprobed
}

/// The vault keys that the rules name.
///
/// # Errors
/// When a name is none that the format can hold.
pub fn vault_keys(rules: &RuleSet) -> Result<Vec<VaultKeyId>, AppError> {
    let parse = |name: String| VaultKeyId::parse(&name).map_err(|e| AppError::KeyName(name, e));
    rules.keys().into_iter().map(parse).collect()
}
