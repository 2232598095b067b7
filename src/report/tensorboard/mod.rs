//! TensorBoard event files: length-delimited records with masked CRCs (the TFRecord format) around
//! `tensorflow.Event` messages.

mod graph;
mod hparams;
mod proto;

use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use prost::Message;

use super::figures::confusion;
use super::raster::png;
use super::words::now;
use crate::error::{Error, Result};
use crate::study::{Ended, Learned, Recorder, Tested, Trial};
use proto::{Event, Image, Summary, SummaryValue};

/// Writes a run for TensorBoard: its parameters, the scalars of the controller under the original's names, each child's under
/// `child/…`, what is best under `study/…`, scores on the test images with their confusion matrix, and at the end the best
/// network as a graph and as text.
pub struct Events {
    file: BufWriter<File>,
    path: PathBuf,
    /// The best trial with a network so far.
    best: Option<Trial>,
    tests: i64,
    /// What the run was started with, until it is written: with the data, which the first network tells.
    given: Option<BTreeMap<String, String>>,
}

/// Adds what a run was started with to the parameters of its script, whose own names come first.
pub fn note(given: &mut BTreeMap<String, String>, name: &str, value: impl Display) {
    let name = match given.contains_key(name) {
        true => format!("nas_script.{name}"),
        false => name.into(),
    };
    given.entry(name).or_insert_with(|| value.to_string());
}

impl Events {
    /// Creates `events.out.tfevents.<seconds>.nas-script` in `folder`, of a run that was started with `params`.
    ///
    /// # Errors
    /// [`Error::Io`] where it cannot be created.
    pub fn create(folder: &Path, params: &BTreeMap<String, String>) -> Result<Self> {
        let name = format!("events.out.tfevents.{:.0}.nas-script", now().floor());
        let path = folder.join(name);
        let file = File::create(&path).map_err(Error::io("create", &path))?;
        let mut events = Self {
            file: BufWriter::new(file),
            path,
            best: None,
            tests: 0,
            given: Some(params.clone()),
        };
        events.write(&Event {
            wall_time: now(),
            file_version: Some("brain.Event:2".into()),
            ..Event::default()
        })?;
        Ok(events)
    }

    /// Writes what the run was started with, unless that is done.
    fn start(&mut self, first: Option<&Trial>) -> Result<()> {
        let asked = first.and_then(|trial| trial.evaluation.as_ref());
        let Some(mut given) = self.given.take() else {
            return Ok(());
        };
        if let Some(asked) = asked {
            note(
                &mut given,
                "data",
                format!("{}, {}", asked.data.name, asked.data.split),
            );
        }
        self.values(0, hparams::start(&given, now()))
    }

    fn scalars<'a>(
        &mut self,
        step: u64,
        scalars: impl IntoIterator<Item = (&'a str, f64)>,
    ) -> Result<()> {
        let value = scalars.into_iter().map(|(tag, value)| SummaryValue {
            tag: tag.into(),
            simple_value: Some(value as f32),
            ..SummaryValue::default()
        });
        self.values(step as i64, value.collect())
    }

    fn values(&mut self, step: i64, value: Vec<SummaryValue>) -> Result<()> {
        self.write(&Event {
            wall_time: now(),
            step,
            summary: Some(Summary { value }),
            ..Event::default()
        })
    }

    fn write(&mut self, event: &Event) -> Result<()> {
        let record = record(&event.encode_to_vec());
        let written = self.file.write_all(&record);
        written.map_err(Error::io("write", &self.path))
    }
}

impl Recorder for Events {
    fn trial(&mut self, trial: &Trial) -> Result<()> {
        self.start(Some(trial))?;
        let best = self.best.as_ref().and_then(|best| best.score);
        let mut scalars = vec![
            ("child/accuracy", trial.outcome.accuracy),
            ("child/loss", trial.outcome.loss),
            ("child/reward", Some(trial.reward)),
            ("child/seconds", Some(trial.outcome.seconds)),
        ];
        if trial.score.is_some() && trial.score > best {
            scalars.push(("study/best_score", trial.score));
            scalars.push(("study/best_accuracy", trial.outcome.accuracy));
            self.best = Some(trial.clone());
        }
        let known = scalars.into_iter().filter_map(|(tag, v)| Some((tag, v?)));
        self.scalars(trial.number as u64, known)
    }

    fn learned(&mut self, learned: &Learned) -> Result<()> {
        // The first has the original's names.
        let prefix = match learned.controller {
            0 => String::new(),
            other => format!("controller_{}/", other + 1),
        };
        let named = |(tag, value): &(String, f64)| (format!("{prefix}{tag}"), *value);
        let named: Vec<_> = learned.scalars.iter().map(named).collect();
        let scalars = named.iter().map(|(tag, value)| (tag.as_str(), *value));
        self.scalars(learned.step, scalars)
    }

    fn tested(&mut self, tested: &Tested) -> Result<()> {
        self.tests += 1;
        let scalars = [
            ("test/accuracy", tested.accuracy),
            ("test/loss", tested.loss),
        ];
        self.scalars(self.tests as u64, scalars)?;
        if tested.confusion.is_empty() {
            return Ok(());
        }
        let drawing = confusion(tested);
        // A picture ends no search.
        let Ok(png) = png(&drawing.standalone(), 1.0) else {
            return Ok(());
        };
        let image = Image {
            // As PNG has them, after the signature and the head of the first chunk (PNG, §11.2.2).
            width: be(&png, 16),
            height: be(&png, 20),
            colorspace: 4,
            encoded_image_string: png,
        };
        let value = SummaryValue {
            tag: "test/confusion".into(),
            image: Some(image),
            ..SummaryValue::default()
        };
        self.values(self.tests, vec![value])
    }

    fn flush(&mut self) -> Result<()> {
        self.file.flush().map_err(Error::io("write", &self.path))
    }

    fn finish(&mut self, ended: Ended) -> Result<()> {
        self.start(None)?;
        if let Some(best) = self.best.take()
            && let Some(asked) = &best.evaluation
        {
            let text = graph::text("best/network", &best, &asked.network);
            self.values(best.number as i64, vec![text])?;
            self.write(&Event {
                wall_time: now(),
                graph_def: Some(graph::graph(&asked.network)),
                ..Event::default()
            })?;
        }
        self.values(0, vec![hparams::end(ended, now())])
    }
}

/// The number at `at`, highest byte first.
fn be(bytes: &[u8], at: usize) -> i32 {
    let four = bytes.get(at..at + 4).and_then(|four| four.try_into().ok());
    four.map_or(0, i32::from_be_bytes)
}

/// Frames `data` as a TFRecord: length, its masked CRC, data, its masked CRC.
fn record(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    let mut record = Vec::with_capacity(data.len() + 16);
    record.extend_from_slice(&length);
    record.extend_from_slice(&masked_crc(&length).to_le_bytes());
    record.extend_from_slice(data);
    record.extend_from_slice(&masked_crc(data).to_le_bytes());
    record
}

/// CRC-32C, rotated and offset, so that a CRC of data that holds CRCs stays sound.
fn masked_crc(data: &[u8]) -> u32 {
    crc32c::crc32c(data)
        .rotate_right(15)
        .wrapping_add(0xa282_ead8)
}
