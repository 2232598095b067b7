//! Which decision matters, as bars.

use maud::html;

use super::drawing::{Drawing, Tip};
use super::frame::{clipped, one};
use crate::report::view::{Importance, View};

const MOST: usize = 20;
const ROW: f64 = 24.0;
const LEFT: f64 = 190.0;
const WIDTH: f64 = 440.0;

/// The share of each decision in the variance of the score, the largest first; `found` is `None` until it is computed.
pub fn importances(view: &View, found: Option<&[Importance]>) -> Drawing {
    let title = "Importance of the decisions";
    let Some(found) = found else {
        return Drawing::empty(title, "Is being computed.");
    };
    if found.is_empty() {
        let why = "Needs 16 trials with scores that differ, and decisions that do.";
        return Drawing::empty(title, why);
    }
    let rows: Vec<(String, &Importance)> = found
        .iter()
        .take(MOST)
        .filter_map(|importance| Some((view.axes.get(importance.axis)?.name.clone(), importance)))
        .collect();
    let most = rows
        .iter()
        .map(|(_, i)| i.share + i.deviation)
        .fold(0.05, f64::max);
    let across = |share: f64| LEFT + share.max(0.0) / most * WIDTH;
    let height = rows.len() as f64 * ROW + 44.0;
    let tips = rows
        .iter()
        .enumerate()
        .map(|(index, (name, importance))| Tip {
            at: (across(importance.share), 12.0 + index as f64 * ROW + 8.0),
            text: format!(
                "{name}: {:.1} % ± {:.1} % of the variance of the score",
                importance.share * 100.0,
                importance.deviation * 100.0
            ),
            trial: None,
        });
    let rest = found.len().saturating_sub(MOST);
    let body = html! {
        @for (index, (name, importance)) in rows.iter().enumerate() {
            @let y = 12.0 + index as f64 * ROW;
            @let (low, high) = (across(importance.share - importance.deviation), across(importance.share + importance.deviation));
            text.name x=(LEFT - 8.0) y=(y + 12.5) text-anchor="end" { (clipped(name, 26)) }
            rect.bar x=(LEFT) y=(y) width=(one(across(importance.share) - LEFT)) height="16" {}
            path.whisker d=(format!("M{} {}H{}", one(low), y + 8.0, one(high))) {}
            text x=(one(high + 8.0)) y=(y + 12.5) { (format!("{:.1} %", importance.share * 100.0)) }
        }
        path.axis d=(format!("M{LEFT} 6V{}", height - 30.0)) {}
        text.name x=(LEFT + WIDTH / 2.0) y=(height - 8.0) text-anchor="middle" {
            "share of the variance of the score in % (± deviation over trees)"
        }
    };
    Drawing {
        about: rows.iter().take(3).map(|(name, i)| format!("{name} {:.0} %", i.share * 100.0)).collect::<Vec<_>>().join(", ") + ".",
        title: title.into(),
        note: Some(match rest {
            0 => "Main effects by functional analysis of variance over a random forest (Hutter et al. 2014); what is missing to 100 % are interactions and noise.".into(),
            _ => format!("The first {MOST}; {rest} more matter less. Main effects by functional analysis of variance (Hutter et al. 2014)."),
        }),
        size: (720.0, height),
        body,
        tips: tips.collect(),
    }
}
