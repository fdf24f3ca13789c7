//! The binary: arguments, configuration, telemetry, app, exit code. All of it is in the library.

/// Measured beside glibc's (20% more CPU a small request) and mimalloc 3 (twice the memory of a large GET): docs/PERFORMANCE.md.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> std::process::ExitCode {
    strongroom::cli::main()
}
