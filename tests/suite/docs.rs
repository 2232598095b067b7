//! The documentation of the script language: all that scripts can call is documented, every example runs as it
//! stands, and docs/reference.md holds what the program says.

use std::fs;
use std::path::Path;
use std::sync::Mutex;

use image::RgbImage;
use nas_script::script::{Entry, Kind, Reference};

use crate::harness::{Place, repository, shared_data};

/// An example: what it belongs to, and its text.
struct Example {
    place: String,
    text: String,
}

fn reference() -> &'static Reference {
    Reference::get()
}

/// What the host and the standard library offer.
fn own(reference: &Reference) -> Vec<&Entry> {
    reference.all().filter(|entry| !entry.builtin).collect()
}

/// Whether `example` shows the use of `entry`.
fn shows(example: &str, entry: &Entry) -> bool {
    let name = &entry.name;
    match entry.kind {
        Kind::Function => example.contains(&format!("{name}(")),
        // Values are made texts by printing them as well.
        Kind::Method if name == "to_string" => example.contains("print("),
        Kind::Method if name == "contains" => example.contains(" in "),
        Kind::Method => example.contains(&format!(".{name}(")),
        Kind::Property => example.contains(&format!(".{name}")),
        Kind::Index => example.contains(['[', '.']),
        Kind::Operator => example.contains(&format!(" {name} ")),
        Kind::Type | Kind::Module => true,
    }
}

/// Runs each of `examples` by itself, and fails with those that fail.
fn run(examples: &[Example]) {
    let waiting = Mutex::new(examples.iter());
    let failed = Mutex::new(Vec::new());
    let data = shared_data();
    let data = data.to_str().unwrap();
    let work = || {
        loop {
            let Some(example) = waiting.lock().unwrap().next() else {
                break;
            };
            let here = Place::new();
            if example.text.contains("folder(") {
                pictures(&here);
            }
            let ran = here.run_text_with(&["--data-dir", data], &example.text);
            if ran.code != Some(0) {
                let Example { place, text } = example;
                let failure = format!("{place}\n{text}{}\n", ran.stderr);
                failed.lock().unwrap().push(failure);
            }
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(work);
        scope.spawn(work);
    });
    let failed = failed.into_inner().unwrap();
    let number = failed.len();
    assert!(failed.is_empty(), "{number} fail:\n{}", failed.join("\n"));
}

/// A folder of pictures, as the examples have one.
fn pictures(here: &Place) {
    for (class, colour) in [("cat", [200, 90, 20]), ("dog", [40, 60, 180])] {
        for number in 0..10 {
            let path = here.write(&format!("pets/{class}/{number}.png"), "");
            let picture = RgbImage::from_pixel(8, 8, image::Rgb(colour));
            picture.save(path).unwrap();
        }
    }
}

#[test]
fn everything_is_documented_with_an_example() {
    let reference = reference();
    let types: Vec<&Entry> = reference.types().collect();
    let mut wrong = Vec::new();
    for entry in own(reference) {
        let name = entry.qualified();
        if entry.doc.is_empty() || entry.overloads.iter().any(|o| o.doc.is_empty()) {
            wrong.push(format!(
                "{name}: {:?} has no documentation",
                entry.signatures
            ));
        }
        // What all objects of a type have in common may be shown once, in the type's own documentation.
        let of_type = types
            .iter()
            .find(|t| Some(&t.name) == entry.receiver.as_ref());
        let examples = entry.examples();
        let shared = of_type.map(|of| of.examples()).unwrap_or_default();
        let mut all = examples.iter().chain(&shared);
        if entry.kind != Kind::Module && !all.any(|example| shows(example, entry)) {
            wrong.push(format!("{name}: no example uses it"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn scripts_know_every_type_by_its_name() {
    let reference = reference();
    let types: Vec<&str> = reference.types().map(|t| t.name.as_str()).collect();
    let plain = [
        "any", "array", "bool", "float", "function", "int", "map", "string",
    ];
    let unknown = |of: &&str| !plain.contains(of) && !types.contains(of);
    for entry in own(reference) {
        for overload in &entry.overloads {
            let params = overload.params.iter().map(|(_, of)| of.as_str());
            let mut all = params.chain(overload.returns.as_deref());
            assert_eq!(all.find(unknown), None, "{:?}", entry.signatures);
        }
    }
}

#[test]
fn every_example_runs() {
    let reference = reference();
    let mut examples = Vec::new();
    for entry in own(reference) {
        let texts = entry.examples().into_iter();
        let place = entry.qualified();
        examples.extend(texts.map(|text| Example {
            place: place.clone(),
            text,
        }));
    }
    assert!(examples.len() >= 150, "only {} examples", examples.len());
    run(&examples);
}

#[test]
fn the_printed_reference_is_current() {
    let printed = Place::new().run(&["doc", "--markdown"]);
    let kept = fs::read_to_string(repository("docs/reference.md")).unwrap();
    assert!(
        kept.trim_end() == printed.succeeded(),
        "docs/reference.md is stale; refresh it with: nas-script doc --markdown > docs/reference.md"
    );
}

#[test]
fn a_name_is_explained_in_the_terminal() {
    let here = Place::new();
    let conv2d = here.run(&["doc", "conv2d"]);
    let text = conv2d.succeeded();
    let signature = "Network.conv2d(filters: int, kernel: any, options: map) -> Network";
    assert!(text.lines().any(|line| line == signature), "{text}");
    assert!(text.contains("`dilation`"), "{text}");
    assert!(
        text.contains("        let x = input([3, 32, 32])"),
        "{text}"
    );

    // A type and a module come with what belongs to them; either way of naming a function is understood.
    let space = here.run(&["doc", "StateSpace"]);
    assert!(
        space.succeeded().contains("  add_anchor "),
        "{}",
        space.stdout
    );
    let darts = here.run(&["doc", "nas/darts"]);
    assert!(
        darts.succeeded().contains("  genotype "),
        "{}",
        darts.stdout
    );
    for name in ["darts::genotype", "nas/darts::genotype", "genotype"] {
        let found = here.run(&["doc", name]);
        let first = found.succeeded().lines().next();
        assert_eq!(first, Some("darts::genotype(actions)"), "{name}");
    }
    // The language's own are explained too, but listed nowhere.
    assert!(
        here.run(&["doc", "split"])
            .succeeded()
            .contains("string.split(")
    );
    let all = here.run(&["doc"]);
    assert!(!all.succeeded().contains("\n  split "), "{}", all.stdout);
    assert!(all.stdout.contains("\nNetworkManager\n"), "{}", all.stdout);

    let slip = here.run(&["doc", "con2d"]);
    assert_eq!(slip.code, Some(2));
    assert_eq!(
        slip.stderr,
        "error: unknown name 'con2d'; did you mean 'conv2d'?"
    );
    let of_space = here.run(&["doc", "StateSpace.add_stat"]);
    assert!(
        of_space
            .stderr
            .ends_with("did you mean 'StateSpace.add_state'?"),
        "{}",
        of_space.stderr
    );
    // What has no entry of its own: a type of the language, its words, a folder of modules.
    for (name, part) in [
        ("string", "\n  split "),
        ("for", "rhai.rs/book"),
        ("nas", "\n  nas/darts "),
    ] {
        let shown = here.run(&["doc", name]);
        assert!(shown.succeeded().contains(part), "{}", shown.stdout);
    }
    for name in ["conv2d(16, 3)", "StateSpace::add_state", "networkmanager"] {
        here.run(&["doc", name]).succeeded();
    }
    let far = here.run(&["doc", "xyzzyxyzzy"]);
    assert_eq!(far.code, Some(2));
    assert!(far.stderr.contains("`nas-script doc`"), "{}", far.stderr);
}

#[test]
fn an_option_is_explained_by_its_name() {
    let here = Place::new();
    let weight = here.run(&["doc", "entropy_weight"]);
    let text = weight.succeeded();
    let first = text.lines().next();
    assert_eq!(
        first,
        Some("option 'entropy_weight' of Controller"),
        "{text}"
    );
    assert!(
        text.contains("(0.05): weight of the policy's entropy"),
        "{text}"
    );
    // A property and an option have one name; all who take it are told.
    let epochs = here.run(&["doc", "epochs"]);
    let text = epochs.succeeded();
    assert!(text.starts_with("NetworkManager.epochs -> int\n"), "{text}");
    assert!(
        text.contains("option 'epochs' of NetworkManager\n"),
        "{text}"
    );
    assert!(text.contains("nas/asha::search"), "{text}");
}

#[test]
fn lines_fit_a_terminal_except_in_examples() {
    let here = Place::new();
    for name in [
        "NetworkManager",
        "Controller",
        "nas/compare",
        "conv2d",
        "StateSpace",
    ] {
        let shown = here.run(&["doc", name]);
        let prose = shown.succeeded().lines();
        // An example stands eight columns from the left, a list of methods hangs from its longest name.
        let prose = prose.filter(|line| line.starts_with("    ") && !line.starts_with("        "));
        let longest = prose.max_by_key(|line| line.chars().count()).unwrap();
        assert!(longest.chars().count() <= 100, "{longest}");
        let item = shown.stdout.lines().any(|line| line.starts_with("    - `"));
        assert_eq!(
            item,
            name != "nas/compare" && name != "StateSpace",
            "{}",
            shown.stdout
        );
    }
}

#[test]
fn editors_get_definition_files() {
    let here = Place::new();
    here.run(&["defs", "defs"]).succeeded();
    let text = here.read("defs/__static__.d.rhai");
    for line in [
        "module static;",
        "fn add_state(space: StateSpace, name: String, values: Array) -> int;",
        "fn get params(outcome: Outcome) -> int;",
        "op +(Network, Network) -> Network;",
    ] {
        assert!(text.lines().any(|l| l == line), "no line {line}");
    }
    let module = here.read("defs/nas/darts.d.rhai");
    assert!(
        module.contains("fn network(genotype: ?, options: Map) -> ?;"),
        "{module}"
    );
    assert!(Path::new(&here.path("defs/__builtin__.d.rhai")).is_file());
}
