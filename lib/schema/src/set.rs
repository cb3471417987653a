use std::sync::Arc;

use streamalert_types::DataType;
use streamalert_value::Value;

use crate::{Classified, Payload, SchemaError, Scratch, SelectionError};

/// All schemas of a configuration, compiled, in the order in which they are tried. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct SchemaSet {
    schemas: Arc<[Arc<str>]>,
}

impl SchemaSet {
    /// Compiles definitions (`{"schema": …, "parser": …, "configuration": …}`), given in the order of their files'
    /// names. Schemas with an error never match; whoever wants to start with such must decide so.
    #[must_use]
    pub fn compile(_definitions: &[(String, Value)]) -> (Self, Vec<SchemaError>) {
        (Self::default(), Vec::new())
    }

    /// The log types in the order in which they are tried.
    pub fn log_types(&self) -> impl Iterator<Item = &Arc<str>> {
        self.schemas.iter()
    }

    /// The parser of a log type; `None` when there is no such.
    #[must_use]
    pub fn data_type(&self, _log_type: &str) -> Option<DataType> {
        None
    }

    /// The names of the types that a log type is normalized to (`datatypes` of rules), in order.
    #[must_use]
    pub fn normalized_types(&self, _log_type: &str) -> Vec<Arc<str>> {
        Vec::new()
    }

    /// What a source reads: families (`cloudtrail`) or exact log types (`cloudtrail:events`).
    ///
    /// # Errors
    /// [`SelectionError`] for each name that selects nothing.
    pub fn select(&self, _names: &[String]) -> Result<Selection, Vec<SelectionError>> {
        Ok(Selection::default())
    }

    /// All schemas.
    #[must_use]
    pub fn select_all(&self) -> Selection {
        Selection::default()
    }
}

/// The schemas that one source reads. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    schemas: Arc<[Arc<str>]>,
}

impl Selection {
    /// The log types in the order in which they are tried.
    pub fn log_types(&self) -> impl Iterator<Item = &Arc<str>> {
        self.schemas.iter()
    }

    /// Takes a payload apart, finds the log type of each unit, converts and normalizes. Never fails: what cannot be
    /// used is a failure within the answer.
    #[must_use]
    pub fn classify(&self, _payload: &Payload<'_>, _scratch: &mut Scratch) -> Classified {
        Classified::default()
    }
}
