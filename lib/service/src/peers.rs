mod message;
mod srv;

use std::collections::{BTreeMap, BTreeSet};
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
    /// Hosts and ports of the SRV records that `name` has, again and again.
    Srv {
        /// The name, such as `_rules-node._tcp.acme.internal`.
        name: String,
    },
}

/// One of several nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    /// Lower ones are called first, others only when none of these can be.
    pub(crate) priority: u16,
    /// Its part of the work, against the other nodes' of its priority; at least 1.
    pub(crate) weight: u16,
    /// The name that its certificate must carry, where that is not its address.
    pub(crate) server_name: Option<String>,
}

impl Default for Node {
    fn default() -> Self {
        Self {
            priority: 0,
            weight: 1,
            server_name: None,
        }
    }
}

/// Nodes by address, as `host:port`.
pub(crate) type Nodes = BTreeMap<String, Node>;

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
    /// What the setting `key` says: `leases`, `dns:host:port`, `srv:name`, or addresses `host:port` with commas between
    /// them.
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
        if let Some(name) = text.strip_prefix("srv:") {
            let name = name.strip_suffix('.').unwrap_or(name);
            if !message::is_name(name) || name.contains(':') {
                let why = "expected srv:NAME, without a port: the records have it";
                return Err(wrong(format!("`{text}`: {why}")));
            }
            let name = name.to_owned();
            return Ok(Self::Names(PeerNames::Srv { name }));
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
        return Err("expected host:port, dns:host:port, srv:name or leases".to_owned());
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
    /// For SRV records; empty: those of the machine.
    name_servers: Vec<SocketAddr>,
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
            name_servers: Vec::new(),
        }
    }

    /// SRV records from these name servers, instead of the machine's.
    #[must_use]
    pub fn with_name_servers(mut self, servers: Vec<SocketAddr>) -> Self {
        self.name_servers = servers;
        self
    }

    /// As the machine does it: its hosts file, then its name servers.
    #[must_use]
    pub fn system() -> Self {
        Self::new(|host, port| {
            Box::pin(async move { Ok(tokio::net::lookup_host((host.as_str(), port)).await?.collect()) })
        })
    }

    /// The nodes that `names` stand for now.
    pub(crate) async fn resolve(&self, names: &PeerNames) -> io::Result<Nodes> {
        match names {
            PeerNames::Listed(addresses) => {
                let nodes = addresses.iter().map(|address| (address.clone(), Node::default()));
                Ok(nodes.collect())
            }
            PeerNames::Dns { host, port } => {
                let found = (self.lookup)(host.trim_matches(['[', ']']).to_owned(), *port).await?;
                let node = Node {
                    server_name: Some(host.clone()),
                    ..Node::default()
                };
                let nodes = found.iter().map(|address| (address.to_string(), node.clone()));
                Ok(nodes.collect())
            }
            PeerNames::Srv { name } => self.resolve_srv(name).await,
        }
    }

    /// A target that cannot be looked up is left out, unless none can.
    async fn resolve_srv(&self, name: &str) -> io::Result<Nodes> {
        let answer = srv::ask(&self.name_servers, name).await?;
        let mut nodes = Nodes::new();
        let mut failed = None;
        // A target without a name says that there is nothing.
        for record in answer.records.iter().filter(|record| !record.target.is_empty()) {
            let added = srv::added(&answer.addresses, &record.target);
            let mut found: Vec<SocketAddr> = (added.iter())
                .map(|address| SocketAddr::new(*address, record.port))
                .collect();
            if found.is_empty() {
                match (self.lookup)(record.target.clone(), record.port).await {
                    Ok(addresses) => found = addresses,
                    Err(error) => failed = Some(error),
                }
            }
            for address in found {
                let node = Node {
                    priority: record.priority,
                    weight: record.weight.max(1),
                    server_name: Some(record.target.clone()),
                };
                nodes.insert(address.to_string(), node);
            }
        }
        match failed {
            Some(error) if nodes.is_empty() => Err(error),
            _ => Ok(nodes),
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
        let name = "_grpc._tcp.rules".to_owned();
        assert_eq!(
            read("srv:_grpc._tcp.rules."),
            Peers::Names(PeerNames::Srv { name })
        );
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
            ("", "expected host:port, dns:host:port, srv:name or leases"),
            ("a:1,", "expected host:port, dns:host:port, srv:name or leases"),
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
            ("srv:_grpc._tcp.rules:7412", "without a port"),
            ("srv:", "expected srv:NAME"),
            ("srv:a..b", "expected srv:NAME"),
            ("a:1,a:1", "`a:1` is there twice"),
        ] {
            let error = Peers::parse("connect.rules_node", text).unwrap_err().to_string();
            assert!(error.starts_with("connect.rules_node: "), "{error}");
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
