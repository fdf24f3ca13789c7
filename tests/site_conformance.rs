//! One suite for every kind of site: what the rest of the proxy relies on, run against the embedded site always and
//! against a real Ceph RADOS Gateway with
//! `STRONGROOM_TEST_RGW=http://127.0.0.1:PORT cargo test --ignore-rust-version --test site_conformance -- --ignored`
//! (start one with `scripts/rgw-up DIR PORT`).
#[path = "site_conformance/bench.rs"]
mod bench;
#[path = "site_conformance/buckets.rs"]
mod buckets;
#[path = "site_conformance/listings.rs"]
mod listings;
#[path = "site_conformance/multipart.rs"]
mod multipart;
#[path = "site_conformance/objects.rs"]
mod objects;
#[path = "site_conformance/writes.rs"]
mod writes;

/// Each case as a test of its own over each kind of site.
macro_rules! suite {
    ($($file:ident: $($case:ident)*;)*) => {
        mod embedded {
            $($(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                crate::$file::$case(crate::bench::Bench::embedded().await).await;
            })*)*
        }
        mod rgw {
            $($(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            #[ignore = "needs a Ceph RGW: scripts/rgw-up, then STRONGROOM_TEST_RGW"]
            async fn $case() {
                crate::$file::$case(crate::bench::Bench::rgw().await).await;
            })*)*
        }
    };
}

suite! {
    objects:
        objects_come_back_as_they_went
        ranges_select_exactly
        ranges_that_select_nothing_are_416
        a_read_can_be_pinned_to_a_version
        what_is_missing_is_404_with_its_own_code
        sealed_metadata_survives
        keys_arrive_byte_for_byte
        readers_see_one_version_or_the_other;
    writes:
        conditions_of_writes_are_honoured
        of_many_writers_who_want_to_be_first_one_is
        a_broken_off_put_leaves_nothing
        a_dropped_put_leaves_nothing_and_frees_the_feeder
        an_early_refusal_comes_before_the_body
        small_objects_are_compared_and_swapped;
    listings:
        listings_roll_up_and_resume
        markers_lead_through_a_whole_listing;
    multipart:
        parts_may_have_gaps_and_any_order
        completing_is_checked
        completing_on_condition_is_honoured_or_refused
        a_part_that_is_not_named_is_left_out_or_refused
        a_broken_off_part_leaves_the_part_before
        parts_can_be_copied_from_objects_of_the_site
        the_source_of_a_copy_is_meant_byte_for_byte;
    buckets:
        deleting_is_idempotent_and_in_batches
        buckets_live_behind_the_prefix
        the_probe_finds_what_the_site_can_do_and_cleans_up;
}
