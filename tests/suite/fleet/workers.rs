//! `nas-script worker`: what it takes, what it refuses, and how it is stopped.

use nas_script::evaluation::FailureKind;
use nas_script::manager::Executor;

use super::*;

fn task(data: &Dataset, asked: Evaluation) -> Task {
    Task::new(asked, data.source().clone())
}

/// Stops a worker, and returns what it had said.
fn stop(worker: Child) -> Output {
    terminate(worker.id());
    let output = ended(worker);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    output
}

#[test]
fn two_workers_share_the_jobs_of_a_search() {
    let (queue, data) = (Queue::new(), digits());
    let workers = ["one", "two"].map(|name| queue.worker(&["--name", name]));
    let asked: Vec<_> = (2..10).map(|filters| quick(&data, filters)).collect();
    let fleet = queue.fleet(0);
    let there = evaluate(&fleet, Jobs::new(asked.clone(), data.clone(), None));
    let here = evaluate(&in_process(&Arc::default()), Jobs::new(asked, data, None));
    assert_eq!(there.len(), 8);
    for (there, here) in there.into_iter().zip(here) {
        let (there, here) = (there.unwrap(), here.unwrap());
        assert_eq!(there.outcome.accuracy, here.outcome.accuracy);
        assert_eq!(there.weights, here.weights);
    }
    let said: String = workers.map(|worker| stdout(&stop(worker))).concat();
    assert_eq!(
        said.matches("accuracy").count(),
        8,
        "each is trained once: {said}"
    );
    assert!(said.contains("one: 1 worker on cpu"), "{said}");
    assert!(
        queue.runners().is_empty(),
        "a worker's processes end with it"
    );
}

#[test]
fn a_payload_that_cannot_be_read_ends_its_job_and_no_worker() {
    let (queue, data) = (Queue::new(), digits());
    let asked = quick(&data, 2);
    let text = task(&data, asked.clone()).write().unwrap();
    let cut = queue.enqueue_payload(&asked, text[..text.len() / 2].into());
    let other = queue.enqueue_payload(&quick(&data, 4), text.clone());
    let right = queue.enqueue_payload(&asked, text);
    let worker = queue.worker(&[]);
    queue.wait_for(right, |job| job.state == JobState::Done);
    for (id, why) in [
        (cut, "payload: EOF"),
        (other, "payload: another evaluation"),
    ] {
        let job = queue.job(id);
        assert_eq!((job.state, job.attempts), (JobState::Dead, 1));
        let error = job.error.unwrap();
        assert!(error.starts_with(why), "{error}");
    }
    stop(worker);
}

#[test]
fn what_a_worker_cannot_answer_rightly_it_refuses_with_the_reason() {
    let (queue, data) = (Queue::new(), digits());
    let mut changed = quick(&data, 2);
    changed.data.content = "00".repeat(32);
    let changed = queue.enqueue(&task(&data, changed));
    let worker = queue.worker(&[]);
    let given_back = |job: &Job| job.error.is_some();
    let job = queue.wait_for(changed, given_back);
    assert_eq!((job.state, job.attempts), (JobState::Ready, 1));
    let expected = format!(
        "refused: data set 'digits': expected content 000000000000, {0}, found content {1}, {0}",
        data.split_key(),
        &data.content_hash()[..12]
    );
    assert!(job.error.unwrap().ends_with(&expected));
    queue.store.cancel(&[changed]).unwrap();

    let asked = quick(&data, 4);
    let text = task(&data, asked.clone()).write().unwrap();
    let future = text.replace("\"kernel_version\":", "\"kernel_version\":9");
    let future = queue.enqueue_payload(&asked, future);
    let error = queue.wait_for(future, given_back).error.unwrap();
    assert!(error.contains("the job asks for nas-script"), "{error}");
    assert!(
        error.contains("(kernel version 92, form 1), this is"),
        "{error}"
    );
    let said = stderr(&stop(worker));
    assert!(said.contains(&expected), "{said}");
}

#[test]
fn a_worker_that_is_told_to_stop_ends_its_child_first() {
    let (queue, data) = (Queue::new(), digits());
    let worker = queue.worker(&[]);
    let long = queue.enqueue(&task(&data, ask(&data, convolution(16), 3_000)));
    let next = queue.enqueue(&task(&data, quick(&data, 2)));
    queue.wait_for(long, |job| job.progress.is_some());
    // Slurm tells every process.
    queue
        .runners()
        .iter()
        .for_each(|runner| signal("-TERM", *runner));
    stop(worker);
    let job = queue.job(long);
    assert_eq!(job.state, JobState::Done);
    assert_eq!(job.outcome.unwrap().history.len(), 3_000);
    assert_eq!(state(&queue.job(next)), JobState::Ready);
}

#[test]
fn a_worker_that_is_told_twice_gives_its_child_up() {
    let (queue, data) = (Queue::new(), digits());
    let worker = queue.worker(&[]);
    let id = queue.enqueue(&task(&data, endless(&data)));
    queue.wait_for(id, |job| job.progress.is_some());
    signal("-TERM", worker.id());
    signal("-INT", worker.id());
    let output = ended(worker);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(state(&queue.job(id)), JobState::Ready);
    assert!(queue.runners().is_empty());
}

#[test]
fn a_job_whose_workers_die_is_lost_after_its_third_start() {
    let (queue, data) = (Queue::new(), digits());
    let fleet = queue.fleet(0);
    let asked = vec![endless(&data)];
    let lost = fleet.start(Jobs::new(asked, data, None)).unwrap();
    for attempt in 1..=3 {
        let mut worker = queue.worker(&["--lease", "1"]);
        queue.wait_for(1, |job| {
            (job.attempts, job.state) == (attempt, JobState::Running)
        });
        worker.kill().unwrap();
        worker.wait().unwrap();
        until("the runner", || queue.runners().is_empty());
    }
    let lost: Vec<_> = lost.into_iter().collect();
    let failure = lost[0].trained.as_ref().unwrap().outcome.failure.clone();
    let failure = failure.unwrap();
    assert_eq!(failure.kind, FailureKind::Lost);
    assert_eq!(failure.message, "lease expired");
    assert_eq!(queue.job(1).attempts, 3);
}

#[test]
fn a_worker_that_was_suspended_writes_nothing_late() {
    let (queue, data) = (Queue::new(), digits());
    let id = queue.enqueue(&task(&data, ask(&data, convolution(16), 400)));
    let slow = queue.worker(&["--lease", "2", "--name", "slow"]);
    queue.wait_for(id, |job| job.progress.is_some());
    // Its runner trains on, and has an answer when the worker wakes up.
    signal("-STOP", slow.id());
    until("the lease", || queue.store.reap().unwrap() == 1);
    let quick = queue.worker(&["--name", "quick"]);
    let done = queue.wait_for(id, |job| job.state == JobState::Done);
    assert_eq!(
        (done.attempts, done.worker.as_deref()),
        (2, Some("quick-1"))
    );
    signal("-CONT", slow.id());
    let said = stderr(&stop(slow));
    assert!(
        said.contains("it is another worker's now; dropped"),
        "{said}"
    );
    assert_eq!(queue.job(id), done);
    stop(quick);
}

#[test]
fn an_outcome_that_is_known_meanwhile_is_the_answer() {
    let (queue, data) = (Queue::new(), digits());
    let asked = quick(&data, 2);
    let twins = [0, 1].map(|_| queue.enqueue(&task(&data, asked.clone())));
    let workers = ["one", "two"].map(|name| queue.worker(&["--name", name]));
    let [first, second] = twins.map(|id| queue.wait_for(id, |job| job.state == JobState::Done));
    assert_eq!(second.outcome, first.outcome, "to the seconds");
    for worker in workers {
        stop(worker);
    }

    let mut again = task(&data, asked);
    again.again = true;
    let again = queue.enqueue(&again);
    let worker = queue.worker(&[]);
    let third = queue.wait_for(again, |job| job.state == JobState::Done);
    assert_ne!(third.outcome, first.outcome, "other seconds");
    stop(worker);
}

#[test]
fn a_password_in_the_command_line_is_refused() {
    let place = Place::new();
    let ran = place.run(&["worker", "--store", "postgres://nas:secret@127.0.0.1:9/nas"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("PGPASSWORD"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("secret"), "{}", ran.stderr);
}
