//! The document around a page.

use base64::Engine;
use base64::prelude::BASE64_STANDARD as STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

use crate::report::figures::css;

/// What pages do beyond HTML.
pub const SCRIPT: &str = include_str!("app.js");

/// The style of pages and pictures, for light and dark.
pub fn style() -> String {
    css(include_str!("style.css"))
}

/// A page of the dashboard. `live` are the addresses of its events, its sections and its trials, where it follows a study.
pub fn document(title: &str, live: Option<[String; 3]>, main: &Markup) -> String {
    let [events, sections, trials] = match live {
        Some(all) => all.map(Some),
        None => [None, None, None],
    };
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " · nas-script" }
                link rel="icon" href="data:,";
                link rel="stylesheet" href="/style.css";
                script src="/app.js" defer {}
            }
            body data-events=[&events] data-sections=[&sections] data-trials=[&trials] {
                a.skip href="#main" { "to the content" }
                header.top {
                    a.home href="/" { "nas-script" }
                    @if events.is_some() { span.live id="live" role="status" { "connecting" } }
                }
                (main)
                div id="tip" hidden {}
                div.skip id="said" aria-live="polite" {}
            }
        }
    };
    markup.into_string()
}

/// A page in one file: with its style and script, and a policy that lets it load nothing else.
pub fn file(title: &str, main: &Markup) -> String {
    let style = style();
    let policy = format!(
        "default-src 'none'; img-src data:; style-src {}; script-src {}; base-uri 'none'; form-action 'none'",
        source(&style),
        source(SCRIPT)
    );
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy);
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                link rel="icon" href="data:,";
                style { (PreEscaped(&style)) }
            }
            body {
                a.skip href="#main" { "to the content" }
                (main)
                div id="tip" hidden {}
                div.skip id="said" aria-live="polite" {}
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    markup.into_string()
}

/// What allows exactly `text` in a content security policy (CSP 3, §2.3.1).
fn source(text: &str) -> String {
    format!(
        "'sha256-{}'",
        STANDARD.encode(Sha256::digest(text.as_bytes()))
    )
}
