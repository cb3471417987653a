//! Every implementation passes the conformance suite.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod memory {
    use streamalert_store::conformance::Forgets;
    use streamalert_store::{FaultyStore, MemoryStore, conformance};

    async fn fresh() -> MemoryStore {
        MemoryStore::new()
    }

    #[tokio::test]
    async fn passes_conformance() {
        conformance::alerts(fresh).await;
        conformance::adoption(fresh, false).await;
        conformance::outbox(fresh).await;
        conformance::tombstones(fresh, Forgets::WhenAsked).await;
        conformance::fences(fresh).await;
        conformance::listing(fresh).await;
        conformance::groups(fresh, Forgets::WhenAsked).await;
        conformance::first_of_a_group(fresh).await;
        let bounded = async |bytes_max| MemoryStore::new().with_dead_letter_bytes_max(bytes_max);
        conformance::letters(fresh).await;
        conformance::bounded_letters(bounded).await;
        conformance::checkpoints(fresh).await;
        conformance::leases(fresh).await;
        conformance::leases_under_any_interleaving(fresh).await;
    }

    #[tokio::test]
    async fn passes_conformance_with_late_writes() {
        let fresh = async || MemoryStore::new().with_late_writes();
        conformance::alerts(fresh).await;
        conformance::adoption(fresh, true).await;
        conformance::tombstones(fresh, Forgets::WhenAsked).await;
        conformance::groups(fresh, Forgets::WhenAsked).await;
        conformance::first_of_a_group(fresh).await;
    }

    #[tokio::test]
    async fn passes_conformance_behind_a_wrapper_without_faults() {
        let fresh = async || FaultyStore::new(MemoryStore::new());
        conformance::alerts(fresh).await;
        conformance::tombstones(fresh, Forgets::WhenAsked).await;
        conformance::groups(fresh, Forgets::WhenAsked).await;
        conformance::first_of_a_group(fresh).await;
        conformance::checkpoints(fresh).await;
        conformance::leases(fresh).await;
    }
}

mod embedded {
    use std::cell::RefCell;

    use streamalert_store::conformance::Forgets;
    use streamalert_store::{EmbeddedOptions, EmbeddedStore, conformance};
    use tempfile::TempDir;

    /// Makes stores in directories that live as long as it does.
    #[derive(Default)]
    struct Dirs(RefCell<Vec<TempDir>>);

    impl Dirs {
        fn store(&self, dead_letter_bytes_max: u64) -> EmbeddedStore {
            let dir = tempfile::tempdir().unwrap();
            let options = EmbeddedOptions {
                dead_letter_bytes_max,
                ..EmbeddedOptions::new(dir.path())
            };
            self.0.borrow_mut().push(dir);
            EmbeddedStore::open(options).unwrap()
        }
    }

    #[tokio::test]
    async fn passes_conformance_on_alerts() {
        let dirs = Dirs::default();
        let fresh = async || dirs.store(1 << 20);
        conformance::alerts(fresh).await;
        conformance::alerts_of_other_shards(fresh).await;
        conformance::adoption(fresh, false).await;
        conformance::outbox(fresh).await;
        conformance::tombstones(fresh, Forgets::WhenAsked).await;
        conformance::fences(fresh).await;
        conformance::listing(fresh).await;
        conformance::groups(fresh, Forgets::WhenAsked).await;
        conformance::first_of_a_group(fresh).await;
    }

    #[tokio::test]
    async fn passes_conformance_on_dead_letters_and_checkpoints() {
        let dirs = Dirs::default();
        conformance::letters(async || dirs.store(1 << 20)).await;
        conformance::bounded_letters(async |bytes_max| dirs.store(bytes_max)).await;
        conformance::checkpoints(async || dirs.store(1 << 20)).await;
    }

    #[tokio::test]
    async fn passes_conformance_on_leases() {
        let dirs = Dirs::default();
        let fresh = async || dirs.store(1 << 20);
        conformance::leases(fresh).await;
        conformance::leases_under_any_interleaving(fresh).await;
    }
}
