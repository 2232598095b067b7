//! MLflow's REST API 2.0, as far as it is needed. Knows no studies.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use ureq::Agent;

use super::metric::Metric;
use super::names::cut;
use crate::error::{Error, Result};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);
/// The most metrics of a request; the server takes 1,000.
pub(super) const METRICS: usize = 800;
/// The most parameters of a request, and about the most bytes of them: the server takes 1 MB.
const PARAMS: (usize, usize) = (100, 500_000);

/// Where runs are sent.
#[derive(Clone, Debug)]
pub struct Destination {
    /// The server's address.
    pub url: String,
    /// The experiment's name.
    pub experiment: String,
}

/// A server of MLflow.
pub struct Client {
    agent: Agent,
    url: String,
    authorization: Option<String>,
}

/// A run there.
#[derive(Clone, Debug)]
pub(super) struct Run {
    pub id: String,
    artifacts: String,
    /// How it ended, as far as was said, and when, in seconds since 1970.
    pub ended: Option<(String, f64)>,
}

impl Client {
    /// A client of the server at `url`. Whoever needs a name or a token there has them in `MLFLOW_TRACKING_USERNAME` and
    /// `MLFLOW_TRACKING_PASSWORD`, or `MLFLOW_TRACKING_TOKEN`, as for MLflow's own client.
    ///
    /// # Errors
    /// [`Error::Invalid`] for what is no address of a server.
    pub fn new(url: &str) -> Result<Self> {
        let uri: Option<ureq::http::Uri> = url.parse().ok();
        let known = uri.filter(|uri| matches!(uri.scheme_str(), Some("http" | "https")));
        let Some(host) = known.as_ref().and_then(|uri| uri.authority()) else {
            let expected = "the address of a server, http://HOST:PORT";
            return Err(Error::invalid("MLflow", expected, url));
        };
        // A command line is public; the environment of a process is not.
        if host.as_str().contains('@') {
            let expected = "an address without a name and password, which everybody on this machine can read there (put \
                            them into MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD)";
            return Err(Error::invalid("MLflow", expected, "one with a name"));
        }
        let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let user = set("MLFLOW_TRACKING_USERNAME").map(|user| {
            let password = set("MLFLOW_TRACKING_PASSWORD").unwrap_or_default();
            format!(
                "Basic {}",
                BASE64_STANDARD.encode(format!("{user}:{password}"))
            )
        });
        let token = set("MLFLOW_TRACKING_TOKEN").map(|token| format!("Bearer {token}"));
        let config = Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            .timeout_connect(Some(CONNECT))
            .http_status_as_error(false);
        Ok(Self {
            agent: config.build().into(),
            url: url.trim_end_matches('/').into(),
            authorization: user.or(token),
        })
    }

    fn failed(&self, reason: &impl ToString) -> Error {
        Error::Service {
            url: self.url.clone(),
            reason: reason.to_string(),
        }
    }

    /// Asks `path`; with a body where there is one. The status and the text of the answer.
    fn ask(&self, method: &str, path: &str, body: Option<(&str, &[u8])>) -> Result<(u16, String)> {
        let mut request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url));
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization);
        }
        let answer = match body {
            Some((kind, bytes)) => {
                let request = request
                    .header("content-type", kind)
                    .body(bytes)
                    .map_err(|e| self.failed(&e))?;
                self.agent.run(request)
            }
            None => {
                let request = request.body(()).map_err(|e| self.failed(&e))?;
                self.agent.run(request)
            }
        };
        let mut answer = answer.map_err(|error| self.failed(&error))?;
        let status = answer.status().as_u16();
        let text = answer
            .body_mut()
            .read_to_string()
            .map_err(|error| self.failed(&error))?;
        Ok((status, text))
    }

    /// Calls the API; `None` where what was asked for does not exist.
    fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Option<Value>> {
        let bytes = body.map(|body| body.to_string().into_bytes());
        let body = bytes
            .as_ref()
            .map(|bytes| ("application/json", bytes.as_slice()));
        let (status, text) = self.ask(method, &format!("/api/2.0/mlflow/{path}"), body)?;
        let said: Value = serde_json::from_str(&text).unwrap_or_default();
        match (status, said["error_code"].as_str()) {
            (200, _) => Ok(Some(said)),
            (_, Some("RESOURCE_DOES_NOT_EXIST")) => Ok(None),
            (status, code) => {
                let message = said["message"]
                    .as_str()
                    .map_or_else(|| text.chars().take(200).collect(), String::from);
                let code = code.map(|code| format!("{code}: ")).unwrap_or_default();
                Err(self.failed(&format!("it answers {path} with {status}, {code}{message}")))
            }
        }
    }

    /// Tells the API something of `run`.
    fn tell(&self, path: &str, body: &Value) -> Result<()> {
        match self.call("POST", path, Some(body))? {
            Some(_) => Ok(()),
            None => Err(self.failed(&"it does not know the run any more")),
        }
    }

    fn text(&self, value: Option<&Value>, path: &[&str]) -> Result<String> {
        let found =
            value.and_then(|value| path.iter().try_fold(value, |value, name| value.get(name)));
        let found = found.and_then(Value::as_str).map(String::from);
        found.ok_or_else(|| {
            self.failed(&format!(
                "its answer has no {}: is it an MLflow server?",
                path.join(".")
            ))
        })
    }

    /// The key of the experiment called `name`, which is made where there is none.
    pub(super) fn experiment(&self, name: &str) -> Result<String> {
        let escaped: String = name
            .bytes()
            .map(
                |byte| match byte.is_ascii_alphanumeric() || b"-_.".contains(&byte) {
                    true => char::from(byte).to_string(),
                    false => format!("%{byte:02X}"),
                },
            )
            .collect();
        let path = format!("experiments/get-by-name?experiment_name={escaped}");
        match self.call("GET", &path, None)? {
            Some(found) => self.text(Some(&found), &["experiment", "experiment_id"]),
            None => {
                let made =
                    self.call("POST", "experiments/create", Some(&json!({ "name": name })))?;
                self.text(made.as_ref(), &["experiment_id"])
            }
        }
    }

    /// The run of `experiment` whose tag `nas_script.key` is `key`; a new one with `tags` where there is none.
    pub(super) fn run(
        &self,
        experiment: &str,
        key: &str,
        name: &str,
        created: f64,
        tags: &[(&str, &str)],
    ) -> Result<Run> {
        let filter = format!("tags.`nas_script.key` = '{key}'");
        let search = json!({ "experiment_ids": [experiment], "filter": filter, "max_results": 1 });
        let found = self.call("POST", "runs/search", Some(&search))?;
        let found = found
            .as_ref()
            .and_then(|found| found["runs"].get(0))
            .cloned();
        let run = match found {
            Some(run) => run,
            None => {
                let mut all = vec![json!({ "key": "nas_script.key", "value": key })];
                all.extend(
                    tags.iter()
                        .map(|(key, value)| json!({ "key": key, "value": cut(value, 4_000) })),
                );
                let start = (created * 1000.0).round() as i64;
                let body = json!({
                    "experiment_id": experiment, "run_name": cut(name, 250), "start_time": start, "tags": all,
                });
                let made = self.call("POST", "runs/create", Some(&body))?;
                made.map(|made| made["run"].clone()).unwrap_or_default()
            }
        };
        let ended = run["info"]["end_time"].as_f64().filter(|end| *end > 0.0);
        let status = run["info"]["status"].as_str().map(String::from);
        Ok(Run {
            id: self.text(Some(&run), &["info", "run_id"])?,
            artifacts: self.text(Some(&run), &["info", "artifact_uri"])?,
            ended: status.zip(ended.map(|end| end / 1000.0)),
        })
    }

    /// Adds metrics to a run, in as many requests as it takes.
    pub(super) fn log(&self, run: &Run, metrics: &[Metric]) -> Result<()> {
        for some in metrics.chunks(METRICS) {
            let body = json!({ "run_id": run.id, "metrics": some });
            self.tell("runs/log-batch", &body)?;
        }
        Ok(())
    }

    /// Adds parameters to a run, in as many requests as it takes. One that is there already stays.
    pub(super) fn describe(&self, run: &Run, params: &BTreeMap<String, String>) -> Result<()> {
        let send = |some: &mut Vec<Value>| {
            let body = json!({ "run_id": run.id, "params": std::mem::take(some) });
            self.tell("runs/log-batch", &body)
        };
        let (mut some, mut bytes) = (Vec::new(), 0);
        for (key, value) in params {
            // As JSON, in which some signs are longer.
            let size = json!([key, value]).to_string().len();
            if some.len() == PARAMS.0 || (bytes + size > PARAMS.1 && !some.is_empty()) {
                send(&mut some)?;
                bytes = 0;
            }
            bytes += size;
            some.push(json!({ "key": key, "value": value }));
        }
        match some.is_empty() {
            true => Ok(()),
            false => send(&mut some),
        }
    }

    /// Says that a run goes on.
    pub(super) fn goes_on(&self, run: &Run) -> Result<()> {
        let body = json!({ "run_id": run.id, "status": "RUNNING" });
        self.tell("runs/update", &body)
    }

    /// Ends a run.
    pub(super) fn end(&self, run: &Run, status: &str, time: f64) -> Result<()> {
        let end = (time * 1000.0).round() as i64;
        let body = json!({ "run_id": run.id, "status": status, "end_time": end });
        self.tell("runs/update", &body)
    }

    /// Keeps a file of a run. `false`: the server keeps no files for its clients (it was started without
    /// `--serve-artifacts`).
    pub(super) fn artifact(&self, run: &Run, name: &str, bytes: &[u8]) -> Result<bool> {
        let Some(place) = run.artifacts.strip_prefix("mlflow-artifacts:") else {
            return Ok(false);
        };
        // "/1/…" or "//host:port/1/…".
        let place = match place.strip_prefix("//") {
            Some(rest) => rest.split_once('/').map_or("", |(_, path)| path),
            None => place.trim_start_matches('/'),
        };
        let path = format!("/api/2.0/mlflow-artifacts/artifacts/{place}/{name}");
        match self.ask("PUT", &path, Some(("application/octet-stream", bytes)))? {
            (200, _) => Ok(true),
            (status, text) => {
                let text: String = text.chars().take(200).collect();
                Err(self.failed(&format!("it answers the file {name} with {status}, {text}")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Read, Write};
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn numbers_for_a_run_that_is_gone_are_not_taken_for_sent() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        // A server that was started again with another database.
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = BufReader::new(stream.try_clone().unwrap());
            let mut length = 0;
            for line in request.by_ref().lines().map_while(std::result::Result::ok) {
                let header = line.to_lowercase();
                if let Some(of) = header.strip_prefix("content-length:") {
                    length = of.trim().parse().unwrap();
                }
                if line.is_empty() {
                    break;
                }
            }
            let mut body = vec![0; length];
            request.read_exact(&mut body).unwrap();
            let said = r#"{"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no such run"}"#;
            let length = said.len();
            write!(
                stream,
                "HTTP/1.1 404 Not Found\r\ncontent-length: {length}\r\n\r\n{said}"
            )
            .unwrap();
        });
        let run = Run {
            id: "gone".into(),
            artifacts: String::new(),
            ended: None,
        };
        let metric = Metric::new("reward", 0.5, 0.0, 1);
        let sent = Client::new(&address).unwrap().log(&run, &[metric]);
        let error = sent.unwrap_err().to_string();
        assert!(error.contains("does not know the run any more"), "{error}");
        server.join().unwrap();
    }
}
