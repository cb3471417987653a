use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use crate::bench::cloudtrail;
use crate::bench::live::post;
use crate::failure::Failure;

/// What the rule looks for; the number of the record follows.
pub(super) const MARK: &str = "streamalert-bench-";

/// Different records; they come again and again.
const POOL: u64 = 1_000;

/// Requests under way when the highest rate is looked for, and records in each: enough to keep every stage busy.
const CALLERS: usize = 16;
const REQUEST_RECORDS: u64 = 128;

/// Connections when records arrive by schedule: more than are ever busy.
const CONNECTIONS: usize = 64;

/// How often what is due is sent. What a record waits for it is part of its latency.
const TICK: Duration = Duration::from_millis(5);

/// The pause when the source has no room.
const PAUSE: Duration = Duration::from_millis(10);

/// Sends CloudTrail events, of which every so manieth raises an alert.
pub(super) struct Load {
    address: SocketAddr,
    path: Arc<str>,
    lines: Arc<Lines>,
    next: u64,
}

/// What was sent by schedule.
pub(super) struct Run {
    /// When the first record was due.
    pub(super) begun: Instant,
    pub(super) numbers: Range<u64>,
    /// How late a record was sent at most.
    pub(super) late: Duration,
}

struct Lines {
    one_in: u64,
    /// Each event up to its id, its id, and the rest.
    pool: Vec<[String; 3]>,
}

impl Load {
    pub(super) fn new(address: SocketAddr, path: String, one_in: u64) -> Self {
        let pool = (0..POOL).map(|number| parts(&cloudtrail::record(number, number % 97)));
        let lines = Lines {
            one_in,
            pool: pool.collect(),
        };
        Self {
            address,
            path: path.into(),
            lines: Arc::new(lines),
            next: 0,
        }
    }

    /// How many of these records raise an alert.
    pub(super) fn alerts(&self, numbers: &Range<u64>) -> u64 {
        let below = |number: u64| number.div_ceil(self.lines.one_in);
        below(numbers.end) - below(numbers.start)
    }

    /// Sends whenever an answer is there, for so long. Answers which records were taken.
    pub(super) async fn as_fast_as_it_goes(&mut self, time: Duration) -> Result<Range<u64>, Failure> {
        let (begun, first) = (Instant::now(), self.next);
        let next = Arc::new(AtomicU64::new(first));
        let mut callers = JoinSet::new();
        for _ in 0..CALLERS {
            let (address, path, lines, next) =
                (self.address, self.path.clone(), self.lines.clone(), next.clone());
            callers.spawn(async move {
                let mut stream = connect(address).await?;
                while begun.elapsed() < time {
                    let from = next.fetch_add(REQUEST_RECORDS, Ordering::Relaxed);
                    let body = lines.body(from..from + REQUEST_RECORDS);
                    deliver(&mut stream, &path, &body).await?;
                }
                Ok::<(), Failure>(())
            });
        }
        while let Some(ended) = callers.join_next().await {
            ended.map_err(|error| Failure::while_doing("a sender ended", error))??;
        }
        self.next = next.load(Ordering::Relaxed);
        Ok(first..self.next)
    }

    /// Sends each record when it is due, whatever became of those before.
    pub(super) async fn at_rate(&mut self, rate: f64, time: Duration) -> Result<Run, Failure> {
        let (work, bodies) = mpsc::unbounded_channel::<Vec<u8>>();
        let bodies = Arc::new(Mutex::new(bodies));
        let mut senders = JoinSet::new();
        for _ in 0..CONNECTIONS {
            let mut stream = connect(self.address).await?;
            let (path, bodies) = (self.path.clone(), bodies.clone());
            senders.spawn(async move {
                loop {
                    let Some(body) = bodies.lock().await.recv().await else {
                        return Ok::<(), Failure>(());
                    };
                    deliver(&mut stream, &path, &body).await?;
                }
            });
        }
        let (begun, first) = (Instant::now(), self.next);
        let end = first + (rate * time.as_secs_f64()) as u64;
        let due_at = |number: u64| begun + Duration::from_secs_f64((number - first) as f64 / rate);
        let (mut late, mut tick) = (Duration::ZERO, begun);
        while self.next < end {
            tick += TICK;
            sleep_until(tick).await;
            let due = first + (begun.elapsed().as_secs_f64() * rate) as u64 + 1;
            while self.next < due.min(end) {
                let upto = (self.next + REQUEST_RECORDS).min(due).min(end);
                late = late.max(Instant::now().saturating_duration_since(due_at(self.next)));
                // Nobody receives only when every sender has failed, which the join below tells.
                let _ = work.send(self.lines.body(self.next..upto));
                self.next = upto;
            }
        }
        drop(work);
        while let Some(ended) = senders.join_next().await {
            ended.map_err(|error| Failure::while_doing("a sender ended", error))??;
        }
        Ok(Run {
            begun,
            numbers: first..end,
            late,
        })
    }
}

async fn connect(address: SocketAddr) -> Result<TcpStream, Failure> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Posts until it is taken.
async fn deliver(stream: &mut TcpStream, path: &str, body: &[u8]) -> Result<(), Failure> {
    loop {
        match post(stream, path, body).await? {
            200 => return Ok(()),
            503 => sleep(PAUSE).await,
            status => return Err(Failure::Other(format!("the source answers {status}"))),
        }
    }
}

impl Lines {
    fn body(&self, numbers: Range<u64>) -> Vec<u8> {
        let mut body = Vec::new();
        for number in numbers {
            let [before, id, after] = &self.pool[(number % POOL) as usize];
            body.extend_from_slice(before.as_bytes());
            if number.is_multiple_of(self.one_in) {
                body.extend_from_slice(format!("{MARK}{number:018}").as_bytes());
            } else {
                body.extend_from_slice(id.as_bytes());
            }
            body.extend_from_slice(after.as_bytes());
        }
        body
    }
}

/// A line with one event, cut around its id.
fn parts(event: &str) -> [String; 3] {
    const KEY: &str = "\"eventID\":\"";
    let begin = event.find(KEY).map_or(event.len(), |at| at + KEY.len());
    let end = event[begin..].find('"').map_or(event.len(), |at| begin + at);
    [
        format!("{{\"Records\":[{}", &event[..begin]),
        event[begin..end].to_owned(),
        format!("{}]}}\n", &event[end..]),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tenth_record_is_marked_and_each_is_a_line_of_its_own() {
        let load = Load::new("127.0.0.1:1".parse().unwrap(), String::new(), 10);
        let body = String::from_utf8(load.lines.body(995..1_021)).unwrap();
        assert_eq!(body.lines().count(), 26);
        for (number, line) in (995_u64..).zip(body.lines()) {
            streamalert_value::Value::parse_json(line.as_bytes()).unwrap();
            let mark = format!("\"eventID\":\"{MARK}{number:018}\"");
            assert_eq!(line.contains(&mark), number % 10 == 0, "{number}");
        }
        assert_eq!(load.alerts(&(995..1_021)), 3);
    }
}
