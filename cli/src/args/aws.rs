use clap::{Args, Subcommand, ValueEnum};

/// What there is to do about AWS.
#[derive(Debug, Subcommand)]
pub(crate) enum Aws {
    /// Make the tables of [store] in DynamoDB; those that are there stay as they are
    Init(AwsInit),
    /// Print the IAM policy that a service needs, from the settings and cluster files
    Policy {
        /// Whose
        #[arg(value_enum)]
        service: PolicyFor,
    },
}

#[derive(Debug, Args)]
pub(crate) struct AwsInit {
    /// Only tell what would be made
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Who needs a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PolicyFor {
    /// `run`: all services in one process
    All,
    Classifier,
    RulesNode,
    Merger,
    Dispatcher,
    /// `aws init`
    Init,
    /// `status`, `alerts` and `dead-letter`
    Operator,
    /// `secret`, and `output` where it keeps what outputs need
    Secrets,
}
