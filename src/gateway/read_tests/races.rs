//! Reading while somebody writes: one version or an error, never a mixture.
use crate::gateway::metadata::UserMetadata;
use crate::gateway::testbed::{Answer, Testbed};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const VERSIONS: u8 = 6;

/// Every version has its own length and is filled with its own number.
fn version(number: u8) -> Vec<u8> {
    vec![number; 300_000 + usize::from(number) * 1000]
}

/// Whether a complete answer is (a piece of) exactly one version.
fn is_one_version(answer: &Answer, whole: bool) -> bool {
    let Some(number) = answer.body.first().copied() else { return false };
    let total = version(number).len();
    let all_alike = answer.body.iter().all(|byte| *byte == number);
    let length_fits =
        if whole { answer.body.len() == total } else { answer.header("content-range").ends_with(&format!("/{total}")) };
    all_alike && length_fits
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_answer_is_one_version_however_often_the_object_is_overwritten() {
    let bed = Arc::new(Testbed::start().await);
    let sealed: Vec<_> =
        (0..VERSIONS).map(|n| bed.seal("object", &[&version(n)], false, &UserMetadata::default())).collect();
    bed.store_all("object", &sealed[0]).await;
    let done = Arc::new(AtomicBool::new(false));
    let writer = tokio::spawn({
        let (bed, done) = (bed.clone(), done.clone());
        async move {
            for round in 0..60 {
                let next = &sealed[round % usize::from(VERSIONS)];
                bed.store(bed.primary(), "object", next).await;
            }
            done.store(true, Ordering::SeqCst);
        }
    });
    let mut complete = 0;
    while !done.load(Ordering::SeqCst) {
        for range in
            [&[][..], &[("range", "bytes=1000-290000")], &[("range", "bytes=0-")], &[("if-none-match", "\"0\"")]]
        {
            let answer = bed.get("/object", range).await;
            let whole = answer.status == 200;
            if answer.broken || answer.status >= 400 {
                continue;
            }
            assert!(is_one_version(&answer, whole), "{range:?}");
            complete += 1;
        }
    }
    writer.await.expect("the writer");
    for range in [&[][..], &[("range", "bytes=1000-290000")]] {
        let answer = bed.get("/object", range).await;
        assert!(answer.status < 300 && !answer.broken && answer.body[0] == (59 % VERSIONS));
    }
    assert!(complete > 0);
}
