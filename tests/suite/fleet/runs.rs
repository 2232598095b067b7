//! Searches whose children are trained by worker processes.

use super::*;
use crate::runs::trials;
use crate::workers::{SIDE_BY_SIDE, timeless};

#[test]
fn a_search_is_the_same_with_worker_processes() {
    let run = |args: &[&str]| {
        let place = Place::new();
        place.write("search.rhai", SIDE_BY_SIDE);
        let mut all = vec!["search.rhai", "--out", "run"];
        all.extend(args);
        let ran = place.run(&all);
        ran.succeeded();
        (place, ran)
    };
    let (here, ran_here) = run(&["--workers", "0"]);
    let (there, ran_there) = run(&["--workers", "3"]);
    assert_eq!(ran_there.stdout, ran_here.stdout);
    let trials = |place| trials(place).into_iter().map(timeless).collect::<Vec<_>>();
    assert_eq!(trials(&there), trials(&here));
    for file in ["train_history.csv", "best.safetensors"] {
        let bytes = |place: &Place| fs::read(place.path("run").join(file)).unwrap();
        assert!(bytes(&there) == bytes(&here), "{file} differs");
    }
}

/// A search whose second child does not end, once it is in training.
fn stuck(place: &Place) -> Child {
    place.write(
        "search.rhai",
        r#"
        let data = dataset("digits", #{ train: 200, validation: 100 });
        let manager = NetworkManager(data, #{ epochs: 1_000_000, batch_size: 100 });
        let net = |filters| input([1, 8, 8]).conv2d(filters, 3).flatten().dense(10);
        manager.evaluate([net.call(2)], #{ epochs: 2 });
        manager.evaluate([net.call(2), net.call(3), net.call(4)]);
        "#,
    );
    let store = place.path("studies.db");
    let store = store.to_str().unwrap();
    let args = [
        "search.rhai",
        "--out",
        "run",
        "--workers",
        "2",
        "--store",
        store,
        // A child that ends long after the test.
        "--limits",
        "none",
    ];
    let search = place.command(&args).spawn().unwrap();
    let started = |lines: usize| {
        fs::read_to_string(place.path("run/trials.jsonl"))
            .is_ok_and(|text| text.lines().count() >= lines)
    };
    until("a trial", || started(1));
    let store = open(&Address::file(store)).unwrap();
    until("the second call", || {
        let jobs = store.jobs(&[2, 3]).unwrap();
        jobs.len() == 2 && jobs.iter().all(|job| job.progress.is_some())
    });
    search
}

#[test]
fn a_search_that_is_killed_leaves_no_process_behind() {
    let place = Place::new();
    let mut search = stuck(&place);
    let files = place.path("studies.files");
    assert_eq!(runners(&files).len(), 2);
    search.kill().unwrap();
    search.wait().unwrap();
    until("the runners", || runners(&files).is_empty());
}

#[test]
fn ctrl_c_withdraws_the_jobs_of_a_search() {
    let place = Place::new();
    let search = stuck(&place);
    signal("-INT", search.id());
    let output = ended(search);
    assert_eq!(output.status.code(), Some(130), "{}", stderr(&output));
    assert!(
        stdout(&output).contains("best of 1 trial"),
        "{}",
        stdout(&output)
    );
    assert!(runners(&place.path("studies.files")).is_empty());
    let store = open(&Address::file(place.path("studies.db"))).unwrap();
    let jobs = store.jobs(&[1, 2, 3, 4]).unwrap();
    let states: Vec<_> = jobs.iter().map(state).collect();
    let cancelled = JobState::Cancelled;
    assert_eq!(states, [JobState::Done, cancelled, cancelled, cancelled]);
}

#[test]
fn what_a_killed_search_left_in_the_queue_is_withdrawn_by_the_next() {
    let (queue, data) = (Queue::new(), digits());
    let asked = |filters| {
        let asked = quick(&data, filters);
        queue.enqueue(&Task::new(asked, data.source().clone()))
    };
    let (mine, others, waiting) = (asked(2), asked(3), asked(4));
    let local = format!("local-{}-gone", queue.study);
    queue.store.claim(&local, LEASE).unwrap().unwrap();
    queue.store.claim("elsewhere", LEASE).unwrap().unwrap();
    let fleet = queue.fleet(1);
    let states = [mine, others, waiting].map(|id| state(&queue.job(id)));
    let cancelled = JobState::Cancelled;
    assert_eq!(states, [cancelled, JobState::Running, cancelled]);
    let again = evaluate(&fleet, Jobs::new(vec![quick(&data, 2)], data.clone(), None));
    assert!(
        again[0].as_ref().unwrap().outcome.accuracy.is_some(),
        "without waiting for a lease"
    );
}
