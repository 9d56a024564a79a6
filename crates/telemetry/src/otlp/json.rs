//! Where OTLP's JSON differs from what serde does by itself: ids are hex, 64-bit numbers are strings (numbers are read too), bytes are
//! base64.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serializer};

/// Ids.
pub mod hex {
    use super::{Deserialize as _, Deserializer, Serializer};
    use serde::de::Error as _;
    use std::fmt::Write as _;

    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = String::with_capacity(2 * bytes.len());
        for byte in bytes {
            // Writing to a String can't fail.
            let _ = write!(text, "{byte:02x}");
        }
        serializer.serialize_str(&text)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digits: Option<Vec<u32>> = text.chars().map(|c| c.to_digit(16)).collect();
        let digits = digits.filter(|digits| digits.len() % 2 == 0).ok_or_else(|| D::Error::custom("an id is hex"))?;
        let (pairs, _) = digits.as_chunks::<2>();
        Ok(pairs.iter().filter_map(|[high, low]| u8::try_from(high * 16 + low).ok()).collect())
    }
}

/// What a 64-bit number may look like.
#[derive(Deserialize)]
#[serde(untagged)]
enum Number<T> {
    Number(T),
    Text(String),
}

impl<T: std::str::FromStr> Number<T> {
    fn get<E: serde::de::Error>(self) -> Result<T, E> {
        match self {
            Self::Number(n) => Ok(n),
            Self::Text(text) => text.parse().map_err(|_| E::custom("not a number")),
        }
    }
}

/// 64-bit numbers.
pub mod number {
    use super::{Deserialize, Deserializer, Number, Serializer};

    pub fn serialize<S: Serializer, T: std::fmt::Display>(n: &T, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(n)
    }

    pub fn deserialize<'de, D, T>(deserializer: D) -> Result<T, D::Error>
    where
        D: Deserializer<'de>,
        T: Deserialize<'de> + std::str::FromStr,
    {
        Number::deserialize(deserializer)?.get()
    }
}

/// Lists of 64-bit numbers.
pub mod numbers {
    use super::{Deserialize as _, Deserializer, Number, Serializer};

    pub fn serialize<S: Serializer>(list: &[u64], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(list.iter().map(ToString::to_string))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u64>, D::Error> {
        Vec::<Number<u64>>::deserialize(deserializer)?.into_iter().map(Number::get).collect()
    }
}

/// Floats, of which some are no JSON numbers.
pub mod double {
    use super::{Deserialize as _, Deserializer, Number, Serializer};

    pub fn serialize<S: Serializer>(n: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        match *n {
            n if n.is_finite() => serializer.serialize_f64(n),
            n if n.is_nan() => serializer.serialize_str("NaN"),
            n => serializer.serialize_str(if n > 0.0 { "Infinity" } else { "-Infinity" }),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        Number::deserialize(deserializer)?.get()
    }
}

/// Bytes.
pub mod base64 {
    use super::{Deserialize as _, Deserializer, Serializer, decode};
    use serde::de::Error as _;

    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
        for chunk in bytes.chunks(3) {
            let at = |n: usize| u32::from(chunk.get(n).copied().unwrap_or(0));
            let bits = at(0) << 16 | at(1) << 8 | at(2);
            for digit in 0..4 {
                let index = usize::try_from(bits >> (18 - 6 * digit) & 63).unwrap_or(0);
                let there = digit as usize <= chunk.len();
                text.push(DIGITS.get(index).filter(|_| there).map_or('=', |byte| char::from(*byte)));
            }
        }
        serializer.serialize_str(&text)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        decode(&String::deserialize(deserializer)?).ok_or_else(|| D::Error::custom("not base64"))
    }
}

/// Bytes of standard or URL-safe base64, padded or not.
fn decode(text: &str) -> Option<Vec<u8>> {
    let (mut bytes, mut bits, mut count) = (Vec::with_capacity(text.len() * 3 / 4), 0_u32, 0);
    for digit in text.trim_end_matches('=').bytes() {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 0xff).ok()?);
        }
    }
    Some(bytes)
}

/// A message of OTLP/JSON.
///
/// # Errors
/// When it is not JSON, or not of this shape.
pub fn read<'de, T: Deserialize<'de>>(body: &'de [u8]) -> Result<T, serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let message = T::deserialize(&mut reader)?;
    reader.end().map_err(|_| serde_json::Error::custom("there is more after the message"))?;
    Ok(message)
}
