//! What a job of the queue asks for, as JSON. Knows nothing of who carries it out.

use std::time::Duration;

use crate::data::DataSource;
use crate::error::{Error, Result};
use crate::evaluation::{Evaluation, KERNEL_VERSION};

/// The form of the JSON. Raised where an older program would misread it.
const FORM: u32 = 1;

/// The training of one child.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Task {
    #[serde(flatten)]
    program: Program,
    /// What is asked.
    pub evaluation: Evaluation,
    /// Where the data set came from.
    pub data: DataSource,
    /// The longest time that the training may take, in seconds; `None`: as long as it takes.
    pub timeout: Option<f64>,
    /// See [`Jobs::checkpoints`](crate::manager::Jobs::checkpoints).
    pub checkpoints: bool,
    /// See [`Jobs::floor`](crate::manager::Jobs::floor).
    pub floor: Vec<f64>,
    /// Whether it is trained for its weights, although its outcome may be known.
    pub again: bool,
    /// How many children were asked for in one call: where they are fewer than a machine's workers, each may
    /// have more of its cores.
    pub together: usize,
}

/// The program that asks.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
struct Program {
    form: u32,
    version: String,
    kernel_version: u32,
}

impl Program {
    fn this() -> Self {
        Self {
            form: FORM,
            version: env!("CARGO_PKG_VERSION").into(),
            kernel_version: KERNEL_VERSION,
        }
    }
}

/// Why a payload is no task for this program.
#[derive(Clone, Debug, PartialEq)]
pub enum Unfit {
    /// Nobody can read it.
    Unreadable(String),
    /// Another version of the program is needed.
    Version(String),
}

impl Task {
    /// The task of training `evaluation` on the data of `data`, by itself and for as long as it takes.
    pub fn new(evaluation: Evaluation, data: DataSource) -> Self {
        Self {
            program: Program::this(),
            evaluation,
            data,
            timeout: None,
            checkpoints: false,
            floor: Vec::new(),
            again: false,
            together: 1,
        }
    }

    /// The payload of its job.
    ///
    /// # Errors
    /// [`Error::Invalid`] where something cannot be written as JSON, such as a path that is no text.
    pub fn write(&self) -> Result<String> {
        let invalid = |error| Error::invalid("job", "what JSON can hold", error);
        serde_json::to_string(self).map_err(invalid)
    }

    /// Reads a job's payload.
    ///
    /// # Errors
    /// [`Unfit::Version`] where the answer would be another one than the program that asks expects.
    pub fn read(payload: &str) -> Result<Self, Unfit> {
        let unreadable = |error: serde_json::Error| Unfit::Unreadable(format!("payload: {error}"));
        // Who asks is read first: a later form may have other fields.
        let asks: Program = serde_json::from_str(payload).map_err(unreadable)?;
        let this = Program::this();
        let same = (asks.form, asks.kernel_version) == (this.form, this.kernel_version);
        if same {
            return serde_json::from_str(payload).map_err(unreadable);
        }
        let version = |program: &Program| {
            let Program {
                form,
                version,
                kernel_version,
            } = program;
            format!("nas-script {version} (kernel version {kernel_version}, form {form})")
        };
        Err(Unfit::Version(format!(
            "the job asks for {}, this is {}",
            version(&asks),
            version(&this)
        )))
    }

    /// The time that the training may take.
    pub fn deadline(&self) -> Option<Duration> {
        // The manager checks the number; one from elsewhere that is none is no limit.
        self.timeout
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
    }
}
