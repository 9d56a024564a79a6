//! Why an admin call about a rollout did nothing. Made by `rollout`, told by `respond`.

/// Why a wish wasn't granted, in words for whoever asked.
#[derive(Debug)]
pub enum NotDone {
    /// No such rollout or route.
    Unknown(String),
    /// The call makes no sense.
    Malformed(String),
    /// It may not be.
    Refused(String),
    /// The log can't be written, or the writer has ended.
    Broken(String),
}
