use streamalert_value::{Map, NodeRef, Value, key_hash, write_json_text};

/// What a value must be, or becomes.
#[derive(Debug)]
pub(crate) enum FieldType {
    /// `"string"`: whatever it is, `str()` of it.
    Text,
    /// `"integer"`.
    Integer,
    /// `"float"`.
    Float,
    /// `"boolean"`.
    Boolean,
    /// `{}`: anything at all.
    Anything,
    /// `[…]`: a list or anything falsy; its members are not looked at.
    List,
    /// `{…}`: an object with exactly these keys.
    Nested(Fields),
}

impl FieldType {
    /// What the type is called in messages: "not {name}".
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Text => "a text",
            Self::Integer => "an integer",
            Self::Float => "a float",
            Self::Boolean => "a boolean",
            Self::Anything => "anything",
            Self::List => "a list",
            Self::Nested(_) => "an object of the nested schema",
        }
    }

    /// The default for an optional key that is absent, as JSON.
    pub(crate) const fn default_json(&self) -> &'static str {
        match self {
            Self::Text => "\"\"",
            Self::Integer => "0",
            Self::Float => "0.0",
            Self::Boolean => "false",
            Self::Anything | Self::Nested(_) => "{}",
            Self::List => "[]",
        }
    }
}

/// One key of a schema.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) hash: u32,
    /// The key as JSON, with its colon.
    pub(crate) json_key: Vec<u8>,
    pub(crate) kind: FieldType,
}

/// The keys of a schema or nested schema, in the order of their definition.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    list: Vec<Field>,
    /// Hash and index, sorted.
    by_hash: Vec<(u32, u32)>,
}

impl Fields {
    /// Compiles a schema; `problem` hears of each type that is none, with its path.
    pub(crate) fn compile(
        map: &Map,
        path: &mut Vec<String>,
        problem: &mut dyn FnMut(&[String], String),
    ) -> Self {
        let mut list = Vec::with_capacity(map.len());
        for (name, definition) in map {
            path.push(name.clone());
            let kind = match definition {
                Value::Str(word) => match word.as_str() {
                    "string" => FieldType::Text,
                    "integer" => FieldType::Integer,
                    "float" => FieldType::Float,
                    "boolean" => FieldType::Boolean,
                    other => {
                        problem(
                            path,
                            format!("unknown type {other:?}, expected string, integer, float or boolean"),
                        );
                        FieldType::Anything
                    }
                },
                Value::List(_) => FieldType::List,
                Value::Map(nested) if nested.is_empty() => FieldType::Anything,
                Value::Map(nested) => FieldType::Nested(Self::compile(nested, path, problem)),
                other => {
                    problem(
                        path,
                        format!("a type must be a word, [] or an object, not {}", other.to_json()),
                    );
                    FieldType::Anything
                }
            };
            path.pop();
            let mut json_key = Vec::new();
            write_json_text(name, &mut json_key);
            json_key.push(b':');
            list.push(Field {
                name: name.clone(),
                hash: key_hash(name.as_bytes()),
                json_key,
                kind,
            });
        }
        let mut by_hash: Vec<(u32, u32)> = list
            .iter()
            .enumerate()
            .map(|(at, field)| (field.hash, at as u32))
            .collect();
        by_hash.sort_unstable();
        Self { list, by_hash }
    }

    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(crate) fn iter(&self) -> std::slice::Iter<'_, Field> {
        self.list.iter()
    }

    pub(crate) fn get(&self, index: usize) -> &Field {
        &self.list[index]
    }

    /// The index of a name.
    pub(crate) fn position(&self, name: &str) -> Option<usize> {
        self.list.iter().position(|field| field.name == name)
    }

    /// The index of a key of a document.
    #[inline]
    pub(crate) fn find(&self, key: NodeRef<'_>) -> Option<usize> {
        let hash = key.hash();
        let first = self.by_hash.partition_point(|(other, _)| *other < hash);
        self.by_hash[first..]
            .iter()
            .take_while(|(other, _)| *other == hash)
            .map(|(_, at)| *at as usize)
            .find(|at| key.is_key(&self.list[*at].name))
    }
}
