//! Damage and outages: the backup serves what the primary cannot, and nobody ever serves unverified bytes.
use crate::gateway::metadata::UserMetadata;
use crate::gateway::testbed::{Sealed, Testbed, at, bucket};
use crate::s3::Operation;
use crate::seal::TRAILER_LEN;
use crate::state::Missed;

fn flipped(sealed: &Sealed, position: usize) -> Sealed {
    let mut damaged = sealed.clone();
    damaged.bytes[position] ^= 0x10;
    damaged
}

/// A plaintext that is easy to find in an answer.
fn marked(length: usize) -> Vec<u8> {
    b"PLAINTEXT-OF-THE-CLIENT/".iter().copied().cycle().take(length).collect()
}

fn holds_plaintext(body: &[u8]) -> bool {
    body.windows(10).any(|window| window == b"OF-THE-CLI")
}

#[tokio::test]
async fn whatever_byte_is_damaged_at_the_primary_the_backup_serves() {
    let bed = Testbed::start().await;
    let plain = marked(40_000);
    let sealed = bed.put("object", &plain).await;
    let end = sealed.bytes.len();
    let trailer = end - TRAILER_LEN as usize;
    for position in [0, 30, 60, 20_000, 40_000, trailer, trailer + 20, trailer + 200, end - 1] {
        bed.store(bed.primary(), "object", &flipped(&sealed, position)).await;
        let answer = bed.get("/object", &[]).await;
        assert!(answer.status == 200 && answer.body == plain, "byte {position}");
        assert_eq!(answer.header("x-strongroom-served-by"), "backup", "byte {position}");
        assert_eq!(answer.facts.served_by.as_deref(), Some("backup"));
    }
    bed.store(bed.primary(), "object", &flipped(&sealed, 20_000)).await;
    let range = bed.get("/object", &[("range", "bytes=16000-17000")]).await;
    assert!(range.status == 206 && range.body == plain[16_000..=17_000]);
    assert_eq!(range.header("x-strongroom-served-by"), "backup");
    let untouched = bed.get("/object", &[("range", "bytes=0-99")]).await;
    assert_eq!((untouched.status, untouched.header("x-strongroom-served-by")), (206, ""));
}

#[tokio::test]
async fn damage_at_both_sites_is_an_error_without_a_byte_of_plaintext() {
    let bed = Testbed::start().await;
    let sealed = bed.put("object", &marked(40_000)).await;
    for position in [60, 20_000, sealed.bytes.len() - 100] {
        bed.store_all("object", &flipped(&sealed, position)).await;
        let answer = bed.get("/object", &[]).await;
        assert!(answer.status >= 400, "byte {position}");
        assert!(!holds_plaintext(&answer.body), "byte {position}");
        assert_eq!(answer.facts.bytes_plain, 0);
    }
}

#[tokio::test]
async fn damage_behind_the_first_batch_breaks_the_answer_off() {
    let bed = Testbed::start().await;
    let plain = marked(2_000_000);
    let sealed = bed.put("object", &plain).await;
    bed.store_all("object", &flipped(&sealed, 1_500_000)).await;
    let answer = bed.get("/object", &[]).await;
    assert!(answer.status == 200 && answer.broken);
    assert!(answer.body.len() < 1_500_000 && plain.starts_with(&answer.body));
    assert_eq!(answer.facts.error_code.as_deref(), Some("InternalError"));
}

#[tokio::test]
async fn damage_behind_the_first_batch_is_read_from_the_other_site_and_the_client_notices_nothing() {
    let bed = Testbed::start().await;
    let plain = marked(2_000_000);
    let sealed = bed.put("object", &plain).await;
    let last_chunk = sealed.bytes.len() - TRAILER_LEN as usize - 500;
    for position in [1_000_000, 1_500_000, 1_990_000, last_chunk] {
        bed.store(bed.primary(), "object", &flipped(&sealed, position)).await;
        let answer = bed.get("/object", &[]).await;
        assert!(answer.status == 200 && !answer.broken && answer.body == plain, "byte {position}");
        assert_eq!(answer.facts.served_by.as_deref(), Some("primary, backup"), "byte {position}");
        let range = bed.get("/object", &[("range", "bytes=100000-1999999")]).await;
        assert!(range.status == 206 && !range.broken && range.body == plain[100_000..], "byte {position}");
    }
    let page = bed.gateway.metrics.render();
    assert!(page.contains("strongroom_rescued_reads_total{site=\"backup\"} 8"), "{page}");
    assert!(page.contains("strongroom_integrity_failures_total{site=\"primary\"} 8"), "{page}");
}

#[tokio::test]
async fn damage_at_both_sites_but_in_different_places_still_gives_every_byte() {
    let bed = Testbed::start().await;
    let parts = [marked(5 << 20), marked(5 << 20), marked(1_000_000)];
    let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    let sealed = bed.seal("object", &parts, true, &UserMetadata::default());
    bed.store(bed.primary(), "object", &flipped(&sealed, 6_000_000)).await;
    bed.store(bed.backup(), "object", &flipped(&sealed, 1_000_000)).await;
    let answer = bed.get("/object", &[]).await;
    assert!(answer.status == 200 && !answer.broken && answer.body == parts.concat());
}

#[tokio::test]
async fn the_rest_of_a_body_is_never_another_version() {
    let bed = Testbed::start().await;
    let plain = marked(2_000_000);
    let sealed = bed.put("object", &plain).await;
    let other = bed.seal("object", &[&plain], false, &UserMetadata::default());
    bed.store(bed.primary(), "object", &flipped(&sealed, 1_500_000)).await;
    bed.store(bed.backup(), "object", &other).await;
    let answer = bed.get("/object", &[]).await;
    assert!(answer.broken && answer.body.len() < 1_500_000, "the same plaintext, but not what was being read");
    let key = at("object").key;
    bed.store(bed.backup(), "object", &sealed).await;
    let missed = Missed::new("backup", &bucket(), Some(&key), "test");
    bed.gateway.state.record_misses(vec![missed], 1).await.expect("recorded");
    assert!(bed.get("/object", &[]).await.broken, "a backup that is behind is not asked");
}

#[tokio::test]
async fn damage_in_the_last_chunk_never_ends_the_answer_cleanly() {
    let bed = Testbed::start().await;
    let plain = marked(300_000);
    let sealed = bed.put("object", &plain).await;
    bed.store_all("object", &flipped(&sealed, 300_100)).await;
    let answer = bed.get("/object", &[]).await;
    assert!(answer.broken && answer.body.len() < plain.len());
}

#[tokio::test]
async fn an_object_under_another_name_or_cut_short_does_not_open() {
    let bed = Testbed::start().await;
    let sealed = bed.put("object", &marked(1000)).await;
    bed.store_all("stolen", &sealed).await;
    let answer = bed.get("/stolen", &[]).await;
    assert!(answer.status >= 400 && !holds_plaintext(&answer.body));
    let mut cut = sealed.clone();
    cut.bytes.pop();
    bed.store_all("object", &cut).await;
    let answer = bed.get("/object", &[]).await;
    assert!(answer.status >= 400 && !holds_plaintext(&answer.body));
}

#[tokio::test]
async fn an_object_that_is_not_sealed_is_refused() {
    let bed = Testbed::start().await;
    for length in [0, 10, 600, 5000] {
        let plain = Sealed { bytes: marked(length), metadata: None };
        bed.store_all("plain", &plain).await;
        for range in [&[][..], &[("range", "bytes=0-5")]] {
            let answer = bed.get("/plain", range).await;
            assert_eq!(answer.status, 403, "{length}");
            assert!(answer.text().contains("InvalidObjectState") && !holds_plaintext(&answer.body));
        }
        assert_eq!(bed.head("/plain", &[]).await.status, 403);
    }
    let sealed = bed.seal("plain", &[&marked(77)], false, &UserMetadata::default());
    bed.store(bed.backup(), "plain", &sealed).await;
    assert_eq!(bed.get("/plain", &[]).await.body.len(), 77, "a backup that has the sealed one serves");
}

#[tokio::test]
async fn the_primary_down_the_backup_serves_everything() {
    let bed = Testbed::start().await;
    let plain = marked(400_000);
    bed.put("object", &plain).await;
    bed.put("cold", &plain).await;
    bed.get("/object", &[]).await;
    bed.stop_primary().await;
    for key in ["object", "cold"] {
        let whole = bed.get(&format!("/{key}"), &[]).await;
        assert!(whole.status == 200 && whole.body == plain, "{key}");
        assert_eq!(whole.header("x-strongroom-served-by"), "backup");
        let range = bed.get(&format!("/{key}"), &[("range", "bytes=5-300000")]).await;
        assert!(range.status == 206 && range.body == plain[5..=300_000]);
        assert_eq!(bed.head(&format!("/{key}"), &[]).await.status, 200);
    }
    assert_eq!(bed.get("/nothing", &[]).await.status, 404);
    let list = bed.ask("GET", Operation::ListObjectsV2, "?list-type=2", &[]).await;
    assert_eq!((list.status, list.header("x-strongroom-served-by")), (200, "backup"));
    assert!(list.text().contains("<Key>cold</Key>"));
    assert_eq!(bed.ask("HEAD", Operation::HeadBucket, "", &[]).await.status, 200);
}

#[tokio::test]
async fn a_backup_that_is_known_to_be_behind_is_not_asked() {
    let bed = Testbed::start().await;
    bed.put("object", &marked(100)).await;
    let key = at("object").key;
    let missed = Missed::new("backup", &bucket(), Some(&key), "test");
    bed.gateway.state.record_misses(vec![missed], 1).await.expect("recorded");
    assert_eq!(bed.get("/object", &[]).await.status, 200);
    bed.stop_primary().await;
    let answer = bed.get("/object", &[]).await;
    assert!(answer.status >= 500 && !holds_plaintext(&answer.body), "stale objects are not served");
}

#[tokio::test]
async fn what_the_healthy_primary_does_not_have_does_not_exist() {
    let bed = Testbed::start().await;
    let sealed = bed.put("object", &marked(100)).await;
    bed.get("/object", &[]).await;
    bed.primary().delete(&at("object")).await.expect("deleted");
    bed.store(bed.backup(), "object", &sealed).await;
    assert_eq!(bed.get("/object", &[]).await.status, 404);
    assert_eq!(bed.get("/object", &[("range", "bytes=0-1")]).await.status, 404);
    assert_eq!(bed.head("/object", &[]).await.status, 404);
}
