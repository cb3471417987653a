//! What makes a process a member of a fleet: where AWS is, which store it shares, and who it is.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::section::{HasKind, Kind, section};

section! {
    /// Amazon Web Services. Credentials come from the SDK's default chain alone (environment, profile, container,
    /// instance): they cannot be written here.
    pub struct AwsSettings {
        /// Region of everything that names none of its own. Unset: that of the default chain, such as `AWS_REGION`.
        region: Option<String> = None,
        /// Another place than AWS's own, such as an emulator on this machine.
        endpoint_url: Option<String> = None,
        /// Read what `data_sources` of the cluster files name: each Kinesis stream as it is; a bucket or topic needs a
        /// table in `[[sources]]` that says its queue. Streams are in `aws.region`, where that is unset in `region` of
        /// the cluster file or `account.region` of `global.json`, and only then where the environment says.
        data_sources: bool = false,
    }
}

/// Where state is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StoreType {
    /// In a file of this machine, for one process.
    #[default]
    Embedded,
    /// In DynamoDB, for a fleet.
    Dynamodb,
}

impl HasKind for StoreType {
    const KIND: Kind = Kind::Choice(&["embedded", "dynamodb"]);
}

/// How tables of DynamoDB are paid for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Billing {
    /// By the request.
    #[default]
    OnDemand,
    /// By the hour.
    Provisioned,
}

impl HasKind for Billing {
    const KIND: Kind = Kind::Choice(&["on-demand", "provisioned"]);
}

section! {
    /// Where alerts, groups, leases, checkpoints and dead letters are kept.
    pub struct StoreSettings {
        /// `embedded`: a file in `data.dir`, for one process; `dynamodb`: tables that `streamalert aws init` makes, for
        /// any number of processes.
        r#type: StoreType = StoreType::Embedded,
        /// `dynamodb`: what the names of the tables begin with.
        table_prefix: String = "streamalert".to_owned(),
        /// `dynamodb`: how `aws init` makes the tables: `on-demand`, or `provisioned` with `read_units` and
        /// `write_units`. Tables that are there stay as they are.
        billing: Billing = Billing::OnDemand,
        /// `provisioned`: read units per second of each table.
        read_units: Option<u32> = None; in 1..=40000,
        /// `provisioned`: write units per second of each table.
        write_units: Option<u32> = None; in 1..=40000,
        /// `dynamodb`: the bucket for alerts and dead letters beyond 350 KB, which no item can hold. Unset: these are
        /// refused, and their source waits.
        bucket: Option<String> = None,
        /// `dynamodb`: region of the tables and the bucket. Unset: `aws.region`.
        region: Option<String> = None,
    }
}

section! {
    /// Who this process is among others that share a store.
    pub struct NodeSettings {
        /// Its name in the lease table; no two processes that run may have the same. Unset: `local` with the embedded
        /// store, otherwise made of the host's name and the moment of the start. With a name that stays, a process
        /// takes its leases back at once after a restart.
        id: Option<String> = None,
        /// Where others reach the service of this process: `HOST:PORT`, or a host and the port is that on which it
        /// listens. Unset: the address on which it listens.
        advertise: Option<String> = None,
        /// Seconds that a lease stands still before another node takes it: the pause after a node has died. The same
        /// on all nodes.
        lease_secs: u64 = 30; in 2..=3600,
    }
}

impl NodeSettings {
    /// Where others reach a service that listens on `listen`, as `host:port`; `None` when that is every interface and
    /// nothing is advertised.
    #[must_use]
    pub fn address(&self, listen: SocketAddr) -> Option<String> {
        match self.advertise.as_deref() {
            Some(host) if has_port(host) => Some(host.to_owned()),
            Some(host) if host.contains(':') && !host.starts_with('[') => {
                Some(format!("[{host}]:{}", listen.port()))
            }
            Some(host) => Some(format!("{host}:{}", listen.port())),
            None if listen.ip().is_unspecified() => None,
            None => Some(listen.to_string()),
        }
    }
}

/// Whether a port stands behind the host. A bare address of IPv6 has colons, too.
fn has_port(text: &str) -> bool {
    let is_port = |port: &str| port.parse::<u16>().is_ok();
    match text.rsplit_once(':') {
        Some((host, port)) => is_port(port) && (!host.contains(':') || host.ends_with(']')),
        None => false,
    }
}

/// What is wrong with the three sections: section, key, message, fix. `is_set` tells whether somebody wrote a key.
pub(super) fn problems(
    aws: &AwsSettings,
    store: &StoreSettings,
    node: &NodeSettings,
    is_set: impl Fn(&str) -> bool,
) -> Vec<([&'static str; 2], String, String)> {
    let mut found = Vec::new();
    let mut error = |path, message: &str, fix: &str| found.push((path, message.to_owned(), fix.to_owned()));
    for (path, value) in [
        (["aws", "region"], &aws.region),
        (["aws", "endpoint_url"], &aws.endpoint_url),
        (["store", "bucket"], &store.bucket),
        (["store", "region"], &store.region),
        (["node", "id"], &node.id),
        (["node", "advertise"], &node.advertise),
    ] {
        if value.as_deref().is_some_and(|text| text.trim().is_empty()) {
            error(path, "is empty", "write a value, or leave it out");
        }
    }
    if let Some(url) = &aws.endpoint_url
        && !url.is_empty()
        && !url.starts_with("http://")
        && !url.starts_with("https://")
    {
        let fix = "write http://HOST:PORT or https://HOST";
        error(["aws", "endpoint_url"], "is not an http or https url", fix);
    }
    let dynamodb = store.r#type == StoreType::Dynamodb;
    for key in [
        "table_prefix",
        "billing",
        "read_units",
        "write_units",
        "bucket",
        "region",
    ] {
        if !dynamodb && is_set(&format!("store.{key}")) {
            let fix = "set store.type = \"dynamodb\", or remove it";
            error(["store", key], "means nothing to the embedded store", fix);
        }
    }
    let prefix = &store.table_prefix;
    // A table's name has 3 to 255 of these; ours add up to 12.
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    if !(1..=200).contains(&prefix.len()) || !prefix.bytes().all(is_name) {
        let fix = "write 1 to 200 of a-z, A-Z, 0-9, _, . and -";
        error(["store", "table_prefix"], "cannot begin the name of a table", fix);
    }
    for (key, units) in [
        ("read_units", store.read_units),
        ("write_units", store.write_units),
    ] {
        match (store.billing, units) {
            (Billing::OnDemand, Some(_)) if dynamodb => {
                let fix = "set store.billing = \"provisioned\", or remove it";
                error(["store", key], "means nothing to tables on demand", fix);
            }
            (Billing::Provisioned, None) if dynamodb => {
                let fix = format!("set store.{key}, or store.billing = \"on-demand\"");
                error(["store", key], "is missing: provisioned tables need units", &fix);
            }
            _ => {}
        }
    }
    let spaced = |text: &String| text.contains(|c: char| c.is_whitespace() || c == '/');
    if node.advertise.as_ref().is_some_and(spaced) {
        let fix = "write HOST:PORT, without a scheme";
        error(["node", "advertise"], "is not a host", fix);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_reached_where_it_says_or_where_it_listens() {
        let listen = |text: &str| text.parse::<SocketAddr>().unwrap();
        let at = |advertise: Option<&str>, on: &str| {
            let node = NodeSettings {
                advertise: advertise.map(str::to_owned),
                ..NodeSettings::default()
            };
            node.address(listen(on))
        };
        assert_eq!(at(None, "127.0.0.1:7413").as_deref(), Some("127.0.0.1:7413"));
        assert_eq!(at(None, "0.0.0.0:7413"), None);
        assert_eq!(
            at(Some("10.0.0.7"), "0.0.0.0:7413").as_deref(),
            Some("10.0.0.7:7413")
        );
        assert_eq!(
            at(Some("m.internal:9"), "0.0.0.0:7413").as_deref(),
            Some("m.internal:9")
        );
        assert_eq!(
            at(Some("fd00::7"), "[::]:7413").as_deref(),
            Some("[fd00::7]:7413")
        );
        assert_eq!(
            at(Some("[fd00::7]:9"), "[::]:7413").as_deref(),
            Some("[fd00::7]:9")
        );
    }
}
