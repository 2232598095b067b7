//! SVG as PNG, with a font of its own, so that text comes out the same on every machine.

use std::sync::{Arc, OnceLock};

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree, fontdb};

use crate::error::{Error, Result};

/// The largest side of a picture, in pixels.
const LARGEST: f32 = 16_000.0;

/// `svg` as a PNG of `scale` times its size.
///
/// # Errors
/// [`Error::Invalid`] for what is no SVG, and for a picture of more than 16,000 pixels in a row.
pub fn png(svg: &str, scale: f32) -> Result<Vec<u8>> {
    let refused = |found: String| Error::invalid("PNG", "a picture that can be drawn", found);
    let options = Options {
        font_family: "DejaVu Sans".into(),
        fontdb: fonts(),
        ..Options::default()
    };
    let tree = Tree::from_str(svg, &options).map_err(|error| refused(error.to_string()))?;
    let (width, height) = (tree.size().width() * scale, tree.size().height() * scale);
    if width.max(height) > LARGEST {
        return Err(refused(format!("{width:.0} x {height:.0} pixels")));
    }
    let pixmap = Pixmap::new(width.ceil() as u32, height.ceil() as u32);
    let mut pixmap = pixmap.ok_or_else(|| refused("a picture without pixels".into()))?;
    resvg::render(
        &tree,
        Transform::from_scale(scale, scale),
        &mut pixmap.as_mut(),
    );
    pixmap
        .encode_png()
        .map_err(|error| refused(error.to_string()))
}

fn fonts() -> Arc<fontdb::Database> {
    static FONTS: OnceLock<Arc<fontdb::Database>> = OnceLock::new();
    let make = || {
        let mut fonts = fontdb::Database::new();
        fonts.load_font_data(dejavu::sans::regular().to_vec());
        fonts.load_font_data(dejavu::sans::bold().to_vec());
        fonts.load_font_data(dejavu::sans_mono::regular().to_vec());
        fonts.set_sans_serif_family("DejaVu Sans");
        fonts.set_monospace_family("DejaVu Sans Mono");
        Arc::new(fonts)
    };
    FONTS.get_or_init(make).clone()
}
