//! `aws-firehose:alerts`: the history of all alerts, in files or in a delivery stream of Amazon Data Firehose.
//!
//! Every alert goes here, staged ones too, whatever its rule says. Without settings the history is kept **in files**, named
//! like the objects that StreamAlert's delivery stream puts into S3: `history/alerts/dt=YYYY-MM-DD-HH/alerts.jsonl` in the data
//! directory, one JSON line per alert with `idempotency_key` first. The hour is that of the alert's creation in UTC, so that a
//! repeated delivery lands in the same file.
//!
//! With `delivery_stream` it goes **to Firehose** instead, as StreamAlert sends it: the publication as one JSON line. StreamAlert
//! calls the stream `PREFIX_streamalert_alert_delivery`, and `conf/outputs.json` names it: `{"aws-firehose": {"alerts": "stream"}}`.
//! That counts with `store.type = "dynamodb"`; with the embedded store, only what `streamalert.toml` says. Other outputs of this
//! service have their stream from either. Follows the API reference of Amazon Data Firehose, version
//! 2015-08-04, as of 2026; needs `firehose:PutRecordBatch`. Alerts that wait together share one request.
//!
//! Idempotency: a delivery whose key its file has is done without a second line, also after a restart, within the same limits
//! as for `file:NAME`. Firehose knows none: an alert may be in its objects twice; its `id` tells.
//!
//! Limits: none in files. A record over 1,000 KiB goes to Firehose without record and context, and says so.

mod config;
mod files;
mod request;
mod response;
mod stream;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use self::config::History;
use self::files::LocalHistory;
use self::stream::StreamHistory;
use super::aws::Aws;
use super::{Output, Settings};
use crate::service::{Reach, Service};

pub(crate) const SERVICE: Service = Service {
    name: "aws-firehose",
    title: "History of all alerts",
    source: include_str!("mod.rs"),
    fields: config::FIELDS,
    reach: Reach::Any,
    delivery: response::delivery_options,
    make,
    #[cfg(test)]
    case: tests::case,
};

fn make(settings: &Settings<'_>) -> Result<Arc<dyn Output>, String> {
    Ok(match History::read(settings)? {
        History::Files(directory) => Arc::new(LocalHistory::new(directory, settings.output.descriptor())),
        History::Stream(stream) => Arc::new(StreamHistory::new(stream, Aws::read(settings)?)),
    })
}
