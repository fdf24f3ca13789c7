//! The book of intents: which are wanted, written, or over. No I/O: what is to be written is handed out by [`Book::take`]
//! and reported back to [`Book::done`].
//!
//! A burst of changes of one key shares one intent; one that is over stays in the file until the next exchange, and is
//! taken up again by whoever changes the key before.
use crate::s3::{BucketName, ObjectKey};
use crate::state::{EndedIntent, Exchange, IntentRow};
use std::collections::HashMap;
use tokio::sync::watch;

/// Numbers of intents whose writing failed, kept to be taken back; beyond this they wait for the next start.
const STRAYS: usize = 10_000;

/// What became of the exchange that an intent is part of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Open,
    Written,
    Failed(String),
}

type Name = (BucketName, Option<ObjectKey>);

/// Every intent of this process.
pub(super) struct Book {
    next: i64,
    rows: HashMap<i64, Entry>,
    /// The ones that may be shared.
    by_name: HashMap<Name, i64>,
    begun: Vec<i64>,
    over: Vec<i64>,
    stray: Vec<i64>,
    /// Tells everybody whose intent goes with the next exchange.
    page: watch::Sender<Verdict>,
}

struct Entry {
    name: Name,
    retain_until: i64,
    users: usize,
    /// Those of the users whose change may have reached a site.
    committing: usize,
    broken: bool,
    stage: Stage,
    verdict: watch::Receiver<Verdict>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Waiting,
    Writing,
    Written,
}

/// An exchange under way.
pub(super) struct Page {
    pub(super) exchange: Exchange,
    tell: watch::Sender<Verdict>,
}

// === impl Book ===

impl Book {
    pub(super) fn new() -> Self {
        let (page, _) = watch::channel(Verdict::Open);
        Self {
            next: 1,
            rows: HashMap::new(),
            by_name: HashMap::new(),
            begun: Vec::new(),
            over: Vec::new(),
            stray: Vec::new(),
            page,
        }
    }

    /// An intent for this key, shared where that is possible: its number, and where to learn that it is written.
    pub(super) fn begin(&mut self, name: Name, retain_until: i64) -> (i64, watch::Receiver<Verdict>) {
        let shared = self.by_name.get(&name).filter(|_| retain_until == 0).copied();
        if let Some((seq, entry)) = shared.and_then(|seq| Some((seq, self.rows.get_mut(&seq)?))) {
            entry.users += 1;
            return (seq, entry.verdict.clone());
        }
        let seq = self.next;
        self.next += 1;
        let verdict = self.page.subscribe();
        if retain_until == 0 {
            self.by_name.insert(name.clone(), seq);
        }
        let entry = Entry {
            name,
            retain_until,
            users: 1,
            committing: 0,
            broken: false,
            stage: Stage::Waiting,
            verdict: verdict.clone(),
        };
        self.rows.insert(seq, entry);
        self.begun.push(seq);
        (seq, verdict)
    }

    /// One of its users begins (or ends) to tell the sites.
    pub(super) fn commits(&mut self, seq: i64, begins: bool) {
        if let Some(entry) = self.rows.get_mut(&seq) {
            entry.committing = if begins { entry.committing + 1 } else { entry.committing.saturating_sub(1) };
        }
    }

    /// One of its users is done. How many intents can be taken back now.
    pub(super) fn end(&mut self, seq: i64, broken: bool) -> usize {
        let Some(entry) = self.rows.get_mut(&seq) else { return self.over.len() };
        entry.users -= 1;
        entry.broken |= broken;
        if broken {
            forget(&mut self.by_name, &entry.name, seq);
        }
        if entry.users == 0 && entry.stage == Stage::Written {
            self.over.push(seq);
        }
        // (One that is not written yet is over when it is: see `take` and `done`.)
        self.over.len()
    }

    /// What is to be written and taken back; `None`: nothing.
    pub(super) fn take(&mut self) -> Option<Page> {
        let mut exchange = Exchange { stray: std::mem::take(&mut self.stray), ..Exchange::default() };
        for seq in std::mem::take(&mut self.begun) {
            let Some(entry) = self.rows.get_mut(&seq) else { continue };
            if entry.users == 0 {
                self.remove(seq);
                continue;
            }
            entry.stage = Stage::Writing;
            exchange.begun.push(entry.row(seq));
        }
        for seq in std::mem::take(&mut self.over) {
            // It may have found a new user meanwhile, or be listed twice because of one.
            let Some(entry) = self.rows.get(&seq).filter(|entry| entry.users == 0) else { continue };
            exchange.ended.push(EndedIntent { row: entry.row(seq), broken: entry.broken });
            self.remove(seq);
        }
        if exchange == Exchange::default() {
            return None;
        }
        let (page, _) = watch::channel(Verdict::Open);
        Some(Page { exchange, tell: std::mem::replace(&mut self.page, page) })
    }

    /// How it went; `Err`: nothing (that we know of) was written, and what is over is taken back another time.
    pub(super) fn done(&mut self, page: Page, result: Result<(), String>) {
        for row in page.exchange.begun {
            let Some(entry) = self.rows.get_mut(&row.seq) else { continue };
            match &result {
                Ok(()) => {
                    entry.stage = Stage::Written;
                    if entry.users == 0 {
                        self.over.push(row.seq);
                    }
                }
                Err(_) => {
                    self.remove(row.seq);
                    self.stray.push(row.seq);
                }
            }
        }
        if result.is_err() {
            self.stray.extend(page.exchange.stray);
            self.stray.truncate(STRAYS);
            self.over.extend(page.exchange.ended.iter().map(|ended| ended.row.seq));
            let entries = page.exchange.ended.into_iter().map(|ended| (ended.row.seq, Entry::over(ended)));
            self.rows.extend(entries);
        }
        // Nobody may be waiting any more.
        let _ = page.tell.send(result.map_or_else(Verdict::Failed, |()| Verdict::Written));
    }

    /// How many intents are over and not taken back yet.
    pub(super) fn leftover(&self) -> usize {
        self.over.len()
    }

    /// Whether this process is telling the sites of a change of this key.
    pub(super) fn is_changing(&self, name: &Name) -> bool {
        self.by_name.get(name).and_then(|seq| self.rows.get(seq)).is_some_and(|entry| entry.committing > 0)
    }

    fn remove(&mut self, seq: i64) {
        if let Some(entry) = self.rows.remove(&seq) {
            forget(&mut self.by_name, &entry.name, seq);
        }
    }
}

fn forget(by_name: &mut HashMap<Name, i64>, name: &Name, seq: i64) {
    if by_name.get(name) == Some(&seq) {
        by_name.remove(name);
    }
}

// === impl Entry ===

impl Entry {
    fn over(ended: EndedIntent) -> Self {
        let (_, verdict) = watch::channel(Verdict::Written);
        let IntentRow { bucket, key, retain_until, .. } = ended.row;
        let name = (bucket, key);
        let (users, committing) = (0, 0);
        Self { name, retain_until, users, committing, broken: ended.broken, stage: Stage::Written, verdict }
    }

    fn row(&self, seq: i64) -> IntentRow {
        let (bucket, key) = self.name.clone();
        IntentRow { seq, bucket, key, retain_until: self.retain_until }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(key: &str) -> Name {
        (BucketName::parse("bucket").expect("a name"), Some(ObjectKey::parse(key).expect("a key")))
    }

    fn write(book: &mut Book) -> Exchange {
        let page = book.take().expect("something");
        let exchange = page.exchange.clone();
        book.done(page, Ok(()));
        exchange
    }

    #[test]
    fn an_intent_is_written_told_and_taken_back() {
        let mut book = Book::new();
        let (seq, verdict) = book.begin(name("a"), 0);
        assert_eq!(*verdict.borrow(), Verdict::Open);
        assert_eq!(write(&mut book).begun.len(), 1);
        assert_eq!(*verdict.borrow(), Verdict::Written);
        assert!(book.take().is_none(), "it is being used");
        assert_eq!(book.end(seq, false), 1);
        let exchange = write(&mut book);
        assert_eq!((exchange.ended.len(), exchange.ended[0].broken), (1, false));
        assert!(book.take().is_none() && book.rows.is_empty() && book.by_name.is_empty());
    }

    #[test]
    fn a_burst_on_one_key_shares_one_intent() {
        let mut book = Book::new();
        let (first, _) = book.begin(name("a"), 0);
        write(&mut book);
        for _ in 0..100 {
            let (seq, verdict) = book.begin(name("a"), 0);
            assert_eq!((seq, verdict.borrow().clone()), (first, Verdict::Written), "durable at once");
            book.end(seq, false);
        }
        assert!(!book.is_changing(&name("a")));
        book.commits(first, true);
        assert!(book.is_changing(&name("a")));
        book.commits(first, false);
        book.end(first, false);
        // Taken up again before it was taken back.
        let (again, _) = book.begin(name("a"), 0);
        assert_eq!(again, first);
        assert!(book.take().is_none());
        book.end(again, false);
        assert_eq!(write(&mut book).ended.len(), 1);
        assert_ne!(book.begin(name("a"), 0).0, first, "numbers are never used again");
    }

    #[test]
    fn one_that_was_never_written_is_not_written_any_more() {
        let mut book = Book::new();
        let (seq, _) = book.begin(name("a"), 0);
        book.end(seq, false);
        assert!(book.take().is_none() && book.rows.is_empty());
    }

    #[test]
    fn one_that_is_over_while_it_is_written_is_taken_back_next_time() {
        let mut book = Book::new();
        let (seq, _) = book.begin(name("a"), 0);
        let page = book.take().expect("something");
        book.end(seq, false);
        book.done(page, Ok(()));
        assert_eq!(write(&mut book).ended.len(), 1);
    }

    #[test]
    fn a_broken_one_is_shared_with_nobody_and_stays_broken() {
        let mut book = Book::new();
        let (seq, _) = book.begin(name("a"), 0);
        let (_, _) = book.begin(name("a"), 0);
        write(&mut book);
        book.end(seq, true);
        assert_ne!(book.begin(name("a"), 0).0, seq);
        book.end(seq, false);
        assert!(write(&mut book).ended[0].broken);
    }

    #[test]
    fn what_is_retained_has_an_intent_of_its_own() {
        let mut book = Book::new();
        let (plain, _) = book.begin(name("a"), 0);
        let (retained, _) = book.begin(name("a"), 77);
        assert_ne!(plain, retained);
        let exchange = write(&mut book);
        assert_eq!(exchange.begun.iter().map(|row| row.retain_until).collect::<Vec<_>>(), [0, 77]);
    }

    #[test]
    fn a_failed_exchange_fails_its_intents_and_forgets_nothing_that_is_over() {
        let mut book = Book::new();
        let (old, _) = book.begin(name("old"), 0);
        write(&mut book);
        book.end(old, true);
        let (new, verdict) = book.begin(name("new"), 0);
        let page = book.take().expect("something");
        book.done(page, Err("full".into()));
        assert_eq!(*verdict.borrow(), Verdict::Failed("full".into()));
        book.end(new, false);
        let exchange = write(&mut book);
        assert_eq!((exchange.begun.len(), exchange.stray), (0, vec![new]), "perhaps it was written after all");
        assert!(exchange.ended[0].broken && exchange.ended[0].row.seq == old);
        assert!(book.take().is_none());
    }
}
