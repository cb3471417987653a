//! A process that writes is killed at random moments. Whatever it had been told is durable must be there.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use streamalert_store::conformance::{fence, moment, stored};
use streamalert_store::{
    AlertFilter, AlertState, AlertStore, EmbeddedOptions, EmbeddedStore, SettledDelivery, ShardId,
};
use streamalert_types::{AlertId, DeliveryOutcome, OutputName};

const KILLS: u64 = 12;
const BATCH: u64 = 5;
const DIR: &str = "STREAMALERT_CRASH_DIR";
const FIRST: &str = "STREAMALERT_CRASH_FIRST";

/// Not a test of its own: the process that is killed. Batches of alerts are accepted and the first of each is
/// settled; what was answered goes to standard output.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "started by the test below"]
async fn child() {
    let Ok(dir) = std::env::var(DIR) else { return };
    let first: u64 = std::env::var(FIRST).unwrap().parse().unwrap();
    let store = EmbeddedStore::open(EmbeddedOptions::new(dir)).unwrap();
    let writers = (0..8_u64).map(|writer| {
        let store = store.clone();
        tokio::spawn(async move {
            for step in 0.. {
                let from = first + (step * 8 + writer) * BATCH;
                let batch = (from..from + BATCH)
                    .map(|id| stored(id, &["a:x"], None))
                    .collect();
                store.accept(fence(1, 1), batch).await.unwrap();
                say(&format!("accepted {from}"));
                let outcome = DeliveryOutcome::delivered(1);
                let alert = AlertId::from_u128(u128::from(from));
                let settled = SettledDelivery {
                    alert,
                    output: "a:x".parse().unwrap(),
                    outcome,
                };
                store.settle(fence(1, 1), vec![settled], moment(1)).await.unwrap();
                say(&format!("settled {from}"));
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
}

/// Past the capture of the test harness.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("\n{line}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}

#[derive(Default)]
struct Told {
    accepted: BTreeSet<u64>,
    settled: BTreeSet<u64>,
}

impl Told {
    fn hear(&mut self, line: &str) {
        let Some((what, number)) = line.split_once(' ') else {
            return;
        };
        let Ok(number) = number.parse() else { return };
        match what {
            "accepted" => self.accepted.insert(number),
            "settled" => self.settled.insert(number),
            _ => false,
        };
    }
}

fn run_and_kill(dir: &Path, first: u64, lines: u64, told: &mut Told) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["child", "--exact", "--ignored", "--nocapture"])
        .env(DIR, dir)
        .env(FIRST, first.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut heard = 0;
    let mut line = String::new();
    let mut killed = false;
    while out.read_line(&mut line).unwrap() > 0 {
        // A line cut off by the kill was not said to its end, so it does not count.
        if line.ends_with('\n') {
            told.hear(line.trim());
        }
        line.clear();
        heard += 1;
        if heard > lines && !killed {
            child.kill().unwrap();
            killed = true;
        }
    }
    child.wait().unwrap();
    assert!(killed, "the child ended by itself");
}

#[tokio::test]
async fn everything_acknowledged_before_a_kill_is_there_after_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut told = Told::default();
    for kill in 0..KILLS {
        run_and_kill(dir.path(), kill * 1_000_000, 7 + kill * kill * 13, &mut told);
        check(dir.path(), &told).await;
    }
    assert!(
        told.accepted.len() > 100 && told.settled.len() > 100,
        "the children did some work"
    );
}

async fn check(dir: &Path, told: &Told) {
    let store = EmbeddedStore::open(EmbeddedOptions::new(dir)).unwrap();
    let views = store.list(&AlertFilter::default(), usize::MAX).await.unwrap();
    let states: BTreeMap<u64, AlertState> = views
        .iter()
        .map(|view| (view.alert.id.as_u128() as u64, view.state.clone()))
        .collect();
    for from in &told.accepted {
        assert!(
            (*from..from + BATCH).all(|id| states.contains_key(&id)),
            "batch {from} was acknowledged"
        );
    }
    for from in &told.settled {
        assert!(
            matches!(states[from], AlertState::Settled { .. }),
            "{from} was acknowledged as settled"
        );
    }
    for id in states.keys() {
        let from = id - id % BATCH;
        assert!(
            (from..from + BATCH).all(|id| states.contains_key(&id)),
            "batch {from} is there in part"
        );
    }
    let output: OutputName = "a:x".parse().unwrap();
    let outbox = store
        .pending(ShardId(1), &output, None, usize::MAX, usize::MAX)
        .await
        .unwrap();
    let open = states
        .values()
        .filter(|state| **state == AlertState::Open)
        .count();
    assert_eq!(outbox.len(), open, "the outbox holds what is open");
    assert_eq!(
        store.backlog(ShardId(1)).await.unwrap().get(&output).copied(),
        Some(open as u64)
    );
}
