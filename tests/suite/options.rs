//! The options of calls: those that are accepted are those that are documented, each with the default that it has.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use nas_script::controller::{ControllerConfig, PoolConfig};
use nas_script::data::{DataOptions, SyntheticOptions};
use nas_script::evaluation::TrainingConfig;
use nas_script::manager::{ManagerConfig, TableOptions};
use nas_script::script::{Entry, Kind, Overload, Reference};
use serde::Serialize;
use serde_json::Value;

use crate::harness::{Place, repository};

fn reference() -> &'static Reference {
    Reference::get()
}

/// The options that a documentation lists, ``- `name` (default): …``, with their defaults.
fn listed(doc: &str) -> BTreeMap<String, Option<String>> {
    let option = |line: &str| {
        let (name, rest) = line.strip_prefix("- `")?.split_once('`')?;
        let default = rest.strip_prefix(" (").map(|rest| inside(rest, '(', ')'));
        let word = name.chars().all(|c| c.is_alphanumeric() || c == '_');
        word.then(|| (name.to_string(), default))
    };
    doc.lines().filter_map(option).collect()
}

/// `text` up to the `close` of an `open` that stands before it.
fn inside(text: &str, open: char, close: char) -> String {
    let mut depth = 1;
    let end = text.chars().position(|c| {
        depth += i32::from(c == open) - i32::from(c == close);
        depth == 0
    });
    text.chars().take(end.unwrap()).collect()
}

/// The functions whose options a documentation refers to: "those of `Controller`".
fn referred<'a>(reference: &'a Reference, doc: &str) -> Vec<&'a Entry> {
    let joined = doc.split_whitespace().collect::<Vec<_>>().join(" ");
    let after = ["those of `", "the options of `"].map(|words| joined.split(words).skip(1));
    let names = after
        .into_iter()
        .flatten()
        .filter_map(|rest| rest.split('`').next());
    names.flat_map(|name| reference.find(name)).collect()
}

#[test]
fn all_that_is_accepted_is_documented_and_nothing_else() {
    let reference = reference();
    let mut wrong = Vec::new();
    let mut seen = 0;
    for entry in reference.all().filter(|entry| !entry.builtin) {
        let name = entry.qualified();
        let takes = entry
            .overloads
            .iter()
            .any(|overload| overload.options().is_some());
        // Its callback returns them.
        let answered = entry.name == "on_failure";
        let merges = entry.name == "with_defaults";
        // It reads some of another function's.
        let named = |overload: &Overload| overload.params.iter().any(|(name, _)| name == "options");
        let takes = takes || (entry.overloads.iter().any(named) && name != "nas/reinforce::learn");
        if takes == entry.options.is_empty() && !answered && !merges {
            wrong.push(format!(
                "{name}: an option map, but options {:?}",
                entry.options
            ));
        }
        if entry.options.is_empty() {
            continue;
        }
        seen += 1;
        let own = listed(&entry.doc);
        let others = referred(reference, &entry.doc);
        let others = others
            .iter()
            .flat_map(|other| listed(&other.doc).into_keys());
        let documented: BTreeSet<String> = own.keys().cloned().chain(others).collect();
        let mentioned = |option: &str| answered && entry.doc.contains(&format!("{option}: "));
        for option in &entry.options {
            if !documented.contains(option) && !mentioned(option) {
                wrong.push(format!("{name}: {option} is not documented"));
            }
        }
        for option in own.keys().filter(|option| !entry.options.contains(*option)) {
            wrong.push(format!("{name}: {option} is documented, but not accepted"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(seen >= 40, "only {seen} functions with options");
}

/// The defaults of a configuration by the names of its options.
fn defaults<T: Default + Serialize>() -> serde_json::Map<String, Value> {
    match serde_json::to_value(T::default()) {
        Ok(Value::Object(fields)) => fields,
        other => panic!("no object: {other:?}"),
    }
}

#[test]
fn documented_defaults_of_the_host_are_those_that_it_has() {
    let reference = reference();
    let tables = [
        ("Controller", defaults::<ControllerConfig>()),
        ("ControllerPool", defaults::<PoolConfig>()),
        ("NetworkManager", defaults::<TrainingConfig>()),
        ("NetworkManager", defaults::<ManagerConfig>()),
        ("BenchmarkTable", defaults::<TableOptions>()),
        ("dataset", defaults::<DataOptions>()),
        ("synthetic", defaults::<SyntheticOptions>()),
    ];
    let (mut wrong, mut compared) = (Vec::new(), 0);
    for (call, defaults) in tables {
        let entry = reference
            .find(call)
            .into_iter()
            .find(|e| e.kind == Kind::Function)
            .unwrap();
        let documented = listed(&entry.doc);
        for (option, default) in defaults {
            assert!(
                entry.options.contains(&option),
                "{call} does not take {option}"
            );
            // What depends on another option, on the data or the store is said in words.
            let Some(Some(text)) = documented.get(&option) else {
                continue;
            };
            if default.is_null() || option == "reward" {
                continue;
            }
            compared += 1;
            let said: Option<Value> = serde_json::from_str(text).ok();
            let number = |value: &Value| value.as_f64();
            let same = said.as_ref().is_some_and(|said| {
                *said == default || (number(said).is_some() && number(said) == number(&default))
            });
            if !same {
                wrong.push(format!(
                    "{call}: {option} is {default}, documented as {text}"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(compared >= 45, "only {compared} defaults");
}

/// The parts of `text` between commas that stand in no brackets.
fn parts(text: &str) -> Vec<String> {
    let (mut parts, mut depth) = (vec![String::new()], 0);
    for c in text.chars() {
        depth += i32::from("([{".contains(c)) - i32::from(")]}".contains(c));
        match (c, depth) {
            (',', 0) => parts.push(String::new()),
            _ => parts.last_mut().unwrap().push(c),
        }
    }
    parts.retain(|part| !part.trim().is_empty());
    parts
}

#[test]
fn documented_defaults_of_the_library_are_those_that_it_has() {
    let reference = reference();
    let (mut wrong, mut compared) = (Vec::new(), 0);
    for entry in reference.all() {
        let Some(module) = entry.module.as_ref().filter(|_| !entry.options.is_empty()) else {
            continue;
        };
        let source = fs::read_to_string(repository(&format!("stdlib/{module}.rhai"))).unwrap();
        let (_, body) = source.split_once(&format!("\nfn {}(", entry.name)).unwrap();
        let body = body.split_once("\n}\n").map_or(body, |(body, _)| body);
        let Some((_, given)) = body.split_once("with_defaults(options, ") else {
            continue;
        };
        // Defaults that several functions share stand in one of their own.
        let written = match given.strip_prefix("#{") {
            Some(map) => inside(map, '{', '}'),
            None if given.starts_with("defaults())") => {
                let (_, shared) = source.split_once("fn defaults() {\n    #{").unwrap();
                inside(shared, '{', '}')
            }
            None => continue,
        };
        let documented = listed(&entry.doc);
        for part in parts(&written) {
            let (option, default) = part.split_once(':').unwrap();
            let (option, default) = (option.trim(), default.trim());
            let said = documented[option].as_deref();
            let expected = match default {
                "()" => None,
                "manager.epochs" => Some("the manager's"),
                default => Some(default),
            };
            compared += 1;
            if said != expected {
                wrong.push(format!(
                    "{module}::{}: {option} is {default}, documented as {said:?}",
                    entry.name
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(compared >= 80, "only {compared} defaults");
}

#[test]
fn the_reference_knows_the_options_of_a_call() {
    let reference = reference();
    assert_eq!(
        reference.options_of("conv2d"),
        ["bias", "dilation", "groups", "padding", "stride"]
    );
    assert!(
        reference
            .options_of("Controller")
            .contains(&"entropy_weight")
    );
    assert!(
        reference
            .options_of("NetworkManager.get_rewards")
            .contains(&"epochs")
    );
    // A recipe's are those that it gives `with_defaults`, also by a function, and those that it hands on.
    assert_eq!(
        reference.options_of("nas/random::search"),
        ["batch", "layers", "trials"]
    );
    assert_eq!(
        reference.options_of("ppo::search"),
        reference.options_of("reinforce::search")
    );
    assert!(
        reference
            .options_of("mobile::benchmark_network")
            .contains(&"drop_path")
    );
    // Where the option map stands, and where there is none.
    let place = |name: &str| {
        let found = reference.find(name);
        let overloads = found[0].overloads.iter();
        overloads
            .map(nas_script::script::Overload::options)
            .collect::<Vec<_>>()
    };
    assert_eq!(place("conv2d"), [None, Some(3)]);
    assert_eq!(place("nas/grid::search"), [Some(3)]);
    assert_eq!(place("darts::genotype"), [None]);
    assert!(reference.options_of("relu").is_empty());
}

#[test]
fn an_unknown_option_is_refused_with_the_nearest() {
    let slips = [
        (
            "input([3, 8, 8]).conv2d(8, 3, #{ strides: 2 })",
            "'strides'; did you mean 'stride'?",
        ),
        (
            "NetworkManager(dataset(\"digits\"), #{ epoch: 1 })",
            "'epoch'; did you mean 'epochs'?",
        ),
        (
            "Controller(1, StateSpace(), #{ entropy_wieght: 0 })",
            "'entropy_wieght'; did you mean 'entropy_weight'?",
        ),
        (
            "dataset(\"digits\", #{ split_sed: 1 })",
            "'split_sed'; did you mean 'split_seed'?",
        ),
    ];
    let here = Place::new();
    for (script, said) in slips {
        let ran = here.run_text(script);
        assert_eq!(ran.code, Some(1), "{}", ran.stderr);
        assert!(ran.stderr.contains(said), "{}", ran.stderr);
    }
}
