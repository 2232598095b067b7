//! The recipes' search spaces and networks against what is published of them.

use std::collections::BTreeMap;

use crate::harness::{Place, repository, shared_data};

/// Runs a script of the repository.
fn run_script(name: &str, args: &[&str]) -> String {
    let script = repository(name);
    let data = shared_data();
    let (script, data) = (script.to_str().unwrap(), data.to_str().unwrap());
    let place = Place::new();
    let common = [script, "-q", "--data-dir", data];
    place.run(&[&common[..], args].concat()).succeeded().into()
}

#[test]
fn published_networks_have_their_published_size() {
    let printed = run_script("scripts/published.rhai", &[]);
    let percents: Vec<f64> = printed
        .split(['(', ')'])
        .filter_map(|part| part.strip_suffix(" %")?.parse().ok())
        .collect();
    assert_eq!(percents.len(), 8, "{printed}");
    assert!(
        percents.iter().all(|percent| percent.abs() < 3.0),
        "{printed}"
    );
    // Counts of the authors' own programs, to the last digit: Keras's NASNetMobile, torchvision's
    // mobilenet_v2 and resnet18.
    for (name, params) in [
        ("4 @ 1056", 5_289_978),
        ("MobileNetV2", 3_504_872),
        ("ResNet-18", 11_689_512),
    ] {
        let mut lines = printed.lines();
        let line = lines.find(|line| line.contains(name)).unwrap();
        assert!(line.contains(&format!(": {params} parameters")), "{line}");
    }
}

#[test]
fn every_row_of_nas_bench_macro_has_its_parameters_and_multiplications() {
    let script = r#"
        import "nas/mobile" as mobile;
        let digit = #{ identity: "0", k3_e3: "1", k5_e6: "2" };
        for actions in mobile::benchmark_space().enumerate(8) {
            let net = mobile::benchmark_network(actions, #{});
            let arch = "";
            for block in actions.values { arch += digit[block]; }
            print(arch + "," + net.params + "," + net.macs);
        }
    "#;
    let place = Place::new();
    place.write("count.rhai", script);
    let ran = place.run(&["count.rhai", "-q"]);
    let counted: BTreeMap<&str, &str> = ran
        .succeeded()
        .lines()
        .filter_map(|line| line.split_once(','))
        .collect();
    let table = std::fs::read_to_string(shared_data().join("nas-bench-macro.csv")).unwrap();
    let mut rows = 0;
    for row in table.lines().skip(1) {
        let fields: Vec<&str> = row.split(',').collect();
        // All trainable parameters; multiplications of convolutions and of the classifier's weights.
        let published = format!("{},{}", fields[4], fields[5]);
        assert_eq!(
            counted.get(fields[0]),
            Some(&published.as_str()),
            "row {}",
            fields[0]
        );
        rows += 1;
    }
    assert_eq!((rows, counted.len()), (6561, 6561));
}

#[test]
fn an_enas_network_has_the_size_that_the_authors_code_gives_it() {
    // Each of 12 layers the next operation, and every skip there is. The authors' classifier has no
    // bias: 134,100 parameters.
    let script = r#"
        import "nas/enas_macro" as enas;
        let ops = ["conv_3x3", "sep_conv_3x3", "conv_5x5", "sep_conv_5x5", "avg_pool_3x3", "max_pool_3x3"];
        let values = [];
        for layer in 0..12 {
            values.push(ops[layer % 6]);
            let all = [];
            for earlier in 0..layer { all.push(earlier); }
            values.push(all);
        }
        let net = enas::network(enas::space().actions(values), #{});
        print("counted: " + net.params + ", " + net.macs);
    "#;
    let place = Place::new();
    place.write("count.rhai", script);
    let ran = place.run(&["count.rhai", "-q"]);
    ran.succeeded();
    assert_eq!(ran.line("counted:"), "134110, 65012328");
}

#[test]
fn the_searches_of_anchors_and_cells_run_on_real_images() {
    let small = [
        "-p",
        "trials=2",
        "-p",
        "epochs=1",
        "-p",
        "train=120",
        "-p",
        "validation=60",
    ];
    let anchors = ["-p", "layers=3", "-p", "width=0.2"];
    let printed = run_script(
        "scripts/anchors_cifar.rhai",
        &[&small[..], &anchors].concat(),
    );
    assert!(
        printed.contains("skip") && printed.contains("best of 2 trials"),
        "{printed}"
    );
    let cells = ["-p", "blocks=2", "-p", "filters=4", "-p", "large_repeats=1"];
    let printed = run_script("scripts/nasnet_cifar.rhai", &[&small[..], &cells].concat());
    assert!(printed.contains("the best reduction cell:"), "{printed}");
    assert!(printed.contains("best of 2 trials"), "{printed}");
}
