//! What every service needs around its core: acked streams to and from its neighbours, health, TLS, graceful
//! drain, task supervision, telemetry.
//!
//! A neighbour over the network is an [`AckedClient`] on one side and an [`AckedServer`] on the other; both are
//! the same code for the three streams of `streamalert.v1` (see [`Exchange`]). Start reading at
//! `client/session.rs`, the pure state machine of a client, and `server/stream.rs`.

mod admin;
mod backoff;
mod balanced;
mod cause;
mod client;
mod dial;
mod exchange;
mod limits;
mod metrics;
mod otlp;
mod peers;

mod server;
mod sharded;
mod shutdown;
mod supervisor;
mod telemetry;
mod tls;

pub use admin::{AdminClient, AdminServer};
pub use backoff::{Backoff, BackoffOptions};
pub use balanced::{BalancedClient, BalancedOptions, BalancedRecords, PeersTask};
pub use client::{
    AckedClient, ClientOptions, ClientTask, DispatcherClient, LinkState, MergerClient, RulesNodeClient,
};
pub use dial::{Dial, Dialer, Io};
pub use exchange::{AlertsExchange, DeliveriesExchange, Exchange, RecordsExchange, Reply};
pub use limits::{KeepAlive, MESSAGE_BYTES_MAX, StreamLimits};
pub use metrics::{
    Label, Metric, MetricKind, MetricPoint, MetricSnapshot, MetricSource, MetricValue, prometheus_text,
};
pub use otlp::{OtlpError, OtlpOptions, OtlpTask, Resource, SpanCounts, SpanQueue, otlp_exporter};
pub use peers::{Lookup, PeerNames, Peers, PeersError, Resolver};
pub use server::{
    AckedServer, DispatcherServer, GrpcServer, MergerServer, RulesNodeServer, ServeError, ServerOptions,
};
pub use sharded::{OwnersTask, Sharded, ShardedAlerts, ShardedClient, ShardedDeliveries, ShardedOptions};
pub use shutdown::Shutdown;
pub use supervisor::{Supervisor, TaskFailure, TaskKind};
pub use telemetry::{LogFormat, Telemetry, TelemetryError, TelemetryOptions, may_be_logged};
pub use tls::{Tls, TlsError, TlsFiles, TlsStatus};
