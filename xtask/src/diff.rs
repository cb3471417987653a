//! `cargo xtask diff-python`: builds the differential harness with optimisation and runs it.

use std::path::Path;
use std::process::{Command, ExitCode};

/// Runs the harness of the workspace at `root` with these arguments; its exit code.
///
/// # Errors
/// When cargo cannot be started.
pub(super) fn run(root: &Path, arguments: &[String]) -> Result<ExitCode, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    // A program of its own: `cargo xtask tidy` need not build an engine.
    let status = Command::new(cargo)
        .current_dir(root)
        .args(["run", "--quiet", "--package", "streamalert-difftest", "--profile"])
        .arg(profile())
        .arg("--")
        .args(arguments)
        .status()
        .map_err(|error| format!("cargo: {error}"))?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

/// `release`, or what DIFF_PYTHON_PROFILE says: `dev` is built faster and runs slower.
fn profile() -> String {
    std::env::var("DIFF_PYTHON_PROFILE").unwrap_or_else(|_| "release".to_owned())
}
