use crate::args;
use crate::failure::Failure;

/// `output services`
pub(crate) fn run(args: &args::Output) -> Result<(), Failure> {
    match args {
        args::Output::Services => {
            for service in streamalert_dispatcher::services() {
                println!("{}", service.name);
            }
        }
    }
    Ok(())
}
