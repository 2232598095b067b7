//! A network as a Mermaid flowchart, which GitHub, GitLab and many editors draw. Knows boxes only.

use std::fmt::Write;

use super::boxes::blocks;
use crate::network::Network;

/// The network as a Mermaid `flowchart`, from the input down to the output: a box has its operations
/// and the shape they give, and is named after the first of its nodes, as `print(net)` numbers them.
///
/// Mermaid itself refuses more than 500 arrows unless the page that shows it sets `maxEdges`; for larger
/// networks there is [`svg`](super::svg).
pub fn mermaid(network: &Network) -> String {
    let blocks = blocks(network);
    let mut text = String::from("flowchart TB\n");
    let name = |block: usize| format!("n{}", blocks[block].nodes[0]);
    for (index, block) in blocks.iter().enumerate() {
        let mut lines: Vec<_> = block.operations.iter().map(|line| escape(line)).collect();
        lines.push(escape(&block.facts()));
        // Writing to a string does not fail.
        let _ = writeln!(text, "    {}[\"{}\"]", name(index), lines.join("<br/>"));
    }
    for (index, block) in blocks.iter().enumerate() {
        for &input in &block.inputs {
            let _ = writeln!(text, "    {} --> {}", name(input), name(index));
        }
    }
    text
}

/// Text inside the quotes of a label: Mermaid has character codes between `#` and `;`.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' | '#' | '<' | '>' | '&' | '`' | '\\' => {
                let _ = write!(escaped, "#{};", u32::from(c));
            }
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn labels_cannot_leave_their_quotes() {
        assert_eq!(escape("conv2d 8, kernel 1×3"), "conv2d 8, kernel 1×3");
        assert_eq!(escape("a\"]; b"), "a#34;]; b");
        assert_eq!(escape("<i>#1;"), "#60;i#62;#35;1;");
    }
}
