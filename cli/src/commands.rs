//! One module per command.

pub(crate) mod alerts;
pub(crate) mod aws;
pub(crate) mod bench;
pub(crate) mod completions;
pub(crate) mod dead_letter;
pub(crate) mod explain;
pub(crate) mod ingest;
pub(crate) mod output;
pub(crate) mod rules;
pub(crate) mod run;
pub(crate) mod schema;
pub(crate) mod secret;
pub(crate) mod status;
pub(crate) mod test;
pub(crate) mod validate;
