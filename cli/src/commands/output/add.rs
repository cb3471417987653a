use streamalert_config::{Conf, Settings, nearest};
use streamalert_dispatcher::{OutputRegistry, Service};
use streamalert_secrets::{OutputFields, SecretName, SecretStore};
use streamalert_types::{Clock, OutputName};
use streamalert_value::Value;

use super::fields::Given;
use super::{load, of_store};
use crate::args::{AddOutput, Global};
use crate::assembly::{self, Fields};
use crate::failure::Failure;
use crate::{outputs_file, paint, prompt};

/// Configures an output. Nothing is changed before everything is known, checked and, if wanted, tried.
pub(super) async fn run(global: &Global, args: &AddOutput) -> Result<(), Failure> {
    let (settings, conf) = load(global)?;
    let (service, descriptor) = service_of(args)?;
    let asks = prompt::somebody() && args.stdin.is_none();
    let name = named(service, descriptor, asks)?;
    let secrets = assembly::secrets(&settings, &conf);
    let store = secrets.store().await.map_err(of_store)?;
    let before = store.get_output(&name).await.map_err(of_store)?;
    may_be_written(&settings, &conf, &name, before.is_some(), args, asks)?;

    let mut given = Given::from_flags(service, args)?;
    if asks {
        given.ask()?;
    }
    let missing: Vec<String> = given
        .missing()
        .iter()
        .map(|field| format!("{}, {}", field.name, field.about))
        .collect();
    if !missing.is_empty() {
        return Err(Failure::Other(format!(
            "{name} needs {}: give --field, --env, --file or --stdin, or run this on a terminal",
            missing.join("; ")
        )));
    }
    let fields = given.fields();
    let clock = assembly::clock();
    let project = (&settings, &conf);
    let registry = assembly::candidate(project, &secrets, &name, fields.clone(), clock.clone()).await?;
    try_it(&registry, &name, args.test, asks, &*clock).await?;
    let plan = Plan::new(service, &settings, &conf, &name, fields)?;
    plan.carry_out(&settings, store, before.as_ref()).await
}

fn service_of(args: &AddOutput) -> Result<(&'static Service, Option<String>), Failure> {
    let (service, named) = match args.service.split_once(':') {
        Some((service, descriptor)) => (service, Some(descriptor.to_owned())),
        None => (args.service.as_str(), None),
    };
    let Some(known) = streamalert_dispatcher::service(service) else {
        let names = streamalert_dispatcher::services()
            .iter()
            .map(|service| service.name);
        let hint = match nearest(service, names) {
            Some(near) => format!("did you mean {near:?}?"),
            None => "`streamalert output services` prints all".to_owned(),
        };
        return Err(Failure::Other(format!(
            "no output service is called {service:?}; {hint}"
        )));
    };
    match (named, args.descriptor.clone()) {
        (Some(one), Some(other)) if one != other => Err(Failure::Other(format!(
            "two names are given, {one:?} and {other:?}"
        ))),
        (named, descriptor) => Ok((known, named.or(descriptor))),
    }
}

fn named(service: &Service, descriptor: Option<String>, asks: bool) -> Result<OutputName, Failure> {
    let descriptor = match descriptor {
        Some(descriptor) => descriptor,
        None if asks => {
            anstream::eprintln!("{}", paint::in_style(paint::HEAD, service.title));
            prompt::line("name, that rules call it by, such as the channel or team")?
        }
        None => String::new(),
    };
    if descriptor.trim().is_empty() {
        let name = service.name;
        return Err(Failure::Other(format!(
            "it needs a name that rules call it by: `streamalert output add {name}:NAME`"
        )));
    }
    let name = super::name_of(&format!("{}:{descriptor}", service.name))?;
    SecretName::of_output(&name).map_err(of_store)?;
    if name == OutputName::history() {
        return Err(Failure::Other(format!("{name} is the history, and always there")));
    }
    Ok(name)
}

/// Nothing that works is overwritten unasked, and nothing is written that has no effect.
fn may_be_written(
    settings: &Settings,
    conf: &Conf,
    name: &OutputName,
    is_stored: bool,
    args: &AddOutput,
    asks: bool,
) -> Result<(), Failure> {
    let place = settings.place_of(&["outputs", name.as_str()]);
    if place.line > 0 {
        return Err(Failure::Other(format!(
            "{} configures {name}, and what it says wins: change it there",
            assembly::at(&place)
        )));
    }
    let is_named = conf.outputs.get(name).is_some();
    let works = is_stored
        || conf
            .outputs
            .get(name)
            .is_some_and(|value| value.as_str().is_some());
    if !(is_named && works) || args.replace {
        return Ok(());
    }
    if asks
        && prompt::yes(
            &format!("{name} is configured already. Replace what it has?"),
            false,
        )?
    {
        return Ok(());
    }
    Err(Failure::Other(format!(
        "{name} is configured already: --replace gives it new settings"
    )))
}

/// Sends a test alert if that is wanted. One that is not taken leaves everything as it was, unless somebody says otherwise.
async fn try_it(
    registry: &OutputRegistry,
    name: &OutputName,
    wanted: bool,
    asks: bool,
    clock: &dyn Clock,
) -> Result<(), Failure> {
    let wanted = wanted || (asks && prompt::yes("Send a test alert first?", true)?);
    if !wanted {
        return Ok(());
    }
    let number = clock.now().as_micros().unsigned_abs();
    match super::test::send(registry, name, clock, number).await {
        Ok(()) => {
            anstream::eprintln!("the test alert {}", paint::in_style(paint::GOOD, "arrived"));
            Ok(())
        }
        Err(reason) => {
            anstream::eprintln!(
                "the test alert {}: {reason}",
                paint::in_style(paint::BAD, "did not arrive")
            );
            if asks && prompt::yes("Keep it all the same?", false)? {
                return Ok(());
            }
            Err(Failure::Other(format!(
                "{name} did not take the test, nothing is changed"
            )))
        }
    }
}

/// What is written where.
struct Plan {
    name: OutputName,
    /// `conf/outputs.json` as it is to be.
    text: String,
    stored: Fields,
}

impl Plan {
    fn new(
        service: &Service,
        settings: &Settings,
        conf: &Conf,
        name: &OutputName,
        mut fields: Fields,
    ) -> Result<Self, Failure> {
        let before = outputs_file::read(&settings.conf.dir)?;
        let document = conf.outputs.document.as_ref().map(|document| document.value());
        let listed = document.and_then(|root| root.get(service.name));
        let short = service.short_field().map(|field| field.name);
        // StreamAlert's file says it of those that it says one thing about; in a list there is no place for it
        let value = match listed {
            Some(Value::List(_)) => None,
            _ => short.and_then(|short| fields.remove(short)),
        };
        let value = value.as_ref().and_then(serde_json::Value::as_str);
        let (text, _) = outputs_file::with_output(&before, name, value).map_err(|error| {
            let file = settings.conf.dir.join("outputs.json");
            Failure::while_doing(&format!("{} cannot be changed", file.display()), error)
        })?;
        Ok(Self {
            name: name.clone(),
            text,
            stored: fields,
        })
    }

    /// Secrets first: an output without them would be an error for whoever loads it in between. They go back to what they
    /// were when the file cannot be written.
    async fn carry_out(
        self,
        settings: &Settings,
        store: &dyn SecretStore,
        before: Option<&OutputFields>,
    ) -> Result<(), Failure> {
        let name = &self.name;
        let names: Vec<String> = self.stored.keys().cloned().collect();
        if !self.stored.is_empty() {
            let fields = OutputFields::new(self.stored);
            store.put_output(name, &fields).await.map_err(of_store)?;
        } else if before.is_some() {
            store.remove_output(name).await.map_err(of_store)?;
        }
        if let Err(failure) = outputs_file::write(&settings.conf.dir, &self.text) {
            let undone = match before {
                Some(before) => store.put_output(name, before).await,
                None if names.is_empty() => Ok(()),
                None => store.remove_output(name).await.map(drop),
            };
            let undone = undone.map_or_else(
                |error| format!("; what was stored stays: {error}"),
                |()| String::new(),
            );
            return Err(Failure::Other(format!("{failure}{undone}")));
        }
        let file = settings.conf.dir.join("outputs.json");
        anstream::println!("{name} is configured in {}", file.display());
        if !names.is_empty() {
            let (service, descriptor) = (name.service(), name.descriptor());
            let (is, names) = (if names.len() == 1 { "is" } else { "are" }, names.join(", "));
            anstream::println!(
                "{names} {is} kept in {}, as outputs/{service}/{descriptor}",
                store.place()
            );
        }
        anstream::println!("rules name it so: outputs=[\"{name}\"]");
        Ok(())
    }
}
