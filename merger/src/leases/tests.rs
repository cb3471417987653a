use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use streamalert_store::{Keeper, Lease, MemoryStore};
use streamalert_types::ManualClock;

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
    fn told(&self) -> Vec<String> {
        let log = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        let lines = log.lines().filter(|line| line.contains("shards change hands"));
        lines.map(str::to_owned).collect()
    }
}

fn courier() -> (Courier, mpsc::UnboundedSender<News>, mpsc::Receiver<Message>) {
    let clock = ManualClock::at("2026-01-31T08:00:00.000000Z".parse().unwrap());
    let options = keeper_options(&MergerOptions::default());
    let (_, keeper, _) = Keeper::new(options, Arc::new(MemoryStore::new()), Arc::new(clock));
    let (sender, news) = mpsc::unbounded_channel();
    let (_, reports) = mpsc::unbounded_channel();
    let (lane, told) = mpsc::channel(1000);
    let courier = Courier {
        keeper,
        news,
        reports,
        lanes: vec![lane],
        started: None,
        changes: Changes::default(),
    };
    (courier, sender, told)
}

#[tokio::test(start_paused = true)]
async fn shards_that_are_taken_one_by_one_at_the_start_are_told_in_one_line() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let (courier, news, _told) = courier();
    let task = tokio::spawn(courier.run());
    let pause = || tokio::time::sleep(Duration::from_millis(5));
    for shard in 0..128 {
        news.send(News::Own(Lease::free(key(ShardId(shard))))).unwrap();
        pause().await;
    }
    assert_eq!(log.told(), [""; 0]);
    news.send(News::Started).unwrap();
    pause().await;
    assert_eq!(log.told().len(), 1);
    assert!(
        log.told()[0].contains("taken=128 asked_for=0 lost=0"),
        "{:?}",
        log.told()
    );

    let lost = |shard| News::Lost {
        key: key(ShardId(shard)),
        loss: Loss::Taken,
    };
    news.send(lost(1)).unwrap();
    pause().await;
    news.send(lost(2)).unwrap();
    tokio::time::sleep(GATHER).await;
    assert_eq!(log.told().len(), 2);
    assert!(
        log.told()[1].contains("taken=0 asked_for=0 lost=2"),
        "{:?}",
        log.told()
    );

    news.send(lost(3)).unwrap();
    drop(news);
    task.await.unwrap();
    assert!(log.told()[2].contains("lost=1"), "{:?}", log.told());
}
