//! Pages about studies: what the dashboard serves and the report is made of. Escapes whatever a user named (maud does);
//! knows neither servers nor files.

mod controller;
mod facts;
mod list;
mod sections;
mod shell;
mod studies;
mod trial;
mod workers;

pub use sections::{Context, Section, sections};
pub use shell::{SCRIPT, document, file, style};
pub use studies::studies;
pub use trial::{Offer, TrialPage, trial};
