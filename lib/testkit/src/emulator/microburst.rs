use std::path::Path;
use std::time::Duration;

use streamalert_aws::SdkConfig;

use super::child::{Child, EmulatorError, Plan};
use super::{Emulator, emulated, emulators_dir, http, present, skipped};

const NAME: &str = "microburst";

/// Between two looks at what has fired.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How long a rule may take to fire, on a busy machine too.
pub const FIRES_WITHIN: Duration = Duration::from_secs(60);

/// A proxy before an emulator that throttles, delays, cuts and resets as its rules say: errors look like AWS's own.
/// Every test has its own, for its rules hold for all who pass. It ends when this is dropped.
#[derive(Debug)]
pub struct Microburst {
    pub(super) child: Child,
}

impl Microburst {
    /// Starts one before `upstream`, without rules; `None` where it is not installed.
    ///
    /// # Panics
    /// When it is not installed and `CI` is set, or does not start.
    pub async fn before(upstream: &Emulator) -> Option<Self> {
        let microburst = present(Self::start(&emulators_dir(), &upstream.endpoint()).await);
        if microburst.is_none() {
            skipped(NAME);
        }
        microburst
    }

    async fn start(dir: &Path, upstream: &str) -> Result<Self, EmulatorError> {
        let plan = Plan::new(NAME, dir.join("python/bin/microburst"))
            .args(["--upstream", upstream, "--host", "127.0.0.1", "--port", "PORT"])
            .answers("/_microburst/rules")
            .checked()?;
        Ok(Self {
            child: Child::start(&plan).await?,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn endpoint(&self) -> String {
        self.child.endpoint()
    }

    /// What a client of `account` needs to go through it.
    pub async fn config(&self, account: &str) -> SdkConfig {
        emulated(&self.endpoint(), account).await
    }

    /// Adds rules: a JSON array as microburst's documentation has it, such as
    /// `[{"service": "dynamodb", "times": 1, "response": {"abort_bytes": 0}}]` for one lost reply.
    ///
    /// # Panics
    /// When they are not taken.
    pub async fn add_rules(&self, rules: &str) {
        self.control("PATCH", "/_microburst/rules", rules).await;
    }

    /// Forgets all rules.
    ///
    /// # Panics
    /// When it does not answer.
    pub async fn clear_rules(&self) {
        self.control("POST", "/_microburst/rules", "[]").await;
    }

    /// What fired so far, as JSON.
    ///
    /// # Panics
    /// When it does not answer.
    pub async fn fired(&self) -> String {
        self.control("GET", "/_microburst/fired", "").await
    }

    /// How often each rule fired since the start, by service, operation and action, in the text form of Prometheus:
    /// `microburst_faults_total{service="dynamodb",operation="PutItem",action="error:…"} 7`. Unlike
    /// [`Self::fired`] it forgets nothing.
    ///
    /// # Panics
    /// When it does not answer.
    pub async fn counts(&self) -> String {
        self.control("GET", "/_microburst/metrics", "").await
    }

    /// Waits until something fired that names `what`, such as an operation.
    ///
    /// # Panics
    /// When that takes longer than [`FIRES_WITHIN`].
    pub async fn wait_until_fired(&self, what: &str) {
        let fires = async {
            while !self.fired().await.contains(what) {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        let fired = tokio::time::timeout(FIRES_WITHIN, fires).await;
        assert!(fired.is_ok(), "nothing fired on {what}: {}", self.child.output());
    }

    async fn control(&self, method: &str, path: &str, body: &str) -> String {
        let answer = http::call(self.child.port(), method, path, body).await;
        let answer = answer.unwrap_or_else(|error| panic!("microburst: {error}; {}", self.child.output()));
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let status = head.split(' ').nth(1).unwrap_or_default();
        assert!(status.starts_with('2'), "microburst: {method} {path}: {answer}");
        body.to_owned()
    }
}
