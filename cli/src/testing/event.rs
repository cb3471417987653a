use std::collections::BTreeSet;

use streamalert_config::{Located, Problem, nearest};
use streamalert_schema::RawInput;
use streamalert_value::{Map, Value};

use super::fixtures::TestFixtures;
use super::helper::Helpers;
use super::override_record::whole_record;
use super::publisher_test::PublisherTest;

/// The services that a test event may come from.
const SERVICES: [&str; 4] = ["kinesis", "s3", "sns", "streamalert_app"];

/// Every key that means something; the first four must be there.
const KEYS: [&str; 12] = [
    "description",
    "log",
    "service",
    "source",
    "data",
    "override_record",
    "compress",
    "trigger_rules",
    "classify_only",
    "skip_publishers",
    "publisher_tests",
    "test_fixtures",
];

/// One event of a test event file.
#[derive(Debug)]
pub(crate) struct TestEvent {
    /// Line on which it begins.
    pub(crate) line: usize,
    /// Place in its file, from 1.
    pub(crate) number: usize,
    pub(crate) description: String,
    /// What it says, or everything that is wrong with it.
    pub(crate) content: Result<Content, Vec<Problem>>,
}

/// What a test event says.
#[derive(Debug)]
pub(crate) struct Content {
    /// The log type that its data must become.
    pub(crate) log: String,
    pub(crate) service: String,
    pub(crate) source: String,
    data: Data,
    compress: bool,
    /// The rules that must fire, and no others.
    pub(crate) trigger_rules: BTreeSet<String>,
    /// Rules are not run.
    pub(crate) classify_only: bool,
    /// Empty with `skip_publishers`.
    pub(crate) publisher_tests: Vec<PublisherTest>,
    pub(crate) fixtures: TestFixtures,
    /// What is odd about it but runs.
    pub(crate) notes: Vec<String>,
    /// Line of `log`, for what is found wrong with it later.
    log_place: streamalert_config::Place,
}

#[derive(Debug)]
enum Data {
    Text(String),
    Partial(Map),
}

impl TestEvent {
    /// Reads the event at `path` of a document.
    pub(crate) fn read(
        document: &Located,
        path: &[&str],
        number: usize,
        event: &Value,
        helpers: &Helpers,
    ) -> Self {
        let description = event
            .get("description")
            .map_or_else(|| "no description".to_owned(), Value::python_str);
        let reader = Reader {
            document,
            path,
            helpers,
            notes: Vec::new(),
            problems: Vec::new(),
        };
        Self {
            line: document.line_of(path),
            number,
            description: description.split_whitespace().collect::<Vec<_>>().join(" "),
            content: reader.content(event),
        }
    }
}

impl Content {
    /// Whether it has only the record, and not the payload that it would come in.
    pub(crate) const fn is_record_only(&self) -> bool {
        matches!(self.data, Data::Partial(_))
    }

    /// What StreamAlert would be handed: data in the wrapping of its service.
    ///
    /// # Errors
    /// The log type has no definition, or the data does not fit the service.
    pub(crate) fn payload<'a>(
        &self,
        definition: Option<&Value>,
        known: impl IntoIterator<Item = &'a str>,
    ) -> Result<RawInput, Problem> {
        let Some(definition) = definition else {
            let fix = nearest(&self.log, known)
                .map(|name| format!("did you mean {name:?}?"))
                .unwrap_or_default();
            return Err(self.log_place.error(
                "log",
                format!("no schema defines the log type {:?}", self.log),
                fix,
            ));
        };
        let text = match &self.data {
            Data::Text(text) => text.clone(),
            Data::Partial(partial) => Value::Map(whole_record(definition, partial)).to_json(),
        };
        let mut raw = Map::new();
        let mut put = |key: &str, value: Value| raw.insert(key.to_owned(), value);
        put("id", Value::Str("test".to_owned()));
        put("service", Value::Str(self.service.clone()));
        put("resource", Value::Str(self.source.clone()));
        if self.service == "streamalert_app" {
            put("logs", Value::List(vec![Value::Str(text)]));
        } else {
            put("data", Value::Str(text));
            put("gzip", Value::Bool(self.compress));
        }
        RawInput::from_value(&Value::Map(raw))
            .map_err(|error| self.log_place.error("", error.to_string(), ""))
    }
}

struct Reader<'a> {
    document: &'a Located,
    path: &'a [&'a str],
    helpers: &'a Helpers,
    notes: Vec<String>,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn wrong(&mut self, keys: &[&str], message: impl Into<String>, fix: impl Into<String>) {
        let path = [self.path, keys].concat();
        let key = keys.join(".");
        self.problems
            .push(self.document.place_of(&path).error(key, message, fix));
    }

    fn content(mut self, event: &Value) -> Result<Content, Vec<Problem>> {
        let Value::Map(map) = event else {
            self.wrong(
                &[],
                format!("a test event is an object, not {}", event.type_name()),
                "",
            );
            return Err(self.problems);
        };
        for key in &KEYS[..4] {
            if !map.contains_key(*key) {
                self.wrong(&[], format!("the key {key:?} is missing"), "");
            }
        }
        // The key's name before StreamAlert 3.
        let flag = |key: &str| map.get(key).is_some_and(Value::is_truthy);
        let classify_only = flag("classify_only") || flag("validate_schema_only");
        for key in map
            .keys()
            .filter(|key| !KEYS.contains(&key.as_str()) && *key != "validate_schema_only")
        {
            let hint = nearest(key, KEYS)
                .map(|name| format!("; did you mean {name:?}?"))
                .unwrap_or_default();
            self.notes.push(format!("the key {key:?} means nothing{hint}"));
        }
        let content = Content {
            log: self.text(map, "log"),
            service: self.service(map),
            source: self.text(map, "source"),
            data: self.data(map),
            compress: flag("compress"),
            trigger_rules: self.trigger_rules(map, classify_only),
            classify_only,
            publisher_tests: if flag("skip_publishers") {
                Vec::new()
            } else {
                self.publisher_tests(map)
            },
            fixtures: self.fixtures(map),
            notes: Vec::new(),
            log_place: self.document.place_of(&[self.path, &["log"]].concat()),
        };
        if content.compress && matches!(content.service.as_str(), "sns" | "streamalert_app") {
            self.notes
                .push(format!("compress means nothing for {}", content.service));
        }
        if self.problems.is_empty() {
            Ok(Content {
                notes: self.notes,
                ..content
            })
        } else {
            Err(self.problems)
        }
    }

    fn text(&mut self, map: &Map, key: &str) -> String {
        match map.get(key) {
            Some(Value::Str(text)) => return text.clone(),
            Some(other) => self.wrong(&[key], format!("expected a text, not {}", other.type_name()), ""),
            None => {}
        }
        String::new()
    }

    fn service(&mut self, map: &Map) -> String {
        let name = self.text(map, "service");
        // Its name before StreamAlert 3.
        let name = if name == "stream_alert_app" {
            "streamalert_app".to_owned()
        } else {
            name
        };
        if !name.is_empty() && !SERVICES.contains(&name.as_str()) {
            let fix = format!("there are {}", SERVICES.join(", "));
            self.wrong(&["service"], format!("no such service: {name:?}"), fix);
        }
        name
    }

    fn data(&mut self, map: &Map) -> Data {
        let given = |key: &'static str| {
            map.get(key)
                .filter(|value| value.is_truthy())
                .map(|value| (key, value.clone()))
        };
        let Some((key, mut value)) = given("override_record").or_else(|| given("data")) else {
            self.wrong(
                &[],
                "neither \"data\" nor \"override_record\" has anything",
                "write the log under \"data\"",
            );
            return Data::Text(String::new());
        };
        if let Err(name) = self.helpers.fill(&mut value) {
            self.wrong(&[key], format!("no such helper: {name:?}"), "there is last_hour");
        }
        match (key, value) {
            ("override_record", Value::Map(partial)) => return Data::Partial(partial),
            ("data", Value::Str(text)) => return Data::Text(text),
            ("data", value @ Value::Map(_)) => return Data::Text(value.to_json()),
            ("data", other) => {
                self.wrong(
                    &[key],
                    format!("expected an object or a text, not {}", other.type_name()),
                    "",
                );
            }
            (_, other) => self.wrong(
                &[key],
                format!("expected an object, not {}", other.type_name()),
                "",
            ),
        }
        Data::Text(String::new())
    }

    fn trigger_rules(&mut self, map: &Map, classify_only: bool) -> BTreeSet<String> {
        let names = match map.get("trigger_rules") {
            Some(Value::List(names)) => names.as_slice(),
            Some(other) if !classify_only || other.is_truthy() => {
                self.wrong(
                    &["trigger_rules"],
                    format!("expected a list, not {}", other.type_name()),
                    "",
                );
                &[]
            }
            None if !classify_only => {
                let fix = "write [] for no rule, or \"classify_only\": true to run none";
                self.wrong(&[], "the key \"trigger_rules\" is missing", fix);
                &[]
            }
            _ => &[],
        };
        if names.iter().any(|name| name.as_str().is_none()) {
            self.wrong(&["trigger_rules"], "expected names of rules", "");
        }
        names
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect()
    }

    fn publisher_tests(&mut self, map: &Map) -> Vec<PublisherTest> {
        let outputs = match map.get("publisher_tests") {
            Some(Value::Map(outputs)) => outputs,
            Some(other) if other.is_truthy() => {
                let fix = "write {\"slack:alerts\": [[\"\\\"@slack.text\\\"\", \"is\", \"…\"]]}";
                self.wrong(
                    &["publisher_tests"],
                    format!("expected an object, not {}", other.type_name()),
                    fix,
                );
                return Vec::new();
            }
            _ => return Vec::new(),
        };
        let mut read = Vec::new();
        for (output, tests) in outputs {
            let Value::List(tests) = tests else {
                self.wrong(&["publisher_tests", output], "expected a list of tests", "");
                continue;
            };
            for (at, test) in tests.iter().enumerate() {
                let keys = ["publisher_tests", output.as_str(), &at.to_string()];
                let line = self.document.line_of(&[self.path, &keys].concat());
                read.push(PublisherTest::read(output, line, test));
            }
        }
        read
    }

    fn fixtures(&mut self, map: &Map) -> TestFixtures {
        let Some(fixtures) = map.get("test_fixtures").filter(|value| value.is_truthy()) else {
            return TestFixtures::default();
        };
        let path = [self.path, &["test_fixtures"]].concat();
        TestFixtures::read(self.document, &path, fixtures).unwrap_or_else(|problems| {
            self.problems.extend(problems);
            TestFixtures::default()
        })
    }
}

#[cfg(test)]
#[path = "event/tests.rs"]
mod tests;
