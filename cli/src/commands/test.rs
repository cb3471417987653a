use crate::args::{Global, Test};
use crate::failure::Failure;

/// Runs test events.
pub(crate) async fn run(_global: &Global, _args: &Test) -> Result<(), Failure> {
    Err(Failure::Other("not built yet".to_owned()))
}
