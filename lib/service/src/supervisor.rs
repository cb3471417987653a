use std::borrow::Cow;
use std::collections::BTreeMap;
use std::error::Error;
use std::future::Future;
use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use tokio::task::JoinSet;
use tracing::Instrument;

use crate::Shutdown;
use crate::cause::{panic_text, with_causes};

/// What the end of a task means for the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskKind {
    /// Runs until the process drains; ending earlier, even well, is a failure.
    Service,
    /// The purpose of the process: when it ends well, the process drains.
    Work,
    /// May end well at any time.
    Helper,
}

impl TaskKind {
    /// What a task that ended well does to the process: the table that supervision goes by.
    const fn when_done(self, draining: bool) -> WhenDone {
        match (self, draining) {
            (Self::Helper, _) | (Self::Service, true) => WhenDone::Nothing,
            (Self::Work, _) => WhenDone::Drain,
            (Self::Service, false) => WhenDone::Fail,
        }
    }
}

enum WhenDone {
    Nothing,
    Drain,
    Fail,
}

/// Why a process failed: the first task that did, and its cause.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TaskFailure {
    /// A task ended with an error.
    #[error("task {task} failed: {cause}")]
    Failed {
        /// Its name.
        task: String,
        /// The error with its causes.
        cause: String,
    },
    /// A task panicked.
    #[error("task {task} panicked: {cause}")]
    Panicked {
        /// Its name.
        task: String,
        /// What the panic said.
        cause: String,
    },
    /// A service ended although nobody had asked.
    #[error("task {task} ended too early")]
    EndedEarly {
        /// Its name.
        task: String,
    },
    /// The process was stopped before everything had drained.
    #[error("stopped before these tasks had drained: {}", tasks.join(", "))]
    NotDrained {
        /// Names of the tasks that were still running.
        tasks: Vec<String>,
    },
}

type Ended = (u64, Result<Result<(), String>, String>);

/// Runs the tasks of a process. When one fails, the others drain and the process fails with its cause.
pub struct Supervisor {
    shutdown: Shutdown,
    tasks: JoinSet<Ended>,
    running: BTreeMap<u64, (String, TaskKind)>,
    spawned: u64,
}

impl Supervisor {
    /// No tasks yet. They are drained and aborted by `shutdown`.
    #[must_use]
    pub fn new(shutdown: Shutdown) -> Self {
        Self {
            shutdown,
            tasks: JoinSet::new(),
            running: BTreeMap::new(),
            spawned: 0,
        }
    }

    /// Starts a task.
    pub fn spawn<E>(
        &mut self,
        name: impl Into<Cow<'static, str>>,
        kind: TaskKind,
        task: impl Future<Output = Result<(), E>> + Send + 'static,
    ) where
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        let name = name.into().into_owned();
        let number = self.spawned;
        self.spawned += 1;
        let span = tracing::info_span!("task", name);
        self.running.insert(number, (name, kind));
        let task = async move {
            let ended = AssertUnwindSafe(task).catch_unwind().await;
            let ended = ended.map(|result| result.map_err(|error| with_causes(&*error.into())));
            (number, ended.map_err(|panic| panic_text(&*panic)))
        };
        self.tasks.spawn(task.instrument(span));
    }

    /// Runs until every task has ended, or until the abort.
    ///
    /// # Errors
    /// The first failure.
    pub async fn run(mut self) -> Result<(), TaskFailure> {
        let mut first = None;
        loop {
            let ended = tokio::select! {
                biased;
                ended = self.tasks.join_next() => ended,
                () = self.shutdown.aborted() => break,
            };
            let Some(ended) = ended else { break };
            // Nobody aborts single tasks, and panics are caught inside: a join error cannot name a task of ours.
            let Ok((number, result)) = ended else { continue };
            if let Err(failure) = self.ended(number, result) {
                tracing::error!(error = %failure, "process failing");
                self.shutdown.begin(failure.to_string());
                first.get_or_insert(failure);
            }
        }
        self.tasks.abort_all();
        while self.tasks.join_next().await.is_some() {}
        if first.is_none() && !self.running.is_empty() {
            let tasks = self.running.into_values().map(|(name, _)| name).collect();
            first = Some(TaskFailure::NotDrained { tasks });
        }
        first.map_or(Ok(()), Err)
    }

    fn ended(&mut self, number: u64, result: Result<Result<(), String>, String>) -> Result<(), TaskFailure> {
        let Some((task, kind)) = self.running.remove(&number) else {
            return Ok(());
        };
        match result {
            Err(cause) => Err(TaskFailure::Panicked { task, cause }),
            Ok(Err(cause)) => Err(TaskFailure::Failed { task, cause }),
            Ok(Ok(())) => match kind.when_done(self.shutdown.is_draining()) {
                WhenDone::Nothing => Ok(()),
                WhenDone::Drain => {
                    self.shutdown.begin(format!("{task} is done"));
                    Ok(())
                }
                WhenDone::Fail => Err(TaskFailure::EndedEarly { task }),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    async fn until_drained(shutdown: Shutdown) -> Result<(), std::io::Error> {
        shutdown.draining().await;
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn a_failing_task_drains_the_others_and_is_named_with_its_cause() {
        let shutdown = Shutdown::new();
        let mut supervisor = Supervisor::new(shutdown.clone());
        supervisor.spawn("server", TaskKind::Service, until_drained(shutdown));
        supervisor.spawn("store", TaskKind::Service, async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Err(std::io::Error::other("disk gone"))
        });
        let failure = supervisor.run().await.unwrap_err();
        assert_eq!(failure.to_string(), "task store failed: disk gone");
    }

    #[tokio::test]
    async fn a_panic_fails_the_process_with_what_it_said() {
        let mut supervisor = Supervisor::new(Shutdown::new());
        supervisor.spawn("merger shard 3", TaskKind::Helper, async {
            assert_eq!(1, 2, "counts differ");
            Ok::<(), std::io::Error>(())
        });
        let failure = supervisor.run().await.unwrap_err().to_string();
        assert!(failure.starts_with("task merger shard 3 panicked: "), "{failure}");
        assert!(failure.contains("counts differ"), "{failure}");
    }

    #[tokio::test]
    async fn the_process_drains_when_its_work_is_done() {
        let shutdown = Shutdown::new();
        let mut supervisor = Supervisor::new(shutdown.clone());
        supervisor.spawn("server", TaskKind::Service, until_drained(shutdown.clone()));
        supervisor.spawn("ingest", TaskKind::Work, async { Ok::<(), std::io::Error>(()) });
        assert_eq!(supervisor.run().await, Ok(()));
        assert_eq!(shutdown.reason(), Some("ingest is done"));
    }

    #[tokio::test]
    async fn a_service_that_ends_unasked_is_a_failure() {
        let mut supervisor = Supervisor::new(Shutdown::new());
        supervisor.spawn("server", TaskKind::Service, async {
            Ok::<(), std::io::Error>(())
        });
        assert_eq!(
            supervisor.run().await,
            Err(TaskFailure::EndedEarly {
                task: "server".into()
            })
        );
    }

    #[tokio::test]
    async fn an_abort_names_what_had_not_drained() {
        let shutdown = Shutdown::new();
        let mut supervisor = Supervisor::new(shutdown.clone());
        supervisor.spawn(
            "slow",
            TaskKind::Service,
            std::future::pending::<Result<(), std::io::Error>>(),
        );
        shutdown.abort("second signal");
        assert_eq!(
            supervisor.run().await,
            Err(TaskFailure::NotDrained {
                tasks: vec!["slow".into()]
            })
        );
    }
}
