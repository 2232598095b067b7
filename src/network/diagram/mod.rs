//! A network as a picture: Mermaid text and SVG. Pure text from a network; knows nothing of files.

mod boxes;
mod layout;
mod mermaid;
mod svg;

pub use mermaid::mermaid;
pub use svg::svg;
