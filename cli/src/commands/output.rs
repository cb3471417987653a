use streamalert_dispatcher::OutputRegistry;
use streamalert_types::{Clock, OutputName};

use crate::args::{self, Global};
use crate::assembly;
use crate::failure::Failure;
use crate::paint;
use crate::project::Project;

/// `output services|list|test`
pub(crate) async fn run(global: &Global, args: &args::Output) -> Result<(), Failure> {
    match args {
        args::Output::Services => {
            for service in streamalert_dispatcher::services() {
                println!("{}", service.name);
            }
            Ok(())
        }
        args::Output::List => {
            let (registry, _) = load(global).await?;
            let reason = |name: &OutputName| registry.warnings().iter().find(|warning| warning.name == *name);
            for name in registry.names() {
                match reason(name) {
                    None => anstream::println!("{name}"),
                    Some(warning) => {
                        anstream::println!("{name}  {}", paint::in_style(paint::BAD, &warning.message))
                    }
                }
            }
            Ok(())
        }
        args::Output::Test { outputs, all } => test(global, outputs, *all).await,
    }
}

async fn load(global: &Global) -> Result<(OutputRegistry, std::sync::Arc<dyn Clock>), Failure> {
    let clock = assembly::clock();
    let project = Project::load(global)?;
    let registry = Box::pin(assembly::registry(&project, clock.clone())).await?;
    Ok((registry, clock))
}

async fn test(global: &Global, wanted: &[String], all: bool) -> Result<(), Failure> {
    let (registry, clock) = load(global).await?;
    let mut names = Vec::new();
    for text in wanted {
        let name = text.parse().map_err(|_| {
            Failure::Other(format!(
                "{text:?} is not the name of an output, such as slack:security"
            ))
        })?;
        names.push(name);
    }
    if all {
        // a test is nothing for the history
        names.extend(
            registry
                .names()
                .filter(|name| **name != OutputName::history())
                .cloned(),
        );
    }
    let mut failed = 0;
    for (name, number) in names.iter().zip(clock.now().as_micros().unsigned_abs()..) {
        match registry.test(name, &*clock, number).await {
            Some(Ok(_)) => anstream::println!("{name}  {}", paint::in_style(paint::GOOD, "arrived")),
            Some(Err(error)) => {
                failed += 1;
                anstream::println!("{name}  {}", paint::in_style(paint::BAD, &error.message));
            }
            None => {
                failed += 1;
                anstream::println!(
                    "{name}  {}",
                    paint::in_style(paint::BAD, "there is no such output")
                );
            }
        }
    }
    match failed {
        0 => Ok(()),
        _ => Err(Failure::Other(format!(
            "{failed} of {} outputs did not take the test",
            names.len()
        ))),
    }
}
