//! What rules see beside the record: lookup tables, the time, caches that outlive an event.

use std::collections::HashMap;
use std::sync::Arc;

use streamalert_value::Map;

use crate::modules::re;

/// One per thread; lives longer than any event.
pub struct Env {
    /// Lookup tables by name; values as JSON.
    pub tables: Arc<HashMap<String, Map>>,
    /// The time, in microseconds since 1970 UTC; asked for at most once per call of a clock function.
    pub now_micros: Box<dyn Fn() -> i64 + Send>,
    /// Regular expressions made from texts at run time.
    pub regexes: re::Cache,
}

impl Env {
    /// With these tables and this clock, and empty caches.
    #[must_use]
    pub fn new(tables: Arc<HashMap<String, Map>>, now_micros: Box<dyn Fn() -> i64 + Send>) -> Self {
        Self {
            tables,
            now_micros,
            regexes: re::Cache::default(),
        }
    }

    /// Shrinks caches that are over their limits. To be called between batches.
    pub fn tidy(&mut self) {
        self.regexes.tidy();
    }
}
