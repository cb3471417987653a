/// Whether a schema with a problem can still be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The schema cannot mean what its author thinks; it never matches. Refuse to start with it.
    Error,
    /// The schema works, but something in it has no effect or can never match. StreamAlert's own schemas have
    /// such, so they must load.
    Warning,
}

/// Something wrong with a schema definition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{log_type}: {}: {message}", path.join("."))]
pub struct SchemaError {
    /// The log type.
    pub log_type: String,
    /// Where in the definition, from its top: `configuration`, `json_path`.
    pub path: Vec<String>,
    /// What is wrong, and what to do.
    pub message: String,
    /// Whether the schema is out of use.
    pub severity: Severity,
}

/// A name in a source's list of logs that selects nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no schema is named {name:?} or of that family{}", hint(closest))]
pub struct SelectionError {
    /// The name.
    pub name: String,
    /// The log type or family that looks most like it, if any does.
    pub closest: Option<String>,
}

fn hint(closest: &Option<String>) -> String {
    closest
        .as_ref()
        .map(|name| format!(", did you mean {name:?}?"))
        .unwrap_or_default()
}
