use streamalert_value::Value;

/// `last_hour` is this long before now.
const LAST_HOUR_SECS_AGO: i64 = 60;

const OPENING: &str = "<helper:";

/// What stands for `<helper:NAME>` in the data of test events.
#[derive(Debug, Clone)]
pub(crate) struct Helpers {
    last_hour: String,
}

impl Helpers {
    /// Helpers at a moment, in seconds since 1970.
    pub(crate) fn at(now_secs: i64) -> Self {
        Self {
            last_hour: (now_secs - LAST_HOUR_SECS_AGO).to_string(),
        }
    }

    /// Fills in every helper in every text. StreamAlert leaves texts within lists alone; a helper there can only be
    /// meant.
    ///
    /// # Errors
    /// The name that no helper has.
    pub(crate) fn fill(&self, value: &mut Value) -> Result<(), String> {
        match value {
            Value::Str(text) if text.contains(OPENING) => {
                *text = self.filled(text)?;
                Ok(())
            }
            Value::List(items) => items.iter_mut().try_for_each(|item| self.fill(item)),
            Value::Map(map) => map.values_mut().try_for_each(|value| self.fill(value)),
            _ => Ok(()),
        }
    }

    fn filled(&self, text: &str) -> Result<String, String> {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find(OPENING) {
            let after = &rest[at + OPENING.len()..];
            let end = after
                .find(|letter: char| !letter.is_alphanumeric() && letter != '_')
                .unwrap_or(after.len());
            let name = &after[..end];
            out.push_str(&rest[..at]);
            match after[end..].strip_prefix('>').filter(|_| !name.is_empty()) {
                Some(_) if name == "last_hour" => out.push_str(&self.last_hour),
                Some(_) => return Err(name.to_owned()),
                // Not of the form of a helper: text like any other.
                None => {
                    out.push_str(OPENING);
                    rest = after;
                    continue;
                }
            }
            rest = &after[end + 1..];
        }
        out.push_str(rest);
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(text: &str) -> Result<String, String> {
        let mut value = Value::parse_json(text.as_bytes()).unwrap();
        Helpers::at(1_000).fill(&mut value).map(|()| value.to_json())
    }

    #[test]
    fn the_last_hour_is_a_minute_ago_wherever_it_stands() {
        let out = filled(r#"{"a": "<helper:last_hour>", "b": {"c": ["at <helper:last_hour>!"]}, "d": 1}"#);
        assert_eq!(out.unwrap(), r#"{"a":"940","b":{"c":["at 940!"]},"d":1}"#);
    }

    #[test]
    fn an_unknown_helper_is_named_and_what_only_looks_like_one_stays() {
        assert_eq!(filled(r#""<helper:last_week>""#), Err("last_week".to_owned()));
        assert_eq!(
            filled(r#""<helper:last hour> <helper:>""#).unwrap(),
            r#""<helper:last hour> <helper:>""#
        );
    }
}
