use std::collections::HashMap;
use std::fmt::Write;
use std::net::IpAddr;

use streamalert_types::Timestamp;
use streamalert_value::Value;

use super::dice::Dice;
use super::people;

/// What stands at one place of an event and is drawn anew for each.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Slot {
    Account,
    Address,
    Agent,
    Region,
    User,
    /// A name whose first so many characters tell its kind.
    Id(String, usize),
    /// `2026-03-12T08:01:00Z`, with or without thousandths, so many seconds before the event.
    Time {
        thousandths: bool,
        before_secs: u64,
    },
    EventName(String),
    ErrorCode(String),
}

#[derive(Debug, Clone)]
enum Piece {
    Text(String),
    /// Which of the drawn values.
    Drawn(usize),
}

/// One real event, cut where what varies stands. Whatever is equal in the original is equal in what is made of it:
/// an account occurs in a dozen names, and all change alike.
#[derive(Debug, Clone)]
pub(super) struct Template {
    pieces: Vec<Piece>,
    slots: Vec<Slot>,
    /// Event source and whether it only reads: what event names are drawn among.
    service: (String, bool),
    /// Bytes of the original.
    bytes: usize,
}

/// Events that are made to learn how big they get.
const SAMPLES: u64 = 8;

/// Event names and error codes by service, as often as they occur.
#[derive(Debug, Default)]
pub(super) struct Vocabulary {
    names: HashMap<(String, bool), Vec<String>>,
    errors: HashMap<String, Vec<String>>,
}

impl Vocabulary {
    /// Takes in the event name and error code of a template.
    pub(super) fn learn(&mut self, template: &Template) {
        for slot in &template.slots {
            match slot {
                Slot::EventName(name) => self.add_name(&template.service, name),
                Slot::ErrorCode(code) => self
                    .errors
                    .entry(template.service.0.clone())
                    .or_default()
                    .push(code.clone()),
                _ => {}
            }
        }
    }

    /// An event name of a service, once more.
    pub(super) fn add_name(&mut self, service: &(String, bool), name: &str) {
        self.names
            .entry(service.clone())
            .or_default()
            .push(name.to_owned());
    }
}

impl Template {
    /// Cuts an event up.
    pub(super) fn of(event: &Value) -> Self {
        let mut found = Found::default();
        found.walk("", event, 0);
        let text = event.to_json();
        let mut tokens = found.tokens;
        // A part of a key is no value: changing it would change the key set.
        tokens.retain(|(token, _)| !found.keys.iter().any(|key| key.contains(token.as_str())));
        tokens.sort_by(|(one, _), (two, _)| two.len().cmp(&one.len()).then_with(|| one.cmp(two)));
        tokens.dedup_by(|(one, _), (two, _)| one == two);
        let word = |key: &str| event.get(key).and_then(Value::as_str).unwrap_or_default();
        Self {
            pieces: cut(&text, &tokens),
            slots: tokens.into_iter().map(|(_, slot)| slot).collect(),
            service: (
                word("eventSource").to_owned(),
                event.get("readOnly").is_some_and(Value::is_truthy),
            ),
            bytes: text.len(),
        }
    }

    /// One event, compact, that happened at `now_micros`.
    pub(super) fn fill(&self, dice: &mut Dice, words: &Vocabulary, now_micros: i64) -> String {
        let drawn: Vec<String> = self
            .slots
            .iter()
            .map(|slot| self.draw(slot, dice, words, now_micros))
            .collect();
        let mut text = String::with_capacity(self.bytes + self.bytes / 8);
        for piece in &self.pieces {
            match piece {
                Piece::Text(piece) => text.push_str(piece),
                Piece::Drawn(at) => text.push_str(drawn.get(*at).map_or("", String::as_str)),
            }
        }
        text
    }

    /// What an event made of this takes, more or less.
    pub(super) fn usual_bytes(&self, words: &Vocabulary) -> u64 {
        let mut dice = Dice::new(0);
        let sum: usize = (0..SAMPLES).map(|_| self.fill(&mut dice, words, 0).len()).sum();
        sum as u64 / SAMPLES
    }

    fn draw(&self, slot: &Slot, dice: &mut Dice, words: &Vocabulary, now_micros: i64) -> String {
        match slot {
            Slot::Account => people::account(dice),
            Slot::Address => people::address(dice),
            Slot::Agent => people::agent(dice).to_owned(),
            Slot::Region => people::region(dice).to_owned(),
            Slot::User => people::user(dice),
            Slot::Id(pattern, keep) => people::id(pattern, *keep, dice),
            Slot::Time {
                thousandths,
                before_secs,
            } => {
                let micros = now_micros - (*before_secs as i64) * 1_000_000;
                time(micros, *thousandths)
            }
            // Mostly its own name, since parameters belong to it.
            Slot::EventName(own) => {
                let names = words.names.get(&self.service).filter(|_| dice.per_mille(150));
                let other = names.and_then(|names| dice.choose(names));
                other.unwrap_or(own).clone()
            }
            Slot::ErrorCode(own) => {
                let codes = words.errors.get(&self.service.0).filter(|_| dice.per_mille(300));
                let other = codes.and_then(|codes| dice.choose(codes));
                other.unwrap_or(own).clone()
            }
        }
    }
}

fn time(micros: i64, thousandths: bool) -> String {
    let text = Timestamp::from_micros(micros).to_string();
    let mut short: String = text.chars().take(19).collect();
    if thousandths {
        let _ = write!(short, ".{:03}", micros.rem_euclid(1_000_000) / 1_000);
    }
    short.push('Z');
    short
}

fn cut(text: &str, tokens: &[(String, Slot)]) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let (mut begun, mut at) = (0, 0);
    while at < text.len() {
        let rest = text.get(at..).unwrap_or_default();
        if let Some(which) = tokens
            .iter()
            .position(|(token, _)| rest.starts_with(token.as_str()))
        {
            pieces.push(Piece::Text(text.get(begun..at).unwrap_or_default().to_owned()));
            pieces.push(Piece::Drawn(which));
            at += tokens[which].0.len();
            begun = at;
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    pieces.push(Piece::Text(text.get(begun..).unwrap_or_default().to_owned()));
    pieces
}

/// What an event holds that can be drawn anew.
#[derive(Default)]
struct Found {
    tokens: Vec<(String, Slot)>,
    keys: Vec<String>,
}

/// Deeper than any event of the corpora.
const DEPTH_MAX: usize = 32;

impl Found {
    fn walk(&mut self, key: &str, value: &Value, depth: usize) {
        if depth > DEPTH_MAX {
            return;
        }
        match value {
            Value::Map(map) => {
                for (key, value) in map {
                    self.keys.push(key.clone());
                    self.walk(key, value, depth + 1);
                }
            }
            Value::List(items) => {
                for item in items {
                    self.walk(key, item, depth + 1);
                }
            }
            Value::Str(text) if plain(text) => {
                if let Some((token, slot)) = slot(key, text) {
                    self.tokens.push((token, slot));
                }
            }
            _ => {}
        }
    }
}

/// Written in JSON as it is, and long enough that it occurs where it means the same.
fn plain(text: &str) -> bool {
    text.len() >= 6
        && text
            .bytes()
            .all(|byte| (b' '..=b'~').contains(&byte) && byte != b'"' && byte != b'\\')
}

fn slot(key: &str, text: &str) -> Option<(String, Slot)> {
    let whole = |slot| Some((text.to_owned(), slot));
    match key {
        "eventName" => return whole(Slot::EventName(text.to_owned())),
        "errorCode" => return whole(Slot::ErrorCode(text.to_owned())),
        "awsRegion" => return whole(Slot::Region),
        "userName" | "username" | "current_user" => return whole(Slot::User),
        "userAgent" | "rawUserAgent" if text.contains('/') => return whole(Slot::Agent),
        "accessKeyId" => return whole(Slot::Id(text.to_owned(), 4)),
        "alternateId" | "email" | "login" => {
            // The domain says whether somebody is of the company, so it stays.
            let (user, _) = text.split_once('@').filter(|(user, _)| user.len() >= 4)?;
            return Some((format!("{user}@"), Slot::User));
        }
        "eventTime" | "published" => return whole(moment(text, 0)?),
        "creationDate" => return whole(moment(text, 1_800)?),
        _ => {}
    }
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    if digits && text.len() == 12 {
        return whole(Slot::Account);
    }
    if let Ok(IpAddr::V4(address)) = text.parse() {
        let special = address.is_unspecified() || address.is_loopback();
        return if special { None } else { whole(Slot::Address) };
    }
    // An anonymised address may have leading zeros or numbers that no address has.
    if text.split('.').count() == 4 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return whole(Slot::Address);
    }
    let id = text.len() >= 16
        && !digits
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && text.bytes().filter(u8::is_ascii_digit).count() >= 3;
    let named = key.ends_with("ID") || key.ends_with("uuid") || key.ends_with("_id") || uuid(text);
    (id && named).then(|| (text.to_owned(), Slot::Id(text.to_owned(), 0)))
}

fn uuid(text: &str) -> bool {
    text.len() == 36 && [8, 13, 18, 23].iter().all(|at| text.as_bytes()[*at] == b'-')
}

fn moment(text: &str, before_secs: u64) -> Option<Slot> {
    let thousandths = text.len() == 24;
    (text.ends_with('Z') && (thousandths || text.len() == 20)).then_some(Slot::Time {
        thousandths,
        before_secs,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(json: &str) -> Template {
        Template::of(&Value::parse_json(json.as_bytes()).unwrap())
    }

    #[test]
    fn an_account_changes_everywhere_alike_and_keys_stay() {
        let made = template(
            r#"{"recipientAccountId":"123456789012","arn":"arn:aws:iam::123456789012:user/benjamin","userName":"benjamin","by":{"benjamin":1,"x":"benjamin"}}"#,
        )
        .fill(&mut Dice::new(7), &Vocabulary::default(), 0);
        let event = Value::parse_json(made.as_bytes()).unwrap();
        let account = event.get("recipientAccountId").unwrap().as_str().unwrap();
        assert_ne!(account, "123456789012");
        assert_eq!(account.len(), 12);
        // The name is a key somewhere, so it stays.
        assert_eq!(
            event.get("arn").unwrap().as_str().unwrap(),
            format!("arn:aws:iam::{account}:user/benjamin")
        );
    }

    #[test]
    fn times_keep_their_form() {
        let made = template(r#"{"eventTime":"2023-07-10T11:42:36Z","published":"2023-07-10T11:42:36.123Z"}"#)
            .fill(&mut Dice::new(7), &Vocabulary::default(), 1_773_300_000_250_000);
        assert_eq!(
            made,
            r#"{"eventTime":"2026-03-12T07:20:00Z","published":"2026-03-12T07:20:00.250Z"}"#
        );
    }

    #[test]
    fn names_are_of_the_same_service_and_kind() {
        let mut words = Vocabulary::default();
        let json = r#"{"eventSource":"ec2.amazonaws.com","eventName":"DescribeVpcs","readOnly":true}"#;
        let own = template(json);
        words.learn(&own);
        words.learn(&template(
            r#"{"eventSource":"ec2.amazonaws.com","eventName":"DescribeRegions","readOnly":true}"#,
        ));
        words.learn(&template(
            r#"{"eventSource":"ec2.amazonaws.com","eventName":"CreateVpc","readOnly":false}"#,
        ));
        let mut dice = Dice::new(3);
        let made: std::collections::BTreeSet<String> =
            (0..500).map(|_| own.fill(&mut dice, &words, 0)).collect();
        let made: Vec<&str> = made.iter().map(String::as_str).collect();
        assert_eq!(made, [json.replace("Vpcs", "Regions").as_str(), json]);
    }
}
