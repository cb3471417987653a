use super::*;
use crate::outputs::fixtures::{alert, publication};

#[tokio::test]
async fn an_alert_goes_to_the_file_of_the_hour_of_its_creation() {
    let dir = tempfile::tempdir().unwrap();
    let output =
        FirehoseLocalOutput::configured(&FirehoseConfig::default(), Path::new("/"), dir.path(), "alerts");
    let deadline = Instant::now() + std::time::Duration::from_secs(10);
    let mut later = alert(2);
    later.created = "2026-01-31T08:00:00.000000Z".parse().unwrap();
    for alert in [alert(1), later, alert(1)] {
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
