mod acked;
mod stream;
pub(crate) mod window;

use std::io;
use std::sync::Arc;

use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use futures::Stream;
use streamalert_proto::{Admin, Alerts, Deliveries, Records, v1};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tonic::service::Routes;
use tonic::transport::Server;
use tonic::transport::server::{Connected, TcpIncoming};
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

pub use acked::{AckedServer, DispatcherServer, MergerServer, RulesNodeServer};

use crate::metrics::PROMETHEUS_TYPE;
use crate::{
    AdminServer, Exchange, KeepAlive, MetricSource, Shutdown, StreamLimits, Tls, TlsError, limits,
    prometheus_text, tls,
};
use crate::{AlertsExchange, DeliveriesExchange, RecordsExchange};

/// How services are served.
#[derive(Debug, Clone, Default)]
pub struct ServerOptions {
    /// Mutual TLS; `None` = plain text.
    pub tls: Option<Tls>,
    /// Limits of each service's streams.
    pub limits: StreamLimits,
    /// How dead clients are noticed.
    pub keep_alive: KeepAlive,
}

/// Why serving ended.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The TLS files cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The listener failed.
    #[error("grpc server failed")]
    Transport(#[from] tonic::transport::Error),
}

/// The gRPC server of a process: the services that run here, and the standard health service, which says
/// `SERVING` for each (and for the empty name) until the process drains.
pub struct GrpcServer {
    options: ServerOptions,
    shutdown: Shutdown,
    routes: Routes,
    health: HealthReporter,
    names: Vec<&'static str>,
    /// Whether requests of HTTP/1.1 are taken, too: gRPC needs HTTP/2, other clients may not know it.
    plain_http: bool,
}

impl GrpcServer {
    /// A server of nothing but health.
    #[must_use]
    pub fn new(options: ServerOptions, shutdown: Shutdown) -> Self {
        let (health, service) = tonic_health::server::health_reporter();
        Self {
            options,
            shutdown,
            routes: Routes::new(service),
            health,
            names: vec![""],
            plain_http: false,
        }
    }

    /// Serves the rules-node, too.
    #[must_use]
    pub fn records(mut self, neighbour: Arc<dyn Records>) -> Self {
        let service = RulesNodeServer::new(neighbour, self.options.limits, self.shutdown.clone());
        let service = v1::rules_node_server::RulesNodeServer::new(service)
            .max_decoding_message_size(self.options.limits.message_bytes_max);
        self.routes = self.routes.add_service(service);
        self.names.push(RecordsExchange::GRPC_NAME);
        self
    }

    /// Serves the merger, too.
    #[must_use]
    pub fn alerts(mut self, neighbour: Arc<dyn Alerts>) -> Self {
        let service = MergerServer::new(neighbour, self.options.limits, self.shutdown.clone());
        let service = v1::merger_server::MergerServer::new(service)
            .max_decoding_message_size(self.options.limits.message_bytes_max);
        self.routes = self.routes.add_service(service);
        self.names.push(AlertsExchange::GRPC_NAME);
        self
    }

    /// Serves the dispatcher, too.
    #[must_use]
    pub fn deliveries(mut self, neighbour: Arc<dyn Deliveries>) -> Self {
        let service = DispatcherServer::new(neighbour, self.options.limits, self.shutdown.clone());
        let service = v1::dispatcher_server::DispatcherServer::new(service)
            .max_decoding_message_size(self.options.limits.message_bytes_max);
        self.routes = self.routes.add_service(service);
        self.names.push(DeliveriesExchange::GRPC_NAME);
        self
    }

    /// Answers the command line, too.
    #[must_use]
    pub fn admin(mut self, admin: Arc<dyn Admin>) -> Self {
        let service = v1::admin_server::AdminServer::new(AdminServer::new(admin));
        self.routes = self.routes.add_service(service);
        self.names.push(v1::admin_server::SERVICE_NAME);
        self
    }

    /// Answers `GET /metrics` in the text format of Prometheus, too.
    #[must_use]
    pub fn metrics(mut self, source: Arc<dyn MetricSource>) -> Self {
        let page = move || {
            let source = source.clone();
            async move {
                (
                    [(CONTENT_TYPE, PROMETHEUS_TYPE)],
                    prometheus_text(&source.metrics().await),
                )
            }
        };
        let router = std::mem::take(self.routes.axum_router_mut());
        *self.routes.axum_router_mut() = router.route("/metrics", get(page));
        self.plain_http = true;
        self
    }

    /// Serves on `listener` until the process has drained or is aborted.
    ///
    /// # Errors
    /// See [`ServeError`].
    pub async fn serve(self, listener: TcpListener) -> Result<(), ServeError> {
        self.serve_incoming(TcpIncoming::from(listener).with_nodelay(Some(true)))
            .await
    }

    /// Serves connections from anywhere, such as a simulated network. Ends when the process has drained: every
    /// request that was read is answered and every client has been told that its stream is over; or at once when
    /// it is aborted.
    ///
    /// # Errors
    /// See [`ServeError`].
    pub async fn serve_incoming<I, C>(self, incoming: I) -> Result<(), ServeError>
    where
        I: Stream<Item = io::Result<C>>,
        C: AsyncRead + AsyncWrite + Connected + Unpin + Send + 'static,
    {
        let Self {
            options,
            shutdown,
            routes,
            health,
            names,
            plain_http,
        } = self;
        let mut server = Server::builder()
            .accept_http1(plain_http)
            .http2_keepalive_interval(Some(options.keep_alive.interval))
            .http2_keepalive_timeout(Some(options.keep_alive.timeout))
            .initial_stream_window_size(limits::HTTP2_STREAM_WINDOW_BYTES)
            .initial_connection_window_size(limits::HTTP2_CONNECTION_WINDOW_BYTES);
        set_health(&health, &names, ServingStatus::Serving).await;
        let drained = async {
            shutdown.draining().await;
            set_health(&health, &names, ServingStatus::NotServing).await;
        };
        let router = server.add_routes(routes);
        let Some(tls) = &options.tls else {
            let serving = Box::pin(router.serve_with_incoming_shutdown(incoming, drained));
            return until_aborted(serving, &shutdown).await;
        };
        let (incoming, watching) = tls::secured(tls, incoming).await?;
        let serving = Box::pin(router.serve_with_incoming_shutdown(incoming, drained));
        tokio::select! {
            biased;
            served = until_aborted(serving, &shutdown) => served,
            () = watching => Ok(()),
        }
    }
}

async fn until_aborted(
    serving: impl Future<Output = Result<(), tonic::transport::Error>>,
    shutdown: &Shutdown,
) -> Result<(), ServeError> {
    tokio::select! {
        biased;
        served = serving => Ok(served?),
        () = shutdown.aborted() => Ok(()),
    }
}

async fn set_health(health: &HealthReporter, names: &[&str], status: ServingStatus) {
    for name in names {
        health.set_service_status(name, status).await;
    }
}
