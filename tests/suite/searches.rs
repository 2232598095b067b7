//! The search procedures of `nas/`: what each leaves on tables and on real children.

use std::fmt::Write;
use std::fs;
use std::thread;
use std::time::Duration;

use rand::{RngExt, SeedableRng, rngs::StdRng};

use crate::harness::{Place, Ran};
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
        fn regret(name, space, table) {{
            let scores = replicate(12, |number| {{
                import name as recipe;
                recipe::search(space, table.call(), |actions| (), #{{ layers: 6, trials: 60 }}).best.score
            }});
            scores.reduce(|sum, score| sum + score, 0.0) / scores.len()
        }}
        let random = regret("nas/random", space, table);
        for name in ["local_search", "evolution", "tpe", "bananas"] {{
            print(`${{name}} ${{regret("nas/" + name, space, table) - random}}`);
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

/// ASHA on digits, which prints what it did; a child is worth its parameters, so that the promotions are
/// known beforehand.
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
    let data = dataset("digits", #{ train: 100, validation: 50 });
    let manager = NetworkManager(data, #{ batch_size: 50, checkpoints: true });
    manager.set_reward(|outcome| outcome.params);
    let found = asha::search(space, manager, model, #{
        layers: 3, trials: 24, epochs: 4, reduction: 2, parallel: 3,
    });
    for outcome in study.trials {
        print(`${outcome.tag.rung} ${outcome.tag.child} ${outcome.history.len()} ${outcome.params}`);
    }
    print(found.epochs);
"#;

/// Runs [`ASHA`] with one worker, which answers in the order asked.
fn asha(place: &Place, args: &[&str]) -> Ran {
    place.write("search.rhai", ASHA);
    place.run(&[&["search.rhai", "-q", "--workers", "1"], args].concat())
}

/// A trial of ASHA.
#[derive(Clone, Copy, Debug)]
struct Rung {
    rung: usize,
    child: usize,
    epochs: usize,
    params: usize,
}

/// The rung and the child that are to be promoted, where `done` has come back and `asked` was asked for.
fn promotion(done: &[Rung], asked: &[Rung]) -> Option<(usize, usize)> {
    [1, 0].into_iter().find_map(|rung| {
        let mut below: Vec<_> = done.iter().filter(|one| one.rung == rung).collect();
        below.sort_by_key(|one| std::cmp::Reverse(one.params));
        let gone = |child| {
            asked
                .iter()
                .any(|one| one.rung == rung + 1 && one.child == child)
        };
        let best = below.iter().take(below.len() / 2).map(|one| one.child);
        best.into_iter()
            .find(|child| !gone(*child))
            .map(|child| (rung + 1, child))
    })
}

#[test]
fn asha_trains_the_best_half_of_each_rung_on() {
    let place = Place::new();
    let ran = asha(&place, &["--store", "none"]);
    let lines: Vec<&str> = ran.succeeded().lines().collect();
    let read = |line: &&str| {
        let numbers: Vec<usize> = line.split(' ').map(|n| n.parse().unwrap()).collect();
        let [rung, child, epochs, params] = numbers[..] else {
            panic!("{line}")
        };
        Rung {
            rung,
            child,
            epochs,
            params,
        }
    };
    let done: Vec<Rung> = lines[..24].iter().map(read).collect();
    let mut drawn = 0;
    for (i, trial) in done.iter().enumerate() {
        // Three are asked for at a time, so two are under way.
        let expected = promotion(&done[..i.saturating_sub(2)], &done[..i]).unwrap_or((0, drawn));
        drawn += usize::from(expected.0 == 0);
        assert_eq!((trial.rung, trial.child), expected, "trial {i} of {done:?}");
        assert_eq!(trial.epochs, [1, 2, 4][trial.rung]);
    }
    let in_rung = |rung| done.iter().filter(|one| one.rung == rung).count();
    assert!(in_rung(1) >= 4 && in_rung(2) >= 1, "{done:?}");
    // What went on was trained for the rest alone.
    let trained = in_rung(0) + in_rung(1) + 2 * in_rung(2);
    assert_eq!(lines[24].parse::<usize>().unwrap(), trained);
}

#[test]
fn asha_resumes_after_a_kill_as_if_nothing_had_happened() {
    let whole = Place::new();
    let expected = asha(&whole, &["--out", "run", "--study", "s"]);
    let place = Place::new();
    place.write(
        "search.rhai",
        format!("import \"nas/asha\" as asha; {CHILDREN} {ASHA}"),
    );
    let args = [
        "search.rhai",
        "-q",
        "--workers",
        "1",
        "--out",
        "run",
        "--study",
        "s",
    ];
    let mut child = place.command(&args).spawn().unwrap();
    let journal = place.path("run/trials.jsonl");
    let recorded = || fs::read_to_string(&journal).map_or(0, |text| text.lines().count());
    while recorded() < 8 {
        assert!(
            child.try_wait().unwrap().is_none(),
            "it ended before the kill"
        );
        thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(recorded() < 24, "the kill came too late");
    let resumed = asha(&place, &["--resume", "s"]);
    assert_eq!(resumed.succeeded(), expected.succeeded());
    let left = |place| -> Vec<_> { trials(place).into_iter().map(timeless).collect() };
    assert_eq!(left(&place), left(&whole));
}
