//! The stable twin of `fuzz/`: every body runs over fixed pseudo-random bytes, so that no target rots between fuzzing runs.
#[path = "../fuzz/src/bodies.rs"]
mod bodies;
mod seal_support;
use seal_support::Fixed;
use strongroom::seal::Entropy;

/// Runs `body` over short and long inputs, sparse and dense ones.
fn run(rounds: u64, body: fn(&[u8])) {
    for seed in 0..rounds {
        let random = Fixed::new(seed);
        let mut data = vec![0; random.below([2, 40, 400, 2_000][seed as usize % 4]) as usize];
        random.fill(&mut data).expect("fixed bytes never run out");
        if seed % 3 == 0 {
            data.iter_mut().for_each(|byte| *byte &= 0x11);
        }
        body(&data);
    }
}

#[test]
fn any_trailer_opens_consistently_or_not_at_all() {
    run(3_000, bodies::trailer);
}

#[test]
fn any_index_gives_a_consistent_layout_or_none() {
    run(3_000, bodies::index);
}

#[test]
fn a_reader_gives_out_nothing_but_the_plaintext() {
    run(1_000, bodies::reader);
}

#[test]
fn any_other_metadata_value_is_refused() {
    run(3_000, bodies::metadata);
}

#[test]
fn any_other_blob_is_refused() {
    run(3_000, bodies::blob);
}
