//! A policy as a table: each decision with the probability of each value. Knows controllers, not where they are kept.

use crate::controller::Controller;
use crate::error::Result;
use crate::report::plot::{Signs, sparkline};
use crate::report::table::{Table, cut};

/// How many values of a decision are listed, the most probable first.
const VALUES: usize = 6;
/// How many decisions are listed.
const DECISIONS: usize = 60;

/// A controller: how far it is, and what it would decide, along its most probable path.
pub(in crate::repl) fn policy(controller: &Controller, signs: Signs) -> Result<String> {
    let (layers, step) = (controller.layers(), controller.step());
    let mut text = format!("Controller for {layers} layers after {step} updates");
    if let Some(baseline) = controller.baseline() {
        text += &format!(", baseline {baseline:.4}");
    }
    let mut table = Table::new(["decision", "", "probabilities"]);
    let probabilities = controller.probabilities(None)?;
    let decisions = controller.space().decisions(layers).zip(&probabilities);
    for (decision, p) in decisions.take(DECISIONS) {
        let mut ranked: Vec<(usize, f64)> = p.iter().copied().enumerate().collect();
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
        let listed = ranked.iter().take(VALUES);
        let listed = listed.map(|(index, p)| format!("{}: {p:.3}", decision.value(*index)));
        let mut listed: Vec<String> = listed.collect();
        if ranked.len() > VALUES {
            listed.push("…".into());
        }
        let bars = sparkline(p, 16, signs);
        table.row([decision.label(), bars, cut(&listed.join("  "), 90)]);
    }
    if probabilities.len() > DECISIONS {
        let more = format!("… {} more", probabilities.len() - DECISIONS);
        table.row([more, String::new(), String::new()]);
    }
    Ok(format!("{text}\n{}", table.to_string().trim_end()))
}
