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
mod tests {
    use streamalert_schema::Body;

    use super::*;

    fn read(event: &str) -> TestEvent {
        let document = Located::parse("rules/x.json", &format!("[\n{event}]")).unwrap();
        let event = document.value().as_list().unwrap()[0].clone();
        TestEvent::read(&document, &["0"], 1, &event, &Helpers::at(0))
    }

    fn content(more: &str) -> Content {
        let event =
            format!(r#"{{"description": "d", "log": "l", "service": "kinesis", "source": "s"{more}}}"#);
        read(&event)
            .content
            .unwrap_or_else(|problems| panic!("{problems:?}"))
    }

    fn messages(event: &str) -> Vec<String> {
        read(event)
            .content
            .unwrap_err()
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn data_reaches_each_service_in_its_wrapping() {
        let definition = Value::parse_json(b"{\"schema\": {\"a\": \"integer\", \"b\": \"string\"}}").unwrap();
        let definition = Some(&definition);
        let body = |service: &str, more: &str| {
            let mut content = content(&format!(r#", "trigger_rules": []{more}"#));
            content.service = service.to_owned();
            let input = content.payload(definition, []).unwrap();
            match input.body() {
                Body::Packed(bytes) | Body::Object(bytes) | Body::Line(bytes) => {
                    if bytes.starts_with(&[0x1f, 0x8b]) {
                        "gzip".into()
                    } else {
                        String::from_utf8_lossy(bytes).into_owned()
                    }
                }
                Body::Text(text) => format!("text {text}"),
                Body::Logs(logs) => format!("logs {}", Value::List(logs.to_vec()).to_json()),
            }
        };
        let data = r#", "data": {"a": 1, "t": "é"}"#;
        assert_eq!(body("kinesis", data), r#"{"a":1,"t":"é"}"#);
        assert_eq!(body("kinesis", r#", "data": "plain", "compress": true"#), "gzip");
        assert_eq!(body("s3", r#", "data": "plain""#), "plain");
        assert_eq!(body("sns", r#", "data": "plain""#), "text plain");
        assert_eq!(
            body("streamalert_app", r#", "data": "plain""#),
            r#"logs ["plain"]"#
        );
        assert_eq!(
            body("kinesis", r#", "data": "x", "override_record": {"b": "y"}"#),
            r#"{"a":0,"b":"y"}"#
        );
    }

    #[test]
    fn everything_missing_is_told_at_once_with_file_and_line() {
        let told = messages("\n{\"description\": \"d\"}");
        assert_eq!(told.len(), 5, "{told:?}");
        assert!(
            told.iter()
                .all(|message| message.starts_with("rules/x.json:3:1: ")),
            "{told:?}"
        );
        for key in [
            "\"log\"",
            "\"service\"",
            "\"source\"",
            "\"data\"",
            "\"trigger_rules\"",
        ] {
            assert!(
                told.iter().any(|message| message.contains(key)),
                "{key} is not in {told:?}"
            );
        }
        assert!(messages("7")[0].contains("a test event is an object"));
    }

    #[test]
    fn values_of_the_wrong_form_are_named_with_their_line() {
        let told = messages(
            "{\"description\": \"d\", \"log\": \"l\", \"source\": \"s\",\n\"service\": \"ftp\",\n\"data\": [1],\n\
             \"trigger_rules\": \"r\",\n\"publisher_tests\": [1]}",
        );
        let starts = [
            "rules/x.json:3:1: service: ",
            "rules/x.json:4:1: data: ",
            "rules/x.json:5:1: trigger_rules: ",
        ];
        for (message, start) in told.iter().zip(starts) {
            assert!(message.starts_with(start), "{told:?}");
        }
        assert!(
            told[3].starts_with("rules/x.json:6:1: publisher_tests: "),
            "{told:?}"
        );
    }

    #[test]
    fn unknown_keys_are_noted_and_the_nearest_key_is_named() {
        let content = content(r#", "data": "x", "trigger_rules": [], "publisher_test": {}, "ticket": 7"#);
        assert_eq!(
            content.notes,
            [
                "the key \"publisher_test\" means nothing; did you mean \"publisher_tests\"?",
                "the key \"ticket\" means nothing"
            ]
        );
    }

    #[test]
    fn an_event_that_is_only_classified_needs_no_rules_and_older_names_are_understood() {
        assert!(content(r#", "data": "x", "classify_only": true"#).classify_only);
        assert!(content(r#", "data": "x", "validate_schema_only": true"#).classify_only);
        let event = r#"{"description": "d", "log": "l", "service": "stream_alert_app", "source": "s", "data": "x",
            "trigger_rules": ["b", "a", "b"]}"#;
        let content = read(event).content.unwrap();
        assert_eq!(content.service, "streamalert_app");
        assert_eq!(content.trigger_rules.into_iter().collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn skipped_publisher_tests_are_not_even_read() {
        let tests = r#", "data": "x", "trigger_rules": [], "publisher_tests": {"slack:a": [["a", "is", 1]]}"#;
        assert_eq!(content(tests).publisher_tests.len(), 1);
        assert!(
            content(&format!(r#"{tests}, "skip_publishers": true"#))
                .publisher_tests
                .is_empty()
        );
    }

    #[test]
    fn an_unknown_log_type_is_an_error_at_its_line() {
        let error = content(r#", "data": "x", "trigger_rules": []"#)
            .payload(None, ["k:l", "ll"])
            .unwrap_err();
        assert_eq!(error.line, 2);
        assert!(
            error
                .to_string()
                .contains("no schema defines the log type \"l\"; did you mean \"ll\"?"),
            "{error}"
        );
    }
}
