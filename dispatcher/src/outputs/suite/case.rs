use std::path::Path;

use serde_json::Value as Json;
use streamalert_testkit::emulator::PeerKind;
use streamalert_testkit::{ReceivedRequest, Reply};
use streamalert_types::Alert;

/// Part of every secret of a case; must never be seen anywhere but in requests.
pub(crate) const PLANTED: &str = "planted-S3cr3t";

/// What the suite must know about an output.
pub(crate) enum Case {
    /// It asks an API over http.
    Http(HttpCase),
    /// It appends lines to a file.
    Lines(LinesCase),
    /// It speaks another protocol with a server that the suite starts.
    Peer(PeerCase),
    /// It delivers in several ways, each with a name; that of the first is empty.
    Ways(Vec<(&'static str, Self)>),
    /// It is like none of these: its own tests put it through the same.
    Own(OwnCase),
}

/// How an output is tried by its own tests.
pub(crate) struct OwnCase {
    /// What makes it different from all others.
    pub(crate) why: &'static str,
    /// What shows each thing that every output must do, in the order of [`MUST`].
    pub(crate) proofs: [Proof; 8],
}

/// What every output must do.
pub(crate) const MUST: [&str; 8] = [
    "success",
    "retry, then success",
    "permanent failure",
    "timeout",
    "oversize",
    "unicode and control characters",
    "secrets not leaked",
    "redelivery",
];

/// What shows that an output does it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Proof {
    /// The test of this name among its own.
    Test(&'static str),
    /// Nothing, because it cannot happen.
    Never(&'static str),
}

impl Case {
    /// The ways to deliver, with their names; none for those that other tests try.
    pub(crate) fn ways(self) -> Vec<(&'static str, Self)> {
        match self {
            Self::Ways(ways) => ways,
            Self::Own(_) | Self::Peer(_) => Vec::new(),
            one => vec![("", one)],
        }
    }
}

/// How a server answers each request when all is well.
pub(crate) type Server = Box<dyn FnMut(&ReceivedRequest) -> Reply + Send>;

/// How an output that appends lines is tried.
pub(crate) struct LinesCase {
    /// Its settings.
    pub(crate) settings: fn() -> Json,
    /// The file that it writes, for `SERVICE:a`, relative to the base directory.
    pub(crate) file: &'static str,
}

/// How an output is tried that speaks another protocol than http.
pub(crate) struct PeerCase {
    /// The server.
    pub(crate) kind: PeerKind,
    /// Makes what the server needs in its folder, beside `ca.pem`, `cert.pem` and `key.pem` for `localhost`.
    pub(crate) prepare: fn(&Path),
    /// Settings for the server whose ports are given. Every secret field is set and has [`PLANTED`] in it.
    pub(crate) settings: fn(ports: &Json) -> Json,
    /// What to tell the server to have a misfortune happen to the next attempt; `None` where the protocol knows none such.
    pub(crate) misfortune: fn(&Misfortune) -> Option<Json>,
    /// Panics unless what the server took is as documented.
    pub(crate) check: fn(&Json),
    /// What documentation shows of what the server took.
    pub(crate) sample: fn(&Json) -> String,
}

/// What can happen to an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Misfortune {
    /// The server says "later".
    Busy,
    /// The server refuses for good, in these words.
    Refused(String),
    /// The server says nothing.
    Hang,
    /// The connection ends before anything was taken.
    Reset,
    /// It was taken, and the connection ends before anybody says so.
    LostAnswer,
}

/// How an output over http is tried. Make one with [`HttpCase::new`] and change what differs:
/// `HttpCase { refusal: …, ..HttpCase::new(…) }`.
pub(crate) struct HttpCase {
    /// Settings that send to the mock at the given url, which has no slash at its end. Every secret field is set and has
    /// [`PLANTED`] in it.
    pub(crate) settings: fn(base: &str) -> Json,
    /// Panics unless the request is what the API documents: method, path, headers, body.
    pub(crate) check: fn(&ReceivedRequest),
    /// By what the API tells a repeated request from another: its deduplication key. `None` for requests that create
    /// nothing, such as searches.
    pub(crate) identity: fn(&ReceivedRequest) -> Option<String>,
    /// Makes a server: how it answers each request when all is well. It may keep what was created, so that a later
    /// search finds it.
    pub(crate) server: fn() -> Server,
    /// How the API says "later", besides 500; without `Retry-After`, or with 0.
    pub(crate) busy: Reply,
    /// How the API refuses for good. Its body begins with `refused`.
    pub(crate) refusal: fn(body: &str) -> Reply,
    /// What a person finds in a request; decode what is encoded.
    pub(crate) read: fn(&ReceivedRequest) -> String,
    /// What a repeated request does.
    pub(crate) repeats: Repeats,
    /// Whether an SDK of AWS makes the requests, which knows neither `Retry-After` nor our trace.
    pub(crate) is_sdk: bool,
    /// The largest body it may send.
    pub(crate) body_bytes_max: usize,
    /// What its rules add to an alert.
    pub(crate) rule: fn(Alert) -> Alert,
    /// Whether it shows the record.
    pub(crate) shows_record: bool,
}

/// What an API makes of the second request about the same thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeats {
    /// It recognises the identity, or the receiver is shown it and can: the output may repeat itself.
    Recognised,
    /// Nothing: the output must look first and create nothing twice.
    Known,
}

impl HttpCase {
    /// The usual: 200 for everything, 429 and 400, JSON or text as body, repeats recognised, 1 MiB.
    pub(crate) fn new(
        settings: fn(&str) -> Json,
        check: fn(&ReceivedRequest),
        identity: fn(&ReceivedRequest) -> Option<String>,
    ) -> Self {
        Self {
            settings,
            check,
            identity,
            server: || Box::new(|_| Reply::status(200, r#"{"ok":true}"#)),
            busy: Reply::too_many(0),
            refusal: |body| Reply::status(400, body),
            read: |request| String::from_utf8(request.body.to_vec()).expect("the body is text"),
            repeats: Repeats::Recognised,
            is_sdk: false,
            body_bytes_max: 1 << 20,
            rule: |alert| alert,
            shows_record: true,
        }
    }
}

/// The body of a request, read by a strict reader.
pub(crate) fn json_of(request: &ReceivedRequest) -> Json {
    let kind = request.header("content-type").unwrap_or_default();
    assert!(kind.starts_with("application/json"), "content-type {kind:?}");
    serde_json::from_slice(&request.body).expect("the body is json")
}

/// The text at `pointer` has from 1 to `max` characters.
pub(crate) fn within(json: &Json, pointer: &str, max: usize) {
    let text = json.pointer(pointer).and_then(Json::as_str);
    let chars = text
        .unwrap_or_else(|| panic!("no text at {pointer} of {json}"))
        .chars()
        .count();
    assert!((1..=max).contains(&chars), "{chars} characters at {pointer}");
}
