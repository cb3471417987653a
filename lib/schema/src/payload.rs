use streamalert_types::{Position, Source};
use streamalert_value::Value;

/// Something to classify, and where it comes from.
#[derive(Debug, Clone, Copy)]
pub struct Payload<'a> {
    /// The source.
    pub source: &'a Source,
    /// Its place within the source; record ids are made from it.
    pub position: &'a Position,
    /// The thing itself.
    pub body: Body<'a>,
}

/// What a source hands over, by the way it is packed.
#[derive(Debug, Clone, Copy)]
pub enum Body<'a> {
    /// The data of a Kinesis record after base64: one unit, perhaps compressed with gzip or zlib.
    Packed(&'a [u8]),
    /// An S3 object or a file: perhaps gzip, then one JSON value or one unit a line.
    Object(&'a [u8]),
    /// One line of a file or stream, as it is; with or without its line feed.
    Line(&'a [u8]),
    /// The message of an SNS notification.
    Text(&'a str),
    /// The logs of an app's batch: objects or texts.
    Logs(&'a [Value]),
}

/// Limits on what one payload may become.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes that a compressed payload may unpack to. Beyond, it is refused as a whole: a megabyte of gzip can
    /// hold a gigabyte of zeros, and memory is what other payloads need.
    pub unpacked_bytes_max: usize,
    /// Bytes of buffers that are kept from one payload to the next. A rare large payload must not hold its memory
    /// for ever.
    pub kept_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            unpacked_bytes_max: 256 << 20,
            kept_bytes_max: 16 << 20,
        }
    }
}
