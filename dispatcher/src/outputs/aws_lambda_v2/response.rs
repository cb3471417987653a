//! The answers are those of `aws-lambda`.

pub(super) use crate::outputs::aws_lambda::response::delivery_options;
