//! A network as a self-contained SVG picture. Knows boxes and where they go.

use std::fmt::Write;

use super::boxes::{Block, blocks};
use super::layout::{Item, Line, layout};
use crate::error::Result;
use crate::network::summary::grouped;
use crate::network::{Network, Op};

/// The width of a character of the monospaced font at its size.
const CHARACTER: f64 = 7.25;
const LINE: f64 = 16.0;
/// What is free inside a box, left and right, above and below.
const INSIDE: (f64, f64) = (10.0, 7.0);
/// What is free around the drawing.
const MARGIN: f64 = 16.0;

/// Colours that keep a contrast of at least 4.5 : 1 to the text, on white and on black.
const STYLE: &str = "\
.paper{fill:#fff}.line{fill:none;stroke:#57606a;stroke-width:1.2}.head{fill:#57606a}
.box{stroke-width:1}text{font:12px ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace;\
text-anchor:middle;fill:#1f2328}.facts{font-size:11px;fill:#424a53}
.ends{fill:#f0f2f4;stroke:#57606a}.conv{fill:#ddf1ff;stroke:#0969da}.dense{fill:#f1e5ff;stroke:#8250df}
.pool{fill:#dcf7e3;stroke:#1a7f37}.join{fill:#fff1d6;stroke:#9a6700}.other{fill:#f6f8fa;stroke:#6e7781}
@media (prefers-color-scheme:dark){.paper{fill:#0d1117}.line{stroke:#9198a1}.head{fill:#9198a1}
text{fill:#f0f6fc}.facts{fill:#c9d1d9}.ends{fill:#21262d;stroke:#9198a1}.conv{fill:#0c2d4f;stroke:#58a6ff}
.dense{fill:#2f1d4f;stroke:#bc8cff}.pool{fill:#0f3320;stroke:#3fb950}.join{fill:#3b2a05;stroke:#d29922}
.other{fill:#161b22;stroke:#7d8590}}
";

/// The network as an SVG picture, from the input at the top down to the output: a box has its
/// operations with their attributes, the shape they give and their parameters. It needs no other file
/// and follows the reader's light or dark setting.
///
/// # Errors
/// [`Error::Invalid`](crate::Error::Invalid) for a network too large to be drawn: more than 200,000
/// boxes and bends of lines.
pub fn svg(network: &Network) -> Result<String> {
    let blocks = blocks(network);
    let items: Vec<Item> = blocks.iter().map(item).collect();
    let drawing = layout(&items)?;
    let (width, height) = (drawing.width + 2.0 * MARGIN, drawing.height + 2.0 * MARGIN);
    let about = format!(
        "Network {}: {} parameters, {} multiply-accumulates",
        network.digest().short(),
        grouped(network.params()),
        grouped(network.macs())
    );
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
         viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\">\n<title>{about}</title>\n\
         <style>\n{STYLE}</style>\n<defs><marker id=\"head\" viewBox=\"0 0 8 8\" refX=\"7.5\" refY=\"4\" \
         markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\"><path class=\"head\" d=\"M0 0L8 4L0 8z\"/>\
         </marker></defs>\n<rect class=\"paper\" width=\"100%\" height=\"100%\"/>\n\
         <g transform=\"translate({MARGIN} {MARGIN})\">\n"
    );
    for line in &drawing.lines {
        write_line(&mut text, line);
    }
    let last = blocks.len().saturating_sub(1);
    for (index, (block, item)) in blocks.iter().zip(&items).enumerate() {
        let class = match (index == last, &network.nodes()[block.nodes[0]].op) {
            (true, _) => "ends",
            (false, op) => class(op),
        };
        write_box(&mut text, block, item, drawing.corners[index], class);
    }
    text.push_str("</g>\n</svg>\n");
    Ok(text)
}

fn item(block: &Block) -> Item {
    let longest = block.operations.iter().map(|line| line.chars().count());
    let facts = block.facts().chars().count();
    let characters = longest.max().unwrap_or(0).max(facts);
    Item {
        width: characters as f64 * CHARACTER + 2.0 * INSIDE.0,
        height: (block.operations.len() + 1) as f64 * LINE + 2.0 * INSIDE.1,
        inputs: block.inputs.clone(),
    }
}

/// The style of a box by its first operation.
fn class(op: &Op) -> &'static str {
    match op {
        Op::Input { .. } => "ends",
        Op::Conv2d(_) | Op::ConvTranspose2d(_) => "conv",
        Op::Dense(_) => "dense",
        Op::MaxPool2d(_) | Op::AvgPool2d(_) | Op::GlobalAvgPool => "pool",
        Op::Add | Op::Multiply | Op::Concat => "join",
        _ => "other",
    }
}

fn write_line(text: &mut String, line: &Line) {
    let ((x, y), bend, (to, end)) = (line.from, line.bend, line.to);
    let middle = f64::midpoint(bend, end);
    // Writing to a string does not fail.
    let _ = write!(text, "<path class=\"line\" d=\"M{x:.1} {y:.1}");
    if bend > y {
        let _ = write!(text, "V{bend:.1}");
    }
    let _ = write!(
        text,
        "C{x:.1} {middle:.1} {to:.1} {middle:.1} {to:.1} {end:.1}"
    );
    let _ = match line.through {
        Some(through) => writeln!(text, "V{through:.1}\"/>"),
        None => writeln!(text, "\" marker-end=\"url(#head)\"/>"),
    };
}

fn write_box(text: &mut String, block: &Block, item: &Item, (x, y): (f64, f64), class: &str) {
    let Item { width, height, .. } = *item;
    let _ = write!(
        text,
        "<g><title>node {}</title><rect class=\"box {class}\" x=\"{x:.1}\" y=\"{y:.1}\" \
         width=\"{width:.1}\" height=\"{height:.1}\" rx=\"5\"/>",
        nodes(block)
    );
    let middle = x + width / 2.0;
    // The baseline is a little above the bottom of a line.
    let mut baseline = y + INSIDE.1 + LINE - 4.0;
    for line in &block.operations {
        let line = escape(line);
        let _ = write!(
            text,
            "<text x=\"{middle:.1}\" y=\"{baseline:.1}\">{line}</text>"
        );
        baseline += LINE;
    }
    let facts = escape(&block.facts());
    let _ = writeln!(
        text,
        "<text class=\"facts\" x=\"{middle:.1}\" y=\"{baseline:.1}\">{facts}</text></g>"
    );
}

/// The numbers of a box's nodes, as `print(net)` has them.
fn nodes(block: &Block) -> String {
    let numbers: Vec<_> = block.nodes.iter().map(usize::to_string).collect();
    numbers.join(", ")
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
