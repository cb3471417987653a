//! AWS for a fleet: tables in one emulator, the stream in another that knows what becomes of shards, and before each
//! a proxy that throttles.

use std::net::SocketAddr;

use streamalert_testkit::emulator::{Calls, Emulator, EmulatorKind, Microburst, account};

/// Half of the calls are refused, and of some the reply is lost.
const THROTTLE: &str = r#"[
    {"service": "dynamodb", "probability": 0.05, "response": {"abort_bytes": 0}},
    {"service": "dynamodb", "probability": 0.5, "error": {"code": "ProvisionedThroughputExceededException"}},
    {"service": "kinesis", "probability": 0.5, "error": {"code": "ProvisionedThroughputExceededException"}}
]"#;

/// How often the first call is made again; each is waited for.
const WARM_TRIES: usize = 6;

pub(crate) struct Aws {
    account: String,
    tables: Emulator,
    streams: Emulator,
    proxies: [Microburst; 2],
}

impl Aws {
    /// Starts it; `None`, with a word, where something is not installed.
    pub(crate) async fn start() -> Option<Self> {
        let tables = emulator(EmulatorKind::Ministack).await?;
        let streams = emulator(EmulatorKind::KinesisLocal).await?;
        let proxies = [
            Microburst::before(&tables).await?,
            Microburst::before(&streams).await?,
        ];
        let aws = Self {
            account: account(),
            tables,
            streams,
            proxies,
        };
        aws.warm().await;
        Some(aws)
    }

    /// Makes one call of each kind, however long it takes: a proxy reads its model of a service at the first.
    async fn warm(&self) {
        let calls = [
            ("dynamodb", "DynamoDB_20120810.ListTables"),
            ("kinesis", "Kinesis_20131202.ListStreams"),
        ];
        for (proxy, (service, target)) in self.proxies.iter().zip(calls) {
            let calls = proxy.calls(&self.account);
            let mut answer = calls.ask(service, target, "{}").await;
            for _ in 0..WARM_TRIES {
                if answer.is_err() {
                    answer = calls.ask(service, target, "{}").await;
                }
            }
            answer.unwrap_or_else(|error| panic!("{target}: {error}"));
        }
    }

    /// Calls to the tables, past the proxy.
    pub(crate) fn tables(&self) -> Calls {
        self.tables.calls(&self.account)
    }

    /// Calls to the stream, past the proxy.
    pub(crate) fn streams(&self) -> Calls {
        self.streams.calls(&self.account)
    }

    /// Where processes reach tables and stream, if nothing lies between.
    pub(crate) fn addresses(&self) -> [SocketAddr; 2] {
        let address = |proxy: &Microburst| {
            let endpoint = proxy.endpoint();
            endpoint.trim_start_matches("http://").parse().unwrap()
        };
        self.proxies.each_ref().map(address)
    }

    /// The environment of a process that reaches tables and stream there.
    pub(crate) fn env(&self, [tables, streams]: [SocketAddr; 2]) -> Vec<(String, String)> {
        let mut env = self.tables.env(&self.account);
        let endpoints = [
            ("AWS_ENDPOINT_URL", tables),
            ("AWS_ENDPOINT_URL_KINESIS", streams),
        ];
        env.extend(endpoints.map(|(name, address)| (name.to_owned(), format!("http://{address}"))));
        env
    }

    pub(crate) async fn throttle(&self) {
        for proxy in &self.proxies {
            proxy.add_rules(THROTTLE).await;
        }
    }

    pub(crate) async fn relent(&self) {
        for proxy in &self.proxies {
            proxy.clear_rules().await;
        }
    }

    /// How many calls to tables and to the stream were refused so far, and of how many the answers were lost.
    pub(crate) async fn throttled(&self) -> [usize; 3] {
        let mut lost = 0;
        let mut refused = [0, 0];
        for (refused, proxy) in refused.iter_mut().zip(&self.proxies) {
            let told = proxy.counts().await;
            *refused = fired(&told, "error:");
            lost += fired(&told, "response:abort");
        }
        [refused[0], refused[1], lost]
    }
}

/// How often actions that begin so fired, as microburst tells it.
fn fired(told: &str, action: &str) -> usize {
    let action = format!("action=\"{action}");
    told.lines()
        .filter(|line| line.starts_with("microburst_faults_total") && line.contains(&action))
        .filter_map(|line| line.rsplit_once(' ')?.1.parse::<usize>().ok())
        .sum()
}

async fn emulator(kind: EmulatorKind) -> Option<Emulator> {
    match Emulator::start(kind).await {
        Ok(emulator) => Some(emulator),
        Err(error) if std::env::var_os("CI").is_none() => {
            println!("skipped: {error}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fired_is_counted_by_action() {
        let told = "# TYPE microburst_faults_total counter\n\
            microburst_faults_total{service=\"dynamodb\",operation=\"PutItem\",action=\"error:Busy\"} 7\n\
            microburst_faults_total{service=\"kinesis\",operation=\"GetRecords\",action=\"error:Busy\"} 5\n\
            microburst_faults_total{service=\"dynamodb\",operation=\"Query\",action=\"response:abort\"} 2\n\
            microburst_rules_active 3\n";
        assert_eq!([fired(told, "error:"), fired(told, "response:abort")], [12, 2]);
    }
}
