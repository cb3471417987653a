use std::path::{Path, PathBuf};

use super::child::{Child, EmulatorError, Plan};
use super::{emulators_dir, http, present, skipped};

/// A server that no emulator of AWS is, with a word of control: see `tests/emulators/peers/control.py`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeerKind {
    /// aiosmtpd, on three ports: `starttls`, `implicit` and `none`.
    Smtp,
    /// rsyslog, on three ports: `tls`, `tcp` and `udp`.
    Syslog,
    /// The brokers that librdkafka has for its own tests.
    Kafka,
}

impl PeerKind {
    const fn name(self) -> &'static str {
        match self {
            Self::Smtp => "aiosmtpd",
            Self::Syslog => "rsyslog",
            Self::Kafka => "librdkafka",
        }
    }

    /// By whose absence one sees that it is not installed.
    fn needs(self, dir: &Path) -> PathBuf {
        let packages = "python/lib/python3/site-packages";
        match self {
            Self::Smtp => dir.join(packages).join("aiosmtpd"),
            // its module for TLS, which is a package of its own
            Self::Syslog => format!(
                "/usr/lib/{}-linux-gnu/rsyslog/lmnsd_gtls.so",
                std::env::consts::ARCH
            )
            .into(),
            Self::Kafka => dir.join(packages).join("confluent_kafka"),
        }
    }

    const fn script(self) -> &'static str {
        match self {
            Self::Smtp => "smtp.py",
            Self::Syslog => "syslog.py",
            Self::Kafka => "kafka.py",
        }
    }
}

/// A running one. It ends when this is dropped, and with this process.
#[derive(Debug)]
pub struct Peer {
    kind: PeerKind,
    child: Child,
}

impl Peer {
    /// Starts one that finds what it needs, such as certificates, in `folder`; `None` where it is not installed.
    ///
    /// # Panics
    /// When it is not installed and `CI` is set, or does not start.
    pub async fn start(kind: PeerKind, folder: &Path) -> Option<Self> {
        let peer = present(Self::started(kind, folder).await);
        if peer.is_none() {
            skipped(kind.name());
        }
        peer
    }

    async fn started(kind: PeerKind, folder: &Path) -> Result<Self, EmulatorError> {
        let dir = emulators_dir();
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/emulators/peers");
        let text = |path: &Path| path.display().to_string();
        let plan = Plan::new(kind.name(), dir.join("python/bin/python"))
            .needs(kind.needs(&dir))
            .args([&text(&scripts.join(kind.script())), "PORT", &text(folder)])
            .answers("/")
            .checked()?;
        let child = Child::start(&plan).await?;
        Ok(Self { kind, child })
    }

    /// One word of control; the answer is JSON.
    ///
    /// # Panics
    /// When it does not answer.
    pub async fn ask(&self, method: &str, path: &str, body: &str) -> String {
        let answer = http::call(self.child.port(), method, path, body).await;
        let name = self.kind.name();
        let answer = answer.unwrap_or_else(|error| panic!("{name}: {error}; {}", self.child.output()));
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        assert!(
            head.contains(" 200 "),
            "{name}: {answer}; {}",
            self.child.output()
        );
        body.to_owned()
    }

    /// The end of what it has written, for a test that fails.
    #[must_use]
    pub fn output(&self) -> String {
        self.child.output()
    }
}
