//! What rules see beside the record: lookup tables, the time, caches that outlive an event.

use std::collections::HashMap;
use std::sync::Arc;

use streamalert_value::Map;

/// One per thread; lives longer than any event.
pub struct Env {
    /// Lookup tables by name; values as JSON.
    pub tables: Arc<HashMap<String, Map>>,
    /// The time, in microseconds since 1970 UTC; asked for at most once per call of a clock function.
    pub now_micros: Box<dyn Fn() -> i64 + Send>,
    /// Regular expressions made from texts at run time.
    pub regexes: crate::modules::re::Cache,
}
