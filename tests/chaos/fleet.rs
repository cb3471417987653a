use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::Value;
use streamalert_proto::{AdminRequest, v1};
use streamalert_testkit::emulator::{Calls, Emulator, EmulatorKind, Microburst, account};
use streamalert_testkit::{TempDir, WebhookReceiver, tempdir};
use tokio::time::{Instant, MissedTickBehavior};

use crate::account::{Account, Arrived, Kind, Spell, expected};
use crate::faults::{Choice, Chooser, Fault, TICK, mergers};
use crate::member::{Hurt, Member, Role};

/// Long enough for the slowest machine; a run waits for events and never this long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

const STREAM: &str = "stream";
const STREAM_SHARDS: u32 = 4;
const EVENTS_PER_TICK: usize = 3;
/// Few, because the emulator does some hundred writes a second, and each lease is renewed all the time.
const MERGER_SHARDS: u32 = 8;
const DISPATCHER_SLOTS: u32 = 4;
const LEASE_SECS: u32 = 4;

const RULES: &str = "
from streamalert.shared.rule import rule

@rule(logs=['load:event'], outputs=['webhook:sink0'])
def single_0(record):
    return record['kind'] == 'alert' and record['n'] % 3 == 0

@rule(logs=['load:event'], outputs=['webhook:sink1'])
def single_1(record):
    return record['kind'] == 'alert' and record['n'] % 3 == 1

@rule(logs=['load:event'], outputs=['webhook:sink2'])
def single_2(record):
    return record['kind'] == 'alert' and record['n'] % 3 == 2

@rule(logs=['load:event'], outputs=['webhook:sink3'], merge_by_keys=['group'], merge_window_mins=30)
def grouped(record):
    return record['kind'] == 'group'
";

/// Half of the calls are refused, and of some the reply is lost.
const THROTTLE: &str = r#"[
    {"service": "dynamodb", "probability": 0.05, "response": {"abort_bytes": 0}},
    {"service": "dynamodb", "probability": 0.5, "error": {"code": "ProvisionedThroughputExceededException"}},
    {"service": "kinesis", "probability": 0.5, "error": {"code": "ProvisionedThroughputExceededException"}}
]"#;

/// What to do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    seed: u64,
    duration: Duration,
    /// How many of each.
    fleet: [(Role, usize); 4],
}

impl Plan {
    /// `STREAMALERT_FLEET_SECS` and `STREAMALERT_FLEET_SEED`, or half a minute and 1.
    pub(crate) fn from_env() -> Self {
        let number = |name: &str| std::env::var(name).ok().map(|text| text.parse().expect(name));
        Self {
            seed: number("STREAMALERT_FLEET_SEED").unwrap_or(1),
            duration: Duration::from_secs(number("STREAMALERT_FLEET_SECS").unwrap_or(30)),
            fleet: [
                (Role::Dispatcher, 2),
                (Role::Merger, 4),
                (Role::RulesNode, 2),
                (Role::Classifier, 2),
            ],
        }
    }
}

/// The processes, what they work on, and what came of it.
pub(crate) struct Fleet {
    plan: Plan,
    // Dropped in this order: what the processes need outlives them.
    members: Vec<Member>,
    /// Between the processes and the emulator; nothing is throttled without it.
    proxy: Option<Microburst>,
    _emulator: Emulator,
    dir: TempDir,
    binary: PathBuf,
    env: Vec<(String, String)>,
    calls: Calls,
    receiver: WebhookReceiver,
    started: Instant,
    events: usize,
    faults: BTreeMap<&'static str, usize>,
    spells: Vec<Spell>,
    /// In which tick throttling ends.
    throttled: Option<u64>,
    /// The sequence number of the last record of each shard.
    last: BTreeMap<String, String>,
}

impl Fleet {
    /// Starts everything; `None`, with a word, where the emulator is not installed.
    pub(crate) async fn start(plan: Plan) -> Option<Self> {
        let emulator = match Emulator::start(EmulatorKind::Ministack).await {
            Ok(emulator) => emulator,
            Err(error) if std::env::var_os("CI").is_none() => {
                println!("skipped: {error}");
                return None;
            }
            Err(error) => panic!("{error}"),
        };
        let started = Instant::now();
        let receiver = WebhookReceiver::start(None).await;
        let account = account();
        let calls = emulator.calls(&account);
        calls.create_stream(STREAM, STREAM_SHARDS).await;
        let proxy = Microburst::before(&emulator).await;
        let mut env = emulator.env(&account);
        if let Some(proxy) = &proxy {
            env.push(("AWS_ENDPOINT_URL".to_owned(), proxy.endpoint()));
        }
        let mut fleet = Self {
            plan,
            members: Vec::new(),
            env,
            proxy,
            _emulator: emulator,
            dir: tempdir().unwrap(),
            binary: env!("CARGO_BIN_EXE_streamalert").into(),
            calls,
            receiver,
            started,
            events: 0,
            faults: BTreeMap::new(),
            spells: Vec::new(),
            throttled: None,
            last: BTreeMap::new(),
        };
        fleet.write_project();
        let made = fleet.command(&["aws", "init"]);
        assert!(made.contains("table streamalert-alerts: is being made"), "{made}");
        fleet.start_members().await;
        println!("fleet: seed {}, {} processes", plan.seed, fleet.members.len());
        Some(fleet)
    }

    fn write_project(&self) {
        let dir = self.dir.path();
        let write = |name: &str, text: &str| {
            let path = dir.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write(
            "conf/clusters/test.json",
            r#"{"id": "test", "data_sources": {"kinesis": {"stream": ["load"]}}}"#,
        );
        write(
            "conf/global.json",
            r#"{"general": {"rule_locations": ["rules"]}}"#,
        );
        write(
            "conf/outputs.json",
            r#"{"webhook": ["sink0", "sink1", "sink2", "sink3"]}"#,
        );
        write(
            "conf/schemas/load.json",
            r#"{"load:event": {"parser": "json", "schema": {"n": "integer", "group": "string", "kind": "string"}}}"#,
        );
        write("rules/load.py", RULES);
        let url = self.receiver.url("/hook");
        let outputs = (0..4).map(|sink| format!("[outputs.\"webhook:sink{sink}\"]\nurl = \"{url}\"\n"));
        let settings = outputs.collect::<String>()
            + &format!(
                "[aws]\ndata_sources = true\n[store]\ntype = \"dynamodb\"\n\
                 [node]\nlease_secs = {LEASE_SECS}\n[merger]\nshards = {MERGER_SHARDS}\n\
                 [dispatcher]\nslots = {DISPATCHER_SLOTS}\nretry_initial_ms = 20\nretry_max_ms = 200\n\
                 [python]\nworkers = 1\n"
            );
        write("streamalert.toml", &settings);
    }

    async fn start_members(&mut self) {
        for (role, count) in self.plan.fleet {
            self.members
                .extend((0..count).map(|index| Member::new(role, index)));
        }
        let nodes: Vec<String> = self
            .members
            .iter()
            .filter(|member| member.role == Role::RulesNode)
            .map(|member| format!("127.0.0.1:{}", member.port))
            .collect();
        // The others are found by their leases.
        let sets = [format!("peers.rules_node={}", nodes.join(","))];
        for member in &mut self.members {
            member.configure(&self.binary, self.dir.path(), &self.env, &sets);
            member.wanted = member.role != Role::Merger;
            if member.wanted {
                member.start().await;
            }
        }
        self.scale_mergers(mergers(0.0)).await;
        self.faults.clear();
    }

    /// Events and faults for as long as is planned.
    pub(crate) async fn run(&mut self) {
        let mut chooser = Chooser::new(StdRng::seed_from_u64(self.plan.seed));
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let begin = Instant::now();
        let mut tick = 0;
        while begin.elapsed() < self.plan.duration {
            ticks.tick().await;
            tick += 1;
            self.load().await;
            self.mend_what_is_due(tick).await;
            let part = begin.elapsed().as_secs_f64() / self.plan.duration.as_secs_f64();
            self.scale_mergers(mergers(part)).await;
            match chooser.choose(tick, self.members.len()) {
                Some(Choice::Process(index, fault)) => self.inflict(index, fault, tick).await,
                Some(Choice::Throttle(ticks)) => self.throttle(tick + ticks).await,
                None => {}
            }
        }
        self.mend_what_is_due(u64::MAX).await;
    }

    async fn mend_what_is_due(&mut self, tick: u64) {
        if self.throttled.is_some_and(|until| until <= tick) {
            self.throttled = None;
            if let Some(proxy) = &self.proxy {
                proxy.clear_rules().await;
            }
        }
        for index in 0..self.members.len() {
            if self.members[index]
                .hurt
                .as_ref()
                .is_some_and(|hurt| hurt.until <= tick)
            {
                self.mend(index).await;
            }
        }
    }

    async fn scale_mergers(&mut self, count: usize) {
        let of_role = |(index, member): (usize, &Member)| (member.role == Role::Merger).then_some(index);
        let mergers: Vec<usize> = self.members.iter().enumerate().filter_map(of_role).collect();
        for (place, index) in mergers.into_iter().enumerate() {
            let wanted = place < count;
            if self.members[index].wanted == wanted {
                continue;
            }
            let at = self.started.elapsed().as_secs_f64();
            println!(
                "{at:>6.1} s {}: {}",
                self.members[index].name,
                if wanted { "joins" } else { "leaves" }
            );
            self.mend(index).await;
            let member = &mut self.members[index];
            member.wanted = wanted;
            if wanted {
                member.start().await;
            } else {
                member.terminate().await;
            }
            *self.faults.entry("joined or left").or_default() += 1;
        }
    }

    async fn throttle(&mut self, until: u64) {
        let Some(proxy) = &self.proxy else { return };
        println!("{:>6.1} s AWS: throttles", self.started.elapsed().as_secs_f64());
        proxy.add_rules(THROTTLE).await;
        self.throttled = Some(until);
        *self.faults.entry("times of throttling").or_default() += 1;
    }

    async fn load(&mut self) {
        let events = self.events..self.events + EVENTS_PER_TICK;
        let records: Vec<(String, String)> = events
            .map(|n| {
                let kind = Kind::of(n).name();
                let group = n % 7;
                (
                    format!("key{n}"),
                    format!(r#"{{"n": {n}, "group": "g{group}", "kind": "{kind}"}}"#),
                )
            })
            .collect();
        for placed in self.calls.put_records(STREAM, &records).await {
            self.last.insert(placed.shard, placed.sequence);
        }
        self.events += EVENTS_PER_TICK;
    }

    async fn inflict(&mut self, index: usize, fault: Fault, tick: u64) {
        let member = &mut self.members[index];
        if !member.wanted || member.hurt.is_some() {
            return;
        }
        let from = self.started.elapsed();
        println!("{:>6.1} s {}: {fault:?}", from.as_secs_f64(), member.name);
        let (name, ticks) = match fault {
            Fault::Kill(ticks) => {
                member.kill().await;
                ("kills", ticks)
            }
            Fault::Freeze(ticks) => {
                member.freeze();
                ("freezes", ticks)
            }
            Fault::Restart => {
                member.terminate().await;
                ("restarts", 0)
            }
        };
        let until = tick + ticks;
        member.hurt = Some(Hurt { fault, from, until });
        *self.faults.entry(name).or_default() += 1;
    }

    async fn mend(&mut self, index: usize) {
        let member = &mut self.members[index];
        let Some(hurt) = member.hurt.take() else { return };
        match hurt.fault {
            Fault::Freeze(_) => member.thaw(),
            Fault::Kill(_) | Fault::Restart => member.start().await,
        }
        // Who is asked to end hands over what it has: that excuses nothing.
        if hurt.fault != Fault::Restart {
            let (from, to) = (hurt.from, self.started.elapsed());
            self.spells.push(Spell { from, to });
        }
    }

    /// Waits until everything has arrived and is acknowledged, and draws up the account.
    pub(crate) async fn settle(&mut self) -> Account {
        let deadline = Instant::now() + PATIENCE;
        let mut looks = tokio::time::interval(Duration::from_millis(500));
        let mut acknowledged = 0;
        loop {
            looks.tick().await;
            let arrived = Arrived::at(&self.receiver);
            let complete = arrived.singles.len() == expected(self.events, Kind::Single).len();
            if complete {
                acknowledged = self.acknowledged();
            }
            // Groups wait for half an hour otherwise, and are closed once all their alerts are there.
            if acknowledged == self.last.len() {
                self.close_groups().await;
            }
            let all = arrived.grouped.len() == expected(self.events, Kind::Grouped).len();
            if (complete && all && acknowledged == self.last.len()) || Instant::now() >= deadline {
                break;
            }
        }
        let dir = self.dir.path();
        let logs = self
            .members
            .iter()
            .map(|member| member.log(dir))
            .collect::<String>();
        Account {
            seed: self.plan.seed,
            events: self.events,
            faults: std::mem::take(&mut self.faults),
            spells: std::mem::take(&mut self.spells),
            arrived: Arrived::at(&self.receiver),
            shards: (self.last.len(), acknowledged),
            logs,
        }
    }

    async fn close_groups(&self) {
        for member in self
            .members
            .iter()
            .filter(|member| member.role == Role::Merger && member.wanted)
        {
            let request = AdminRequest::FlushGroups(v1::FlushGroupsRequest { rule: None });
            member.ask(self.dir.path(), request).await;
        }
    }

    /// Shards of which the last record is acknowledged, as the command line tells.
    fn acknowledged(&self) -> usize {
        let status = self.command(&["--set", "listen.admin=127.0.0.1:1", "status", "--json"]);
        let status: Value = serde_json::from_str(&status).unwrap();
        let kinds = status["leases"].as_array().unwrap();
        let shards = kinds
            .iter()
            .filter(|kind| kind["kind"] == format!("kinesis/{STREAM}").as_str())
            .flat_map(|kind| kind["shards"].as_array().unwrap());
        let is_read = |shard: &&Value| {
            let checkpoint = shard["checkpoint"].as_str().unwrap_or_default();
            let sequence = checkpoint.split(['#', '@']).next().unwrap_or_default();
            let last = self.last.get(shard["shard"].as_str().unwrap());
            last.is_some_and(|last| decimal(sequence) >= decimal(last))
        };
        shards.filter(is_read).count()
    }

    /// Runs the binary in the project to its end and answers what it wrote.
    fn command(&self, args: &[&str]) -> String {
        let output = Command::new(&self.binary)
            .args(["--data-dir", "command-line"])
            .args(args)
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .current_dir(self.dir.path())
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
        text(&output.stdout)
    }
}

/// A whole number of any length, in a form that compares.
fn decimal(text: &str) -> (usize, &str) {
    let digits = text.trim_start_matches('0');
    (digits.len(), digits)
}
