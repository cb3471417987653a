//! `cargo xtask sim`: builds the simulator of `tests/sim/` and runs it.

use std::path::Path;
use std::process::{Command, ExitCode};

/// Runs the simulator of the repository at `root`; all `arguments` are its own. It is built first, with the flags of
/// its own `.cargo/config.toml`, which is why cargo runs in its folder.
///
/// # Errors
/// When cargo cannot be started.
pub(super) fn run(root: &Path, arguments: &[String]) -> Result<ExitCode, String> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .current_dir(root.join("tests/sim"))
        .args(["run", "--quiet", "--profile", "sim", "--"])
        .args(arguments);
    let status = command.status().map_err(|error| format!("cargo: {error}"))?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}
