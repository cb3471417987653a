/// Why a text is not JSON as CPython's `json.loads` understands it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not json: {kind} at byte {offset}")]
pub struct JsonError {
    /// What is wrong.
    pub kind: JsonErrorKind,
    /// Where, in bytes from the start of the (decoded) text.
    pub offset: usize,
}

/// What is wrong with a JSON text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JsonErrorKind {
    /// No value where one must be.
    #[error("a value was expected")]
    ExpectedValue,
    /// An object member without its quoted key.
    #[error("a quoted key was expected")]
    ExpectedKey,
    /// A key without its colon.
    #[error("a colon was expected")]
    ExpectedColon,
    /// Members or elements without a comma between them, or a container that is never closed.
    #[error("a comma or the end of the container was expected")]
    ExpectedComma,
    /// Text after the value.
    #[error("text after the end of the value")]
    TrailingText,
    /// A text that is never closed.
    #[error("a text without its closing quote")]
    UnterminatedText,
    /// A raw control character within a text.
    #[error("a raw control character within a text")]
    ControlCharacter,
    /// A backslash with something after it that JSON does not know.
    #[error("an unknown escape")]
    BadEscape,
    /// Containers nested deeper than [`crate::DEPTH_MAX`].
    #[error("containers nested deeper than {}", crate::DEPTH_MAX)]
    TooDeep,
    /// Longer than [`crate::DOCUMENT_BYTES_MAX`].
    #[error("longer than {} bytes", crate::DOCUMENT_BYTES_MAX)]
    TooLong,
    /// Bytes that are not the UTF-8, UTF-16 or UTF-32 that they seem to be.
    #[error("bytes that are not valid text")]
    BadEncoding,
    /// A text that begins with a byte order mark; bytes may, text may not.
    #[error("a byte order mark before the value")]
    ByteOrderMark,
}
