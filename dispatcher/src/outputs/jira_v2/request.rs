//! The requests are those of `jira`, which know the editions apart.
