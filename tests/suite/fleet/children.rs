//! What comes of a child whose process does not come to an end by itself.

use std::fs;
use std::sync::atomic::Ordering;
use std::time::Duration;

use nas_script::Error;
use nas_script::evaluation::{FailureKind, Outcome};
use nas_script::manager::Executor;

use super::*;

fn failure(trained: &nas_script::Result<Trained>) -> (FailureKind, String) {
    let failure = trained.as_ref().unwrap().outcome.failure.clone();
    let failure = failure.expect("a failed child");
    (failure.kind, failure.message)
}

fn timeless(mut outcome: Outcome) -> Outcome {
    outcome.seconds = 0.0;
    outcome
        .history
        .iter_mut()
        .for_each(|epoch| epoch.seconds = 0.0);
    outcome
}

#[test]
fn children_come_to_the_same_as_in_this_process() {
    let (queue, data) = (Queue::new(), digits());
    let asked: Vec<_> = [2, 4, 6, 8].map(|filters| quick(&data, filters)).into();
    let jobs = || Jobs::new(asked.clone(), data.clone(), None);
    let here = evaluate(&in_process(&Arc::default()), jobs());
    let there = evaluate(&queue.fleet(2), jobs());
    assert_eq!(there.len(), asked.len());
    for (here, there) in here.into_iter().zip(there) {
        let (here, there) = (here.unwrap(), there.unwrap());
        assert!(here.outcome.accuracy.is_some());
        assert_eq!(timeless(there.outcome), timeless(here.outcome));
        assert_eq!(there.weights, here.weights);
    }
    assert!(
        queue.runners().is_empty(),
        "the workers of a fleet end with it"
    );
}

#[test]
fn a_child_that_takes_all_memory_ends_alone() {
    let (queue, data) = (Queue::new(), digits());
    let other = Evaluation {
        seed: Seed(6),
        ..huge(&data)
    };
    let asked = vec![huge(&data), quick(&data, 2), other, quick(&data, 4)];
    let fleet = queue.fleet_with(2, LEASE, Some(1 << 30), &Arc::default());
    let ended = evaluate(&fleet, Jobs::new(asked, data.clone(), None));
    for child in [&ended[0], &ended[2]] {
        let (kind, message) = failure(child);
        assert_eq!(kind, FailureKind::Oom, "{message}");
        assert!(message.starts_with("memory allocation of "), "{message}");
        assert!(message.ends_with("a child may take 1024 MiB"), "{message}");
    }
    for child in [&ended[1], &ended[3]] {
        let outcome = &child.as_ref().unwrap().outcome;
        assert!(outcome.failure.is_none(), "{:?}", outcome.failure);
    }
    let resident = |id: &u32| {
        let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
        kilobytes.map_or(0, |number| number.trim().parse::<u64>().unwrap())
    };
    let left: u64 = queue.runners().iter().map(resident).sum();
    assert!(left < 512 << 10, "{left} KiB are still taken");
}

#[test]
fn a_child_whose_process_is_killed_fails_and_the_next_is_trained() {
    let (queue, data) = (Queue::new(), digits());
    let fleet = queue.fleet(1);
    let asked = vec![endless(&data), quick(&data, 2)];
    let ended = fleet.start(Jobs::new(asked, data, None)).unwrap();
    let mut jobs = Vec::new();
    until("an epoch", || {
        jobs = queue.store.jobs(&[1, 2]).unwrap();
        jobs[0].progress.is_some()
    });
    signal("-KILL", queue.runners()[0]);
    let ended: Vec<_> = ended.into_iter().collect();
    let order: Vec<_> = ended.iter().map(|one| one.job).collect();
    assert_eq!(order, [0, 1]);
    let (kind, message) = failure(&ended[0].trained);
    assert_eq!(kind, FailureKind::Killed);
    assert_eq!(message, "its process was ended by signal 9 (SIGKILL)");
    let killed = ended[0].trained.as_ref().unwrap();
    assert!(!killed.outcome.history.is_empty(), "its epochs are known");
    assert!(killed.outcome.params > 0);
    let next = ended[1].trained.as_ref().unwrap();
    assert!(next.outcome.accuracy.is_some());
    assert_eq!(
        state(&queue.job(jobs[0].id)),
        JobState::Done,
        "a failure is an outcome"
    );
}

#[test]
fn a_child_ends_at_its_timeout_and_is_killed_where_it_does_not_answer() {
    let (queue, data) = (Queue::new(), digits());
    let fleet = queue.fleet(1);
    let timeout = Some(Duration::from_secs(1));
    let asked = vec![endless(&data)];
    let ended = evaluate(&fleet, Jobs::new(asked.clone(), data.clone(), timeout));
    let (kind, message) = failure(&ended[0]);
    assert_eq!(
        (kind, message.as_str()),
        (FailureKind::Timeout, "not done after 1 s")
    );

    // Long enough for a heartbeat to tell of an epoch, on a busy machine too.
    let timeout = Some(Duration::from_secs(12));
    let again = fleet
        .start(Jobs::new(asked, data.clone(), timeout))
        .unwrap();
    let started = |job: &Job| job.progress.is_some();
    queue.wait_for(2, started);
    let runner = queue.runners()[0];
    signal("-STOP", runner);
    let ended: Vec<_> = again.into_iter().collect();
    let (kind, message) = failure(&ended[0].trained);
    assert_eq!(kind, FailureKind::Timeout);
    assert_eq!(message, "no answer after 12 s; its process was killed");
    assert!(!queue.runners().contains(&runner));
    let next = evaluate(&fleet, Jobs::new(vec![quick(&data, 2)], data, timeout));
    assert!(next[0].as_ref().unwrap().outcome.failure.is_none());
}

#[test]
fn an_interrupt_stops_what_is_in_training() {
    let (queue, data) = (Queue::new(), digits());
    let interrupted = Arc::default();
    let fleet = queue.fleet_with(1, LEASE, None, &interrupted);
    let asked = vec![quick(&data, 2), endless(&data), quick(&data, 4)];
    let ended = fleet.start(Jobs::new(asked, data.clone(), None)).unwrap();
    queue.wait_for(2, |job| job.progress.is_some());
    interrupted.store(true, Ordering::Relaxed);
    let ended: Vec<_> = ended.into_iter().collect();
    assert!(ended[0].trained.is_ok(), "it had ended");
    for stopped in &ended[1..] {
        assert!(matches!(stopped.trained, Err(Error::Interrupted)));
    }
    assert_eq!(ended.len(), 3);
    queue.wait_for(2, |job| job.state == JobState::Cancelled);
    assert_eq!(state(&queue.job(3)), JobState::Cancelled);

    // As in a session that goes on: long before a heartbeat would tell.
    interrupted.store(false, Ordering::Relaxed);
    let next = evaluate(&fleet, Jobs::new(vec![quick(&data, 4)], data, None));
    assert!(next[0].as_ref().unwrap().outcome.failure.is_none());
}

#[test]
fn jobs_that_are_withdrawn_are_not_started_and_those_in_training_end() {
    let (queue, data) = (Queue::new(), digits());
    let fleet = queue.fleet(1);
    let asked = vec![
        ask(&data, convolution(16), 2_000),
        quick(&data, 2),
        quick(&data, 4),
    ];
    let jobs = Jobs::new(asked, data, None);
    let withdrawn = jobs.withdrawn.clone();
    let ended = fleet.start(jobs).unwrap();
    queue.wait_for(1, |job| job.state == JobState::Running);
    withdrawn.store(true, Ordering::Relaxed);
    let ended: Vec<_> = ended.into_iter().collect();
    let answered: Vec<_> = ended.iter().map(|one| one.job).collect();
    assert_eq!(answered, [0]);
    let outcome = &ended[0].trained.as_ref().unwrap().outcome;
    assert_eq!(outcome.history.len(), 2_000);
    assert_eq!(state(&queue.job(2)), JobState::Cancelled);
    assert_eq!(state(&queue.job(3)), JobState::Cancelled);
}

#[test]
fn a_child_follows_its_progress() {
    let (queue, data) = (Queue::new(), digits());
    let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
    let notes = seen.clone();
    let mut here = in_process(&Arc::default());
    here.follow = Arc::new(move |asked, _| {
        let epochs = asked.training.epochs;
        notes.lock().unwrap().push(format!("of {epochs}"));
        let notes = notes.clone();
        Box::new(move |epoch| notes.lock().unwrap().push(epoch.epoch.to_string()))
    });
    let local = Local {
        devices: vec![Selector::Cpu],
        paths: DataPaths::new(None),
        memory: None,
        program: Some(NAS_SCRIPT.into()),
        lease: LEASE,
        warn: Arc::new(|_| {}),
    };
    let fleet = Fleet::new(Setup {
        store: queue.store.clone(),
        study: queue.study,
        files: None,
        here,
        local,
    });
    let timeout = Some(Duration::from_secs(10));
    let jobs = Jobs::new(vec![endless(&data)], data, timeout);
    let ended = evaluate(&fleet.unwrap(), jobs);
    let finished = ended[0].as_ref().unwrap().outcome.history.len();
    let seen = seen.lock().unwrap();
    assert_eq!(seen[0], "of 1000000");
    let epochs: Vec<usize> = seen[1..]
        .iter()
        .map(|epoch| epoch.parse().unwrap())
        .collect();
    assert!(!epochs.is_empty() && epochs.is_sorted(), "{epochs:?}");
    assert!(*epochs.last().unwrap() <= finished);
}
