use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::time::Duration;

use streamalert_proto::{Admin, AdminRequest};
use streamalert_service::{AdminClient, ClientOptions};
use streamalert_testkit::{ServiceProcess, ServiceSpec, free_port};

use crate::fleet::PATIENCE;

const SIGKILL: i32 = 9;

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
    }

    /// Waits until it serves.
    pub(crate) async fn ready(&mut self) {
        if let Some(process) = &mut self.process {
            let ready = process.wait_for_line("ready", PATIENCE).await;
            ready.unwrap_or_else(|error| panic!("{}: {error}", self.name));
        }
    }

    /// Whether it ended so, and not by itself before.
    pub(crate) async fn kill(&mut self) -> bool {
        let Some(mut process) = self.process.take() else {
            return false;
        };
        let status = process.kill().await.unwrap();
        let by_signal = status.signal() == Some(SIGKILL);
        assert!(
            by_signal,
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

    /// Ends it as an orchestrator does, once it serves. Whether it ended in good order.
    pub(crate) async fn terminate(&mut self) -> bool {
        self.ready().await;
        let Some(mut process) = self.process.take() else {
            return false;
        };
        let status = process.terminate(PATIENCE).await.unwrap();
        assert!(status.success(), "{}: {}", self.name, process.output());
        true
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
