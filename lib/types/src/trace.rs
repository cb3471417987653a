//! Traces: where a record, an alert or a delivery is in one, and the spans that tell of it.
//!
//! All ids derive from source position, sub-record and alert id, as the ids of alerts do. So the services agree on
//! the parent of a span without asking each other; what is read again after a crash goes on with the trace that it
//! began; and a record that is not kept costs no id at all.

mod context;
mod span;

pub use context::{Traceparent, TraceparentError};
pub use span::{Span, SpanKind, SpanSink, SpanValue, Tracer};
