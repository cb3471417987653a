use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::time::Duration;

use streamalert_proto::{Admin, AdminRequest};
use streamalert_service::{AdminClient, ClientOptions};
use streamalert_testkit::{HarnessError, ServiceProcess, ServiceSpec, free_port};

use crate::fleet::PATIENCE;

use crate::tally::Deed;

const SIGKILL: i32 = 9;
/// Why a process may end before it serves.
const GIVES_UP: [&str; 3] = ["store unavailable", "store busy", "kinesis:"];
/// What a process writes when it serves.
const READY: &str = "ready";

/// What a process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    Classifier,
    RulesNode,
    Merger,
    Dispatcher,
}

impl Role {
    /// As the command line names it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Classifier => "classifier",
            Self::RulesNode => "rules-node",
            Self::Merger => "merger",
            Self::Dispatcher => "dispatcher",
        }
    }

    /// Its key in `[listen]` and `[peers]`; a classifier is called by nobody.
    pub(crate) const fn key(self) -> Option<&'static str> {
        match self {
            Self::Classifier => None,
            Self::RulesNode => Some("rules_node"),
            Self::Merger => Some("merger"),
            Self::Dispatcher => Some("dispatcher"),
        }
    }
}

/// What is done to a process, and not mended yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hurt {
    /// It does not run; it is to run again.
    Away,
    /// It stands still, since then by the receiver's clock.
    Frozen(Duration),
    /// It is to end, and is asked once it serves.
    Ending { deed: Deed, asked: bool },
}

/// How a process ended that was asked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    InOrder,
    /// Those that it gives its work to could not be reached for as long as it may take.
    Undrained,
}

/// One process of the fleet.
pub(crate) struct Member {
    pub(crate) role: Role,
    pub(crate) name: String,
    pub(crate) port: u16,
    /// Whether it is to run.
    pub(crate) wanted: bool,
    /// With the tick in which it is mended.
    pub(crate) hurt: Option<(Hurt, u64)>,
    spec: Option<ServiceSpec>,
    process: Option<ServiceProcess>,
    served: bool,
}

impl Member {
    pub(crate) fn new(role: Role, index: usize) -> Self {
        Self {
            role,
            name: format!("{}-{index}", role.name()),
            port: free_port(),
            wanted: false,
            hurt: None,
            spec: None,
            process: None,
            served: false,
        }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.port).into()
    }

    /// Whether its death can leave a delivery made and not noted.
    pub(crate) fn delivers(&self) -> bool {
        matches!(self.role, Role::Merger | Role::Dispatcher)
    }

    /// Says how it is started: in `dir`, with these settings.
    pub(crate) fn configure(
        &mut self,
        binary: &Path,
        dir: &Path,
        env: Vec<(String, String)>,
        mut sets: Vec<String>,
    ) {
        let data = dir.join(&self.name).display().to_string();
        let mut args = vec!["--data-dir".to_owned(), data];
        sets.push("listen.admin=127.0.0.1:0".to_owned());
        if let Some(key) = self.role.key() {
            sets.push(format!("listen.{key}={}", self.address()));
        }
        for set in sets {
            args.extend(["--set".to_owned(), set]);
        }
        args.extend(["run".to_owned(), self.role.name().to_owned()]);
        self.spec = Some(ServiceSpec {
            binary: binary.to_owned(),
            args,
            env,
            dir: dir.to_owned(),
            log_dir: dir.to_owned(),
            name: self.name.clone(),
        });
    }

    /// Starts it, and does not wait until it is ready.
    pub(crate) async fn start(&mut self) {
        let spec = self.spec.as_ref().expect("it is configured");
        let started = ServiceProcess::start(spec, None, PATIENCE).await;
        self.process = Some(started.unwrap_or_else(|error| panic!("{}: {error}", self.name)));
        self.served = false;
    }

    /// Waits until it serves.
    pub(crate) async fn ready(&mut self) {
        if let Some(process) = &mut self.process {
            let ready = process.wait_for_line(READY, PATIENCE).await;
            ready.unwrap_or_else(|error| panic!("{}: {error}", self.name));
        }
    }

    /// Whether it serves, or did before it ended.
    pub(crate) fn is_ready(&mut self) -> bool {
        if !self.served {
            let written = self.process.as_ref().map(ServiceProcess::output);
            self.served = written.is_some_and(|output| output.contains(READY));
        }
        self.served
    }

    /// Starts it again, as an orchestrator does, when it gave up before it served: its link to AWS was cut, or AWS
    /// throttled, for longer than it waits. Whether it did.
    pub(crate) async fn start_again(&mut self) -> bool {
        if self.process.is_none() || self.is_ready() {
            return false;
        }
        let process = self.process.as_mut().expect("it was started");
        match process.wait(Duration::ZERO).await {
            Err(HarnessError::TooSlow { .. }) => return false,
            Err(error) => panic!("{}: {error}", self.name),
            Ok(status) => {
                let output = process.output();
                let gave_up = !self.is_ready() && GIVES_UP.iter().any(|reason| output.contains(reason));
                assert!(gave_up, "{} ended with {status}: {output}", self.name);
            }
        }
        self.start().await;
        true
    }

    /// Whether it ended so, and not by itself before.
    pub(crate) async fn kill(&mut self) -> bool {
        let Some(mut process) = self.process.take() else {
            return false;
        };
        let status = process.kill().await.unwrap();
        let by_signal = status.signal() == Some(SIGKILL);
        let asked = matches!(self.hurt, Some((Hurt::Ending { .. }, _)));
        let served = self.served || process.output().contains(READY);
        assert!(
            by_signal || asked || !served,
            "{} had ended with {status}: {}",
            self.name,
            process.output()
        );
        by_signal
    }

    /// Whether it stands still now.
    pub(crate) async fn freeze(&self) -> bool {
        let process = self.process.as_ref().expect("it runs");
        process.freeze().unwrap();
        let id = process.id().unwrap();
        let mut looks = tokio::time::interval(Duration::from_millis(10));
        for _ in 0..100 {
            looks.tick().await;
            // `PID (NAME) STATE …`; T is stopped.
            let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
            if stat
                .rsplit_once(") ")
                .is_some_and(|(_, rest)| rest.starts_with('T'))
            {
                return true;
            }
        }
        false
    }

    pub(crate) fn thaw(&self) {
        self.process.as_ref().expect("it runs").thaw().unwrap();
    }

    /// Asks it to end as an orchestrator does, and whether it has ended; `None` while it drains.
    pub(crate) async fn ended(&mut self, asked: bool) -> Option<Ended> {
        let process = self.process.as_mut().expect("it runs");
        let ended = match asked {
            true => process.wait(Duration::ZERO).await,
            false => process.terminate(Duration::ZERO).await,
        };
        match ended {
            Err(HarnessError::TooSlow { .. }) => None,
            Err(error) => panic!("{}: {error}", self.name),
            Ok(status) => {
                let output = process.output();
                self.process = None;
                if status.success() {
                    return Some(Ended::InOrder);
                }
                assert!(
                    output.contains("not drained in time"),
                    "{} ended with {status}: {output}",
                    self.name
                );
                Some(Ended::Undrained)
            }
        }
    }

    /// Asks it something; `None` when it does not answer.
    pub(crate) async fn ask(&self, dir: &Path, request: AdminRequest) -> Option<String> {
        let address = std::fs::read_to_string(dir.join(&self.name).join("admin.addr")).ok()?;
        let client = AdminClient::connect(&ClientOptions::new(address.trim(), 0))
            .await
            .ok()?;
        client.ask(request).await.ok()
    }

    /// The end of its log.
    pub(crate) fn log(&self, dir: &Path) -> String {
        let log = std::fs::read_to_string(dir.join(format!("{}.stderr", self.name))).unwrap_or_default();
        let lines: Vec<&str> = log.lines().rev().take(12).collect();
        let lines: Vec<&str> = lines.into_iter().rev().collect();
        format!("{}:\n  {}\n", self.name, lines.join("\n  "))
    }
}
