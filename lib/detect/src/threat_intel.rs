use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::IpAddr;

use bytes::Bytes;
use streamalert_types::Record;
use streamalert_value::Value;

/// The key under which found indicators are added to a record: a dictionary from type to values.
pub const IOC_KEY: &str = "streamalert:ioc";

/// The key under which the classifier puts normalized values.
pub const NORMALIZATION_KEY: &str = "streamalert_normalization";

/// What threat intelligence works with; `conf/threat_intel.json` and the indicators themselves.
#[derive(Debug, Clone, Default)]
pub struct ThreatIntelOptions {
    /// `normalized_ioc_types`: indicator type to the normalized types whose values may be such.
    pub normalized_ioc_types: BTreeMap<String, Vec<String>>,
    /// `excluded_iocs`: indicator type to values that are never indicators; for `ip`, networks.
    pub excluded_iocs: BTreeMap<String, Vec<String>>,
    /// Known indicators by type. As in StreamAlert a value counts whatever type it is listed under; the type
    /// that a record gets is that of the normalized value.
    pub iocs: BTreeMap<String, BTreeSet<String>>,
}

/// Finds known indicators among a record's normalized values.
#[derive(Debug, Default)]
pub struct ThreatIntel {
    type_of: HashMap<String, String>,
    excluded: HashMap<String, HashSet<String>>,
    excluded_networks: Option<Vec<Network>>,
    known: HashSet<String>,
}

/// A network of `excluded_iocs` that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an ip network: {text:?}")]
pub struct NetworkError {
    text: String,
}

impl ThreatIntel {
    /// Prepares the look-ups.
    ///
    /// # Errors
    /// [`NetworkError`] when an excluded `ip` is not a network.
    pub fn new(options: ThreatIntelOptions) -> Result<Self, NetworkError> {
        let mut intel = Self::default();
        for (ioc_type, keys) in options.normalized_ioc_types {
            intel
                .type_of
                .extend(keys.into_iter().map(|key| (key, ioc_type.clone())));
        }
        for (ioc_type, values) in options.excluded_iocs {
            if ioc_type == "ip" {
                let networks = values.iter().map(|text| Network::parse(text));
                intel.excluded_networks = Some(networks.collect::<Result<_, _>>()?);
            } else {
                intel.excluded.insert(ioc_type, values.into_iter().collect());
            }
        }
        intel.known = options.iocs.into_values().flatten().collect();
        Ok(intel)
    }

    /// Whether there is nothing to find.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.known.is_empty() || self.type_of.is_empty()
    }

    /// Adds `streamalert:ioc` to a record that holds indicators; `None` leaves it as it is. The new text is the
    /// old one with one key more at the end.
    #[must_use]
    pub fn annotate(&self, record: &Record) -> Option<Record> {
        if self.is_empty() || memchr::memmem::find(&record.json, NORMALIZATION_KEY.as_bytes()).is_none() {
            return None;
        }
        let Value::Map(map) = Value::parse_json(&record.json).ok()? else {
            return None;
        };
        let found = self.find(map.get(NORMALIZATION_KEY)?);
        if found.is_empty() {
            return None;
        }
        Some(Record {
            json: with_iocs(&record.json, &found)?,
            ..record.clone()
        })
    }

    /// The indicators among normalized values (what stands under [`NORMALIZATION_KEY`]), by type.
    #[must_use]
    pub fn find(&self, normalization: &Value) -> BTreeMap<&str, BTreeSet<String>> {
        let mut found: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        let Value::Map(normalization) = normalization else {
            return found;
        };
        for (key, entries) in normalization {
            let (Some(ioc_type), Value::List(entries)) = (self.type_of.get(key), entries) else {
                continue;
            };
            for value in entries.iter().flat_map(values_of) {
                if self.known.contains(value) && !self.is_excluded(ioc_type, value) {
                    found.entry(ioc_type).or_default().insert(value.to_owned());
                }
            }
        }
        found
    }

    fn is_excluded(&self, ioc_type: &str, value: &str) -> bool {
        if ioc_type == "ip" {
            // With exclusions configured, host names in address fields are no indicators either.
            return self
                .excluded_networks
                .as_ref()
                .is_some_and(|networks| match value.parse::<IpAddr>() {
                    Ok(address) => networks.iter().any(|network| network.contains(address)),
                    Err(_) => true,
                });
        }
        self.excluded
            .get(ioc_type)
            .is_some_and(|values| values.contains(value))
    }
}

/// Values of one entry: `{"function": …, "values": […]}`, or a bare value as normalization once wrote it.
fn values_of(entry: &Value) -> Vec<&str> {
    match entry {
        Value::Str(value) => vec![value],
        Value::Map(map) => match map.get("values") {
            Some(Value::List(values)) => values
                .iter()
                .filter_map(|v| {
                    if let Value::Str(v) = v {
                        Some(v.as_str())
                    } else {
                        None
                    }
                })
                .collect(),
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

fn with_iocs(json: &Bytes, found: &BTreeMap<&str, BTreeSet<String>>) -> Option<Bytes> {
    let body = json.trim_ascii_end().strip_suffix(b"}")?;
    let mut text = Vec::with_capacity(body.len() + 128);
    text.extend_from_slice(body);
    if !body.trim_ascii().ends_with(b"{") {
        text.push(b',');
    }
    quote(IOC_KEY, &mut text);
    text.push(b':');
    let mut open = b'{';
    for (ioc_type, values) in found {
        text.push(open);
        open = b',';
        quote(ioc_type, &mut text);
        text.push(b':');
        let mut open = b'[';
        for value in values {
            text.push(open);
            open = b',';
            quote(value, &mut text);
        }
        text.push(b']');
    }
    text.extend_from_slice(b"}}");
    Some(text.into())
}

fn quote(value: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for c in value.chars() {
        match c {
            '"' | '\\' => out.extend([b'\\', c as u8]),
            c if u32::from(c) < 0x20 => out.extend(format!("\\u{:04x}", u32::from(c)).bytes()),
            c => out.extend(c.encode_utf8(&mut [0; 4]).bytes()),
        }
    }
    out.push(b'"');
}

#[derive(Debug, Clone, Copy)]
struct Network {
    address: IpAddr,
    prefix: u32,
}

impl Network {
    fn parse(text: &str) -> Result<Self, NetworkError> {
        let error = || NetworkError {
            text: text.to_owned(),
        };
        let (address, prefix) = text.split_once('/').map_or((text, None), |(a, p)| (a, Some(p)));
        let address: IpAddr = address.trim().parse().map_err(|_| error())?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Ok(bits), |p| p.trim().parse().map_err(|_| error()))?;
        if prefix > bits {
            Err(error())
        } else {
            Ok(Self { address, prefix })
        }
    }

    fn contains(self, other: IpAddr) -> bool {
        let same = |a: u128, b: u128, bits: u32| {
            let shift = bits - self.prefix;
            shift >= 128 || a >> shift == b >> shift
        };
        match (self.address, other) {
            (IpAddr::V4(a), IpAddr::V4(b)) => same(u32::from(a).into(), u32::from(b).into(), 32),
            (IpAddr::V6(a), IpAddr::V6(b)) => same(a.into(), b.into(), 128),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use streamalert_types::{DataType, Position, Sequence, Source};

    use super::*;

    fn intel() -> ThreatIntel {
        let options = ThreatIntelOptions {
            normalized_ioc_types: [
                (
                    "ip".to_owned(),
                    vec!["sourceAddress".to_owned(), "ip_address".to_owned()],
                ),
                ("domain".to_owned(), vec!["destinationDomain".to_owned()]),
            ]
            .into(),
            excluded_iocs: [("ip".to_owned(), vec!["10.0.0.0/8".to_owned(), "::1".to_owned()])].into(),
            iocs: [(
                "ip".to_owned(),
                ["1.1.1.2", "10.0.0.1", "evil.com", "2001:db8::1"]
                    .map(str::to_owned)
                    .into(),
            )]
            .into(),
        };
        ThreatIntel::new(options).unwrap()
    }

    fn annotated(json: &str) -> Option<String> {
        let source = Source {
            service: "s3".into(),
            resource: "b".into(),
            cluster: None,
        };
        let record = Record {
            source: Arc::new(source),
            position: Position {
                partition: "p".into(),
                sequence: Sequence::Offset(0),
            },
            sub: 0,
            log_type: "a:b".into(),
            data_type: DataType::Json,
            json: Bytes::copy_from_slice(json.as_bytes()),
        };
        intel()
            .annotate(&record)
            .map(|record| String::from_utf8(record.json.to_vec()).unwrap())
    }

    #[test]
    fn indicators_are_found_in_the_present_form_of_normalization() {
        let json = r#"{"a":1,"streamalert_normalization":{"ip_address":[{"function":null,"values":["1.1.1.2","8.8.8.8"]}],"destinationDomain":[{"function":"x","values":["evil.com"]}]}}"#;
        let expected = format!(
            "{},\"streamalert:ioc\":{{\"domain\":[\"evil.com\"],\"ip\":[\"1.1.1.2\"]}}}}",
            &json[..json.len() - 1]
        );
        assert_eq!(annotated(json).unwrap(), expected);
    }

    #[test]
    fn excluded_networks_and_host_names_in_address_fields_are_no_indicators() {
        let with = |value: &str| {
            annotated(&format!(
                r#"{{"streamalert_normalization":{{"sourceAddress":[{{"function":null,"values":["{value}"]}}]}}}}"#
            ))
        };
        assert!(with("1.1.1.2").is_some() && with("2001:db8::1").is_some());
        assert_eq!(
            (with("10.0.0.1"), with("evil.com"), with("9.9.9.9")),
            (None, None, None)
        );
    }

    #[test]
    fn a_record_without_normalized_values_of_a_known_type_is_left_alone() {
        assert_eq!(annotated(r#"{"ip":"1.1.1.2"}"#), None);
        assert_eq!(
            annotated(r#"{"streamalert_normalization":{"other":[{"values":["1.1.1.2"]}]}}"#),
            None
        );
        assert_eq!(annotated(r#"{"streamalert_normalization":{}}"#), None);
    }
}
