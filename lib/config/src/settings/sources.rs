use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use streamalert_types::Source;

use super::section::{HasKind, Kind, section};

/// `type` of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SourceType {
    #[default]
    Files,
    Directory,
    Stdin,
    Http,
}

impl HasKind for SourceType {
    const KIND: Kind = Kind::Choice(&["files", "directory", "stdin", "http"]);
}

section! {
    /// Where logs come from, one table per source. `service`, `resource` and `cluster` say which entry of
    /// `data_sources` in `conf/clusters` it stands for, and so which log types are expected.
    pub(crate) struct SourceTable {
        /// `files`: whole files, each read to its end once; `directory`: files that appear and grow, followed;
        /// `stdin`: standard input; `http`: requests with one record per line.
        r#type: SourceType = SourceType::Files,
        /// `files`: a path or glob such as `logs/*.json.gz`; `directory`: the directory.
        path: Option<String> = None,
        /// `http`: the address to listen on.
        address: Option<SocketAddr> = None,
        /// `kinesis`, `s3`, `sns` or `streamalert_app`: how payloads are wrapped.
        service: String = String::new(),
        /// Stream, bucket, topic or app function name.
        resource: String = String::new(),
        /// Cluster file that names the resource. Unset: the only one that does.
        cluster: Option<String> = None,
    }
}

/// One source of logs on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceSettings {
    /// What it is in StreamAlert's terms.
    pub source: Source,
    /// How it is read.
    pub input: SourceInput,
}

/// How a source is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceInput {
    /// Files that a path or glob names, each to its end.
    Files {
        /// The path or glob.
        glob: String,
    },
    /// A directory whose files appear and grow.
    Directory {
        /// The directory.
        dir: PathBuf,
    },
    /// Standard input.
    Stdin,
    /// HTTP requests.
    Http {
        /// The address to listen on.
        address: SocketAddr,
    },
}

impl SourceTable {
    /// The source that this table describes, or key, message and fix of what is wrong with it.
    pub(super) fn settings(&self) -> Result<SourceSettings, (&'static str, String, &'static str)> {
        let missing = |key: &str| format!("has no {key}");
        for (key, value) in [("service", &self.service), ("resource", &self.resource)] {
            if value.is_empty() {
                return Err((
                    "",
                    missing(key),
                    "set service and resource as in data_sources of conf/clusters",
                ));
            }
        }
        let takes_path = matches!(self.r#type, SourceType::Files | SourceType::Directory);
        if self.path.is_some() && !takes_path {
            return Err((
                "path",
                "means nothing to this type of source".to_owned(),
                "remove it",
            ));
        }
        if self.address.is_some() && self.r#type != SourceType::Http {
            return Err((
                "address",
                "means nothing to this type of source".to_owned(),
                "remove it",
            ));
        }
        let path = || self.path.clone().ok_or_else(|| ("", missing("path"), "set path"));
        let input = match self.r#type {
            SourceType::Files => SourceInput::Files { glob: path()? },
            SourceType::Directory => SourceInput::Directory { dir: path()?.into() },
            SourceType::Stdin => SourceInput::Stdin,
            SourceType::Http => SourceInput::Http {
                address: self
                    .address
                    .ok_or_else(|| ("", missing("address"), "set address"))?,
            },
        };
        let source = Source {
            service: self.service.as_str().into(),
            resource: self.resource.as_str().into(),
            cluster: self.cluster.as_deref().map(Arc::from),
        };
        Ok(SourceSettings { source, input })
    }
}
