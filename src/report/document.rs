//! The report of a study: one file that says what was searched, how, with what, and what came of it. Makes texts; knows
//! no files.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use maud::{Markup, html};

use super::figures::{self, Drawing};
use super::page::{self, Context, sections};
use super::summary::Summary;
use super::view::{Control, Importance, Select, View};
use super::words::{duration, grouped, when};
use crate::network::diagram;
use crate::study::{Tested, Trial};

/// What a report is made of.
pub struct Report<'a> {
    /// The study.
    pub view: &'a View,
    /// What it and its repeats came to.
    pub summary: &'a Summary,
    /// What to compare with.
    pub control: Option<&'a Control>,
    /// Which decision matters.
    pub importance: &'a [Importance],
    /// The best trial.
    pub best: Option<&'a Trial>,
    /// The score of its network on the test images.
    pub tested: Option<&'a Tested>,
}

/// Where a study comes from: names with what they are.
pub fn origin(view: &View) -> Vec<(&'static str, String)> {
    let about = &view.kept.about;
    let mut facts = vec![
        ("study", about.name.clone()),
        ("script", about.script.clone()),
        ("seed", about.seed.0.to_string()),
    ];
    let params = about.params.iter();
    facts.extend(params.map(|(name, value)| ("parameter", format!("{name} = {value}"))));
    if let Some((parent, trials)) = &about.parent {
        facts.push(("fork of", format!("{parent}, at trial {trials}")));
    }
    if let Some(data) = &view.data {
        facts.push(("data", format!("{}, {}", data.name, data.split)));
    }
    facts.push(("started", when(view.kept.created)));
    facts
}

impl Report<'_> {
    fn title(&self) -> String {
        format!("Search report: {}", figures::clipped(self.view.name(), 80))
    }

    /// How the study can be made again: names with what they are.
    fn facts(&self) -> Vec<(&'static str, String)> {
        let about = &self.view.kept.about;
        let mut facts = origin(self.view);
        let last = self.view.kept.last_trial().map(when);
        facts.extend(last.map(|last| ("last trial", last)));
        facts.push(("training, all trials", duration(self.view.seconds())));
        if let Some(data) = &self.view.data {
            facts.push(("SHA-256 of the data", data.content.clone()));
        }
        if let Some(environment) = &about.environment {
            facts.push(("nas-script", environment.version.clone()));
            facts.push(("system", environment.system.clone()));
            facts.push((
                "processor",
                format!("{}, {} cores", environment.processor, environment.cores),
            ));
            facts.push(("device", environment.device.clone()));
        }
        facts.push((
            "version of the training arithmetic",
            about.kernel_version.to_string(),
        ));
        facts
    }

    /// All pictures, each with a short name.
    pub fn drawings(&self) -> Vec<(String, Drawing)> {
        let (view, select) = (self.view, Select::default());
        let drawings = [
            ("best", figures::best(view, &select, self.control)),
            ("trade-off", figures::trade_off(view, &select)),
            (
                "decisions",
                figures::parallel(view, &select, self.importance, None),
            ),
            (
                "importance",
                figures::importances(view, Some(self.importance)),
            ),
            ("learning", figures::learning(view, &select)),
        ];
        let named = |(name, drawing): (&str, Drawing)| (name.to_string(), drawing);
        let mut drawings: Vec<_> = drawings.into_iter().map(named).collect();
        let taught = view.taught();
        for (number, teaching) in &taught {
            // The first has the plain names, so that the pictures of one controller do.
            let name = |name: &str| match number {
                0 => name.to_string(),
                _ => format!("{name}-{}", number + 1),
            };
            let drawing = |drawing: Drawing| drawing.numbered(*number, taught.len() > 1);
            drawings.push((name("policy"), drawing(figures::policy(teaching))));
            let names = ["entropy", "loss", "learning-rate"].map(name);
            let updates = figures::updates(teaching).map(drawing);
            drawings.extend(names.into_iter().zip(updates));
        }
        if let Some(tested) = self.tested.filter(|tested| !tested.confusion.is_empty()) {
            drawings.push(("confusion".into(), figures::confusion(tested)));
        }
        drawings
    }

    /// The report as one HTML file that needs no other.
    pub fn html(&self) -> String {
        let context = Context {
            view: self.view,
            select: &Select::default(),
            importance: Some(self.importance),
            control: self.control,
            others: None,
        };
        let main = html! {
            main id="main" {
                @for (index, section) in sections(&context).iter().enumerate() {
                    (section.markup())
                    @if index == 0 { (self.fair()) }
                }
                @if let Some(tested) = self.tested.filter(|tested| !tested.confusion.is_empty()) {
                    @let drawing = figures::confusion(tested);
                    section { h2 { (drawing.title) } (drawing.inline()) }
                }
                (self.winner())
                section.wide { h2 { "How to make it again" }
                    dl.facts { @for (name, value) in self.facts() { dt { (name) } dd { (value) } } }
                    h3 { "The recipe" }
                    @if self.view.kept.about.source.is_empty() { p.quiet { "Its text was not recorded by the version that started it." } }
                    @else { pre tabindex="0" { (self.view.kept.about.source) } }
                }
                footer.quiet { "Made by nas-script " (env!("CARGO_PKG_VERSION")) "." }
            }
        };
        page::file(&self.title(), &main)
    }

    /// The summary, and the repeats in a table.
    fn fair(&self) -> Markup {
        let number = |value: Option<f64>| value.map_or("–".to_string(), |v| format!("{v:.4}"));
        html! {
            section.wide id="summary" { h2 { "Summary" }
                @for sentence in self.summary.sentences() { p { (sentence) } }
                @if self.summary.repeats.len() > 1 {
                    div.scroll { table {
                        thead { tr { th { "run" } th.n { "seed" } th.n { "trials" } th.n { "best score after " (self.summary.budget) } th.n { "test accuracy" } th.n { "training" } } }
                        tbody { @for repeat in &self.summary.repeats { tr {
                            td { span.clip { (repeat.name) } } td.n { (repeat.seed) } td.n { (repeat.trials) }
                            td.n { (number(repeat.best)) } td.n { (number(repeat.test)) } td.n { (duration(repeat.seconds)) }
                        } } }
                    } }
                }
            }
        }
    }

    /// The best network.
    fn winner(&self) -> Markup {
        let Some((best, asked)) = self
            .best
            .and_then(|best| Some((best, best.evaluation.as_ref()?)))
        else {
            return html! {};
        };
        let picture = diagram::svg(&asked.network).ok();
        let picture =
            picture.map(|svg| format!("data:image/svg+xml;base64,{}", BASE64_STANDARD.encode(svg)));
        html! {
            section { h2 { "The winner: trial " (best.number) }
                p { (grouped(best.outcome.params)) " parameters, " (grouped(best.outcome.macs)) " multiply-accumulates of an image" }
                @if let Some(picture) = picture {
                    div.network-frame tabindex="0" role="group" aria-label="graph of the network" {
                        img.network src=(picture) alt=(format!("graph of the network of trial {}, {} nodes", best.number, asked.network.nodes().len()));
                    }
                }
                details { summary { "as a table" } pre tabindex="0" { (asked.network) } }
            }
        }
    }

    /// The report as Markdown; `picture` says where the picture of a name is, if there is one.
    pub fn markdown(&self, picture: impl Fn(&str) -> Option<String>) -> String {
        let mut text = format!("# {}\n\n", escaped(&self.title()));
        for sentence in self.summary.sentences() {
            text += &format!("{}\n\n", escaped(&sentence));
        }
        if self.summary.repeats.len() > 1 {
            let head = format!(
                "| run | seed | trials | best score after {} | test accuracy |",
                self.summary.budget
            );
            text += &format!("{head}\n| --- | ---: | ---: | ---: | ---: |\n");
            for repeat in &self.summary.repeats {
                let number =
                    |value: Option<f64>| value.map_or("–".to_string(), |v| format!("{v:.4}"));
                let (name, seed, trials) = (escaped(&repeat.name), repeat.seed, repeat.trials);
                text += &format!(
                    "| {name} | {seed} | {trials} | {} | {} |\n",
                    number(repeat.best),
                    number(repeat.test)
                );
            }
            text.push('\n');
        }
        for (name, drawing) in self.drawings() {
            text += &format!(
                "## {}\n\n{}\n\n",
                escaped(&drawing.title),
                escaped(&drawing.about)
            );
            if let Some(path) = picture(&name) {
                text += &format!("![{}]({path})\n\n", escaped(&drawing.title));
            }
            if let Some(note) = &drawing.note {
                text += &format!("{}\n\n", escaped(note));
            }
        }
        text += "## The best networks\n\n| trial | score | accuracy | parameters | MACs | architecture |\n| ---: | ---: | ---: | ---: | ---: | --- |\n";
        for point in self.view.top(20) {
            let number =
                |value: Option<f64>| value.map_or("–".to_string(), |v| format!("{v:.4}"));
            text += &format!(
                "| {} | {} | {} | {} | {} | {} |\n",
                point.number,
                number(point.score),
                number(point.accuracy),
                grouped(point.params),
                grouped(point.macs),
                escaped(&point.architecture)
            );
        }
        text += "\n## How to make it again\n\n";
        for (name, value) in self.facts() {
            text += &format!("- {name}: {}\n", escaped(&value));
        }
        let source = &self.view.kept.about.source;
        if !source.is_empty() {
            // A fence that is longer than any in the text.
            let longest = source
                .split(|sign| sign != '`')
                .map(str::len)
                .max()
                .unwrap_or(0);
            let fence = "`".repeat(longest.max(2) + 1);
            text += &format!("\n{fence}rhai\n{}\n{fence}\n", source.trim_end());
        }
        text
    }
}

/// `text` in one line, with what Markdown and HTML would take for markup as it is.
fn escaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for sign in text.chars() {
        match sign {
            '\n' | '\r' | '\t' => plain.push(' '),
            '<' => plain += "&lt;",
            '>' => plain += "&gt;",
            '&' => plain += "&amp;",
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '~' | '!' => {
                plain.push('\\');
                plain.push(sign);
            }
            sign if sign.is_control() => plain.push('\u{fffd}'),
            sign => plain.push(sign),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    #[test]
    fn markdown_takes_no_text_for_markup() {
        let text = super::escaped("<script>alert(1)</script> | `a` _b_\n[x](y)\u{1b}[2J");
        assert_eq!(
            text,
            "&lt;script&gt;alert(1)&lt;/script&gt; \\| \\`a\\` \\_b\\_ \\[x\\](y)\u{fffd}\\[2J"
        );
    }
}
