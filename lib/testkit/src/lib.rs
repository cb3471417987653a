//! What tests need and services do not: a webhook receiver that can misbehave, the recorded answers of
//! StreamAlert, real processes to start and kill, emulators of AWS. Only ever a dev-dependency.

pub mod emulator;
mod golden;
mod process;
mod receiver;
mod reply;
mod signature;

pub use golden::{golden_lines, golden_path, shared_dir};
pub use process::{HarnessError, ServiceProcess, ServiceSpec, free_port, streamalert_binary};
pub use receiver::{ReceivedRequest, WebhookReceiver};
pub use reply::Reply;
pub use tempfile::{TempDir, tempdir};
