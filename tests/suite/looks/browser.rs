//! A real browser, headless Chromium, driven by the W3C's WebDriver protocol through `chromedriver`.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// How long a page may take to come to what is waited for.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long until it is looked at again.
const PAUSE: Duration = Duration::from_millis(50);
/// What is wrong while a page changes (WebDriver, §6.6).
const PASSING: [&str; 4] = [
    "stale element reference",
    "no such element",
    "element not interactable",
    "element click intercepted",
];
/// The key under which WebDriver names an element (WebDriver, §11).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A browser with one page. All that it asks the network for, and all that it complains of, is noted.
pub struct Browser {
    driver: Child,
    agent: ureq::Agent,
    session: String,
    _profile: tempfile::TempDir,
}

/// Where Chromium and its driver are; `None`: there are none, and nobody requires them.
fn programs() -> Option<(&'static str, &'static str)> {
    let found = ["/usr/bin/chromium", "/usr/bin/chromedriver"];
    if found.iter().all(|path| Path::new(path).exists()) {
        return Some((found[0], found[1]));
    }
    let required = std::env::var_os("NAS_SCRIPT_REQUIRE_BROWSER").is_some();
    assert!(
        !required,
        "Debian's chromium and chromium-driver are not installed"
    );
    eprintln!("skipped: needs Debian's chromium and chromium-driver");
    None
}

impl Browser {
    /// Starts a browser for those who like dark pages, or light ones. `None` where there is none to start.
    pub fn start(dark: bool) -> Option<Self> {
        let (chromium, driver) = programs()?;
        let mut driver = Command::new(driver)
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = said.by_ref().map_while(Result::ok).find_map(|line| {
            let (_, port) = line.split_once("successfully on port ")?;
            Some(port.trim_end_matches('.').to_string())
        });
        // Whoever does not listen to it ends it.
        thread::spawn(move || said.for_each(drop));
        let port = port.expect("the driver's port");
        let profile = tempfile::tempdir().unwrap();
        let mut arguments: Vec<String> = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-sync",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-dev-shm-usage",
            "--window-size=1400,1000",
        ]
        .map(String::from)
        .into();
        arguments.push(format!("--user-data-dir={}", profile.path().display()));
        if dark {
            arguments.push("--force-dark-mode".into());
            arguments.push("--blink-settings=preferredColorScheme=0".into());
        }
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .build()
            .into();
        let mut browser = Self {
            driver,
            agent,
            session: format!("http://127.0.0.1:{port}"),
            _profile: profile,
        };
        let started = browser.post(
            "/session",
            &json!({ "capabilities": { "alwaysMatch": {
            "goog:chromeOptions": { "binary": chromium, "args": arguments },
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
        } } }),
        );
        let id = started["sessionId"]
            .as_str()
            .expect("a session")
            .to_string();
        browser.session += &format!("/session/{id}");
        Some(browser)
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        let value = self.ask(path, body);
        assert!(value["error"].is_null(), "{path}: {value}");
        value
    }

    /// What the driver answers, an error too.
    fn ask(&self, path: &str, body: &Value) -> Value {
        let address = format!("{}{path}", self.session);
        let mut answer = self.agent.post(address).send(body.to_string()).unwrap();
        let text = answer.body_mut().read_to_string().unwrap();
        let mut answer: Value = serde_json::from_str(&text).unwrap();
        answer["value"].take()
    }

    /// Opens `address`.
    pub fn open(&self, address: &str) {
        self.post("/url", &json!({ "url": address }));
    }

    /// What the body of a JavaScript function returns.
    pub fn run(&self, script: &str) -> Value {
        self.post("/execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// Waits until the JavaScript expression `of` is true.
    #[track_caller]
    pub fn wait(&self, of: &str) {
        let body = json!({ "script": format!("return Boolean({of})"), "args": [] });
        let started = Instant::now();
        loop {
            // A page that is on its way has not what is asked for, which is an error.
            let found = self.ask("/execute/sync", &body);
            if found == json!(true) {
                return;
            }
            assert!(
                started.elapsed() < PATIENCE,
                "it never came that {of}: {found}; the page: {}",
                self.text("body")
            );
            thread::sleep(PAUSE);
        }
    }

    /// Waits until the page has had its first update, which may replace any part of it.
    #[track_caller]
    pub fn settled(&self) {
        self.wait("Number(document.body.dataset.updates) > 0");
    }

    /// Does something with the first element of a CSS selector, once it is there and can be reached; again where the page
    /// put another in its place meanwhile.
    fn act(&self, selector: &str, action: &str, body: &Value) {
        let started = Instant::now();
        loop {
            let found = json!({ "using": "css selector", "value": selector });
            let found = self.ask("/element", &found);
            let done = match found[ELEMENT].as_str() {
                Some(element) => self.ask(&format!("/element/{element}/{action}"), body),
                None => found,
            };
            let Some(error) = done["error"].as_str() else {
                return;
            };
            assert!(
                PASSING.contains(&error) && started.elapsed() < PATIENCE,
                "{action} {selector}: {done}"
            );
            thread::sleep(PAUSE);
        }
    }

    /// Clicks on the first element of a CSS selector.
    pub fn click(&self, selector: &str) {
        self.act(selector, "click", &json!({}));
    }

    /// Types keys into the first element of a CSS selector.
    pub fn keys(&self, selector: &str, keys: &str) {
        self.act(selector, "value", &json!({ "text": keys }));
    }

    /// Moves the pointer to a place in the window, in its pixels.
    pub fn point(&self, x: f64, y: f64) {
        let step = json!({ "type": "pointerMove", "duration": 0, "x": x.round(), "y": y.round(), "origin": "viewport" });
        let pointer = json!({ "type": "pointer", "id": "mouse", "parameters": { "pointerType": "mouse" }, "actions": [step] });
        self.post("/actions", &json!({ "actions": [pointer] }));
    }

    /// The text of the first element of a CSS selector, as a reader sees it.
    pub fn text(&self, selector: &str) -> String {
        let selector = serde_json::to_string(selector).unwrap();
        let text = self.run(&format!(
            "return document.querySelector({selector}).innerText"
        ));
        text.as_str().unwrap_or_default().to_string()
    }

    fn log(&self, kind: &str) -> Vec<Value> {
        let log = self.post("/se/log", &json!({ "type": kind }));
        log.as_array().unwrap().clone()
    }

    /// Asserts that nothing was complained of since it was last asked, and that nothing was loaded but from addresses that
    /// begin with one of `allowed` (and from within the page).
    #[track_caller]
    pub fn assert_quiet(&self, allowed: &[&str]) {
        let complaints = self.log("browser");
        assert!(complaints.is_empty(), "{complaints:#?}");
        let asked = self.log("performance").into_iter().filter_map(|entry| {
            let message: Value = serde_json::from_str(entry["message"].as_str()?).ok()?;
            let message = &message["message"];
            (message["method"] == "Network.requestWillBeSent").then_some(())?;
            message["params"]["request"]["url"]
                .as_str()
                .map(String::from)
        });
        for url in asked {
            let inside = ["data:", "blob:", "about:", "chrome:"]
                .iter()
                .any(|own| url.starts_with(own));
            assert!(
                inside || allowed.iter().any(|start| url.starts_with(start)),
                "asked for {url}"
            );
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver ends its browser when it is told to.
        let _ = self.agent.delete(&self.session).call();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
