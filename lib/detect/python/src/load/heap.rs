//! The objects of the module level.

use crate::export::{Object, ObjectId};
use crate::program::Const;

/// Objects by number.
#[derive(Debug, Default)]
pub(super) struct Heap {
    pub(super) objects: Vec<Object>,
}

impl Heap {
    pub(super) fn push(&mut self, object: Object) -> ObjectId {
        self.objects.push(object);
        (self.objects.len() - 1) as ObjectId
    }

    pub(super) fn get(&self, id: ObjectId) -> &Object {
        const NONE: &Object = &Object::None;
        self.objects.get(id as usize).unwrap_or(NONE)
    }

    pub(super) fn unsupported(&mut self, reason: impl Into<String>) -> ObjectId {
        self.push(Object::Unsupported {
            reason: reason.into(),
            call: None,
            args: Vec::new(),
            func: None,
            getter: None,
        })
    }

    pub(super) fn str(&mut self, text: &str) -> ObjectId {
        self.push(Object::Str { v: text.to_owned() })
    }

    /// Something of a module of ours: a plain value where it is one, else its name.
    pub(super) fn named(&mut self, module: &str, name: &str) -> ObjectId {
        let found = if module == "builtins" {
            crate::builtins::lookup(name)
        } else {
            crate::modules::lookup(module, name)
        };
        let object = match found {
            Some(Const::None) => Object::None,
            Some(Const::Bool(v)) => Object::Bool { v },
            Some(Const::Int(v)) => Object::Int { v: v.to_string() },
            Some(Const::Float(v)) => Object::Float { v: format!("{v:?}") },
            Some(Const::Str(v)) => Object::Str { v: v.into() },
            Some(Const::Module(name)) => Object::Module {
                name: name.into(),
                attrs: Default::default(),
            },
            _ => Object::Builtin {
                module: module.to_owned(),
                name: name.to_owned(),
            },
        };
        self.push(object)
    }

    pub(super) fn text(&self, id: ObjectId) -> Option<&str> {
        match self.get(id) {
            Object::Str { v } => Some(v),
            _ => None,
        }
    }

    /// An `int`, `bool` or flag of `re`.
    pub(super) fn int(&self, id: ObjectId) -> Option<i64> {
        match self.get(id) {
            Object::Builtin { module, name } if module == "re" => Some(match name.as_str() {
                "I" | "IGNORECASE" => 2,
                "M" | "MULTILINE" => 8,
                "S" | "DOTALL" => 16,
                "U" | "UNICODE" => 32,
                "X" | "VERBOSE" => 64,
                "A" | "ASCII" => 256,
                _ => return None,
            }),
            Object::Int { v } => v.parse().ok(),
            Object::Bool { v } => Some(i64::from(*v)),
            _ => None,
        }
    }

    pub(super) fn truth(&self, id: ObjectId) -> Option<bool> {
        Some(match self.get(id) {
            Object::None => false,
            Object::Bool { v } => *v,
            Object::Int { v } => v != "0",
            Object::Str { v } | Object::Bytes { v } => !v.is_empty(),
            Object::List { v } | Object::Tuple { v } | Object::Set { v } | Object::Frozenset { v } => {
                !v.is_empty()
            }
            Object::Dict { v } => !v.is_empty(),
            Object::Function { .. } | Object::Module { .. } | Object::Class { .. } | Object::Regex { .. } => {
                true
            }
            _ => return None,
        })
    }

    /// What iterating over a container gives.
    pub(super) fn elements(&mut self, id: ObjectId) -> Option<Vec<ObjectId>> {
        match self.get(id) {
            Object::List { v } | Object::Tuple { v } | Object::Set { v } | Object::Frozenset { v } => {
                Some(v.clone())
            }
            Object::Dict { v } => Some(v.iter().map(|(key, _)| *key).collect()),
            Object::Str { v } => {
                let texts: Vec<String> = v.chars().map(String::from).collect();
                Some(texts.iter().map(|text| self.str(text)).collect())
            }
            _ => None,
        }
    }

    /// Whether two plain values are equal; `None` for anything else.
    pub(super) fn equal(&self, a: ObjectId, b: ObjectId) -> Option<bool> {
        if let (Some(a), Some(b)) = (self.int(a), self.int(b)) {
            return Some(a == b);
        }
        Some(match (self.get(a), self.get(b)) {
            (Object::Str { v: a }, Object::Str { v: b }) => a == b,
            (Object::None, Object::None) => true,
            (Object::Str { .. } | Object::None, Object::Int { .. } | Object::Bool { .. })
            | (Object::Int { .. } | Object::Bool { .. }, Object::Str { .. } | Object::None)
            | (Object::Str { .. }, Object::None)
            | (Object::None, Object::Str { .. }) => false,
            _ => return None,
        })
    }
}
