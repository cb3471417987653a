mod neighbours;

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use streamalert_classifier::ClassifierTask;
use streamalert_config::{Place, Settings};
use streamalert_dispatcher::DispatcherNode;
use streamalert_proto::{Alerts, Deliveries, Records};
use streamalert_runtime::Runtime;
use streamalert_service::{
    GrpcServer, LogFormat, OtlpTask, ServerOptions, Shutdown, StreamLimits, Supervisor, TaskKind, Telemetry,
    TelemetryOptions, Tls,
};
use streamalert_types::Tracer;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::access;
use crate::admin::ProcessAdmin;
use crate::args::{Global, Run, Service};
use crate::assembly::{self, Member, Stores};
use crate::canary::Canaries;
use crate::failure::Failure;
use crate::health::HealthWatch;
use crate::project::{Project, load_settings};
use crate::reload::outputs::{Configured, OutputFiles, OutputReloader};
use crate::reload::{Reloader, RuleFiles};
use crate::replay::Replayer;
use crate::telemetry::Exporter;

/// How long a process may take to finish what it has after SIGTERM. Orchestrators commonly kill after 30 s or more.
const DRAIN_DEADLINE: Duration = Duration::from_secs(25);

/// How much of it the classifier may wait for what it has read to be acknowledged.
const SOURCE_DRAIN: Duration = Duration::from_secs(10);

/// Starts services and serves until told to stop.
pub(crate) async fn run(global: &Global, args: &Run) -> Result<(), Failure> {
    // Before they are read, so that no change falls in between.
    let files = OutputFiles::look(global, &load_settings(global)?);
    let project = Project::load(global)?;
    let _telemetry = start_telemetry(&project.settings)?;
    for warning in &project.schema_warnings {
        tracing::warn!("{warning}");
    }
    let shutdown = Shutdown::new();
    let signals = shutdown.on_signals(DRAIN_DEADLINE)?;
    tokio::spawn(signals);
    let mut node = Node::new(project, shutdown).await?;
    node.start_exporter(args.service)?;
    match args.service {
        None => node.all().await?,
        Some(Service::Classifier) => node.classifier().await?,
        Some(Service::RulesNode) => node.rules_node(args.listen).await?,
        Some(Service::Merger) => node.merger(args.listen).await?,
        Some(Service::Dispatcher) => node.dispatcher(args.listen).await?,
    }
    node.follow_outputs(global, files);
    node.serve(args.service.is_none().then_some(args.listen).flatten())
        .await
}

fn start_telemetry(settings: &Settings) -> Result<Telemetry, Failure> {
    let format = match settings.telemetry.log_format {
        streamalert_config::LogFormat::Text => LogFormat::Text,
        streamalert_config::LogFormat::Json => LogFormat::Json,
    };
    Telemetry::start(&TelemetryOptions {
        format,
        filter: settings.telemetry.log_level.clone(),
    })
    .map_err(|error| Failure::Other(error.to_string()))
}

/// One process: whatever services it runs, and the order in which they drain.
struct Node {
    project: Arc<Project>,
    shutdown: Shutdown,
    supervisor: Supervisor,
    stores: Stores,
    clock: Arc<dyn streamalert_types::Clock>,
    admin: ProcessAdmin,
    classifier_task: Option<ClassifierTask>,
    runtime: Option<Runtime>,
    /// This process's share of the outputs, where others have one, too.
    dispatcher_node: Option<DispatcherNode>,
    seed: u64,
    member: Member,
    /// One for all servers and clients of the process, so that all use the same files.
    tls: Option<Tls>,
    /// Cuts the links to neighbours over the network; after everything that uses them has drained.
    links: CancellationToken,
    tracer: Tracer,
    exporter: Option<OtlpTask>,
    /// Ends the export; after everything that is to be told of.
    exported: CancellationToken,
    /// What is configured of outputs.
    configured: watch::Sender<Arc<Configured>>,
}

impl Node {
    async fn new(project: Project, shutdown: Shutdown) -> Result<Self, Failure> {
        let tls = access::tls(&project.settings);
        if let Some(tls) = &tls {
            tls.refresh()
                .await
                .map_err(|error| Failure::Other(error.told()))?;
        }
        let stores = assembly::open_stores(&project.settings).await?;
        let clock = assembly::clock();
        let supervisor = Supervisor::new(shutdown.clone());
        let admin = ProcessAdmin {
            stores: Some(stores.clone()),
            tls: tls.clone(),
            ..ProcessAdmin::default()
        };
        let seed = assembly::process_seed(&*clock);
        let member = Member::of(&project.settings, &*clock);
        let (configured, _) = watch::channel(Arc::new(Configured::of(&project)));
        Ok(Self {
            tls,
            configured,
            project: Arc::new(project),
            shutdown,
            supervisor,
            stores,
            clock,
            admin,
            classifier_task: None,
            runtime: None,
            dispatcher_node: None,
            seed,
            member,
            links: CancellationToken::new(),
            tracer: Tracer::default(),
            exporter: None,
            exported: CancellationToken::new(),
        })
    }

    /// Traces, if there is a collector. What is recorded is exported once all services have started.
    fn start_exporter(&mut self, service: Option<Service>) -> Result<(), Failure> {
        let settings = &self.project.settings;
        let exporter = crate::telemetry::exporter(settings, service, self.clock.clone(), self.seed)?;
        if let Some(Exporter { tracer, spans, task }) = exporter {
            self.tracer = tracer;
            self.admin.spans = Some(spans);
            self.exporter = Some(task);
        }
        Ok(())
    }

    /// All four. Neighbours by their handles, unless others share the store: then each part of the work has one owner,
    /// here or elsewhere.
    async fn all(&mut self) -> Result<(), Failure> {
        let runtime = self.load_rules().await?;
        let (alerts, deliveries) = if self.member.alone {
            let deliveries = self.start_dispatcher(Some(runtime.clone())).await?;
            (self.start_merger(deliveries.clone(), None).await?, deliveries)
        } else {
            let listen = &self.project.settings.listen;
            let (dispatcher, merger) = (listen.dispatcher, listen.merger);
            self.serve_deliveries(dispatcher, runtime.clone()).await?;
            self.serve_alerts(merger).await?;
            (self.alerts()?, self.deliveries()?)
        };
        self.start_canaries(alerts.clone());
        let records = self.start_rules_node(runtime, alerts)?;
        self.start_classifier(records).await?;
        self.start_replayer(deliveries)
    }

    fn start_replayer(&mut self, deliveries: Arc<dyn Deliveries>) -> Result<(), Failure> {
        let Some(rules) = self.admin.rules.clone() else {
            return Ok(());
        };
        let replayer = Replayer {
            taker: Mutex::new(assembly::takers(&self.project, self.clock.clone())?()),
            rules,
            deliveries,
            stores: self.stores.clone(),
        };
        self.admin.replayer = Some(Arc::new(replayer));
        Ok(())
    }

    async fn classifier(&mut self) -> Result<(), Failure> {
        let records = self.records()?;
        self.start_classifier(records).await
    }

    async fn rules_node(&mut self, listen: Option<SocketAddr>) -> Result<(), Failure> {
        let address = listen.unwrap_or(self.project.settings.listen.rules_node);
        let listener = self.bind("rules-node", address).await?;
        let runtime = self.load_rules().await?;
        let alerts = self.alerts()?;
        let records = self.start_rules_node(runtime, alerts)?;
        if !self.member.alone {
            // It shares the dead letters of all, and so is who replays them.
            let deliveries = self.deliveries()?;
            self.start_replayer(deliveries)?;
        }
        let server = self.server().records(records);
        self.serve_on("rules-node", listener, server);
        Ok(())
    }

    async fn merger(&mut self, listen: Option<SocketAddr>) -> Result<(), Failure> {
        let alone = self
            .serve_alerts(listen.unwrap_or(self.project.settings.listen.merger))
            .await?;
        let alerts = if self.member.alone { alone } else { self.alerts()? };
        self.start_canaries(alerts);
        Ok(())
    }

    /// Whoever merges sees in the store what has arrived. All mergers of a fleet do; a canary is the same for each.
    fn start_canaries(&mut self, alerts: Arc<dyn Alerts>) {
        let counts = self.admin.health.get_or_insert_default().clone();
        let canaries = Canaries {
            alerts,
            store: self.stores.alerts.clone(),
            clock: self.clock.clone(),
            configured: self.configured.subscribe(),
            board: self.admin.canaries.clone(),
            counts,
        };
        let running = canaries.run(self.shutdown.clone());
        self.supervisor.spawn("canaries", TaskKind::Helper, running);
    }

    async fn serve_alerts(&mut self, address: SocketAddr) -> Result<Arc<dyn Alerts>, Failure> {
        let listener = self.bind("merger", address).await?;
        let address = self.address(&listener)?;
        let deliveries = self.deliveries()?;
        let alerts = self.start_merger(deliveries, address).await?;
        let server = self.server().alerts(alerts.clone());
        self.serve_on("merger", listener, server);
        Ok(alerts)
    }

    async fn dispatcher(&mut self, listen: Option<SocketAddr>) -> Result<(), Failure> {
        // Only for the publishers: one worker is enough, and rules that do not load are the rules-node's affair.
        let files = RuleFiles::look(&self.project);
        let (runtime, _) = crate::python::start(&self.project, Some(1), self.clock.clone()).await?;
        self.keep_current(&runtime, files, false);
        let address = listen.unwrap_or(self.project.settings.listen.dispatcher);
        self.serve_deliveries(address, runtime).await
    }

    async fn serve_deliveries(&mut self, address: SocketAddr, runtime: Runtime) -> Result<(), Failure> {
        let listener = self.bind("dispatcher", address).await?;
        let address = self.address(&listener)?;
        let mut deliveries = self.start_dispatcher(Some(runtime)).await?;
        if !self.member.alone {
            deliveries = self.share_outputs(address).await?;
        }
        let dispatcher = self.admin.dispatcher.as_ref();
        let outputs = dispatcher.map_or(0, |dispatcher| dispatcher.stats().outputs.len());
        let limits = assembly::delivery_limits(&self.project.settings, outputs);
        let server = self.server_within(limits).deliveries(deliveries);
        self.serve_on("dispatcher", listener, server);
        Ok(())
    }

    async fn load_rules(&mut self) -> Result<Runtime, Failure> {
        let files = RuleFiles::look(&self.project);
        let (runtime, _) = assembly::load_rules(&self.project, None, self.clock.clone()).await?;
        self.keep_current(&runtime, files, true);
        Ok(runtime)
    }

    /// Loads the rules again whenever their files change.
    fn keep_current(&mut self, runtime: &Runtime, files: RuleFiles, checks_rules: bool) {
        self.runtime = Some(runtime.clone());
        self.admin.runtime = Some(runtime.clone());
        let reloader = Reloader {
            project: self.project.clone(),
            runtime: runtime.clone(),
            files,
            checks_rules,
            configured: self.configured.subscribe(),
            templates_kept: self.admin.templates_kept.clone(),
        };
        let following = reloader.run(self.shutdown.clone());
        self.supervisor.spawn("rule files", TaskKind::Helper, following);
    }

    /// Loads outputs again whenever what they are made from changes.
    fn follow_outputs(&mut self, global: &Global, files: OutputFiles) {
        let admin = &mut self.admin;
        if admin.dispatcher.is_none() && admin.rules.is_none() && admin.merger.is_none() {
            return;
        }
        let reloader = OutputReloader {
            global: global.clone(),
            project: self.project.clone(),
            files,
            configured: self.configured.clone(),
            dispatcher: admin.dispatcher.clone(),
            rules: admin.rules.is_some().then(|| self.runtime.clone()).flatten(),
            kept: admin.outputs_kept.clone(),
            clock: self.clock.clone(),
        };
        let following = reloader.run(self.shutdown.clone());
        self.supervisor.spawn("output files", TaskKind::Helper, following);
    }

    async fn start_dispatcher(&mut self, runtime: Option<Runtime>) -> Result<Arc<dyn Deliveries>, Failure> {
        let registry = Box::pin(assembly::registry(&self.project, self.clock.clone())).await?;
        let letters = self.stores.dead_letters.clone();
        let (handle, task) = assembly::start_dispatcher(
            &self.project,
            registry,
            runtime,
            letters,
            self.clock.clone(),
            self.tracer.clone(),
        );
        self.supervisor.spawn("dispatcher", TaskKind::Service, task);
        self.admin.dispatcher = Some(handle.clone());
        Ok(Arc::new(handle))
    }

    async fn start_merger(
        &mut self,
        deliveries: Arc<dyn Deliveries>,
        address: Option<String>,
    ) -> Result<Arc<dyn Alerts>, Failure> {
        let mut options = assembly::merger_options(&self.project.settings, &self.member, address);
        options.tracer = self.tracer.clone();
        let (handle, task) =
            assembly::start_merger(options, &self.stores, deliveries, self.clock.clone()).await?;
        self.supervisor.spawn("merger", TaskKind::Service, task.join());
        self.admin.merger = Some(handle.clone());
        Ok(Arc::new(handle))
    }

    fn start_rules_node(
        &mut self,
        runtime: Runtime,
        alerts: Arc<dyn Alerts>,
    ) -> Result<Arc<dyn Records>, Failure> {
        let counts = self.admin.health.get_or_insert_default().clone();
        let watch = HealthWatch {
            runtime: runtime.clone(),
            alerts: alerts.clone(),
            clock: self.clock.clone(),
            outputs: self.project.settings.health.output_names(),
            counts,
        };
        let watching = watch.run(self.shutdown.clone());
        self.supervisor.spawn("health", TaskKind::Helper, watching);
        let letters = self.stores.dead_letters.clone();
        let (clock, tracer) = (self.clock.clone(), self.tracer.clone());
        let node = assembly::rules_node(&self.project, runtime, alerts, letters, clock, tracer)?;
        self.admin.rules = Some(node.clone());
        Ok(Arc::new(node))
    }

    async fn start_classifier(&mut self, records: Arc<dyn Records>) -> Result<(), Failure> {
        let (project, stores) = (&self.project, &self.stores);
        let sources = assembly::settings_sources(project, stores, &self.member, &self.clock, false).await?;
        let (classifier, task) = assembly::start_classifier(
            &self.project,
            sources,
            records,
            &self.stores,
            self.clock.clone(),
            self.tracer.clone(),
        )?;
        self.admin.classifier = Some(classifier);
        self.classifier_task = Some(task);
        Ok(())
    }

    fn server(&self) -> GrpcServer {
        self.server_within(StreamLimits::default())
    }

    fn server_within(&self, limits: StreamLimits) -> GrpcServer {
        let options = ServerOptions {
            limits,
            tls: self.tls.clone(),
            ..ServerOptions::default()
        };
        GrpcServer::new(options, self.shutdown.clone())
    }

    /// Refuses to serve others than this machine without TLS: whoever reaches a service can feed it and ask it.
    fn check_exposure(&self, name: &str, address: SocketAddr) -> Result<(), Failure> {
        if address.ip().is_loopback() || self.tls.is_some() {
            return Ok(());
        }
        Err(Failure::Other(format!(
            "{name} would serve {address} without tls: set [tls], or listen on 127.0.0.1"
        )))
    }

    /// Takes the address that a service is to be reached on, before it has anything to lose.
    async fn bind(&self, name: &str, address: SocketAddr) -> Result<TcpListener, Failure> {
        self.check_exposure(name, address)?;
        let doing = format!("cannot listen on {address}");
        TcpListener::bind(address)
            .await
            .map_err(|error| Failure::while_doing(&doing, error))
    }

    /// Where others reach the service that listens there, for its leases; they need it only where they share a store.
    fn address(&self, listener: &TcpListener) -> Result<Option<String>, Failure> {
        let listen = listener.local_addr()?;
        let address = self.project.settings.node.address(listen);
        if address.is_none() && !self.member.alone {
            let hint = "set node.advertise to its host or HOST:PORT";
            return Err(Failure::Other(format!(
                "others cannot find a service on {listen}: {hint}"
            )));
        }
        Ok(address)
    }

    fn serve_on(&mut self, name: &'static str, listener: TcpListener, server: GrpcServer) {
        match listener.local_addr() {
            Ok(address) => tracing::info!(%address, "{name} listening"),
            Err(error) => tracing::warn!("{name} listening on an unknown address: {error}"),
        }
        self.supervisor.spawn(
            format!("{name} server"),
            TaskKind::Service,
            server.serve(listener),
        );
    }

    /// Answers the command line, waits for the end, and drains in the order of the stream.
    async fn serve(mut self, listen: Option<SocketAddr>) -> Result<(), Failure> {
        let admin_address = listen.unwrap_or(self.project.settings.listen.admin);
        let ProcessAdmin {
            classifier,
            rules,
            merger,
            dispatcher,
            ..
        } = &self.admin;
        let draining = (
            classifier.clone(),
            rules.clone(),
            merger.clone(),
            dispatcher.clone(),
        );
        let address = self.start_admin(admin_address).await?;
        tracing::info!(%address, "ready");
        let (shutdown, links) = (self.shutdown.clone(), self.links.clone());
        let exported = self.exported.clone();
        let (runtime, classifier_task) = (self.runtime.take(), self.classifier_task.take());
        let dispatcher_node = self.dispatcher_node.take();
        let drain = async move {
            shutdown.draining().await;
            let (classifier, rules, merger, dispatcher) = draining;
            if let (Some(classifier), Some(task)) = (classifier, classifier_task) {
                classifier.drain();
                // A neighbour that is away may not come back: what it has not taken is read again next time.
                if tokio::time::timeout(SOURCE_DRAIN, task.ended()).await.is_err() {
                    tracing::warn!("not everything that was read is acknowledged, it will be read again");
                }
            }
            if let Some(rules) = rules {
                rules.drain().await;
            }
            if let Some(merger) = merger {
                merger.drain().await;
            }
            if let Some(node) = dispatcher_node {
                node.drain().await;
            } else if let Some(dispatcher) = dispatcher {
                dispatcher.drain().await;
            }
            if let Some(runtime) = runtime {
                runtime.shutdown().await;
            }
            links.cancel();
            exported.cancel();
            tracing::info!("drained");
            Ok::<_, Failure>(())
        };
        self.supervisor.spawn("drain", TaskKind::Service, drain);
        self.supervisor
            .run()
            .await
            .map_err(|failure| Failure::Other(failure.to_string()))
    }

    async fn start_admin(&mut self, address: SocketAddr) -> Result<SocketAddr, Failure> {
        self.check_exposure("the command line (listen.admin)", address)?;
        let doing = format!("cannot listen on {address} for the command line (listen.admin)");
        let chosen = self.project.settings.place_of(&["listen", "admin"]) != Place::default();
        let listener = match TcpListener::bind(address).await {
            // Several services on one machine: nobody chose the port, and the data directory tells it.
            Err(error) if error.kind() == ErrorKind::AddrInUse && !chosen => {
                TcpListener::bind((address.ip(), 0)).await
            }
            bound => bound,
        };
        let listener = listener.map_err(|error| Failure::while_doing(&doing, error))?;
        let bound = listener.local_addr()?;
        access::publish_address(&self.project.settings.data.dir, bound)?;
        let admin = Arc::new(std::mem::take(&mut self.admin));
        if let Some(task) = self.exporter.take() {
            let (metrics, end) = (admin.clone(), self.exported.clone());
            self.supervisor.spawn("telemetry", TaskKind::Helper, async move {
                task.run(metrics, end).await;
                Ok::<_, Failure>(())
            });
        }
        let server = self.server().admin(admin.clone()).metrics(admin.clone());
        self.supervisor
            .spawn("admin server", TaskKind::Service, server.serve(listener));
        if let Some(address) = self.project.settings.listen.metrics {
            self.start_metrics(address, admin).await?;
        }
        Ok(bound)
    }

    /// Serves the metrics to whoever asks. They hold names of rules and outputs and nothing out of records.
    async fn start_metrics(&mut self, address: SocketAddr, admin: Arc<ProcessAdmin>) -> Result<(), Failure> {
        let doing = format!("cannot listen on {address} for metrics (listen.metrics)");
        let listener = TcpListener::bind(address)
            .await
            .map_err(|error| Failure::while_doing(&doing, error))?;
        tracing::info!(address = %listener.local_addr()?, "metrics");
        let server = GrpcServer::new(ServerOptions::default(), self.shutdown.clone()).metrics(admin);
        self.supervisor
            .spawn("metrics server", TaskKind::Service, server.serve(listener));
        Ok(())
    }
}
