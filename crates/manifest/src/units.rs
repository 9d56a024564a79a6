//! Sizes and durations as people write them: "64MiB", "64 MB", 65536; "200ms", "2s", "1m 30s".
//! The messages show the accepted forms.

use crate::Diagnostics;
use crate::value::{Node, Value};
use std::time::Duration;

const SIZE_FORMS: &str = "write a size such as \"64KiB\", \"64 MB\" or \"1GiB\", or a number of bytes";
const DURATION_FORMS: &str = "write a duration such as \"200ms\", \"2s\", \"1m 30s\" or \"1h\"";

/// The longest duration that is accepted: far above any use, far below any overflow.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

impl Node {
    /// A number of bytes, or a note that `what` must be one.
    pub fn bytes(&self, diags: &mut Diagnostics, what: &str) -> Option<u64> {
        match &self.value {
            Value::Integer(number) => match u64::try_from(*number) {
                Ok(bytes) => Some(bytes),
                Err(_) => self.invalid(diags, format!("{what} can't be negative"), SIZE_FORMS),
            },
            Value::String(text) => match text.parse::<bytesize::ByteSize>() {
                Ok(size) if i64::try_from(size.as_u64()).is_ok() => Some(size.as_u64()),
                _ => self.invalid(diags, format!("{what}: `{text}` is not a size"), SIZE_FORMS),
            },
            _ => self.mistyped(diags, what, "a size", Some(SIZE_FORMS.to_owned())),
        }
    }

    /// A duration, or a note that `what` must be one. A bare number is refused, for it has no unit.
    pub fn duration(&self, diags: &mut Diagnostics, what: &str) -> Option<Duration> {
        match &self.value {
            Value::String(text) => match humantime::parse_duration(text) {
                Ok(duration) if duration <= LONGEST => Some(duration),
                Ok(_) => self.invalid(diags, format!("{what}: `{text}` is longer than a year"), DURATION_FORMS),
                Err(_) => self.invalid(diags, format!("{what}: `{text}` is not a duration"), DURATION_FORMS),
            },
            Value::Integer(number) => {
                let help = format!("say the unit: \"{number}s\" or \"{number}ms\"");
                self.invalid(diags, format!("{what} is a number without a unit"), help)
            }
            _ => self.mistyped(diags, what, "a duration", Some(DURATION_FORMS.to_owned())),
        }
    }
}
