//! What a store outlives: a server that restarts or is not there, connections that are cut.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
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

const JOBS: usize = 60;

/// Works off jobs and records a study, while the server goes down by `down` and comes back, and its connections
/// are cut, again and again. Returns how often a worker was told that its job is no longer its own.
fn work_through(server: &Server, down: fn(&Server)) -> usize {
    let url = server.database();
    let store = open(&address(&url)).unwrap();
    let (lost, done) = (AtomicUsize::new(0), AtomicBool::new(false));
    let study = scope(|scope| {
        let recorder = scope.spawn(|| {
            let tenure = store.create(&about("digits")).unwrap();
            for number in 1..=JOBS {
                tenure.append(&trial(number, Some(0.5))).unwrap();
                sleep(Duration::from_millis(40));
            }
            tenure.study()
        });
        for _ in 0..2 {
            scope.spawn(|| {
                let store = open(&address(&url)).unwrap();
                while !done.load(Ordering::Relaxed) {
                    if !work(&*store) {
                        lost.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
        scope.spawn(|| {
            let enqueue = |number| {
                let job = NewJob {
                    digest: digest(number),
                    payload: number.to_string(),
                    study: None,
                    attempts: 3,
                };
                store.enqueue(&[job]).unwrap()[0]
            };
            let keys: Vec<i64> = (0..JOBS).map(enqueue).collect();
            let unfinished = |job: &Job| job.state != JobState::Done;
            while store.jobs(&keys).unwrap().iter().any(unfinished) {
                store.wait(Duration::from_millis(200));
            }
            done.store(true, Ordering::Relaxed);
        });
        let cut = "select pg_terminate_backend(pid) from pg_stat_activity \
                   where pid <> pg_backend_pid() and datname is not null";
        for _ in 0..3 {
            sleep(Duration::from_millis(400));
            down(server);
            for _ in 0..10 {
                sleep(Duration::from_millis(40));
                server.sql(&server.url("postgres"), cut);
            }
        }
        recorder.join().unwrap()
    });
    // Exactly one of each.
    let jobs = "select count(*), count(distinct digest), min(state), max(state) from jobs";
    assert_eq!(server.sql(&url, jobs), format!("{JOBS}|{JOBS}|done|done"));
    let kept = server.sql(&url, "select count(*) from evaluations");
    assert_eq!(kept, JOBS.to_string());
    let trials = store.trials(study).unwrap();
    assert!(trials.iter().map(|trial| trial.number).eq(1..=JOBS));
    lost.into_inner()
}

/// Takes a job, if there is one, and finishes it. `false`: it was lost meanwhile.
fn work(store: &dyn StudyStore) -> bool {
    let Some(claim) = store.claim("worker", LEASE).unwrap() else {
        store.wait(Duration::from_millis(200));
        return true;
    };
    sleep(Duration::from_millis(20));
    store.beat(&claim, LEASE, None).unwrap() == Beat::Held
        && store.finish(&claim, "{}", &outcome(0.5), None).unwrap()
}

#[test]
fn restarts_lose_nothing_and_double_nothing() {
    if let Some(server) = Server::start("") {
        // On a busy machine a restart was once seen to cost a worker a job that it had just taken.
        let lost = work_through(&server, Server::restart);
        assert!(lost <= 3, "one at each restart at most, not {lost}");
    }
}

#[test]
fn a_crash_costs_at_most_the_last_leases() {
    if let Some(server) = Server::start("") {
        let lost = work_through(&server, Server::crash);
        assert!(lost <= 3 * 2, "each worker one at each crash, not {lost}");
    }
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
    let other = open(&address(&url)).unwrap();
    let holders = "from pg_locks where locktype = 'advisory' and granted";
    while server.sql(&url, &format!("select count(*) {holders}")) == "0" {
        sleep(Duration::from_millis(100));
    }
    let busy = other.take(tenure.study());
    assert_eq!(busy.err().unwrap().kind(), "busy");
    // Whoever is quicker than that has the study.
    server.sql(&url, &format!("select pg_terminate_backend(pid) {holders}"));
    let next = other.take(tenure.study()).unwrap();
    next.append(&trial(2, Some(0.5))).unwrap();
    let late = tenure.append(&trial(2, Some(0.5))).unwrap_err();
    assert_eq!(late.kind(), "taken");
}

#[test]
fn a_connection_that_keeps_silent_is_given_up() {
    let Some(server) = Server::start("") else {
        return;
    };
    let url = server.database();
    let store = open(&address(&url)).unwrap();
    assert_eq!(store.studies().unwrap(), []);
    let sessions = "select pid from pg_stat_activity where application_name <> 'psql' \
                    and datname = current_database()";
    let mut silent = server.sql(&url, sessions);
    // That of opening is closed, which the server may not have seen.
    while silent.lines().count() > 1 {
        sleep(Duration::from_millis(50));
        silent = server.sql(&url, sessions);
    }
    assert!(!silent.is_empty(), "the pool keeps its connection");
    server.signal("STOP", &silent);
    let tenure = store.create(&about("digits")).unwrap();
    tenure.append(&trial(1, Some(0.5))).unwrap();
    assert_eq!(store.trials(tenure.study()).unwrap().len(), 1);
    server.signal("CONT", &silent);
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
