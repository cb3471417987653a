use std::path::Path;
use std::time::Duration;

use streamalert_proto::{Admin, AdminRequest};
use streamalert_service::{AdminClient, ClientOptions};
use streamalert_testkit::{ServiceProcess, ServiceSpec, free_port};

use crate::faults::Fault;
use crate::fleet::PATIENCE;

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

/// What was done to a process, and not mended yet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hurt {
    pub(crate) fault: Fault,
    /// Since when, by the receiver's clock.
    pub(crate) from: Duration,
    /// The tick in which it is mended.
    pub(crate) until: u64,
}

/// One process of the fleet.
pub(crate) struct Member {
    pub(crate) role: Role,
    pub(crate) name: String,
    pub(crate) port: u16,
    /// Whether it is to run.
    pub(crate) wanted: bool,
    pub(crate) hurt: Option<Hurt>,
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

    /// Says how it is started: in `dir`, with these settings.
    pub(crate) fn configure(&mut self, binary: &Path, dir: &Path, env: &[(String, String)], sets: &[String]) {
        let mut args = vec![
            "--data-dir".to_owned(),
            dir.join(&self.name).display().to_string(),
        ];
        let mut sets = sets.to_vec();
        sets.push("listen.admin=127.0.0.1:0".to_owned());
        if let Some(key) = self.role.key() {
            sets.push(format!("listen.{key}=127.0.0.1:{}", self.port));
        }
        for set in sets {
            args.extend(["--set".to_owned(), set]);
        }
        args.extend(["run".to_owned(), self.role.name().to_owned()]);
        self.spec = Some(ServiceSpec {
            binary: binary.to_owned(),
            args,
            env: env.to_vec(),
            dir: dir.to_owned(),
            log_dir: dir.to_owned(),
            name: self.name.clone(),
        });
    }

    pub(crate) async fn start(&mut self) {
        let spec = self.spec.as_ref().expect("it is configured");
        let started = ServiceProcess::start(spec, Some("ready"), PATIENCE).await;
        self.process = Some(started.unwrap_or_else(|error| panic!("{}: {error}", self.name)));
    }

    pub(crate) async fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().await.unwrap();
        }
    }

    pub(crate) fn freeze(&self) {
        self.process.as_ref().expect("it runs").freeze().unwrap();
    }

    pub(crate) fn thaw(&self) {
        self.process.as_ref().expect("it runs").thaw().unwrap();
    }

    /// Ends it as an orchestrator does.
    pub(crate) async fn terminate(&mut self) {
        if let Some(mut process) = self.process.take() {
            let status = process.terminate(PATIENCE).await.unwrap();
            assert!(status.success(), "{}: {}", self.name, process.output());
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
