//! The `roundtable` program.

use std::process::ExitCode;

use clap::Parser as _;
use roundtable::cli::{self, Cli};

fn main() -> ExitCode {
    // Fails only when a provider is installed already, and nobody was here before.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let arguments = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("The program can't start its threads: {error}.");
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(cli::run(arguments));
    // What had to end has ended; a thread that still waits for the keyboard must hold nobody up.
    runtime.shutdown_background();
    ExitCode::from(code)
}
