//! What was sealed under each key's versions: added up by whoever shares the state, and there after a restart.
mod state_support;

use strongroom::state::{KeyUsage, State};

fn usage(key: &str, version: u32, objects: u64, bytes: u64) -> KeyUsage {
    KeyUsage { key: key.to_owned(), version, objects, bytes }
}

async fn all(state: &State) -> Vec<KeyUsage> {
    let mut all = state.key_usage().await.expect("readable");
    all.sort_by(|a, b| (&a.key, a.version).cmp(&(&b.key, b.version)));
    all
}

#[tokio::test]
async fn sums_are_of_all_processes_and_survive_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let (one, two) = (state_support::open(folder.path()).await, state_support::open(folder.path()).await);
    assert_eq!(all(&one).await, []);
    assert_eq!(one.add_key_usage("hr", 1, 3, 1000).await.expect("added"), usage("hr", 1, 3, 1000));
    assert_eq!(two.add_key_usage("hr", 1, 1, 24).await.expect("added"), usage("hr", 1, 4, 1024));
    assert_eq!(two.add_key_usage("hr", 2, 1, 0).await.expect("added"), usage("hr", 2, 1, 0));
    assert_eq!(one.add_key_usage("hr", 1, -2, -1000).await.expect("given back"), usage("hr", 1, 2, 24));
    one.close().await;
    two.close().await;
    let again = state_support::open(folder.path()).await;
    assert_eq!(all(&again).await, [usage("hr", 1, 2, 24), usage("hr", 2, 1, 0)]);
}

#[tokio::test]
async fn many_at_once_are_all_counted() {
    let folder = tempfile::tempdir().expect("a folder");
    let states = [state_support::open(folder.path()).await, state_support::open(folder.path()).await];
    let adding = (0..200).map(|n| states[n % 2].add_key_usage("k", 1, 1, 10));
    let sums = futures_util::future::join_all(adding).await;
    let mut objects: Vec<u64> = sums.into_iter().map(|sum| sum.expect("added").objects).collect();
    objects.sort_unstable();
    assert_eq!(objects, (1..=200).collect::<Vec<_>>(), "each was told another sum");
    assert_eq!(all(&states[0]).await, [usage("k", 1, 200, 2000)]);
}

#[tokio::test]
async fn a_sum_that_would_run_over_stays_at_the_most() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = state_support::open(folder.path()).await;
    for _ in 0..3 {
        let sum = state.add_key_usage("k", 1, i64::MAX, 1).await.expect("added");
        assert_eq!(sum.objects, 1 << 62);
    }
    assert_eq!(all(&state).await, [usage("k", 1, 1 << 62, 3)]);
}
