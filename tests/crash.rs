//! Kills the real processes with SIGKILL at random moments under load, and looks at what a webhook received.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::Value;
use streamalert_proto::{Admin, AdminRequest, v1};
use streamalert_service::{AdminClient, ClientOptions};
use streamalert_testkit::{ServiceProcess, ServiceSpec, WebhookReceiver, free_port};
use tokio::time::Instant;

use crate::support::{PATIENCE, TestProject, binary};

const KILLS: usize = 52;
const EVENTS_PER_KILL: usize = 120;
/// A delivery answered this long before a kill may not have been noted as delivered. Generous: noting it is one
/// commit away, but on a loaded machine that commit may wait.
const IN_FLIGHT: Duration = Duration::from_secs(3);
const RULES: &str = "
from streamalert.shared.rule import rule

@rule(logs=['load:event'], outputs=['webhook:sink'])
def single(record):
    return record['kind'] == 'alert'

@rule(logs=['load:event'], outputs=['webhook:sink'], merge_by_keys=['group'], merge_window_mins=30)
def grouped(record):
    return record['kind'] == 'group'
";

/// Every fourth event raises an alert of its own, every sixth one that is merged.
fn kind(n: usize) -> &'static str {
    match (n % 4, n % 6) {
        (0, _) => "alert",
        (_, 1) => "group",
        _ => "noise",
    }
}

struct Scene {
    project: TestProject,
    receiver: WebhookReceiver,
    rng: StdRng,
    kills: Vec<Instant>,
    started: Instant,
    events: usize,
}

impl Scene {
    async fn new(seed: u64) -> Self {
        let started = Instant::now();
        let receiver = WebhookReceiver::start(None).await;
        let project = TestProject::new(RULES);
        project.write("conf/outputs.json", r#"{"webhook": ["sink"]}"#);
        project.write(
            "streamalert.toml",
            &format!(
                "[outputs.\"webhook:sink\"]\nurl = \"{}\"\n\
                 [[sources]]\ntype = \"directory\"\nservice = \"kinesis\"\nresource = \"stream\"\npath = \"logs\"\n\
                 [dispatcher]\nretry_initial_ms = 20\nretry_max_ms = 200\n[python]\nworkers = 1\n",
                receiver.url("/hook")
            ),
        );
        println!("seed {seed}");
        Self {
            project,
            receiver,
            rng: StdRng::seed_from_u64(seed),
            kills: Vec::new(),
            started,
            events: 0,
        }
    }

    fn spec(&self, name: &str, args: &[&str], sets: &[String]) -> ServiceSpec {
        let mut all: Vec<String> = vec!["--data-dir".into(), self.project.path(name).display().to_string()];
        for set in sets {
            all.extend(["--set".to_owned(), set.clone()]);
        }
        all.extend(args.iter().map(ToString::to_string));
        ServiceSpec {
            binary: binary(),
            args: all,
            env: Vec::new(),
            dir: self.project.root().to_owned(),
            log_dir: self.project.root().to_owned(),
            name: name.to_owned(),
        }
    }

    fn load(&mut self) {
        let file = format!("logs/{:03}.jsonl", self.events / 2_000);
        self.project
            .append_events(&file, self.events, EVENTS_PER_KILL, kind);
        self.events += EVENTS_PER_KILL;
    }

    async fn pause(&mut self, millis_max: u64) {
        let millis = self.rng.random_range(0..=millis_max);
        tokio::time::sleep(Duration::from_millis(millis)).await;
    }

    fn expected(&self, wanted: &str) -> BTreeSet<i64> {
        (0..self.events)
            .filter(|n| kind(*n) == wanted)
            .map(|n| n as i64)
            .collect()
    }

    /// The numbers that reached the webhook: of single alerts, and within merged ones.
    fn received(&self) -> (BTreeSet<i64>, BTreeSet<i64>) {
        let (mut singles, mut members) = (BTreeSet::new(), BTreeSet::new());
        for body in self.bodies().values() {
            let record = &body["record"];
            match body["rule_name"].as_str() {
                Some("single") => drop(singles.insert(record["n"].as_i64().unwrap())),
                Some("grouped") => members.extend(numbers(record)),
                other => panic!("an alert of rule {other:?}"),
            }
        }
        (singles, members)
    }

    /// One body per idempotency key.
    fn bodies(&self) -> BTreeMap<String, Value> {
        self.receiver
            .requests()
            .into_iter()
            .map(|request| {
                let key = request
                    .header("idempotency-key")
                    .expect("every delivery has one")
                    .to_owned();
                (key, serde_json::from_slice(&request.body).unwrap())
            })
            .collect()
    }

    /// Waits until everything expected has arrived.
    async fn wait_complete(&self, what: &str, complete: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !complete(self) {
            if Instant::now() > deadline {
                let (singles, members) = self.received();
                let missing: Vec<_> = self
                    .expected("alert")
                    .difference(&singles)
                    .take(5)
                    .copied()
                    .collect();
                let ungrouped: Vec<_> = self
                    .expected("group")
                    .difference(&members)
                    .take(5)
                    .copied()
                    .collect();
                panic!(
                    "{what} not complete: {} of {} singles (missing {missing:?} …), {} of {} grouped ({ungrouped:?} …)\n{}",
                    singles.len(),
                    self.expected("alert").len(),
                    members.len(),
                    self.expected("group").len(),
                    self.stats().await
                );
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// What every running process says of itself, for the post-mortem.
    async fn stats(&self) -> String {
        let mut told = String::new();
        for name in ["all", "classifier", "rules-node", "merger", "dispatcher"] {
            if self.project.path(name).join("admin.addr").exists() {
                let admin = admin(&self.project, name).await;
                let stats = admin
                    .ask(AdminRequest::ServiceStats(v1::ServiceStatsRequest {}))
                    .await;
                let log =
                    std::fs::read_to_string(self.project.path(&format!("{name}.stderr"))).unwrap_or_default();
                let tail: Vec<&str> = log.lines().rev().take(12).collect();
                told += &format!(
                    "{name}: {stats:?}\n{}\n",
                    tail.into_iter().rev().collect::<Vec<_>>().join("\n")
                );
            }
        }
        told
    }

    /// Nothing twice, except what was in flight at a kill; each member in one group.
    fn check_once(&self) {
        let mut arrivals: BTreeMap<String, Vec<Duration>> = BTreeMap::new();
        for request in self.receiver.requests() {
            arrivals
                .entry(request.header("idempotency-key").unwrap().to_owned())
                .or_default()
                .push(request.at);
        }
        let repeated: BTreeMap<_, _> = arrivals.iter().filter(|(_, at)| at.len() > 1).collect();
        println!(
            "{} kills, {} deliveries, {} of them repeated because they were in flight at a kill",
            self.kills.len(),
            arrivals.len(),
            repeated.len()
        );
        let mut ages = Vec::new();
        for (key, at) in repeated {
            for pair in at.windows(2) {
                let kill = self
                    .kills
                    .iter()
                    .map(|kill| *kill - self.started)
                    .find(|kill| *kill >= pair[0]);
                ages.extend(kill.map(|kill| kill - pair[0]));
                let excused = self.kills.iter().map(|kill| *kill - self.started).any(|kill| {
                    pair[0] <= kill + Duration::from_millis(50)
                        && kill <= pair[0] + IN_FLIGHT
                        && kill <= pair[1]
                });
                assert!(
                    excused,
                    "{key} was delivered at {pair:?} and no process was killed in between"
                );
            }
        }
        ages.sort();
        if let (Some(median), Some(oldest)) = (ages.get(ages.len() / 2), ages.last()) {
            println!("delivered before the kill and not noted: median {median:?}, oldest {oldest:?}");
        }
        let mut seen = BTreeSet::new();
        for body in self
            .bodies()
            .values()
            .filter(|body| body["rule_name"] == "grouped")
        {
            for n in numbers(&body["record"]) {
                assert!(seen.insert(n), "event {n} is in two merged alerts");
            }
        }
    }
}

/// The event numbers in a merged alert: each member's is among its differences, or common to all (one member).
fn numbers(record: &Value) -> Vec<i64> {
    let diffs = record["ValueDiffs"].as_object().unwrap();
    match record["OtherCommonKeys"]["n"].as_i64() {
        Some(n) => vec![n],
        None => diffs.values().map(|diff| diff["n"].as_i64().unwrap()).collect(),
    }
}

async fn admin(project: &TestProject, data_dir: &str) -> AdminClient {
    let address = std::fs::read_to_string(project.path(data_dir).join("admin.addr")).unwrap();
    AdminClient::connect(&ClientOptions::new(address.trim(), 0))
        .await
        .unwrap()
}

pub(crate) async fn flush(project: &TestProject, data_dir: &str) {
    let request = AdminRequest::FlushGroups(v1::FlushGroupsRequest { rule: None });
    admin(project, data_dir).await.ask(request).await.unwrap();
}

/// Every payload that was read is acknowledged.
pub(crate) async fn wait_acknowledged(project: &TestProject, data_dir: &str) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let admin = admin(project, data_dir).await;
        let answer = admin.ask(AdminRequest::ServiceStats(v1::ServiceStatsRequest {}));
        let stats: Value = serde_json::from_str(&answer.await.unwrap()).unwrap();
        let classifier = &stats["classifier"];
        if classifier["payloads"] == classifier["acknowledged"] {
            return;
        }
        assert!(Instant::now() < deadline, "not all acknowledged: {stats}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_in_one_killed_at_any_moment_delivers_every_alert_once() {
    let mut scene = Scene::new(11).await;
    let spec = scene.spec("all", &["run"], &["listen.admin=127.0.0.1:0".to_owned()]);
    for _ in 0..KILLS {
        let mut process = ServiceProcess::start(&spec, Some("ready"), PATIENCE)
            .await
            .unwrap();
        scene.load();
        scene.pause(400).await;
        process.kill().await.unwrap();
        scene.kills.push(Instant::now());
    }
    let mut process = ServiceProcess::start(&spec, Some("ready"), PATIENCE)
        .await
        .unwrap();
    scene
        .wait_complete("singles", |scene| scene.received().0 == scene.expected("alert"))
        .await;
    wait_acknowledged(&scene.project, "all").await;
    flush(&scene.project, "all").await;
    scene
        .wait_complete("groups", |scene| scene.received().1 == scene.expected("group"))
        .await;
    assert!(
        process.terminate(PATIENCE).await.unwrap().success(),
        "{}",
        process.output()
    );
    scene.check_once();
    let replay = ServiceProcess::start(&spec, Some("ready"), PATIENCE)
        .await
        .unwrap();
    wait_acknowledged(&scene.project, "all").await;
    drop(replay);
    scene.check_once();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_processes_killed_one_by_one_deliver_every_alert_once() {
    let mut scene = Scene::new(12).await;
    let ports: BTreeMap<&str, u16> = ["rules_node", "merger", "dispatcher"]
        .into_iter()
        .map(|name| (name, free_port()))
        .collect();
    let mut sets: Vec<String> = ports
        .iter()
        .map(|(name, port)| format!("listen.{name}=127.0.0.1:{port}"))
        .collect();
    sets.push("listen.admin=127.0.0.1:0".to_owned());
    let names = ["dispatcher", "merger", "rules-node", "classifier"];
    let specs: Vec<ServiceSpec> = names
        .iter()
        .map(|name| scene.spec(name, &["run", name], &sets))
        .collect();
    let mut processes = Vec::new();
    for spec in &specs {
        processes.push(
            ServiceProcess::start(spec, Some("ready"), PATIENCE)
                .await
                .unwrap(),
        );
    }
    let mut killed = [0; 4];
    for round in 0..KILLS {
        scene.load();
        scene.pause(300).await;
        // Each service equally often, in an order that nobody chose.
        let least = *killed.iter().min().unwrap();
        let candidates: Vec<usize> = (0..4).filter(|at| killed[*at] == least).collect();
        let victim = candidates[scene.rng.random_range(0..candidates.len())];
        killed[victim] += 1;
        processes[victim].kill().await.unwrap();
        scene.kills.push(Instant::now());
        processes[victim] = ServiceProcess::start(&specs[victim], Some("ready"), PATIENCE)
            .await
            .unwrap_or_else(|error| panic!("round {round}: {} did not come back: {error}", names[victim]));
    }
    scene
        .wait_complete("singles", |scene| scene.received().0 == scene.expected("alert"))
        .await;
    wait_acknowledged(&scene.project, "classifier").await;
    flush(&scene.project, "merger").await;
    scene
        .wait_complete("groups", |scene| scene.received().1 == scene.expected("group"))
        .await;
    for process in processes.iter_mut().rev() {
        assert!(
            process.terminate(PATIENCE).await.unwrap().success(),
            "{}",
            process.output()
        );
    }
    scene.check_once();
}
