use super::*;

const LIMITS: WatchLimits = WatchLimits {
    evaluation: Duration::from_millis(100),
    publish: Duration::from_secs(1),
};

const fn word(sequence: u64, record: u64, rule: u64) -> ProgressWord {
    ProgressWord(sequence << 48 | record << 24 | rule)
}

#[expect(clippy::unnecessary_wraps, reason = "what observe takes")]
fn computing(millis: u64) -> Option<CpuSample> {
    Some(CpuSample {
        used: Duration::from_millis(millis),
        waits: false,
    })
}

fn watching(first: ProgressWord) -> (Watchdog, Instant) {
    let start = Instant::now();
    let mut dog = Watchdog::new(7, LIMITS, ProgressWord::INITIAL, start);
    assert!(!dog.observe(start, first, computing(500)));
    (dog, start)
}

#[test]
fn a_rule_that_computes_for_its_limit_is_over_it() {
    let (mut dog, start) = watching(word(7, 3, 9));
    let at = |millis| start + Duration::from_millis(millis);
    assert!(!dog.observe(at(99), word(7, 3, 9), computing(599)));
    assert!(dog.observe(at(100), word(7, 3, 9), computing(590)));
    assert_eq!(
        word(7, 3, 9).step(7),
        Step::Rule {
            record: 3,
            rule: RuleIndex(9)
        }
    );
}

#[test]
fn a_rule_that_the_machine_does_not_let_run_is_spared_for_a_while() {
    let (mut dog, start) = watching(word(7, 3, 9));
    let at = |millis| start + Duration::from_millis(millis);
    assert!(!dog.observe(at(150), word(7, 3, 9), computing(530)));
    assert!(!dog.observe(at(1999), word(7, 3, 9), computing(530)));
    assert!(dog.observe(at(2000), word(7, 3, 9), computing(530)));
}

#[test]
fn a_rule_that_sleeps_is_over_its_limit_without_computing() {
    let (mut dog, start) = watching(word(7, 3, 9));
    let sleeping = Some(CpuSample {
        used: Duration::from_millis(500),
        waits: true,
    });
    assert!(dog.observe(start + Duration::from_millis(101), word(7, 3, 9), sleeping));
}

#[test]
fn progress_starts_the_time_anew() {
    let (mut dog, start) = watching(word(7, 3, 9));
    let at = |millis| start + Duration::from_millis(millis);
    assert!(!dog.observe(at(90), word(7, 3, 10), computing(590)));
    assert!(!dog.observe(at(180), word(7, 4, 9), computing(680)));
    assert!(!dog.observe(at(270), word(7, 4, 9), computing(770)));
}

#[test]
fn our_own_work_and_publishers_have_other_limits() {
    let (mut dog, start) = watching(word(7, 3, 0xff_fffe));
    assert!(!dog.observe(
        start + Duration::from_secs(29),
        word(7, 3, 0xff_fffe),
        computing(29_500)
    ));
    let (mut dog, start) = watching(word(7, 0, 0xff_fffd));
    assert!(!dog.observe(
        start + Duration::from_millis(999),
        word(7, 0, 0xff_fffd),
        computing(1499)
    ));
    assert!(dog.observe(
        start + Duration::from_secs(1),
        word(7, 0, 0xff_fffd),
        computing(1500)
    ));
}

#[test]
fn a_word_of_another_batch_accuses_nobody() {
    assert_eq!(ProgressWord::INITIAL.step(7), Step::Elsewhere);
    assert_eq!(word(6, 3, 9).step(7), Step::Elsewhere);
    assert_eq!(word(7, 3, 0xff_ffff).step(0x1_0007), Step::Own { record: 3 });
}

#[test]
fn the_hottest_rule_has_half_of_the_samples() {
    let (mut dog, start) = watching(word(7, 0, 1));
    for record in 1..4 {
        dog.observe(start, word(7, record, 2), None);
    }
    assert_eq!(dog.hottest(), Some(RuleIndex(2)));
    dog.observe(start, word(7, 5, 3), None);
    dog.observe(start, word(7, 6, 1), None);
    dog.observe(start, word(7, 7, 4), None);
    assert_eq!(dog.hottest(), None);
}

#[test]
fn the_system_tells_of_a_process_that_lives() {
    let pid = u32::try_from(rustix::process::getpid().as_raw_pid()).unwrap();
    if std::path::Path::new("/proc/self/stat").exists() {
        assert!(cpu_sample(pid).is_some());
        assert!(address_space_bytes(pid).unwrap() > 1 << 20);
    }
}
