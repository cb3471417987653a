//! The program as its users run it, in processes of its own: all services in one, or each in its own on loopback.

mod ground;
mod http;
mod processes;

pub(super) use ground::{Ground, Input, Reading};
pub(super) use http::{find, post, read_message, reply};
pub(super) use processes::{Processes, Shape, free_address};
