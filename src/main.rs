//! The binary: arguments, configuration, telemetry, app, exit code. All of it is in the library.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    strongroom::cli::main()
}
