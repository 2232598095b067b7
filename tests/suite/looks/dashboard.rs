//! The dashboard in headless Chromium, and what it says to those who may not look.

use std::process::Stdio;

use serde_json::json;

use super::browser::Browser;
use super::{DIGITS, Dashboard, hostile};
use crate::harness::Place;

#[test]
fn it_follows_a_search_and_opens_a_trial() {
    let Some(browser) = Browser::start(false) else {
        return;
    };
    let place = Place::new();
    place.write("digits.rhai", DIGITS);
    // The study is there before it is looked at.
    place
        .run(&[
            "digits.rhai",
            "--study",
            "digits",
            "--workers",
            "0",
            "-q",
            "--max-trials",
            "4",
        ])
        .succeeded();
    let dashboard = Dashboard::start(&place, &[]);
    browser.open(&dashboard.address);
    browser.settled();
    browser.click("a[href='/studies/1']");
    browser.wait("document.querySelector('#facts h1').innerText.includes('digits')");
    browser.wait("document.getElementById('live').innerText === 'live'");
    let count = "Number(document.querySelector('#facts dd').innerText)";
    let curve = "[...document.querySelectorAll('#course path.best')].pop().getAttribute('d')";
    assert_eq!(browser.run(&format!("return {count}")), json!(4));
    assert!(browser.text("#updates").contains("None so far"));
    browser.run(&format!("window.curve = {curve}; window.same = true"));

    // It goes on, and the page with it, without being loaded again.
    let mut search = place.command(&["digits.rhai", "--resume", "digits", "--workers", "0", "-q"]);
    let mut search = search
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    browser.wait(&format!("{count} > 4"));
    browser.wait(&format!("{count} === 12"));
    assert!(search.wait().unwrap().success());
    browser.wait("document.querySelector('#facts h1').innerText.includes('not running')");
    assert_eq!(
        browser.run("return window.same"),
        json!(true),
        "the page was loaded anew"
    );
    assert_ne!(
        browser.run(&format!("return {curve} === window.curve")),
        json!(true),
        "the curve did not grow"
    );
    // What was not there when the page was opened: the first updates of the controller.
    browser.wait("document.querySelector('#policy path.heat')");
    let title = browser.text("#updates");
    assert!(
        title.contains("Entropy of the policy") && title.contains("Learning rate"),
        "{title}"
    );

    // The pointer over a point tells of its trial.
    browser.run("document.querySelector('#course').scrollIntoView()");
    let place_of_a_point =
        "const svg = document.querySelector('#course svg'), m = svg.getScreenCTM();
        const [x, y] = JSON.parse(svg.dataset.tips)[0]; return [x * m.a + m.e, y * m.d + m.f]";
    browser.settled();
    let at = browser.run(place_of_a_point);
    browser.point(at[0].as_f64().unwrap(), at[1].as_f64().unwrap());
    browser.wait("!document.getElementById('tip').hidden");
    let told = browser.text("#tip");
    assert!(told.contains("trial ") && told.contains("score "), "{told}");

    // Filters: failures alone, then one value of a decision.
    let rows = "document.querySelectorAll('#trials tbody tr').length";
    browser.wait(&format!("{rows} === 12"));
    browser.click("nav.tabs a[href*='only=failed']");
    browser.wait(&format!("{rows} > 0 && {rows} < 12"));
    let failed = browser.run(&format!("return {rows}"));
    let named = browser.run("return [...document.querySelectorAll('#trials td.bad')].length");
    assert_eq!(failed, named, "others than failures are listed");
    browser.open(&format!("{}studies/1", dashboard.address));
    browser.settled();
    browser.run("document.querySelector(\"a.pick[aria-label='only head = gap']\").dispatchEvent(new MouseEvent('click', { bubbles: true, cancelable: true }))");
    browser.wait("location.search.startsWith('?pick=') && document.querySelector('a.chip')");
    let chosen = browser.run("return [...document.querySelectorAll('#trials tbody tr')].every(r => r.innerText.includes('head=gap'))");
    assert_eq!(chosen, json!(true));

    // A trial: its page, its graph, what it can be taken away as.
    browser.click("#trials tbody tr a");
    browser.wait("document.querySelector('h1').innerText.startsWith('Trial ')");
    browser.wait("document.querySelector('img.network').naturalHeight > 100");
    let page = browser.text("main");
    assert!(
        page.contains("validation accuracy") && page.contains("kernel"),
        "{page}"
    );
    let kept = browser.run(
        "return [...document.querySelectorAll('.buttons a')].map(a => a.getAttribute('href'))",
    );
    for name in ["trial.json", "model.onnx", "network.json"] {
        let path = kept
            .as_array()
            .unwrap()
            .iter()
            .find(|path| path.as_str().unwrap().ends_with(name));
        let path = path.unwrap().as_str().unwrap().trim_start_matches('/');
        let mut answer = ureq::get(format!("{}{path}", dashboard.address))
            .call()
            .unwrap();
        assert!(
            answer.body_mut().read_to_vec().unwrap().len() > 100,
            "{name}"
        );
    }
    browser.assert_quiet(&[&dashboard.address]);
}

#[test]
fn hostile_names_are_text() {
    let Some(browser) = Browser::start(true) else {
        return;
    };
    let place = Place::new();
    let (study, state, recipe) = (hostile("study"), hostile("state"), hostile("recipe"));
    let script = format!(
        "// {recipe}\nlet space = StateSpace();\nspace.add_state({state}, [{state}, \"b\"]);\n\
         let manager = NetworkManager(dataset(\"digits\", #{{ train: 100 }}), #{{ epochs: 1 }});\n\
         let controller = Controller(1, space);\n\
         for trial in trials(18) {{\n\
             let actions = controller.get_action();\n\
             let units = if actions.values[0] == \"b\" {{ 10 }} else {{ 9 }};\n\
             let outcome = manager.get_rewards(|a| input([1, 8, 8]).flatten().dense(units).dense(10), actions);\n\
             controller.store_rollout(actions, outcome.reward + trial);\n\
             controller.train_step();\n\
         }}\nmanager.submit(input([1, 8, 8]).flatten().dense(10), {state}); manager.next();\n",
        state = serde_json::to_string(&state).unwrap(),
    );
    place.write("recipe <b>.rhai", script);
    place
        .run(&["recipe <b>.rhai", "--study", &study, "--workers", "0", "-q"])
        .succeeded();
    let dashboard = Dashboard::start(&place, &[]);
    let last = format!("{}studies/1/trials/19", dashboard.address);
    for (address, shown) in [
        (dashboard.address.clone(), "owned by study"),
        (format!("{}studies/1", dashboard.address), "owned by study"),
        (
            format!("{}studies/1/trials/1", dashboard.address),
            "owned by state",
        ),
        (last, "owned by state"),
    ] {
        browser.open(&address);
        browser.wait("document.querySelector('main')");
        let html = browser.run("return document.querySelector('main').textContent");
        assert!(
            html.as_str().unwrap().contains(shown),
            "{address} does not show {shown}"
        );
        let scripts = browser
            .run("return [...document.scripts].map(s => s.src.replace(location.origin, ''))");
        assert_eq!(scripts, json!(["/app.js"]), "{address}");
        let title = browser.run("return document.title");
        assert!(!title.as_str().unwrap().starts_with("owned"), "{title}");
        let strange = browser.run("return document.querySelectorAll('img[src=x], main b').length");
        assert_eq!(strange, json!(0), "{address}");
        let wide = browser.run("return document.documentElement.scrollWidth <= innerWidth + 1");
        assert_eq!(wide, json!(true), "{address} is wider than the window");
    }
    browser.assert_quiet(&[&dashboard.address]);
}

#[test]
fn whoever_may_not_look_sees_nothing() {
    let place = Place::new();
    place.write("digits.rhai", DIGITS);
    place
        .run(&[
            "digits.rhai",
            "--study",
            "digits",
            "--workers",
            "0",
            "-q",
            "-p",
            "trials=1",
        ])
        .succeeded();
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .build()
        .into();

    // On this machine alone: no page of the web reads it under a name that points here.
    let open = Dashboard::start(&place, &[]);
    let ask = |host: &str| {
        agent
            .get(&open.address)
            .header("host", host)
            .call()
            .unwrap()
    };
    assert_eq!(ask("evil.example").status(), 403);
    for host in ["localhost", "127.0.0.1:8321", "[::1]:80"] {
        let answer = ask(host);
        assert_eq!(answer.status(), 200, "{host}");
        let policy = answer.headers()["content-security-policy"]
            .to_str()
            .unwrap()
            .to_string();
        assert!(
            policy.contains("default-src 'none'") && !policy.contains("unsafe"),
            "{policy}"
        );
    }
    for method in ["POST", "PUT", "DELETE"] {
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}studies/1", open.address));
        // A body of a known length: the refusal does not wait for the end of one that is sent in pieces, and then closes
        // the connection that the next request would use.
        let request = request.body(b"".as_slice()).unwrap();
        assert_eq!(agent.run(request).unwrap().status(), 405, "{method}");
    }
    assert_eq!(
        agent
            .get(format!("{}studies/99", open.address))
            .call()
            .unwrap()
            .status(),
        404
    );
    assert_eq!(
        agent
            .get(format!("{}studies/1?over=nothing", open.address))
            .call()
            .unwrap()
            .status(),
        400
    );

    // With a token: by the address that is printed, then by a cookie.
    let token = "a-token-of-a-test";
    let closed = Dashboard::start(&place, &["--token", token]);
    let bare = closed.address.split('?').next().unwrap();
    assert_eq!(agent.get(bare).call().unwrap().status(), 401);
    assert_eq!(
        agent
            .get(format!("{bare}?token=a-token-of-a-tesx"))
            .call()
            .unwrap()
            .status(),
        401
    );
    let entered = agent.get(&closed.address).call().unwrap();
    assert_eq!(
        (
            entered.status().as_u16(),
            entered.headers()["location"].to_str().unwrap()
        ),
        (303, "/")
    );
    let cookie = entered.headers()["set-cookie"]
        .to_str()
        .unwrap()
        .to_string();
    assert!(
        cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"),
        "{cookie}"
    );
    let cookie = cookie.split(';').next().unwrap();
    assert_eq!(
        agent
            .get(bare)
            .header("cookie", cookie)
            .call()
            .unwrap()
            .status(),
        200
    );
    let bearer = format!("Bearer {token}");
    assert_eq!(
        agent
            .get(bare)
            .header("authorization", bearer)
            .call()
            .unwrap()
            .status(),
        200
    );

    // Beyond this machine never without one.
    let refused = place.run(&["dashboard", "--host", "0.0.0.0", "--port", "0"]);
    let said = refused.stderr;
    assert_eq!(refused.code, Some(2), "{said}");
    assert!(said.contains("--token"), "{said}");
}
