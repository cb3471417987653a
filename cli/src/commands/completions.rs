use clap::CommandFactory;
use clap_complete::Shell;

use crate::args::Cli;

/// Prints the completion script of a shell.
pub(crate) fn run(shell: Shell) {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "streamalert", &mut script);
    print!("{}", String::from_utf8_lossy(&script));
}
