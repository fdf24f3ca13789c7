//! The binary: arguments, configuration, telemetry, app, exit code. All of it is in the library.

fn main() -> std::process::ExitCode {
    strongroom::cli::main()
}
