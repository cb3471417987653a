//! `streamalert`: all services and all tools in one binary.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "printing is what a command line is for"
)]

mod access;
mod admin;
mod args;
mod assembly;
mod bench;
mod canary;
mod commands;
mod explain;
mod failure;
mod health;
mod metrics;
mod outputs_file;
mod ownership;
mod paint;
mod project;
mod prompt;
mod publishers;
mod python;
mod reload;
mod replay;
mod scaffold;
mod telemetry;
mod testing;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Cli, Color, Command};
use crate::failure::Failure;

/// Alerts are made on one thread and dropped on another, for which the allocator of the C library takes a lock that the
/// threads wait for: with two lanes of the merger an alert cost a tenth more than with one.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Exit code when the command line or the configuration is wrong.
const EXIT_USAGE: u8 = 2;

/// Exit code of a program that was cut off by the reader of its output, as shells give it for SIGPIPE.
const EXIT_PIPE: i32 = 141;

/// `streamalert … | head` closes our output early. The print macros panic then; that is the end, but no fault.
fn end_quietly_on_closed_output() {
    let loud = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let text = panic
            .payload()
            .downcast_ref::<String>()
            .map(String::as_str)
            .unwrap_or_default();
        if text.starts_with("failed printing to std") && text.contains("Broken pipe") {
            #[expect(
                clippy::disallowed_methods,
                reason = "in a panic there is no way back to main"
            )]
            std::process::exit(EXIT_PIPE);
        }
        loud(panic);
    }));
}

fn main() -> ExitCode {
    end_quietly_on_closed_output();
    let cli = Cli::parse();
    paint::choose(match cli.global.color {
        Color::Auto => anstream::ColorChoice::Auto,
        Color::Always => anstream::ColorChoice::Always,
        Color::Never => anstream::ColorChoice::Never,
    });
    if let Some(dir) = &cli.global.project
        && let Err(error) = std::env::set_current_dir(dir)
    {
        return tell(&Failure::while_doing(
            &format!("cannot work in {}", dir.display()),
            error,
        ));
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return tell(&Failure::while_doing("cannot start", error)),
    };
    let ended = runtime.block_on(Box::pin(dispatch(cli)));
    // Whatever is still running was left behind on purpose (a second signal); do not wait for it.
    runtime.shutdown_background();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => tell(&failure),
    }
}

fn tell(failure: &Failure) -> ExitCode {
    match failure {
        Failure::Told => ExitCode::FAILURE,
        Failure::Problems(problems) => {
            for problem in problems {
                paint::problem(problem);
            }
            ExitCode::from(EXIT_USAGE)
        }
        Failure::Other(message) => {
            anstream::eprintln!(
                "{}error:{} {message}",
                paint::BAD.render(),
                paint::BAD.render_reset()
            );
            ExitCode::FAILURE
        }
    }
}

async fn dispatch(cli: Cli) -> Result<(), Failure> {
    let global = &cli.global;
    match cli.command {
        Command::Run(args) => commands::run::run(global, &args).await,
        Command::Ingest(args) => commands::ingest::run(global, &args).await,
        Command::Explain(args) => commands::explain::run(global, &args).await,
        Command::Test(args) => commands::test::run(global, &args).await,
        Command::Alerts(args) => commands::alerts::run(global, &args).await,
        Command::DeadLetter(args) => commands::dead_letter::run(global, &args).await,
        Command::Rules(args) => commands::rules::run(global, &args).await,
        Command::Schema(args) => commands::schema::run(global, &args),
        Command::Output(args) => commands::output::run(global, &args).await,
        Command::Secret(args) => commands::secret::run(global, &args).await,
        Command::Validate(args) => commands::validate::run(global, &args).await,
        Command::Bench(args) => commands::bench::run(global, &args).await,
        Command::Aws(args) => commands::aws::run(global, &args).await,
        Command::Status(args) => commands::status::run(global, &args).await,
        Command::Completions { shell } => {
            commands::completions::run(shell);
            Ok(())
        }
    }
}
