//! What the log says of outputs and of alerts that are given up.

use std::io::{self, Write};

use super::*;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    /// Takes what this thread logs until the guard is gone.
    fn listen(&self) -> tracing::subscriber::DefaultGuard {
        let log = self.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(move || log.clone())
            .finish();
        tracing::subscriber::set_default(subscriber)
    }

    fn lines(&self, part: &str) -> Vec<String> {
        let log = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        let lines = log.lines().filter(|line| line.contains(part));
        lines.map(str::to_owned).collect()
    }
}

const DOWN: &str = "output is down";
const BACK: &str = "output no longer counts as down";
const GIVEN_UP: &str = "alert given up for its age";

fn failing_until(back: Instant) -> Arc<Scripted> {
    Scripted::new(Duration::from_millis(20), move |_| {
        if Instant::now() < back {
            Err(SendError::retry("connection refused"))
        } else {
            Ok(())
        }
    })
}

#[tokio::test(start_paused = true)]
async fn an_output_that_goes_down_and_comes_back_is_told_once_each() {
    let log = Log::default();
    let _guard = log.listen();
    let output = failing_until(Instant::now() + Duration::from_secs(1800));
    let rig = start(vec![("webhook:a", output, options())]);
    rig.handle.deliver(delivery(1, "webhook:a")).await.unwrap();
    let (down, back) = (log.lines(DOWN), log.lines(BACK));
    assert_eq!((down.len(), back.len()), (1, 1), "{down:?} {back:?}");
    assert!(
        down[0].contains("WARN") && down[0].contains("output=webhook:a"),
        "{down:?}"
    );
    assert!(down[0].contains("connection refused"), "{down:?}");
    assert!(
        back[0].contains("INFO") && back[0].contains("output=webhook:a"),
        "{back:?}"
    );
    assert_eq!(log.lines(GIVEN_UP), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn an_alert_that_is_given_up_for_its_age_is_told_once_even_when_its_dead_letter_is_stored_late() {
    let log = Log::default();
    let _guard = log.listen();
    let output = failing_until(Instant::now() + Duration::from_secs(86_400));
    let options = DeliveryOptions {
        dead_letter_after: Duration::from_secs(600),
        ..options()
    };
    let rig = start(vec![("webhook:a", output, options)]);
    rig.store.faults().set_full(true);
    let handle = rig.handle.clone();
    let delivered = tokio::spawn(async move { handle.deliver(delivery(1, "webhook:a")).await });
    tokio::time::sleep(Duration::from_secs(900)).await;
    rig.store.faults().set_full(false);
    let outcome = delivered.await.unwrap().unwrap();
    let DeliveryOutcome::DeadLettered { attempts, .. } = outcome else {
        panic!("{outcome:?}")
    };
    let told = log.lines(GIVEN_UP);
    assert_eq!(told.len(), 1, "{told:?}");
    let alert = alert(1);
    for part in [
        "ERROR".to_owned(),
        "output=webhook:a".to_owned(),
        format!("alert={}", alert.id),
        format!("rule={}", alert.rule_name),
        format!("attempts={attempts}"),
        "error=connection refused".to_owned(),
    ] {
        assert!(told[0].contains(&part), "no {part} in {told:?}");
    }
}
