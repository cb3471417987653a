use std::path::PathBuf;

use clap::{Args, Subcommand};

/// What there is to do about outputs.
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:\n  \
        streamalert output services                            what there is\n  \
        streamalert output add slack:security                  asks for the webhook, tries it, keeps it encrypted\n  \
        pass show slack | streamalert output add slack:security --stdin url --test\n  \
        streamalert output test --all                          exit code 1 when one does not take it\n  \
        streamalert output remove slack:security\n\n\
    conf/outputs.json names outputs, as StreamAlert has it; [secrets] says where their secrets are kept. A process that \
    runs takes changes over by itself; secrets in AWS when it gets SIGHUP.")]
pub(crate) enum Output {
    /// Every output service, one a line
    Services,
    /// Every output that is configured, whether it can be delivered to, and where its secrets are
    List {
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Configure an output: asks for what it needs, tries it if wanted, and keeps it
    Add(AddOutput),
    /// Send a test alert, which says that it is one
    Test(TestOutputs),
    /// Take an output out of conf/outputs.json, and what is stored about it
    Remove {
        /// Which
        #[arg(value_name = "SERVICE:NAME")]
        output: String,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
        streamalert output add slack:security\n  \
        streamalert output add webhook:soar --env url=SOAR_URL --field body_bytes_max=100000 --test\n  \
        streamalert output add pagerduty-v2 --descriptor oncall --file routing_key=key.txt\n\n\
    docs/outputs has a page for each service, with its fields. On a terminal what is missing is asked for, secrets \
    without showing them. Without a terminal nothing is asked: what is missing is an error, and with --test an output \
    that does not take the test alert is not kept.")]
pub(crate) struct AddOutput {
    /// One of `output services`, with :NAME or with --descriptor
    #[arg(value_name = "SERVICE[:NAME]")]
    pub(crate) service: String,
    /// The name that rules call it by, such as the channel or team
    #[arg(long, value_name = "NAME")]
    pub(crate) descriptor: Option<String>,
    /// A field's value, which others on the machine can see: not for secrets; may be repeated
    #[arg(long, value_name = "FIELD=VALUE")]
    pub(crate) field: Vec<String>,
    /// Take a field's value from an environment variable now; may be repeated
    #[arg(long, value_name = "FIELD=VARIABLE")]
    pub(crate) env: Vec<String>,
    /// Take a field's value from a file now; may be repeated
    #[arg(long, value_name = "FIELD=PATH")]
    pub(crate) file: Vec<String>,
    /// Take a field's value from standard input
    #[arg(long, value_name = "FIELD")]
    pub(crate) stdin: Option<String>,
    /// Send a test alert before anything is kept
    #[arg(long)]
    pub(crate) test: bool,
    /// Give an output that is there new settings
    #[arg(long)]
    pub(crate) replace: bool,
}

impl AddOutput {
    /// Where values come from files: the field, and the path.
    pub(crate) fn files(&self) -> impl Iterator<Item = (&str, PathBuf)> {
        self.file
            .iter()
            .map(|text| text.split_once('=').unwrap_or((text, "")))
            .map(|(field, path)| (field, PathBuf::from(path)))
    }
}

#[derive(Debug, Args)]
pub(crate) struct TestOutputs {
    /// Outputs, such as slack:security
    #[arg(required_unless_present = "all", value_name = "SERVICE:NAME")]
    pub(crate) outputs: Vec<String>,
    /// All that are configured, but for the history
    #[arg(long)]
    pub(crate) all: bool,
    /// One JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
}
