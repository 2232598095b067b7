//! A fleet on a real PostgreSQL, with everything going wrong that does.

#[path = "../../postgres/server.rs"]
mod server;

use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use nas_script::manager::Executor;

use self::server::Server;
use super::*;
use crate::harness::busy;

/// A child that takes some milliseconds.
fn tiny(data: &Dataset, number: usize) -> Evaluation {
    let x = Node::input(&[1, 8, 8]).unwrap();
    Evaluation {
        seed: Seed(number as u64),
        ..ask(data, ended_by_dense(&x, 10), 1)
    }
}

/// Numbers without a pattern, the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) % n
    }
}

/// How many children are evaluated under faults.
const CHILDREN: usize = 500;
/// How many workers are killed meanwhile.
const FAULTS: usize = 20;
/// After which of them the server is restarted.
const RESTARTS: [usize; 2] = [6, 13];

#[test]
fn each_evaluation_has_one_outcome_whatever_is_killed() {
    under_faults(4);
}

#[test]
fn each_evaluation_has_one_outcome_with_many_workers() {
    under_faults(32);
}

/// Has children evaluated by so many workers, which are killed at random, while the server restarts twice.
fn under_faults(count: usize) {
    let _busy = busy();
    let Some(server) = Server::start("-c max_connections=300") else {
        return;
    };
    let queue = Queue::at(Place::new(), server.database());
    let data = digits();
    let asked: Vec<_> = (0..CHILDREN).map(|number| tiny(&data, number)).collect();
    let jobs = || Jobs::new(asked.clone(), data.clone(), None);
    let lease = ["--quiet", "--lease", "5"];
    let mut workers: Vec<_> = (0..count).map(|_| queue.worker(&lease)).collect();
    let fleet = queue.fleet(0);
    let receiver = fleet.start(jobs()).unwrap();
    let answered = AtomicUsize::new(0);
    let there = thread::scope(|scope| {
        scope.spawn(|| {
            let mut dice = Dice(7);
            for fault in 1..=FAULTS {
                let due = fault * CHILDREN / (FAULTS + 2);
                until("the answers", || answered.load(Ordering::Relaxed) >= due);
                thread::sleep(Duration::from_millis(dice.below(200)));
                let killed = dice.below(count as u64) as usize;
                workers[killed].kill().unwrap();
                workers[killed].wait().unwrap();
                workers[killed] = queue.worker(&lease);
                if RESTARTS.contains(&fault) {
                    server.restart();
                }
            }
        });
        let mut there = BTreeMap::new();
        for ended in receiver {
            answered.fetch_add(1, Ordering::Relaxed);
            let before = there.insert(ended.job, ended.trained.unwrap());
            assert!(before.is_none(), "child {} is answered twice", ended.job);
        }
        there
    });
    let here = evaluate(&in_process(&Arc::default()), jobs());
    assert_eq!(there.len(), CHILDREN);
    for (here, there) in here.into_iter().zip(there.into_values()) {
        assert_eq!(there.outcome.failure, None);
        assert_eq!(there.outcome.accuracy, here.unwrap().outcome.accuracy);
    }
    let count = |of: &str| server.sql(&queue.address, &format!("select count(*) from {of}"));
    let all = CHILDREN.to_string();
    assert_eq!(count("jobs where state = 'done'"), all);
    assert_eq!(count("evaluations"), all);
    for mut worker in workers {
        terminate(worker.id());
        assert!(worker.wait().unwrap().success());
    }
}

/// A machine of its own as far as the network is concerned, which sees the server through a cable.
struct Elsewhere {
    name: String,
    host: String,
}

impl Elsewhere {
    /// `None`, with the reason on standard error, where this user may not make one.
    fn new() -> Option<Self> {
        let name = format!("ns{}", std::process::id() % 100_000);
        let host = format!("10.213.{}", std::process::id() % 250 + 1);
        let made = Self { name, host };
        let Self { name, host } = &made;
        let inside = format!("{name}i");
        let steps = [
            format!("netns add {name}"),
            format!("link add {name} type veth peer name {inside}"),
            format!("link set {inside} netns {name}"),
            format!("addr add {host}.1/24 dev {name}"),
            format!("link set {name} up"),
            format!("-n {name} addr add {host}.2/24 dev {inside}"),
            format!("-n {name} link set {inside} up"),
            format!("-n {name} link set lo up"),
        ];
        let made_all = steps.iter().all(|step| ip(step));
        if !made_all {
            eprintln!(
                "skipped: no network namespace can be made here (root and iproute2 are needed)"
            );
        }
        made_all.then_some(made)
    }

    /// Leads from there to the port of the server here, and returns the port that is seen there.
    fn lead_to(&self, port: u16) -> u16 {
        let door = TcpListener::bind(format!("{}.1:0", self.host)).unwrap();
        let seen = door.local_addr().unwrap().port();
        thread::spawn(move || {
            for from in door.incoming() {
                let (from, to) = (
                    from.unwrap(),
                    TcpStream::connect(("127.0.0.1", port)).unwrap(),
                );
                let (back, there) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                for (mut source, mut sink) in [(from, there), (to, back)] {
                    thread::spawn(move || {
                        let _ = std::io::copy(&mut source, &mut sink);
                        let _ = sink.shutdown(std::net::Shutdown::Both);
                    });
                }
            }
        });
        seen
    }

    fn cut(&self) {
        assert!(ip(&format!("link set {} down", self.name)));
    }

    fn mend(&self) {
        assert!(ip(&format!("link set {} up", self.name)));
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        ip(&format!("link del {}", self.name));
        ip(&format!("netns del {}", self.name));
    }
}

fn ip(arguments: &str) -> bool {
    let mut command = Command::new("ip");
    command.args(arguments.split(' ')).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// How long the cable is cut; longer than the lease.
const CUT: Duration = Duration::from_secs(60);

#[test]
fn nothing_is_lost_or_doubled_where_the_network_is_cut() {
    let Some(elsewhere) = Elsewhere::new() else {
        return;
    };
    let Some(server) = Server::start("") else {
        return;
    };
    let queue = Queue::at(Place::new(), server.database());
    let seen = elsewhere.lead_to(server.port());
    let there = queue.address.replace(
        &format!("127.0.0.1:{}", server.port()),
        &format!("{}.1:{seen}", elsewhere.host),
    );
    let files = queue.files();
    let args = ["worker", "--workers", "1", "--lease", "5", "--name"];
    let mut far = Command::new("ip");
    let near = queue.place.command(&args);
    far.args(["netns", "exec", &elsewhere.name, NAS_SCRIPT])
        .args(args);
    far.args(["far", "--files", files.to_str().unwrap()]);
    far.envs(
        near.get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    far.env("NAS_SCRIPT_STORE", there);
    far.stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let far = far.spawn().unwrap();

    let data = digits();
    let mut asked = vec![ask(&data, convolution(16), 300)];
    asked.extend((0..50).map(|number| tiny(&data, number)));
    let jobs = || Jobs::new(asked.clone(), data.clone(), None);
    let fleet = queue.fleet(0);
    let receiver = fleet.start(jobs()).unwrap();
    let taken = queue.wait_for(1, |job| job.progress.is_some());
    assert_eq!(taken.worker.as_deref(), Some("far-1"));
    elsewhere.cut();
    let near = queue.worker(&["--name", "near", "--lease", "5"]);
    let ended: Vec<_> = receiver.into_iter().collect();
    thread::sleep(CUT);
    elsewhere.mend();
    signal("-TERM", far.id());
    let output = super::ended(far);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let said = stderr(&output);
    assert!(
        said.contains("it is another worker's now; dropped"),
        "{said}"
    );

    let mut answers: Vec<_> = ended.iter().map(|one| one.job).collect();
    answers.sort_unstable();
    assert_eq!(answers, (0..asked.len()).collect::<Vec<_>>());
    assert!(
        ended
            .iter()
            .all(|one| one.trained.as_ref().unwrap().outcome.failure.is_none())
    );
    let first = queue.job(1);
    assert_eq!(
        (first.attempts, first.worker.as_deref()),
        (2, Some("near-1"))
    );
    let kept = server.sql(&queue.address, "select count(*) from evaluations");
    assert_eq!(kept, asked.len().to_string());
    terminate(near.id());
    assert!(super::ended(near).status.success());
}
