//! The order of object members: by UTF-16 code units of the key (RFC 8785, 3.2.3), computed on UTF-8.

use core::cmp::Ordering;

/// Compares two keys as RFC 8785 sorts them.
///
/// UTF-8 order is code point order. UTF-16 order differs in one place only: characters above U+FFFF are
/// written with surrogates (D800-DFFF) and so sort *before* U+E000-U+FFFF. In UTF-8 the latter start with
/// 0xEE or 0xEF and the former with 0xF0-0xF4, so lifting those two lead bytes above 0xF4 gives UTF-16 order.
/// Continuation bytes stay below 0xC0 and are never lifted.
pub(super) fn key_order(left: &str, right: &str) -> Ordering {
    let lifted = |byte: u8| if matches!(byte, 0xEE | 0xEF) { byte + 0x10 } else { byte };
    left.bytes().map(lifted).cmp(right.bytes().map(lifted))
}

#[cfg(test)]
mod tests {
    use super::key_order;
    use alloc::vec::Vec;

    #[test]
    fn agrees_with_utf16_for_all_pairs_of_telling_characters() {
        let telling =
            ["", "a", "\u{7f}", "\u{80}", "\u{d7ff}", "\u{e000}", "\u{fb33}", "\u{ffff}", "\u{10000}", "😂"];
        for left in telling {
            for right in telling {
                let utf16 = |text: &str| text.encode_utf16().collect::<Vec<u16>>();
                assert_eq!(key_order(left, right), utf16(left).cmp(&utf16(right)), "{left:?} {right:?}");
            }
        }
    }
}
