//! What makes alerts presentable: StreamAlert's publishers. Those that come with the program, and templates, run here;
//! those of the user's Python files where their code is.

mod builtin;
mod fields;
mod layouts;
mod redact;
mod template;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use streamalert_detect::publisher_names;
use streamalert_types::{Alert, Clock, OutputName};
use streamalert_value::Value;

use crate::{LinkTemplates, Publisher};
use builtin::Builtin;
pub use redact::{Redaction, RedactionError, RedactionSettings};
pub use template::{TemplateProblem, Templates};

/// What the name of a template begins with.
const TEMPLATE: &str = "template:";

/// Runs the publishers of the user's code.
#[async_trait]
pub trait UserPublishers: Send + Sync + 'static {
    /// Whether there is one of this name.
    fn has(&self, name: &str) -> bool;

    /// Runs them one after the other. `made`: what those before them made, `None` when they are the first.
    ///
    /// # Errors
    /// One line saying which publisher failed and how.
    async fn run(&self, alert: &Alert, names: &[String], made: Option<&Value>) -> Result<Value, String>;
}

/// Where there is no user's code.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoUserPublishers;

#[async_trait]
impl UserPublishers for NoUserPublishers {
    fn has(&self, _name: &str) -> bool {
        false
    }

    async fn run(&self, _alert: &Alert, names: &[String], _made: Option<&Value>) -> Result<Value, String> {
        Err(format!("there is no publisher {}", names.join(", ")))
    }
}

/// Something in force that may be replaced while alerts are published.
#[derive(Debug, Default)]
pub struct Shelf<T>(RwLock<Arc<T>>);

impl<T> Shelf<T> {
    /// With this to begin with.
    #[must_use]
    pub fn of(first: T) -> Self {
        Self(RwLock::new(Arc::new(first)))
    }

    /// What is in force.
    #[must_use]
    pub fn get(&self) -> Arc<T> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// This from now on.
    pub fn put(&self, next: Arc<T>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = next;
    }
}

/// What the settings say of outputs.
#[derive(Default)]
pub struct OutputRules {
    /// What they must not show.
    pub redaction: Redaction,
    /// Their publishers, for alerts whose rule names none.
    pub by_output: BTreeMap<OutputName, Vec<String>>,
}

/// Every publisher there is.
pub struct Publishers {
    /// Those of the user's code.
    pub user: Arc<dyn UserPublishers>,
    /// What the settings say of outputs.
    pub rules: Arc<Shelf<OutputRules>>,
    /// Templates by name.
    pub templates: Arc<Shelf<Templates>>,
    /// Where alerts and traces can be looked at.
    pub links: Arc<LinkTemplates>,
    /// For templates that say how long ago something was.
    pub clock: Arc<dyn Clock>,
}

/// The names of all publishers that come with the program, in every spelling.
pub fn builtin_publishers() -> impl Iterator<Item = &'static str> {
    builtin::names()
}

/// One publisher.
enum Step<'a> {
    Builtin(Builtin),
    Template(&'a str),
    User(&'a str),
}

impl Publishers {
    fn names(rules: &OutputRules, alert: &Alert, output: &OutputName) -> Vec<String> {
        let mut names = publisher_names(alert, output);
        names.retain(|name| !name.is_empty());
        if names.is_empty()
            && let Some(own) = rules.by_output.get(output)
        {
            names.clone_from(own);
        }
        names
    }

    /// Names of the user go before StreamAlert's names of what we have, too.
    fn step<'a>(&self, name: &'a str) -> Step<'a> {
        if let Some(template) = name.strip_prefix(TEMPLATE) {
            return Step::Template(template);
        }
        match Builtin::named(name) {
            Some(found) if !self.user.has(name) => Step::Builtin(found),
            _ => Step::User(name),
        }
    }

    fn redacts(&self, rules: &OutputRules, alert: &Alert, output: &OutputName) -> bool {
        let is_redact = |name: &String| matches!(self.step(name), Step::Builtin(Builtin::Redact));
        rules.redaction.is_for(output) || Self::names(rules, alert, output).iter().any(is_redact)
    }

    fn run_here(&self, step: &Step<'_>, whole: &Whole<'_>, made: Option<Value>) -> Result<Value, String> {
        match step {
            Step::Builtin(Builtin::Redact) => Ok(whole.rules.redaction.apply(whole.or_default(made))),
            Step::Builtin(builtin) => builtin.run(whole, made),
            Step::Template(name) => {
                let made = whole.or_default(made);
                self.templates.get().render(name, whole, made, self.clock.now())
            }
            Step::User(name) => Err(format!("there is no publisher {name}")),
        }
    }
}

/// What every step may look at.
struct Whole<'a> {
    alert: &'a Arc<Alert>,
    output: &'a OutputName,
    rules: &'a OutputRules,
    links: &'a Arc<LinkTemplates>,
}

impl Whole<'_> {
    /// What was made so far; the default where nothing was.
    fn or_default(&self, made: Option<Value>) -> Value {
        made.unwrap_or_else(|| crate::json::output_dict(self.alert))
    }

    fn record(&self) -> Value {
        record_of(self.alert)
    }
}

fn record_of(alert: &Alert) -> Value {
    Value::parse_json(&alert.record)
        .unwrap_or_else(|_| Value::Str(String::from_utf8_lossy(&alert.record).into_owned()))
}

#[async_trait]
impl Publisher for Publishers {
    async fn publish(&self, alert: &Arc<Alert>, output: &OutputName) -> Result<Value, String> {
        let rules = self.rules.get();
        let names = Self::names(&rules, alert, output);
        // Publishers put together texts of what they find, in which a field's name is not told any more.
        let seen = match self.redacts(&rules, alert, output) {
            true => Arc::new(rules.redaction.seen(alert)),
            false => Arc::clone(alert),
        };
        let whole = Whole {
            alert: &seen,
            output,
            rules: &rules,
            links: &self.links,
        };
        let mut made = None;
        let mut users = Vec::new();
        for name in &names {
            match self.step(name) {
                Step::User(name) => users.push(name.to_owned()),
                step => {
                    if !users.is_empty() {
                        made = Some(self.user.run(&seen, &users, made.as_ref()).await?);
                        users.clear();
                    }
                    made = Some(self.run_here(&step, &whole, made)?);
                }
            }
        }
        if !users.is_empty() {
            made = Some(self.user.run(&seen, &users, made.as_ref()).await?);
        }
        Ok(whole.or_default(made))
    }

    fn is_wanted(&self, alert: &Alert, output: &OutputName) -> bool {
        let plain = |name: &String| matches!(self.step(name), Step::Builtin(Builtin::Default));
        !Self::names(&self.rules.get(), alert, output).iter().all(plain)
    }

    fn redacted(&self, alert: &Alert, output: &OutputName, body: Value) -> Value {
        let rules = self.rules.get();
        if self.redacts(&rules, alert, output) {
            rules.redaction.apply(body)
        } else {
            body
        }
    }
}
