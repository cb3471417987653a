use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

use super::ground::{Ground, Reading};
use super::http::get;
use crate::bench::cpu::family_time;
use crate::failure::Failure;

/// How long a process may take to load its rules, and all of them to end.
const PATIENCE: Duration = Duration::from_mins(2);

/// Between two looks at a process.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How long processes that are ready are left alone before anything is measured.
const SETTLED: Duration = Duration::from_secs(1);

/// The end of a log that a failure shows.
const LOG_BYTES_SHOWN: usize = 2_000;

/// What the process with all services is called.
const ALL: &str = "all";

/// How the services are spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::bench) enum Shape {
    /// All in one process.
    One,
    /// Each in its own, on loopback in plain text.
    Four,
    /// The same with mutual TLS.
    FourTls,
}

impl Shape {
    /// Its name in reports.
    pub(in crate::bench) const fn name(self) -> &'static str {
        match self {
            Self::One => "one process",
            Self::Four => "four processes",
            Self::FourTls => "four processes, mutual tls",
        }
    }

    /// Services, each after those that it calls.
    const fn services(self) -> &'static [Option<&'static str>] {
        match self {
            Self::One => &[None],
            Self::Four | Self::FourTls => &[
                Some("dispatcher"),
                Some("merger"),
                Some("rules-node"),
                Some("classifier"),
            ],
        }
    }
}

/// Processes that work. They are killed when this is dropped.
pub(in crate::bench) struct Processes {
    dir: PathBuf,
    members: Vec<Member>,
}

struct Member {
    name: &'static str,
    child: Child,
    metrics: SocketAddr,
    log: PathBuf,
}

impl Processes {
    /// Starts them and waits until they are ready. Each has an embedded store of its own.
    pub(in crate::bench) async fn start(
        ground: &Ground,
        shape: Shape,
        readings: &[Reading],
        sink: Option<SocketAddr>,
    ) -> Result<Self, Failure> {
        let dir = ground.run_dir("run")?;
        let mut arguments = ground.arguments(&dir, readings, sink)?;
        for name in ["rules_node", "merger", "dispatcher"] {
            arguments.extend(["--set".to_owned(), format!("listen.{name}={}", free_address()?)]);
        }
        if let Some(tls) = ground.tls().filter(|_| shape == Shape::FourTls) {
            for (key, path) in [("cert", &tls.cert), ("key", &tls.key), ("ca", &tls.ca)] {
                let path = std::path::absolute(path)?;
                arguments.extend(["--set".to_owned(), format!("tls.{key}={}", path.display())]);
            }
            arguments.extend(["--set".to_owned(), format!("tls.server_name={}", tls.server_name)]);
        }
        let mut members = Vec::new();
        for service in shape.services() {
            let mut member = Member::start(&dir, *service, &arguments)?;
            member.wait_until_ready().await?;
            members.push(member);
        }
        sleep(SETTLED).await;
        Ok(Self { dir, members })
    }

    /// The folder of this run.
    pub(in crate::bench) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Computing time of each process and its children, by the service's name; `None` where there is no `/proc`.
    pub(in crate::bench) fn times(&self) -> Option<Vec<(&'static str, Duration)>> {
        let members = self.members.iter();
        members
            .map(|member| Some((member.name, family_time(member.child.id()?)?)))
            .collect()
    }

    /// Waits until the sum of a metric is at least `least`.
    pub(in crate::bench) async fn wait_for_at_least(
        &self,
        service: &str,
        metric: &str,
        least: f64,
    ) -> Result<(), Failure> {
        let mut moved = (f64::NAN, Instant::now());
        loop {
            let now = self.metric(service, metric).await?;
            if now >= least {
                return Ok(());
            }
            // Not a matter of how long it takes, but of whether it goes on.
            if now.total_cmp(&moved.0).is_ne() {
                moved = (now, Instant::now());
            } else if moved.1.elapsed() > PATIENCE {
                return Err(Failure::Other(format!("{metric} stands at {now} of {least}")));
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// Waits until everything that was accepted is delivered, but for open groups.
    pub(in crate::bench) async fn wait_until_delivered(&self) -> Result<(), Failure> {
        let begun = Instant::now();
        loop {
            let mut left = 0.0;
            for metric in [
                "streamalert_merger_accepting",
                "streamalert_merger_outstanding",
                "streamalert_merger_backlog",
            ] {
                left += self.metric("merger", metric).await?;
            }
            if left == 0.0 {
                return Ok(());
            }
            if begun.elapsed() > PATIENCE {
                return Err(Failure::Other(format!("{left} alerts are not delivered")));
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// A metric of a service, summed over its labels. Only that service's process is asked: telling costs it time.
    pub(in crate::bench) async fn metric(&self, service: &str, name: &str) -> Result<f64, Failure> {
        let of = |member: &&Member| member.name == service || member.name == ALL;
        let member = self.members.iter().find(of);
        let member = member.ok_or_else(|| Failure::Other(format!("no process runs the {service}")))?;
        match get(member.metrics, "/metrics").await {
            Ok(page) => Ok(value(&page, name)),
            Err(error) => Err(member.failure(&error.to_string())),
        }
    }

    /// Has them end as an operator would, callers first.
    pub(in crate::bench) async fn stop(mut self) -> Result<(), Failure> {
        while let Some(mut member) = self.members.pop() {
            let id = member
                .child
                .id()
                .and_then(|id| i32::try_from(id).ok())
                .and_then(Pid::from_raw);
            if let Some(id) = id {
                kill_process(id, Signal::TERM).map_err(std::io::Error::from)?;
            }
            let ended = tokio::time::timeout(PATIENCE, member.child.wait()).await;
            if ended.is_err() {
                return Err(member.failure("it does not end"));
            }
        }
        Ok(())
    }
}

impl Member {
    fn start(dir: &Path, service: Option<&'static str>, arguments: &[String]) -> Result<Self, Failure> {
        let name = service.unwrap_or(ALL);
        let (log, metrics) = (dir.join(format!("{name}.log")), free_address()?);
        let file = std::fs::File::create(&log)?;
        let child = Command::new(std::env::current_exe()?)
            .args(arguments)
            .args(["--data-dir".as_ref(), dir.join(name).as_os_str()])
            .args(["--set", "listen.admin=127.0.0.1:0"])
            .args(["--set", &format!("listen.metrics={metrics}")])
            .arg("run")
            .args(service)
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| Failure::while_doing("cannot start this program again", error))?;
        Ok(Self {
            name,
            child,
            metrics,
            log,
        })
    }

    async fn wait_until_ready(&mut self) -> Result<(), Failure> {
        let begun = Instant::now();
        while get(self.metrics, "/metrics").await.is_err() {
            if self.child.try_wait()?.is_some() {
                return Err(self.failure("it has ended"));
            }
            if begun.elapsed() > PATIENCE {
                return Err(self.failure("it does not get ready"));
            }
            sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    fn failure(&self, reason: &str) -> Failure {
        let log = std::fs::read(&self.log).unwrap_or_default();
        let end = &log[log.len().saturating_sub(LOG_BYTES_SHOWN)..];
        Failure::Other(format!(
            "{}: {reason}\n{}",
            self.name,
            String::from_utf8_lossy(end)
        ))
    }
}

/// A port that nobody has at the moment.
pub(in crate::bench) fn free_address() -> std::io::Result<SocketAddr> {
    TcpListener::bind("127.0.0.1:0")?.local_addr()
}

/// The sum of a metric's samples on a page in the text format of Prometheus.
fn value(page: &str, name: &str) -> f64 {
    let samples = page.lines().filter_map(|line| {
        let rest = line.strip_prefix(name)?;
        let rest = rest.strip_prefix("_total").unwrap_or(rest);
        if !rest.starts_with(['{', ' ']) {
            return None;
        }
        rest.rsplit(' ').next()?.parse::<f64>().ok()
    });
    samples.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_of_one_metric_are_summed_and_those_of_longer_names_are_not() {
        let page = "# HELP a_b x\n# TYPE a_b counter\na_b{of=\"one\"} 2\na_b{of=\"two {\"} 3.5\na_b_c 7\n\
                    d_total 4\n";
        assert_eq!(value(page, "a_b"), 5.5);
        assert_eq!(value(page, "d"), 4.0);
        assert_eq!(value(page, "e"), 0.0);
    }
}
