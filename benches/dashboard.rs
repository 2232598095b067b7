//! How the dashboard does with a study of ten thousand trials: until its page is ready, until a new trial is on it, and what
//! memory the server takes. In headless Chromium, so it needs Debian's chromium and chromium-driver.
//!
//! `cargo bench --bench dashboard`; the targets are 1 s, 100 ms and 150 MB.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nas_script::evaluation::{DataKey, Epoch, Evaluation, KERNEL_VERSION, Outcome, TrainingConfig};
use nas_script::network::{Activation, Conv2dOptions, Network, Node};
use nas_script::seed::Seed;
use nas_script::space::{Actions, StateSpace, Value};
use nas_script::study::store::{About, StudyStore, Tenure, open};
use nas_script::study::{Decisions, Learned, Learning, Trial, pictured};

#[path = "../tests/suite/looks/browser.rs"]
#[expect(
    dead_code,
    clippy::unwrap_used,
    reason = "it is of the tests, and has what they need"
)]
mod browser;

const TRIALS: usize = 10_000;
const LAYERS: usize = 6;
const UPDATES: usize = 20;

fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = folder.path().join("studies.db");
    let (store, tenure) = filled(&store);
    let binary = env!("CARGO_BIN_EXE_nas-script");
    let mut dashboard = Command::new(binary)
        .args(["dashboard", "--port", "0", "--store"])
        .arg(folder.path().join("studies.db"))
        .stdout(Stdio::piped())
        .spawn()
        .expect("the dashboard");
    let mut said = BufReader::new(dashboard.stdout.take().expect("its words")).lines();
    let first = said.next().expect("an address").expect("an address");
    let address = first.trim_start_matches("dashboard: ").to_string();
    let page = format!("{address}studies/{}", tenure.study());

    let browser = browser::Browser::start(false).expect("Chromium");
    browser.open("about:blank");
    for visit in ["first", "second", "third"] {
        let started = Instant::now();
        browser.open(&page);
        browser.wait(
            "document.readyState === 'complete' && document.querySelector('#trials tbody tr')",
        );
        println!(
            "{visit} visit: page ready after {:.0} ms",
            started.elapsed().as_secs_f64() * 1e3
        );
    }
    println!("as the browser counts: {} ms until loaded", browser.run("return Math.round(performance.timing.loadEventEnd - performance.timing.navigationStart)"));
    browser.wait("document.getElementById('live').innerText === 'live'");
    // What was due when the page was opened.
    std::thread::sleep(Duration::from_secs(3));

    // From the word of the server that there is something new until the page shows it.
    browser.run("window.took = []; const f = window.fetch; window.fetch = (...all) => { window.asked = performance.now(); return f(...all); };
        new MutationObserver(() => { if (window.asked) { requestAnimationFrame(() => requestAnimationFrame(() => {
            window.took.push(performance.now() - window.asked); window.asked = 0; })); } })
            .observe(document.querySelector('main'), { childList: true });");
    for update in 1..=UPDATES {
        tenure.append(&trial(TRIALS + update)).expect("a trial");
        let shown = format!(
            "document.querySelector('#facts dd').innerText === '{}'",
            TRIALS + update
        );
        browser.wait(&shown);
        std::thread::sleep(Duration::from_millis(100));
    }
    let mut took: Vec<f64> = browser
        .run("return window.took")
        .as_array()
        .expect("times")
        .iter()
        .filter_map(serde_json::Value::as_f64)
        .collect();
    took.sort_by(f64::total_cmp);
    println!(
        "updates: median {:.0} ms, slowest {:.0} ms of {} (asked until painted)",
        took[took.len() / 2],
        took[took.len() - 1],
        took.len()
    );
    let status =
        std::fs::read_to_string(format!("/proc/{}/status", dashboard.id())).expect("its status");
    for line in status
        .lines()
        .filter(|line| line.starts_with("VmHWM") || line.starts_with("VmRSS"))
    {
        println!("server: {line}");
    }
    drop(store);
    dashboard.kill().expect("its end");
    dashboard.wait().expect("its end");
}

/// A store with a study of so many trials, each with a network and a history, and a controller.
fn filled(path: &Path) -> (Arc<dyn StudyStore>, Box<dyn Tenure>) {
    let store = open(&path.display().to_string().parse().expect("an address")).expect("a store");
    let about = About {
        name: "ten thousand".into(),
        script: "search.rhai".into(),
        seed: Seed(0),
        params: Default::default(),
        folder: None,
        parent: None,
        kernel_version: KERNEL_VERSION,
        source: String::new(),
        environment: None,
    };
    let tenure = store.create(&about).expect("a study");
    for number in 1..=TRIALS {
        tenure.append(&trial(number)).expect("a trial");
    }
    let updates = (1..=TRIALS as u64).map(|step| {
        let certain = step as f64 / TRIALS as f64;
        let row = |size: usize| {
            let rest = (1.0 - certain) / size as f64;
            (0..size)
                .map(|value| rest + if value == 1 { certain } else { 0.0 })
                .collect::<Vec<f64>>()
        };
        Learned {
            controller: 0,
            step,
            trials: step as usize,
            scalars: ["controller/entropy", "total_loss", "learning_rate"]
                .map(|name| (name.to_string(), 1.0 - certain))
                .into(),
            policy: pictured(step).then(|| (0..LAYERS).flat_map(|_| [row(3), row(4)]).collect()),
        }
    });
    let space = space();
    let choices = space
        .decisions(LAYERS)
        .map(|decision| nas_script::study::Choice {
            name: decision.label(),
            values: (0..decision.size())
                .map(|value| decision.value(value).to_string())
                .collect(),
        });
    let learning = Learning {
        controllers: [(0, choices.collect())].into(),
        updates: updates.collect(),
        ..Learning::default()
    };
    tenure.keep_learning(&learning).expect("updates");
    (store, tenure)
}

fn space() -> StateSpace {
    let mut space = StateSpace::new();
    space
        .add_state("kernel", [1, 3, 5].map(Value::Int).into())
        .expect("a state");
    space
        .add_state("filters", [8, 16, 32, 64].map(Value::Int).into())
        .expect("a state");
    space
}

/// A trial with decisions that follow from its number.
fn trial(number: usize) -> Trial {
    let space = Arc::new(space());
    // A walk through all architectures that comes to each value as often.
    let mut rest = number.wrapping_mul(2_654_435_761) % 12_usize.pow(LAYERS as u32);
    let mut values = Vec::new();
    let mut quality = 0.0;
    for layer in 0..LAYERS {
        let (kernel, filters) = ([1, 3, 5][rest % 3], [8, 16, 32, 64][rest / 3 % 4]);
        rest /= 12;
        quality += (kernel as f64).ln() * 0.03 + (filters as f64).ln() * 0.02 / (layer + 1) as f64;
        values.extend([Value::Int(kernel), Value::Int(filters)]);
    }
    let actions = Actions::from_values(&space, &values).expect("actions");
    let network = network(&values);
    let accuracy = (0.5 + quality + (number * 7919 % 1000) as f64 / 20_000.0).min(0.99);
    let history = (1..=10).map(|epoch| Epoch {
        epoch,
        loss: 2.0 / epoch as f64,
        accuracy: accuracy * (1.0 - 0.5 / epoch as f64),
        validation_loss: 2.1 / epoch as f64,
        validation_accuracy: accuracy * (1.0 - 0.4 / epoch as f64),
        learning_rate: 0.001,
        seconds: 0.5,
    });
    let evaluation = Evaluation {
        data: DataKey {
            name: "digits".into(),
            split: "train=1000".into(),
            content: "0".repeat(64),
        },
        training: TrainingConfig::default(),
        seed: Seed(0),
        network,
    };
    Trial {
        number,
        ask: number as u64,
        actions: Some(Decisions::from(&actions)),
        reward: accuracy,
        score: Some(accuracy),
        digest: Some(evaluation.digest()),
        outcome: Outcome {
            accuracy: Some(accuracy),
            loss: Some(1.0 - accuracy),
            best_epoch: Some(10),
            history: history.collect(),
            seconds: 5.0,
            params: evaluation.network.params(),
            macs: evaluation.network.macs(),
            ..Outcome::default()
        },
        evaluation: Some(evaluation),
        elapsed: number as f64 * 5.0,
        ..Trial::default()
    }
}

fn network(values: &[Value]) -> Network {
    let mut node = Node::input(&[1, 8, 8]).expect("an input");
    for pair in values.chunks(2) {
        let [Value::Int(kernel), Value::Int(filters)] = pair else {
            unreachable!("integers")
        };
        let options = Conv2dOptions::default();
        node = node
            .conv2d(*filters as usize, [*kernel as usize; 2], &options)
            .expect("a convolution");
        node = node.activation(Activation::Relu);
    }
    let node = node
        .global_avg_pool()
        .expect("a pooling")
        .dense(10, &Default::default())
        .expect("a layer");
    Network::clone(&node.network().expect("a network"))
}
