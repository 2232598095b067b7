//! The search procedures of `nas/`: what each leaves on tables and on real children.

use std::fmt::Write;
use std::fs;
use std::thread;
use std::time::Duration;

use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::Value as Json;

use crate::harness::Place;
use crate::runs::trials;
use crate::workers::timeless;

/// The recipes that search by variation, by a model or by rungs.
const SEARCHES: [&str; 8] = [
    "local_search",
    "evolution",
    "tpe",
    "bananas",
    "successive_halving",
    "hyperband",
    "asha",
    "pareto",
];

/// A cell of 6 edges with 5 operations each, of whose pairs some do well together; the accuracy that a
/// search is told is one of three noisy ones.
fn cells() -> String {
    let mut random = StdRng::seed_from_u64(201);
    let mut draw = || random.random_range(-1.0..1.0_f64);
    let alone: Vec<f64> = (0..30).map(|_| draw()).collect();
    let pairs: Vec<f64> = (0..36 * 25).map(|_| 0.4 * draw()).collect();
    let mut table = String::from("cell,a,b,c,mean,params\n");
    for number in 0..5_usize.pow(6) {
        let ops: Vec<usize> = (0..6).map(|edge| number / 5_usize.pow(edge) % 5).collect();
        let mut worth = 0.0;
        for (i, &a) in ops.iter().enumerate() {
            worth += alone[5 * i + a];
            for (j, &b) in ops.iter().enumerate().take(i) {
                worth += pairs[(6 * i + j) * 25 + 5 * a + b];
            }
        }
        let mean = 0.8 + 0.02 * worth;
        let key: String = ops.iter().map(ToString::to_string).collect();
        let [a, b, c] = [(); 3].map(|()| mean + 0.003 * draw());
        let params: usize = ops.iter().map(|op| 100 * (op + 1)).sum();
        writeln!(table, "{key},{a},{b},{c},{mean},{params}").unwrap();
    }
    table
}

const TABLE: &str = r#"
    let space = StateSpace();
    space.add_state("op", [0, 1, 2, 3, 4]);
    let table = || BenchmarkTable("cells.csv", #{ reward: ["a", "b", "c"], score: "mean", params: "params" });
"#;

const CHILDREN: &str = r#"
    let space = StateSpace();
    space.add_state("kernel", [1, 3]);
    space.add_state("filters", [2, 4]);
    space.add_anchor("skip");
    space.add_choice("pool", [true, false]);
    fn model(actions) {
        let x = input([1, 8, 8]);
        for layer in actions.layers { x = x.conv2d(layer.filters, layer.kernel).relu(); }
        if actions.pool { x.global_avg_pool().dense(10) } else { x.flatten().dense(10) }
    }
    let data = dataset("digits", #{ train: 100, validation: 50 });
"#;

/// A folder with the table of cells.
fn place() -> Place {
    let place = Place::new();
    place.write("cells.csv", cells());
    place
}

#[test]
fn every_search_runs_on_a_table_and_asks_nothing_twice() {
    let place = place();
    for name in SEARCHES {
        let script = format!(
            r#"import "nas/{name}" as recipe; {TABLE}
            let found = recipe::search(space, table.call(), |actions| (), #{{ layers: 6, trials: 40 }});
            print(`trials ${{found.trials}}`);
            print(`same ${{found.best.score == study.best.score || found.best.objective >= study.best.objective}}`);
            let known = study.trials.filter(|trial| trial.cached);
            print(`known ${{known.len()}}`);"#
        );
        let ran = place.run_text_with(&["--store", "none"], &script);
        let lines: Vec<_> = ran.succeeded().lines().take(3).collect();
        assert_eq!(lines, ["trials 40", "same true", "known 0"], "{name}");
    }
}

#[test]
fn every_search_runs_on_real_children_and_in_batches() {
    let place = Place::new();
    for name in SEARCHES {
        let more = match name {
            "asha" => "epochs: 2, reduction: 2, parallel: 3",
            "hyperband" | "successive_halving" => "epochs: 2, reduction: 2",
            _ => "initial: 3, batch: 3",
        };
        let script = format!(
            r#"import "nas/{name}" as recipe; {CHILDREN}
            let manager = NetworkManager(data, #{{ epochs: 1, max_params: 3000 }});
            let found = recipe::search(space, manager, model, #{{ layers: 2, trials: 7, {more} }});
            print(`trials ${{found.trials}}`);
            print(`accuracy ${{found.best.accuracy > 0.05}}`);"#
        );
        let ran = place.run_text_with(&["--store", "none"], &script);
        let lines: Vec<_> = ran.succeeded().lines().take(2).collect();
        assert_eq!(lines, ["trials 7", "accuracy true"], "{name}");
    }
}

#[test]
fn searches_that_learn_beat_random_search_at_equal_cost() {
    let place = place();
    let script = format!(
        r#"{TABLE}
        fn found(name, space, table) {{
            // Trees are fitted to the trials after each of them.
            let runs = if name == "nas/bananas" {{ 3 }} else {{ 12 }};
            let scores = replicate(runs, |number| {{
                import name as recipe;
                recipe::search(space, table.call(), |actions| (), #{{ layers: 6, trials: 60 }}).best.score
            }});
            scores.reduce(|sum, score| sum + score, 0.0) / scores.len()
        }}
        let random = found("nas/random", space, table);
        for name in ["local_search", "evolution", "tpe", "bananas"] {{
            print(`${{name}} ${{found("nas/" + name, space, table) - random}}`);
        }}"#
    );
    let ran = place.run_text_with(&["--store", "none"], &script);
    let better: Vec<(&str, f64)> = ran.succeeded().lines().take(4).map(named).collect();
    for (name, better) in better {
        // The accuracies of all cells have a deviation of about 0.03.
        assert!(better > 0.01, "{name} is {better} better than random");
    }
}

/// A name and its number.
fn named(line: &str) -> (&str, f64) {
    let (name, number) = line.split_once(' ').unwrap();
    (name, number.parse().unwrap())
}

#[test]
fn a_front_is_beaten_by_nothing_that_was_tried() {
    let place = place();
    let script = format!(
        r#"import "nas/pareto" as pareto; {TABLE}
        let found = pareto::search(space, table.call(), |actions| (), #{{ layers: 6, trials: 80 }});
        for one in found.front {{ print(`front ${{one.objective}} ${{one.params}}`); }}
        for one in study.trials {{ print(`trial ${{one.objective}} ${{one.params}}`); }}"#
    );
    let ran = place.run_text_with(&["--store", "none"], &script);
    let points = |label: &str| -> Vec<(f64, f64)> {
        let lines = ran.succeeded().lines();
        let lines = lines.filter_map(|line| line.strip_prefix(label));
        let numbers = lines.map(|line| named(line.trim()));
        numbers.map(|(a, b)| (a.parse().unwrap(), b)).collect()
    };
    let (front, tried) = (points("front"), points("trial "));
    assert_eq!(tried.len(), 80);
    assert!(front.len() >= 3, "{front:?}");
    assert!(
        front.is_sorted_by(|a, b| a.0 > b.0),
        "the best first: {front:?}"
    );
    let beats = |a: &(f64, f64), b: &(f64, f64)| a.0 >= b.0 && a.1 <= b.1 && a != b;
    for point in &tried {
        let beaten = front.iter().any(|one| beats(one, point));
        assert_ne!(beaten, front.contains(point), "{point:?} of {front:?}");
    }
}

#[test]
fn recipes_compare_at_equal_epochs() {
    let place = Place::new();
    let script = format!(
        r#"import "nas/compare" as compare; {CHILDREN}
        let short = #{{ recipe: "nas/asha", trials: 5, parallel: 1 }};
        let make = || NetworkManager(data, #{{ epochs: 3, checkpoints: true }});
        let rows = compare::search(space, make, model, #{{
            layers: 2, trials: 4, seeds: 2, per: "epochs", at: [2, 6, 12],
            recipes: #{{ short: short, led: short + #{{ guided: true }} }},
        }});
        let random = rows.filter(|row| row.name == "nas/random")[0];
        for row in rows {{
            let known = row.values.map(|of| of.filter(|value| value != ()).len());
            print(`${{row.name}}: ${{row.epochs}} epochs, ${{row.curve.len()}} points, known ${{known}}`);
            print(`${{row.name}} gains ${{abs(row.gain - (row.means[2] - random.means[2])) < 1e-9}}`);
            if row.name != "nas/random" {{ print(`${{row.name}} keeps ${{row.values[1] == row.values[2]}}`); }}
        }}"#
    );
    let ran = place.run_text_with(&["--store", "none"], &script);
    let text = ran.succeeded();
    // Four children of 3 epochs; or of one epoch, of which the best has two more. The first of 3 epochs is
    // not known after 2.
    for line in [
        "nas/random: 12.0 epochs, 12 points, known [0, 2, 2]",
        "short: 6.0 epochs, 12 points, known [2, 2, 2]",
        "led: 6.0 epochs, 12 points, known [2, 2, 2]",
        "nas/random gains true",
        "short gains true",
        "led gains true",
        "short keeps true",
        "led keeps true",
    ] {
        assert!(
            text.lines().any(|printed| printed == line),
            "{line}: {text}"
        );
    }
}

/// ASHA on digits; a child is worth its parameters, so that it is known which ones are to be promoted.
const ASHA: &str = r#"
    import "nas/asha" as asha;
    let space = StateSpace();
    space.add_state("kernel", [1, 3]);
    space.add_state("filters", [2, 3, 4, 5]);
    fn model(actions) {
        let x = input([1, 8, 8]);
        for layer in actions.layers { x = x.conv2d(layer.filters, layer.kernel).relu(); }
        x.flatten().dense(10)
    }
    let data = dataset("digits", #{ train: 800, validation: 100 });
    let manager = NetworkManager(data, #{ batch_size: 20, checkpoints: true });
    manager.set_reward(|outcome| outcome.params);
    let found = asha::search(space, manager, model, #{
        layers: 3, trials: 24, epochs: 4, reduction: 2, parallel: 3,
    });
    print(`epochs ${found.epochs}`);
"#;

/// A trial of ASHA.
#[derive(Clone, Copy, Debug)]
struct Rung {
    ask: u64,
    rung: u64,
    child: u64,
    params: u64,
}

impl Rung {
    fn of(trial: &Json) -> Self {
        let number = |path: &str| trial.pointer(path).and_then(Json::as_u64).unwrap();
        let rung = Self {
            ask: number("/ask"),
            rung: number("/tag/rung"),
            child: number("/tag/child"),
            params: number("/outcome/params"),
        };
        let epochs = number("/evaluation/training/epochs");
        assert_eq!(epochs, [1, 2, 4][rung.rung as usize]);
        rung
    }
}

/// The rung and the child that are to be promoted, where `done` has come back and `asked` was asked for.
fn promotion(done: &[Rung], asked: &[Rung]) -> Option<(u64, u64)> {
    [1, 0].into_iter().find_map(|rung| {
        let mut below: Vec<_> = done.iter().filter(|one| one.rung == rung).collect();
        below.sort_by_key(|one| std::cmp::Reverse(one.params));
        let gone = |child| {
            let mut above = asked.iter().filter(|one| one.rung == rung + 1);
            above.any(|one| one.child == child)
        };
        let mut best = below.iter().take(below.len() / 2).map(|one| one.child);
        best.find(|child| !gone(*child))
            .map(|child| (rung + 1, child))
    })
}

/// Checks that each of the trials of `place` was the one to ask for next, in whatever order they came back,
/// and returns how many each rung has.
fn follows_asha(place: &Place) -> [usize; 3] {
    let done: Vec<Rung> = trials(place).iter().map(Rung::of).collect();
    assert_eq!(done.len(), 24);
    let mut asked = done.clone();
    asked.sort_by_key(|one| one.ask);
    let mut drawn = 0;
    for (i, one) in asked.iter().enumerate() {
        // Three are asked for at a time, so two are under way.
        let expected = promotion(&done[..i.saturating_sub(2)], &asked[..i]).unwrap_or((0, drawn));
        drawn += u64::from(expected.0 == 0);
        assert_eq!((one.rung, one.child), expected, "{one:?} of {done:?}");
    }
    [0, 1, 2].map(|rung| done.iter().filter(|one| one.rung == rung).count())
}

#[test]
fn asha_trains_the_best_half_of_each_rung_on_for_the_rest() {
    let place = Place::new();
    place.write("search.rhai", ASHA);
    let ran = place.run(&["search.rhai", "-q", "--store", "none", "--out", "run"]);
    let rungs = follows_asha(&place);
    assert!(rungs[1] >= 4 && rungs[2] >= 1, "{rungs:?}");
    let trained = rungs[0] + rungs[1] + 2 * rungs[2];
    assert_eq!(ran.line("epochs"), trained.to_string());
}

#[test]
fn asha_goes_on_after_a_kill_where_it_was() {
    let place = Place::new();
    place.write("search.rhai", ASHA);
    let args = ["search.rhai", "-q", "--out", "run", "--study", "s"];
    let mut child = place.command(&args).spawn().unwrap();
    let journal = place.path("run/trials.jsonl");
    let recorded = || fs::read_to_string(&journal).map_or(0, |text| text.lines().count());
    while recorded() < 8 {
        assert!(
            child.try_wait().unwrap().is_none(),
            "it ended before the kill"
        );
        thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let before = trials(&place);
    assert!(before.len() < 24, "the kill came too late");
    place
        .run(&["search.rhai", "-q", "--resume", "s"])
        .succeeded();
    follows_asha(&place);
    let after = trials(&place).into_iter().map(timeless);
    let before = before.into_iter().map(timeless);
    assert!(after.zip(before).all(|(after, before)| after == before));
}
