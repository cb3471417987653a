use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value as Json, json};
use streamalert_proto::Deliveries;
use streamalert_store::{DeadLetterFilter, DeadLetterStore, MemoryStore};
use streamalert_testkit::emulator::Peer;
use streamalert_testkit::{ReceivedRequest, Reply, TempDir, WebhookReceiver, tempdir};
use streamalert_types::{Alert, DeadLetter, Delivery, DeliveryOutcome, OutputName, SystemClock};

use super::case::{Case, HttpCase, LinesCase, PLANTED, PeerCase, Repeats, Server};
use crate::outputs::fixtures::context;
use crate::{
    DefaultPublisher, Dispatcher, DispatcherHandle, DispatcherOptions, OutputRegistry, OutputSpec,
    OutputStats, Service,
};

/// What goes wrong with a request.
#[derive(Debug, Clone)]
pub(super) struct Trouble {
    /// The answer.
    pub(super) reply: Reply,
    /// Whether the server did its work all the same, and only the answer was lost.
    pub(super) happened: bool,
}

/// What is to go wrong, by the number of the request.
pub(super) type Troubles = Arc<Mutex<BTreeMap<usize, Trouble>>>;

/// What was taken by the other side.
#[derive(Debug, Clone)]
pub(super) struct Arrived {
    /// By what a repetition is told.
    pub(super) identity: String,
    /// What people read.
    pub(super) text: String,
}

/// The other side.
pub(super) enum Far {
    Http {
        case: HttpCase,
        receiver: WebhookReceiver,
        troubles: Troubles,
    },
    Lines(LinesCase),
    Peer {
        case: PeerCase,
        peer: Peer,
    },
}

/// One output of a service, the dispatcher around it, and what it writes to.
pub(super) struct Rig {
    pub(super) service: &'static Service,
    /// Which way of it, if there are several.
    pub(super) way: &'static str,
    pub(super) name: OutputName,
    pub(super) spec: OutputSpec,
    pub(super) handle: DispatcherHandle,
    pub(super) store: MemoryStore,
    pub(super) far: Far,
    pub(super) dir: TempDir,
}

fn start(spec: &OutputSpec, store: &MemoryStore, dir: &TempDir) -> DispatcherHandle {
    let outputs =
        OutputRegistry::load(std::slice::from_ref(spec), &context(dir.path())).expect("the case's settings");
    assert!(outputs.warnings().is_empty());
    let dispatcher = Dispatcher {
        options: DispatcherOptions::default(),
        outputs,
        publisher: Arc::new(DefaultPublisher),
        dead_letters: Arc::new(store.clone()),
        clock: Arc::new(SystemClock),
        seed: 1,
    };
    assert!(!format!("{dispatcher:?}").contains(PLANTED));
    dispatcher.start().0
}

impl Rig {
    /// One of each way of `service`; none for those that other tests try.
    pub(super) fn of(service: &'static Service) -> impl Iterator<Item = impl Future<Output = Self>> {
        let ways = (service.case)().ways().into_iter();
        ways.map(move |(way, case)| Self::new(service, way, case))
    }

    /// One of `service` with its server; `None` where that is not installed.
    pub(super) async fn with_peer(service: &'static Service, case: PeerCase) -> Option<Self> {
        let dir = tempdir().unwrap();
        super::peer::certificates(dir.path());
        (case.prepare)(dir.path());
        let peer = Peer::start(case.kind, dir.path()).await?;
        let ports = serde_json::from_str(&peer.ask("GET", "/", "").await).unwrap();
        let settings = (case.settings)(&ports);
        Some(Self::around(
            (service, ""),
            settings,
            Far::Peer { case, peer },
            dir,
        ))
    }

    async fn new(service: &'static Service, way: &'static str, case: Case) -> Self {
        let dir = tempdir().unwrap();
        let (settings, far) = match case {
            Case::Http(case) => {
                let receiver = WebhookReceiver::start(Some(PLANTED)).await;
                let troubles = Troubles::default();
                receiver.choose(chooser((case.server)(), Arc::clone(&troubles)));
                (
                    (case.settings)(&receiver.url("")),
                    Far::Http {
                        case,
                        receiver,
                        troubles,
                    },
                )
            }
            Case::Lines(case) => ((case.settings)(), Far::Lines(case)),
            Case::Peer(_) => panic!("see with_peer"),
            Case::Own(own) => panic!("{}", own.why),
            Case::Ways(_) => panic!("{}: ways within a way", service.name),
        };
        Self::around((service, way), settings, far, dir)
    }

    fn around(
        (service, way): (&'static Service, &'static str),
        mut settings: Json,
        far: Far,
        dir: TempDir,
    ) -> Self {
        settings["delivery"] = json!({
            "concurrency": 4, "timeout_secs": 4, "backoff_first_secs": 0.01, "backoff_max_secs": 0.05, "rate_per_sec": 1000,
        });
        let name: OutputName = format!("{}:a", service.name).parse().unwrap();
        let spec = OutputSpec {
            name: name.clone(),
            settings,
            origin: "test".to_owned(),
        };
        let store = MemoryStore::new();
        let handle = start(&spec, &store, &dir);
        Self {
            service,
            way,
            name,
            spec,
            handle,
            store,
            far,
            dir,
        }
    }

    /// A new process, as far as the outputs can tell.
    pub(super) fn restart(&mut self) {
        self.handle = start(&self.spec, &self.store, &self.dir);
    }

    /// One over http.
    pub(super) fn http(&self) -> Option<(&HttpCase, &WebhookReceiver, &Troubles)> {
        match &self.far {
            Far::Http {
                case,
                receiver,
                troubles,
            } => Some((case, receiver, troubles)),
            Far::Lines(_) | Far::Peer { .. } => None,
        }
    }

    /// One with a server of another protocol.
    pub(super) fn peer(&self) -> (&PeerCase, &Peer) {
        match &self.far {
            Far::Peer { case, peer } => (case, peer),
            Far::Http { .. } | Far::Lines(_) => panic!("{}: no peer", self.service.name),
        }
    }

    /// Whether it shows the record.
    pub(super) fn shows_record(&self) -> bool {
        self.http().is_none_or(|(case, ..)| case.shows_record)
    }

    pub(super) fn repeats(&self) -> Repeats {
        self.http().map_or(Repeats::Known, |(case, ..)| case.repeats)
    }

    pub(super) fn delivery(&self, alert: Alert) -> Delivery {
        let alert = match self.http() {
            Some((case, ..)) => (case.rule)(alert),
            None => alert,
        };
        Delivery {
            alert: Arc::new(alert),
            output: self.name.clone(),
            update: None,
        }
    }

    pub(super) async fn deliver(&self, alert: Alert) -> DeliveryOutcome {
        self.handle.deliver(self.delivery(alert)).await.unwrap()
    }

    pub(super) fn stats(&self) -> OutputStats {
        self.handle.stats().outputs[&self.name].clone()
    }

    pub(super) async fn dead_letters(&self) -> Vec<DeadLetter> {
        self.store
            .list(&DeadLetterFilter::default(), None, 10)
            .await
            .unwrap()
    }

    /// Everything the other side took, after a check that it was as documented.
    pub(super) fn arrived(&self) -> Vec<Arrived> {
        match &self.far {
            Far::Http { case, receiver, .. } => {
                let mut arrived = Vec::new();
                for request in receiver.requests() {
                    (case.check)(&request);
                    assert!(
                        request.body.len() <= case.body_bytes_max,
                        "{} bytes",
                        request.body.len()
                    );
                    if let (true, Some(identity)) = (was_taken(&request), (case.identity)(&request)) {
                        arrived.push(Arrived {
                            identity,
                            text: (case.read)(&request),
                        });
                    }
                }
                arrived
            }
            Far::Lines(case) => {
                let text = std::fs::read_to_string(self.file(case)).unwrap_or_default();
                let line = |line: &str| {
                    let json: Json = serde_json::from_str(line).expect("a line is json");
                    let identity = json["idempotency_key"]
                        .as_str()
                        .expect("a line has its key")
                        .to_owned();
                    Arrived {
                        identity,
                        text: json.to_string(),
                    }
                };
                text.lines().map(line).collect()
            }
            Far::Peer { .. } => panic!("a peer is asked"),
        }
    }

    fn file(&self, case: &LinesCase) -> PathBuf {
        self.dir.path().join(case.file)
    }

    /// Arranges some misfortunes, and says how many attempts there will be at least.
    pub(super) fn trouble(&self) -> u32 {
        match &self.far {
            Far::Http { case, troubles, .. } => {
                let replies = [
                    Reply::status(500, "oh no"),
                    case.busy.clone(),
                    Reply::Reset,
                    Reply::Hang,
                ];
                let plan = replies.into_iter().enumerate();
                let plan = plan.map(|(at, reply)| {
                    (
                        at,
                        Trouble {
                            reply,
                            happened: false,
                        },
                    )
                });
                troubles.lock().unwrap().extend(plan);
                5
            }
            Far::Lines(case) => {
                // a file where the first folder should be
                let first = case.file.split('/').next().unwrap();
                let blocker = self.dir.path().join(first);
                std::fs::write(&blocker, "").unwrap();
                let (handle, name) = (self.handle.clone(), self.name.clone());
                tokio::spawn(async move {
                    // however busy the machine is, the first attempt has failed before
                    while handle.stats().outputs[&name].last_error.is_none() {
                        tokio::time::sleep(Duration::from_millis(10)).await;
                    }
                    std::fs::remove_file(blocker).unwrap();
                });
                2
            }
            Far::Peer { .. } => panic!("a peer has a plan"),
        }
    }
}

/// Whether the sender is to count a request as done.
pub(super) fn was_taken(request: &ReceivedRequest) -> bool {
    request.was_accepted()
}

fn chooser(mut server: Server, troubles: Troubles) -> impl FnMut(&ReceivedRequest) -> Reply + Send {
    let mut count = 0;
    move |request| {
        let trouble = troubles.lock().unwrap().remove(&count);
        count += 1;
        match trouble {
            None => server(request),
            Some(Trouble { reply, happened }) => {
                if happened {
                    server(request);
                }
                reply
            }
        }
    }
}
