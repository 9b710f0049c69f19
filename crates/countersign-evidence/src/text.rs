//! Text from elsewhere, made visible before it reaches a terminal or a page: what is shown must be what was said.
//!
//! Control characters could move the cursor, bidirectional and invisible ones could make one text look like another
//! (Unicode Technical Report 36, section 2.5). All of them are written as escapes.

use std::fmt::Write as _;

/// The text with everything that could hide, move or reorder it escaped as `\u{…}`.
#[must_use]
pub fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if is_hidden(character) {
            // Writing to a string cannot fail.
            let _ = write!(shown, "\\u{{{:x}}}", u32::from(character));
        } else {
            shown.push(character);
        }
    }
    shown
}

fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character,
            // Soft hyphen, combining joiner, letter marks, Hangul and Mongolian fillers and separators.
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
            // Zero-width characters and marks, line separators, bidirectional controls.
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            // Variation selectors, byte order mark, fillers, interlinear annotations, tags.
            | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_deceive_is_escaped_and_everything_else_is_left_alone() {
        assert_eq!(visible("Zoë, 東京, 100 €"), "Zoë, 東京, 100 €");
        assert_eq!(visible("a\u{1b}[2Jb"), "a\\u{1b}[2Jb");
        assert_eq!(visible("pay\u{202e}001"), "pay\\u{202e}001");
        assert_eq!(visible("one\ntwo\u{200b}"), "one\\u{a}two\\u{200b}");
    }
}
