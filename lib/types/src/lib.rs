//! The nouns that travel between services: positions, records, alerts, deliveries and dead letters,
//! the seams for time, ids and randomness, and traces. Knows no tokio, no AWS, no tonic.

mod alert;
mod clock;
mod dead_letter;
mod delivery;
mod id_map;
mod ids;
mod position;
mod record;
mod shard;
mod timestamp;
mod trace;

pub use alert::{Alert, AlertBatch, Merging};
pub use clock::{Clock, ManualClock, SystemClock};
pub use dead_letter::{DeadLetter, DeadLetterKind, NearestSchema};
pub use delivery::{Delivery, DeliveryOutcome, OutputName, OutputNameError, Update};
pub use id_map::{IdHasher, IdMap, IdSet};
pub use ids::{AlertId, BatchId, BatchIds, DeadLetterId, GroupId, IdParseError, RecordId};
pub use position::{Position, Sequence, Source};
pub use record::{DataType, Record, RecordBatch};
pub use shard::{ShardId, SlotId};
pub use timestamp::{Timestamp, TimestampError};
pub use trace::{Span, SpanKind, SpanSink, SpanValue, Traceparent, TraceparentError, Tracer};
