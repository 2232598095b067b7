//! Diagrams show every operation and every edge, of small and of large networks.

use crate::harness::Place;

/// What a script that ends in `print(net.diagram(…))` prints.
fn drawn(network: &str, format: &str) -> String {
    let place = Place::new();
    let script = format!("{network}\nprint(net.diagram(\"{format}\"));");
    place.write("draw.rhai", script);
    let ran = place.run(&["draw.rhai", "-q", "--out", "run"]);
    let text = ran.succeeded().trim_end();
    let (drawing, _) = text.split_once("kept in: run").unwrap();
    drawing.into()
}

const RESIDUAL: &str = r#"
    let x = input([3, 8, 8]).conv2d(16, [1, 3], #{ stride: 2 }).batch_norm().relu();
    let net = (x + x.conv2d(16, 3)).global_avg_pool().dense(10);
"#;

#[test]
fn a_flowchart_has_a_box_a_block_and_an_arrow_an_edge() {
    let text = drawn(RESIDUAL, "mermaid");
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    assert_eq!(lines[0], "flowchart TB");
    let arrows = lines.iter().filter(|line| line.contains("-->")).count();
    assert_eq!(arrows, 6, "{text}");
    let first = lines.iter().find(|line| line.contains("1×3")).unwrap();
    assert!(
        first.contains("batch_norm") && first.contains("relu") && first.contains("16×4×4"),
        "one box: {first}"
    );
}

#[test]
fn a_picture_has_every_label_inside_its_frame() {
    let text = drawn(RESIDUAL, "svg");
    assert!(text.starts_with("<svg") && text.trim_end().ends_with("</svg>"));
    for label in [
        "input",
        "conv2d 16, kernel 1×3",
        "batch_norm",
        "add",
        "dense 10",
    ] {
        assert!(text.contains(label), "{label}: {text}");
    }
    let opened = text.matches("<g").count() + text.matches("<text").count();
    let closed = text.matches("</g>").count() + text.matches("</text>").count();
    assert_eq!(opened, closed, "{text}");
}

#[test]
fn a_network_of_a_thousand_nodes_is_drawn() {
    let large = r#"
        import "nas/nasnet" as nasnet;
        let net = nasnet::network(nasnet::nasnet_a(), #{ repeats: 6, filters: 12 });
    "#;
    let text = drawn(large, "svg");
    let convolutions = text.matches("conv2d").count();
    assert!(convolutions > 300, "{convolutions} convolutions");
    assert_eq!(text, drawn(large, "svg"), "the same picture each time");
}
