//! Amazon SNS: notifications that come through a queue or are posted to a web address.
//!
//! `envelope` is what SNS puts around a message; `signature` tells whether it is SNS's (pure), by `certificates`;
//! `source` answers requests.

mod certificates;
mod envelope;
mod signature;
mod source;

pub use certificates::{Fetch, HttpsFetch};
pub(crate) use envelope::{Envelope, EnvelopeKind};
pub use source::{SnsCounts, SnsOptions, SnsSource};
