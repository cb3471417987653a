use std::fs::File;
use std::io;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::time::Instant;

/// Between two looks at what a process has written. Short beside the start of a process.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Why a process is not as the test wants it.
#[derive(Debug, thiserror::Error)]
pub enum HarnessError {
    /// It cannot be started.
    #[error("{binary} cannot be started: {error}")]
    NotStarted {
        /// Its path.
        binary: String,
        /// Why.
        error: io::Error,
    },
    /// It ended before it was ready.
    #[error("it ended with {status} before it wrote {line:?}; its output: {output}")]
    EndedEarly {
        /// How.
        status: ExitStatus,
        /// What was waited for.
        line: String,
        /// What it wrote.
        output: String,
    },
    /// It did not get ready, or did not end, in time.
    #[error("not {what} after {} s; its output: {output}", .waited.as_secs_f64())]
    TooSlow {
        /// What was waited for.
        what: String,
        /// How long.
        waited: Duration,
        /// What it wrote.
        output: String,
    },
    /// It cannot be waited for or signalled.
    #[error("process: {0}")]
    Io(#[from] io::Error),
}

/// A process to start.
#[derive(Debug, Clone)]
pub struct ServiceSpec {
    /// The binary; see [`streamalert_binary`].
    pub binary: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// Variables besides the test's own.
    pub env: Vec<(String, String)>,
    /// Where it is started.
    pub dir: PathBuf,
    /// Where its output goes: `NAME.stdout` and `NAME.stderr` in there, appended over restarts.
    pub log_dir: PathBuf,
    /// The name of its logs.
    pub name: String,
}

/// A running process. Killed when dropped.
#[derive(Debug)]
pub struct ServiceProcess {
    child: Child,
    stdout: PathBuf,
    stderr: PathBuf,
    /// Lengths of the logs at the start: what was written before is another run's.
    logs_begin: (u64, u64),
}

impl ServiceProcess {
    /// Starts it and, when `ready` is given, waits until a line of its output contains that.
    ///
    /// # Errors
    /// See [`HarnessError`]; a process that is not ready in time is killed.
    pub async fn start(
        spec: &ServiceSpec,
        ready: Option<&str>,
        limit: Duration,
    ) -> Result<Self, HarnessError> {
        let log = |kind: &str| spec.log_dir.join(format!("{}.{kind}", spec.name));
        let (stdout, stderr) = (log("stdout"), log("stderr"));
        let append = |path: &Path| File::options().create(true).append(true).open(path);
        let (out, err) = (append(&stdout)?, append(&stderr)?);
        let logs_begin = (out.metadata()?.len(), err.metadata()?.len());
        let child = Command::new(&spec.binary)
            .args(&spec.args)
            .envs(spec.env.iter().map(|(name, value)| (name, value)))
            .current_dir(&spec.dir)
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| HarnessError::NotStarted {
                binary: spec.binary.display().to_string(),
                error,
            })?;
        let mut process = Self {
            child,
            stdout,
            stderr,
            logs_begin,
        };
        if let Some(line) = ready {
            process.wait_for_line(line, limit).await?;
        }
        Ok(process)
    }

    /// Waits until something of its output, standard error included, contains `line`.
    ///
    /// # Errors
    /// See [`HarnessError`].
    pub async fn wait_for_line(&mut self, line: &str, limit: Duration) -> Result<(), HarnessError> {
        let deadline = Instant::now() + limit;
        loop {
            // asked first: what it wrote before it ended is complete then
            let ended = self.child.try_wait()?;
            let output = self.output();
            if output.lines().any(|written| written.contains(line)) {
                return Ok(());
            }
            if let Some(status) = ended {
                return Err(HarnessError::EndedEarly {
                    status,
                    line: line.to_owned(),
                    output,
                });
            }
            if Instant::now() >= deadline {
                return Err(HarnessError::TooSlow {
                    what: format!("{line:?} written"),
                    waited: limit,
                    output,
                });
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// What it has written since it was started: standard error, then standard output.
    #[must_use]
    pub fn output(&self) -> String {
        let since = |path: &Path, begin: u64| {
            let bytes = std::fs::read(path).unwrap_or_default();
            let begin = usize::try_from(begin).unwrap_or(usize::MAX).min(bytes.len());
            String::from_utf8_lossy(&bytes[begin..]).into_owned()
        };
        since(&self.stderr, self.logs_begin.1) + &since(&self.stdout, self.logs_begin.0)
    }

    /// Its process id; `None` once it was waited for.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Ends it with SIGKILL and waits until it is gone.
    ///
    /// # Errors
    /// See [`HarnessError`].
    pub async fn kill(&mut self) -> Result<ExitStatus, HarnessError> {
        self.signal(Signal::KILL)?;
        Ok(self.child.wait().await?)
    }

    /// Asks it to end with SIGTERM and waits.
    ///
    /// # Errors
    /// See [`HarnessError`]; a process that does not end in time is left running.
    pub async fn terminate(&mut self, limit: Duration) -> Result<ExitStatus, HarnessError> {
        self.signal(Signal::TERM)?;
        self.wait(limit).await
    }

    /// Waits until it ends by itself.
    ///
    /// # Errors
    /// See [`HarnessError`].
    pub async fn wait(&mut self, limit: Duration) -> Result<ExitStatus, HarnessError> {
        match tokio::time::timeout(limit, self.child.wait()).await {
            Ok(status) => Ok(status?),
            Err(_) => Err(HarnessError::TooSlow {
                what: "ended".to_owned(),
                waited: limit,
                output: self.output(),
            }),
        }
    }

    /// Freezes it with SIGSTOP: it neither works nor answers, and its connections stay open.
    ///
    /// # Errors
    /// See [`HarnessError`].
    pub fn freeze(&self) -> Result<(), HarnessError> {
        self.signal(Signal::STOP)
    }

    /// Lets a frozen process go on.
    ///
    /// # Errors
    /// See [`HarnessError`].
    pub fn thaw(&self) -> Result<(), HarnessError> {
        self.signal(Signal::CONT)
    }

    /// Sends a signal; does nothing once the process was waited for.
    fn signal(&self, signal: Signal) -> Result<(), HarnessError> {
        let pid = self
            .child
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .and_then(Pid::from_raw);
        match pid {
            Some(pid) => Ok(kill_process(pid, signal).map_err(io::Error::from)?),
            None => Ok(()),
        }
    }
}

/// The binary `streamalert` of this build: `STREAMALERT_BIN`, or beside the running test.
///
/// # Panics
/// When it is not there: build it first (`cargo build -p streamalert-cli`).
#[must_use]
pub fn streamalert_binary() -> PathBuf {
    if let Some(path) = std::env::var_os("STREAMALERT_BIN") {
        return PathBuf::from(path);
    }
    let test = std::env::current_exe().expect("a running test has a path");
    // target/debug/deps/NAME-HASH → target/debug/streamalert
    let dir = test
        .parent()
        .and_then(Path::parent)
        .expect("a test lies in target/PROFILE/deps");
    let binary = dir.join("streamalert");
    assert!(
        binary.exists(),
        "{} is not built: cargo build, or set STREAMALERT_BIN",
        binary.display()
    );
    binary
}

/// A port of the loopback interface that nobody listens on at this moment.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("the loopback interface has free ports");
    listener
        .local_addr()
        .expect("a bound listener has an address")
        .port()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, dir: &Path) -> ServiceSpec {
        ServiceSpec {
            binary: "/bin/sh".into(),
            args: vec!["-c".to_owned(), script.to_owned()],
            env: vec![("GREETING".to_owned(), "hello".to_owned())],
            dir: dir.to_owned(),
            log_dir: dir.to_owned(),
            name: "shell".to_owned(),
        }
    }

    const LIMIT: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn a_process_gets_ready_and_is_killed_and_started_again() {
        let dir = tempfile::tempdir().unwrap();
        let spec = shell("echo $GREETING ready >&2; exec sleep 60", dir.path());
        let mut process = ServiceProcess::start(&spec, Some("hello ready"), LIMIT)
            .await
            .unwrap();
        let status = process.kill().await.unwrap();
        assert!(!status.success());
        // the line of the first run does not count for the second
        let silent = shell("exec sleep 60", dir.path());
        let error = ServiceProcess::start(&silent, Some("hello ready"), Duration::from_millis(100)).await;
        assert!(matches!(error, Err(HarnessError::TooSlow { .. })), "{error:?}");
    }

    #[tokio::test]
    async fn a_process_ends_by_sigterm_or_before_it_is_ready() {
        let dir = tempfile::tempdir().unwrap();
        let polite = shell(
            "trap 'exit 7' TERM; echo ready; while :; do sleep 0.05; done",
            dir.path(),
        );
        let mut process = ServiceProcess::start(&polite, Some("ready"), LIMIT)
            .await
            .unwrap();
        assert_eq!(process.terminate(LIMIT).await.unwrap().code(), Some(7));
        let error =
            ServiceProcess::start(&shell("echo why; exit 3", dir.path()), Some("ready!"), LIMIT).await;
        assert!(
            matches!(&error, Err(HarnessError::EndedEarly { output, .. }) if output.contains("why")),
            "{error:?}"
        );
    }
}
