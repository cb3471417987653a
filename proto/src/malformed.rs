/// A message that decodes as protobuf and does not say what it must. Sending it again does not help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MalformedMessage {
    /// A field that must be there is not.
    #[error("field {field} is missing")]
    Missing {
        /// The field, as `Message.field`.
        field: &'static str,
    },
    /// An index points behind the table that it is for.
    #[error("field {field} is {index}, its table has {len} entries")]
    Index {
        /// The field, as `Message.field`.
        field: &'static str,
        /// What it says.
        index: u32,
        /// How many entries there are.
        len: usize,
    },
    /// A field has a value that means nothing.
    #[error("field {field}: {reason}")]
    Value {
        /// The field, as `Message.field`.
        field: &'static str,
        /// What is wrong, in one line.
        reason: String,
    },
}

impl MalformedMessage {
    pub(crate) fn value(field: &'static str, reason: impl ToString) -> Self {
        Self::Value {
            field,
            reason: reason.to_string(),
        }
    }
}

/// A JSON object at first sight: what the receiver parses later is not parsed twice here, but a field that was
/// never filled does not pass for a record.
pub(crate) fn require_object(field: &'static str, json: &[u8]) -> Result<(), MalformedMessage> {
    if json.first() == Some(&b'{') && json.last() == Some(&b'}') {
        Ok(())
    } else {
        Err(MalformedMessage::value(field, "not a json object"))
    }
}
