//! Values of classes of the standard library that rules keep as constants: addresses, networks, spans of time. They are
//! written as the call that makes an equal one, as CPython's exporter does.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ruff_python_ast as ast;

use super::expr::{Unknown, unknown};
use super::module::Module;
use crate::export::{Object, ObjectId};

/// Microseconds of the arguments of `timedelta`, by name and in their order.
const SPANS: [(&str, i64); 7] = [
    ("days", 86_400_000_000),
    ("seconds", 1_000_000),
    ("microseconds", 1),
    ("milliseconds", 1_000),
    ("minutes", 60_000_000),
    ("hours", 3_600_000_000),
    ("weeks", 604_800_000_000),
];

/// Days beyond which a span is none.
const DAYS_MAX: i64 = 999_999_999;

impl Module<'_, '_> {
    /// A call of something of `ipaddress` or `datetime`.
    pub(super) fn value(
        &mut self,
        call: &ast::ExprCall,
        (module, name): (&str, &str),
        args: &[ObjectId],
        named: &BTreeMap<String, ObjectId>,
    ) -> Result<ObjectId, Unknown> {
        let refused = || unknown(call, &format!("a call of {module}.{name}"));
        let (class, args) = match (module, args) {
            ("ipaddress", [text]) if named.is_empty() => {
                let text = self.loader.heap.text(*text).ok_or_else(refused)?;
                let (class, text) = address(name, text).ok_or_else(refused)?;
                (class, vec![self.loader.heap.str(&text)])
            }
            ("datetime", args) if name == "timedelta" => {
                let parts = self.span(args, named).ok_or_else(refused)?;
                let int = |v: i64| Object::Int { v: v.to_string() };
                let ids = parts.map(|part| self.loader.heap.push(int(part)));
                ("timedelta", ids.to_vec())
            }
            _ => return Err(refused()),
        };
        let func = self.loader.heap.named(module, class);
        Ok(self.loader.heap.push(Object::Unsupported {
            reason: format!("a value of {module}.{class}"),
            call: Some(func),
            func: None,
            getter: None,
            args,
        }))
    }

    /// Days, seconds and microseconds of `timedelta(…)` with whole numbers.
    fn span(&self, args: &[ObjectId], named: &BTreeMap<String, ObjectId>) -> Option<[i64; 3]> {
        let mut micros = 0_i64;
        let mut used = 0;
        for (place, (name, unit)) in SPANS.iter().enumerate() {
            let given = match (args.get(place), named.get(*name)) {
                (Some(id), None) | (None, Some(id)) => *id,
                (None, None) => continue,
                (Some(_), Some(_)) => return None,
            };
            let Object::Int { v } = self.loader.heap.get(given) else {
                return None;
            };
            let number: i64 = v.parse().ok()?;
            micros = micros.checked_add(number.checked_mul(*unit)?)?;
            used += 1;
        }
        let days = micros.div_euclid(86_400_000_000);
        let rest = micros.rem_euclid(86_400_000_000);
        (used == args.len() + named.len() && days.abs() <= DAYS_MAX).then_some([
            days,
            rest / 1_000_000,
            rest % 1_000_000,
        ])
    }
}

/// The class and text of an address or network, where every Python reads it alike.
fn address(name: &str, text: &str) -> Option<(&'static str, String)> {
    let (head, length) = match text.split_once('/') {
        Some((head, length)) => (head, Some(length)),
        None => (text, None),
    };
    let ip: IpAddr = head.parse().ok()?;
    let (bits, value) = match ip {
        IpAddr::V4(ip) => (32, u128::from(u32::from(ip)) << 96),
        IpAddr::V6(ip) => (128, u128::from(ip)),
    };
    // Python writes addresses with an IPv4 tail in another way.
    if bits == 128 && head.contains('.') {
        return None;
    }
    let is_four = bits == 32;
    match (name, length) {
        ("ip_address", None) => Some((
            if is_four { "IPv4Address" } else { "IPv6Address" },
            head.to_owned(),
        )),
        ("IPv4Address", None) if is_four => Some(("IPv4Address", head.to_owned())),
        ("IPv6Address", None) if !is_four => Some(("IPv6Address", head.to_owned())),
        ("ip_network" | "IPv4Network" | "IPv6Network", length) => {
            let class = if is_four { "IPv4Network" } else { "IPv6Network" };
            let length: u32 = match length {
                Some(digits) if digits.len() <= 3 && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                    digits.parse().ok()?
                }
                Some(_) => return None,
                None => bits,
            };
            // Bits of a host are an error.
            let host = value.checked_shl(length).unwrap_or(0);
            (length <= bits && host == 0 && (name == "ip_network" || name == class))
                .then(|| (class, format!("{head}/{length}")))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::{compile_source, load_source};

    #[test]
    fn addresses_and_networks_are_read_where_no_python_differs() {
        for (name, text, expected) in [
            ("ip_network", "10.0.0.0/8", Some("10.0.0.0/8")),
            ("ip_network", "10.0.0.0/+8", None),
            ("ip_network", "0.0.0.0/0", Some("0.0.0.0/0")),
            ("ip_network", "::/0", Some("::/0")),
            ("ip_network", "10.1.2.3", Some("10.1.2.3/32")),
            ("ip_network", "10.0.0.1/8", None),
            ("ip_network", "fd00::/8", Some("fd00::/8")),
            ("ip_network", "10.0.0.0/255.0.0.0", None),
            ("ip_network", "10.0.0.0/33", None),
            ("IPv6Network", "10.0.0.0/8", None),
            ("ip_address", "10.0.0.1", Some("10.0.0.1")),
            ("ip_address", "010.0.0.1", None),
            ("ip_address", "10.0.0.0/8", None),
        ] {
            let found = address(name, text).map(|found| found.1);
            assert_eq!(found.as_deref(), expected, "{name} {text}");
        }
    }

    #[test]
    fn constants_of_the_standard_library_load_and_compile() {
        let text = "\
from datetime import timedelta
from ipaddress import ip_address, ip_network
from streamalert.shared.rule import rule
NETWORKS = [ip_network('10.0.0.0/8'), ip_network('fd00::/8')]
SPAN = timedelta(hours=1, minutes=-1)

@rule(logs=['a'])
def f(rec):
    return any(ip_address(rec['a']) in one for one in NETWORKS) and SPAN.total_seconds() > rec['b']
";
        let program = compile_source(text, "a.py").unwrap();
        assert!(program.rules[0].points.is_empty(), "{:?}", program.points);
        let loaded = load_source(text, "a.py", (3, 11, 7));
        let shown = format!("{:?}", loaded.export.objects);
        assert!(shown.contains("\"3540\""), "{shown}");
    }

    #[test]
    fn what_another_call_makes_is_told() {
        for call in [
            "ip_network('10.0.0.1/8', strict=False)",
            "ip_network(b'1234')",
            "IPv4Address(1)",
        ] {
            let problem = compile_source(&format!("import ipaddress\nX = ipaddress.{call}\n"), "a.py");
            assert!(problem.is_err(), "{call}");
        }
    }
}
