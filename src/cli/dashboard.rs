//! `nas-script dashboard`: the studies of a store in a browser.

use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rand::RngExt;

use super::store::StoreArgs;
use crate::child::Weights;
use crate::child::export::{self, Existing, Format};
use crate::error::{Error, Result};
use crate::manager::Files;
use crate::report::dashboard::{Access, Board, Exporter, serve};
use crate::report::page::Offer;
use crate::report::progress::{say, warn};
use crate::study::Trial;

#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    store: StoreArgs,
    /// The address to listen on. Beyond this machine a token is needed.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    host: IpAddr,
    /// The port; 0: any that is free.
    #[arg(long, value_name = "PORT", default_value_t = 8321)]
    port: u16,
    /// What a browser has to know; without a value one is made up. Everybody on this machine can read the command line:
    /// NAS_SCRIPT_TOKEN is more secret.
    #[arg(long, value_name = "TOKEN", env = "NAS_SCRIPT_TOKEN", hide_env_values = true, num_args = 0..=1, default_missing_value = "")]
    token: Option<String>,
}

/// The shortest token that is one.
const SHORTEST: usize = 12;

pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let opened = arguments.store.present()?;
    let loopback = arguments.host.is_loopback();
    let token = token(arguments.token.as_deref())?;
    if !loopback && token.is_none() {
        let expected = "--token beside it, since others can reach that address";
        return Err(Error::invalid("--host", expected, arguments.host));
    }
    let address = SocketAddr::new(arguments.host, arguments.port);
    let listener = TcpListener::bind(address).map_err(|error| {
        Error::invalid(
            "--port",
            "an address and a port that are free",
            format!("{address} ({error})"),
        )
    })?;
    let address = listener
        .local_addr()
        .map_err(Error::io("listen on", std::path::Path::new("the port")))?;
    let ending = token.as_ref().map(|token| format!("?token={token}"));
    say(&format!(
        "dashboard: http://{address}/{}",
        ending.unwrap_or_default()
    ));
    warn("Ctrl-C ends it");
    let files = Networks(Files::Folder(opened.files));
    let board = Board::new(opened.store, Box::new(files));
    let stopped = stop_flag();
    let stop = async move {
        while !stopped.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    serve(board, Access { token, loopback }, listener, stop)
}

/// A flag that Ctrl-C or SIGTERM sets.
fn stop_flag() -> Arc<AtomicBool> {
    let flag = Arc::new(AtomicBool::new(false));
    let set = flag.clone();
    if let Err(error) = ctrlc::set_handler(move || set.store(true, Ordering::SeqCst)) {
        tracing::warn!("Ctrl-C will stop at once: {error}");
    }
    flag
}

/// The token that was given, or a new one where an empty one was.
fn token(given: Option<&str>) -> Result<Option<String>> {
    match given {
        None => Ok(None),
        Some("") => {
            let mut random = rand::rng();
            let bytes: [u8; 16] = random.random();
            Ok(Some(
                bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
            ))
        }
        Some(token) => {
            let plain = token
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte));
            match plain && token.len() >= SHORTEST {
                true => Ok(Some(token.into())),
                false => {
                    let expected =
                        format!("at least {SHORTEST} letters, digits and any of - _ . ~");
                    Err(Error::invalid(
                        "--token",
                        expected,
                        format!("{} others", token.chars().count()),
                    ))
                }
            }
        }
    }
}

/// Writes networks with the weights that are kept.
struct Networks(Files);

const FORMATS: [(Format, &str, &str); 5] = [
    (Format::Onnx, "model.onnx", "ONNX"),
    (
        Format::Safetensors,
        "weights.safetensors",
        "weights (safetensors)",
    ),
    (Format::Json, "network.json", "network (JSON)"),
    (Format::Svg, "diagram.svg", "diagram (SVG)"),
    (Format::Mermaid, "diagram.mmd", "diagram (Mermaid)"),
];
/// The trial itself.
const TRIAL: &str = "trial.json";

impl Networks {
    /// The trained weights of a trial's network, if they are kept.
    fn weights(&self, trial: &Trial) -> Option<Weights> {
        self.0.weights(trial.evaluation.as_ref()?)
    }
}

impl Exporter for Networks {
    fn offers(&self, trial: &Trial) -> Vec<Offer> {
        let offer = |name: &str, label: String| Offer {
            name: name.into(),
            label,
        };
        let mut offers = vec![offer(TRIAL, "trial (JSON)".into())];
        if trial.evaluation.is_some() {
            let trained = self.weights(trial).is_some();
            offers.extend(FORMATS.iter().map(|(format, name, label)| {
                let untrained = format.has_weights() && !trained;
                offer(
                    name,
                    format!(
                        "{label}{}",
                        if untrained { ", untrained weights" } else { "" }
                    ),
                )
            }));
        }
        offers
    }

    fn export(&self, trial: &Trial, name: &str) -> Result<Option<Vec<u8>>> {
        if name == TRIAL {
            return Ok(serde_json::to_vec_pretty(trial).ok());
        }
        let format = FORMATS.iter().find(|(_, known, _)| *known == name);
        let (Some((format, ..)), Some(asked)) = (format, &trial.evaluation) else {
            return Ok(None);
        };
        let weights = match format.has_weights() {
            true => match self.weights(trial) {
                Some(weights) => Some(weights),
                None => Some(export::untrained(&asked.network, asked.seed)?),
            },
            false => None,
        };
        let folder =
            tempfile::tempdir().map_err(Error::io("make a folder in", &std::env::temp_dir()))?;
        let path = folder.path().join(name);
        export::write(
            &asked.network,
            weights.as_ref(),
            *format,
            &path,
            Existing::Replace,
        )?;
        std::fs::read(&path)
            .map(Some)
            .map_err(Error::io("read", &path))
    }
}
