//! Records aimed at what a program looks at, and nasty ones.

use crate::fields::{Field, Kind, all};
use crate::literals;
use crate::program::Program;
use crate::rng::Rng;

const NASTY: [&str; 40] = [
    "null",
    "0",
    "-0",
    "-0.0",
    "0.0",
    "1",
    "1.0",
    "true",
    "false",
    "\"\"",
    "[]",
    "{}",
    "1e400",
    "-1e400",
    "NaN",
    "Infinity",
    "-Infinity",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775809",
    "123456789012345678901234567890",
    "1e22",
    "5e-324",
    "0.1",
    "\"\\ud800\"",
    "\"\\udfff\\ud83d\\ude00\"",
    "\"\\u0000\"",
    "\"\\u000a\\t\\r\"",
    "\"😀\"",
    "\"\u{7f}\"",
    "[null]",
    "[[]]",
    "[{}]",
    "{\"\": \"\"}",
    "[1, \"1\", 1.0, true]",
    "{\"a\": {\"b\": {\"c\": []}}}",
    "{\"a\": 1, \"a\": 2}",
    "\"1\"",
    "\"True\"",
    "[\"b\", \"a\", \"b\"]",
];

impl Program {
    /// `count` records of a seed, as JSON texts.
    #[must_use]
    pub fn records(&self, seed: u64, count: usize) -> Vec<String> {
        let fields = all(&self.fields);
        (0..count)
            .map(|index| {
                let mut rng = Rng::part(seed, index as u64);
                // Some records are good throughout, so that rules get to their ends.
                let trouble = rng.pick(&[0, 0, 0, 1, 2, 6]);
                Maker {
                    rng,
                    trouble,
                    fields: &fields,
                }
                .record(&self.fields)
            })
            .collect()
    }
}

struct Maker<'p> {
    rng: Rng,
    /// How many in a hundred of each sort of trouble.
    trouble: usize,
    fields: &'p [&'p Field],
}

impl Maker<'_> {
    fn record(&mut self, fields: &[Field]) -> String {
        let mut members = self.members(fields);
        if self.rng.percent(6) {
            members.push(self.normalized());
        }
        if self.rng.percent(10) {
            let value = self.nasty();
            members.push(format!("\"extra\": {value}"));
        }
        if self.rng.percent(5) && members.len() > 1 {
            let other = self.rng.below(members.len());
            members.swap(0, other);
        }
        format!("{{{}}}", members.join(", "))
    }

    fn members(&mut self, fields: &[Field]) -> Vec<String> {
        let mut members = Vec::new();
        for field in fields {
            if self.rng.percent(self.trouble) {
                continue;
            }
            if self.rng.percent(self.trouble / 3) {
                let other = self.value(field);
                members.push(format!("\"{}\": {other}", field.key));
            }
            let value = self.value(field);
            members.push(format!("\"{}\": {value}", field.key));
        }
        members
    }

    fn value(&mut self, field: &Field) -> String {
        if self.rng.percent(self.trouble) {
            return self.trouble(field);
        }
        match field.kind {
            Kind::Dict => {
                let members = self.members(&field.below);
                format!("{{{}}}", members.join(", "))
            }
            Kind::Dicts => {
                let items: Vec<String> = (0..self.rng.between(0, 3))
                    .map(|_| format!("{{{}}}", self.members(&field.below).join(", ")))
                    .collect();
                format!("[{}]", items.join(", "))
            }
            kind => match self.rng.below(100) {
                0..52 => self.rng.pick(&field.pool),
                52..70 => {
                    let near = self.rng.pick(&field.pool);
                    self.near_miss(&near)
                }
                70..76 => self.other_field(field),
                _ => literals::json(&mut self.rng, kind),
            },
        }
    }

    /// A value of a field of the same kind elsewhere in the record.
    fn other_field(&mut self, field: &Field) -> String {
        let same: Vec<&Field> = self
            .fields
            .iter()
            .copied()
            .filter(|other| other.kind == field.kind)
            .collect();
        let pool = same
            .get(self.rng.below(same.len()))
            .map_or(&[][..], |other| other.pool.as_slice());
        if pool.is_empty() {
            literals::json(&mut self.rng, field.kind)
        } else {
            self.rng.pick(pool)
        }
    }

    fn near_miss(&mut self, value: &str) -> String {
        if let Some(text) = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
            let changed = match self.rng.below(8) {
                0 => format!("{text} "),
                1 => format!("x{text}"),
                2 => format!("{text}x"),
                3 if !text.contains('\\') => text.to_uppercase(),
                4 if !text.contains('\\') => text.to_lowercase(),
                5 if !text.contains('\\') => text.chars().skip(1).collect(),
                6 if !text.contains('\\') => {
                    let keep = text.chars().count().saturating_sub(1);
                    text.chars().take(keep).collect()
                }
                _ => format!("{text}{text}"),
            };
            return format!("\"{changed}\"");
        }
        if value.starts_with(|c: char| c.is_ascii_digit() || c == '-') {
            return match self.rng.below(5) {
                0 => format!("\"{value}\""),
                1 if !value.contains(['.', 'e']) => format!("{value}.0"),
                2 if !value.contains(['.', 'e']) => format!("{value}0"),
                3 if !value.contains(['.', 'e', '-']) && !value.starts_with('0') => format!("1{value}"),
                _ => match value.strip_prefix('-') {
                    Some(positive) => positive.to_owned(),
                    None => format!("-{value}"),
                },
            };
        }
        match value {
            "true" => self.rng.pick(&["1", "\"true\"", "false", "1.0"]).to_owned(),
            "false" => self.rng.pick(&["0", "\"\"", "true", "null"]).to_owned(),
            _ => value.to_owned(),
        }
    }

    fn trouble(&mut self, field: &Field) -> String {
        match self.rng.below(10) {
            0..3 => "null".to_owned(),
            3..5 => format!("[{}]", self.rng.pick(&field.pool)),
            5 => format!("{{\"a\": {}}}", self.rng.pick(&["1", "null", "\"x\""])),
            6 if self.rng.percent(10) => self.deep(),
            _ => self.nasty(),
        }
    }

    fn nasty(&mut self) -> String {
        self.rng.pick(&NASTY).to_owned()
    }

    fn deep(&mut self) -> String {
        let depth = self.rng.between(10, 90);
        let (open, close) = if self.rng.percent(50) {
            ("[", "]")
        } else {
            ("{\"a\": ", "}")
        };
        format!("{}1{}", open.repeat(depth), close.repeat(depth))
    }

    fn normalized(&mut self) -> String {
        let value = literals::json(&mut self.rng, Kind::Ip);
        let word = literals::json(&mut self.rng, Kind::Word);
        format!(
            "\"streamalert_normalization\": {{\"streamalert_record_id\": \"1\", \"ip_address\": [{{\"function\": null, \"path\": \
             [\"src\"], \"values\": [{value}]}}], \"user\": [{{\"values\": [{word}]}}, {{\"values\": [{word}]}}]}}"
        )
    }
}
