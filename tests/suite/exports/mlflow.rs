//! A real MLflow server receives studies, later and while they run; none that is down, slow or refuses holds a search up.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde_json::Value as Json;

use super::{RATE, STUDY, Searched, long, read, readers, search, searched};
use crate::harness::{Place, busy, serve};
use crate::runs::trials;
use crate::workers::timeless;

/// A server of its own, with its database and files.
struct Server {
    url: String,
    process: Child,
    _place: Place,
}

impl Server {
    fn start() -> Self {
        let place = Place::new();
        let free = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let log = std::fs::File::create(place.path("log")).unwrap();
        let process = Command::new(readers())
            .args([
                "-m",
                "mlflow",
                "server",
                "--host",
                "127.0.0.1",
                "--workers",
                "1",
                "--port",
            ])
            .arg(free.port().to_string())
            .arg("--backend-store-uri")
            .arg(format!("sqlite:///{}", place.path("mlflow.db").display()))
            .arg("--artifacts-destination")
            .arg(place.path("artifacts"))
            .current_dir(place.path("."))
            .env("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "false")
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            // It starts others, which end with it.
            .process_group(0)
            .spawn()
            .unwrap();
        let server = Self {
            url: format!("http://{free}"),
            process,
            _place: place,
        };
        let until = Instant::now() + Duration::from_secs(600);
        let answers = || ureq::get(format!("{}/health", server.url)).call().is_ok();
        while !answers() {
            let log = || server._place.read("log");
            assert!(Instant::now() < until, "MLflow does not start: {}", log());
            std::thread::sleep(Duration::from_millis(200));
        }
        server
    }

    /// The runs of an experiment, as MLflow's own client finds them.
    fn runs(&self, experiment: &str) -> Vec<Json> {
        let found = read("runs.py", &[&self.url, experiment]);
        found.as_array().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = kill_process_group(Pid::from_child(&self.process), Signal::KILL);
        let _ = self.process.wait();
    }
}

/// The values of a metric by its steps.
fn history(run: &Json, metric: &str) -> Vec<(u64, f64)> {
    let points = run["metrics"][metric].as_array();
    let points = points.unwrap_or_else(|| panic!("{metric} is not in {}", run["metrics"]));
    let value = |point: &Json| point[1].as_str().unwrap().parse().unwrap();
    points
        .iter()
        .map(|point| (point[0].as_u64().unwrap(), value(point)))
        .collect()
}

/// The rewards of the run in `place`, by the numbers of its trials.
fn rewards(place: &Place) -> Vec<(u64, f64)> {
    let of = |trial: &Json| Some((trial["number"].as_u64()?, trial["reward"].as_f64()?));
    trials(place)
        .iter()
        .map(|trial| of(trial).unwrap())
        .collect()
}

#[test]
fn mlflow_receives_studies_later_and_while_they_run() {
    let _busy = busy();
    let server = Server::start();
    exported_twice_is_one_run(&server);
    followed_and_exported_is_one_run(&server);
    a_study_that_goes_on_is_one_run(&server);
    a_search_is_followed_while_it_runs(&server);
    a_failed_search_is_a_failed_run(&server);
    refusals_are_told(&server);
}

fn exported_twice_is_one_run(server: &Server) {
    let Searched { place, test } = searched();
    let export = |studies: &[&str]| {
        let args = [
            &["mlflow"],
            studies,
            &["--to", &server.url, "--experiment", "later"],
        ]
        .concat();
        let ran = place.run(&args);
        ran.succeeded();
        ran
    };
    let ran = export(&[STUDY, "second"]);
    // The value of one parameter has 10 kB.
    assert!(
        ran.stderr.contains("the first 6,000 characters"),
        "{}",
        ran.stderr
    );
    let before = server.runs("later");
    export(&[STUDY]);
    let runs = server.runs("later");
    assert_eq!(runs, before, "sent again, nothing is there twice");
    assert_eq!(runs.len(), 2);
    let run = runs
        .iter()
        .find(|run| run["name"] == STUDY)
        .expect("its name");

    assert_eq!(run["status"], "FINISHED");
    assert_eq!(run["tags"]["nas_script.study"], STUDY);
    assert_eq!(run["tags"]["mlflow.source.name"], "search.rhai");
    let params = &run["params"];
    assert_eq!(params["nas_script.seed"], "0");
    assert_eq!(
        (&params["epochs"], &params["seed"]),
        (&"1".into(), &"5".into()),
        "defaults"
    );
    assert!(
        params["nas_script.device"]
            .as_str()
            .unwrap()
            .starts_with("cpu"),
        "{params}"
    );
    assert!(
        params["nas_script.data"]
            .as_str()
            .unwrap()
            .starts_with("digits, "),
        "{params}"
    );
    let long = long();
    let cut: String = long.chars().take(6_000).collect();
    assert_eq!(params["_i_größe_/i_"].as_str(), Some(cut.as_str()));

    let journal = place.read("runs/first/trials.jsonl");
    let trials: Vec<Json> = journal
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let of = |value: fn(&Json) -> &Json| -> Vec<(u64, f64)> {
        let known = trials
            .iter()
            .filter_map(|trial| Some((trial["number"].as_u64()?, value(trial).as_f64()?)));
        known.collect()
    };
    assert_eq!(history(run, "reward"), of(|trial| &trial["reward"]));
    assert_eq!(history(run, "score"), of(|trial| &trial["score"]));
    assert_eq!(
        history(run, "accuracy"),
        of(|trial| &trial["outcome"]["accuracy"])
    );
    assert_eq!(history(run, "loss"), of(|trial| &trial["outcome"]["loss"]));
    let best: Json = serde_json::from_str(&place.read("runs/first/best.json")).unwrap();
    assert_eq!(
        history(run, "best_score").last().unwrap().1,
        best["score"].as_f64().unwrap()
    );
    assert_eq!(
        history(run, "total_loss").len(),
        4,
        "an update a trial of the controller"
    );
    assert_eq!(history(run, "test_accuracy"), [(1, *test)]);

    let files = &run["files"];
    assert_eq!(files["script.rhai"].as_str(), Some(search().as_str()));
    let kept: Json = serde_json::from_str(files["best.json"].as_str().unwrap()).unwrap();
    assert_eq!(kept, best);
    assert!(
        files["best.svg"].as_str().unwrap().starts_with("<svg"),
        "{}",
        files["best.svg"]
    );
    let table = files["trials.csv"].as_str().unwrap();
    assert!(table.contains(&format!("layer_1/{RATE}")), "{table}");
    let rows = csv::Reader::from_reader(table.as_bytes()).into_records();
    assert_eq!(rows.map(Result::unwrap).count(), trials.len());
}

fn followed_and_exported_is_one_run(server: &Server) {
    let place = Place::new();
    place.write("search.rhai", search());
    let to = ["--mlflow", &server.url, "--experiment", "live"];
    let run = [&["search.rhai", "--study", STUDY, "--out", "run"][..], &to].concat();
    place.run(&run).succeeded();
    let live = server.runs("live");
    let [followed] = &live[..] else {
        panic!("one run: {live:?}")
    };
    assert_eq!(followed["status"], "FINISHED");
    assert_eq!(history(followed, "reward"), rewards(&place));
    assert_eq!(history(followed, "total_loss").len(), 4);
    assert!(
        followed["params"]["nas_script.data"]
            .as_str()
            .unwrap()
            .starts_with("digits, ")
    );
    for file in ["script.rhai", "best.json", "best.svg", "trials.csv"] {
        assert!(followed["files"][file].is_string(), "{file} is not there");
    }
    // Another way, the same run.
    place
        .run(&["mlflow", STUDY, "--to", &server.url, "--experiment", "live"])
        .succeeded();
    assert_eq!(server.runs("live"), live);
}

/// A search that may be given more trials.
const LONGER: &str = r#"
    let space = StateSpace();
    space.add_state("filters", [2, 3, 4, 5, 6, 7, 8, 9]);
    fn model(actions) {
        let x = input([1, 8, 8]);
        for layer in actions.layers { x = x.conv2d(layer.filters, 3).relu(); }
        x.flatten().dense(10)
    }
    let manager = NetworkManager(dataset("digits", #{ train: 200, validation: 100 }), #{ epochs: param("epochs", 1, "") });
    for trial in trials(param("trials", 3, "networks")) {
        manager.get_rewards(model, space.get_random_state_space(3));
    }
"#;

fn a_study_that_goes_on_is_one_run(server: &Server) {
    let place = Place::new();
    place.write("longer.rhai", LONGER);
    let to = ["--mlflow", &server.url, "--experiment", "longer"];
    let first = ["longer.rhai", "--study", "longer", "--out", "run"];
    place.run(&[&first[..], &to].concat()).succeeded();
    let more = ["longer.rhai", "--resume", "longer", "-p", "trials=5"];
    place.run(&[&more[..], &to].concat()).succeeded();
    let runs = server.runs("longer");
    let [run] = &runs[..] else {
        panic!("one run: {runs:?}")
    };
    assert_eq!(history(run, "reward"), rewards(&place));
    assert_eq!(history(run, "reward").len(), 5);
    assert_eq!(run["params"]["trials"], "3", "as it began");
}

fn a_search_is_followed_while_it_runs(server: &Server) {
    let place = Place::new();
    place.write("longer.rhai", LONGER);
    let endless = [
        "longer.rhai",
        "--study",
        "endless",
        "--out",
        "run",
        "-p",
        "trials=100000",
        "-p",
        "epochs=20",
        "--limits",
        "none",
    ];
    let to = ["--mlflow", &server.url, "--experiment", "endless"];
    let search = place
        .command(&[&endless[..], &to].concat())
        .spawn()
        .unwrap();
    let until = Instant::now() + Duration::from_secs(600);
    let seen = || {
        let found = ureq::get(format!(
            "{}/api/2.0/mlflow/experiments/get-by-name?experiment_name=endless",
            server.url
        ));
        let there = found.call().is_ok();
        there
            .then(|| server.runs("endless"))
            .and_then(|runs| runs.into_iter().next())
    };
    let run = loop {
        let run = seen().filter(|run| run["metrics"]["reward"].is_array());
        if let Some(run) = run {
            break run;
        }
        assert!(
            Instant::now() < until,
            "nothing comes while the search runs"
        );
        std::thread::sleep(Duration::from_millis(200));
    };
    assert_eq!(run["status"], "RUNNING");
    // Sent from elsewhere meanwhile, it still runs.
    place
        .run(&[
            "mlflow",
            "endless",
            "--to",
            &server.url,
            "--experiment",
            "endless",
        ])
        .succeeded();
    assert_eq!(seen().unwrap()["status"], "RUNNING");
    kill_process(Pid::from_child(&search), Signal::INT).unwrap();
    let ran = place.ran(&search.wait_with_output().unwrap());
    assert_eq!(ran.code, Some(130), "{}", ran.stderr);
    let runs = server.runs("endless");
    assert_eq!((runs.len(), &runs[0]["status"]), (1, &"KILLED".into()));
    assert_eq!(history(&runs[0], "reward"), rewards(&place));
}

fn a_failed_search_is_a_failed_run(server: &Server) {
    let place = Place::new();
    place.write("fails.rhai", "let x = 1;\nthrow \"for good\";");
    let to = ["--mlflow", &server.url, "--experiment", "failing"];
    let ran = place.run(&[&["fails.rhai", "--study", "fails", "--out", "run"][..], &to].concat());
    assert_eq!(ran.code, Some(1));
    let status = || server.runs("failing")[0]["status"].clone();
    assert_eq!(status(), "FAILED");
    // Who sends it later does not know better.
    place
        .run(&[
            "mlflow",
            "fails",
            "--to",
            &server.url,
            "--experiment",
            "failing",
        ])
        .succeeded();
    assert_eq!(status(), "FAILED");
}

fn refusals_are_told(server: &Server) {
    let name = "x".repeat(600);
    let ran = searched()
        .place
        .run(&["mlflow", STUDY, "--to", &server.url, "--experiment", &name]);
    assert_eq!(ran.code, Some(1));
    for part in [server.url.as_str(), "400", "INVALID_PARAMETER_VALUE", "500"] {
        assert!(ran.stderr.contains(part), "{part}: {}", ran.stderr);
    }
}

/// An address where nobody answers.
const NOWHERE: &str = "http://127.0.0.1:1";

#[test]
fn an_export_says_what_went_wrong() {
    let place = &searched().place;
    let failed = |url: &str| {
        let ran = place.run(&["mlflow", "second", "--to", url]);
        assert_eq!(ran.code, Some(1), "{}", ran.stderr);
        assert!(ran.stderr.contains(url), "{}", ran.stderr);
        ran.stderr
    };
    let said = failed(NOWHERE);
    assert!(said.contains("refused"), "{said}");
    let answer = "HTTP/1.1 403 Forbidden\r\ncontent-length: 69\r\n\r\n\
                  {\"error_code\": \"PERMISSION_DENIED\", \"message\": \"not for you, sorry!\"}  ";
    let url = serve("", answer);
    let said = failed(url.trim_end_matches('/'));
    assert!(
        said.contains("403, PERMISSION_DENIED: not for you, sorry!"),
        "{said}"
    );
    let page = "<html>hello</html>";
    let url = serve(
        "",
        format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{page}",
            page.len()
        ),
    );
    let said = failed(url.trim_end_matches('/'));
    assert!(said.contains("is it an MLflow server?"), "{said}");

    let ran = place.run(&[
        "mlflow",
        "second",
        "--to",
        "http://me:secret@127.0.0.1:5000",
    ]);
    assert_eq!(ran.code, Some(2));
    assert!(
        ran.stderr.contains("MLFLOW_TRACKING_PASSWORD"),
        "{}",
        ran.stderr
    );
    assert!(!ran.stderr.contains("secret"), "{}", ran.stderr);
    let ran = place.run(&["mlflow", "second", "--to", "127.0.0.1:5000"]);
    assert!(ran.stderr.contains("http://HOST:PORT"), "{}", ran.stderr);
}

/// Takes requests, answers none, and hands on their heads.
fn silent() -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (heads, heard) = channel();
    std::thread::spawn(move || {
        // Kept, so that they stay open.
        let mut open = Vec::new();
        for stream in listener.incoming().map_while(Result::ok) {
            let lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let lines = lines
                .map_while(Result::ok)
                .take_while(|line| !line.is_empty());
            let _ = heads.send(lines.collect::<Vec<_>>().join("\n"));
            open.push(stream);
        }
    });
    (url, heard)
}

#[test]
fn a_name_or_a_token_is_sent_as_mlflows_own_client_does() {
    let place = &searched().place;
    let head = |set: &[(&str, &str)]| {
        let (url, heard) = silent();
        let mut command = place.command(&["mlflow", "second", "--to", &url]);
        let mut child = command.envs(set.iter().copied()).spawn().unwrap();
        let head = heard.recv_timeout(Duration::from_secs(60)).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        head
    };
    let name = [
        ("MLFLOW_TRACKING_USERNAME", "me"),
        ("MLFLOW_TRACKING_PASSWORD", "se:cret"),
    ];
    let basic = head(&name);
    // "me:se:cret"
    assert!(
        basic.contains("authorization: Basic bWU6c2U6Y3JldA=="),
        "{basic}"
    );
    let token = head(&[("MLFLOW_TRACKING_TOKEN", "abc")]);
    assert!(token.contains("authorization: Bearer abc"), "{token}");
    let nothing = head(&[]);
    assert!(!nothing.contains("authorization"), "{nothing}");
}

/// The arguments of [`search`], which [`nowhere`] and [`silent`] are to follow.
const SMALL: &[&str] = &["search.rhai", "--study", "small", "--out", "run"];

#[test]
fn a_search_goes_on_whatever_becomes_of_the_server() {
    let run = |url: &str| {
        let place = Place::new();
        place.write("search.rhai", search());
        let ran = place.run(&[SMALL, &["--mlflow", url]].concat());
        ran.succeeded();
        (place, ran)
    };
    let (silent, _heard) = silent();
    let (gone, down) = run(NOWHERE);
    let (waits, slow) = run(&silent);
    for ran in [&down, &slow] {
        let warnings = ran
            .stderr
            .lines()
            .filter(|line| line.starts_with("MLflow "));
        let warnings: Vec<_> = warnings.collect();
        let last = warnings.last().expect("what was not sent is told");
        assert!(warnings.len() <= 2, "once, and at the end: {warnings:?}");
        assert!(last.contains(" numbers of the search"), "{last}");
        assert!(
            last.contains("nas-script mlflow small --to http://127.0.0.1:"),
            "{last}"
        );
    }
    assert!(down.stderr.contains("refused"), "{}", down.stderr);
    let recorded = |place| timeless(Json::Array(trials(place)));
    assert_eq!(recorded(&gone).as_array().unwrap().len(), 8);
    assert_eq!(recorded(&gone), recorded(&waits));
    // As without MLflow.
    let alone = Place::new();
    alone.write("search.rhai", search());
    alone.run(SMALL).succeeded();
    assert_eq!(recorded(&gone), recorded(&alone));
}
