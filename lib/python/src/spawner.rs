use std::io;

use tokio::process::{Child, Command};
use tokio::sync::oneshot;

struct Request {
    command: Box<Command>,
    reply: oneshot::Sender<io::Result<Child>>,
}

/// Starts processes from one thread that lives as long as this does. The kernel's "die with your parent" is
/// about the parent's *thread*; a runtime's threads come and go.
#[derive(Debug)]
pub(crate) struct Spawner {
    requests: std::sync::mpsc::Sender<Request>,
}

impl Spawner {
    /// Starts the thread, which works within the runtime of the caller.
    pub(crate) fn start() -> io::Result<Self> {
        let (requests, inbox) = std::sync::mpsc::channel::<Request>();
        let runtime = tokio::runtime::Handle::current();
        std::thread::Builder::new()
            .name("python-spawner".into())
            .spawn(move || {
                let _inside = runtime.enter();
                for mut request in inbox {
                    // A caller that is gone drops the child, which kills it.
                    let _ = request.reply.send(request.command.spawn());
                }
            })?;
        Ok(Self { requests })
    }

    /// Starts a process.
    pub(crate) async fn spawn(&self, command: Command) -> io::Result<Child> {
        let (reply, answer) = oneshot::channel();
        let gone = || io::Error::other("the thread that starts processes is gone");
        self.requests
            .send(Request {
                command: Box::new(command),
                reply,
            })
            .map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}
