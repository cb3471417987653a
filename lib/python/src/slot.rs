use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use streamalert_detect::{KillReason, RecordOutcome, RuleIndex, RuleOutcome, RuntimeError};
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::time::Instant;

use crate::Limits;
use crate::batch::Batch;
use crate::frame::{self, EvaluateFrame, Frame, PublishedFrame, ResultFrame};
use crate::marshal::GroupWriter;
use crate::pool::Shared;
use crate::process::WorkerProcess;
use crate::queue::Seat;
use crate::watchdog::{Step, WatchLimits, Watchdog};

/// Deaths of workers that no rule answers for, after which the record at hand is given up: so many while reading
/// that very record …
const DEATHS_AT_RECORD_MAX: u32 = 2;

/// … and so many before it was reached, when the system may have killed idle processes.
const DEATHS_BEFORE_MAX: u32 = 5;

/// Work for a slot.
pub(crate) enum Job {
    Evaluate(EvaluateJob),
    Publish(PublishJob),
}

/// Records to evaluate.
pub(crate) struct EvaluateJob {
    pub(crate) batch: Batch,
    pub(crate) trace: bool,
    /// JSON of the fixtures' lookup tables.
    pub(crate) fixtures: Option<Arc<str>>,
    pub(crate) reply: oneshot::Sender<Result<Vec<RecordOutcome>, RuntimeError>>,
    /// The bytes of the records, given back when the job is dropped.
    pub(crate) _bytes: OwnedSemaphorePermit,
}

/// An alert to publish.
pub(crate) struct PublishJob {
    /// JSON: the alert's item, the publishers' names, what earlier ones made.
    pub(crate) request: String,
    /// The publication, or why there is none.
    pub(crate) reply: oneshot::Sender<Result<Result<Bytes, String>, RuntimeError>>,
}

/// One of the pool's workers: owns a process, replaces it when it dies, and works off the queue.
pub(crate) struct Slot {
    pub(crate) shared: Arc<Shared>,
    pub(crate) process: Option<WorkerProcess>,
    seat: Seat<Job>,
    sequence: u32,
}

/// How watching a batch ended.
enum Event {
    Answer(Frame),
    /// Over a limit in this step.
    Over(Step),
    /// The process is gone; it was in this step.
    Gone(Step),
}

impl Slot {
    pub(crate) const fn new(shared: Arc<Shared>, process: Option<WorkerProcess>, seat: Seat<Job>) -> Self {
        Self {
            shared,
            process,
            seat,
            sequence: 0,
        }
    }

    /// Works until the queue is closed and empty.
    pub(crate) async fn run(mut self) {
        while let Some(mut turn) = self.seat.take().await {
            match turn.take_job() {
                Some(Job::Evaluate(job)) => {
                    if let Some(rest) = self.evaluate(job).await {
                        turn.put_back(Job::Evaluate(rest));
                    }
                }
                Some(Job::Publish(job)) => self.publish(job).await,
                None => {}
            }
        }
        if let Some(mut process) = self.process.take() {
            process.kill().await;
        }
    }

    /// Evaluates one slice; answers the job when it is not done with that.
    async fn evaluate(&mut self, mut job: EvaluateJob) -> Option<EvaluateJob> {
        if !job.batch.is_done() && !job.reply.is_closed() {
            let (batch, fixtures) = (&mut job.batch, job.fixtures.as_deref());
            if let Err(error) = self.evaluate_slice(batch, job.trace, fixtures).await {
                let _ = job.reply.send(Err(error));
                return None;
            }
        }
        if !job.batch.is_done() && !job.reply.is_closed() {
            return Some(job);
        }
        // A caller that has gone away does not want its answer.
        let _ = job.reply.send(Ok(job.batch.finish()));
        None
    }

    /// Sends what is left of the batch once and takes what comes of it.
    async fn evaluate_slice(
        &mut self,
        batch: &mut Batch,
        trace: bool,
        fixtures: Option<&str>,
    ) -> Result<(), RuntimeError> {
        self.ready().await?;
        self.sequence = self.sequence.wrapping_add(1);
        let sequence = self.sequence;
        let Some(process) = self.process.as_mut() else {
            return Ok(());
        };
        let suspended = self.shared.suspended();
        let off: HashSet<RuleIndex> = suspended.iter().chain(&process.missing).copied().collect();
        let request = {
            let (groups, done) = batch.groups_left();
            let plans = &batch.plans(&self.shared.rules, &off);
            EvaluateFrame {
                sequence,
                trace,
                fixtures,
                groups,
                done,
                plans,
            }
            .encode()
        };
        let mut watchdog = self.watchdog(sequence);
        let event = self.exchange(&request, sequence, &mut watchdog).await;
        match event {
            Event::Answer(answer) => match ResultFrame::decode(&answer.body) {
                Some(result) if answer.kind == frame::RESULT && result.sequence == sequence => {
                    self.take_result(batch, result, &suspended, &watchdog);
                }
                _ => {
                    self.lost(batch, Step::Elsewhere, Some("it answered nonsense"))
                        .await
                }
            },
            Event::Over(Step::Rule { record, rule }) => {
                let limit = self.shared.limits.evaluation;
                self.discard().await;
                self.shared.strike(rule, "over the time limit of one evaluation");
                batch.give_up(record, rule, RuleOutcome::TimedOut { limit });
            }
            Event::Over(step) => self.lost(batch, step, Some("it stalled")).await,
            Event::Gone(step) => self.lost(batch, step, None).await,
        }
        Ok(())
    }

    fn take_result(
        &self,
        batch: &mut Batch,
        result: ResultFrame,
        suspended: &[RuleIndex],
        watchdog: &Watchdog,
    ) {
        self.shared.count_dropped_lines(result.dropped);
        if result.done < batch.left()
            && let Some(rule) = watchdog.hottest()
        {
            self.shared.strike(rule, "took most of a slice");
        }
        let rules = &self.shared.rules;
        for entry in result.entries {
            batch.take_outcome(entry.record, entry.rule, entry.outcome, rules);
        }
        let none = HashSet::new();
        let missing = self.process.as_ref().map_or(&none, |process| &process.missing);
        batch.advance(result.done, suspended, missing, rules);
    }

    /// The process died or went mad: whoever was at work answers for it; if nobody was, the batch is tried
    /// again, and at last the record it was at is given up.
    async fn lost(&mut self, batch: &mut Batch, step: Step, why: Option<&str>) {
        let reason = match (why, self.process.as_mut()) {
            (None, Some(process)) => process.death().await,
            (why, _) => KillReason::Protocol(why.unwrap_or("it is gone").to_owned()),
        };
        self.discard().await;
        let (record, deaths_max) = match step {
            Step::Rule { record, rule } => {
                self.shared.strike(rule, &reason.to_string());
                batch.give_up(record, rule, RuleOutcome::Killed(reason));
                return;
            }
            Step::Own { record } => (record, DEATHS_AT_RECORD_MAX),
            Step::Publish | Step::Elsewhere => (0, DEATHS_BEFORE_MAX),
        };
        tracing::warn!(%reason, "python worker died outside of any rule");
        batch.blame(
            record,
            deaths_max,
            &reason,
            &self.shared.rules,
            &mut GroupWriter::new(),
        );
    }

    async fn publish(&mut self, job: PublishJob) {
        if let Err(error) = self.ready().await {
            let _ = job.reply.send(Err(error));
            return;
        }
        self.sequence = self.sequence.wrapping_add(1);
        let sequence = self.sequence;
        let request = frame::publish_frame(sequence, &job.request);
        let mut watchdog = self.watchdog(sequence);
        let answer = match self.exchange(&request, sequence, &mut watchdog).await {
            Event::Answer(answer) if answer.kind == frame::PUBLISHED => PublishedFrame::decode(&answer.body),
            Event::Answer(_) => None,
            Event::Over(_) => {
                self.discard().await;
                let limit = self.shared.limits.publish;
                let _ = job
                    .reply
                    .send(Ok(Err(format!("publishers took longer than {limit:?}"))));
                return;
            }
            Event::Gone(_) => {
                let reason = match self.process.as_mut() {
                    Some(process) => process.death().await.to_string(),
                    None => "it is gone".to_owned(),
                };
                self.discard().await;
                let _ = job
                    .reply
                    .send(Ok(Err(format!("publishers ended the worker: {reason}"))));
                return;
            }
        };
        let answer = match answer.filter(|answer| answer.sequence == sequence) {
            Some(answer) if answer.failure.is_empty() => Ok(answer.publication),
            Some(answer) => Err(answer.failure),
            None => {
                self.discard().await;
                Err("the worker answered nonsense".to_owned())
            }
        };
        let _ = job.reply.send(Ok(answer));
    }

    /// Sends a request and waits for its answer, watching the process.
    async fn exchange(&mut self, request: &[u8], sequence: u32, watchdog: &mut Watchdog) -> Event {
        let Some(process) = self.process.as_mut() else {
            return Event::Gone(Step::Elsewhere);
        };
        if !process.send(request).await {
            return Event::Gone(process.progress().step(sequence));
        }
        let period = self.shared.watch_period;
        let mut tick = tokio::time::interval_at(Instant::now() + period, period);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                answer = process.receive() => {
                    return answer.map_or_else(|| Event::Gone(process.progress().step(sequence)), Event::Answer);
                }
                _ = tick.tick() => {
                    // The sample before the word: what it computed since belongs to the word's step or earlier.
                    let cpu = process.cpu_sample();
                    let word = process.progress();
                    if watchdog.observe(Instant::now(), word, cpu) {
                        return Event::Over(word.step(sequence));
                    }
                }
            }
        }
    }

    fn watchdog(&self, sequence: u32) -> Watchdog {
        let limits = WatchLimits {
            evaluation: self.shared.limits.evaluation,
            publish: self.shared.limits.publish,
        };
        let word = self
            .process
            .as_ref()
            .map_or(crate::watchdog::ProgressWord::INITIAL, WorkerProcess::progress);
        Watchdog::new(sequence, limits, word, Instant::now())
    }

    /// Sees to it that there is a process, and one that has not grown too much.
    async fn ready(&mut self) -> Result<(), RuntimeError> {
        if let Some(process) = self.process.as_mut().filter(|process| process.has_grown()) {
            tracing::warn!("python worker has grown towards its memory limit and is replaced");
            process.kill().await;
            self.process = None;
        }
        if self.process.is_none() {
            self.process = Some(self.shared.next_process().await?);
        }
        Ok(())
    }

    async fn discard(&mut self) {
        self.shared.count_lost_worker();
        if let Some(mut process) = self.process.take() {
            process.kill().await;
        }
    }
}

/// How often a worker is looked at: often enough that a limit is met within a quarter, and that the samples of
/// one slice tell who took it.
pub(crate) fn watch_period(limits: &Limits) -> Duration {
    (limits.evaluation / 4)
        .min(limits.slice / 20)
        .clamp(Duration::from_millis(5), Duration::from_millis(250))
}
