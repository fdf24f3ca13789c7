//! GB/s of sealing and opening 16 KiB chunks by every back end here: `cargo run --release -p sm4-kernel --example speed`.
use sm4_kernel::{Backend, Sm4, Sm4Gcm};
use std::time::{Duration, Instant};

const CHUNK: usize = 16 * 1024;
/// How long one thing is measured.
const TIME: Duration = Duration::from_millis(1000);
/// Chunks between two looks at the clock: about a millisecond or less, shorter than what other programs take a core away for.
const RUNS: u32 = 32;

/// The best stretch: what a core does while nothing disturbs it.
fn best(mut work: impl FnMut()) -> f64 {
    let (started, mut best) = (Instant::now(), Duration::MAX);
    while started.elapsed() < TIME {
        let stretch = Instant::now();
        (0..RUNS).for_each(|_| work());
        best = best.min(stretch.elapsed());
    }
    f64::from(RUNS) * CHUNK as f64 / best.as_secs_f64() / 1e9
}

fn main() {
    println!(
        "{:<12} {:>10} {:>10} {:>10}   GB/s, {CHUNK}-byte chunks, one core; the fastest here is {}",
        "",
        "seal",
        "open",
        "SM4-CTR",
        Backend::best().name()
    );
    for backend in Backend::ALL {
        let (Some(gcm), Some(block)) = (Sm4Gcm::with_backend(&[7; 16], backend), Sm4::with_backend(&[7; 16], backend))
        else {
            println!("{:<12} not on this machine", backend.name());
            continue;
        };
        let mut data = vec![0u8; CHUNK];
        let seal = best(|| {
            gcm.seal_in_place(&[1; 12], &[], &mut data).expect("one chunk");
        });
        let sealed = data.clone();
        let tag = gcm.seal_in_place(&[1; 12], &[], &mut data).expect("one chunk");
        assert_ne!(sealed, data);
        let mut ciphertext = data.clone();
        let open = best(|| {
            ciphertext.copy_from_slice(&data);
            gcm.open_in_place(&[1; 12], &[], &mut ciphertext, &tag).expect("authentic");
        });
        let stream = best(|| block.xor_keystream(&[1; 12], 2, &mut data));
        println!("{:<12} {seal:>10.2} {open:>10.2} {stream:>10.2}", backend.name());
    }
}
