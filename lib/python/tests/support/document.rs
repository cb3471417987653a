//! An exported document, shown as short text.

use serde_json::Value as Json;

pub(crate) struct Document {
    json: Json,
}

impl Document {
    pub(crate) fn new(text: &[u8]) -> Self {
        Self {
            json: serde_json::from_slice(text).unwrap(),
        }
    }

    pub(crate) fn object(&self, id: &Json) -> &Json {
        &self.json["objects"][usize::try_from(id.as_u64().unwrap()).unwrap()]
    }

    pub(crate) fn rule(&self, name: &str) -> &Json {
        let rules = self.json["rules"].as_array().unwrap();
        rules.iter().find(|rule| rule["name"] == name).unwrap()
    }

    pub(crate) fn field(&self, name: &str) -> &Json {
        &self.json[name]
    }

    /// The id of a global of the function that is a rule.
    pub(crate) fn global(&self, rule: &str, name: &str) -> &Json {
        let function = self.object(&self.rule(rule)["func"]);
        &function["globals"][name]
    }

    pub(crate) fn show(&self, id: &Json) -> String {
        self.show_within(id, &mut Vec::new())
    }

    fn show_within(&self, id: &Json, above: &mut Vec<u64>) -> String {
        if id.is_null() {
            return "missing".into();
        }
        let number = id.as_u64().unwrap();
        if above.contains(&number) {
            return "<cycle>".into();
        }
        above.push(number);
        let shown = self.form(self.object(id), above);
        above.pop();
        shown
    }

    fn form(&self, object: &Json, above: &mut Vec<u64>) -> String {
        let text = |key: &str| {
            object[key]
                .as_str()
                .unwrap_or_else(|| panic!("no {key} in {object}"))
        };
        match text("t") {
            "none" => "none".into(),
            kind @ ("bool" | "str") => format!("{kind} {}", object["v"]),
            kind @ ("int" | "float" | "bytes") => format!("{kind} {}", text("v")),
            kind @ ("list" | "tuple" | "set" | "frozenset") => {
                format!("{kind}[{}]", self.all(&object["v"], above))
            }
            "dict" => {
                let pairs = object["v"].as_array().unwrap().iter();
                let shown: Vec<String> = pairs
                    .map(|pair| {
                        let key = self.show_within(&pair[0], above);
                        format!("{key}: {}", self.show_within(&pair[1], above))
                    })
                    .collect();
                format!("dict[{}]", shown.join(", "))
            }
            "regex" => {
                let pattern = self.show_within(&object["pattern"], above);
                format!("regex {pattern} {}", object["flags"])
            }
            "module" => format!("module {}{}", text("name"), self.named(&object["attrs"], above)),
            "builtin" => format!("builtin {} {}", text("module"), text("name")),
            "function" => {
                let mut shown = format!(
                    "function {} {}:{}",
                    text("code_name"),
                    self.file(object),
                    object["line"]
                );
                if !object["of"].is_null() {
                    shown += &format!(" {}/{}", object["nth"], object["of"]);
                }
                shown
            }
            "class" => format!(
                "class {} {}:{} ({}){}",
                text("qualname"),
                self.file(object),
                object["line"],
                self.all(&object["bases"], above),
                self.named(&object["attrs"], above)
            ),
            kind @ ("staticmethod" | "classmethod") => {
                format!("{kind} {}", self.show_within(&object["func"], above))
            }
            "method" => {
                let func = self.show_within(&object["func"], above);
                format!("method {func} of {}", self.show_within(&object["self"], above))
            }
            "partial" => {
                let func = self.show_within(&object["func"], above);
                let args = self.all(&object["args"], above);
                format!("partial {func}({args}){}", self.named(&object["kwargs"], above))
            }
            "enum_member" => {
                let class = text_of(&self.object(&object["class"])["name"]);
                format!(
                    "member {class}.{} {}",
                    text("name"),
                    self.show_within(&object["value"], above)
                )
            }
            "unsupported" => {
                let mut shown = format!("unsupported: {}", text("reason"));
                if !object["call"].is_null() {
                    let call = self.show_within(&object["call"], above);
                    shown += &format!(" = {call}({})", self.all(&object["args"], above));
                }
                if !object["func"].is_null() {
                    shown += &format!(" = {}", self.show_within(&object["func"], above));
                }
                shown
            }
            other => panic!("unknown kind {other}"),
        }
    }

    fn file(&self, object: &Json) -> &str {
        let source = usize::try_from(object["source"].as_u64().unwrap()).unwrap();
        text_of(&self.json["sources"][source]["file"])
    }

    fn all(&self, ids: &Json, above: &mut Vec<u64>) -> String {
        let ids = ids.as_array().unwrap().iter();
        ids.map(|id| self.show_within(id, above))
            .collect::<Vec<_>>()
            .join(", ")
    }

    pub(crate) fn named(&self, names: &Json, above: &mut Vec<u64>) -> String {
        let Some(names) = names.as_object() else {
            return String::new();
        };
        let shown: Vec<String> = names
            .iter()
            .map(|(name, id)| format!("{name}={}", self.show_within(id, above)))
            .collect();
        format!(" {{{}}}", shown.join(", "))
    }
}

fn text_of(value: &Json) -> &str {
    value.as_str().unwrap()
}
