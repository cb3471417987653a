//! A process that answers frames: a length as 32 bits, little endian, then so many bytes.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use crate::subject::Trouble;

/// Answers larger than this are no answers.
const FRAME_MAX: usize = 1 << 30;

#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    stdin: ChildStdin,
    frames: Receiver<Vec<u8>>,
}

impl Process {
    /// Starts a script in an interpreter, without its user's site packages and environment.
    pub(crate) fn start(
        interpreter: &Path,
        script: &Path,
        arguments: &[String],
        hash_seed: &str,
    ) -> Result<Self, String> {
        let failed = |error: std::io::Error| format!("{}: {error}", interpreter.display());
        let mut child = Command::new(interpreter)
            .arg("-s")
            .arg(script)
            .args(arguments)
            .env_clear()
            .env("PYTHONHASHSEED", hash_seed)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("PYTHONWARNINGS", "ignore")
            .env("TZ", "UTC")
            .env("LC_ALL", "C.UTF-8")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(failed)?;
        let stdin = child.stdin.take().ok_or("no stdin")?;
        let mut stdout = child.stdout.take().ok_or("no stdout")?;
        let (sender, frames) = channel();
        // A thread, so that waiting for an answer has a limit.
        std::thread::spawn(move || {
            loop {
                let mut head = [0; 4];
                if stdout.read_exact(&mut head).is_err() {
                    return;
                }
                let length = u32::from_le_bytes(head) as usize;
                let mut body = vec![0; length.min(FRAME_MAX)];
                if length > FRAME_MAX || stdout.read_exact(&mut body).is_err() || sender.send(body).is_err() {
                    return;
                }
            }
        });
        Ok(Self { child, stdin, frames })
    }

    pub(crate) fn send(&mut self, body: &[u8]) -> Result<(), Trouble> {
        let length = u32::try_from(body.len()).map_err(|_| Trouble::Gone("request too long".into()))?;
        let written = self
            .stdin
            .write_all(&length.to_le_bytes())
            .and_then(|()| self.stdin.write_all(body))
            .and_then(|()| self.stdin.flush());
        written.map_err(|error| Trouble::Gone(error.to_string()))
    }

    pub(crate) fn receive(&mut self, limit: Duration) -> Result<Vec<u8>, Trouble> {
        self.frames.recv_timeout(limit).map_err(|error| match error {
            RecvTimeoutError::Timeout => Trouble::Hang,
            RecvTimeoutError::Disconnected => {
                let status = self.child.wait();
                Trouble::Gone(status.map_or_else(|error| error.to_string(), |status| status.to_string()))
            }
        })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may hang; whether it is dead already does not matter.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Takes a frame apart.
#[derive(Debug)]
pub(crate) struct Reader<'b>(pub(crate) &'b [u8]);

impl<'b> Reader<'b> {
    pub(crate) fn byte(&mut self) -> Result<u8, String> {
        let (&first, rest) = self.0.split_first().ok_or("short answer")?;
        self.0 = rest;
        Ok(first)
    }

    pub(crate) fn number(&mut self) -> Result<usize, String> {
        let (head, rest) = self.0.split_first_chunk::<4>().ok_or("short answer")?;
        self.0 = rest;
        Ok(u32::from_le_bytes(*head) as usize)
    }

    pub(crate) fn text(&mut self) -> Result<&'b str, String> {
        let length = self.number()?;
        let (text, rest) = self.0.split_at_checked(length).ok_or("short answer")?;
        self.0 = rest;
        std::str::from_utf8(text).map_err(|error| error.to_string())
    }
}

/// Appends a length and a text.
pub(crate) fn put(out: &mut Vec<u8>, text: &str) {
    let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(text.as_bytes());
}
