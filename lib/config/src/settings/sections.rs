//! The sections of `streamalert.toml`. The doc comments are also the text of the settings reference.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use streamalert_types::OutputName;

use super::section::{HasKind, Kind, section};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

section! {
    /// Where state lives and how much of it is kept.
    pub struct DataSettings {
        /// Directory of the embedded store, worker scratch space and the default history. Created when absent.
        dir: PathBuf = ".streamalert".into(),
        /// Days that a delivered alert is remembered, so that a replay of its source is recognised.
        alerts_kept_days: u64 = 7; in 1..=3650,
        /// Bytes that all dead letters together may take; beyond it the source is not acknowledged any further.
        dead_letters_bytes_max: u64 = GIB; in 65536..=1125899906842624,
        /// Bytes of one dead letter's body that are kept; the rest is cut off and marked as truncated.
        dead_letter_body_bytes_max: u64 = 256 * KIB; in 1024..=67108864,
    }
}

section! {
    /// Where StreamAlert's configuration and the Python files are.
    pub struct ConfSettings {
        /// StreamAlert's configuration directory.
        dir: PathBuf = "conf".into(),
        /// Directories or files with rules. Empty: `general.rule_locations` of `global.json`, else `rules`.
        rules: Vec<PathBuf> = Vec::new(),
        /// Directories or files with matchers. Empty: `general.matcher_locations`, else `matchers`.
        matchers: Vec<PathBuf> = Vec::new(),
        /// Directories or files with publishers. Empty: `general.publisher_locations`, else `publishers`.
        publishers: Vec<PathBuf> = Vec::new(),
    }
}

section! {
    /// Reading, unwrapping and classifying payloads.
    pub struct ClassifierSettings {
        /// Threads that classify. 0: as many as the machine has cores.
        threads: usize = 0; in 0..=1024,
        /// Bytes of one record; a longer line becomes a dead letter.
        record_bytes_max: u64 = 16 * MIB; in 1024..=1073741824,
        /// Bytes of one object that is read as a whole; a bigger one is streamed: `{"Records": […]}` by its elements, all else line by line.
        object_bytes_max: u64 = 64 * MIB; in 1024..=4294967296,
        /// Bytes that one compressed payload may unfold to; beyond it the payload becomes a dead letter.
        decompressed_bytes_max: u64 = 256 * MIB; in 1024..=17179869184,
        /// Records in one batch to the rules.
        batch_records_max: usize = 256; in 1..=65536,
        /// Bytes in one batch to the rules; one longer record makes a batch of its own.
        batch_bytes_max: u64 = MIB; in 1024..=1073741824,
        /// Bytes of records that are on their way and not yet acknowledged; beyond it the source waits.
        in_flight_bytes_max: u64 = 32 * MIB; in 65536..=17179869184,
    }
}

section! {
    /// Limits of rules.
    pub struct RulesSettings {
        /// Milliseconds that one rule may take on one record.
        time_limit_ms: u64 = 100; in 1..=600000,
        /// Milliseconds that a slice of a batch may take altogether.
        slice_limit_ms: u64 = 1_000; in 1..=3600000,
        /// How often a rule may break a limit before it is suspended.
        strikes_max: u32 = 3; in 1..=1000000,
        /// Seconds that a suspended rule rests before it is tried again.
        suspend_secs: u64 = 600; in 1..=31536000,
        /// Evaluate rules natively; what only CPython knows goes to a Python worker. `false`: everything does.
        native: bool = true,
        /// Steps that one rule may take on one record when it runs natively; a million take some 10 milliseconds.
        steps_max: u64 = 2_000_000; in 1000..=1000000000000,
        /// Bytes that the rules may take on one record when they run natively.
        arena_bytes_max: u64 = 64 * MIB; in 65536..=17179869184,
        /// `run` loads rules, matchers, publishers and helpers again when their files change. A file that does not
        /// load leaves everything as it is. The same for outputs, their pace and secrets in files.
        watch: bool = true,
    }
}

section! {
    /// What the program itself raises alerts about: suspended and slow rules, rules that could not be loaded again,
    /// canaries that are missing.
    pub struct HealthSettings {
        /// Outputs that such alerts go to, such as `slack:ops`. Empty: none are raised; the log and the metrics tell.
        outputs: Vec<String> = Vec::new(),
    }
}

impl HealthSettings {
    /// The outputs.
    #[must_use]
    pub fn output_names(&self) -> BTreeSet<OutputName> {
        // Names of another form do not come through the checks.
        self.outputs.iter().filter_map(|text| text.parse().ok()).collect()
    }
}

section! {
    /// The Python worker processes that run rules, matchers, helpers and publishers.
    pub struct PythonSettings {
        /// The interpreter: a path, or a name on PATH. Empty: the first CPython of version 3.8 or later on PATH.
        interpreter: String = String::new(),
        /// Worker processes. 0: as many as the machine has cores.
        workers: usize = 0; in 0..=1024,
        /// Bytes of memory that one worker may take before it is replaced.
        memory_bytes_max: u64 = 512 * MIB; in 33554432..=1099511627776,
        /// Milliseconds that importing one rule, matcher or publisher file may take; a file that takes longer is left out.
        import_limit_ms: u64 = 30_000; in 100..=600000,
        /// Records handed to a worker at once.
        batch_records_max: usize = 256; in 1..=65536,
        /// Let rules start processes of their own.
        allow_subprocess: bool = false,
        /// Let rules use the network.
        network: bool = true,
        /// Bytes of the largest file that rules may write; 0: no limit.
        file_bytes_max: u64 = 64 * MIB; in 0..=17179869184,
    }
}

section! {
    /// Making alerts durable and grouping them.
    pub struct MergerSettings {
        /// Virtual shards of merge keys. Fixed for the life of a data directory.
        shards: u32 = 256; in 1..=65536,
        /// Alerts in one merged group; StreamAlert's limit is 50.
        group_alerts_max: usize = 50; in 1..=100000,
        /// Bytes of alerts in one merged group; a group that reaches this or `group_alerts_max` is closed at once.
        group_bytes_max: u64 = 16 * MIB; in 65536..=1073741824,
        /// Groups that may be open; beyond it those nearest to their end are closed early.
        groups_max: usize = 10_000_000; in 1..=1000000000,
        /// Bytes of memory that open groups may take, about 350 for each and 56 for each further alert; beyond it those
        /// nearest to their end are closed early.
        groups_bytes_max: u64 = 256 * MIB; in 65536..=1099511627776,
        /// Deliveries to one output that are handed to the dispatcher and not yet decided.
        in_flight_per_output_max: usize = 64; in 1..=65536,
        /// Bytes of alerts that wait to become durable; beyond it the rules wait.
        in_flight_bytes_max: u64 = 16 * MIB; in 65536..=17179869184,
    }
}

section! {
    /// Delivering alerts.
    pub struct DispatcherSettings {
        /// Milliseconds that one attempt may take. Unset: the service's own ([on its page](outputs/README.md)), which may
        /// differ from this default; set, it holds for all outputs.
        timeout_ms: u64 = 10_000; in 1..=3600000,
        /// Milliseconds before the first repetition; doubles with every attempt. Unset: the service's own, as above.
        retry_initial_ms: u64 = 500; in 1..=3600000,
        /// Milliseconds between two attempts at most. Unset: the service's own, as above.
        retry_max_ms: u64 = 60_000; in 1..=86400000,
        /// Seconds after which an alert that could not be delivered becomes a dead letter. Unset: the service's own, as
        /// above.
        dead_letter_after_secs: u64 = 86_400; in 1..=31536000,
        /// Slots that outputs hash to, which the dispatchers of a fleet share: at most so many of them have work. Fixed
        /// for the life of a deployment.
        slots: u32 = 64; in 1..=4096,
        /// Attempts under way at once to one output. Unset: the service's own, as above.
        concurrency_per_output: usize = 16; in 1..=4096,
        /// Seconds between two canary alerts to every output but the history, which show that alerts arrive; 0: none.
        canary_secs: u64 = 0; in 0..=86400,
        /// Where an alert can be looked at, for messages to people: a URL with `{id}` for the alert's id.
        alert_url: Option<String> = None,
        /// Where a trace can be looked at: a URL with `{trace}` for the trace's id.
        trace_url: Option<String> = None,
        /// Other limits for single outputs.
        output: BTreeMap<String, OutputLimits> = BTreeMap::new(),
    }
}

section! {
    /// Limits of one output that differ from those of all, and its publishers.
    pub struct OutputLimits {
        /// Deliveries per second at most. Unset: the service's own ([on its page](outputs/README.md)), or no limit.
        rate_per_sec: Option<f64> = None,
        /// Attempts under way at once. Unset: `dispatcher.concurrency_per_output` if it is set, else the service's own.
        concurrency: Option<usize> = None; in 1..=4096,
        /// Milliseconds that one attempt may take. Unset: `dispatcher.timeout_ms` if it is set, else the service's own.
        timeout_ms: Option<u64> = None; in 1..=3600000,
        /// Seconds until dead letter. Unset: `dispatcher.dead_letter_after_secs` if it is set, else the service's own.
        dead_letter_after_secs: Option<u64> = None; in 1..=31536000,
        /// Seconds between two canary alerts; 0: none. Unset: `dispatcher.canary_secs`.
        canary_secs: Option<u64> = None; in 0..=86400,
        /// Publishers of alerts whose rule names none for this output, such as `["template:short"]`
        /// ([what there is](PUBLISHERS.md)).
        publishers: Vec<String> = Vec::new(),
    }
}

section! {
    /// What outputs must not show ([more](PUBLISHERS.md)); `[redacted]` stands in its place. The store, dead letters and
    /// the history have it all.
    pub struct RedactSettings {
        /// Names of fields whose values are taken out: `*` is any text, case does not matter. With a dot in it, the path
        /// from the top of the publication, such as `record.user.*`. Between slashes, a regular expression on either.
        keys: Vec<String> = Vec::new(),
        /// Regular expressions of parts of texts. Where one has groups these are taken out, otherwise all it finds.
        values: Vec<String> = Vec::new(),
        /// Parts of texts that are known by name, such as `email` and `credit-card`.
        classes: Vec<String> = Vec::new(),
        /// Outputs (`slack:x`), services (`slack`), or `*` for all but the history, to which this holds whatever a rule
        /// says. Otherwise it is for alerts whose rule names the publisher `redact`.
        outputs: Vec<String> = Vec::new(),
    }
}

impl HasKind for BTreeMap<String, OutputLimits> {
    const KIND: Kind = Kind::Nested;
}

section! {
    /// A local file that serves a lookup table of `lookup_tables.json` on this machine.
    pub struct LookupTableSettings {
        /// A JSON file: one object, key to value.
        path: PathBuf = PathBuf::new(),
    }
}

section! {
    /// Indicators of compromise on this machine.
    pub struct ThreatIntelSettings {
        /// A JSON file: one object per indicator type (`ip`, `domain`, `md5`), indicator to its details. Empty: none.
        path: PathBuf = PathBuf::new(),
    }
}

const fn loopback(port: u16) -> SocketAddr {
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

section! {
    /// Where each service listens when it runs on its own.
    pub struct ListenSettings {
        /// Health, `GET /metrics`, and answers to the command line, of any process; port 0 takes a free one.
        admin: SocketAddr = loopback(7410),
        /// `GET /metrics` besides `listen.admin`, always without TLS and without asking who is there. Unset: nowhere.
        metrics: Option<SocketAddr> = None,
        /// The rules node.
        rules_node: SocketAddr = loopback(7412),
        /// The merger.
        merger: SocketAddr = loopback(7413),
        /// The dispatcher.
        dispatcher: SocketAddr = loopback(7414),
    }
}

section! {
    /// Where the other services are when they run on their own: `HOST:PORT`, `dns:HOST:PORT` for every address that a name
    /// has, `srv:NAME` for the hosts and ports of its SRV records, or `leases` for what the lease table says.
    pub struct PeersSettings {
        /// The rules-nodes, of which any will do; several with commas. Empty: where `listen` says, on this machine.
        rules_node: String = String::new(),
        /// The merger. Empty: `leases` with `store.type = "dynamodb"`, where `listen` says otherwise.
        merger: String = String::new(),
        /// The dispatcher. Empty: as with the merger.
        dispatcher: String = String::new(),
    }
}

section! {
    /// Mutual TLS between services. All three files, or none for plain text.
    pub struct TlsSettings {
        /// This process's certificate chain, PEM.
        cert: PathBuf = PathBuf::new(),
        /// Its private key, PEM.
        key: PathBuf = PathBuf::new(),
        /// The authority that signs every service's certificate, PEM.
        ca: PathBuf = PathBuf::new(),
        /// The name to expect in a peer's certificate. Empty: the host of its URI.
        server_name: String = String::new(),
    }
}

impl TlsSettings {
    /// Whether services speak TLS to each other.
    #[must_use]
    pub fn is_on(&self) -> bool {
        !self.cert.as_os_str().is_empty()
    }
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl HasKind for LogFormat {
    const KIND: Kind = Kind::Choice(&["text", "json"]);
}

section! {
    /// Logs, traces and exported metrics of the program itself.
    pub struct TelemetrySettings {
        /// `text` for people, `json` for machines.
        log_format: LogFormat = LogFormat::Text,
        /// `error`, `warn`, `info`, `debug`, `trace`, or directives such as `info,streamalert_merger=debug`.
        log_level: String = "info".to_owned(),
        /// A collector's OTLP/gRPC port, such as `http://127.0.0.1:4317`, to which traces and metrics go. Empty: as
        /// `OTEL_EXPORTER_OTLP_ENDPOINT` says; if that is not set either, nothing is traced or exported.
        otlp_endpoint: String = String::new(),
        /// Seconds between two exports of metrics.
        otlp_metrics_secs: u64 = 60; in 1..=3600,
        /// The part of ordinary records whose traces are kept, 0 to 1, as a rules-node decides it. Records that raise an
        /// alert or become a dead letter are always kept.
        trace_ratio: f64 = 0.0001,
    }
}
