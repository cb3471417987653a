use std::collections::BTreeSet;
use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

/// Addresses in one list; more are a mistake, or work for a balancer of another kind.
const LISTED_MAX: usize = 1024;

/// Where the nodes of a neighbouring service are found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Peers {
    /// By name: any node will do.
    Names(PeerNames),
    /// By the lease table, where each node says what it owns and where it is reached.
    Leases,
}

/// Names of nodes of which any will do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PeerNames {
    /// These, as `host:port`. Each counts as one node.
    Listed(Vec<String>),
    /// Every address (A and AAAA) that `host` has, again and again.
    Dns {
        /// The name.
        host: String,
        /// The port of all.
        port: u16,
    },
}

/// A setting does not say where peers are.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {reason}")]
pub struct PeersError {
    /// The setting.
    pub key: String,
    /// What is wrong, in one line.
    pub reason: String,
}

impl Peers {
    /// What the setting `key` says: `leases`, `dns:host:port`, or addresses `host:port` with commas between them.
    ///
    /// There is no `srv:name`. The one resolver that knows SRV records would bring 15 crates, a cache with threads among
    /// them, for what is not needed: names of ECS Service Connect and of Cloud Map in `awsvpc` mode have A records, and
    /// owners of shards and outputs write their ports into the lease table.
    ///
    /// # Errors
    /// [`PeersError`], naming the key.
    pub fn parse(key: &str, text: &str) -> Result<Self, PeersError> {
        let wrong = |reason: String| PeersError {
            key: key.to_owned(),
            reason,
        };
        let text = text.trim();
        if text == "leases" {
            return Ok(Self::Leases);
        }
        if text.starts_with("srv:") {
            let reason = "srv records are not looked up, name the port: dns:host:port";
            return Err(wrong(reason.to_owned()));
        }
        if let Some(address) = text.strip_prefix("dns:") {
            let (host, port) = address_of(address).map_err(|why| wrong(format!("`{text}`: {why}")))?;
            let host = host.to_owned();
            return Ok(Self::Names(PeerNames::Dns { host, port }));
        }
        let mut listed = Vec::new();
        let mut known = BTreeSet::new();
        for address in text.split(',').map(str::trim) {
            address_of(address).map_err(|why| wrong(format!("`{address}`: {why}")))?;
            if !known.insert(address) {
                return Err(wrong(format!("`{address}` is there twice")));
            }
            listed.push(address.to_owned());
        }
        if listed.len() > LISTED_MAX {
            return Err(wrong(format!("more than {LISTED_MAX} addresses")));
        }
        Ok(Self::Names(PeerNames::Listed(listed)))
    }
}

fn address_of(address: &str) -> Result<(&str, u16), String> {
    if address.is_empty() {
        return Err("expected host:port, dns:host:port or leases".to_owned());
    }
    if address.contains("://") {
        return Err("expected host:port without a scheme".to_owned());
    }
    let (host, port) = address.rsplit_once(':').ok_or("expected host:port")?;
    let bracketed = host.starts_with('[') && host.ends_with(']');
    let strange = |c: char| c.is_whitespace() || c.is_control() || "/@?#".contains(c);
    if host.is_empty() || host.contains(strange) || (host.contains(':') && !bracketed) {
        return Err("not a host, and a port after a colon".to_owned());
    }
    match port.parse() {
        Ok(port) if port > 0 => Ok((host, port)),
        _ => Err(format!("`{port}` is no port")),
    }
}

/// A name being looked up.
pub type Lookup = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;

/// Looks names up. The seam for networks that are not the machine's, such as a simulated one.
#[derive(Clone)]
pub struct Resolver {
    lookup: Arc<dyn Fn(String, u16) -> Lookup + Send + Sync>,
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Resolver")
    }
}

impl Default for Resolver {
    fn default() -> Self {
        Self::system()
    }
}

impl Resolver {
    /// Addresses of a host and port by `lookup`.
    #[must_use]
    pub fn new(lookup: impl Fn(String, u16) -> Lookup + Send + Sync + 'static) -> Self {
        Self {
            lookup: Arc::new(lookup),
        }
    }

    /// As the machine does it: its hosts file, then its name servers.
    #[must_use]
    pub fn system() -> Self {
        Self::new(|host, port| {
            Box::pin(async move { Ok(tokio::net::lookup_host((host.as_str(), port)).await?.collect()) })
        })
    }

    /// The nodes that `names` stand for now, as `host:port`.
    pub(crate) async fn resolve(&self, names: &PeerNames) -> io::Result<BTreeSet<String>> {
        match names {
            PeerNames::Listed(addresses) => Ok(addresses.iter().cloned().collect()),
            PeerNames::Dns { host, port } => {
                let found = (self.lookup)(host.trim_matches(['[', ']']).to_owned(), *port).await?;
                Ok(found.iter().map(SocketAddr::to_string).collect())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed<const N: usize>(addresses: [&str; N]) -> Peers {
        Peers::Names(PeerNames::Listed(addresses.map(str::to_owned).into()))
    }

    #[test]
    fn each_form_is_read() {
        let read = |text| Peers::parse("connect.rules_node", text).unwrap();
        assert_eq!(read("leases"), Peers::Leases);
        assert_eq!(read("rules:7412"), listed(["rules:7412"]));
        assert_eq!(read("10.0.0.1:1, [::1]:2"), listed(["10.0.0.1:1", "[::1]:2"]));
        let host = "rules.internal".to_owned();
        assert_eq!(
            read("dns:rules.internal:7412"),
            Peers::Names(PeerNames::Dns { host, port: 7412 })
        );
    }

    #[test]
    fn nonsense_is_refused_with_its_key_and_what_is_wrong_with_it() {
        for (text, why) in [
            ("", "expected host:port, dns:host:port or leases"),
            ("a:1,", "expected host:port, dns:host:port or leases"),
            ("rules", "expected host:port"),
            ("rules:", "`` is no port"),
            ("rules:0", "`0` is no port"),
            ("rules:70000", "`70000` is no port"),
            (":7412", "not a host"),
            ("::1:7412", "not a host"),
            ("a b:1", "not a host"),
            ("user@a:1", "not a host"),
            ("http://rules:7412", "without a scheme"),
            ("dns:rules", "expected host:port"),
            ("srv:_grpc._tcp.rules", "dns:host:port"),
            ("a:1,a:1", "`a:1` is there twice"),
        ] {
            let error = Peers::parse("connect.rules_node", text).unwrap_err().to_string();
            assert!(error.starts_with("connect.rules_node: "), "{error}");
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
