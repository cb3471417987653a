use std::time::Duration;

/// How the receiver behaves towards one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// Answers with this status, these headers and this body.
    Answer {
        /// The http status.
        status: u16,
        /// Name and value.
        headers: Vec<(String, String)>,
        /// The body.
        body: String,
    },
    /// Answers 200 after so long.
    Slow(Duration),
    /// Never answers; the connection stays open.
    Hang,
    /// Resets the connection without an answer.
    Reset,
    /// Answers 200, begins a body, and resets the connection.
    ResetMidBody,
}

impl Reply {
    /// 200 with the body `ok`.
    #[must_use]
    pub fn ok() -> Self {
        Self::status(200, "ok")
    }

    /// This status and body.
    #[must_use]
    pub fn status(status: u16, body: &str) -> Self {
        Self::Answer {
            status,
            headers: Vec::new(),
            body: body.to_owned(),
        }
    }

    /// 429 with `Retry-After`.
    #[must_use]
    pub fn too_many(retry_after_secs: u64) -> Self {
        let headers = vec![("retry-after".to_owned(), retry_after_secs.to_string())];
        Self::Answer {
            status: 429,
            headers,
            body: "slow down".to_owned(),
        }
    }

    /// A redirect to `location`.
    #[must_use]
    pub fn redirect(location: &str) -> Self {
        let headers = vec![("location".to_owned(), location.to_owned())];
        Self::Answer {
            status: 307,
            headers,
            body: String::new(),
        }
    }
}
