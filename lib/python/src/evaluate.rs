use std::sync::Arc;

use async_trait::async_trait;
use streamalert_detect::{EvaluateOptions, RecordOutcome, RuleRuntime, RuleSet, RuntimeError};
use streamalert_types::Record;
use streamalert_value::Value;
use tokio::sync::oneshot;

use crate::batch::{Batch, PairRecord, Wanted};
use crate::marshal::GroupWriter;
use crate::pool::SHUTTING_DOWN;
use crate::queue::Closed;
use crate::slot::{EvaluateJob, Job};
use crate::{Limits, PythonPool};

impl PythonPool {
    /// Evaluates, on each record, only the rules given for it, each as [`RuleRuntime::evaluate`] does. Outcomes are
    /// in the order of those rules; a rule that is not of this pool is answered as killed.
    ///
    /// # Errors
    /// See [`RuntimeError`]. Dropping the future abandons the work at the next slice.
    pub async fn evaluate_pairs(
        &self,
        records: Vec<PairRecord>,
        options: EvaluateOptions,
    ) -> Result<Vec<RecordOutcome>, RuntimeError> {
        let wanted = |pair: PairRecord| (pair.record, Wanted::Rules(pair.rules));
        self.evaluate_wanted(records.into_iter().map(wanted), options)
            .await
    }

    async fn evaluate_wanted(
        &self,
        records: impl ExactSizeIterator<Item = (Record, Wanted)> + Send,
        options: EvaluateOptions,
    ) -> Result<Vec<RecordOutcome>, RuntimeError> {
        let unavailable = || RuntimeError::Unavailable {
            reason: SHUTTING_DOWN.into(),
        };
        let caller = self.inner.queue.enter().map_err(|Closed| unavailable())?;
        let fixtures = options.fixtures.as_deref().map(|fixtures| {
            let tables = Value::Map(fixtures.lookup_tables.clone());
            Arc::<str>::from(tables.to_json())
        });
        let count = records.len();
        let shared = &self.inner.shared;
        let bytes_max = shared.limits.queue_bytes_max;
        let mut answers = Vec::new();
        let mut writer = GroupWriter::new();
        for (records, bytes) in slices(records, &shared.limits) {
            let is_idle = |(record, wanted): &(Record, Wanted)| wanted.of(record, &shared.rules).is_empty();
            if records.iter().all(is_idle) {
                answers.push(Answer::Here(
                    Batch::new(records, &shared.rules, &mut writer).finish(),
                ));
                continue;
            }
            let permits = u32::try_from(bytes.clamp(1, bytes_max.max(1))).unwrap_or(u32::MAX);
            let bytes = self.inner.bytes.clone().acquire_many_owned(permits);
            let bytes = bytes.await.map_err(|_| unavailable())?;
            let (reply, answer) = oneshot::channel();
            let job = EvaluateJob {
                batch: Batch::new(records, &shared.rules, &mut writer),
                trace: options.trace,
                fixtures: fixtures.clone(),
                reply,
                _bytes: bytes,
            };
            caller
                .put(Job::Evaluate(job))
                .await
                .map_err(|Closed| unavailable())?;
            answers.push(Answer::Coming(answer));
        }
        let mut outcomes = Vec::with_capacity(count);
        for answer in answers {
            match answer {
                Answer::Here(answer) => outcomes.extend(answer),
                Answer::Coming(answer) => outcomes.extend(answer.await.map_err(|_| unavailable())??),
            }
        }
        Ok(outcomes)
    }
}

/// What comes of a slice.
enum Answer {
    Here(Vec<RecordOutcome>),
    Coming(oneshot::Receiver<Result<Vec<RecordOutcome>, RuntimeError>>),
}

/// Cuts records into slices of bounded number and bytes.
fn slices(
    records: impl Iterator<Item = (Record, Wanted)>,
    limits: &Limits,
) -> impl Iterator<Item = (Vec<(Record, Wanted)>, usize)> {
    // A frame numbers the records' lists of rules in 16 bits.
    let records_max = limits.batch_records_max.clamp(1, usize::from(u16::MAX));
    let bytes_max = limits.batch_bytes_max;
    let mut records = records.peekable();
    std::iter::from_fn(move || {
        let first = records.next()?;
        let mut bytes = first.0.weight_bytes();
        let mut slice = vec![first];
        while slice.len() < records_max
            && let Some(next) =
                records.next_if(|(record, _)| bytes.saturating_add(record.weight_bytes()) <= bytes_max)
        {
            bytes += next.0.weight_bytes();
            slice.push(next);
        }
        Some((slice, bytes))
    })
}

#[async_trait]
impl RuleRuntime for PythonPool {
    fn rules(&self) -> Arc<RuleSet> {
        self.inner.shared.rules.clone()
    }

    async fn evaluate(
        &self,
        records: Vec<Record>,
        options: EvaluateOptions,
    ) -> Result<Vec<RecordOutcome>, RuntimeError> {
        let wanted = |record| (record, Wanted::Candidates);
        self.evaluate_wanted(records.into_iter().map(wanted), options)
            .await
    }
}
