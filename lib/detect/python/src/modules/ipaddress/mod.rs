//! `ipaddress`.

pub(super) mod parse;
