use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use streamalert_testkit::{TempDir, WebhookReceiver, tempdir};
use streamalert_types::{Clock as _, SystemClock, Timestamp};
use tokio::time::{Instant, MissedTickBehavior};

use crate::account::Spell;
use crate::aws::Aws;
use crate::faults::{Dealer, Fault, TICK, mergers, mergers_max};
use crate::links::{Links, Target};
use crate::member::{Ended, Hurt, Member, Role};
use crate::project;
use crate::stream::{Stream, Watch};
use crate::tally::{Deed, Tally};

/// Long enough for the slowest machine; a run waits for events and never this long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// A run of this length makes every fault.
const ALL_DUE: Duration = Duration::from_secs(120);

/// What to do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) duration: Duration,
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

    /// Whether every fault must have been made.
    pub(crate) fn all_due(&self) -> bool {
        self.duration >= ALL_DUE
    }
}

/// The processes, what they work on, and what is done to them.
pub(crate) struct Fleet {
    pub(crate) plan: Plan,
    // Dropped in this order: what the processes need outlives them.
    pub(crate) members: Vec<Member>,
    links: Links,
    pub(crate) watch: Watch,
    pub(crate) stream: Stream,
    pub(crate) aws: Aws,
    pub(crate) dir: TempDir,
    binary: PathBuf,
    pub(crate) receiver: WebhookReceiver,
    /// The receiver's clock, and when it began.
    pub(crate) started: Instant,
    pub(crate) zero: Timestamp,
    pub(crate) tally: Tally,
    pub(crate) spells: Vec<Spell>,
    pub(crate) throttled: Vec<Spell>,
    /// Since when, and in which tick it ends.
    throttling: Option<(Duration, u64)>,
}

impl Fleet {
    /// Starts everything; `None`, with a word, where an emulator is not installed.
    pub(crate) async fn start(plan: Plan) -> Option<Self> {
        let aws = Aws::start().await?;
        let (started, zero) = (Instant::now(), SystemClock.now());
        let receiver = WebhookReceiver::start(None).await;
        let dir = tempdir().unwrap();
        project::write(dir.path(), &receiver.url("/hook"));
        let stream = Stream::create(aws.streams()).await;
        let members: Vec<Member> = plan
            .fleet
            .iter()
            .flat_map(|(role, count)| (0..*count).map(|index| Member::new(*role, index)))
            .collect();
        let links = Links::between(&members, aws.addresses()).await;
        let mut fleet = Self {
            plan,
            members,
            links,
            watch: Watch::new(aws.tables()),
            stream,
            aws,
            dir,
            binary: env!("CARGO_BIN_EXE_streamalert").into(),
            receiver,
            started,
            zero,
            tally: Tally::default(),
            spells: Vec::new(),
            throttled: Vec::new(),
            throttling: None,
        };
        let made = fleet.command(&["aws", "init"]).unwrap();
        assert!(made.contains("table streamalert-alerts: is being made"), "{made}");
        fleet.watch.start();
        fleet.start_members().await;
        println!("fleet: seed {}, {} processes", plan.seed, fleet.running().len());
        Some(fleet)
    }

    async fn start_members(&mut self) {
        let mut mergers_wanted = mergers(0.0);
        for index in 0..self.members.len() {
            let env = self.aws.env(self.links.aws_of(index));
            let sets = self.links.settings_of(index, &self.members);
            let member = &mut self.members[index];
            member.configure(&self.binary, self.dir.path(), env, sets);
            member.wanted = member.role != Role::Merger || mergers_wanted > 0;
            mergers_wanted -= usize::from(member.role == Role::Merger && member.wanted);
            if member.wanted {
                member.start().await;
            }
        }
        for member in &mut self.members {
            member.ready().await;
        }
    }

    /// Those that are to run, by index.
    fn running(&self) -> Vec<usize> {
        let wanted = |index: &usize| self.members[*index].wanted;
        (0..self.members.len()).filter(wanted).collect()
    }

    /// By the receiver's clock.
    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    fn say(&self, what: &str) {
        println!("{:>6.1} s {what}", self.now().as_secs_f64());
    }

    /// Events and faults for as long as is planned.
    pub(crate) async fn run(&mut self) {
        let mut dealer = Dealer::new(self.plan.seed);
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.stream.start();
        let begin = Instant::now();
        while begin.elapsed() < self.plan.duration {
            ticks.tick().await;
            // By the clock: a tick that took long is followed by fewer.
            let tick = u64::try_from(begin.elapsed().as_millis() / TICK.as_millis()).unwrap();
            self.mend_what_is_due(tick).await;
            let part = begin.elapsed().as_secs_f64() / self.plan.duration.as_secs_f64();
            self.scale_mergers(mergers(part)).await;
            if let Some(fault) = dealer.deal(tick) {
                self.inflict(fault, &mut dealer, tick).await;
            }
        }
        self.mend_what_is_due(u64::MAX).await;
        // Those that are ending, too: who is asked waits for others that were mended just now.
        let deadline = Instant::now() + PATIENCE;
        while self.members.iter().any(|member| member.hurt.is_some()) && Instant::now() < deadline {
            ticks.tick().await;
            self.mend_what_is_due(u64::MAX).await;
        }
        for member in &self.members {
            assert_eq!(member.hurt, None, "{} does not end", member.name);
        }
        self.count_throttled().await;
    }

    async fn count_throttled(&mut self) {
        for (index, count) in self.aws.throttled().await.into_iter().enumerate() {
            self.tally.set_effect(Deed::Throttled, index, count);
        }
    }

    async fn mend_what_is_due(&mut self, tick: u64) {
        if let Some((from, _)) = self.throttling.take_if(|(_, until)| *until <= tick) {
            self.aws.relent().await;
            let to = self.now();
            self.throttled.push(Spell { from, to });
        }
        for mended in self.links.mend_what_is_due(tick) {
            if mended.held {
                self.tally.took_effect(mended.deed);
            }
            if mended.delivers {
                let (from, to) = (mended.from, self.now());
                self.spells.push(Spell { from, to });
            }
        }
        for index in 0..self.members.len() {
            if self.members[index].hurt.is_none() && self.members[index].start_again().await {
                self.say(&format!("{}: gave up, started again", self.members[index].name));
            }
            if self.members[index]
                .hurt
                .as_ref()
                .is_some_and(|(_, until)| *until <= tick)
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
            // Of two that leave, the last does not say so.
            let deed = match wanted {
                true => Deed::Joined,
                false if place + 1 < mergers_max() && self.members[index + 1].wanted => Deed::Left,
                false => Deed::LeftByKill,
            };
            self.say(&format!("{}: {}", self.members[index].name, deed.name()));
            self.tally.made(deed);
            if deed != Deed::LeftByKill {
                self.mend(index).await;
            }
            let from = self.now();
            let member = &mut self.members[index];
            member.wanted = wanted;
            let ending = match member.hurt {
                Some((Hurt::Ending { asked, .. }, _)) => Some(asked),
                _ => None,
            };
            match deed {
                // Who is ending is started again when it has ended, if it is wanted then.
                Deed::Joined if ending.is_none() => member.start().await,
                Deed::Joined => {}
                Deed::Left => {
                    let asked = ending.unwrap_or(false);
                    member.hurt = Some((Hurt::Ending { deed, asked }, 0));
                }
                _ => {
                    let killed = member.kill().await;
                    let hurt = member.hurt.take().map(|(hurt, _)| hurt);
                    let from = match hurt {
                        Some(Hurt::Frozen(from)) => from,
                        _ => from,
                    };
                    self.spells.push(Spell {
                        from,
                        to: self.started.elapsed(),
                    });
                    if killed || hurt == Some(Hurt::Away) {
                        self.tally.took_effect(deed);
                    }
                }
            }
        }
    }

    async fn inflict(&mut self, fault: Fault, dealer: &mut Dealer, tick: u64) {
        let deed = match fault {
            Fault::Kill(_) | Fault::Freeze(_) | Fault::Restart => {
                let mut whole = self.running();
                whole.retain(|index| self.members[*index].hurt.is_none());
                let Some(index) = dealer.pick(&whole) else { return };
                return self.hurt(index, fault, tick).await;
            }
            Fault::Cut(ticks) => {
                let whole = self.links.whole(&self.running());
                let Some(link) = dealer.pick(&whole) else { return };
                return self.cut(Target::Link(link), tick + ticks);
            }
            Fault::Isolate(ticks) => {
                let Some(member) = dealer.pick(&self.running()) else {
                    return;
                };
                return self.cut(Target::Member(member), tick + ticks);
            }
            Fault::Throttle(ticks) => {
                if self.throttling.is_some() {
                    return;
                }
                self.say("AWS: throttles");
                self.throttling = Some((self.now(), tick + ticks));
                self.aws.throttle().await;
                Deed::Throttled
            }
            Fault::Split | Fault::Merge => {
                // In turn one or the other, where the first would leave too many shards or too few.
                let (mut deed, mut done) = match fault {
                    Fault::Split => (Deed::Split, self.stream.split().await),
                    _ => (Deed::Merged, self.stream.merge().await),
                };
                if done.is_none() {
                    (deed, done) = match fault {
                        Fault::Split => (Deed::Merged, self.stream.merge().await),
                        _ => (Deed::Split, self.stream.split().await),
                    };
                }
                let Some(shards) = done else { return };
                self.say(&format!("{shards}: {}", deed.name()));
                deed
            }
        };
        self.tally.made(deed);
    }

    fn cut(&mut self, target: Target, until: u64) {
        let from = self.now();
        if let Some((name, deed)) = self.links.cut(target, &self.members, from, until) {
            self.say(&format!("{name}: {}", deed.name()));
            self.tally.made(deed);
        }
    }

    async fn hurt(&mut self, index: usize, fault: Fault, tick: u64) {
        let from = self.now();
        let member = &mut self.members[index];
        println!("{:>6.1} s {}: {fault:?}", from.as_secs_f64(), member.name);
        let (deed, took_effect, hurt, ticks) = match fault {
            Fault::Freeze(ticks) => {
                let frozen = member.freeze().await;
                (Deed::Frozen, frozen, Hurt::Frozen(from), ticks)
            }
            Fault::Restart => {
                let deed = Deed::Restarted;
                (deed, false, Hurt::Ending { deed, asked: false }, 0)
            }
            Fault::Kill(ticks) => {
                // Who is asked to end hands over what it has: that excuses nothing.
                if member.delivers() {
                    self.spells.push(Spell { from, to: from });
                }
                (Deed::Killed, member.kill().await, Hurt::Away, ticks)
            }
            _ => return,
        };
        member.hurt = Some((hurt, tick + ticks));
        self.tally.made(deed);
        if took_effect {
            self.tally.took_effect(deed);
        }
    }

    async fn mend(&mut self, index: usize) {
        let to = self.now();
        let member = &mut self.members[index];
        match member.hurt.take() {
            None => {}
            Some((Hurt::Away, _)) => member.start().await,
            Some((Hurt::Ending { deed, asked }, _)) => self.end(index, deed, asked).await,
            Some((Hurt::Frozen(from), _)) => {
                member.thaw();
                if member.delivers() {
                    self.spells.push(Spell { from, to });
                }
            }
        }
    }

    /// Goes on with the ending of a process, and starts it again when it has ended and is wanted.
    async fn end(&mut self, index: usize, deed: Deed, asked: bool) {
        let at = self.now();
        let member = &mut self.members[index];
        if !asked && !member.is_ready() {
            member.hurt = Some((Hurt::Ending { deed, asked }, 0));
            return;
        }
        match member.ended(asked).await {
            None => {
                member.hurt = Some((Hurt::Ending { deed, asked: true }, 0));
                return;
            }
            Some(Ended::InOrder) => self.tally.took_effect(deed),
            Some(Ended::Undrained) => {
                println!("{:>6.1} s {}: not drained", at.as_secs_f64(), member.name);
                if member.delivers() {
                    self.spells.push(Spell { from: at, to: at });
                }
            }
        }
        if member.wanted {
            member.start().await;
        }
    }

    /// Runs the binary in the project to its end and answers what it wrote; what it complained of if it failed.
    pub(crate) fn command(&self, args: &[&str]) -> Result<String, String> {
        let output = Command::new(&self.binary)
            .args(["--data-dir", "command-line"])
            .args(args)
            .envs(self.aws.env(self.aws.addresses()))
            .current_dir(self.dir.path())
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        match output.status.success() {
            true => Ok(text(&output.stdout)),
            false => Err(format!("{args:?}: {}", text(&output.stderr))),
        }
    }
}
