//! The queue: who gets a job, for how long, and what of a job that goes wrong.

use std::collections::BTreeSet;
use std::thread::{scope, sleep};

use super::*;

contract!(
    jobs_are_handed_out_in_order_and_finished,
    no_job_is_handed_out_twice,
    one_job_of_a_digest_runs_at_a_time,
    a_late_result_is_refused,
    a_poison_job_is_dead_after_its_last_start,
    a_failed_job_waits_and_is_dead_at_last,
    a_job_that_is_given_up_does_not_count,
    a_job_that_nobody_can_read_is_killed,
    waiting_jobs_are_cancelled_at_once_and_running_ones_told,
    a_failure_of_the_child_ends_its_job,
    whoever_waits_is_woken,
    a_worker_of_one_study_takes_its_jobs_alone,
    what_a_dead_process_left_is_cleared,
);

/// Longer than any test.
const LEASE: Duration = Duration::from_secs(600);
/// Over at once.
const EXPIRED: Duration = Duration::ZERO;

fn job(number: usize) -> NewJob {
    NewJob {
        digest: digest(number),
        payload: format!("{{\"number\":{number}}}"),
        study: None,
        attempts: 3,
    }
}

fn enqueue(store: &dyn StudyStore, numbers: impl IntoIterator<Item = usize>) -> Vec<i64> {
    let jobs: Vec<NewJob> = numbers.into_iter().map(job).collect();
    store.enqueue(&jobs).unwrap()
}

fn one(store: &dyn StudyStore, id: i64) -> Job {
    let mut jobs = store.jobs(&[id]).unwrap();
    assert_eq!(jobs.len(), 1);
    jobs.remove(0)
}

fn claim(store: &dyn StudyStore, lease: Duration) -> Claim {
    store.claim("worker", lease).unwrap().expect("a ready job")
}

/// Lets the clock of the database pass a lease that is over at once.
fn reap(store: &dyn StudyStore) -> u64 {
    sleep(Duration::from_millis(5));
    store.reap().unwrap()
}

fn jobs_are_handed_out_in_order_and_finished(place: &Place) {
    let store = place.open();
    let study = store.create(&about("digits")).unwrap().study();
    let jobs = [3, 1, 2].map(|number| NewJob {
        study: Some(study),
        ..job(number)
    });
    let keys = store.enqueue(&jobs).unwrap();
    let worker = place.open();
    for (key, asked) in keys.iter().zip(&jobs) {
        let claim = worker.claim("mine", LEASE).unwrap().unwrap();
        let expected = Claim {
            id: *key,
            attempt: 1,
            digest: asked.digest,
            payload: asked.payload.clone(),
            study: Some(study),
        };
        assert_eq!(claim, expected);
        let running = one(&*store, *key);
        assert_eq!(running.state, JobState::Running);
        assert_eq!(running.worker.as_deref(), Some("mine"));
        let beat = worker.beat(&claim, LEASE, Some("{\"epoch\":1}")).unwrap();
        assert_eq!(beat, Beat::Held);
        worker.beat(&claim, LEASE, None).unwrap();
        let progress = one(&*store, *key).progress;
        assert_eq!(progress.as_deref(), Some("{\"epoch\":1}"));
        let done = outcome(0.1 + 0.2);
        assert!(worker.finish(&claim, "{}", &done, Some("w")).unwrap());
        assert!(!worker.finish(&claim, "{}", &done, Some("w")).unwrap());
        assert_eq!(worker.beat(&claim, LEASE, None).unwrap(), Beat::Lost);
        let ended = one(&*store, *key);
        assert_eq!(ended.state, JobState::Done);
        assert_eq!((ended.attempts, ended.error), (1, None));
        assert_eq!(ended.outcome.as_ref(), Some(&done));
        assert_eq!(ended.weights.as_deref(), Some("w"));
        let known = store.known(&asked.digest).unwrap().unwrap();
        assert_eq!((known.outcome, known.study), (done, Some(study)));
    }
    assert_eq!(worker.claim("mine", LEASE).unwrap(), None);
    let all: Vec<i64> = store
        .jobs(&keys)
        .unwrap()
        .iter()
        .map(|job| job.id)
        .collect();
    assert_eq!(all, keys);
    assert_eq!(store.enqueue(&[]).unwrap(), Vec::<i64>::new());
    assert_eq!(store.jobs(&[]).unwrap(), []);
}

fn no_job_is_handed_out_twice(place: &Place) {
    let store = place.open();
    let keys = enqueue(&*store, 0..120);
    let work = |store: Arc<dyn StudyStore>| {
        let mut taken = Vec::new();
        while let Some(claim) = store.claim("worker", LEASE).unwrap() {
            let done = outcome(0.5);
            assert!(store.finish(&claim, "{}", &done, None).unwrap());
            taken.push(claim.id);
        }
        taken
    };
    // Two threads of one store, and two stores as of other processes.
    let stores = [Arc::clone(&store), store, place.open(), place.open()];
    let taken: Vec<i64> = scope(|scope| {
        let threads = stores.map(|store| scope.spawn(|| work(store)));
        threads
            .into_iter()
            .flat_map(|t| t.join().unwrap())
            .collect()
    });
    assert_eq!(taken.len(), keys.len());
    assert_eq!(BTreeSet::from_iter(taken), BTreeSet::from_iter(keys));
}

fn one_job_of_a_digest_runs_at_a_time(place: &Place) {
    let store = place.open();
    let keys = enqueue(&*store, [1, 1, 2]);
    let first = claim(&*store, LEASE);
    let other = claim(&*place.open(), LEASE);
    assert_eq!([first.id, other.id], [keys[0], keys[2]]);
    assert_eq!(store.claim("worker", LEASE).unwrap(), None);
    store.finish(&first, "{}", &outcome(0.5), None).unwrap();
    assert_eq!(claim(&*store, LEASE).id, keys[1]);
}

fn a_late_result_is_refused(place: &Place) {
    let store = place.open();
    let keys = enqueue(&*store, [1]);
    let slow = claim(&*store, EXPIRED);
    assert_eq!(reap(&*place.open()), 1);
    assert_eq!(store.beat(&slow, LEASE, Some("late")).unwrap(), Beat::Lost);
    let quick = claim(&*store, LEASE);
    assert_eq!((quick.id, quick.attempt), (slow.id, 2));
    assert!(!store.finish(&slow, "{}", &outcome(0.1), None).unwrap());
    assert!(!store.fail(&slow, "late").unwrap());
    assert!(!store.kill(&slow, "late").unwrap());
    assert!(!store.give_up(&slow).unwrap());
    assert_eq!(store.known(&slow.digest).unwrap(), None);
    assert_eq!(one(&*store, keys[0]).state, JobState::Running);
    assert!(store.finish(&quick, "{}", &outcome(0.2), None).unwrap());
    let known = store.known(&slow.digest).unwrap().unwrap();
    assert_eq!(known.outcome, outcome(0.2));
}

fn a_poison_job_is_dead_after_its_last_start(place: &Place) {
    let store = place.open();
    let keys = enqueue(&*store, [1, 2]);
    for attempt in 1..=3 {
        let poison = claim(&*store, EXPIRED);
        assert_eq!((poison.id, poison.attempt), (keys[0], attempt));
        assert_eq!(reap(&*store), 1);
        assert_eq!(reap(&*store), 0);
    }
    let dead = one(&*store, keys[0]);
    assert_eq!(dead.state, JobState::Dead);
    assert_eq!(dead.error.as_deref(), Some("lease expired"));
    assert_eq!(claim(&*store, LEASE).id, keys[1]);
}

fn a_failed_job_waits_and_is_dead_at_last(place: &Place) {
    let store = place.open();
    let keys = enqueue(&*store, [1]);
    for attempt in 1..=3 {
        let failed = claim(&*store, LEASE);
        assert_eq!(failed.attempt, attempt);
        assert!(store.fail(&failed, "no GPU").unwrap());
        assert_eq!(store.claim("worker", LEASE).unwrap(), None, "not at once");
        // As if the wait were over.
        place.execute("update jobs set ready_at = ready_at - 60");
    }
    let dead = one(&*store, keys[0]);
    assert_eq!((dead.state, dead.attempts), (JobState::Dead, 3));
    assert_eq!(dead.error.as_deref(), Some("no GPU"));
    assert_eq!(store.claim("worker", LEASE).unwrap(), None);
}

fn a_job_that_is_given_up_does_not_count(place: &Place) {
    let store = place.open();
    let keys = enqueue(&*store, [1]);
    for _ in 0..5 {
        let stopped = claim(&*store, LEASE);
        assert!(store.give_up(&stopped).unwrap());
        assert_eq!(one(&*store, keys[0]).state, JobState::Ready);
        assert_eq!(store.beat(&stopped, LEASE, None).unwrap(), Beat::Lost);
    }
    for _ in 0..3 {
        assert_eq!(one(&*store, keys[0]).state, JobState::Ready);
        claim(&*store, EXPIRED);
        reap(&*store);
    }
    assert_eq!(one(&*store, keys[0]).state, JobState::Dead);
}

fn a_job_that_nobody_can_read_is_killed(place: &Place) {
    let store = place.open();
    let keys = enqueue(&*store, [1]);
    let unreadable = claim(&*store, LEASE);
    assert!(store.kill(&unreadable, "unknown field").unwrap());
    let dead = one(&*store, keys[0]);
    assert_eq!((dead.state, dead.attempts), (JobState::Dead, 1));
    assert_eq!(dead.error.as_deref(), Some("unknown field"));
}

fn waiting_jobs_are_cancelled_at_once_and_running_ones_told(place: &Place) {
    let store = place.open();
    let keys = enqueue(&*store, [1, 2, 3, 4]);
    let [given_up, expired] = [LEASE, EXPIRED].map(|lease| claim(&*store, lease));
    place.open().cancel(&keys[..3]).unwrap();
    let states = |store: &dyn StudyStore| -> Vec<JobState> {
        let jobs = store.jobs(&keys).unwrap();
        jobs.iter().map(|job| job.state).collect()
    };
    use JobState::{Cancelled, Ready, Running};
    assert_eq!(states(&*store), [Running, Running, Cancelled, Ready]);
    let told = store.beat(&given_up, LEASE, None).unwrap();
    assert_eq!(told, Beat::Cancelled);
    assert!(store.give_up(&given_up).unwrap());
    assert_eq!(reap(&*store), 1);
    assert_eq!(store.beat(&expired, LEASE, None).unwrap(), Beat::Lost);
    assert_eq!(states(&*store), [Cancelled, Cancelled, Cancelled, Ready]);
    let last = claim(&*store, LEASE);
    assert_eq!(last.id, keys[3]);
    // What has an outcome is not withdrawn any more.
    store.finish(&last, "{}", &outcome(0.5), None).unwrap();
    store.cancel(&keys).unwrap();
    assert_eq!(one(&*store, keys[3]).state, JobState::Done);
}

fn a_failure_of_the_child_ends_its_job(place: &Place) {
    let store = place.open();
    let keys = enqueue(&*store, [1]);
    let poor = claim(&*store, LEASE);
    assert!(store.finish(&poor, "{}", &failed(), None).unwrap());
    let ended = one(&*store, keys[0]);
    assert_eq!(ended.state, JobState::Done);
    assert_eq!(ended.outcome, Some(failed()));
    assert_eq!(store.known(&poor.digest).unwrap(), None);
}

fn whoever_waits_is_woken(place: &Place) {
    let (store, other) = (place.open(), place.open());
    // A test that nobody wakes does not end.
    let long = Duration::from_secs(86_400);
    scope(|scope| {
        scope.spawn(|| {
            while store.claim("worker", LEASE).unwrap().is_none() {
                store.wait(long);
            }
        });
        // By a job that another process adds, whether it comes before the wait or in it.
        enqueue(&*other, [1]);
    });
    store.wake();
    store.wait(long);
}

fn of_study(store: &dyn StudyStore, study: i64, number: usize) -> i64 {
    let job = NewJob {
        study: Some(study),
        ..job(number)
    };
    store.enqueue(&[job]).unwrap()[0]
}

fn a_worker_of_one_study_takes_its_jobs_alone(place: &Place) {
    let store = place.open();
    let studies = ["first", "second"].map(|name| store.create(&about(name)).unwrap().study());
    let keys = [0, 1].map(|at| of_study(&*store, studies[at], at));
    let of = |study| {
        store
            .claim_of(study, "worker", LEASE)
            .unwrap()
            .map(|claim| claim.id)
    };
    assert_eq!(of(Some(studies[1])), Some(keys[1]));
    assert_eq!(of(Some(studies[1])), None);
    assert_eq!(of(None), Some(keys[0]));
}

fn what_a_dead_process_left_is_cleared(place: &Place) {
    let store = place.open();
    let [study, other] =
        ["first", "second"].map(|name| store.create(&about(name)).unwrap().study());
    let [own, elsewhere, waiting] = [1, 2, 3].map(|number| of_study(&*store, study, number));
    let not_asked = of_study(&*store, other, 4);
    let claim = store.claim("local-1", LEASE).unwrap().unwrap();
    let kept = store.claim("another", LEASE).unwrap().unwrap();
    store.clear(study, "local-").unwrap();
    let states = [own, elsewhere, waiting, not_asked].map(|id| one(&*store, id).state);
    let (cancelled, running) = (JobState::Cancelled, JobState::Running);
    assert_eq!(states, [cancelled, running, cancelled, JobState::Ready]);
    assert_eq!(store.beat(&claim, LEASE, None).unwrap(), Beat::Lost);
    assert_eq!(store.beat(&kept, LEASE, None).unwrap(), Beat::Held);
}
