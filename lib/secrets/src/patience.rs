use std::time::Duration;

use streamalert_aws::Fault;

/// Attempts at one call. Secrets are read at the start of a process, where nobody else would try again.
const ATTEMPTS: u32 = 5;

/// Before the second attempt; doubles with each.
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// Calls until it is answered, or fails in a way that trying again does not mend, or has failed often enough: three
/// seconds of pauses altogether.
pub(crate) async fn patiently<T, F>(call: impl Fn() -> F) -> Result<T, Fault>
where
    F: Future<Output = Result<T, Fault>>,
{
    for attempt in 1..ATTEMPTS {
        match call().await {
            Err(fault) if fault.is_retryable() => {
                tokio::time::sleep(FIRST_PAUSE.saturating_mul(1 << (attempt - 1))).await;
            }
            answer => return answer,
        }
    }
    call().await
}
