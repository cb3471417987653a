//! Normalization: values of a record collected under type names that rules on many log types share.

use std::sync::Arc;

use streamalert_types::RecordId;
use streamalert_value::{Kind, Map, NodeRef, Value, key_hash, write_json_text};

use crate::pattern::ENVELOPE_KEY;

/// The key of a record that holds its normalization.
pub(crate) const NORMALIZATION_KEY: &str = "streamalert_normalization";

const KNOWN_KEYS: [&str; 4] = ["path", "function", "condition", "send_to_artifacts"];

/// The normalization of one log type, compiled.
#[derive(Debug)]
pub(crate) struct Normalization {
    pub(crate) types: Vec<NormalizedType>,
    /// Some path begins in the envelope, which only the written record holds.
    pub(crate) reads_envelope: bool,
}

#[derive(Debug)]
pub(crate) struct NormalizedType {
    pub(crate) name: Arc<str>,
    json_key: Vec<u8>,
    params: Vec<Param>,
}

#[derive(Debug)]
struct Param {
    path: Vec<(u32, String)>,
    function_json: String,
    /// `send_to_artifacts` is there and falsy.
    keeps_from_artifacts: bool,
    condition: Option<Condition>,
}

#[derive(Debug)]
struct Condition {
    path: Vec<(u32, String)>,
    test: Test,
}

/// What is asked of the lower-cased text. A condition that is no text equals no text.
#[derive(Debug)]
enum Test {
    Is(Option<String>),
    IsNot(Option<String>),
    In(Members),
    NotIn(Members),
    Contains(String),
    NotContains(String),
    Never,
}

/// The right side of `in`.
#[derive(Debug)]
enum Members {
    Listed(Vec<String>),
    Within(String),
}

type Problem<'a> = dyn FnMut(&[String], String) + 'a;

impl Normalization {
    /// Compiles `configuration.normalization`; `None` when there is none.
    pub(crate) fn compile(definition: Option<&Value>, problem: &mut Problem<'_>) -> Option<Self> {
        let map = match definition? {
            Value::Map(map) => map,
            _ => {
                problem(&[], "expected an object of normalized types".to_owned());
                return None;
            }
        };
        let types: Vec<NormalizedType> = map
            .iter()
            .filter_map(|(name, definition)| NormalizedType::compile(name, definition, problem))
            .collect();
        let in_envelope = |path: &[(u32, String)]| path.first().is_some_and(|(_, key)| key == ENVELOPE_KEY);
        let reads_envelope = types.iter().flat_map(|one| &one.params).any(|param| {
            in_envelope(&param.path) || param.condition.as_ref().is_some_and(|one| in_envelope(&one.path))
        });
        (!types.is_empty()).then_some(Self {
            types,
            reads_envelope,
        })
    }

    /// Appends the normalization of `record` as a JSON object.
    pub(crate) fn write(&self, record: NodeRef<'_>, id: impl FnOnce() -> RecordId, out: &mut Vec<u8>) {
        out.push(b'{');
        let empty = out.len();
        for normalized in &self.types {
            normalized.write(record, out, empty);
        }
        if out.len() > empty {
            out.extend_from_slice(b",\"streamalert_record_id\":\"");
            write_uuid(id().as_u128(), out);
            out.push(b'"');
        }
        out.push(b'}');
    }
}

impl NormalizedType {
    fn compile(name: &str, definition: &Value, problem: &mut Problem<'_>) -> Option<Self> {
        let here = [name.to_owned()];
        let Value::List(items) = definition else {
            problem(
                &here,
                "expected a list: a path, or objects with path and function".to_owned(),
            );
            return None;
        };
        let params = if items.iter().all(|item| item.as_str().is_some()) {
            let path = compile_path(definition).unwrap_or_default();
            vec![Param {
                path,
                function_json: "null".to_owned(),
                keeps_from_artifacts: false,
                condition: None,
            }]
        } else {
            let compiled: Result<Vec<Param>, String> = items.iter().map(Param::compile).collect();
            compiled.map_err(|message| problem(&here, message)).ok()?
        };
        let mut json_key = Vec::new();
        write_json_text(name, &mut json_key);
        json_key.extend_from_slice(b":[");
        Some(Self {
            name: name.into(),
            json_key,
            params,
        })
    }

    fn write(&self, record: NodeRef<'_>, out: &mut Vec<u8>, empty: usize) {
        let mut any = false;
        for param in &self.params {
            let Some(value) = param.find(record) else { continue };
            if any {
                out.push(b',');
            } else {
                if out.len() > empty {
                    out.push(b',');
                }
                out.extend_from_slice(&self.json_key);
                any = true;
            }
            param.write(value, out);
        }
        if any {
            out.push(b']');
        }
    }
}

impl Param {
    fn compile(item: &Value) -> Result<Self, String> {
        let Some(map) = item.as_map() else {
            return Err("expected texts only or objects only".to_owned());
        };
        if let Some(key) = map.keys().find(|key| !KNOWN_KEYS.contains(&key.as_str())) {
            return Err(format!("unknown key {key:?}, expected {}", KNOWN_KEYS.join(", ")));
        }
        let path = map
            .get("path")
            .and_then(compile_path)
            .ok_or("path must be a list of keys")?;
        let function = map.get("function").filter(|function| function.is_truthy());
        let condition = match map.get("condition") {
            Some(Value::Map(condition)) if !condition.is_empty() => Some(Condition::compile(condition)?),
            Some(other) if other.is_truthy() => return Err("condition must be an object".to_owned()),
            _ => None,
        };
        Ok(Self {
            path,
            function_json: function.map_or_else(|| "null".to_owned(), Value::to_json),
            keeps_from_artifacts: map.get("send_to_artifacts").is_some_and(|flag| !flag.is_truthy()),
            condition,
        })
    }

    fn find<'a>(&self, record: NodeRef<'a>) -> Option<NodeRef<'a>> {
        if self
            .condition
            .as_ref()
            .is_some_and(|condition| !condition.holds(record))
        {
            return None;
        }
        find(record, &self.path)
    }

    fn write(&self, value: NodeRef<'_>, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"function\":");
        out.extend_from_slice(self.function_json.as_bytes());
        out.extend_from_slice(b",\"values\":");
        match value.kind() {
            Kind::List => value.write_json(out),
            Kind::Text => {
                out.push(b'[');
                out.extend_from_slice(value.raw().as_bytes());
                out.push(b']');
            }
            _ => {
                let mut text = String::new();
                value.write_python_str(&mut text);
                out.push(b'[');
                write_json_text(&text, out);
                out.push(b']');
            }
        }
        if self.keeps_from_artifacts {
            out.extend_from_slice(b",\"send_to_artifacts\":false");
        }
        out.push(b'}');
    }
}

impl Condition {
    fn compile(map: &Map) -> Result<Self, String> {
        let path = match map.get("path") {
            None => Vec::new(),
            Some(path) => compile_path(path).ok_or("the path of a condition must be a list of keys")?,
        };
        let given = |key: &str| map.get(key).filter(|value| value.is_truthy());
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let test = if let Some(value) = given("is") {
            Test::Is(text(value))
        } else if let Some(value) = given("is_not") {
            Test::IsNot(text(value))
        } else if let Some(value) = given("in") {
            Test::In(Members::compile(value)?)
        } else if let Some(value) = given("not_in") {
            Test::NotIn(Members::compile(value)?)
        } else if let Some(value) = given("contains") {
            Test::Contains(text(value).ok_or("contains must be a text")?)
        } else if let Some(value) = given("not_contains") {
            Test::NotContains(text(value).ok_or("not_contains must be a text")?)
        } else {
            Test::Never
        };
        Ok(Self { path, test })
    }

    fn holds(&self, record: NodeRef<'_>) -> bool {
        let Some(node) = find(record, &self.path) else {
            return false;
        };
        let mut text = String::new();
        node.write_python_str(&mut text);
        let text = text.to_lowercase();
        match &self.test {
            Test::Is(wanted) => wanted.as_ref() == Some(&text),
            Test::IsNot(unwanted) => unwanted.as_ref() != Some(&text),
            Test::In(members) => members.hold(&text),
            Test::NotIn(members) => !members.hold(&text),
            Test::Contains(part) => text.contains(part.as_str()),
            Test::NotContains(part) => !text.contains(part.as_str()),
            Test::Never => false,
        }
    }
}

impl Members {
    fn compile(value: &Value) -> Result<Self, String> {
        match value {
            Value::Str(text) => Ok(Self::Within(text.clone())),
            Value::List(items) => Ok(Self::Listed(
                items
                    .iter()
                    .filter_map(Value::as_str)
                    .map(str::to_owned)
                    .collect(),
            )),
            Value::Map(map) => Ok(Self::Listed(map.keys().cloned().collect())),
            _ => Err("in and not_in take a list or a text".to_owned()),
        }
    }

    fn hold(&self, text: &str) -> bool {
        match self {
            Self::Listed(members) => members.iter().any(|member| member == text),
            Self::Within(whole) => whole.contains(text),
        }
    }
}

fn compile_path(path: &Value) -> Option<Vec<(u32, String)>> {
    let keys = path.as_list()?.iter().map(Value::as_str);
    keys.map(|key| key.map(|key| (key_hash(key.as_bytes()), key.to_owned())))
        .collect()
}

/// The value at a path through objects; `None` as soon as something on the way is falsy or no object.
fn find<'a>(record: NodeRef<'a>, path: &[(u32, String)]) -> Option<NodeRef<'a>> {
    if path.is_empty() {
        return None;
    }
    path.iter().try_fold(record, |node, (hash, key)| {
        node.get_hashed(*hash, key).filter(|value| value.is_truthy())
    })
}

fn write_uuid(bits: u128, out: &mut Vec<u8>) {
    for (at, byte) in bits.to_be_bytes().into_iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            out.push(b'-');
        }
        let digit = |half: u8| b"0123456789abcdef"[usize::from(half & 15)];
        out.extend([digit(byte >> 4), digit(byte)]);
    }
}

#[cfg(test)]
mod tests {
    use streamalert_types::RecordId;

    #[test]
    fn the_record_id_is_written_as_it_is_displayed() {
        let id = RecordId::from_u128(0x0123_4567_89ab_8def_8123_4567_89ab_cdef);
        let mut out = Vec::new();
        super::write_uuid(id.as_u128(), &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), id.to_string());
    }
}
