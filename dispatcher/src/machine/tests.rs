use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::remembered::REMEMBERED_MAX;
use super::*;
use crate::Rate;
use crate::outputs::fixtures::alert;

impl Waiter for u32 {
    fn is_gone(&self) -> bool {
        false
    }
}

fn options() -> DeliveryOptions {
    DeliveryOptions {
        concurrency: 2,
        backoff: Backoff {
            first: Duration::from_secs(1),
            max: Duration::from_secs(60),
        },
        dead_letter_after: Duration::from_secs(3600),
        circuit_failures: 3,
        ..DeliveryOptions::default()
    }
}

/// A machine with the clock and the bookkeeping of a shell.
struct Rig {
    machine: DeliveryMachine<u32>,
    now: Duration,
    sending: Vec<DeliveryKey>,
    burying: Vec<Burial>,
    given_up: Vec<(DeliveryKey, u32, String)>,
    outcomes: BTreeMap<u32, DeliveryOutcome>,
    released: BTreeSet<u32>,
    sends: Vec<Duration>,
    stored: BTreeSet<DeliveryKey>,
    waiters: u32,
    concurrency: usize,
}

impl Rig {
    fn new(options: DeliveryOptions) -> Self {
        let concurrency = options.concurrency;
        Self {
            machine: DeliveryMachine::new(options, 7),
            now: Duration::from_secs(1000),
            sending: Vec::new(),
            burying: Vec::new(),
            given_up: Vec::new(),
            outcomes: BTreeMap::new(),
            released: BTreeSet::new(),
            sends: Vec::new(),
            stored: BTreeSet::new(),
            waiters: 0,
            concurrency,
        }
    }

    fn apply(&mut self, event: Event<u32>) {
        for effect in self.machine.apply(self.now, event) {
            match effect {
                Effect::Send { key, .. } => {
                    assert!(
                        !self.sending.contains(&key),
                        "two attempts at one delivery at once"
                    );
                    self.sending.push(key);
                    self.sends.push(self.now);
                    assert!(
                        self.sending.len() <= self.concurrency,
                        "more attempts than allowed"
                    );
                }
                Effect::Bury(burials) => {
                    assert!(
                        self.burying.is_empty() && !burials.is_empty(),
                        "one commit at a time"
                    );
                    self.burying = burials;
                }
                Effect::GivenUp {
                    key,
                    attempts,
                    last_error,
                    ..
                } => self.given_up.push((key, attempts, last_error)),
                Effect::Answer { waiters, outcome } => {
                    for waiter in waiters {
                        assert!(!self.released.contains(&waiter), "answered after it was let go");
                        let before = self.outcomes.insert(waiter, outcome.clone());
                        assert!(before.is_none(), "answered twice");
                    }
                }
                Effect::Release { waiters } => {
                    for waiter in waiters {
                        assert!(
                            !self.outcomes.contains_key(&waiter),
                            "let go after it was answered"
                        );
                        assert!(self.released.insert(waiter), "let go twice");
                    }
                }
            }
        }
        if let Some(wake) = self.machine.next_wake() {
            assert!(
                wake > self.now,
                "woken at once for ever: {wake:?} at {:?}",
                self.now
            );
        }
        let stats = self.machine.stats();
        assert_eq!(stats.in_flight as usize, self.sending.len());
        let held = stats.waiting + stats.retrying + stats.in_flight + stats.burying;
        assert_eq!(held == 0, self.machine.is_idle());
    }

    fn accept(&mut self, number: u32) -> u32 {
        self.waiters += 1;
        let waiter = self.waiters;
        let output = "slack:a".parse().unwrap();
        self.apply(Event::Accepted {
            alert: Arc::new(alert(number)),
            output,
            update: None,
            waiter,
        });
        waiter
    }

    fn finish(&mut self, at: usize, result: Result<(), SendError>) {
        let key = self.sending.remove(at);
        let result = result.map(|()| Receipt::default());
        self.apply(Event::Sent { key, result });
    }

    fn finish_burial(&mut self, result: Result<(), String>) {
        let burials = std::mem::take(&mut self.burying);
        if result.is_ok() {
            self.stored.extend(burials.into_iter().map(|burial| burial.key));
        }
        self.apply(Event::Buried { result });
    }

    /// Lets time pass to the machine's next wish; false when it has none.
    fn wake(&mut self) -> bool {
        let Some(wake) = self.machine.next_wake() else {
            return false;
        };
        self.now = wake;
        self.apply(Event::Tick);
        true
    }

    fn advance(&mut self, by: Duration) {
        let until = self.now + by;
        while let Some(wake) = self.machine.next_wake()
            && wake <= until
        {
            self.now = wake;
            self.apply(Event::Tick);
        }
        self.now = until;
        self.apply(Event::Tick);
    }
}

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn delivered(attempts: u32) -> DeliveryOutcome {
    DeliveryOutcome::delivered(attempts)
}

fn retry_after(secs: u64) -> SendError {
    let kind = SendErrorKind::Retry {
        after: Some(Duration::from_secs(secs)),
    };
    SendError {
        kind,
        may_have_happened: false,
        message: "http 429".to_owned(),
    }
}

#[test]
fn a_delivery_is_tried_again_until_it_succeeds() {
    let mut rig = Rig::new(options());
    let waiter = rig.accept(1);
    let begin = rig.now;
    rig.finish(0, Err(SendError::retry("http 500")));
    assert!(rig.sending.is_empty());
    assert!(rig.wake());
    let waited = rig.now - begin;
    assert!(waited >= secs(1) / 2 && waited <= secs(1), "{waited:?}");
    rig.finish(0, Ok(()));
    assert_eq!(rig.outcomes[&waiter], delivered(2));
    assert!(rig.machine.is_idle());
    assert_eq!(rig.machine.next_wake(), None);
}

#[test]
fn a_delivery_in_progress_is_joined_not_doubled() {
    let mut rig = Rig::new(options());
    let first = rig.accept(1);
    let second = rig.accept(1);
    assert_eq!(rig.sends.len(), 1);
    rig.finish(0, Ok(()));
    assert_eq!(
        (&rig.outcomes[&first], &rig.outcomes[&second]),
        (&delivered(1), &delivered(1))
    );
    assert_eq!(rig.machine.stats().joined, 1);
}

#[test]
fn who_did_not_hear_that_it_was_delivered_is_told_and_nothing_is_sent_again() {
    let mut rig = Rig::new(options());
    rig.accept(1);
    rig.finish(0, Ok(()));
    rig.advance(secs(599));
    let again = rig.accept(1);
    assert_eq!((rig.sends.len(), &rig.outcomes[&again]), (1, &delivered(1)));
    // much later it is meant as a new delivery
    rig.advance(secs(1));
    rig.accept(1);
    assert_eq!(rig.sends.len(), 2);
    rig.finish(0, Ok(()));
    for number in 2..REMEMBERED_MAX as u32 + 3 {
        rig.accept(number);
        rig.finish(0, Ok(()));
    }
    assert_eq!(rig.machine.remembered.len(), REMEMBERED_MAX);
    let sends = rig.sends.len();
    rig.accept(1);
    assert_eq!(rig.sends.len(), sends + 1, "the oldest is forgotten first");
}

#[test]
fn a_dead_letter_that_was_heard_of_may_be_replayed_at_once() {
    let mut rig = Rig::new(options());
    rig.accept(1);
    rig.finish(0, Err(SendError::permanent("http 400")));
    rig.finish_burial(Ok(()));
    let again = rig.accept(1);
    rig.finish(0, Ok(()));
    assert_eq!(rig.outcomes[&again], delivered(1));
}

#[test]
fn one_alert_to_two_outputs_is_two_deliveries() {
    let mut rig = Rig::new(options());
    for (waiter, output) in [(1, "slack:a"), (2, "slack:b")] {
        let output = output.parse().unwrap();
        rig.apply(Event::Accepted {
            alert: Arc::new(alert(1)),
            output,
            update: None,
            waiter,
        });
    }
    assert_eq!(rig.sends.len(), 2);
}

#[test]
fn a_refused_delivery_is_answered_when_its_dead_letter_is_stored_and_not_before() {
    let mut rig = Rig::new(options());
    let waiter = rig.accept(1);
    rig.finish(0, Err(SendError::permanent("http 404: no_service")));
    assert_eq!(rig.burying.len(), 1);
    assert!(rig.outcomes.is_empty());
    for _ in 0..20 {
        rig.finish_burial(Err("no space".to_owned()));
        assert!(rig.outcomes.is_empty());
        assert_eq!(rig.machine.stats().burying, 1);
        assert!(rig.wake());
    }
    rig.finish_burial(Ok(()));
    let reason = "http 404: no_service".to_owned();
    assert_eq!(
        rig.outcomes[&waiter],
        DeliveryOutcome::DeadLettered { attempts: 1, reason }
    );
    assert_eq!(rig.machine.stats().dead, 1);
}

#[test]
fn retry_after_silences_the_whole_output() {
    let mut rig = Rig::new(options());
    rig.accept(1);
    let begin = rig.now;
    rig.finish(0, Err(retry_after(30)));
    rig.accept(2);
    assert!(rig.sending.is_empty());
    rig.advance(Duration::from_millis(29_999));
    assert!(rig.sending.is_empty());
    rig.advance(secs(1));
    assert_eq!(rig.sending.len(), 2);
    assert!(rig.sends[1..].iter().all(|at| *at >= begin + secs(30)));
}

#[test]
fn a_retry_after_of_years_is_cut() {
    let mut rig = Rig::new(DeliveryOptions {
        retry_after_max: secs(100),
        ..options()
    });
    rig.accept(1);
    rig.finish(0, Err(retry_after(u64::MAX / 2)));
    rig.advance(secs(101));
    assert_eq!(rig.sending.len(), 1);
}

#[test]
fn an_old_delivery_becomes_a_dead_letter_with_its_last_error() {
    let mut rig = Rig::new(options());
    let waiter = rig.accept(1);
    let begin = rig.now;
    while rig.burying.is_empty() {
        if rig.sending.is_empty() {
            assert!(rig.wake());
        } else {
            rig.finish(0, Err(SendError::retry("http 503: busy")));
        }
    }
    assert!(
        rig.now >= begin + secs(3600) && rig.now <= begin + secs(3700),
        "{:?}",
        rig.now - begin
    );
    let key = rig.burying[0].key.clone();
    rig.finish_burial(Ok(()));
    let DeliveryOutcome::DeadLettered { attempts, reason } = &rig.outcomes[&waiter] else {
        panic!()
    };
    assert_eq!(rig.given_up, [(key, *attempts, "http 503: busy".to_owned())]);
    assert!(
        *attempts > 10 && reason.contains("3600 s") && reason.contains("http 503: busy"),
        "{reason}"
    );
}

#[test]
fn what_only_waited_its_turn_is_not_given_up_for_its_age() {
    let rate = Some(Rate {
        per_sec: 0.0005,
        burst: 1,
    });
    let mut rig = Rig::new(DeliveryOptions { rate, ..options() });
    for number in 0..4 {
        rig.accept(number);
    }
    for _ in 0..4 {
        while rig.sending.is_empty() {
            assert!(rig.wake());
        }
        rig.finish(0, Ok(()));
    }
    assert!(rig.outcomes.values().all(|outcome| *outcome == delivered(1)));
}

#[test]
fn an_output_that_is_down_is_probed_by_one_delivery_at_a_time() {
    let mut rig = Rig::new(options());
    for number in 0..100 {
        rig.accept(number);
    }
    while !rig.machine.stats().down {
        rig.finish(0, Err(SendError::retry("connection refused")));
        if rig.sending.is_empty() {
            rig.wake();
        }
    }
    while !rig.sending.is_empty() {
        rig.finish(0, Err(SendError::retry("connection refused")));
    }
    let before = rig.sends.len();
    let begin = rig.now;
    while rig.now < begin + secs(1800) {
        assert!(rig.wake());
        assert!(rig.sending.len() <= 1);
        if !rig.sending.is_empty() {
            rig.finish(0, Err(SendError::retry("connection refused")));
        }
    }
    let probes = rig.sends.len() - before;
    assert!((30..=70).contains(&probes), "one or two a minute, not {probes}");
    // it is back: the first success wakes all the others
    while rig.sending.is_empty() {
        assert!(rig.wake());
    }
    let back = rig.now;
    while !rig.sending.is_empty() {
        rig.finish(0, Ok(()));
    }
    assert_eq!((rig.outcomes.len(), rig.now), (100, back));
    assert!(!rig.machine.stats().down);
}

#[test]
fn one_delivery_that_always_fails_does_not_keep_the_others_back() {
    let mut rig = Rig::new(DeliveryOptions {
        concurrency: 1,
        ..options()
    });
    for number in 0..50 {
        rig.accept(number);
    }
    let poison = alert(0).id;
    let begin = rig.now;
    while rig.outcomes.len() < 49 {
        if rig.sending.is_empty() {
            assert!(rig.wake());
        } else {
            let result = if rig.sending[0].0 == poison {
                Err(SendError::retry("http 500"))
            } else {
                Ok(())
            };
            rig.finish(0, result);
        }
    }
    assert!(rig.now - begin < secs(60), "{:?}", rig.now - begin);
}

#[test]
fn draining_ends_attempts_and_lets_the_rest_go() {
    let mut rig = Rig::new(options());
    let waiters: Vec<u32> = (0..5).map(|number| rig.accept(number)).collect();
    rig.apply(Event::Drain);
    assert_eq!(rig.released.len(), 3);
    assert!(!rig.machine.is_idle());
    rig.finish(0, Ok(()));
    rig.finish(0, Err(SendError::retry("http 500")));
    assert_eq!(rig.outcomes[&waiters[0]], delivered(1));
    assert!(rig.released.contains(&waiters[1]));
    assert!(rig.machine.is_idle());
    let late = rig.accept(9);
    assert!(rig.released.contains(&late));
}

#[test]
fn after_a_resume_deliveries_are_taken_again_and_one_under_way_is_joined() {
    let mut rig = Rig::new(options());
    let first = rig.accept(0);
    rig.apply(Event::Drain);
    rig.apply(Event::Resume);
    let (again, other) = (rig.accept(0), rig.accept(1));
    assert_eq!(rig.sending.len(), 2);
    rig.finish(0, Ok(()));
    rig.finish(0, Ok(()));
    for waiter in [first, again, other] {
        assert_eq!(rig.outcomes[&waiter], delivered(1));
    }
}

#[test]
fn draining_does_not_wait_for_a_dead_letter_store_without_room() {
    let mut rig = Rig::new(options());
    let waiter = rig.accept(1);
    rig.finish(0, Err(SendError::permanent("http 400")));
    rig.apply(Event::Drain);
    assert!(!rig.machine.is_idle(), "a write is under way");
    rig.finish_burial(Err("no space".to_owned()));
    assert!(rig.released.contains(&waiter) && rig.machine.is_idle());
}

#[derive(Debug, Clone)]
enum Step {
    Accept(u32),
    Finish(prop::sample::Index, u8),
    Burial(bool),
    Advance(u32),
    Wake,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..12_u32).prop_map(Step::Accept),
        6 => (any::<prop::sample::Index>(), 0..5_u8).prop_map(|(at, how)| Step::Finish(at, how)),
        2 => any::<bool>().prop_map(Step::Burial),
        1 => (0..300_000_u32).prop_map(Step::Advance),
        3 => Just(Step::Wake),
    ];
    prop::collection::vec(step, 0..200)
}

fn result(how: u8) -> Result<(), SendError> {
    match how {
        0 | 1 => Ok(()),
        2 => Err(SendError::retry("http 500")),
        3 => Err(retry_after(20)),
        _ => Err(SendError::permanent("http 400")),
    }
}

fn any_options() -> impl Strategy<Value = DeliveryOptions> {
    let rate =
        prop::option::of((0.1..20.0_f64, 1..5_u32).prop_map(|(per_sec, burst)| Rate { per_sec, burst }));
    (1..5_usize, rate, 1..10_u32, 60..4000_u64).prop_map(|(concurrency, rate, circuit_failures, age)| {
        DeliveryOptions {
            concurrency,
            rate,
            circuit_failures,
            dead_letter_after: secs(age),
            ..options()
        }
    })
}

/// For any two attempts, those between them are no more than the bucket could give.
fn assert_rate_respected(sends: &[Duration], rate: Rate) {
    for (from, begin) in sends.iter().enumerate() {
        for (to, end) in sends.iter().enumerate().skip(from) {
            let allowed = f64::from(rate.burst) + (*end - *begin).as_secs_f64() * rate.per_sec + 1e-6;
            assert!(
                (to - from + 1) as f64 <= allowed,
                "{} attempts, {allowed} allowed",
                to - from + 1
            );
        }
    }
}

proptest! {
    /// `Rig::apply` asserts the rest at every step: concurrency, no double attempt, no double answer.
    #[test]
    fn every_waiter_gets_exactly_one_outcome(options in any_options(), steps in steps(), drain in any::<bool>()) {
        let rate = options.rate;
        let mut rig = Rig::new(options);
        for step in steps {
            match step {
                Step::Accept(number) => { rig.accept(number); }
                Step::Finish(at, how) if !rig.sending.is_empty() => {
                    rig.finish(at.index(rig.sending.len()), result(how));
                }
                Step::Burial(ok) if !rig.burying.is_empty() => {
                    rig.finish_burial(if ok { Ok(()) } else { Err("no space".to_owned()) });
                }
                Step::Advance(millis) => rig.advance(Duration::from_millis(millis.into())),
                Step::Wake => { rig.wake(); }
                Step::Finish(..) | Step::Burial(_) => {}
            }
        }
        if drain {
            rig.apply(Event::Drain);
        }
        // from here on everything works
        while !rig.machine.is_idle() {
            if !rig.sending.is_empty() {
                rig.finish(0, Ok(()));
            } else if !rig.burying.is_empty() {
                rig.finish_burial(Ok(()));
            } else {
                prop_assert!(rig.wake(), "stuck");
            }
        }
        prop_assert_eq!(rig.outcomes.len() + rig.released.len(), rig.waiters as usize);
        prop_assert!(drain || rig.released.is_empty());
        let dead = rig.outcomes.values().filter(|o| matches!(o, DeliveryOutcome::DeadLettered { .. })).count();
        prop_assert!(dead == 0 || !rig.stored.is_empty());
        prop_assert!(rig.ready_queue_is_clean());
        if let Some(rate) = rate {
            assert_rate_respected(&rig.sends, rate);
        }
    }

    #[test]
    fn the_same_seed_and_events_make_the_same_attempts(options in any_options(), steps in steps()) {
        let run = || {
            let mut rig = Rig::new(options.clone());
            for step in &steps {
                match step {
                    Step::Accept(number) => { rig.accept(*number); }
                    Step::Finish(at, how) if !rig.sending.is_empty() => {
                        rig.finish(at.index(rig.sending.len()), result(*how));
                    }
                    Step::Advance(millis) => rig.advance(Duration::from_millis((*millis).into())),
                    _ => { rig.wake(); }
                }
            }
            (rig.sends, rig.sending)
        };
        prop_assert_eq!(run(), run());
    }
}

impl Rig {
    /// Nothing may pile up in an idle machine.
    fn ready_queue_is_clean(&self) -> bool {
        let machine = &self.machine;
        machine.retries.is_empty() && machine.deadlines.is_empty() && machine.burial_queue.is_empty()
    }
}
