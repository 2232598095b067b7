//! The report: one file, opened without a network.

use serde_json::{Value, json};

use super::browser::Browser;
use super::{DIGITS, hostile};
use crate::harness::Place;

/// What must hold for those who do not see, or do not point: names, headings, contrast (WCAG 2.2, 1.1.1, 1.3.1, 1.4.3,
/// 2.1.1, 2.4.2, 3.1.1, 4.1.2).
const BASICS: &str = r#"
const wrong = [];
const say = (what, of) => wrong.push(what + ": " + (of.outerHTML || "").slice(0, 120));
if (!document.documentElement.lang) wrong.push("no language");
if (!document.title) wrong.push("no title");
if (!document.querySelector("main")) wrong.push("no main");
if (document.querySelectorAll("h1").length !== 1) wrong.push("not one h1");
for (const img of document.images) if (!img.alt) say("picture without a text", img);
for (const svg of document.querySelectorAll("svg"))
  if (svg.getAttribute("role") !== "img" || !svg.getAttribute("aria-label")) say("drawing without a name", svg);
for (const of of document.querySelectorAll("a, button, select, input"))
  if (!(of.innerText || of.textContent || of.getAttribute("aria-label") || "").trim()) say("control without a name", of);
for (const th of document.querySelectorAll("table")) if (!th.querySelector("th")) say("table without a head", th);
const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
if (new Set(ids).size !== ids.length) wrong.push("an id twice");
let level = 1;
for (const head of document.querySelectorAll("h1, h2, h3")) {
  const own = Number(head.tagName[1]);
  if (own > level + 1) say("a heading that skips a level", head);
  level = own;
}
const rgb = (text) => (text.match(/[\d.]+/g) || []).map(Number);
const light = (c) => {
  const [r, g, b] = c.map((v) => ((v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const paper = (of) => {
  for (; of; of = of.parentElement) {
    const c = rgb(getComputedStyle(of).backgroundColor);
    if (c.length === 3 || c[3] === 1) return c.slice(0, 3);
  }
  return [255, 255, 255];
};
const texts = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
const seen = new Set();
while (texts.nextNode()) {
  const of = texts.currentNode.parentElement;
  if (!texts.currentNode.nodeValue.trim() || seen.has(of) || of.closest("script, style")) continue;
  seen.add(of);
  const style = getComputedStyle(of);
  const ink = rgb(of.closest("svg") ? style.fill : style.color).slice(0, 3);
  const [a, b] = [light(ink), light(paper(of))].sort((a, b) => b - a);
  if ((a + 0.05) / (b + 0.05) < 4.5) say("contrast " + ((a + 0.05) / (b + 0.05)).toFixed(2), of);
}
return wrong;
"#;

fn digits() -> Place {
    let place = Place::new();
    place.write("digits.rhai", DIGITS);
    for seed in ["1", "2"] {
        let name = format!("digits-{seed}");
        place
            .run(&[
                "digits.rhai",
                "--study",
                &name,
                "--seed",
                seed,
                "--workers",
                "0",
                "-q",
                "-p",
                "trials=30",
            ])
            .succeeded();
    }
    place
}

#[test]
fn it_opens_from_a_file_without_a_network_and_for_everybody() {
    let place = digits();
    place
        .run(&["report", "digits-1", "-o", "report.html"])
        .succeeded();
    let html = place.read("report.html");
    assert!(
        !html.contains("http://") || !html.contains("src=\"http"),
        "it loads from elsewhere"
    );
    for dark in [false, true] {
        let Some(browser) = Browser::start(dark) else {
            return;
        };
        browser.open(&format!("file://{}", place.path("report.html").display()));
        let scheme = browser.run("return matchMedia('(prefers-color-scheme: dark)').matches");
        assert_eq!(scheme, json!(dark));
        assert_eq!(browser.run(BASICS), json!([]));
        let text = browser.text("main");
        for part in [
            "Summary",
            "95 % confidence interval by Student's t over 2 runs",
            "Control: random search, expected by its",
            "accuracy on the test images",
            "Best score so far",
            "Probabilities of the policy",
            "Importance of the decisions",
            "Confusion matrix",
            "SHA-256 of the data",
            "processor",
            "The recipe",
            "space.add_state(\"kernel\", [1, 3]);",
        ] {
            assert!(text.contains(part), "no {part:?} in {text}");
        }
        // By keyboard: to the pictures, and from point to point in one.
        let first = "svg[data-tips]";
        browser.keys(first, "\u{e014}");
        browser.wait("!document.getElementById('tip').hidden");
        let told = browser.text("#said");
        browser.keys(first, "\u{e014}");
        browser.wait(&format!(
            "document.getElementById('said').innerText !== {}",
            Value::from(told)
        ));
        browser.keys(first, "\u{e00c}");
        browser.wait("document.getElementById('tip').hidden");
        browser.assert_quiet(&["file://"]);
    }
}

#[test]
fn it_is_written_in_every_form() {
    let place = digits();
    place
        .run(&["report", "digits-1", "-o", "report.md"])
        .succeeded();
    let text = place.read("report.md");
    assert!(text.starts_with("# Search report: digits-1\n"), "{text}");
    assert!(text.contains("| digits-2 | 2 | 30 |"), "{text}");
    assert!(
        text.contains("![Best score so far](<report.files/best.svg>)"),
        "{text}"
    );
    assert!(place.read("report.files/best.svg").starts_with("<svg"));
    place
        .run(&["report", "digits-1", "--format", "png", "-o", "plots"])
        .succeeded();
    for name in ["best", "trade-off", "policy", "confusion", "importance"] {
        let picture = image::open(place.path(&format!("plots/{name}.png")))
            .unwrap()
            .to_rgb8();
        assert!(picture.width() >= 900, "{name}: {}", picture.width());
        // Text is dark on white: a picture without a font would have lines alone.
        let dark = picture
            .pixels()
            .filter(|pixel| pixel.0.iter().all(|c| *c < 0x60))
            .count();
        assert!(dark > 1_000, "{name}: {dark} dark pixels");
    }
    let refused = place.run(&["report", "digits-1", "-o", "report.pdf"]);
    assert_eq!(refused.code, Some(2));
    let refused = place.run(&["report", "digitz-1"]);
    let said = refused.stderr;
    assert!(said.contains("did you mean 'digits-1'?"), "{said}");
}

#[test]
fn hostile_names_are_text_in_it() {
    let place = Place::new();
    let study = hostile("study");
    let script = DIGITS.replace(
        "kernel",
        "<i>kernel</i><script>document.title='owned'</script>",
    );
    let script = script.replace(
        "layer.<i>kernel</i><script>document.title='owned'</script>",
        "3",
    );
    place.write("digits.rhai", format!("// ``` {study}\n{script}"));
    place
        .run(&[
            "digits.rhai",
            "--study",
            &study,
            "--workers",
            "0",
            "-q",
            "-p",
            "trials=4",
        ])
        .succeeded();
    place
        .run(&["report", &study, "-o", "report.html"])
        .succeeded();
    place
        .run(&["report", &study, "-o", "report.md"])
        .succeeded();
    let markdown = place.read("report.md");
    let (before, _) = markdown.split_once("rhai\n").unwrap();
    assert!(
        !before.contains("<script>") && !before.contains("<img"),
        "{before}"
    );
    let Some(browser) = Browser::start(false) else {
        return;
    };
    browser.open(&format!("file://{}", place.path("report.html").display()));
    assert_eq!(browser.run("return document.scripts.length"), json!(1));
    assert!(browser.text("main").contains("owned by study"));
    let title = browser.run("return document.title");
    assert!(
        title.as_str().unwrap().starts_with("Search report"),
        "{title}"
    );
    browser.assert_quiet(&["file://"]);
}

#[test]
fn every_controller_and_pool_is_in_it() {
    let place = Place::new();
    let script = r#"
let space = StateSpace();
space.add_state("kernel", [1, 3]);
let alone = Controller(1, space);
let together = ControllerPool(2, 2, space);
let apart = ControllerPool(2, 2, space, #{ exchange: "none", batch_size: 2 });
for policy in [alone, together, apart] {
    for round in 0..8 {
        let actions = policy.get_action();
        policy.store_rollout(actions, actions.layers[0].kernel / 3.0);
        policy.train_step();
    }
}
"#;
    place.write("three.rhai", script);
    place
        .run(&["three.rhai", "--study", "three", "--out", "run", "-q"])
        .succeeded();
    // In TensorBoard their curves are apart as well.
    let run = std::fs::read_dir(place.path("run")).unwrap();
    let mut paths = run.map(|entry| entry.unwrap().path());
    let events = paths.find(|path| path.to_string_lossy().contains("tfevents"));
    let events = std::fs::read(events.unwrap()).unwrap();
    let events = String::from_utf8_lossy(&events);
    for tag in [
        "total_loss",
        "controller_2/total_loss",
        "controller_3/total_loss",
    ] {
        assert!(events.contains(tag), "no {tag}");
    }
    place
        .run(&["report", "three", "--format", "svg", "-o", "plots"])
        .succeeded();
    for (name, decisions) in [("policy", 1), ("policy-2", 2), ("policy-3", 2)] {
        let picture = place.read(&format!("plots/{name}.svg"));
        let named = picture.matches("/kernel<").count();
        assert_eq!(named, decisions, "{name}: {picture}");
        assert!(picture.contains("class=\"heat\""), "{name}: {picture}");
        let learnt = place.read(&format!("plots/{}.svg", name.replace("policy", "entropy")));
        assert!(learnt.contains("class=\"series\""), "{name}: {learnt}");
    }
    place
        .run(&["report", "three", "-o", "report.html"])
        .succeeded();
    let html = place.read("report.html");
    assert!(html.contains("A run has no trials yet"), "{html}");
    for number in 1..=3 {
        let title = format!("Entropy of the policy, controller {number}");
        assert!(html.contains(&title), "no {title:?}");
    }
}

#[test]
fn repeats_are_the_longest_run_of_each_seed_that_is_long_enough() {
    let place = Place::new();
    place.write("digits.rhai", DIGITS);
    let run = |study: &str, seed: &str, trials: &str| {
        let digits = ["digits.rhai", "--study", study, "--seed", seed];
        let most = ["--max-trials", trials, "--workers", "0", "-q"];
        place.run(&[&digits[..], &most].concat()).succeeded();
    };
    for (study, seed, trials) in [
        ("first", "1", "6"),
        ("second", "2", "6"),
        ("second-again", "2", "7"),
        ("just-begun", "3", "1"),
    ] {
        run(study, seed, trials);
    }
    let ran = place.run(&["report", "first", "-o", "report.md"]);
    ran.succeeded();
    let repeats = "repeats, of the same script with other seeds: second-again\n";
    assert!(ran.stderr.contains(repeats), "{}", ran.stderr);
    assert!(
        ran.stderr
            .contains("left out, with fewer trials (name them with --repeats): just-begun")
    );
    let text = place.read("report.md");
    assert!(
        text.contains("after 6 trials") && text.contains("over 2 runs"),
        "{text}"
    );
    assert!(!text.contains("just-begun"), "{text}");
}
