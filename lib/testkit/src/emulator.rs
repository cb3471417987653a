//! AWS on this machine: emulators that the tests start on free loopback ports and that end with the test's process,
//! however that ends. `tests/emulators/install.sh` puts them into a cache directory; a test that finds none there says
//! `skipped: …` and passes, and fails where `CI` is set.

mod calls;
mod child;
mod function;
mod http;
mod microburst;
mod peer;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use streamalert_aws::{Access, SdkConfig};
use tokio::sync::OnceCell;

pub use calls::{Calls, Placed, base64};
pub use child::EmulatorError;
use child::{Child, Plan};
pub use microburst::{FIRES_WITHIN, Microburst};
pub use peer::{Peer, PeerKind};

/// The region that every emulator is asked in.
pub const EMULATED_REGION: &str = "us-east-1";

/// Which emulator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmulatorKind {
    /// All of AWS in one Python process. Where it deviates: splitting or merging a Kinesis shard deletes the parent
    /// with its records, and a time to live never deletes.
    Ministack,
    /// AWS's own DynamoDB for one machine: the reference for conditions, transactions and validation.
    DynamoDbLocal,
    /// Kinesis with the lineage of split and merged shards. Knows no accounts: name streams uniquely.
    KinesisLocal,
}

/// A running emulator. It ends when this is dropped, and with this process.
#[derive(Debug)]
pub struct Emulator {
    kind: EmulatorKind,
    child: Child,
}

impl Emulator {
    /// Starts one and waits until it answers.
    ///
    /// # Errors
    /// See [`EmulatorError`]; [`EmulatorError::Absent`] where it is not installed.
    pub async fn start(kind: EmulatorKind) -> Result<Self, EmulatorError> {
        let child = Child::start(&plan(kind, &emulators_dir())?).await?;
        Ok(Self { kind, child })
    }

    /// Which one it is.
    #[must_use]
    pub const fn kind(&self) -> EmulatorKind {
        self.kind
    }

    /// Where it listens, such as `http://127.0.0.1:34567`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        self.child.endpoint()
    }

    /// What a client of `account` needs. See [`emulated`].
    pub async fn config(&self, account: &str) -> SdkConfig {
        emulated(&self.endpoint(), account).await
    }

    /// Variables by which another process, such as the binary under test, goes to this emulator as `account`.
    #[must_use]
    pub fn env(&self, account: &str) -> Vec<(String, String)> {
        let endpoint = self.endpoint();
        [
            ("AWS_ACCESS_KEY_ID", account),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("AWS_REGION", EMULATED_REGION),
            ("AWS_ENDPOINT_URL", endpoint.as_str()),
            ("AWS_EC2_METADATA_DISABLED", "true"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
    }

    /// The end of what it has written, for a test that fails.
    #[must_use]
    pub fn output(&self) -> String {
        self.child.output()
    }
}

/// The client configuration for an emulator at `endpoint` as `account` ([`account`]).
///
/// Make one for each test: its connections belong to the test's runtime.
pub async fn emulated(endpoint: &str, account: &str) -> SdkConfig {
    let access = Access {
        region: Some(EMULATED_REGION.to_owned()),
        endpoint_url: Some(endpoint.to_owned()),
        role: None,
    };
    let credentials = Credentials::new(account, "secret", None, None, "emulator");
    let config = access.config().await.into_builder();
    config
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .build()
}

/// A fresh account: twelve digits that serve as access key id too, by which ministack and DynamoDB Local keep apart
/// what tests that share an emulator do.
#[must_use]
pub fn account() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(100_000_000_001);
    NEXT.fetch_add(1, Ordering::Relaxed).to_string()
}

/// Ministack, one for all tests of this process; `None` where it is not installed.
///
/// # Panics
/// When it is not installed and `CI` is set, or does not start.
pub async fn ministack() -> Option<&'static Emulator> {
    static SHARED: OnceCell<Option<Emulator>> = OnceCell::const_new();
    shared(&SHARED, EmulatorKind::Ministack).await
}

/// DynamoDB Local, one for all tests of this process; `None` where it is not installed.
///
/// # Panics
/// When it is not installed and `CI` is set, or does not start.
pub async fn dynamodb_local() -> Option<&'static Emulator> {
    static SHARED: OnceCell<Option<Emulator>> = OnceCell::const_new();
    shared(&SHARED, EmulatorKind::DynamoDbLocal).await
}

/// Kinesis-local, one for all tests of this process; `None` where it is not installed.
///
/// # Panics
/// When it is not installed and `CI` is set, or does not start.
pub async fn kinesis_local() -> Option<&'static Emulator> {
    static SHARED: OnceCell<Option<Emulator>> = OnceCell::const_new();
    shared(&SHARED, EmulatorKind::KinesisLocal).await
}

async fn shared(cell: &'static OnceCell<Option<Emulator>>, kind: EmulatorKind) -> Option<&'static Emulator> {
    let start = || async { present(Emulator::start(kind).await) };
    let emulator = cell.get_or_init(start).await.as_ref();
    if emulator.is_none() {
        skipped(kind.name());
    }
    emulator
}

/// `None` for what is not installed, where that is allowed.
fn present<T>(started: Result<T, EmulatorError>) -> Option<T> {
    match started {
        Ok(emulator) => Some(emulator),
        Err(EmulatorError::Absent { .. }) if std::env::var_os("CI").is_none() => None,
        Err(error) => panic!("{error}"),
    }
}

#[expect(
    clippy::print_stderr,
    reason = "a skipped test says so where its reader looks"
)]
fn skipped(name: &str) {
    eprintln!("skipped: {name} is not installed (tests/emulators/install.sh)");
}

/// Where `tests/emulators/install.sh` puts the emulators.
fn emulators_dir() -> PathBuf {
    let from = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    from("STREAMALERT_EMULATORS").unwrap_or_else(|| {
        let cache = from("XDG_CACHE_HOME");
        let cache = cache.unwrap_or_else(|| from("HOME").unwrap_or_default().join(".cache"));
        cache.join("streamalert-emulators")
    })
}

impl EmulatorKind {
    const fn name(self) -> &'static str {
        match self {
            Self::Ministack => "ministack",
            Self::DynamoDbLocal => "DynamoDB Local",
            Self::KinesisLocal => "kinesis-local",
        }
    }
}

/// How an emulator is started. `PORT` in arguments and variables stands for the port it gets.
fn plan(kind: EmulatorKind, dir: &Path) -> Result<Plan, EmulatorError> {
    let name = kind.name();
    let text = |path: PathBuf| path.display().to_string();
    // Those that know no address to bind to would listen on every interface.
    let shim = ("LD_PRELOAD", text(dir.join("loopback.so")));
    let plan = match kind {
        EmulatorKind::Ministack => Plan::new(name, dir.join("python/bin/ministack"))
            .env([
                ("BIND_HOST", "127.0.0.1".to_owned()),
                ("MINISTACK_HOST", "127.0.0.1".to_owned()),
                ("GATEWAY_PORT", "PORT".to_owned()),
                ("LOG_LEVEL", "WARNING".to_owned()),
            ])
            .answers("/_ministack/health"),
        EmulatorKind::DynamoDbLocal => {
            let home = dir.join("dynamodb-local");
            let jar = home.join("DynamoDBLocal.jar");
            // Without -sharedDb every access key has tables of its own.
            Plan::new(name, "java".into())
                .needs(jar.clone())
                .args(["-Xmx1g", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"])
                .args([&format!(
                    "-Djava.library.path={}",
                    text(home.join("DynamoDBLocal_lib"))
                )])
                .args([
                    "-jar",
                    &text(jar),
                    "-inMemory",
                    "-port",
                    "PORT",
                    "-disableTelemetry",
                ])
                .env([shim])
                .answers("/")
        }
        EmulatorKind::KinesisLocal => {
            let home = dir.join("kinesis/node_modules/kinesis-local");
            let quick = [
                "CREATE_STREAM",
                "DELETE_STREAM",
                "REGISTER_STREAM_CONSUMER",
                "DEREGISTER_STREAM_CONSUMER",
                "MERGE_SHARDS",
                "SPLIT_SHARD",
                "UPDATE_SHARD_COUNT",
            ];
            Plan::new(name, "node".into())
                .needs(home.join("main.js"))
                .args(["main.js"])
                .dir(home)
                .env(quick.map(|what| (format!("{what}_DURATION"), "50ms".to_owned())))
                .env([
                    shim,
                    ("KINESIS_MOCK_PLAIN_PORT", "PORT".to_owned()),
                    // It always listens with TLS too.
                    ("KINESIS_MOCK_TLS_PORT", "PORT2".to_owned()),
                ])
                .answers("/healthcheck")
        }
    };
    plan.checked()
}
