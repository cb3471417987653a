use futures::StreamExt;
use streamalert_dispatcher::OutputRegistry;
use streamalert_types::{Clock, OutputName};
use streamalert_value::Value;
use tokio::time::Instant;

use super::{load, name_of};
use crate::args::{Global, TestOutputs};
use crate::assembly::{self, Outputs};
use crate::explain::{integer, object, text};
use crate::failure::Failure;
use crate::paint;

/// Outputs that are tried side by side: one that hangs is waited for, and the others not behind it.
const CONCURRENCY: usize = 8;

/// What came of one test.
struct Answer {
    output: OutputName,
    /// Why it did not arrive, without secrets.
    result: Result<(), String>,
    millis: u64,
}

/// Sends a test alert to each of the outputs, and tells what they answered.
pub(super) async fn run(global: &Global, args: &TestOutputs) -> Result<(), Failure> {
    let clock = assembly::clock();
    let (settings, conf) = load(global)?;
    let outputs = Box::pin(assembly::outputs(&settings, &conf, clock.clone())).await?;
    let mut names = Vec::new();
    for text in &args.outputs {
        names.push(name_of(text)?);
    }
    if args.all {
        let broken = outputs.problems.iter().map(|(name, _)| name);
        names.extend(broken.chain(outputs.registry.names()).cloned());
        // a test is nothing for the history
        names.retain(|name| *name != OutputName::history());
        names.sort();
        names.dedup();
    }
    if names.is_empty() {
        return Err(Failure::Other(
            "no outputs are configured, add one with `streamalert output add`".to_owned(),
        ));
    }
    let width = names
        .iter()
        .map(|name| name.as_str().len())
        .max()
        .unwrap_or_default();
    let first = clock.now().as_micros().unsigned_abs();
    let all = names.iter().zip(first..);
    let asked = all.map(|(name, number)| try_one(&outputs, name, &*clock, number));
    let mut answers = futures::stream::iter(asked).buffered(CONCURRENCY);
    let mut failed = 0;
    while let Some(answer) = answers.next().await {
        failed += usize::from(answer.result.is_err());
        if args.json {
            println!("{}", answer.row().to_json());
        } else {
            answer.line(width);
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

async fn try_one(outputs: &Outputs, name: &OutputName, clock: &dyn Clock, number: u64) -> Answer {
    let begin = Instant::now();
    let broken = outputs.problems.iter().find(|(broken, _)| broken == name);
    let result = match broken {
        Some((_, problem)) => Err(problem.to_string()),
        None => send(&outputs.registry, name, clock, number).await,
    };
    Answer {
        output: name.clone(),
        result,
        millis: u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX),
    }
}

/// One attempt; why it failed otherwise.
pub(super) async fn send(
    registry: &OutputRegistry,
    name: &OutputName,
    clock: &dyn Clock,
    number: u64,
) -> Result<(), String> {
    match registry.test(name, clock, number).await {
        Some(Ok(_)) => Ok(()),
        Some(Err(error)) => Err(error.message),
        None => Err("there is no such output".to_owned()),
    }
}

impl Answer {
    fn row(&self) -> Value {
        let reason = self.result.as_ref().err();
        object([
            ("output", text(self.output.as_str())),
            ("arrived", Value::Bool(self.result.is_ok())),
            ("millis", integer(self.millis)),
            ("reason", reason.map_or(Value::Null, |reason| text(reason))),
        ])
    }

    fn line(&self, width: usize) {
        let (name, millis) = (self.output.as_str(), self.millis);
        match &self.result {
            Ok(()) => anstream::println!(
                "{name:width$}  {}  {millis} ms",
                paint::in_style(paint::GOOD, "arrived")
            ),
            Err(reason) => {
                anstream::println!(
                    "{name:width$}  {}   {millis} ms  {reason}",
                    paint::in_style(paint::BAD, "failed")
                );
            }
        }
    }
}
