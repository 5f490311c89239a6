//! Text that Python allows and Rust does not: lone surrogates, as the three bytes of WTF-8.

use crate::value::Value;

impl Value {
    /// Text from WTF-8: a `Str` where it is UTF-8.
    #[must_use]
    pub fn from_wtf8(content: Vec<u8>) -> Value {
        String::from_utf8(content).map_or_else(|error| Value::Wtf8(error.into_bytes()), Value::Str)
    }
}

/// Whether bytes are UTF-8 but for surrogates.
pub(crate) fn is_wtf8(mut content: &[u8]) -> bool {
    loop {
        let Err(error) = std::str::from_utf8(content) else { return true };
        let Some(rest) = content.get(error.valid_up_to()..) else { return false };
        if rest.get(..3).and_then(surrogate).is_none() {
            return false;
        }
        content = rest.get(3..).unwrap_or_default();
    }
}

/// One text after the other.
pub(crate) fn joined(a: &[u8], b: &[u8]) -> Vec<u8> {
    // A high surrogate before a low one is one character: WTF-8 writes it as four bytes.
    if let (Some(high), Some(low)) = (surrogate_at_end(a), surrogate_at_start(b)) {
        let code = 0x1_0000 + ((high - 0xD800) << 10) + (low - 0xDC00);
        if let Some(character) = char::from_u32(code) {
            let mut out = a.get(..a.len() - 3).unwrap_or_default().to_vec();
            out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            out.extend_from_slice(b.get(3..).unwrap_or_default());
            return out;
        }
    }
    [a, b].concat()
}

fn surrogate_at_end(text: &[u8]) -> Option<u32> {
    surrogate(text.get(text.len().checked_sub(3)?..)?).filter(|code| *code < 0xDC00)
}

fn surrogate_at_start(text: &[u8]) -> Option<u32> {
    surrogate(text.get(..3)?).filter(|code| *code >= 0xDC00)
}

fn surrogate(bytes: &[u8]) -> Option<u32> {
    match bytes {
        [0xED, middle @ 0xA0..=0xBF, last] => {
            Some(0xD000 | (u32::from(*middle & 0x3F) << 6) | u32::from(*last & 0x3F))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn surrogate_halves_join() {
        let high = Value::Wtf8(vec![0xED, 0xA0, 0xBD]);
        let low = Value::Wtf8(vec![0xED, 0xB8, 0x80]);
        assert_eq!(high.add(&low).unwrap().as_str(), Some("\u{1F600}"));
    }

    #[test]
    fn only_surrogates_are_allowed_beyond_utf8() {
        assert!(is_wtf8("plain \u{e9}".as_bytes()));
        assert!(is_wtf8(&[b'a', 0xED, 0xA0, 0x80, b'b', 0xED, 0xBF, 0xBF]));
        assert!(!is_wtf8(&[0xED, 0xA0]));
        assert!(!is_wtf8(&[0xFF]));
        assert!(!is_wtf8(&[0xC3]));
    }
}
