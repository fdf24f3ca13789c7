//! What was noted and not yet written: bounded, sorted, and visible to readers all the while.
use super::super::IndexEntry;
use super::Known;
use crate::s3::{BucketName, ObjectKey};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Keys that wait at most; more are not noted.
const LIMIT: usize = 16 * 1024;

/// Up to two sealed forms of each key, the newest first.
pub(super) type Notes = BTreeMap<(BucketName, String), Forms>;

/// The newest form of an object and, where one was noted too, the one before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Forms {
    pub(super) newest: IndexEntry,
    pub(super) older: Option<IndexEntry>,
}

/// The queue. A note moves from `waiting` to `writing` and leaves only when it is in the file.
#[derive(Default)]
pub(super) struct Queue {
    maps: Mutex<Maps>,
}

#[derive(Default)]
struct Maps {
    waiting: Notes,
    writing: Arc<Notes>,
}

// === impl Queue ===

impl Queue {
    /// How many keys wait now; 0 when this one was dropped or was known already.
    pub(super) fn add(&self, bucket: &BucketName, key: &ObjectKey, entry: IndexEntry) -> usize {
        let key = (bucket.clone(), key.as_str().to_owned());
        let mut maps = self.lock();
        if let Some(forms) = maps.waiting.get_mut(&key) {
            forms.add(entry);
            return 0;
        }
        if maps.waiting.len() >= LIMIT {
            return 0;
        }
        maps.waiting.insert(key, Forms { newest: entry, older: None });
        maps.waiting.len()
    }

    /// Adds what is queued of the keys from `first` to `last`.
    pub(super) fn range(&self, bucket: &BucketName, first: &str, last: &str, known: &mut Known) {
        if first > last {
            return;
        }
        let bounds = (bucket.clone(), first.to_owned())..=(bucket.clone(), last.to_owned());
        let maps = self.lock();
        for map in [&*maps.writing, &maps.waiting] {
            for ((_, key), forms) in map.range(bounds.clone()) {
                for entry in forms.oldest_first() {
                    known.insert((key.clone(), entry.sealed_etag.clone()), entry.etag.clone());
                }
            }
        }
    }

    /// Everything that waits; it stays visible until [`Self::written`].
    pub(super) fn take(&self) -> Arc<Notes> {
        let mut maps = self.lock();
        maps.writing = Arc::new(std::mem::take(&mut maps.waiting));
        maps.writing.clone()
    }

    /// What was taken is in the file.
    pub(super) fn written(&self) {
        self.lock().writing = Arc::default();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Maps> {
        self.maps.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Forms ===

impl Forms {
    fn add(&mut self, entry: IndexEntry) {
        if entry.sealed_etag != self.newest.sealed_etag {
            self.older = Some(std::mem::replace(&mut self.newest, entry));
        } else {
            self.newest = entry;
        }
    }

    fn oldest_first(&self) -> impl Iterator<Item = &IndexEntry> {
        self.older.iter().chain(std::iter::once(&self.newest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::{PlainETag, SealedETag};

    fn entry(n: u8) -> IndexEntry {
        IndexEntry { sealed_etag: SealedETag::from_backend(&format!("s{n}")), etag: PlainETag::from_md5([n; 16]) }
    }

    fn bucket() -> BucketName {
        BucketName::parse("bucket").expect("a name")
    }

    fn key(key: &str) -> ObjectKey {
        ObjectKey::parse(key).expect("a key")
    }

    #[test]
    fn a_note_is_visible_until_it_is_in_the_file() {
        let queue = Queue::default();
        queue.add(&bucket(), &key("a"), entry(1));
        let seen = || {
            let mut known = Known::new();
            queue.range(&bucket(), "a", "a", &mut known);
            known.len()
        };
        assert_eq!(seen(), 1);
        let taken = queue.take();
        assert_eq!((seen(), taken.len()), (1, 1));
        queue.written();
        assert_eq!(seen(), 0);
    }

    #[test]
    fn two_forms_of_a_key_are_kept() {
        let queue = Queue::default();
        for n in [1, 2, 3, 3, 2] {
            queue.add(&bucket(), &key("a"), entry(n));
        }
        let mut known = Known::new();
        queue.range(&bucket(), "", "z", &mut known);
        let mut tags: Vec<_> = known.keys().map(|(_, tag)| tag.as_str()).collect();
        tags.sort_unstable();
        assert_eq!(tags, ["s2", "s3"]);
    }

    #[test]
    fn a_full_queue_drops_new_keys_and_never_grows() {
        let queue = Queue::default();
        for n in 0..LIMIT + 10 {
            queue.add(&bucket(), &key(&n.to_string()), entry(1));
        }
        assert_eq!(queue.take().len(), LIMIT);
    }

    #[test]
    fn an_inverted_range_knows_nothing() {
        let mut known = Known::new();
        Queue::default().range(&bucket(), "b", "a", &mut known);
        assert!(known.is_empty());
    }
}
