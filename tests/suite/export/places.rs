//! Where a script's exports go, and where they may not.

use std::fs;

use crate::harness::Place;

/// What is said of an export to `path`.
fn refusal(place: &Place, path: &str) -> String {
    let script = format!("input([1, 8, 8]).flatten().dense(10).export({path:?});");
    place.write("export.rhai", script);
    let ran = place.run(&["export.rhai", "-q"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let line = ran.stderr.lines().find(|line| line.starts_with("error: "));
    line.unwrap().into()
}

#[test]
fn a_run_keeps_its_exports_in_a_folder_of_their_own() {
    let place = Place::new();
    let script = r#"
        let net = input([1, 8, 8]).conv2d(4, 3).relu().flatten().dense(10);
        for path in ["model.onnx", "deep/model.safetensors", "net.json", "net.svg", "net.mmd", "crate"] {
            print(net.export(path));
        }
        net.export("model.onnx");
    "#;
    place.write("export.rhai", script);
    let ran = place.run(&["export.rhai", "-q", "--out", "run"]);
    let printed = ran.succeeded();
    assert!(printed.starts_with("run/exports/model.onnx\n"), "{printed}");
    for file in [
        "model.onnx",
        "deep/model.safetensors",
        "deep/model.json",
        "net.json",
        "net.svg",
        "net.mmd",
        "crate/Cargo.toml",
        "crate/src/model.rs",
    ] {
        let path = place.path(&format!("run/exports/{file}"));
        assert!(fs::metadata(&path).is_ok_and(|m| m.len() > 0), "{file}");
    }
    assert!(
        ran.stderr.contains("model.onnx has untrained weights"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_script_writes_nowhere_else() {
    let place = Place::new();
    let outside = "a path inside the folder of exports";
    for path in [
        "../x.onnx",
        "/tmp/x.onnx",
        "a/../../x.onnx",
        ".hidden.onnx",
        "",
    ] {
        let said = refusal(&place, path);
        assert!(said.contains(outside), "{path}: {said}");
    }
    assert!(refusal(&place, "model.pt").contains("a file that ends in .onnx, .safetensors"));
    assert!(!place.path("x.onnx").exists());
}

#[cfg(unix)]
#[test]
fn a_link_is_not_followed() {
    let place = Place::new();
    let target = place.write("precious.json", "mine");
    let script = r#"
        let net = input([1, 8, 8]).flatten().dense(10);
        net.export("first.json");
        net.export("link.json");
    "#;
    place.write("export.rhai", script);
    fs::create_dir_all(place.path("run")).unwrap();
    // A REPL writes beside its working folder, where links may be.
    std::os::unix::fs::symlink(&target, place.path("link.json")).unwrap();
    let ran = place.run_text(script);
    assert!(ran.stderr.contains("which is a link"), "{ran:?}");
    assert_eq!(fs::read_to_string(target).unwrap(), "mine");
}

#[test]
fn without_a_run_nothing_is_overwritten() {
    let place = Place::new();
    place.write("net.json", "mine");
    let ran = place.run_text(
        "let net = input([1, 8, 8]).flatten().dense(10);\n\
         net.export(\"new.json\");\nnet.export(\"new.json\");\nnet.export(\"net.json\");\n",
    );
    assert!(ran.stderr.contains("which is there already"), "{ran:?}");
    assert_eq!(place.read("net.json"), "mine");
    assert!(place.read("new.json").contains("\"dense\""));
}

#[test]
fn the_best_network_leaves_a_script_with_its_trained_weights() {
    let script = r#"
        let manager = NetworkManager(dataset("digits", #{ train: 200 }), #{ epochs: 1 });
        let best = input([1, 8, 8]).conv2d(8, 3).relu().flatten().dense(10);
        let other = input([1, 8, 8]).global_avg_pool().dense(10);
        manager.evaluate([other, best]);
        best.export("best.safetensors");
        manager.export(other, "other.safetensors");
        other.export("untrained.safetensors");
    "#;
    let kept = Place::new();
    kept.write("search.rhai", script);
    let ran = kept.run(&["search.rhai", "-q", "--out", "run"]);
    ran.succeeded();
    let file = |name: &str| fs::read(kept.path(&format!("run/{name}.safetensors"))).unwrap();
    assert!(file("exports/best") == file("best"));
    assert!(file("exports/other") != file("exports/untrained"));
    // A session without a run's folder has the same weights at hand.
    let typed = Place::new();
    let session = typed.run_text(script);
    for name in ["best", "other", "untrained"] {
        let here = fs::read(typed.path(&format!("{name}.safetensors"))).unwrap();
        assert!(here == file(&format!("exports/{name}")), "{name}");
    }
    for said in [ran.stderr, session.stderr] {
        assert_eq!(said.matches("untrained weights").count(), 1, "{said}");
        assert!(
            said.contains("warning: untrained.safetensors has"),
            "{said}"
        );
    }
}
