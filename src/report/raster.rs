//! SVG as PNG, with a font of its own, so that text comes out the same on every machine.

use std::sync::{Arc, OnceLock};

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree, fontdb};

use crate::error::{Error, Result};

/// The largest side of a picture, in pixels.
const LARGEST: f32 = 16_000.0;

/// `svg` as a PNG of `scale` times its size, of less where that is more than 16,000 pixels in a row.
///
/// # Errors
/// [`Error::Invalid`] for what is no SVG.
pub fn png(svg: &str, scale: f32) -> Result<Vec<u8>> {
    let refused = |found: String| Error::invalid("PNG", "a picture that can be drawn", found);
    let options = Options {
        font_family: "DejaVu Sans".into(),
        fontdb: fonts(),
        ..Options::default()
    };
    let tree = Tree::from_str(svg, &options).map_err(|error| refused(error.to_string()))?;
    let (width, height) = (tree.size().width(), tree.size().height());
    let scale = scale.min(LARGEST / width.max(height));
    let pixmap = Pixmap::new(
        (width * scale).ceil() as u32,
        (height * scale).ceil() as u32,
    );
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::figures::Drawing;

    fn size(png: &[u8]) -> (u32, u32) {
        let picture = image::load_from_memory(png).unwrap();
        (picture.width(), picture.height())
    }

    #[test]
    fn a_picture_that_is_too_tall_is_drawn_smaller() {
        let tall = |height: f64| {
            let size = (720.0, height);
            let text = "a tall one";
            let drawing = Drawing::empty(text, text);
            png(&Drawing { size, ..drawing }.standalone(), 2.0).unwrap()
        };
        assert_eq!(size(&tall(970.0)), (1440, 2000));
        assert_eq!(size(&tall(19_970.0)).1, 16_000);
    }

    #[test]
    fn signs_that_no_xml_may_have_are_shown_as_such() {
        let drawing = Drawing::empty("title\u{1b}[31m", "why\u{0}\u{ffff}");
        let svg = drawing.standalone();
        assert!(svg.contains("title\u{fffd}[31m") && svg.contains("why\u{fffd}\u{fffd}"));
        assert!(png(&svg, 1.0).is_ok());
    }
}
