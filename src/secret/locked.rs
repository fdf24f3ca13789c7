//! Memory that is never swapped out, for keys: one small region, locked once, cut into slots.
//!
//! The lock is taken where the system allows it (`RLIMIT_MEMLOCK`); the region fits into the 64 KiB that containers commonly have. Keys beyond it live
//! on the heap, as everything does that libraries derive from them.
use std::io;
use std::sync::{Mutex, OnceLock, PoisonError};
use zeroize::Zeroize;

/// Bytes of a slot: the longest key that lives here.
pub(super) const SLOT: usize = 64;
/// Bytes of the region.
const REGION: usize = 32 * 1024;
/// At least the page size of every system we run on.
const PAGE: usize = 64 * 1024;

/// A slot of the region; wiped and given back when dropped.
pub(super) struct Slot(Option<&'static mut [u8; SLOT]>);

struct Region {
    free: Mutex<Vec<&'static mut [u8; SLOT]>>,
    /// Why its memory may be swapped out.
    unlocked: Option<String>,
    /// Held for as long as the process lives.
    _lock: Option<region::LockGuard>,
}

static REGION_OF_KEYS: OnceLock<Region> = OnceLock::new();

// === impl Region ===

impl Region {
    fn get() -> &'static Self {
        REGION_OF_KEYS.get_or_init(|| {
            // A page of its own on either side: nobody else's lock ends on one of ours.
            let memory: &'static mut [u8] = vec![0; REGION + 2 * PAGE].leak();
            let start = memory.as_ptr().align_offset(PAGE);
            let (_, memory) = memory.split_at_mut(start);
            let (memory, _) = memory.split_at_mut(REGION);
            let (lock, unlocked) = match region::lock(memory.as_ptr(), memory.len()) {
                Ok(lock) => (Some(lock), None),
                Err(error) => (None, Some(error.to_string())),
            };
            let (slots, _) = memory.as_chunks_mut::<SLOT>();
            Self { free: Mutex::new(slots.iter_mut().collect()), unlocked, _lock: lock }
        })
    }
}

/// Whether keys are kept out of swap space.
///
/// # Errors
/// Why not, in the system's words.
pub fn is_locked() -> io::Result<()> {
    match &Region::get().unlocked {
        None => Ok(()),
        Some(why) => Err(io::Error::other(why.clone())),
    }
}

// === impl Slot ===

impl Slot {
    /// `None` when all are taken.
    pub(super) fn take() -> Option<Self> {
        let slot = Region::get().free.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
        Some(Self(Some(slot)))
    }

    pub(super) fn bytes(&self) -> Option<&[u8; SLOT]> {
        self.0.as_deref()
    }

    pub(super) fn bytes_mut(&mut self) -> Option<&mut [u8; SLOT]> {
        self.0.as_deref_mut()
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(slot) = self.0.take() {
            slot.zeroize();
            Region::get().free.lock().unwrap_or_else(PoisonError::into_inner).push(slot);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_wiped_before_somebody_else_has_it() {
        let mut taken: Vec<Slot> = std::iter::from_fn(Slot::take).collect();
        for slot in &mut taken {
            slot.bytes_mut().expect("a slot").fill(0xAA);
        }
        drop(taken);
        let again: Vec<Slot> = std::iter::from_fn(Slot::take).collect();
        assert!(again.iter().all(|slot| slot.bytes() == Some(&[0; SLOT])));
    }
}
