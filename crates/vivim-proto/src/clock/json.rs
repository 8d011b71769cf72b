//! Clocks as JSON objects: `{"device": 3, …}`, keys sorted.

use std::fmt::Write as _;

use super::VectorClock;
use crate::limits::{MAX_CLOCK_COUNT, MAX_CLOCK_ENTRIES, MAX_CLOCK_KEY};

/// Why a text is no clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClockError {
    /// It is not an object in JSON, or ends too early.
    #[error("byte {0} is not what a JSON object of counts has there")]
    Syntax(usize),
    /// A count is negative, not whole, or above [`MAX_CLOCK_COUNT`].
    #[error("the count at byte {0} is not a whole number of 0..=2^53-1")]
    Count(usize),
    /// A key has more than [`MAX_CLOCK_KEY`] bytes.
    #[error("the key at byte {0} is longer than {MAX_CLOCK_KEY} bytes")]
    KeyTooLong(usize),
    /// There are more than [`MAX_CLOCK_ENTRIES`] keys.
    #[error("there are more than {MAX_CLOCK_ENTRIES} keys")]
    TooMany,
}

impl VectorClock<String> {
    /// The clock as a JSON object, keys sorted.
    pub fn to_json(&self) -> String {
        let mut out = String::from("{");
        for (key, count) in self.iter() {
            if out.len() > 1 {
                out.push(',');
            }
            quote(key, &mut out);
            // Writing into a string can't fail.
            let _ = write!(out, ":{count}");
        }
        out.push('}');
        out
    }

    /// Reads what [`to_json`](Self::to_json) or `JSON.stringify` wrote. Of a key that comes twice
    /// the larger count holds.
    ///
    /// # Errors
    ///
    /// See [`ClockError`]: what comes from elsewhere is bounded in keys, their length and counts.
    pub fn from_json(json: &str) -> Result<Self, ClockError> {
        let mut parser = Parser { text: json, at: 0 };
        let mut clock = Self::new();
        parser.take('{')?;
        if parser.peek() == Some('}') {
            parser.take('}')?;
            return parser.end(clock);
        }
        loop {
            let key = parser.string()?;
            parser.take(':')?;
            let count = parser.count()?;
            clock.observe(key, count);
            if clock.len() > MAX_CLOCK_ENTRIES {
                return Err(ClockError::TooMany);
            }
            match parser.peek() {
                Some(',') => parser.take(',')?,
                _ => {
                    parser.take('}')?;
                    return parser.end(clock);
                }
            }
        }
    }
}

fn quote(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c < ' ' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl Parser<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn syntax<T>(&self) -> Result<T, ClockError> {
        Err(ClockError::Syntax(self.at))
    }

    /// The next character behind white space, which is skipped.
    fn peek(&mut self) -> Option<char> {
        let rest = self.rest();
        let space = rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r']).len();
        self.at += space;
        self.rest().chars().next()
    }

    fn take(&mut self, wanted: char) -> Result<(), ClockError> {
        if self.peek() != Some(wanted) {
            return self.syntax();
        }
        self.at += wanted.len_utf8();
        Ok(())
    }

    fn end<T>(mut self, value: T) -> Result<T, ClockError> {
        if self.peek().is_some() { self.syntax() } else { Ok(value) }
    }

    fn next(&mut self) -> Result<char, ClockError> {
        let Some(c) = self.rest().chars().next() else { return self.syntax() };
        self.at += c.len_utf8();
        Ok(c)
    }

    fn count(&mut self) -> Result<u64, ClockError> {
        self.peek();
        let digits = self.rest().bytes().take_while(u8::is_ascii_digit).count();
        let text = self.rest().get(..digits).unwrap_or_default();
        let after = self.rest().as_bytes().get(digits);
        let whole = !matches!(after, Some(b'.' | b'e' | b'E' | b'-'));
        let plain = digits == 1 || !text.starts_with('0');
        match text.parse() {
            Ok(count) if whole && plain && count <= MAX_CLOCK_COUNT => {
                self.at += digits;
                Ok(count)
            }
            _ => Err(ClockError::Count(self.at)),
        }
    }

    fn string(&mut self) -> Result<String, ClockError> {
        self.take('"')?;
        let start = self.at;
        let mut out = String::new();
        loop {
            if out.len() > MAX_CLOCK_KEY {
                return Err(ClockError::KeyTooLong(start));
            }
            match self.next()? {
                '"' => return Ok(out),
                '\\' => out.push(self.escape()?),
                c if c < ' ' => return self.syntax(),
                c => out.push(c),
            }
        }
    }

    fn escape(&mut self) -> Result<char, ClockError> {
        Ok(match self.next()? {
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            c @ ('"' | '\\' | '/') => c,
            'u' => {
                let high = self.hex()?;
                let code = match high {
                    0xd800..0xdc00 if self.rest().starts_with("\\u") => {
                        self.at += 2;
                        let low = self.hex()?;
                        let low = low.checked_sub(0xdc00).filter(|low| *low < 0x400);
                        let Some(low) = low else { return self.syntax() };
                        0x10000 + ((high - 0xd800) << 10) + low
                    }
                    code => code,
                };
                // Half a surrogate pair is no character.
                char::from_u32(code).ok_or(ClockError::Syntax(self.at))?
            }
            _ => return self.syntax(),
        })
    }

    fn hex(&mut self) -> Result<u32, ClockError> {
        let digits = self.rest().get(..4).filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()));
        let Some(Ok(code)) = digits.map(|digits| u32::from_str_radix(digits, 16)) else {
            return self.syntax();
        };
        self.at += 4;
        Ok(code)
    }
}
