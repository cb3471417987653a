use clap::Subcommand;

/// What there is to do about stored secrets.
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:\n  \
        streamalert secret put team/slack-url                 asks for it, without showing it\n  \
        pass show slack | streamalert secret put team/slack-url\n\n\
    In streamalert.toml: url = { store = \"team/slack-url\" }. [secrets] says where they are kept.")]
pub(crate) enum Secret {
    /// Keep a secret, read from standard input, in place of the one of that name
    Put {
        /// Parts with slashes between them, such as team/token
        name: String,
    },
    /// The names of all, never their values
    List,
    /// Remove a secret for good
    Remove {
        /// Its name
        name: String,
    },
}
