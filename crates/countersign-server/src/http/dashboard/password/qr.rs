//! The picture of a link, for a camera: a QR code as SVG, which stands in the page itself, so that no address gives it to anybody.

use qrcode::{Color, EcLevel, QrCode};
use std::fmt::Write as _;

use super::super::super::problem::Rejected;

/// Modules of white around it, as cameras want it (ISO/IEC 18004).
const QUIET: usize = 4;

/// Draws it, dark on light whatever the page looks like.
pub(super) fn svg(link: &str) -> Result<String, Rejected> {
    let unfit = |error| Rejected::unavailable(format!("the secret cannot be drawn: {error}"));
    let code = QrCode::with_error_correction_level(link, EcLevel::M).map_err(unfit)?;
    let (width, colors) = (code.width(), code.to_colors());
    let whole = width + 2 * QUIET;
    let mut path = String::new();
    for (y, row) in colors.chunks(width).enumerate() {
        let mut x = 0;
        for run in row.chunk_by(|one, next| one == next) {
            if run.first() == Some(&Color::Dark) {
                let length = run.len();
                // Writing to a text cannot fail.
                let _ = write!(path, "M{} {}h{length}v1h-{length}z", x + QUIET, y + QUIET);
            }
            x += run.len();
        }
    }
    Ok(format!(
        "<svg class=\"qr\" viewBox=\"0 0 {whole} {whole}\" role=\"img\" aria-label=\"QR code of the secret\" shape-rendering=\"crispEdges\">\
         <rect width=\"{whole}\" height=\"{whole}\" fill=\"#fff\"/><path d=\"{path}\" fill=\"#000\"/></svg>"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_picture_has_as_many_dark_modules_as_the_code_and_no_text_of_the_link() {
        let link = "otpauth://totp/Countersign:Ana%20Li?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Countersign&algorithm=SHA1&digits=6&period=30";
        let picture = svg(link).unwrap_or_else(|_| panic!("it is drawn"));
        let dark = QrCode::with_error_correction_level(link, EcLevel::M).unwrap().to_colors();
        let dark = dark.into_iter().filter(|color| *color == Color::Dark).count();
        let runs = picture.split('h').filter_map(|part| part.split('v').next()?.parse::<usize>().ok());
        assert_eq!(runs.sum::<usize>(), dark);
        assert!(!picture.contains("GEZD") && !picture.contains("style") && !picture.contains("script"));
    }

    #[test]
    fn a_name_that_does_not_fit_into_a_picture_is_told() {
        assert!(svg(&"x".repeat(10_000)).is_err());
    }
}
