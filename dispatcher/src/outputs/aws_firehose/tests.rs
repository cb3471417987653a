use std::path::Path;

use super::*;
use crate::outputs::fixtures::{alert, publication};
use crate::outputs::suite::{Case, LinesCase};

pub(super) fn case() -> Case {
    Case::Lines(LinesCase {
        settings: || serde_json::json!({"directory": "out"}),
        file: "out/a/dt=2026-01-31-07/a.jsonl",
    })
}

fn history(dir: &Path) -> LocalHistory {
    LocalHistory::new(dir.to_owned(), "alerts")
}

#[tokio::test]
async fn an_alert_goes_to_the_file_of_the_hour_of_its_creation() {
    let dir = tempfile::tempdir().unwrap();
    let deadline = Instant::now() + std::time::Duration::from_secs(10);
    let mut later = alert(2);
    later.created = "2026-01-31T08:00:00.000000Z".parse().unwrap();
    for alert in [alert(1), later, alert(3)] {
        let output = history(dir.path());
        let key = alert.id.to_string();
        output
            .send(&publication(alert, "aws-firehose:alerts").await, &key, deadline)
            .await
            .unwrap();
    }
    let lines = |hour: &str| {
        let path = dir
            .path()
            .join(format!("alerts/dt=2026-01-31-{hour}/alerts.jsonl"));
        std::fs::read_to_string(path).unwrap().lines().count()
    };
    assert_eq!((lines("07"), lines("08")), (2, 1));
}

#[tokio::test]
async fn an_alert_that_a_former_process_wrote_is_not_written_again() {
    let dir = tempfile::tempdir().unwrap();
    let deadline = Instant::now() + std::time::Duration::from_secs(10);
    for number in [1, 2, 1, 2] {
        let publication = publication(alert(number), "aws-firehose:alerts").await;
        let key = publication.alert.id.to_string();
        history(dir.path())
            .send(&publication, &key, deadline)
            .await
            .unwrap();
    }
    let text = std::fs::read_to_string(dir.path().join("alerts/dt=2026-01-31-07/alerts.jsonl")).unwrap();
    assert_eq!(text.lines().count(), 2);
}
