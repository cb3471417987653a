//! Networks that are known since compiling, as ranges in order.

use super::network::Address;
use crate::modules::ipaddress::parse::{self, mask_prefix, mask4, mask6};
use crate::program::{Const, ConstId, PyVersion};

/// Networks of both versions.
#[derive(Debug, Default)]
pub struct NetworkSet {
    /// First and last addresses, in order, without overlap.
    v4: Vec<(u32, u32)>,
    v6: Vec<(u128, u128)>,
}

/// One network: its first address and prefix length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Network {
    V4(u32, u8),
    V6(u128, u8),
}

impl Network {
    /// Whether an address lies in it.
    pub(super) fn holds(self, address: Address) -> bool {
        match (self, address) {
            (Self::V4(network, prefix), Address::V4(bits)) => bits & mask4(prefix) == network,
            (Self::V6(network, prefix), Address::V6(bits)) => bits & mask6(prefix) == network,
            _ => false,
        }
    }
}

/// Reads a network as the helpers do: host bits are cleared, missing octets of version 4 are zero. `None` when it is
/// none, or when that depends on a patch release.
pub(super) fn network(version: PyVersion, text: &str) -> Option<Network> {
    if text.contains('%') {
        return None;
    }
    let (address, mask) = match text.split_once('/') {
        Some((address, mask)) => (address, Some(mask)),
        None => (text, None),
    };
    if text.contains(':') {
        let bits = parse::v6(version, address).ok()?;
        let prefix = match mask {
            Some(mask) => parse::prefix(mask, 128)?,
            None => 128,
        };
        return Some(Network::V6(bits & mask6(prefix), prefix));
    }
    let dots = address.bytes().filter(|byte| *byte == b'.').count();
    let bits = if mask.is_some() && dots < 3 {
        let padded = format!("{address}{}", &".0.0.0"[..2 * (3 - dots)]);
        parse::v4(version, &padded).ok()?
    } else {
        parse::v4(version, address).ok()?
    };
    let prefix = match mask {
        None => 32,
        Some(mask) if mask.contains('.') => mask_prefix(parse::v4(version, mask).ok()?)?,
        Some(mask) => parse::prefix(mask, 32)?,
    };
    Some(Network::V4(bits & mask4(prefix), prefix))
}

impl NetworkSet {
    /// Reads networks; `None` when one of them is none.
    pub(super) fn read<'t>(version: PyVersion, texts: impl IntoIterator<Item = &'t str>) -> Option<Self> {
        let mut set = Self::default();
        for text in texts {
            match network(version, text)? {
                Network::V4(first, prefix) => set.v4.push((first, first | !mask4(prefix))),
                Network::V6(first, prefix) => set.v6.push((first, first | !mask6(prefix))),
            }
        }
        merge(&mut set.v4);
        merge(&mut set.v6);
        Some(set)
    }

    /// The constants that are lists, tuples or sets of networks, in order of their numbers.
    #[must_use]
    pub fn of_constants(version: PyVersion, consts: &[Const]) -> Vec<(ConstId, Self)> {
        let of = |known: &Const| -> Option<(ConstId, Self)> {
            let (id, items): (ConstId, Vec<ConstId>) = match known {
                Const::List(seq) | Const::Tuple(seq) => (seq.id, seq.items.to_vec()),
                Const::Set(set) | Const::FrozenSet(set) => {
                    (set.id, set.entries.iter().map(|(_, id)| *id).collect())
                }
                _ => return None,
            };
            let text = |id: &ConstId| match consts.get(*id as usize) {
                Some(Const::Str(text)) if text.contains(['.', ':']) => Some(&**text),
                _ => None,
            };
            items.first().and_then(text)?;
            let texts: Option<Vec<&str>> = items.iter().map(text).collect();
            Some((id, Self::read(version, texts?)?))
        };
        let mut found: Vec<(ConstId, Self)> = consts.iter().filter_map(of).collect();
        found.sort_unstable_by_key(|(id, _)| *id);
        found
    }

    /// Whether an address lies in one of them.
    pub(super) fn holds(&self, address: Address) -> bool {
        match address {
            Address::V4(bits) => within(&self.v4, bits),
            Address::V6(bits) => within(&self.v6, bits),
        }
    }
}

fn merge<T: Ord + Copy>(ranges: &mut Vec<(T, T)>) {
    ranges.sort_unstable();
    ranges.dedup_by(|next, range| {
        let joined = next.0 <= range.1;
        if joined {
            range.1 = range.1.max(next.1);
        }
        joined
    });
}

fn within<T: Ord + Copy>(ranges: &[(T, T)], bits: T) -> bool {
    let after = ranges.partition_point(|range| range.0 <= bits);
    after
        .checked_sub(1)
        .and_then(|at| ranges.get(at))
        .is_some_and(|range| bits <= range.1)
}
