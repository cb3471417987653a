mod add;
mod fields;
mod list;
mod remove;
mod test;

use streamalert_config::{Conf, Settings};
use streamalert_secrets::SecretError;
use streamalert_types::OutputName;

use crate::args::{self, Global};
use crate::failure::Failure;
use crate::project::load_settings;

/// `output services|list|add|test|remove`
pub(crate) async fn run(global: &Global, args: &args::Output) -> Result<(), Failure> {
    match args {
        args::Output::Services => {
            for service in streamalert_dispatcher::services() {
                println!("{}", service.name);
            }
            Ok(())
        }
        args::Output::List { json } => list::run(global, *json).await,
        args::Output::Add(args) => Box::pin(add::run(global, args)).await,
        args::Output::Test(args) => test::run(global, args).await,
        args::Output::Remove { output, yes } => remove::run(global, output, *yes).await,
    }
}

/// Settings and configuration; schemas and rules are not looked at.
fn load(global: &Global) -> Result<(Settings, Conf), Failure> {
    let settings = load_settings(global)?;
    let conf = Conf::load(&settings.conf.dir)?;
    Ok((settings, conf))
}

fn name_of(text: &str) -> Result<OutputName, Failure> {
    text.parse().map_err(|_| {
        Failure::Other(format!(
            "{text:?} is not the name of an output, such as slack:security"
        ))
    })
}

fn of_store(error: SecretError) -> Failure {
    Failure::Other(error.to_string())
}
