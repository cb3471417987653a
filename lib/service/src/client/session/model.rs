//! The session against a model of the server, under random faults: what is submitted is answered once, and no
//! more is sent than was granted.

use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use proptest::prelude::*;

use super::tests::{Asked, asked};
use super::*;
use crate::server::window::Window;
use crate::{BackoffOptions, StreamLimits};

const LIMITS: StreamLimits = StreamLimits {
    window_bytes: 100,
    window_batches: 3,
    message_bytes_max: 1000,
    streams_max: 1,
};

#[derive(Debug, Clone)]
enum Step {
    Submit {
        weight: u64,
    },
    GiveUp {
        which: usize,
    },
    /// The oldest request under way reaches the server.
    Arrive,
    /// The server is done with one of the requests that it has.
    Finish {
        which: usize,
    },
    /// The oldest reply under way reaches the client.
    Hear,
    Break,
    Wake,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1_u64..180).prop_map(|weight| Step::Submit { weight }),
        1 => any::<usize>().prop_map(|which| Step::GiveUp { which }),
        6 => Just(Step::Arrive),
        4 => any::<usize>().prop_map(|which| Step::Finish { which }),
        8 => Just(Step::Hear),
        1 => Just(Step::Break),
        2 => Just(Step::Wake),
    ]
}

/// One stream: what the server knows, and what is under way in both directions.
struct Stream {
    window: Window,
    at_server: Vec<(BatchId, u64)>,
    to_server: VecDeque<(BatchId, u64)>,
    to_client: VecDeque<Reply<u64>>,
}

struct World {
    session: Session<Asked>,
    generation: u64,
    stream: Option<Stream>,
    callers: BTreeMap<u64, (u64, Rc<Cell<bool>>)>,
    answers: BTreeMap<u64, u64>,
    /// Ids that the server has finished at least once.
    handled: BTreeMap<BatchId, u64>,
}

impl World {
    fn new() -> Self {
        let session = Session::new("merger", Backoff::new(BackoffOptions::default(), 1));
        let mut world = Self {
            session,
            generation: 0,
            stream: None,
            callers: BTreeMap::new(),
            answers: BTreeMap::new(),
            handled: BTreeMap::new(),
        };
        let effects = world.session.start();
        world.take(effects);
        world
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Submit { weight } => {
                let id = self.callers.len() as u64;
                let ticket = asked(id, *weight);
                self.callers.insert(id, (*weight, Rc::clone(&ticket.abandoned)));
                self.apply(Event::Submitted(ticket));
            }
            Step::GiveUp { which } if !self.callers.is_empty() => {
                self.callers[&((*which % self.callers.len()) as u64)].1.set(true);
            }
            Step::Arrive => self.arrive(),
            Step::Finish { which } => self.finish(*which),
            Step::Hear => {
                let reply = self
                    .stream
                    .as_mut()
                    .and_then(|stream| stream.to_client.pop_front());
                if let Some(reply) = reply {
                    self.apply(Event::Replied {
                        generation: self.generation,
                        reply,
                    });
                }
            }
            Step::Break => self.break_down(),
            Step::Wake => self.apply(Event::Woken),
            Step::GiveUp { .. } => {}
        }
    }

    fn arrive(&mut self) {
        let Some(stream) = &mut self.stream else { return };
        if let Some((id, weight)) = stream.to_server.pop_front() {
            stream
                .window
                .admit(weight)
                .expect("no more is sent than was granted");
            stream.at_server.push((id, weight));
        }
    }

    fn finish(&mut self, which: usize) {
        let Some(stream) = &mut self.stream else { return };
        if stream.at_server.is_empty() {
            return;
        }
        let (id, weight) = stream.at_server.swap_remove(which % stream.at_server.len());
        *self.handled.entry(id).or_default() += 1;
        stream.window.finish(weight);
        stream.to_client.push_back(Reply::Ack(id, weight));
        if let Some(credit) = stream.window.take_owed() {
            stream.to_client.push_back(Reply::Credit(credit));
        }
    }

    fn break_down(&mut self) {
        let Some(stream) = self.stream.take() else { return };
        let generation = self.generation;
        self.apply(Event::Broken {
            generation,
            reason: "cut".into(),
            up_for: Duration::ZERO,
        });
        for reply in stream.to_client {
            self.apply(Event::Replied { generation, reply });
        }
    }

    fn apply(&mut self, event: Event<Asked, u64>) {
        let effects = self.session.apply(event);
        self.take(effects);
        while self.session.wants_room() {
            let effects = self.session.apply(Event::Room {
                generation: self.generation,
            });
            self.take(effects);
        }
    }

    fn take(&mut self, effects: Vec<Effect<Asked, u64>>) {
        for effect in effects {
            match effect {
                Effect::Open { generation } => {
                    self.generation = generation;
                    let window = Window::new(LIMITS);
                    let to_client = VecDeque::from([Reply::Credit(window.opening())]);
                    self.stream = Some(Stream {
                        window,
                        at_server: vec![],
                        to_server: VecDeque::new(),
                        to_client,
                    });
                    let effects = self.session.apply::<u64>(Event::Opened { generation });
                    assert!(effects.is_empty(), "nothing is due before the first credit");
                }
                Effect::Sleep(_) => {}
                Effect::Send(id) => {
                    let weight = self.callers[&id.0].0;
                    self.stream
                        .as_mut()
                        .expect("sent on a stream")
                        .to_server
                        .push_back((id, weight));
                }
                Effect::Answer(ticket, answer) => {
                    assert!(
                        self.handled.contains_key(&BatchId(ticket.id)),
                        "acked what was never handled"
                    );
                    let before = self
                        .answers
                        .insert(ticket.id, answer.expect("the model never refuses"));
                    assert_eq!(before, None, "answered twice");
                }
            }
        }
    }

    /// No more faults: everything must come to its end.
    fn calm_down(&mut self) {
        for _ in 0..8 * (self.callers.len() + 1) {
            for step in [
                Step::Wake,
                Step::Arrive,
                Step::Finish { which: 0 },
                Step::Hear,
                Step::Hear,
            ] {
                self.step(&step);
            }
        }
    }
}

proptest! {
    #[test]
    fn everybody_who_waits_is_answered_once_and_credit_is_never_overdrawn(
        steps in prop::collection::vec(step(), 0..300),
    ) {
        let mut world = World::new();
        for step in &steps {
            world.step(step);
        }
        world.calm_down();
        for (id, (weight, abandoned)) in &world.callers {
            match world.answers.get(id) {
                Some(answer) => prop_assert_eq!(answer, weight),
                None => prop_assert!(abandoned.get(), "caller {} was never answered", id),
            }
        }
    }
}
