//! What a store outlives: a server that restarts or is not there, connections that are cut.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{scope, sleep};

use super::server::Server;
use super::*;

const LEASE: Duration = Duration::from_secs(600);

fn address(url: &str) -> Address {
    url.parse().unwrap()
}

fn refused(url: &str) -> String {
    let error = open(&address(url)).err().expect("it cannot be opened");
    assert_eq!(error.kind(), "store", "{error}");
    assert!(!error.to_string().contains("s3cret"), "{error}");
    error.to_string()
}

/// 60 jobs and a study of 60 trials, while the server is restarted and its connections are cut again and again.
#[test]
fn restarts_lose_nothing_and_double_nothing() {
    let Some(server) = Server::start("") else {
        return;
    };
    let url = server.database();
    let store = open(&address(&url)).unwrap();
    let jobs: Vec<NewJob> = (0..60)
        .map(|number| NewJob {
            digest: digest(number),
            payload: number.to_string(),
            study: None,
            attempts: 1,
        })
        .collect();
    let done = AtomicBool::new(false);
    let tenure = scope(|scope| {
        let recorder = scope.spawn(|| {
            let tenure = store.create(&about("digits")).unwrap();
            for number in 1..=60 {
                tenure.append(&trial(number, Some(0.5))).unwrap();
                sleep(Duration::from_millis(50));
            }
            tenure
        });
        let mut workers = vec![scope.spawn(|| {
            let keys: Vec<i64> = jobs
                .iter()
                .map(|job| store.enqueue(std::slice::from_ref(job)).unwrap()[0])
                .collect();
            let all_done = || {
                let jobs = store.jobs(&keys).unwrap();
                jobs.iter().all(|job| job.state == JobState::Done)
            };
            while !all_done() {
                store.wait(Duration::from_millis(200));
            }
            done.store(true, Ordering::Relaxed);
        })];
        for _ in 0..2 {
            let (url, done) = (&url, &done);
            workers.push(scope.spawn(move || {
                let store = open(&address(url)).unwrap();
                while !done.load(Ordering::Relaxed) {
                    let Some(claim) = store.claim("worker", LEASE).unwrap() else {
                        store.wait(Duration::from_millis(200));
                        continue;
                    };
                    sleep(Duration::from_millis(20));
                    assert_eq!(store.beat(&claim, LEASE, None).unwrap(), Beat::Held);
                    let finished = store.finish(&claim, "{}", &outcome(0.5), None);
                    assert!(finished.unwrap(), "no lease ran out");
                }
            }));
        }
        let cut = "select pg_terminate_backend(pid) from pg_stat_activity \
                   where pid <> pg_backend_pid() and datname is not null";
        for _ in 0..3 {
            sleep(Duration::from_millis(400));
            server.restart();
            for _ in 0..10 {
                sleep(Duration::from_millis(40));
                server.sql(&server.url("postgres"), cut);
            }
        }
        for worker in workers {
            worker.join().unwrap();
        }
        recorder.join().unwrap()
    });
    // Exactly one row for each, each started once.
    let counts = "select count(*), count(distinct digest), max(attempts), min(state) from jobs";
    assert_eq!(server.sql(&url, counts), "60|60|1|done");
    assert_eq!(server.sql(&url, "select count(*) from evaluations"), "60");
    let trials = store.trials(tenure.study()).unwrap();
    assert!(trials.iter().map(|trial| trial.number).eq(1..=60));
}

#[test]
fn the_lock_of_a_study_is_taken_again_after_a_restart() {
    let Some(server) = Server::start("") else {
        return;
    };
    let url = server.database();
    let store = open(&address(&url)).unwrap();
    let tenure = store.create(&about("digits")).unwrap();
    server.restart();
    tenure.append(&trial(1, Some(0.5))).unwrap();
    let locks = "select count(*) from pg_locks where locktype = 'advisory' and granted";
    while server.sql(&url, locks) == "0" {
        sleep(Duration::from_millis(100));
    }
    let busy = open(&address(&url)).unwrap().take(tenure.study());
    assert_eq!(busy.err().unwrap().kind(), "busy");
    // Whoever is quicker than that has the study.
    server.restart();
    let next = open(&address(&url)).unwrap().take(tenure.study()).unwrap();
    next.append(&trial(2, Some(0.5))).unwrap();
    let late = tenure.append(&trial(2, Some(0.5))).unwrap_err();
    assert_eq!(late.kind(), "taken");
}

#[test]
fn a_server_that_refuses_or_is_not_there_is_named() {
    let Some(server) = Server::start("") else {
        return;
    };
    let url = server.database();
    let wrong = refused(&url.replace("s3cret", "s3cret2"));
    assert!(wrong.contains("password authentication failed"), "{wrong}");
    let shown = format!("store postgres://nas@127.0.0.1:{}/studies0:", server.port());
    assert!(wrong.starts_with(&shown), "{wrong}");
    let missing = refused(&server.url("nowhere"));
    assert!(
        missing.contains("database \"nowhere\" does not exist"),
        "{missing}"
    );
    let store = open(&address(&url)).unwrap();
    server.sql(&url, "drop table jobs");
    // For good, so it is not tried again.
    let error = store.claim("worker", LEASE).unwrap_err().to_string();
    assert!(
        error.contains("relation \"jobs\" does not exist"),
        "{error}"
    );
    server.stop();
    let gone = refused(&url);
    assert!(gone.contains("cannot open it"), "{gone}");
}
