//! What user code cannot reach: descriptors of the host, big files, core files, the network.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a failing test says enough"
)]

mod support;

use std::fs::File;

use streamalert_detect::{EvaluateOptions, RuleOutcome, RuleRuntime};
use streamalert_python::{Limits, LoadReport, PoolOptions, PythonPool};
use support::{IMPORTS, Repo, record};

async fn started(body: &str, limits: Limits) -> (Repo, PythonPool, LoadReport) {
    let body = body.replace('\n', "\n    ");
    let rules = format!("{IMPORTS}@rule(logs=['a:b'])\ndef r(rec):\n    {body}\n");
    let repo = Repo::new(&[("rules/r.py", &rules)]);
    let options = PoolOptions {
        limits,
        ..repo.options()
    };
    let (pool, report) = PythonPool::start(options).await.unwrap();
    assert!(report.errors.is_empty(), "{:?}", report.errors);
    (repo, pool, report)
}

async fn outcome(pool: &PythonPool) -> RuleOutcome {
    let options = EvaluateOptions {
        trace: true,
        ..EvaluateOptions::default()
    };
    let outcomes = pool.evaluate(vec![record("a:b", "{}")], options).await.unwrap();
    outcomes[0].results[0].outcome.clone()
}

fn told(outcome: &RuleOutcome) -> String {
    match outcome {
        RuleOutcome::Exception(exception) => format!("{}: {}", exception.kind, exception.message),
        other => other.trace_word(),
    }
}

async fn word(body: &str, limits: Limits) -> String {
    let (_repo, pool, _) = started(body, limits).await;
    told(&outcome(&pool).await)
}

#[test]
fn descriptors_of_the_host_are_not_inherited() {
    // Opened first, so that they have the lowest numbers, and left to be inherited.
    let files: Vec<File> = (0..6).map(|_| File::open("/dev/null").unwrap()).collect();
    for file in &files {
        rustix::io::fcntl_setfd(file, rustix::io::FdFlags::empty()).unwrap();
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let told = runtime.block_on(word(
        "import os
raise ValueError(sorted(os.readlink('/proc/self/fd/' + fd).split(':')[0]
                        for fd in os.listdir('/proc/self/fd')
                        if os.path.exists('/proc/self/fd/' + fd)))",
        Limits::default(),
    ));
    // Standard input, the shared word, standard output and error, the two ends of the channel.
    let (word, others): (Vec<&str>, Vec<&str>) = told
        .trim_start_matches("ValueError: ")
        .trim_matches(['[', ']'])
        .split(", ")
        .partition(|name| name.contains("streamalert-progress-"));
    assert_eq!(word.len(), 1, "{told}");
    assert_eq!(others, ["'/dev/null'", "'pipe'", "'pipe'", "'pipe'", "'pipe'"]);
    drop(files);
}

#[tokio::test]
async fn files_have_a_largest_size_and_there_are_no_core_files() {
    let limits = Limits {
        file_bytes: 1 << 20,
        ..Limits::default()
    };
    let body = "import tempfile
with tempfile.TemporaryFile(buffering=0) as file:
    file.write(bytes(1 << 20))
    file.write(b'x')";
    let told = word(body, limits).await;
    assert!(told.starts_with("OSError: [Errno 27]"), "{told}");
    let body = "import resource as r
raise ValueError([r.getrlimit(kind) for kind in (r.RLIMIT_CORE, r.RLIMIT_FSIZE, r.RLIMIT_NOFILE)])";
    assert_eq!(
        word(body, Limits::default()).await,
        "ValueError: [(0, 0), (67108864, 67108864), (128, 128)]"
    );
}

fn offline() -> Limits {
    Limits {
        network: false,
        ..Limits::default()
    }
}

#[tokio::test]
async fn without_network_no_socket_can_be_opened() {
    let calls = [
        "socket.socket()",
        "socket.socket(socket.AF_UNIX)",
        "socket.create_connection(('127.0.0.1', 1))",
        "socket.getaddrinfo('127.0.0.1', 80)",
        "socket.gethostbyname('127.0.0.1')",
        "__import__('urllib.request').request.urlopen('http://127.0.0.1:1/')",
    ];
    let body = format!(
        "import socket\nfound = []\nfor call in {calls:?}:\n    try:\n        eval(call)\n    \
         except OSError as error:\n        found.append('may not use the network' in str(error))\n    \
         else:\n        found.append(False)\nraise ValueError(found)"
    );
    let patient = |limits| Limits {
        evaluation: std::time::Duration::from_secs(10),
        ..limits
    };
    assert_eq!(
        word(&body, patient(offline())).await,
        "ValueError: [True, True, True, True, True, True]"
    );
    assert_eq!(
        word(&body, patient(Limits::default())).await,
        "ValueError: [False, False, False, False, False, False]"
    );
}

/// The host's namespace; `None` where there is no such thing.
fn own_namespace() -> Option<String> {
    Some(
        std::fs::read_link("/proc/self/ns/net")
            .ok()?
            .display()
            .to_string(),
    )
}

#[tokio::test]
async fn without_network_a_worker_lives_in_a_namespace_of_its_own_or_a_warning_says_why_not() {
    let Some(own) = own_namespace() else {
        eprintln!("skipped: no namespaces");
        return;
    };
    let body = "import ctypes, os
found = os.readlink('/proc/self/ns/net')
libc = ctypes.CDLL(None)
try:
    there = os.open('/proc/%d/ns/net' % os.getppid(), os.O_RDONLY)
    libc.setns(there, 0)
except OSError:
    pass
raise ValueError([found, os.readlink('/proc/self/ns/net'), os.getuid(), os.path.exists(__file__)])";
    let (_repo, pool, report) = started(body, offline()).await;
    let told = told(&outcome(&pool).await);
    if let [warning] = &report.warnings[..] {
        assert!(
            warning.to_string().starts_with("rules cannot be cut off"),
            "{warning}"
        );
        assert!(told.contains(&own), "{told}");
        return;
    }
    assert!(report.warnings.is_empty(), "{:?}", report.warnings);
    assert!(told.starts_with("ValueError: ['net:["), "{told}");
    assert!(!told.contains(&own), "{told}");
    let user = rustix::process::getuid().as_raw();
    assert!(told.ends_with(&format!(", {user}, True]")), "{told}");
    // It still dies with its host's thread, and can be killed.
    pool.shutdown().await;
    let told = word(
        "import os\nraise ValueError(os.readlink('/proc/self/ns/net'))",
        Limits::default(),
    )
    .await;
    assert_eq!(told, format!("ValueError: {own}"));
}
