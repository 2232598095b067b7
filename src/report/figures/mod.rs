//! The pictures of a study, as SVG: the dashboard, the report and files of plots show the same ones. Each takes a
//! [`View`](super::view::View) and makes a [`Drawing`]; none knows where it is shown.

mod bars;
mod best;
mod confusion;
mod curves;
mod drawing;
mod frame;
mod heat;
mod parallel;
mod scatter;
mod series;
mod style;

pub use bars::importances;
pub use best::best;
pub use confusion::confusion;
pub use curves::{learning, training};
pub use drawing::{Drawing, Tip};
pub use frame::clipped;
pub use heat::policy;
pub use parallel::parallel;
pub use scatter::trade_off;
pub use series::updates;
pub use style::css;
