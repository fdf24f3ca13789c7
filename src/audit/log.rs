//! The thread that writes, and the bounded queue in front of it.
use super::sink::Sink;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// A destination of lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Nowhere.
    Off,
    /// Standard output.
    Stdout,
    /// Appended to this file; opened anew by [`AuditLog::reopen`].
    File(PathBuf),
}

/// What the log is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditSettings {
    /// Access-log lines.
    pub access: Target,
    /// JSON events.
    pub events: Target,
    /// Records that may wait or be promised at once: more than requests can be in flight.
    pub capacity: usize,
}

/// Which of the two logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogKind {
    /// The access log.
    Access,
    /// The event stream.
    Events,
}

/// Told what becomes of records, for metrics.
pub trait AuditObserver: Send + Sync {
    /// Records reached a log.
    fn written(&self, log: LogKind, records: u64);
    /// A write failed; it is tried again.
    fn failed(&self, log: LogKind);
}

/// The log. Cheap to clone.
#[derive(Clone)]
pub struct AuditLog {
    sender: mpsc::Sender<Message>,
    shared: Arc<Shared>,
}

/// A place in the queue, taken before a request is served: giving the record away at the end never waits.
pub struct Slot {
    permit: mpsc::OwnedPermit<Message>,
    shared: Arc<Shared>,
}

/// The writing thread is gone: nothing may be served that could not be written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the audit log is closed")]
pub struct AuditClosed;

enum Message {
    Record {
        access: Option<String>,
        event: Option<String>,
    },
    /// Look at the flags.
    Wake,
    /// Write what is there, answer, end.
    Close(oneshot::Sender<()>),
}

struct Shared {
    wants_access: bool,
    wants_events: bool,
    reopen: AtomicBool,
    closing: AtomicBool,
}

struct Writer {
    receiver: mpsc::Receiver<Message>,
    sinks: Vec<(LogKind, Sink)>,
    shared: Arc<Shared>,
    observer: Arc<dyn AuditObserver>,
}

/// A batch is written out when it is this big, or when nothing more waits.
const BATCH: usize = 256 * 1024;
/// How long a record waits for others: under load one wake-up and one write serve them all (10% of a small request's time).
const GATHER: Duration = Duration::from_millis(2);
/// Pauses between tries to write: doubled from the first to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How often a write is tried at shutdown before its records are given up (and counted in the log).
const LAST_TRIES: u32 = 3;

// === impl AuditLog ===

impl AuditLog {
    /// Opens both logs and starts the thread.
    ///
    /// # Errors
    /// When a file cannot be opened, or the thread not started.
    pub fn start(settings: &AuditSettings, observer: Arc<dyn AuditObserver>) -> io::Result<Self> {
        let (access, events) = (Sink::open(&settings.access)?, Sink::open(&settings.events)?);
        let shared = Arc::new(Shared {
            wants_access: access.is_some(),
            wants_events: events.is_some(),
            reopen: AtomicBool::new(false),
            closing: AtomicBool::new(false),
        });
        let sinks = [(LogKind::Access, access), (LogKind::Events, events)];
        let sinks = sinks.into_iter().filter_map(|(kind, sink)| Some((kind, sink?))).collect();
        let (sender, receiver) = mpsc::channel(settings.capacity.max(1));
        let writer = Writer { receiver, sinks, shared: shared.clone(), observer };
        thread::Builder::new().name("audit".to_owned()).spawn(move || writer.run())?;
        Ok(Self { sender, shared })
    }

    /// A place in the queue; waits while it is full.
    ///
    /// # Errors
    /// When the log is closed.
    pub async fn slot(&self) -> Result<Slot, AuditClosed> {
        let permit = self.sender.clone().reserve_owned().await.map_err(|_| AuditClosed)?;
        Ok(Slot { permit, shared: self.shared.clone() })
    }

    /// A place in the queue if there is one now.
    pub fn try_slot(&self) -> Option<Slot> {
        let permit = self.sender.clone().try_reserve_owned().ok()?;
        Some(Slot { permit, shared: self.shared.clone() })
    }

    /// Records that wait or are promised.
    pub fn queued(&self) -> usize {
        self.sender.max_capacity() - self.sender.capacity()
    }

    /// Writes an event that belongs to no request; `event` is one line of JSON with its line end.
    ///
    /// # Errors
    /// When the log is closed.
    pub async fn note(&self, event: String) -> Result<(), AuditClosed> {
        let slot = self.slot().await?;
        let event = slot.shared.wants_events.then_some(event);
        slot.permit.send(Message::Record { access: None, event });
        Ok(())
    }

    /// Opens files anew, for log rotation (SIGHUP). Done before the next line is written.
    pub fn reopen(&self) {
        self.shared.reopen.store(true, Ordering::Release);
        // When the queue is full the thread is awake anyway.
        let _ = self.sender.try_send(Message::Wake);
    }

    /// Writes out everything given so far and ends the thread. Call it when no request is in flight any more.
    pub async fn close(&self) {
        self.shared.closing.store(true, Ordering::Release);
        let (sender, done) = oneshot::channel();
        if self.sender.send(Message::Close(sender)).await.is_ok() {
            let _ = done.await;
        }
    }
}

// === impl Slot ===

impl Slot {
    /// Gives the record away. The lines are only made for logs that are wanted.
    pub fn give(self, access: impl FnOnce() -> String, event: impl FnOnce() -> String) {
        let access = self.shared.wants_access.then(access);
        let event = self.shared.wants_events.then(event);
        self.permit.send(Message::Record { access, event });
    }
}

// === impl Writer ===

impl Writer {
    fn run(mut self) {
        while let Some(message) = self.receiver.blocking_recv() {
            if !self.shared.closing.load(Ordering::Acquire) {
                thread::sleep(GATHER);
            }
            let mut closed = self.take(message);
            while closed.is_none() && self.has_room() {
                match self.receiver.try_recv() {
                    Ok(message) => closed = self.take(message),
                    Err(_) => break,
                }
            }
            if closed.is_some() {
                self.receiver.close();
            }
            if self.shared.reopen.swap(false, Ordering::AcqRel) {
                self.reopen();
            }
            for at in 0..self.sinks.len() {
                self.write(at);
            }
            if let Some(done) = closed {
                let _ = done.send(());
                return;
            }
        }
    }

    fn take(&mut self, message: Message) -> Option<oneshot::Sender<()>> {
        let (mut access, mut event) = match message {
            Message::Record { access, event } => (access, event),
            Message::Wake => return None,
            Message::Close(done) => return Some(done),
        };
        for (kind, sink) in &mut self.sinks {
            let lines = match kind {
                LogKind::Access => access.take(),
                LogKind::Events => event.take(),
            };
            if let Some(lines) = lines {
                sink.push(&lines);
            }
        }
        None
    }

    fn has_room(&self) -> bool {
        self.sinks.iter().all(|(_, sink)| sink.len() < BATCH)
    }

    /// Writes one batch, for as long as it takes. Meanwhile the queue fills up and requests wait.
    fn write(&mut self, at: usize) {
        let Some((kind, sink)) = self.sinks.get_mut(at) else { return };
        let (mut pause, mut tries) = (FIRST_PAUSE, 0);
        loop {
            let error = match sink.flush() {
                Ok(0) => return,
                Ok(records) => return self.observer.written(*kind, records),
                Err(error) => error,
            };
            self.observer.failed(*kind);
            tries += 1;
            if self.shared.closing.load(Ordering::Acquire) && tries >= LAST_TRIES {
                tracing::error!(log = ?kind, %error, records = sink.records(), "AUDIT RECORDS LOST at shutdown");
                return;
            }
            tracing::error!(log = ?kind, %error, "the audit log cannot be written: REQUESTS WAIT until it can");
            thread::sleep(pause);
            pause = (pause * 2).min(LONGEST_PAUSE);
            if self.shared.reopen.swap(false, Ordering::AcqRel)
                && let Err(error) = sink.reopen()
            {
                tracing::error!(log = ?kind, %error, "the audit log cannot be opened anew");
            }
        }
    }

    fn reopen(&mut self) {
        for (kind, sink) in &mut self.sinks {
            match sink.reopen() {
                Ok(()) => tracing::info!(log = ?kind, "opened anew"),
                // The file that is open goes on being written.
                Err(error) => tracing::error!(log = ?kind, %error, "the audit log cannot be opened anew"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::sync::atomic::AtomicU64;

    #[derive(Default)]
    struct Counts {
        written: AtomicU64,
        failed: AtomicU64,
    }

    impl AuditObserver for Counts {
        fn written(&self, _log: LogKind, records: u64) {
            self.written.fetch_add(records, Ordering::SeqCst);
        }
        fn failed(&self, _log: LogKind) {
            self.failed.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn settings(folder: &std::path::Path, capacity: usize) -> AuditSettings {
        let events = Target::File(folder.join("events.json"));
        AuditSettings { access: Target::File(folder.join("access.log")), events, capacity }
    }

    async fn give(log: &AuditLog, number: usize) {
        let slot = log.slot().await.expect("the log is open");
        slot.give(|| format!("line {number}\n"), || format!("{{\"n\":{number}}}\n"));
    }

    #[tokio::test]
    async fn closing_writes_everything_in_order_to_both_logs() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let counts = Arc::new(Counts::default());
        let log = AuditLog::start(&settings(folder.path(), 8), counts.clone()).expect("it starts");
        for number in 0..1000 {
            give(&log, number).await;
        }
        log.close().await;
        let lines = fs::read_to_string(folder.path().join("access.log")).expect("a log");
        assert!(lines.lines().eq((0..1000).map(|n| format!("line {n}")).collect::<Vec<_>>()));
        assert_eq!(fs::read_to_string(folder.path().join("events.json")).expect("a log").lines().count(), 1000);
        assert_eq!(counts.written.load(Ordering::SeqCst), 2000);
        assert!(log.slot().await.is_err(), "nothing can be promised any more");
    }

    #[tokio::test]
    async fn a_full_queue_makes_the_next_request_wait() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let log = AuditLog::start(&settings(folder.path(), 2), Arc::new(Counts::default())).expect("it starts");
        let (first, _second) = (log.slot().await.expect("open"), log.slot().await.expect("open"));
        assert!(log.try_slot().is_none());
        assert_eq!(log.queued(), 2);
        let waiting = tokio::spawn({
            let log = log.clone();
            async move { log.slot().await.is_ok() }
        });
        first.give(String::new, String::new);
        assert!(waiting.await.expect("no panic"));
    }

    #[tokio::test]
    async fn a_slot_that_is_dropped_is_free_again() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let log = AuditLog::start(&settings(folder.path(), 1), Arc::new(Counts::default())).expect("it starts");
        drop(log.slot().await);
        assert!(log.try_slot().is_some());
    }

    #[tokio::test]
    async fn reopening_lets_a_rotated_file_go() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("access.log");
        let counts = Arc::new(Counts::default());
        let log = AuditLog::start(&settings(folder.path(), 8), counts.clone()).expect("it starts");
        give(&log, 1).await;
        while counts.written.load(Ordering::SeqCst) < 2 {
            tokio::task::yield_now().await;
        }
        fs::rename(&path, folder.path().join("access.log.1")).expect("rotated");
        log.reopen();
        give(&log, 2).await;
        log.close().await;
        assert_eq!(fs::read_to_string(&path).expect("a new file"), "line 2\n");
        assert_eq!(fs::read_to_string(folder.path().join("access.log.1")).expect("the old file"), "line 1\n");
    }

    #[tokio::test]
    async fn a_log_that_cannot_be_written_holds_requests_back_and_gives_up_only_at_shutdown() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        // The device that is always full.
        let full = AuditSettings { access: Target::File("/dev/full".into()), ..settings(folder.path(), 1) };
        let counts = Arc::new(Counts::default());
        let log = AuditLog::start(&full, counts.clone()).expect("it starts");
        give(&log, 1).await;
        while counts.failed.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        let _held = log.slot().await.expect("the queue has one place");
        assert!(log.try_slot().is_none(), "the next request waits");
        drop(_held);
        log.close().await;
        assert!(counts.failed.load(Ordering::SeqCst) >= u64::from(LAST_TRIES));
        assert_eq!(fs::read_to_string(folder.path().join("events.json")).expect("the other log").lines().count(), 1);
    }
}
