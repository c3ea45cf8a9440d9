//! Keys and values on the command line: text, or bytes as hexadecimal digits.

use bytes::Bytes;
use clap::Args;

/// How keys and values are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Args)]
pub(super) struct Encoding {
    /// Keys and values are bytes, written as hexadecimal digits
    #[arg(long = "hex")]
    is_hex: bool,
}

impl Encoding {
    /// The bytes of what was written.
    pub(super) fn read(self, text: &str) -> Result<Bytes, String> {
        if !self.is_hex {
            return Ok(Bytes::copy_from_slice(text.as_bytes()));
        }
        let wrong = |why: hex::FromHexError| {
            format!("'{text}' are no hexadecimal digits, two for each byte: {why}")
        };
        hex::decode(text).map(Bytes::from).map_err(wrong)
    }

    /// Bytes as they are written. What is no text is told from it by its escapes.
    pub(super) fn write(self, bytes: &[u8]) -> String {
        if self.is_hex {
            return hex::encode(bytes);
        }
        match std::str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(_) => bytes.escape_ascii().to_string(),
        }
    }
}

/// The first key after all that begin with a prefix, if there is one.
pub(super) fn after_prefix(prefix: &[u8]) -> Option<Bytes> {
    let kept = prefix.iter().rposition(|byte| *byte < u8::MAX)?;
    let mut after = prefix[..=kept].to_vec();
    after[kept] += 1;
    Some(after.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_written_as_they_are_read() {
        let hex = Encoding { is_hex: true };
        assert_eq!(hex.read("00ff10").map(|bytes| hex.write(&bytes)), Ok("00ff10".to_owned()));
        assert!(hex.read("0").is_err() && hex.read("zz").is_err() && hex.read("é").is_err());
        assert_eq!(Encoding::default().write(b"\xff"), "\\xff");
    }

    #[test]
    fn what_begins_with_a_prefix_ends_somewhere() {
        assert_eq!(after_prefix(b"ab").as_deref(), Some(b"ac".as_slice()));
        assert_eq!(after_prefix(b"a\xff").as_deref(), Some(b"b".as_slice()));
        assert_eq!(after_prefix(b"\xff"), None);
        assert_eq!(after_prefix(b""), None);
    }
}
