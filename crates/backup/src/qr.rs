//! QR codes (ISO/IEC 18004): for paper as SVG, for a terminal as text.

use std::fmt;

use qrcode::{
    Color, EcLevel, QrCode,
    render::{svg, unicode::Dense1x2},
    types::QrError,
};

use crate::BackupError;

/// The most bytes of a code: version 40 with error correction M, which a crease or a stain does not spoil.
pub const MAX_BYTES: usize = 2_331;

/// A QR code.
pub struct Qr(QrCode);

impl fmt::Debug for Qr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Qr")
    }
}

impl Qr {
    /// Draws a text. One of capitals and digits takes less room than another.
    pub fn new(text: &str) -> Result<Self, BackupError> {
        QrCode::with_error_correction_level(text, EcLevel::M).map(Self).map_err(|error| match error {
            QrError::DataTooLong => BackupError::TooLongForQr { bytes: text.len(), limit: MAX_BYTES },
            other => BackupError::Unsound(format!("the QR code: {other}")),
        })
    }

    /// As an SVG image that can stand in an HTML page.
    pub fn svg(&self) -> String {
        let drawn = self.0.render::<svg::Color<'_>>().min_dimensions(240, 240).build();
        drawn.split_once("?>").map_or(drawn.clone(), |(_, image)| image.trim().to_owned())
    }

    /// As lines of blocks, two rows of the code a line; dark on light, so that a dark terminal shows it right.
    pub fn text(&self) -> String {
        self.0.render::<Dense1x2>().dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).build()
    }

    /// How many dots it has a side, without its quiet zone.
    pub fn width(&self) -> usize {
        self.0.width()
    }

    /// Whether the dot at `x` and `y` is dark.
    pub fn is_dark(&self, x: usize, y: usize) -> bool {
        self.0[(x, y)] == Color::Dark
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a code back with a decoder of somebody else.
    fn read(qr: &Qr) -> String {
        const SCALE: usize = 4;
        const QUIET: usize = 4;
        let side = (qr.width() + 2 * QUIET) * SCALE;
        let dark = |x: usize, y: usize| {
            let (x, y) = ((x / SCALE).checked_sub(QUIET), (y / SCALE).checked_sub(QUIET));
            matches!((x, y), (Some(x), Some(y)) if x < qr.width() && y < qr.width() && qr.is_dark(x, y))
        };
        let mut image =
            rqrr::PreparedImage::prepare_from_greyscale(side, side, |x, y| if dark(x, y) { 0 } else { 255 });
        let grids = image.detect_grids();
        assert_eq!(grids.len(), 1);
        grids[0].decode().unwrap().1
    }

    #[test]
    fn another_decoder_reads_what_was_drawn() {
        for text in
            ["ECHOSHARE1QQQSYQCYQ5RQWZQF", "echo-sealed:mail/relay:YWdlLWVuY3J5cHRpb24=", &"x".repeat(900)]
        {
            assert_eq!(read(&Qr::new(text).unwrap()), text);
        }
    }

    #[test]
    fn what_is_too_long_is_refused_with_its_size() {
        assert!(Qr::new(&"x".repeat(MAX_BYTES)).is_ok());
        let error = Qr::new(&"x".repeat(MAX_BYTES + 1)).unwrap_err();
        assert!(matches!(error, BackupError::TooLongForQr { bytes: 2_332, limit: MAX_BYTES }), "{error}");
    }

    #[test]
    fn the_image_stands_in_a_page() {
        let svg = Qr::new("A").unwrap().svg();
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>"), "{svg}");
    }
}
