//! A picture before it is shown: in a page, or as a file of its own.

use maud::{Markup, PreEscaped, html};

use super::frame::one;
use super::style::{Theme, rules};

/// What is told of a place in a picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Tip {
    /// Where, in the units of the picture.
    pub at: (f64, f64),
    /// What is told.
    pub text: String,
    /// The trial that it leads to.
    pub trial: Option<usize>,
}

/// A picture.
#[derive(Clone, Debug)]
pub struct Drawing {
    /// What it is, short.
    pub title: String,
    /// What can be seen in it, for those who do not see it.
    pub about: String,
    /// What has to be said beside it.
    pub note: Option<String>,
    /// Its width and height.
    pub size: (f64, f64),
    /// What is drawn.
    pub body: Markup,
    /// What is told of its places.
    pub tips: Vec<Tip>,
}

/// Whether no XML may have a sign (XML 1.0, §2.2).
fn foreign(sign: char) -> bool {
    sign.is_control() && !matches!(sign, '\t' | '\n' | '\r')
        || matches!(sign, '\u{fffe}' | '\u{ffff}')
}

/// The room for the title of a file.
const HEAD: f64 = 30.0;

impl Drawing {
    /// The picture as a part of a page, which has the style.
    pub fn inline(&self) -> Markup {
        let (width, height) = self.size;
        let tips = self.tips.iter().map(|tip| {
            let (x, y) = tip.at;
            (one(x), one(y), &tip.text, tip.trial)
        });
        let tips: Vec<_> = tips.collect();
        // Numbers and texts always are JSON.
        let tips = (!tips.is_empty()).then(|| serde_json::to_string(&tips).unwrap_or_default());
        html! {
            svg.figure viewBox=(format!("0 0 {width} {height}")) role="img"
                aria-label=(format!("{}. {}", self.title, self.about))
                tabindex=[tips.as_ref().map(|_| 0)] data-tips=[tips] {
                (self.body)
            }
        }
    }

    /// The picture as a file of its own, on white paper, with its title above.
    pub fn standalone(&self) -> String {
        let (width, height) = self.size;
        let all = height + HEAD;
        let markup = html! {
            svg.figure xmlns="http://www.w3.org/2000/svg" width=(width) height=(all)
                viewBox=(format!("0 0 {width} {all}")) role="img"
                aria-label=(format!("{}. {}", self.title, self.about)) {
                style { (PreEscaped(rules(Theme::Light))) }
                rect.paper width=(width) height=(all) {}
                text.head x="16" y="21" { (self.title) }
                g transform=(format!("translate(0 {HEAD})")) { (self.body) }
            }
        };
        markup.into_string().replace(foreign, "\u{fffd}")
    }

    /// With the number of the controller that it is about in its title, where there are several; counted from 0.
    pub fn numbered(mut self, controller: u64, several: bool) -> Self {
        if several {
            self.title += &format!(", controller {}", controller + 1);
        }
        self
    }

    /// A picture of nothing, that says why.
    pub fn empty(title: &str, why: &str) -> Self {
        Self {
            title: title.into(),
            about: why.into(),
            note: None,
            size: (720.0, 64.0),
            body: html! { text x="16" y="36" { (why) } },
            tips: Vec::new(),
        }
    }
}
