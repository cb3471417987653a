//! Reading JSON text into values; everything about JSON itself lives in `streamalert-value`.

use streamalert_value::Value;

/// The value that `bytes` are the JSON text of; `None` when they are not JSON.
pub(crate) fn read(bytes: &[u8]) -> Option<Value> {
    let text = std::str::from_utf8(bytes).ok()?;
    let mut reader = Reader { text, at: 0 };
    let value = reader.value(0)?;
    reader.space();
    (reader.at == text.len()).then_some(value)
}

/// Deeper nesting than this is refused; the classifier refuses it earlier.
const DEPTH_MAX: usize = 512;

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn space(&mut self) {
        self.at = self.text.len() - self.rest().trim_start_matches([' ', '\t', '\n', '\r']).len();
    }

    fn take(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    fn value(&mut self, depth: usize) -> Option<Value> {
        if depth > DEPTH_MAX {
            return None;
        }
        self.space();
        match self.rest().as_bytes().first()? {
            b'{' => self.map(depth),
            b'[' => self.list(depth),
            b'"' => self.string().map(Value::Str),
            _ => self.word(),
        }
    }

    fn word(&mut self) -> Option<Value> {
        let words = [
            ("null", Value::Null),
            ("true", Value::Bool(true)),
            ("false", Value::Bool(false)),
            ("NaN", Value::Float(f64::NAN)),
            ("Infinity", Value::Float(f64::INFINITY)),
            ("-Infinity", Value::Float(f64::NEG_INFINITY)),
        ];
        for (word, value) in words {
            if self.take(word) {
                return Some(value);
            }
        }
        let length = self
            .rest()
            .find(|c: char| !matches!(c, '0'..='9' | '-' | '+' | '.' | 'e' | 'E'))
            .unwrap_or(self.rest().len());
        let number = &self.text[self.at..self.at + length];
        self.at += length;
        if number.contains(['.', 'e', 'E']) {
            return number.parse().ok().map(Value::Float);
        }
        if let Ok(int) = number.parse() {
            return Some(Value::Int(int));
        }
        let digits = number.strip_prefix('-').unwrap_or(number);
        let canonical = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        canonical.then(|| Value::BigInt(number.into()))
    }

    fn list(&mut self, depth: usize) -> Option<Value> {
        self.take("[");
        let mut items = Vec::new();
        self.space();
        if self.take("]") {
            return Some(Value::List(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            self.space();
            if self.take("]") {
                return Some(Value::List(items));
            }
            self.take(",").then_some(())?;
        }
    }

    fn map(&mut self, depth: usize) -> Option<Value> {
        self.take("{");
        let mut map = streamalert_value::Map::new();
        self.space();
        if self.take("}") {
            return Some(Value::Map(map));
        }
        loop {
            self.space();
            let key = self.string()?;
            self.space();
            self.take(":").then_some(())?;
            let value = self.value(depth + 1)?;
            map.insert(key, value);
            self.space();
            if self.take("}") {
                return Some(Value::Map(map));
            }
            self.take(",").then_some(())?;
        }
    }

    fn string(&mut self) -> Option<String> {
        self.take("\"").then_some(())?;
        let mut text = String::new();
        loop {
            let stop = self.rest().find(['"', '\\'])?;
            text.push_str(&self.text[self.at..self.at + stop]);
            self.at += stop;
            if self.take("\"") {
                return Some(text);
            }
            self.take("\\");
            let escape = self.rest().chars().next()?;
            self.at += escape.len_utf8();
            text.push(match escape {
                '"' | '\\' | '/' => escape,
                'b' => '\u{8}',
                'f' => '\u{c}',
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'u' => self.unicode()?,
                _ => return None,
            });
        }
    }

    fn hex4(&mut self) -> Option<u32> {
        let digits = self.rest().get(..4)?;
        let code = u32::from_str_radix(digits, 16).ok()?;
        self.at += 4;
        Some(code)
    }

    fn unicode(&mut self) -> Option<char> {
        let first = self.hex4()?;
        if (0xd800..0xdc00).contains(&first) && self.rest().starts_with("\\u") {
            let before = self.at;
            self.at += 2;
            let second = self.hex4()?;
            if (0xdc00..0xe000).contains(&second) {
                return char::from_u32(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00));
            }
            self.at = before;
        }
        Some(char::from_u32(first).unwrap_or('\u{fffd}'))
    }
}
