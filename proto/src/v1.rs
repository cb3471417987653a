//! The messages and services of package `streamalert.v1`, generated from `streamalert/v1/*.proto`, which
//! carry the documentation.
#![allow(
    missing_docs,
    unreachable_pub,
    unused_qualifications,
    clippy::all,
    reason = "generated code"
)]

tonic::include_proto!("streamalert.v1");
