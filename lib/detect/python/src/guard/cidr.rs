//! Networks that an address may lie in.

use std::net::{Ipv4Addr, Ipv6Addr};

/// Networks of both versions.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Networks {
    /// First address and prefix length.
    v4: Vec<(u32, u8)>,
    v6: Vec<(u128, u8)>,
}

impl Networks {
    /// Reads networks; `None` when one is not plainly `address/prefix` or an address, since then others decide what
    /// it means.
    #[must_use]
    pub fn read<'t>(texts: impl IntoIterator<Item = &'t str>) -> Option<Self> {
        let mut networks = Self::default();
        for text in texts {
            let (address, prefix) = match text.split_once('/') {
                Some((address, prefix)) => {
                    let plain = !prefix.is_empty() && prefix.bytes().all(|byte| byte.is_ascii_digit());
                    (address, Some(prefix.parse::<u8>().ok().filter(|_| plain)?))
                }
                None => (text, None),
            };
            if let Ok(address) = address.parse::<Ipv4Addr>() {
                let prefix = prefix.unwrap_or(32);
                (prefix <= 32).then_some(())?;
                networks.v4.push((u32::from(address) & mask4(prefix), prefix));
            } else {
                let address: Ipv6Addr = address.parse().ok()?;
                let prefix = prefix.unwrap_or(128);
                (prefix <= 128).then_some(())?;
                networks.v6.push((u128::from(address) & mask6(prefix), prefix));
            }
        }
        Some(networks)
    }

    /// Whether the address may lie in one of them. A text that is not plainly an address may: only who evaluates the
    /// rule knows what Python takes it for.
    #[must_use]
    pub fn may_hold(&self, text: &str) -> bool {
        if let Ok(address) = text.parse::<Ipv4Addr>() {
            let bits = u32::from(address);
            return self
                .v4
                .iter()
                .any(|(network, prefix)| bits & mask4(*prefix) == *network);
        }
        if let Ok(address) = text.parse::<Ipv6Addr>() {
            let bits = u128::from(address);
            return self
                .v6
                .iter()
                .any(|(network, prefix)| bits & mask6(*prefix) == *network);
        }
        true
    }
}

const fn mask4(prefix: u8) -> u32 {
    if prefix == 0 { 0 } else { u32::MAX << (32 - prefix) }
}

const fn mask6(prefix: u8) -> u128 {
    if prefix == 0 {
        0
    } else {
        u128::MAX << (128 - prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_found_in_its_network_and_in_no_other() {
        let networks = Networks::read(["10.0.0.0/8", "192.168.1.7", "2001:db8::/32", "0.0.0.0/32"]).unwrap();
        assert!(networks.may_hold("10.255.0.1"));
        assert!(networks.may_hold("192.168.1.7"));
        assert!(networks.may_hold("2001:db8::1"));
        assert!(!networks.may_hold("11.0.0.1"));
        assert!(!networks.may_hold("192.168.1.8"));
        assert!(!networks.may_hold("2001:db9::1"));
    }

    #[test]
    fn what_is_no_plain_address_may_lie_anywhere() {
        let networks = Networks::read(["10.0.0.0/8"]).unwrap();
        assert!(networks.may_hold("10.1"));
        assert!(networks.may_hold("ec2.amazonaws.com"));
        assert!(Networks::read(["10.0.0.0/255.0.0.0"]).is_none());
        assert!(Networks::read(["10.0.0.0/"]).is_none());
        assert!(Networks::read(["10.0.0.0/33"]).is_none());
    }

    #[test]
    fn the_whole_range_is_a_network_too() {
        assert!(Networks::read(["0.0.0.0/0"]).unwrap().may_hold("1.2.3.4"));
        assert!(Networks::read(["::/0"]).unwrap().may_hold("::5"));
    }
}
