//! The request is that of `aws-lambda`.
