//! When canaries are sent, and which of them have arrived. Pure: time is an argument, what is to be done comes back.

use std::collections::BTreeMap;
use std::time::Duration;

use streamalert_types::{OutputName, Timestamp};

/// How long a canary may be under way before it is missing: half of the time to the next one, but not less than outputs
/// take that are slow, and not more than anybody wants to wait for a warning.
const PATIENCE_MIN: Duration = Duration::from_secs(5);
const PATIENCE_MAX: Duration = Duration::from_secs(300);

/// Between two looks at one that is under way; it doubles from the first to the last.
const LOOK_FIRST: Duration = Duration::from_secs(1);
const LOOK_LAST: Duration = Duration::from_secs(30);

/// How far back a canary of an earlier run is looked for.
const RECALLED: u32 = 3;

/// What happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Event {
    /// These outputs get canaries, so often.
    Configured(BTreeMap<OutputName, Duration>),
    /// Time has passed.
    Tick,
    /// An [`Effect::Look`] has its answer; `None`: it could not be known.
    Looked {
        output: OutputName,
        at: Timestamp,
        found: Option<Found>,
    },
    /// An [`Effect::Send`] has ended; false: it is not known to be durable.
    HandedOn {
        output: OutputName,
        at: Timestamp,
        done: bool,
    },
}

/// What the store says of a canary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// Nobody has sent it.
    Nothing,
    UnderWay,
    Arrived,
    /// It became a dead letter.
    GivenUp,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Effect {
    /// Find out about the canary of that moment.
    Look { output: OutputName, at: Timestamp },
    /// Hand the canary of that moment on.
    Send { output: OutputName, at: Timestamp },
    /// None arrives any more; `expected` is the first that is missing.
    Missing { output: OutputName, expected: Timestamp },
    /// They arrive again.
    Back { output: OutputName },
}

/// What is known of one output's canaries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    /// How often.
    pub(crate) every: Duration,
    /// The moment of the newest that has arrived.
    pub(crate) arrived: Option<Timestamp>,
    /// One should have arrived and has not.
    pub(crate) missing: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doing {
    Nothing,
    /// Looks for what an earlier run has sent, so many canaries back.
    Recalling(u32),
    Looking,
    Sending,
}

#[derive(Debug)]
struct Bird {
    standing: Standing,
    /// When it was first asked for.
    begun: Timestamp,
    /// Moments are whole multiples of the interval from here, so that all processes have the same and not all outputs.
    offset_micros: i64,
    doing: Doing,
    /// The one that is durable and not decided yet; no other is sent meanwhile.
    under_way: Option<Timestamp>,
    look_again: Timestamp,
    looks: u32,
    /// The newest that is decided.
    decided: Option<Timestamp>,
}

/// The canaries of all outputs.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    birds: BTreeMap<OutputName, Bird>,
}

impl Schedule {
    /// Takes note of `event` at `now` and says what is to be done.
    pub(super) fn apply(&mut self, now: Timestamp, event: Event) -> Vec<Effect> {
        let mut effects = Vec::new();
        match event {
            Event::Configured(wanted) => self.configure(now, &wanted),
            Event::Tick => {}
            Event::Looked { output, at, found } => {
                if let Some(bird) = self.birds.get_mut(&output) {
                    bird.looked(now, &output, at, found, &mut effects);
                }
            }
            Event::HandedOn { output, at, done } => {
                if let Some(bird) = self.birds.get_mut(&output) {
                    bird.handed_on(now, at, done);
                }
            }
        }
        for (output, bird) in &mut self.birds {
            bird.go_on(now, output, &mut effects);
        }
        effects
    }

    /// What is known of every output.
    pub(super) fn standings(&self) -> BTreeMap<OutputName, Standing> {
        let birds = self.birds.iter();
        birds
            .map(|(output, bird)| (output.clone(), bird.standing))
            .collect()
    }

    fn configure(&mut self, now: Timestamp, wanted: &BTreeMap<OutputName, Duration>) {
        self.birds
            .retain(|output, bird| wanted.get(output) == Some(&bird.standing.every));
        for (output, every) in wanted {
            let new = || Bird::new(output, *every, now);
            self.birds.entry(output.clone()).or_insert_with(new);
        }
    }
}

impl Bird {
    fn new(output: &OutputName, every: Duration, now: Timestamp) -> Self {
        let every = every.max(Duration::from_secs(1));
        // any spread will do, as long as it is the same everywhere and for ever
        let sum = output
            .as_str()
            .bytes()
            .fold(0_i64, |sum, byte| (sum * 31 + i64::from(byte)) % 86_400_000);
        Self {
            standing: Standing {
                every,
                arrived: None,
                missing: false,
            },
            begun: now,
            offset_micros: (sum * 1_000) % micros(every),
            doing: Doing::Nothing,
            under_way: None,
            look_again: now,
            looks: 0,
            decided: None,
        }
    }

    /// The moment of the canary that is due at `now`.
    fn moment(&self, now: Timestamp) -> Timestamp {
        let every = micros(self.standing.every);
        let since = (now.as_micros() - self.offset_micros).rem_euclid(every);
        Timestamp::from_micros(now.as_micros() - since)
    }

    fn before(&self, at: Timestamp) -> Timestamp {
        Timestamp::from_micros(at.as_micros() - micros(self.standing.every))
    }

    fn go_on(&mut self, now: Timestamp, output: &OutputName, effects: &mut Vec<Effect>) {
        self.judge(now, output, effects);
        if self.doing != Doing::Nothing {
            return;
        }
        let at = self.moment(now);
        let look = |at| Effect::Look {
            output: output.clone(),
            at,
        };
        if let Some(under_way) = self.under_way {
            if now >= self.look_again {
                self.doing = Doing::Looking;
                effects.push(look(under_way));
            }
        } else if self.decided.is_none() {
            self.doing = Doing::Recalling(0);
            effects.push(look(at));
        } else if self.decided < Some(at) && now >= self.look_again {
            // another process may have sent it
            self.doing = Doing::Looking;
            effects.push(look(at));
        }
    }

    fn looked(
        &mut self,
        now: Timestamp,
        output: &OutputName,
        at: Timestamp,
        found: Option<Found>,
        effects: &mut Vec<Effect>,
    ) {
        let doing = std::mem::replace(&mut self.doing, Doing::Nothing);
        match (found, doing) {
            (None, _) => self.wait(now),
            (Some(Found::Nothing), Doing::Recalling(back)) if back < RECALLED => {
                self.doing = Doing::Recalling(back + 1);
                let at = self.before(at);
                effects.push(Effect::Look {
                    output: output.clone(),
                    at,
                });
            }
            // there is none of an earlier run
            (Some(Found::Nothing), Doing::Recalling(_)) => self.decided = Some(self.before(at)),
            (Some(Found::Nothing), _) => {
                self.under_way = None;
                self.doing = Doing::Sending;
                let at = self.moment(now);
                effects.push(Effect::Send {
                    output: output.clone(),
                    at,
                });
            }
            (Some(Found::UnderWay), _) => {
                self.under_way = Some(at);
                self.wait(now);
            }
            (Some(Found::Arrived), _) => {
                self.standing.arrived = self.standing.arrived.max(Some(at));
                self.decide(now, at);
            }
            (Some(Found::GivenUp), _) => self.decide(now, at),
        }
    }

    fn handed_on(&mut self, now: Timestamp, at: Timestamp, done: bool) {
        self.doing = Doing::Nothing;
        if done {
            self.under_way = Some(at);
            self.looks = 0;
        }
        self.wait(now);
    }

    fn decide(&mut self, now: Timestamp, at: Timestamp) {
        self.decided = self.decided.max(Some(at));
        self.under_way = None;
        self.looks = 0;
        self.look_again = now;
    }

    fn wait(&mut self, now: Timestamp) {
        let wait = LOOK_FIRST.saturating_mul(1 << self.looks.min(8)).min(LOOK_LAST);
        self.looks = self.looks.saturating_add(1);
        self.look_again = now.plus(wait);
    }

    /// Whether one is missing: the one after the newest that has arrived should be there by now.
    fn judge(&mut self, now: Timestamp, output: &OutputName, effects: &mut Vec<Effect>) {
        let every = self.standing.every;
        let next = match self.standing.arrived {
            Some(arrived) => arrived.plus(every),
            None => self.moment(self.begun),
        };
        let patience = (every / 2).clamp(PATIENCE_MIN, PATIENCE_MAX);
        let missing = next.max(self.begun).plus(patience) <= now;
        if missing == self.standing.missing {
            return;
        }
        self.standing.missing = missing;
        let output = output.clone();
        effects.push(if missing {
            Effect::Missing {
                output,
                expected: next,
            }
        } else {
            Effect::Back { output }
        });
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn name() -> OutputName {
        "slack:ops".parse().unwrap()
    }

    /// A schedule with a store and an output: what is handed on is under way until it arrives.
    struct Rig {
        schedule: Schedule,
        now: Timestamp,
        store: BTreeMap<Timestamp, Found>,
        /// What the output does with what it gets.
        fate: Found,
        /// Whether canaries can be handed on.
        takes: bool,
        sent: Vec<Timestamp>,
        told: Vec<Effect>,
        looks: usize,
    }

    impl Rig {
        fn new(every: Duration) -> Self {
            let mut rig = Self {
                schedule: Schedule::default(),
                now: "2026-01-31T08:10:00.000000Z".parse().unwrap(),
                store: BTreeMap::new(),
                fate: Found::Arrived,
                takes: true,
                sent: Vec::new(),
                told: Vec::new(),
                looks: 0,
            };
            rig.apply(Event::Configured(BTreeMap::from([(name(), every)])));
            rig
        }

        fn apply(&mut self, event: Event) {
            let mut events = vec![event];
            while let Some(event) = events.pop() {
                for effect in self.schedule.apply(self.now, event) {
                    match effect {
                        Effect::Look { output, at } => {
                            self.looks += 1;
                            let found = Some(self.store.get(&at).copied().unwrap_or(Found::Nothing));
                            events.push(Event::Looked { output, at, found });
                        }
                        Effect::Send { output, at } => {
                            let done = self.takes;
                            if done {
                                self.sent.push(at);
                                self.store.entry(at).or_insert(Found::UnderWay);
                            }
                            events.push(Event::HandedOn { output, at, done });
                        }
                        told => self.told.push(told),
                    }
                }
            }
        }

        fn pass(&mut self, seconds: u64) {
            for _ in 0..seconds {
                self.now = self.now.plus(Duration::from_secs(1));
                let fate = self.fate;
                self.store
                    .values_mut()
                    .filter(|found| **found == Found::UnderWay)
                    .for_each(|found| *found = fate);
                self.apply(Event::Tick);
            }
        }

        fn standing(&self) -> Standing {
            self.schedule.standings()[&name()]
        }
    }

    #[test]
    fn one_is_sent_each_time_at_the_same_moments_for_everybody() {
        let mut rig = Rig::new(HOUR);
        rig.pass(4 * 3600);
        assert_eq!(
            rig.sent.len(),
            5,
            "one at the start, which is in the middle of an hour"
        );
        let apart: Vec<Duration> = rig.sent.windows(2).map(|pair| pair[1].since(pair[0])).collect();
        assert_eq!(apart, [HOUR; 4]);
        assert!(rig.told.is_empty(), "{:?}", rig.told);
        let mut later = Rig::new(HOUR);
        later.store.clone_from(&rig.store);
        later.sent.clear();
        later.now = later.now.plus(Duration::from_secs(600));
        later.pass(3600);
        assert!(
            later.sent.iter().all(|at| rig.sent.contains(at)),
            "{:?}",
            later.sent
        );
    }

    #[test]
    fn a_restart_knows_what_has_arrived_and_sends_nothing_twice() {
        let mut rig = Rig::new(HOUR);
        rig.pass(2 * 3600);
        let (store, sent, now) = (rig.store.clone(), rig.sent.clone(), rig.now);
        let mut again = Rig::new(HOUR);
        again.sent.clear();
        again.schedule = Schedule::default();
        again.store = store;
        again.now = now;
        again.apply(Event::Configured(BTreeMap::from([(name(), HOUR)])));
        assert_eq!(again.standing().arrived, sent.last().copied());
        again.pass(60);
        assert!(again.sent.is_empty() && again.told.is_empty());
    }

    #[test]
    fn one_that_stops_arriving_is_told_once_and_its_return_too() {
        let mut rig = Rig::new(HOUR);
        rig.pass(3600);
        let last = rig.standing().arrived.unwrap();
        rig.fate = Found::UnderWay;
        rig.pass(6 * 3600);
        let expected = last.plus(HOUR);
        let missing = Effect::Missing {
            output: name(),
            expected,
        };
        assert_eq!(rig.told, [missing]);
        assert_eq!(rig.standing().arrived, Some(last));
        assert!(rig.standing().missing);
        let under_way = rig
            .store
            .values()
            .filter(|found| **found == Found::UnderWay)
            .count();
        assert_eq!(under_way, 1, "no more are sent while one is under way");
        assert!(rig.looks < 1000, "{} looks in seven hours", rig.looks);
        rig.fate = Found::Arrived;
        rig.pass(60);
        assert_eq!(rig.told.last(), Some(&Effect::Back { output: name() }));
        assert_eq!(rig.told.len(), 2);
        assert!(rig.now.since(rig.standing().arrived.unwrap()) < HOUR);
    }

    #[test]
    fn one_that_is_given_up_or_cannot_be_handed_on_is_missing() {
        let mut rig = Rig::new(HOUR);
        rig.fate = Found::GivenUp;
        rig.pass(299);
        assert!(rig.told.is_empty());
        rig.pass(2);
        assert_eq!(rig.told.len(), 1);
        rig.pass(3600);
        assert_eq!(rig.sent.len(), 2, "the next one is sent all the same");
        let mut rig = Rig::new(HOUR);
        rig.store.clear();
        rig.sent.clear();
        rig.schedule = Schedule::default();
        rig.takes = false;
        rig.apply(Event::Configured(BTreeMap::from([(name(), HOUR)])));
        rig.pass(400);
        assert_eq!((rig.sent.len(), rig.told.len()), (0, 1));
        rig.takes = true;
        rig.pass(60);
        assert_eq!((rig.sent.len(), rig.told.len()), (1, 2));
    }

    #[test]
    fn an_output_that_gets_none_any_more_is_forgotten() {
        let mut rig = Rig::new(HOUR);
        rig.pass(10);
        rig.apply(Event::Configured(BTreeMap::new()));
        assert!(rig.schedule.standings().is_empty());
        let sent = rig.sent.len();
        rig.pass(2 * 3600);
        assert_eq!((rig.sent.len(), rig.told.len()), (sent, 0));
    }

    #[test]
    fn outputs_have_moments_of_their_own() {
        let moment = |output: &str| {
            let now = "2026-01-31T08:10:00.000000Z".parse().unwrap();
            Bird::new(&output.parse().unwrap(), HOUR, now).moment(now)
        };
        assert_ne!(moment("slack:ops"), moment("teams:soc"));
    }
}
