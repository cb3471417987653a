use indexmap::IndexMap;
use jsonc_parser::ast;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};
use streamalert_value::{Map, Value};

use crate::problem::{Lines, Place, Problem, dotted};

/// A JSON document that knows on which line each of its keys stands.
#[derive(Debug, Clone)]
pub struct Located {
    file: String,
    value: Value,
    spots: Spot,
    /// Duplicate keys: path, place of the one that counts.
    duplicates: Vec<(Vec<String>, Place)>,
}

/// The place of one value, and those below it.
#[derive(Debug, Clone)]
struct Spot {
    /// Of the key, or of the value where there is no key.
    place: (usize, usize),
    below: Below,
}

#[derive(Debug, Clone)]
enum Below {
    Nothing,
    Keys(IndexMap<String, Spot>),
    Items(Vec<Spot>),
}

/// Strict JSON as Python's `json` reads it, NaN and infinities included.
const PYTHON_JSON: ParseOptions = ParseOptions {
    allow_comments: false,
    allow_loose_object_property_names: false,
    allow_trailing_commas: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: true,
    allow_extended_string_escapes: false,
};

impl Located {
    /// Reads JSON `text`; `file` is how complaints name it.
    ///
    /// # Errors
    /// The syntax error, with its place and what to do.
    pub fn parse(file: impl Into<String>, text: &str) -> Result<Self, Problem> {
        let file = file.into();
        let lines = Lines::of(text);
        let parsed = parse_to_ast(text, &CollectOptions::default(), &PYTHON_JSON);
        let mut reader = Reader {
            text,
            lines: &lines,
            file: &file,
            path: Vec::new(),
            duplicates: Vec::new(),
        };
        let root = match parsed {
            Ok(result) => result.value,
            Err(error) => {
                let message = lower_first(&error.kind().to_string());
                let fix = fix_of(&message);
                let place = reader.at(error.range().start);
                return Err(place.error("", format!("not valid json: {message}"), fix));
            }
        };
        let Some(root) = root else {
            let place = Place {
                file,
                line: 1,
                column: 1,
            };
            return Err(place.error("", "the file is empty", "write {} for no settings"));
        };
        let (value, spots) = reader.value(&root);
        let duplicates = reader.duplicates;
        Ok(Self {
            file,
            value,
            spots,
            duplicates,
        })
    }

    /// The document.
    #[must_use]
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// The name that complaints use.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The line of the key at `path`, from 1: list items are `"0"`, `"1"` …; where the path ends early, the last
    /// key that is there.
    #[must_use]
    pub fn line_of(&self, path: &[&str]) -> usize {
        self.place_of(path).line
    }

    /// As [`Self::line_of`], with file and column.
    #[must_use]
    pub fn place_of(&self, path: &[&str]) -> Place {
        let mut spot = &self.spots;
        for segment in path {
            match spot.child(segment) {
                Some(below) => spot = below,
                None => break,
            }
        }
        Place {
            file: self.file.clone(),
            line: spot.place.0,
            column: spot.place.1,
        }
    }

    /// `path` as people write it, without the positions of list items.
    #[must_use]
    pub fn key_of(&self, path: &[&str]) -> String {
        let mut spot = Some(&self.spots);
        let mut keys = Vec::with_capacity(path.len());
        for segment in path {
            if !matches!(spot.map(|s| &s.below), Some(Below::Items(_))) {
                keys.push(*segment);
            }
            spot = spot.and_then(|s| s.child(segment));
        }
        dotted(keys)
    }

    /// An error at `path`.
    #[must_use]
    pub fn error(&self, path: &[&str], message: impl Into<String>, fix: impl Into<String>) -> Problem {
        self.place_of(path).error(self.key_of(path), message, fix)
    }

    /// A warning at `path`.
    #[must_use]
    pub fn warning(&self, path: &[&str], message: impl Into<String>, fix: impl Into<String>) -> Problem {
        self.place_of(path).warning(self.key_of(path), message, fix)
    }

    /// A warning for every key that stands twice in one object.
    pub(crate) fn duplicate_warnings(&self) -> impl Iterator<Item = Problem> {
        self.duplicates.iter().map(|(path, place)| {
            let message = "the key stands here a second time, and only this one counts";
            place.warning(
                dotted(path.iter().map(String::as_str)),
                message,
                "remove one of the two",
            )
        })
    }
}

impl Spot {
    fn child(&self, segment: &str) -> Option<&Self> {
        match &self.below {
            Below::Nothing => None,
            Below::Keys(keys) => keys.get(segment),
            Below::Items(items) => items.get(segment.parse::<usize>().ok()?),
        }
    }
}

struct Reader<'a> {
    text: &'a str,
    lines: &'a Lines,
    file: &'a str,
    path: Vec<String>,
    duplicates: Vec<(Vec<String>, Place)>,
}

impl Reader<'_> {
    fn at(&self, offset: usize) -> Place {
        let (line, column) = self.lines.place(self.text, offset);
        Place {
            file: self.file.to_owned(),
            line,
            column,
        }
    }

    fn spot(&self, offset: usize, below: Below) -> Spot {
        Spot {
            place: self.lines.place(self.text, offset),
            below,
        }
    }

    fn value(&mut self, node: &ast::Value<'_>) -> (Value, Spot) {
        match node {
            ast::Value::Object(object) => self.object(object),
            ast::Value::Array(array) => {
                let mut values = Vec::with_capacity(array.elements.len());
                let mut spots = Vec::with_capacity(array.elements.len());
                for (index, element) in array.elements.iter().enumerate() {
                    self.path.push(index.to_string());
                    let (value, spot) = self.value(element);
                    self.path.pop();
                    values.push(value);
                    spots.push(spot);
                }
                (
                    Value::List(values),
                    self.spot(array.range.start, Below::Items(spots)),
                )
            }
            ast::Value::StringLit(text) => (
                Value::Str(text.value.to_string()),
                self.spot(text.range.start, Below::Nothing),
            ),
            ast::Value::NumberLit(number) => (
                number_value(number.value),
                self.spot(number.range.start, Below::Nothing),
            ),
            ast::Value::BooleanLit(flag) => (
                Value::Bool(flag.value),
                self.spot(flag.range.start, Below::Nothing),
            ),
            ast::Value::NullKeyword(null) => (Value::Null, self.spot(null.range.start, Below::Nothing)),
        }
    }

    fn object(&mut self, object: &ast::Object<'_>) -> (Value, Spot) {
        let mut map = Map::with_capacity(object.properties.len());
        let mut spots = IndexMap::with_capacity(object.properties.len());
        for property in &object.properties {
            let name = property.name.as_str();
            self.path.push(name.to_owned());
            let (value, mut spot) = self.value(&property.value);
            spot.place = self.lines.place(self.text, property.range.start);
            if spots.contains_key(name) {
                let place = self.at(property.range.start);
                self.duplicates.push((self.path.clone(), place));
            }
            self.path.pop();
            map.insert(name.to_owned(), value);
            spots.insert(name.to_owned(), spot);
        }
        (Value::Map(map), self.spot(object.range.start, Below::Keys(spots)))
    }
}

/// A JSON number as Python reads it: whole numbers are unbounded.
fn number_value(text: &str) -> Value {
    match text {
        "NaN" => Value::Float(f64::NAN),
        "Infinity" => Value::Float(f64::INFINITY),
        "-Infinity" => Value::Float(f64::NEG_INFINITY),
        _ if text.contains(['.', 'e', 'E']) => text.parse().map_or(Value::Float(f64::NAN), Value::Float),
        _ => text
            .parse()
            .map_or_else(|_| Value::BigInt(text.into()), Value::Int),
    }
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

fn fix_of(message: &str) -> &'static str {
    let hints = [
        ("trailing comma", "remove the last comma"),
        ("comment", "remove the comment; json has none"),
        ("expected comma", "put a comma between the two"),
        ("unterminated object", "close it with }"),
        ("unterminated array", "close it with ]"),
        ("unterminated string", "close it with a double quote"),
        ("single-quoted", "use double quotes"),
        ("more than one", "keep one { … } only"),
        (
            "word",
            "put text into double quotes; only true, false and null stand alone",
        ),
        ("object property", "put the key into double quotes"),
        ("nesting depth", "nest less deeply"),
    ];
    hints
        .iter()
        .find(|(part, _)| message.contains(part))
        .map_or("correct the syntax here", |(_, fix)| fix)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "{\n  \"a\": {\"b\": [1,\n    \"two\"]},\n  \"big\": 123456789012345678901234567890,\n  \"f\": 1e3\n}";

    fn located(text: &str) -> Located {
        Located::parse("conf/x.json", text).unwrap()
    }

    #[test]
    fn every_key_and_item_has_a_line() {
        let document = located(TEXT);
        assert_eq!(document.line_of(&[]), 1);
        assert_eq!(document.line_of(&["a", "b"]), 2);
        assert_eq!(
            document.place_of(&["a", "b"]),
            Place {
                file: "conf/x.json".into(),
                line: 2,
                column: 9
            }
        );
        assert_eq!(document.line_of(&["a", "b", "1"]), 3);
        assert_eq!(document.line_of(&["big"]), 4);
        assert_eq!(document.line_of(&["f", "nothing", "here"]), 5);
        assert_eq!(document.key_of(&["a", "b", "1"]), "a.b");
    }

    #[test]
    fn order_and_large_numbers_are_kept() {
        let document = located(TEXT);
        let Value::Map(map) = document.value() else {
            panic!("not a dict")
        };
        assert_eq!(map.keys().collect::<Vec<_>>(), ["a", "big", "f"]);
        assert!(
            matches!(&map["big"], Value::BigInt(digits) if &**digits == "123456789012345678901234567890")
        );
        assert!(matches!(map["f"], Value::Float(f) if f == 1000.0));
    }

    #[test]
    fn the_last_of_two_equal_keys_counts_in_the_place_of_the_first() {
        let document = located("{\"a\": 1,\n \"b\": 2,\n \"a\": 3}");
        let Value::Map(map) = document.value() else {
            panic!("not a dict")
        };
        assert_eq!(map.keys().collect::<Vec<_>>(), ["a", "b"]);
        assert!(matches!(map["a"], Value::Int(3)));
        let warnings: Vec<String> = document.duplicate_warnings().map(|p| p.to_string()).collect();
        assert_eq!(warnings.len(), 1);
        assert!(
            warnings[0].starts_with("conf/x.json:3:2: warning: a: "),
            "{warnings:?}"
        );
    }

    #[test]
    fn what_python_refuses_is_refused_with_place_and_fix() {
        for (text, start, fix) in [
            ("{\"a\": 1,}", "f.json:1:", "remove the last comma"),
            ("{\"a\": 1\n \"b\": 2}", "f.json:", "put a comma between the two"),
            ("{\"a\": [1, 2}", "f.json:1:", ""),
            ("{a: 1}", "f.json:1:2", "double quotes"),
            ("{\"a\": 1} // x", "f.json:1:", ""),
            ("{\"a\": tru}", "f.json:1:", ""),
            ("{\"a\": 007}", "f.json:1:", ""),
            ("", "f.json:1:1", "write {}"),
        ] {
            let problem = Located::parse("f.json", text)
                .map(|d| panic!("{text} was read: {:?}", d.value()))
                .unwrap_err();
            let line = problem.to_string();
            assert!(line.starts_with(start) && line.contains(fix), "{text}: {line}");
        }
    }

    #[test]
    fn deep_nesting_is_an_error_and_not_a_crash() {
        assert!(Located::parse("f.json", &"[".repeat(100_000)).is_err());
    }
}
