//! The colours and lines of all pictures. Written out for each theme, since files of plots are read by programs that know no
//! variables.

/// Light or dark paper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Theme {
    /// Dark on white.
    Light,
    /// Light on near black.
    Dark,
}

/// Names with their colours, light and dark. Text and marks keep a contrast of 4.5 : 1 and 3 : 1 to the paper (WCAG
/// 2.2, 1.4.3 and 1.4.11); the series are Okabe and Ito's, which colour-blind people tell apart, in shades for each paper.
const COLOURS: [(&str, &str, &str); 12] = [
    ("$paper", "#ffffff", "#14171c"),
    ("$text", "#1f2328", "#e6edf3"),
    ("$soft", "#57606a", "#9aa4af"),
    ("$line", "#8c959f", "#6e7781"),
    ("$grid", "#e3e7eb", "#2a3038"),
    ("$blue", "#0063a8", "#58b0ee"),
    ("$orange", "#b35900", "#f0a23a"),
    ("$green", "#00754f", "#2fc796"),
    ("$pink", "#a84786", "#e08fc0"),
    ("$red", "#b3261e", "#ff8a7a"),
    ("$dot", "#4d82b8", "#7fb2e0"),
    ("$pale", "#c4ccd4", "#454d57"),
];

/// The shades from the lowest to the highest reward, of a scale that rises evenly in lightness (after viridis, van der
/// Walt & Smith), from dim to strong on each paper.
const SHADES: [(&str, &str); 6] = [
    ("#a3afba", "#58636e"),
    ("#86adc5", "#4a7291"),
    ("#5f9cc4", "#4283b0"),
    ("#2f83bd", "#4aa3dd"),
    ("#0063a8", "#8cc8f2"),
    ("#b35900", "#ffb454"),
];

const RULES: &str = "\
svg.figure text{fill:$soft;font:12px system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif}\
svg.figure .name{fill:$text}svg.figure .head{fill:$text;font-size:15px;font-weight:600}\
svg.figure .paper{fill:$paper}\
svg.figure .grid{stroke:$grid;fill:none}svg.figure .axis{stroke:$line;fill:none}\
svg.figure .best{stroke:$blue;fill:none;stroke-width:2.2;stroke-linejoin:round}\
svg.figure .mean{stroke:$orange;fill:none;stroke-width:1.6}\
svg.figure .control{stroke:$pink;fill:none;stroke-width:1.8;stroke-dasharray:6 4}\
svg.figure .front{stroke:$orange;fill:none;stroke-width:1.6}\
svg.figure .dots,svg.figure .known,svg.figure .tops{fill:none;stroke-linecap:round;stroke-width:5}\
svg.figure .dots{stroke:$dot;stroke-opacity:.75}svg.figure .known{stroke:$line;stroke-opacity:.6;stroke-width:4}\
svg.figure .tops{stroke:$orange;stroke-width:8}svg.figure .failed{stroke:$red;fill:none;stroke-width:1.4}\
svg.figure .series{stroke:$blue;fill:none;stroke-width:1.6;stroke-linejoin:round}\
svg.figure .other{stroke:$orange;fill:none;stroke-width:1.6;stroke-dasharray:5 3}\
svg.figure .faint{stroke:$line;fill:none;stroke-opacity:.55}\
svg.figure .bar{fill:$blue}svg.figure .whisker{stroke:$text;fill:none}\
svg.figure .heat{fill:$blue}svg.figure .frame{stroke:$line;fill:none}\
svg.figure .pole{stroke:$line}svg.figure .value{fill:$text;paint-order:stroke;stroke:$paper;stroke-width:3px}\
svg.figure .off{fill:$soft;opacity:.55}svg.figure .hover{fill:none;stroke:$text;stroke-width:1.5}";

/// The rules for `<style>`, for one theme.
pub fn rules(theme: Theme) -> String {
    let mut text = RULES.to_string();
    for (index, (light, dark)) in SHADES.iter().enumerate() {
        let colour = if theme == Theme::Light { light } else { dark };
        text += &format!("svg.figure .shade{index}{{stroke:{colour};fill:none;stroke-opacity:.7}}");
    }
    coloured(&text, theme)
}

/// `text` with the names of colours replaced.
pub fn coloured(text: &str, theme: Theme) -> String {
    COLOURS
        .iter()
        .fold(text.to_string(), |text, (name, light, dark)| {
            text.replace(name, if theme == Theme::Light { light } else { dark })
        })
}

/// The rules of pictures, and `page` with the names of colours, for both themes as the reader has it set.
pub fn css(page: &str) -> String {
    let of = |theme| format!("{}{}", coloured(page, theme), rules(theme));
    let dark = of(Theme::Dark);
    format!(
        ":root{{color-scheme:light dark}}{}@media (prefers-color-scheme:dark){{{dark}}}",
        of(Theme::Light)
    )
}

/// How many shades there are.
pub const LEVELS: usize = SHADES.len();
