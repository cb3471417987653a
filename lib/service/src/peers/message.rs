//! Messages of DNS (RFC 1035), as far as a question for SRV records (RFC 2782) needs them. Pure.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const TYPE_A: u16 = 1;
const TYPE_AAAA: u16 = 28;
const TYPE_SRV: u16 = 33;
const TYPE_OPT: u16 = 41;
const CLASS_IN: u16 = 1;

/// Bytes that an answer by UDP may have: what crosses every network in one piece (dnsflagday.net/2020).
const UDP_BYTES_MAX: u16 = 1232;

const LABEL_BYTES_MAX: usize = 63;
const NAME_BYTES_MAX: usize = 253;

/// Records in one answer; more come from nobody who means well.
const RECORDS_MAX: u16 = 4096;

/// One SRV record.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Srv {
    pub(super) priority: u16,
    pub(super) weight: u16,
    pub(super) port: u16,
    /// A host, in lower case, without the dot at its end.
    pub(super) target: String,
}

/// What a name server says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Answer {
    /// Not all of it: to be asked again by TCP.
    pub(super) truncated: bool,
    /// 0: it knows; 3: no such name; others: it cannot.
    pub(super) code: u8,
    pub(super) records: Vec<Srv>,
    /// Addresses of targets that it adds unasked.
    pub(super) addresses: BTreeMap<String, Vec<IpAddr>>,
}

/// Whether a question can be asked about `name`.
pub(super) fn is_name(name: &str) -> bool {
    let fits = |label: &str| {
        (1..=LABEL_BYTES_MAX).contains(&label.len()) && label.bytes().all(|byte| byte.is_ascii_graphic())
    };
    name.len() <= NAME_BYTES_MAX && name.split('.').all(fits)
}

/// The question for the SRV records of `name`, for which [`is_name`] holds.
pub(super) fn question(id: u16, name: &str) -> Vec<u8> {
    let mut message = Vec::with_capacity(name.len() + 32);
    // An ordinary question, recursion desired: one question, and the record that tells how much we take.
    for word in [id, 0x0100, 1, 0, 0, 1] {
        message.extend_from_slice(&word.to_be_bytes());
    }
    for label in name.split('.') {
        let label = label
            .as_bytes()
            .get(..LABEL_BYTES_MAX)
            .unwrap_or(label.as_bytes());
        message.push(u8::try_from(label.len()).unwrap_or_default());
        message.extend_from_slice(label);
    }
    message.push(0);
    for word in [TYPE_SRV, CLASS_IN] {
        message.extend_from_slice(&word.to_be_bytes());
    }
    message.push(0);
    for word in [TYPE_OPT, UDP_BYTES_MAX, 0, 0, 0] {
        message.extend_from_slice(&word.to_be_bytes());
    }
    message
}

/// Reads the answer to the question `id`; `None` for anything else.
pub(super) fn answer(message: &[u8], id: u16) -> Option<Answer> {
    let mut reader = Reader { message, at: 0 };
    let (answered, flags) = (reader.word()?, reader.word()?);
    if answered != id || flags & 0x8000 == 0 {
        return None;
    }
    let counts = [reader.word()?, reader.word()?, reader.word()?, reader.word()?];
    let mut answer = Answer {
        truncated: flags & 0x0200 != 0,
        code: (flags & 15) as u8,
        ..Answer::default()
    };
    if answer.truncated {
        return Some(answer);
    }
    for _ in 0..counts[0] {
        reader.name()?;
        reader.take(4)?;
    }
    let records = counts[1..]
        .iter()
        .fold(0_u16, |sum, count| sum.saturating_add(*count));
    for _ in 0..records.min(RECORDS_MAX) {
        reader.record(&mut answer)?;
    }
    Some(answer)
}

struct Reader<'a> {
    message: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let taken = self.message.get(self.at..self.at.checked_add(count)?)?;
        self.at += count;
        Some(taken)
    }

    fn word(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes(self.take(2)?.try_into().ok()?))
    }

    /// A name: labels, or the beginning of one and where the rest stands.
    fn name(&mut self) -> Option<String> {
        let mut name = String::new();
        let mut at = self.at;
        // Where reading goes on: behind the first reference.
        let mut end = None;
        loop {
            let length = usize::from(*self.message.get(at)?);
            match length {
                0 => {
                    self.at = end.unwrap_or(at + 1);
                    return Some(name);
                }
                1..=LABEL_BYTES_MAX => {
                    let label = self.message.get(at + 1..at + 1 + length)?;
                    if !name.is_empty() {
                        name.push('.');
                    }
                    name.push_str(&String::from_utf8_lossy(label).to_ascii_lowercase());
                    at += 1 + length;
                    if name.len() > NAME_BYTES_MAX * 3 {
                        return None;
                    }
                }
                _ => {
                    let low = usize::from(*self.message.get(at + 1)?);
                    let earlier = (length & 0x3f) << 8 | low;
                    // Backwards only, so that it ends.
                    if length < 0xc0 || earlier >= at {
                        return None;
                    }
                    end = end.or(Some(at + 2));
                    at = earlier;
                }
            }
        }
    }

    fn record(&mut self, answer: &mut Answer) -> Option<()> {
        let owner = self.name()?;
        let (kind, class) = (self.word()?, self.word()?);
        self.take(4)?;
        let length = usize::from(self.word()?);
        let end = self.at.checked_add(length)?;
        if kind == TYPE_SRV && class == CLASS_IN {
            let (priority, weight, port) = (self.word()?, self.word()?, self.word()?);
            let target = self.name()?;
            if self.at != end {
                return None;
            }
            answer.records.push(Srv {
                priority,
                weight,
                port,
                target,
            });
            return Some(());
        }
        let data = self.take(length)?;
        let address = match (kind, class) {
            (TYPE_A, CLASS_IN) => IpAddr::from(Ipv4Addr::from(<[u8; 4]>::try_from(data).ok()?)),
            (TYPE_AAAA, CLASS_IN) => IpAddr::from(Ipv6Addr::from(<[u8; 16]>::try_from(data).ok()?)),
            _ => return Some(()),
        };
        answer.addresses.entry(owner).or_default().push(address);
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// An answer with two records, one of which refers to the question's name, and an address.
    fn sample() -> Vec<u8> {
        let mut message = question(7, "_grpc._tcp.rules.internal");
        message.truncate(message.len() - 11);
        message[2..12].copy_from_slice(&[0x81, 0x80, 0, 1, 0, 2, 0, 0, 0, 1]);
        let record = |kind: u16, data: &[u8]| {
            let mut record = vec![0xc0, 12];
            record.extend_from_slice(&kind.to_be_bytes());
            record.extend_from_slice(&[0, 1, 0, 0, 0, 30]);
            record.extend_from_slice(&u16::try_from(data.len()).unwrap().to_be_bytes());
            record.extend_from_slice(data);
            record
        };
        // `rules.internal` stands at 12 + 6 + 5.
        message.extend(record(TYPE_SRV, b"\0\x01\0\x02\x1c\xf4\x02N1\xc0\x17"));
        message.extend(record(TYPE_SRV, b"\0\x03\0\x04\x1c\xf5\x01b\0"));
        message.extend(record(TYPE_A, &[10, 0, 0, 7]));
        message
    }

    #[test]
    fn records_and_addresses_are_read_with_names_that_refer_to_others() {
        let answer = answer(&sample(), 7).unwrap();
        let targets: Vec<(u16, u16, u16, &str)> = (answer.records.iter())
            .map(|srv| (srv.priority, srv.weight, srv.port, srv.target.as_str()))
            .collect();
        assert_eq!(targets, [(1, 2, 7412, "n1.rules.internal"), (3, 4, 7413, "b")]);
        assert_eq!(
            answer.addresses["_grpc._tcp.rules.internal"],
            [IpAddr::from([10, 0, 0, 7])]
        );
        assert!(!answer.truncated && answer.code == 0);
    }

    #[test]
    fn what_answers_another_question_or_none_is_passed_over() {
        let mut message = sample();
        assert_eq!(answer(&message, 8), None);
        message[2] = 1;
        assert_eq!(answer(&message, 7), None);
        assert_eq!(answer(&question(7, "a"), 7), None);
        // A name that refers to itself.
        let mut endless = sample();
        let at = question(7, "_grpc._tcp.rules.internal").len() - 11;
        endless[at + 1] = u8::try_from(at).unwrap();
        assert_eq!(answer(&endless, 7), None);
    }

    #[test]
    fn names_have_labels_of_a_length() {
        assert!(is_name("_rules-node._tcp.acme.internal") && is_name("a"));
        for wrong in ["", ".", "a..b", "a.", "a b", &"x".repeat(64), &"a.".repeat(130)] {
            assert!(!is_name(wrong), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>, at: prop::sample::Index, byte: u8) {
            let _ = answer(&bytes, 0);
            let mut changed = sample();
            let at = at.index(changed.len());
            changed[at] = byte;
            let _ = answer(&changed, 7);
            changed.truncate(at);
            let _ = answer(&changed, 7);
        }
    }
}
