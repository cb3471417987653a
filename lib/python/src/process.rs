use std::collections::{HashSet, VecDeque};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde::Serialize;
use streamalert_detect::{KillReason, RuleIndex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::frame::{self, Frame};
use crate::load::Loaded;
use crate::spawner::Spawner;
use crate::watchdog::{CpuSample, ProgressWord, address_space_bytes, cpu_sample};
use crate::{Interpreter, shim};

/// The worker's exit code for "over the memory limit"; see `guard.py`.
const EXIT_MEMORY: i32 = 86;

/// A worker reads what it is sent at once, unless user code holds it up.
const WRITE_MAX: Duration = Duration::from_secs(10);

/// Python itself and our own package are up within this time, even on a machine that is very busy.
const START_MAX: Duration = Duration::from_secs(60);

/// Answers that wait for the slot; a worker has one to give.
const FRAMES_MAX: usize = 2;

/// Lines kept to explain why a worker did not start.
const TAIL_LINES_MAX: usize = 20;

/// What the worker is told at start, in its first frame.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct InitMessage {
    pub(crate) parent: i32,
    pub(crate) repo_root: PathBuf,
    pub(crate) conf_dir: PathBuf,
    pub(crate) rule_dirs: Vec<PathBuf>,
    pub(crate) matcher_dirs: Vec<PathBuf>,
    pub(crate) publisher_dirs: Vec<PathBuf>,
    pub(crate) lookup_tables: std::collections::BTreeMap<String, PathBuf>,
    pub(crate) skip_files: Vec<PathBuf>,
    pub(crate) progress_file: PathBuf,
    pub(crate) memory_bytes: u64,
    pub(crate) open_files: u64,
    pub(crate) file_bytes: u64,
    pub(crate) network: bool,
    pub(crate) allow_processes: bool,
    /// Whether it is to send what it loaded and end, instead of evaluating.
    pub(crate) export: bool,
    pub(crate) slice_secs: f64,
    pub(crate) print_lines_per_sec_max: u32,
}

/// What processes are started from.
#[derive(Debug)]
pub(crate) struct Launcher {
    pub(crate) spawner: Spawner,
    pub(crate) interpreter: Interpreter,
    /// Holds the shim; removed with the launcher.
    pub(crate) dir: tempfile::TempDir,
    pub(crate) init: InitMessage,
    pub(crate) load_max: Duration,
    pub(crate) lines_dropped: Arc<AtomicU64>,
}

/// Why a worker did not come up.
#[derive(Debug)]
pub(crate) enum LaunchFailure {
    /// Importing this file took too long or ended the process.
    File {
        path: PathBuf,
        timed_out: bool,
        how: String,
    },
    /// Anything else.
    Other(String),
}

/// A worker process that has loaded the user's files.
#[derive(Debug)]
pub(crate) struct WorkerProcess {
    child: Child,
    pid: u32,
    stdin: ChildStdin,
    frames: mpsc::Receiver<Frame>,
    progress: File,
    memory_bytes: u64,
    /// Address space after loading.
    baseline_bytes: u64,
    tail: Arc<Mutex<VecDeque<String>>>,
    /// Rules of the pool's set that this process did not find.
    pub(crate) missing: HashSet<RuleIndex>,
}

impl Launcher {
    /// Starts a process and waits until it has loaded the user's files, except those in `skip`.
    pub(crate) async fn launch(&self, skip: &[PathBuf]) -> Result<(WorkerProcess, Loaded), LaunchFailure> {
        let other =
            |doing: &str, error: std::io::Error| LaunchFailure::Other(format!("cannot {doing}: {error}"));
        let progress = self
            .progress_file()
            .map_err(|error| other("make the progress file", error))?;
        let mut init = self.init.clone();
        init.skip_files = skip.to_vec();
        init.progress_file = progress.path().to_owned();
        let command = self.command();
        let child = self
            .spawner
            .spawn(command)
            .await
            .map_err(|error| other("start python", error))?;
        let mut process = WorkerProcess::new(child, progress.as_file(), self)
            .ok_or_else(|| LaunchFailure::Other("the process has no pipes".into()))?;
        let init = serde_json::to_vec(&init).map_err(|error| LaunchFailure::Other(error.to_string()))?;
        if !process.send(&frame::frame(frame::INIT, &init)).await {
            return Err(process.did_not_start().await);
        }
        let loaded = process.loaded(self.load_max).await?;
        process.baseline_bytes = address_space_bytes(process.pid).unwrap_or(0);
        Ok((process, loaded))
    }

    /// Eight bytes that parent and child share, in memory where the system has a file system for that.
    fn progress_file(&self) -> std::io::Result<tempfile::NamedTempFile> {
        let shared_memory = Path::new("/dev/shm");
        let builder = |dir: &Path| {
            tempfile::Builder::new()
                .prefix("streamalert-progress-")
                .tempfile_in(dir)
        };
        let file = builder(shared_memory).or_else(|_| builder(self.dir.path()))?;
        file.as_file()
            .write_all_at(&ProgressWord::INITIAL.0.to_ne_bytes(), 0)?;
        Ok(file)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.interpreter.path);
        command
            .arg("-B")
            .arg(self.dir.path().join(shim::ENTRY))
            .env("PYTHONUNBUFFERED", "1")
            // Each arena of the allocator reserves address space, which the memory limit counts.
            .env("MALLOC_ARENA_MAX", "2")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        command
    }
}

impl WorkerProcess {
    fn new(mut child: Child, progress: &File, launcher: &Launcher) -> Option<Self> {
        let (stdin, stdout, stderr) = (child.stdin.take()?, child.stdout.take()?, child.stderr.take()?);
        let pid = child.id()?;
        let (answers, frames) = mpsc::channel(FRAMES_MAX);
        let tail = Arc::new(Mutex::new(VecDeque::new()));
        tokio::spawn(read_answers(stdout, answers));
        let printed = Printed {
            tail: tail.clone(),
            dropped: launcher.lines_dropped.clone(),
            lines_per_sec_max: launcher.init.print_lines_per_sec_max,
        };
        tokio::spawn(read_prints(stderr, printed));
        Some(Self {
            child,
            pid,
            stdin,
            frames,
            progress: progress.try_clone().ok()?,
            memory_bytes: launcher.init.memory_bytes,
            baseline_bytes: 0,
            tail,
            missing: HashSet::new(),
        })
    }

    async fn loaded(&mut self, load_max: Duration) -> Result<Loaded, LaunchFailure> {
        let mut loading: Option<PathBuf> = None;
        loop {
            let wait = if loading.is_some() { load_max } else { START_MAX };
            let received = tokio::time::timeout(wait, self.receive()).await;
            let timed_out = received.is_err();
            match received.ok().flatten() {
                Some(frame) if frame.kind == frame::LOADING => {
                    let path = std::ffi::OsStr::new(std::str::from_utf8(&frame.body).unwrap_or_default());
                    loading = Some(PathBuf::from(path));
                }
                Some(frame) if frame.kind == frame::LOADED => {
                    return serde_json::from_slice(&frame.body)
                        .map_err(|error| LaunchFailure::Other(format!("unreadable load report: {error}")));
                }
                Some(frame) => return Err(LaunchFailure::Other(format!("unexpected frame {}", frame.kind))),
                None => {
                    let Some(path) = loading else {
                        return Err(self.did_not_start().await);
                    };
                    let how = if timed_out {
                        format!("importing took longer than {load_max:?}")
                    } else {
                        format!("importing ended the worker: {}", self.death().await)
                    };
                    self.kill().await;
                    return Err(LaunchFailure::File { path, timed_out, how });
                }
            }
        }
    }

    async fn did_not_start(&mut self) -> LaunchFailure {
        let how = self.death().await;
        let tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        let printed = tail.iter().cloned().collect::<Vec<_>>().join(" | ");
        LaunchFailure::Other(format!("{how}; it printed: {printed}"))
    }

    /// Writes a frame; false when the process does not take it.
    pub(crate) async fn send(&mut self, frame: &[u8]) -> bool {
        matches!(
            tokio::time::timeout(WRITE_MAX, self.stdin.write_all(frame)).await,
            Ok(Ok(()))
        )
    }

    /// The next answer; `None` when the process is gone or speaks nonsense. Nothing is lost when the future
    /// is dropped.
    pub(crate) async fn receive(&mut self) -> Option<Frame> {
        self.frames.recv().await
    }

    /// What it is doing.
    pub(crate) fn progress(&self) -> ProgressWord {
        let mut bytes = [0; 8];
        match self.progress.read_exact_at(&mut bytes, 0) {
            Ok(()) => ProgressWord(u64::from_ne_bytes(bytes)),
            Err(_) => ProgressWord::INITIAL,
        }
    }

    /// How much it has computed.
    pub(crate) fn cpu_sample(&self) -> Option<CpuSample> {
        cpu_sample(self.pid)
    }

    /// Whether it has grown so much since it loaded that a rule must be leaking. Replacing it in time keeps
    /// the memory limit from striking a rule that only asked for the last bytes.
    pub(crate) fn has_grown(&self) -> bool {
        let room = self.memory_bytes.saturating_sub(self.baseline_bytes);
        self.memory_bytes > 0
            && address_space_bytes(self.pid).is_some_and(|bytes| bytes > self.baseline_bytes + room / 10 * 6)
    }

    /// Ends it and whatever it started.
    pub(crate) async fn kill(&mut self) {
        if let Some(pid) = i32::try_from(self.pid)
            .ok()
            .and_then(Pid::from_raw)
            .filter(|_| self.child.id().is_some())
        {
            // The group may be empty and the process may have left it; both are fine.
            let _ = kill_process_group(pid, Signal::KILL);
            let _ = kill_process(pid, Signal::KILL);
        }
        let _ = self.child.kill().await;
    }

    /// How it ended, after its stream did.
    pub(crate) async fn death(&mut self) -> KillReason {
        let waited = tokio::time::timeout(Duration::from_secs(1), self.child.wait()).await;
        let Ok(Ok(status)) = waited else {
            self.kill().await;
            return KillReason::Protocol("it closed its stream or broke off a frame".into());
        };
        match (status.code(), status.signal()) {
            (Some(EXIT_MEMORY), _) => KillReason::Memory {
                limit_bytes: self.memory_bytes,
            },
            (Some(code), _) => KillReason::Exit(code),
            (None, Some(signal)) => KillReason::Signal(signal),
            (None, None) => KillReason::Protocol("it ended in an unknown way".into()),
        }
    }
}

async fn read_answers(mut stdout: ChildStdout, answers: mpsc::Sender<Frame>) {
    while let Some(frame) = frame::read_frame(&mut stdout).await {
        if answers.send(frame).await.is_err() {
            return;
        }
    }
}

struct Printed {
    tail: Arc<Mutex<VecDeque<String>>>,
    dropped: Arc<AtomicU64>,
    lines_per_sec_max: u32,
}

/// Longest line that is logged; the rest of it is dropped.
const LINE_BYTES_MAX: usize = 2048;

/// Drains what the process prints, so that it never blocks, and logs what is within its allowance.
async fn read_prints(mut stderr: ChildStderr, printed: Printed) {
    let mut buffer = [0_u8; 16 * 1024];
    let mut line = Vec::new();
    let (mut second, mut lines) = (Instant::now(), 0);
    while let Ok(count @ 1..) = stderr.read(&mut buffer).await {
        for part in buffer[..count].split_inclusive(|byte| *byte == b'\n') {
            let room = LINE_BYTES_MAX.saturating_sub(line.len());
            line.extend_from_slice(&part[..part.len().min(room)]);
            if part.last() != Some(&b'\n') {
                continue;
            }
            if second.elapsed() >= Duration::from_secs(1) {
                (second, lines) = (Instant::now(), 0);
            }
            lines += 1;
            if lines <= printed.lines_per_sec_max {
                printed.log(&line);
            } else {
                printed.dropped.fetch_add(1, Ordering::Relaxed);
            }
            line.clear();
        }
    }
}

impl Printed {
    fn log(&self, line: &[u8]) {
        let line = String::from_utf8_lossy(line).trim_end().to_owned();
        tracing::info!(target: "streamalert::user_code", %line, "python code printed");
        let mut tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        if tail.len() >= TAIL_LINES_MAX {
            tail.pop_front();
        }
        tail.push_back(line);
    }
}
