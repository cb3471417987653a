//! The command line: what there is to ask for, and how it reads in `--help`.

mod aws;
mod output;
mod secret;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use aws::{Aws, PolicyFor};
pub(crate) use output::{AddOutput, Output, TestOutputs};
pub(crate) use secret::Secret;

/// Detection as code on streaming logs.
#[derive(Debug, Parser)]
#[command(
    name = "streamalert",
    version,
    about,
    after_help = "Examples:\n  \
        streamalert -C examples/quickstart ingest            read the example's logs to their end\n  \
        streamalert ingest --source s3:my-bucket log.json.gz  one file, as an object of a bucket\n  \
        streamalert explain --source kinesis:stream '{\"a\":1}'  why a line matches, or does not\n  \
        streamalert test                                      every test event beside the rules\n  \
        streamalert run                                       all services in one process\n  \
        streamalert run merger --listen 127.0.0.1:7413        one of them"
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options of every command.
#[derive(Debug, Clone, Args)]
pub(crate) struct Global {
    /// Work as if started in this directory (it holds conf/, rules/, streamalert.toml)
    #[arg(short = 'C', long = "project", global = true, value_name = "DIR")]
    pub(crate) project: Option<PathBuf>,
    /// Settings file; default: streamalert.toml, if there is one
    #[arg(long, global = true, value_name = "FILE", env = "STREAMALERT_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// StreamAlert's configuration directory
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) conf: Option<PathBuf>,
    /// Folders with rules; may be repeated
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) rules: Vec<PathBuf>,
    /// Folders with publishers; may be repeated
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) publishers: Vec<PathBuf>,
    /// Where state is kept
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Override one setting; may be repeated
    #[arg(long = "set", global = true, value_name = "SECTION.KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// When to use colours
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto)]
    pub(crate) color: Color,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start all services, or one, and serve until told to stop
    Run(Run),
    /// Read logs to their end, deliver every alert, and sum up
    Ingest(Ingest),
    /// Show what becomes of a log line: candidates, parsed record, rules, alerts, publications
    Explain(Explain),
    /// Run StreamAlert test events
    Test(Test),
    /// Look at alerts
    #[command(subcommand)]
    Alerts(Alerts),
    /// Look at what could not be processed, and try it again
    #[command(subcommand)]
    DeadLetter(DeadLetter),
    /// Look at rules
    #[command(subcommand)]
    Rules(Rules),
    /// Look at log types
    #[command(subcommand)]
    Schema(Schema),
    /// Configure outputs, try them, look at them
    #[command(subcommand)]
    Output(Output),
    /// Keep secrets for outputs: encrypted, and never shown
    #[command(subcommand)]
    Secret(Secret),
    /// Check configuration and rules; name file, key, line and fix
    Validate(Validate),
    /// Make tables in DynamoDB, and print the permissions that services need
    #[command(subcommand)]
    Aws(Aws),
    /// What a running process or a fleet does: services, rules, who owns which shards, how far streams are read
    Status(Status),
    /// Measure this machine
    Bench(Bench),
    /// Print a completion script for a shell
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

/// One service of the four.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Service {
    Classifier,
    RulesNode,
    Merger,
    Dispatcher,
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    /// Only this service; without it, all four in one process
    #[arg(value_enum)]
    pub(crate) service: Option<Service>,
    /// Address to serve gRPC on
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) listen: Option<SocketAddr>,
}

#[derive(Debug, Args)]
pub(crate) struct Ingest {
    /// What the files stand for, as in a cluster file: kinesis:STREAM, s3:BUCKET, sns:TOPIC, streamalert_app:NAME
    #[arg(long, value_name = "SERVICE:RESOURCE", requires = "files")]
    pub(crate) source: Option<String>,
    /// Files to read, - for standard input; without any, the sources of streamalert.toml
    #[arg(value_name = "FILE", requires = "source")]
    pub(crate) files: Vec<PathBuf>,
    /// Print the summary as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// One log line; without it, lines are read from --in or standard input
    pub(crate) line: Option<String>,
    /// What the line stands for; default: every log type
    #[arg(long, value_name = "SERVICE:RESOURCE")]
    pub(crate) source: Option<String>,
    /// JSON lines: {id, service, resource, cluster?, data | data_b64 | logs, gzip?}
    #[arg(long = "in", value_name = "FILE")]
    pub(crate) input: Option<PathBuf>,
    /// One JSON answer a line
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Default, Args)]
#[command(after_help = "Examples:\n  \
        streamalert test                   every test event: beside the rules, in tests/integration\n  \
        streamalert test rules/aws         those of a folder\n  \
        streamalert test some_rule         those that name a rule in trigger_rules\n  \
        streamalert test classifier        only if each becomes its log type; needs no Python\n  \
        streamalert test --watch           again whenever a file changes: only the tests that the change touches\n\n\
    Test events are StreamAlert's, in JSON files: lists of objects with description, log, service, source, data or \
    override_record, trigger_rules, and where wanted compress, classify_only, publisher_tests, skip_publishers, \
    test_fixtures. The exit code is 1 when any failed.")]
pub(crate) struct Test {
    /// `classifier` or `rules` (the default), then files, folders or names of rules; without any of these, everything
    #[arg(value_name = "classifier|rules | PATH | RULE")]
    pub(crate) what: Vec<String>,
    /// One JSON object a line: each event, and each file that cannot be read or does not load
    #[arg(long)]
    pub(crate) json: bool,
    /// Write a JUnit XML report as well
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
    /// Stay, and run again what a change of rules, events or configuration touches
    #[arg(long)]
    pub(crate) watch: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Alerts {
    /// Newest first. On DynamoDB each shard is asked for its newest: what it costs goes with --limit and --since
    List {
        /// Only this rule; on DynamoDB others are looked through for it, at most a million, so give --since, too
        #[arg(long)]
        rule: Option<String>,
        /// Only alerts created since then: 30m, 24h, 7d, or a moment such as 2026-01-31T00:00:00Z
        #[arg(long, value_name = "WHEN")]
        since: Option<String>,
        /// Only alerts that still have something to deliver or wait in a group
        #[arg(long)]
        open: bool,
        /// How many
        #[arg(long, default_value_t = 50)]
        limit: usize,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// One alert with its record and deliveries
    Show {
        /// Its id
        id: String,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum DeadLetter {
    /// Oldest first
    List {
        /// Only these: what no schema took, what a rule was killed on, what an output did not take
        #[arg(long, value_parser = ["unclassified", "rule", "undelivered"])]
        kind: Option<String>,
        /// How many
        #[arg(long, default_value_t = 50)]
        limit: usize,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// One of them with its original bytes
    Show {
        /// Its id
        id: String,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Forget them for good; not while a process runs on the data directory
    Remove {
        /// Ids
        #[arg(required = true)]
        ids: Vec<String>,
    },
    /// Process again, and forget what succeeds
    Replay {
        /// Ids; without any, all
        ids: Vec<String>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Rules {
    /// Every rule, its log types and outputs
    List {
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// What of a rule runs natively, on which records, and where it may need CPython
    Explain {
        /// Its name
        rule: String,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Evaluations, matches, time, fallbacks, exceptions with a sample, from a running process
    Stats {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Write a new rule and a test event for it
    New(NewRule),
    /// Look for mistakes in rules without running them; exit code 1 when there are errors
    Lint(Lint),
    /// Write type stubs of the `streamalert` package, for editors and type checkers
    Stubs {
        /// Where to; editors such as VS Code look into typings by themselves
        #[arg(long, value_name = "DIR", default_value = "typings")]
        dir: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Status {
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
        streamalert rules new no_mfa --log cloudtrail:events\n  \
        streamalert rules new no_mfa --log cloudtrail:events --output slack:security --dir rules/aws\n  \
        streamalert rules new no_mfa --log cloudtrail:events --matcher matchers.aws.ApiCall.succeeded\n\n\
    Two files are written, DIR/NAME.py and DIR/NAME.json: a rule that compares one key of the record, an event that it \
    fires on and one that it does not. Both pass `streamalert test` and `streamalert rules lint`; change them step by \
    step. Nothing is overwritten.")]
pub(crate) struct NewRule {
    /// The rule's name: a Python identifier that no other rule has
    pub(crate) name: String,
    /// The log type that it is for
    #[arg(long, value_name = "LOG_TYPE")]
    pub(crate) log: String,
    /// Where its alerts go; may be repeated; default: the first configured output
    #[arg(long, value_name = "SERVICE:DESCRIPTOR")]
    pub(crate) output: Vec<String>,
    /// A function that must answer true before the rule is asked, as module.function or module.Class.method; may be
    /// repeated
    #[arg(long, value_name = "MATCHER")]
    pub(crate) matcher: Vec<String>,
    /// The folder for the two files; default: the first rules folder, and in it the log type's family
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// Do not run the new test events
    #[arg(long)]
    pub(crate) no_test: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
        streamalert rules lint                   all rules and matchers\n  \
        streamalert rules lint rules/aws no_mfa  those of a folder, and one rule\n  \
        streamalert rules lint --json            one JSON object a finding: severity, file, line, column, code, name, \
    rule, message, fix\n\n\
    Checks keys and types against the schemas, outputs and publishers against the configuration, decorators, \
    conditions that are never or always true, and what slows rules down. Needs no Python. docs/LINT.md lists the \
    checks; `# streamalert: ignore[CODE]` or `# noqa: CODE` on a line silences one.")]
pub(crate) struct Lint {
    /// Files, folders or names of rules; without any, all rules and matchers
    #[arg(value_name = "PATH | RULE")]
    pub(crate) what: Vec<String>,
    /// One JSON object a finding
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Schema {
    /// Every log type, in the order in which they are tried
    List {
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// One log type
    Show {
        /// Its name, such as cloudtrail:events
        log_type: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Validate {
    /// One JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
    /// Do not start Python: leave rules and publishers out
    #[arg(long)]
    pub(crate) no_rules: bool,
}

/// What to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Stage {
    /// Payload to classified record
    Classify,
    /// Classified record to rule results
    Rules,
    /// Payload to rule results: decoding, classification, normalization and rules
    All,
    /// The rate of rules while they are loaded again, --passes times
    Reload,
    /// Alerts to merge groups, in memory
    Merge,
    /// The same with one lane and with two, --passes times in turn
    Lanes,
    /// The same with more and more groups open
    OpenGroups,
    /// From the death of a merger to work on its shards
    Takeover,
    /// Durable alerts on the embedded store
    Store,
    /// Deliveries of the dispatcher to a webhook, also beside idle outputs, --passes times in turn
    Deliver,
    /// Latency of outputs beside one that hangs and one that fails, for --seconds
    OutputsDown,
    /// Computing time of all services in one process and in four, --passes times in turn; with [tls] also encrypted
    Apart,
    /// Source to output at half of the highest rate, in one process and in four
    Latency,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Bench {
    #[command(subcommand)]
    pub(crate) make: Option<BenchMake>,
    /// What to measure; default: one after the other
    #[arg(long, value_enum)]
    pub(crate) stage: Option<Stage>,
    /// JSON lines in the input form of `explain --in`, .gz or not; default: generated CloudTrail events
    #[arg(long = "in", value_name = "FILE")]
    pub(crate) input: Option<PathBuf>,
    /// Use this many events at most, from the beginning of the input
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) events: Option<u64>,
    /// Run the rules on this many threads and on one in turn, and say how much more that is
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) threads: u16,
    /// How often stages of rules are measured; each time for a second or more
    #[arg(long, value_name = "NUMBER", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    pub(crate) passes: u16,
    /// Have the same rules run on the same records elsewhere, in turn; alerts that differ are a failure
    #[arg(long, value_enum)]
    pub(crate) compare: Option<Compare>,
    /// Distinct merge keys, or open groups, to measure merging with; may be repeated; default: several up to 1000000
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    pub(crate) keys: Vec<u64>,
    /// How long latency is measured, each time, and outputs are down
    #[arg(long, value_name = "NUMBER", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=3_600))]
    pub(crate) seconds: u16,
    /// As JSON, one object a stage
    #[arg(long)]
    pub(crate) json: bool,
}

/// What to compare the engine with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Compare {
    /// One CPython process, with orjson where that is installed
    Cpython,
}

/// What can be made to measure with.
#[derive(Debug, Subcommand)]
pub(crate) enum BenchMake {
    /// Make a corpus: CloudTrail events, as many as wanted, grown from real ones
    Corpus(BenchCorpus),
    /// Make a project with many rules
    RulesGenerate(BenchRules),
}

/// How many of which log types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum BenchMix {
    /// CloudTrail alone, as S3 objects
    Cloudtrail,
    /// CloudTrail both ways, and a company's other logs
    Typical,
}

#[derive(Debug, Args)]
pub(crate) struct BenchCorpus {
    /// Equal numbers give equal corpora
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub(crate) seed: u64,
    /// How many events
    #[arg(long, value_name = "NUMBER", default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    pub(crate) events: u64,
    /// Which log types
    #[arg(long, value_enum, default_value_t = BenchMix::Cloudtrail)]
    pub(crate) mix: BenchMix,
    /// Payloads with real CloudTrail events to grow from; default: a few built-in ones
    #[arg(long = "in", value_name = "FILE")]
    pub(crate) input: Option<PathBuf>,
    /// Where to write, compressed where the name ends in .gz
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Tell what was made as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct BenchRules {
    /// Equal numbers give equal rules
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub(crate) seed: u64,
    /// How many rules
    #[arg(long, value_name = "NUMBER", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) count: u32,
    /// How many of them are about cloudtrail:events; default: 18 of 100
    #[arg(long, value_name = "NUMBER")]
    pub(crate) cloudtrail: Option<u32>,
    /// Folder to write the project into; must not hold rules yet
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Tell what was made as JSON
    #[arg(long)]
    pub(crate) json: bool,
}
