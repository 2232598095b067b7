//! TensorBoard event files: length-delimited records with masked CRCs (the TFRecord format) around
//! `tensorflow.Event` messages.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use prost::Message;

use crate::error::{Error, Result};
use crate::study::{Recorder, Trial};

/// The part of `tensorflow.Event` (event.proto) that is written here.
#[derive(Clone, PartialEq, Message)]
struct Event {
    #[prost(double, tag = "1")]
    wall_time: f64,
    #[prost(int64, tag = "2")]
    step: i64,
    #[prost(string, optional, tag = "3")]
    file_version: Option<String>,
    #[prost(message, optional, tag = "5")]
    summary: Option<Summary>,
}

#[derive(Clone, PartialEq, Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    value: Vec<SummaryValue>,
}

#[derive(Clone, PartialEq, Message)]
struct SummaryValue {
    #[prost(string, tag = "1")]
    tag: String,
    // Optional, since a plain field of value 0 would not be written.
    #[prost(float, optional, tag = "2")]
    simple_value: Option<f32>,
}

/// Writes the scalars of a run: a controller's under the original's names, and each child's under
/// `child/accuracy`, `child/loss` and `child/reward`.
pub struct Events {
    file: File,
    path: PathBuf,
}

impl Events {
    /// Creates `events.out.tfevents.<seconds>.nas-script` in `folder`.
    ///
    /// # Errors
    /// [`Error::Io`] where it cannot be created.
    pub fn create(folder: &Path) -> Result<Self> {
        let name = format!("events.out.tfevents.{:.0}.nas-script", now().floor());
        let path = folder.join(name);
        let file = File::create(&path).map_err(Error::io("create", &path))?;
        let mut events = Self { file, path };
        events.write(&Event {
            wall_time: now(),
            file_version: Some("brain.Event:2".into()),
            ..Event::default()
        })?;
        Ok(events)
    }

    fn write(&mut self, event: &Event) -> Result<()> {
        let record = record(&event.encode_to_vec());
        let written = self.file.write_all(&record);
        written.map_err(Error::io("write", &self.path))
    }
}

impl Recorder for Events {
    fn trial(&mut self, trial: &Trial) -> Result<()> {
        let scalars = [
            ("child/accuracy", trial.outcome.accuracy),
            ("child/loss", trial.outcome.loss),
            ("child/reward", Some(trial.reward)),
            ("child/seconds", Some(trial.outcome.seconds)),
        ];
        let known = scalars
            .into_iter()
            .filter_map(|(tag, v)| Some((tag.to_string(), v?)));
        self.scalars(trial.number as u64, &known.collect::<Vec<_>>())
    }

    fn scalars(&mut self, step: u64, scalars: &[(String, f64)]) -> Result<()> {
        let value = scalars.iter().map(|(tag, value)| SummaryValue {
            tag: tag.clone(),
            simple_value: Some(*value as f32),
        });
        self.write(&Event {
            wall_time: now(),
            step: step as i64,
            file_version: None,
            summary: Some(Summary {
                value: value.collect(),
            }),
        })
    }
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

/// Seconds since 1970.
fn now() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0.0, |d| d.as_secs_f64())
}
