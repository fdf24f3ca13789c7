//! Counts over processes that share a ledger, end, are killed, or cannot reach it.
use super::*;
use crate::seal::{OBJECTS_PER_VERSION, VaultKeyId};
use proptest::prelude::*;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;

#[derive(Default)]
struct Book {
    sum: Mutex<Used>,
    asked: AtomicU64,
    out: AtomicBool,
}

impl Book {
    fn holding(objects: u64) -> Self {
        Self { sum: Mutex::new(Used { objects, bytes: 0 }), ..Self::default() }
    }

    fn sum(&self) -> Used {
        *self.sum.lock().expect("not poisoned")
    }

    fn reach(&self) -> Result<(), String> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        if self.out.load(Ordering::SeqCst) { Err("out".to_owned()) } else { Ok(()) }
    }
}

#[async_trait]
impl Ledger for Book {
    async fn add(&self, _: &VaultKeyRef, more: Used) -> Result<Used, String> {
        tokio::task::yield_now().await;
        self.reach()?;
        let mut sum = self.sum.lock().expect("not poisoned");
        *sum = Used { objects: sum.objects + more.objects, bytes: sum.bytes + more.bytes };
        Ok(*sum)
    }

    async fn give_back(&self, _: &VaultKeyRef, less: Used) -> Result<(), String> {
        self.reach()?;
        let mut sum = self.sum.lock().expect("not poisoned");
        *sum = Used { objects: sum.objects - less.objects, bytes: sum.bytes - less.bytes };
        Ok(())
    }

    async fn sums(&self) -> Result<Vec<(String, u32, Used)>, String> {
        Ok(vec![("k".to_owned(), 1, self.sum())])
    }
}

fn tally() -> Tally {
    let id = VaultKeyId::parse("k").expect("a name");
    Tally::new(VaultKeyRef { id, version: 1 })
}

fn objects(limit: u64) -> Allowance {
    Allowance { objects: limit, ..Allowance::default() }
}

#[tokio::test]
async fn many_objects_ask_the_ledger_a_few_times_and_a_clean_end_leaves_the_exact_sum() {
    let (book, tally) = (Book::default(), tally());
    for _ in 0..100_000 {
        tally.take_object(&book, &Allowance::default()).await.expect("far from the limit");
        tally.take_bytes(1000, &book, &Allowance::default()).await.expect("no limit");
    }
    assert!(book.asked.load(Ordering::SeqCst) < 60, "{:?}", book.asked);
    assert!(book.sum().objects >= 100_000 && book.sum().bytes >= 100_000_000);
    tally.settle(&book).await.expect("given back");
    assert_eq!(book.sum(), Used { objects: 100_000, bytes: 100_000_000 });
    assert_eq!(tally.used(), book.sum());
    tally.take_object(&book, &Allowance::default()).await.expect("taken anew");
    assert!(book.sum().objects > 100_000);
}

#[tokio::test]
async fn processes_that_share_a_ledger_seal_exactly_the_limit_together() {
    let (book, processes) = (Book::default(), [tally(), tally(), tally()]);
    let mut sealed = 0;
    for turn in 0..40 {
        sealed += u64::from(processes[turn % 3].take_object(&book, &objects(10)).await.is_ok());
    }
    assert_eq!((sealed, book.sum().objects), (10, 10));
    assert_eq!(processes[0].take_object(&book, &objects(10)).await, Err(Short::Spent(Counted::Objects)));
}

#[tokio::test]
async fn whoever_comes_at_the_same_time_never_gets_more_than_is_left() {
    let (book, tally) = (Book::holding(5), tally());
    let limit = objects(12);
    let all = futures_util::future::join_all((0..50).map(|_| tally.take_object(&book, &limit))).await;
    assert_eq!(all.iter().filter(|taken| taken.is_ok()).count(), 7);
    assert_eq!(tally.used().objects, 12);
}

#[tokio::test]
async fn the_suites_own_limit_is_a_limit() {
    let (book, tally) = (Book::holding(OBJECTS_PER_VERSION - 2), tally());
    let suite = Allowance::default();
    for expected in [true, true, false, false] {
        assert_eq!(tally.take_object(&book, &suite).await.is_ok(), expected);
    }
    assert_eq!(book.sum().objects, OBJECTS_PER_VERSION);
    assert!((suite.share(tally.used()) - 1.0).abs() < 1e-9 && suite.due(tally.used()) == Some(Counted::Objects));
}

#[tokio::test]
async fn past_the_limit_of_bytes_no_object_is_begun_and_one_under_way_is_finished() {
    let (book, tally) = (Book::default(), tally());
    let limit = Allowance { bytes: Some(1 << 20), ..Allowance::default() };
    tally.take_object(&book, &limit).await.expect("the first");
    tally.take_bytes((1 << 20) - 1, &book, &limit).await.expect("its first part");
    tally.take_object(&book, &limit).await.expect("one byte is left");
    tally.take_bytes(1 << 30, &book, &limit).await.expect("its next part");
    assert_eq!(tally.take_object(&book, &limit).await, Err(Short::Spent(Counted::Bytes)));
    assert_eq!(tally.used().objects, 2);
    assert_eq!(limit.due(Used { objects: 1, bytes: 15 << 16 }), Some(Counted::Bytes));
    assert_eq!(limit.due(Used { objects: 1, bytes: (15 << 16) - 1 }), None);
}

#[tokio::test]
async fn nothing_is_sealed_that_cannot_be_counted_and_those_who_wait_do_not_ask_in_turn() {
    let (book, tally, suite) = (Book::default(), tally(), Allowance::default());
    book.out.store(true, Ordering::SeqCst);
    let all = futures_util::future::join_all((0..50).map(|_| tally.take_object(&book, &suite))).await;
    assert!(all.iter().all(|taken| *taken == Err(Short::Ledger("out".to_owned()))));
    assert_eq!(book.asked.load(Ordering::SeqCst), 1);
    assert_eq!(tally.used(), Used::default());
    book.out.store(false, Ordering::SeqCst);
    tally.take_object(&book, &suite).await.expect("asked anew at once");
}

#[tokio::test]
async fn what_others_used_is_learnt_unless_the_ledger_is_being_changed_from_here() {
    let (book, one, two) = (Book::default(), tally(), tally());
    for _ in 0..5 {
        one.take_object(&book, &objects(1 << 20)).await.expect("sealed");
    }
    let mark = two.mark();
    two.learn(mark, book.sum());
    assert_eq!(two.used().objects, book.sum().objects);
    let mark = two.mark();
    two.take_object(&book, &objects(1 << 20)).await.expect("sealed");
    let known = two.used();
    two.learn(mark, Used::default());
    assert_eq!(two.used(), known, "what was read before is old");
}

proptest! {
    /// Each step: a process seals, ends, or is killed and begins anew. At every moment the ledger holds at least what was sealed.
    #[test]
    fn the_ledger_never_holds_less_than_was_sealed(steps in proptest::collection::vec((0usize..3, 0u8..12, 0u64..5000), 1..200), limit in 1u64..400) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        runtime.block_on(async {
            let (book, mut processes) = (Book::default(), [tally(), tally(), tally()]);
            let allowance = Allowance { after: None, objects: limit, bytes: Some(100_000) };
            let (mut objects, mut bytes) = (0, 0);
            for (at, what, size) in steps {
                match what {
                    0 => processes[at] = tally(),
                    1 => {
                        processes[at].settle(&book).await.expect("given back");
                        processes[at] = tally();
                    }
                    _ => {
                        if processes[at].take_object(&book, &allowance).await.is_ok() {
                            objects += 1;
                            processes[at].take_bytes(size, &book, &allowance).await.expect("counted");
                            bytes += size;
                        }
                    }
                }
                prop_assert!(book.sum().objects >= objects && book.sum().bytes >= bytes);
                prop_assert!(objects <= limit && book.sum().objects <= limit);
            }
            Ok(())
        })?;
    }
}

#[tokio::test]
async fn who_comes_while_the_ledger_is_asked_does_not_make_another_one_short() {
    let (book, tally) = (Book::default(), std::sync::Arc::new(tally()));
    let book = std::sync::Arc::new(book);
    let one_by_one = (0..64).map(|turn| {
        let (book, tally) = (book.clone(), tally.clone());
        tokio::spawn(async move {
            for _ in 0..turn {
                tokio::task::yield_now().await;
            }
            for _ in 0..50 {
                tally.take_object(&*book, &Allowance::default()).await?;
                tally.take_bytes(10, &*book, &Allowance::default()).await?;
            }
            Ok::<_, Short>(())
        })
    });
    for done in one_by_one.collect::<Vec<_>>() {
        assert_eq!(done.await.expect("no panic"), Ok(()));
    }
    assert_eq!(tally.used(), Used { objects: 3200, bytes: 32_000 });
    let sum = book.sum();
    assert!(sum.objects >= 3200 && sum.bytes >= 32_000, "{sum:?}");
}
