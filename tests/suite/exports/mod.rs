//! What other people's tools make of a study. Its names are hostile: they come through everywhere, as text.

mod mlflow;
mod tables;
mod tensorboard;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use nas_script::study::store::{self, Address, StudyStore};
use serde_json::Value as Json;

use crate::harness::{Place, repository};
use crate::python;

/// A Python with the readers of all exports.
fn readers() -> PathBuf {
    python::python(
        "readers",
        &["mlflow==3.17.*", "tensorboard==2.21.*", "pillow"],
    )
}

/// What `tests/exports/<name>` prints.
#[track_caller]
fn read(name: &str, args: &[&str]) -> Json {
    let script = repository("tests/exports").join(name);
    let output = Command::new(readers()).arg(script).args(args).output();
    let output = output.unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {said}");
    let text = String::from_utf8(output.stdout).unwrap();
    let last = text.lines().last().unwrap_or_default();
    serde_json::from_str(last).unwrap_or_else(|e| panic!("{name}: {e}\n{text}\n{said}"))
}

/// 10 kB with everything that means something to someone.
fn long() -> String {
    let part =
        "<script>alert('é')</script>\u{202e}🙂,;\"\\&amp;**_#`|\t\u{1b}[31m\u{7f}\n=cmd()\r\n";
    part.repeat(10_000 / part.len() + 1)
}

/// The study's name.
const STUDY: &str = "<script>alert(1)</script> & \"größe\" 🙂";
/// A state's name.
const RATE: &str = "<b onload=alert(1)>rate</b>";

/// A search whose decisions have every kind of value, hostile names, names of other columns and values of 10 kB; in which one
/// network is impossible and one comes up twice; which learns, and scores its best network on the test images.
fn search() -> String {
    let script = r#"
        let epochs = param("epochs", 1, "epochs per network");
        let seed = param("seed", 5, "a name that the program has a use for as well");
        let note = param("<i>größe</i>", "none", "a hostile name");
        let space = StateSpace();
        space.add_state("kernel", [1, 3]);
        space.add_state(RATE, [0.25, 1.0]);
        space.add_anchor("skip");
        space.add_choice("number", ["=1+1", "NA", LONG]);
        space.add_choice("layer_1/kernel", [true, false]);
        fn model(actions) {
            let x = input([1, 8, 8]);
            for layer in actions.layers { x = x.conv2d(2, layer.kernel).relu(); }
            x.flatten().dense(10)
        }
        fn broken(actions) { input([1, 8, 8]).conv2d(2, 99, #{ padding: "valid" }).flatten().dense(10) }
        let manager = NetworkManager(dataset("digits", #{ train: 200, validation: 100 }), #{ epochs: epochs, batch_size: 20 });
        let controller = Controller(2, space);
        for trial in trials(param("trials", 4, "networks")) {
            let actions = controller.get_action();
            controller.store_rollout(actions, manager.get_rewards(model, actions).reward);
            controller.train_step();
        }
        manager.get_rewards(model, space.actions([1, 0.25, [], 1, 1.0, [0], LONG, true]));
        manager.get_rewards(model, space.actions([1, 0.25, [], 1, 1.0, [0], LONG, true]));
        manager.get_rewards(broken, space.actions([3, 1.0, [], 3, 0.25, [], "NA", false]));
        manager.submit(model.call(space.actions([3, 1.0, [], 3, 0.25, [], "=1+1", false])), "<u>tag</u>");
        manager.next();
        print(`test: ${manager.test(study.best.network)}`);
    "#;
    let (rate, long) = (serde_json::json!(RATE), serde_json::json!(long()));
    let script = script.replace("RATE", &rate.to_string());
    script.replace("LONG", &rhai_text(&long))
}

/// A text as a literal of Rhai.
fn rhai_text(text: &Json) -> String {
    let escaped = text.as_str().unwrap().chars().map(|sign| match sign {
        '"' => "\\\"".into(),
        '\\' => "\\\\".into(),
        '\n' => "\\n".into(),
        '\r' => "\\r".into(),
        sign if sign.is_control() => format!("\\x{:02x}", u32::from(sign)),
        sign => sign.to_string(),
    });
    format!("\"{}\"", escaped.collect::<String>())
}

/// A place where [`search`] ran, with what it printed as its score on the test images.
struct Searched {
    place: Place,
    test: f64,
}

/// Run once for all tests that only look.
fn searched() -> &'static Searched {
    static SEARCHED: OnceLock<Searched> = OnceLock::new();
    SEARCHED.get_or_init(|| {
        let place = Place::new();
        place.write("search.rhai", search());
        let long = format!("<i>größe</i>={}", long());
        let ran = place.run(&[
            "search.rhai",
            "--study",
            STUDY,
            "--out",
            "runs/first",
            "-p",
            &long,
        ]);
        ran.succeeded();
        let test = ran.line("test:").parse().unwrap();
        let other = ["search.rhai", "--study", "second", "--out", "runs/second"];
        place
            .run(&[&other[..], &["-p", "epochs=2", "-p", "trials=1"]].concat())
            .succeeded();
        Searched { place, test }
    })
}

/// The store of a place.
fn store(place: &Place) -> std::sync::Arc<dyn StudyStore> {
    let address: Address = place
        .path("nas-studies.db")
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    store::open(&address).unwrap()
}

/// A path as text.
fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_test_counts_which_classes_are_taken_for_which() {
    let Searched { place, test } = searched();
    let store = store(place);
    let study = store.find(STUDY).unwrap().unwrap();
    let tests = store.tests(study.id).unwrap();
    let [tested] = &tests[..] else {
        panic!("one network was scored: {tests:?}")
    };
    assert_eq!(tested.accuracy, *test, "as the script saw it");
    let digits: Vec<String> = (0..10).map(|digit| digit.to_string()).collect();
    assert_eq!(tested.classes, digits);
    let counts = || tested.confusion.iter().flatten().sum::<u64>();
    let right: u64 = (0..10).map(|class| tested.confusion[class][class]).sum();
    assert_eq!(right as f64 / counts() as f64, tested.accuracy);
    // A network that has learnt anything takes most for what they are, and some for something else.
    assert!(right > 0 && right < counts());
    assert!(
        tested
            .confusion
            .iter()
            .all(|row| row.len() == 10 && row.iter().sum::<u64>() > 0)
    );
}
