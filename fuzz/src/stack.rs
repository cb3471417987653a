//! The stack that loading and evaluation have in production.

/// As `lib/runtime` gives it to the threads that load, compile and evaluate.
const STACK_BYTES: usize = 256 << 20;

/// Runs `work` on a thread with that stack.
///
/// # Panics
/// When it panics or no thread can be started.
pub fn run(work: impl FnOnce() + Send) {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .stack_size(STACK_BYTES)
            .spawn_scoped(scope, work)
            .expect("a thread can be started");
        thread.join().expect("no panic: it would have ended the fuzzer");
    });
}
