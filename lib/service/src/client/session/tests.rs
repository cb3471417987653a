use std::cell::Cell;
use std::rc::Rc;

use super::*;
use crate::BackoffOptions;

#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) id: u64,
    weight: u64,
    message: u64,
    pub(super) abandoned: Rc<Cell<bool>>,
}

impl Ticket for Asked {
    fn id(&self) -> BatchId {
        BatchId(self.id)
    }

    fn weight_bytes(&self) -> u64 {
        self.weight
    }

    fn message_bytes(&self) -> u64 {
        self.message
    }

    fn is_abandoned(&self) -> bool {
        self.abandoned.get()
    }
}

pub(super) fn asked(id: u64, weight: u64) -> Asked {
    Asked {
        id,
        weight,
        message: weight,
        abandoned: Rc::default(),
    }
}

/// A session with the stream that a test plays the other end of.
struct Rig {
    session: Session<Asked>,
    generation: u64,
    answers: Vec<(u64, Result<u32, NeighbourError>)>,
    sent: Vec<u64>,
    sleeps: Vec<Duration>,
}

impl Rig {
    fn new() -> Self {
        let options = BackoffOptions {
            first: Duration::from_millis(100),
            max: Duration::from_secs(10),
        };
        let session = Session::new("merger", Backoff::new(options, 1));
        let mut rig = Self {
            session,
            generation: 0,
            answers: vec![],
            sent: vec![],
            sleeps: vec![],
        };
        let effects = rig.session.start();
        rig.take(effects);
        rig
    }

    fn up(bytes: u64, batches: u64) -> Self {
        let mut rig = Self::new();
        rig.open(bytes, batches);
        rig
    }

    fn open(&mut self, bytes: u64, batches: u64) {
        self.apply(Event::Opened {
            generation: self.generation,
        });
        self.credit(bytes, batches, 1000);
    }

    fn credit(&mut self, bytes: u64, batches: u64, message_bytes_max: u64) {
        self.reply(Reply::Credit(v1::Credit {
            bytes,
            batches,
            message_bytes_max,
        }));
    }

    fn reply(&mut self, reply: Reply<u32>) {
        self.apply(Event::Replied {
            generation: self.generation,
            reply,
        });
    }

    fn ack(&mut self, id: u64, answer: u32) {
        self.reply(Reply::Ack(BatchId(id), answer));
    }

    fn submit(&mut self, id: u64, weight: u64) -> Rc<Cell<bool>> {
        let ticket = asked(id, weight);
        let abandoned = Rc::clone(&ticket.abandoned);
        self.apply(Event::Submitted(ticket));
        abandoned
    }

    fn break_down(&mut self, up_for: Duration) {
        self.apply(Event::Broken {
            generation: self.generation,
            reason: "reset".into(),
            up_for,
        });
    }

    /// Applies an event and then sends whatever may go, as the shell does.
    fn apply(&mut self, event: Event<Asked, u32>) {
        let effects = self.session.apply(event);
        self.take(effects);
        while self.session.wants_room() {
            let effects = self.session.apply(Event::Room {
                generation: self.generation,
            });
            self.take(effects);
        }
    }

    fn take(&mut self, effects: Vec<Effect<Asked, u32>>) {
        for effect in effects {
            match effect {
                Effect::Open { generation } => self.generation = generation,
                Effect::Sleep(delay) => self.sleeps.push(delay),
                Effect::Send(id) => self.sent.push(id.0),
                Effect::Answer(ticket, answer) => self.answers.push((ticket.id, answer)),
            }
        }
    }
}

#[test]
fn answers_in_any_order_reach_whoever_asked() {
    let mut rig = Rig::up(100, 10);
    for id in 0..3 {
        rig.submit(id, 10);
    }
    rig.ack(2, 22);
    rig.ack(0, 20);
    rig.reply(Reply::Nack(v1::Nack {
        batch_id: 1,
        code: 2,
        message: "no".into(),
        retryable: false,
        not_owned: Vec::new(),
    }));
    assert_eq!(rig.sent, [0, 1, 2]);
    let refused = NeighbourError::Refused {
        service: "merger",
        reason: "no".into(),
    };
    assert_eq!(rig.answers, [(2, Ok(22)), (0, Ok(20)), (1, Err(refused))]);
}

#[test]
fn nothing_is_sent_before_the_first_credit_nor_beyond_it() {
    let mut rig = Rig::new();
    rig.submit(0, 60);
    rig.submit(1, 60);
    rig.apply(Event::Opened { generation: 1 });
    assert_eq!(rig.sent, [] as [u64; 0]);
    rig.credit(100, 10, 1000);
    assert_eq!(rig.sent, [0]);
    rig.credit(20, 0, 0);
    assert_eq!(rig.sent, [0, 1]);
}

#[test]
fn batches_are_limited_like_bytes() {
    let mut rig = Rig::up(1000, 1);
    rig.submit(0, 1);
    rig.submit(1, 1);
    rig.ack(0, 0);
    assert_eq!(rig.sent, [0]);
    rig.credit(1, 1, 0);
    assert_eq!(rig.sent, [0, 1]);
}

#[test]
fn a_request_larger_than_the_window_goes_alone() {
    let mut rig = Rig::up(100, 10);
    rig.submit(0, 10);
    rig.submit(1, 500);
    rig.submit(2, 10);
    assert_eq!(rig.sent, [0]);
    rig.ack(0, 0);
    assert_eq!(rig.sent, [0, 1]);
    rig.credit(10, 1, 0);
    assert_eq!(rig.sent, [0, 1]);
    rig.ack(1, 0);
    assert_eq!(rig.sent, [0, 1, 2]);
}

#[test]
fn what_was_not_answered_is_sent_again_in_order_on_the_next_stream() {
    let mut rig = Rig::up(1000, 10);
    for id in 0..4 {
        rig.submit(id, 10);
    }
    rig.ack(1, 0);
    rig.break_down(Duration::ZERO);
    rig.submit(4, 10);
    rig.apply(Event::Woken);
    rig.sent.clear();
    rig.open(1000, 10);
    assert_eq!(rig.sent, [0, 2, 3, 4]);
}

#[test]
fn a_late_reply_of_an_old_stream_is_harmless() {
    let mut rig = Rig::up(1000, 10);
    rig.submit(0, 10);
    let old = rig.generation;
    rig.break_down(Duration::ZERO);
    rig.apply(Event::Replied {
        generation: old,
        reply: Reply::Ack(BatchId(0), 1),
    });
    rig.apply(Event::Woken);
    rig.apply(Event::Replied {
        generation: old,
        reply: Reply::Ack(BatchId(0), 1),
    });
    let credit = v1::Credit {
        bytes: 1 << 40,
        batches: 1 << 40,
        message_bytes_max: 0,
    };
    rig.apply(Event::Replied {
        generation: old,
        reply: Reply::Credit(credit),
    });
    rig.apply(Event::Broken {
        generation: old,
        reason: "late".into(),
        up_for: Duration::ZERO,
    });
    assert_eq!(rig.sleeps.len(), 1);
    assert_eq!(rig.answers, []);
    rig.open(1000, 10);
    rig.ack(0, 2);
    rig.ack(0, 3);
    assert_eq!(rig.answers, [(0, Ok(2))]);
}

#[test]
fn a_message_over_the_servers_limit_is_refused_and_the_next_goes() {
    let mut rig = Rig::up(1 << 20, 10);
    rig.submit(0, 1001);
    rig.submit(1, 1000);
    assert_eq!(rig.sent, [1]);
    let (0, Err(NeighbourError::Refused { reason, .. })) = &rig.answers[0] else {
        panic!("{:?}", rig.answers)
    };
    assert_eq!(reason, "message of 1001 bytes is over the limit of 1000 bytes");
}

#[test]
fn whoever_gave_up_is_neither_sent_nor_sent_again() {
    let mut rig = Rig::up(10, 10);
    let first = rig.submit(0, 10);
    let second = rig.submit(1, 10);
    rig.submit(2, 10);
    first.set(true);
    second.set(true);
    rig.credit(10, 1, 0);
    assert_eq!(rig.sent, [0, 2]);
    rig.sent.clear();
    rig.break_down(Duration::ZERO);
    rig.apply(Event::Woken);
    rig.open(1000, 10);
    assert_eq!(rig.sent, [2]);
}

#[test]
fn the_delay_grows_until_a_stream_brought_an_answer_or_lived_long() {
    let mut rig = Rig::new();
    let fail = |rig: &mut Rig, up_for| {
        rig.break_down(up_for);
        rig.apply(Event::Woken);
    };
    for _ in 0..6 {
        fail(&mut rig, Duration::ZERO);
    }
    assert!(rig.sleeps[5] > Duration::from_secs(1), "{:?}", rig.sleeps);
    // Opening alone is no success: a server that dies of every request must not be asked in a tight loop.
    rig.open(10, 10);
    fail(&mut rig, Duration::from_secs(1));
    assert!(rig.sleeps[6] > Duration::from_secs(1), "{:?}", rig.sleeps);
    fail(&mut rig, STABLE_AFTER);
    assert!(rig.sleeps[7] <= Duration::from_millis(100), "{:?}", rig.sleeps);
    rig.open(10, 10);
    rig.submit(0, 1);
    rig.ack(0, 0);
    fail(&mut rig, Duration::ZERO);
    assert!(rig.sleeps[8] <= Duration::from_millis(100), "{:?}", rig.sleeps);
}

#[test]
fn stopping_answers_everybody_now_and_later() {
    let mut rig = Rig::up(10, 10);
    rig.submit(0, 10);
    rig.submit(1, 10);
    rig.apply(Event::Stopped {
        reason: "client stopped",
    });
    rig.submit(2, 10);
    rig.apply(Event::Woken);
    let ids: Vec<_> = rig.answers.iter().map(|(id, _)| *id).collect();
    assert_eq!(ids, [0, 1, 2]);
    assert!(
        rig.answers
            .iter()
            .all(|(_, answer)| answer.as_ref().is_err_and(NeighbourError::is_retryable))
    );
    assert_eq!(rig.generation, 1);
}
