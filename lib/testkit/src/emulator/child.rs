use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::Instant;

use super::http;
use crate::free_port;

/// A JVM on a busy machine needs its time.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// Between two looks whether it answers. Short beside the start of a process.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A free port may be another's by the time that the emulator binds it.
const ATTEMPTS_MAX: u32 = 4;

/// Much of a log says no more than its end.
const OUTPUT_BYTES_MAX: usize = 4_000;

/// Runs the emulator and kills it when standard input ends, which it does when the process that holds the other end
/// is gone, even by SIGKILL. An emulator that ends by itself takes this shell along, and leaves its log to be read.
const KEEPER: &str = r#"exec 3<&0
dir=$1
shift
"$@" </dev/null 3<&- & emulator=$!
( read -r _ <&3; kill -KILL $emulator ) & watcher=$!
wait $emulator
status=$?
kill $watcher 2>/dev/null
[ $status -ne 137 ] || rm -rf "$dir"
exit $status"#;

/// Why an emulator does not run.
#[derive(Debug, thiserror::Error)]
pub enum EmulatorError {
    /// It is not installed.
    #[error("{name} is not installed: no {} (run tests/emulators/install.sh)", .path.display())]
    Absent {
        /// The emulator.
        name: &'static str,
        /// What was looked for.
        path: PathBuf,
    },
    /// It did not answer.
    #[error("{name} does not answer: {reason}; its output: {output}")]
    NotReady {
        /// The emulator.
        name: &'static str,
        /// What was seen instead.
        reason: String,
        /// The end of what it wrote.
        output: String,
    },
    /// It cannot be started, watched or talked to.
    #[error("emulator: {0}")]
    Io(#[from] io::Error),
}

/// What to start. `PORT` and `PORT2` in arguments and variables stand for ports that are free when it starts.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    name: &'static str,
    binary: PathBuf,
    needs: PathBuf,
    args: Vec<String>,
    env: Vec<(String, String)>,
    dir: Option<PathBuf>,
    path: &'static str,
}

impl Plan {
    pub(super) fn new(name: &'static str, binary: PathBuf) -> Self {
        Self {
            name,
            needs: binary.clone(),
            binary,
            args: Vec::new(),
            env: Vec::new(),
            dir: None,
            path: "/",
        }
    }

    /// The file by whose absence one sees that it is not installed.
    pub(super) fn needs(mut self, file: PathBuf) -> Self {
        self.needs = file;
        self
    }

    pub(super) fn args<const N: usize>(mut self, args: [&str; N]) -> Self {
        self.args.extend(args.map(str::to_owned));
        self
    }

    pub(super) fn env<N: Into<String>>(mut self, env: impl IntoIterator<Item = (N, String)>) -> Self {
        self.env
            .extend(env.into_iter().map(|(name, value)| (name.into(), value)));
        self
    }

    /// Where it is started, if it must find files of its own there.
    pub(super) fn dir(mut self, dir: PathBuf) -> Self {
        self.dir = Some(dir);
        self
    }

    /// Any answer to a GET of this path means that it is ready.
    pub(super) const fn answers(mut self, path: &'static str) -> Self {
        self.path = path;
        self
    }

    pub(super) fn checked(self) -> Result<Self, EmulatorError> {
        if self.needs.exists() {
            return Ok(self);
        }
        Err(EmulatorError::Absent {
            name: self.name,
            path: self.needs,
        })
    }
}

/// A running emulator behind its keeper. Its standard input is held here: dropping it ends both.
#[derive(Debug)]
pub(super) struct Child {
    keeper: Mutex<std::process::Child>,
    port: u16,
    dir: TempDir,
}

impl Child {
    pub(super) async fn start(plan: &Plan) -> Result<Self, EmulatorError> {
        let mut attempts = 1;
        loop {
            let child = Self::spawn(plan)?;
            match child.ready(plan).await {
                Ok(()) => return Ok(child),
                Err(error) if attempts == ATTEMPTS_MAX => return Err(error),
                Err(_) => attempts += 1,
            }
        }
    }

    fn spawn(plan: &Plan) -> Result<Self, EmulatorError> {
        let dir = tempfile::tempdir()?;
        let (port, second) = (free_port(), free_port());
        let fill = |text: &String| match text.as_str() {
            "PORT" => port.to_string(),
            "PORT2" => second.to_string(),
            _ => text.clone(),
        };
        let log = File::create(dir.path().join("log"))?;
        // Variables go through env(1), so that a preloaded library is not loaded into the keeper.
        let env = plan
            .env
            .iter()
            .map(|(name, value)| format!("{name}={}", fill(value)));
        let keeper = Command::new("/bin/sh")
            .args(["-c", KEEPER, "keeper"])
            .arg(dir.path())
            .arg("/usr/bin/env")
            .args(env)
            .arg(&plan.binary)
            .args(plan.args.iter().map(fill))
            .current_dir(plan.dir.as_deref().unwrap_or(dir.path()))
            .stdin(Stdio::piped())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        Ok(Self {
            keeper: Mutex::new(keeper),
            port,
            dir,
        })
    }

    /// Waits until it answers, and still runs then: what answers could be another's emulator on the same port.
    async fn ready(&self, plan: &Plan) -> Result<(), EmulatorError> {
        let deadline = Instant::now() + START_TIMEOUT;
        let failed = |reason: String| EmulatorError::NotReady {
            name: plan.name,
            reason,
            output: self.output(),
        };
        loop {
            let answered = http::call(self.port, "GET", plan.path, "").await;
            let ended = self
                .keeper
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .try_wait()?;
            match (answered, ended) {
                (_, Some(status)) => return Err(failed(format!("it ended with {status}"))),
                (Ok(_), None) => return Ok(()),
                (Err(error), None) if Instant::now() >= deadline => {
                    return Err(failed(error.to_string()));
                }
                (Err(_), None) => tokio::time::sleep(LOOK_EVERY).await,
            }
        }
    }

    pub(super) const fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(super) fn output(&self) -> String {
        let bytes = std::fs::read(self.dir.path().join("log")).unwrap_or_default();
        let from = bytes.len().saturating_sub(OUTPUT_BYTES_MAX);
        String::from_utf8_lossy(bytes.get(from..).unwrap_or_default()).into_owned()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let keeper = self.keeper.get_mut().unwrap_or_else(PoisonError::into_inner);
        drop(keeper.stdin.take());
        // The keeper ends at once now; waiting leaves no zombie and lets the next emulator have the port.
        let _ = keeper.wait();
    }
}
