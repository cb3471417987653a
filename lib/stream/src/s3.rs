//! Objects of Amazon S3, told of by messages of a queue.
//!
//! `event` reads what a message tells of (pure), `api` is what is asked of S3, `aws` asks it; `download` brings the
//! bytes of one object, however often the connection breaks; `books` know which objects a message waits for (pure);
//! `task` reads one object; `source` hands out
//! payloads.

mod api;
mod aws;
mod books;
mod download;
mod event;
mod source;
mod task;

pub use api::{GetRequest, ObjectBody, ObjectChunks, S3Api};
pub use aws::AwsS3;
pub use source::{S3Options, S3Source};
