//! The answers are those of `jira`; Jira Cloud tells limits by 429 with `Retry-After`.

pub(super) use crate::outputs::jira::response::delivery_options;
