//! The wire form of the result: a unit of work with everything that is known about it, and the inventory of all units.
//!
//! `inventory adopt` is to read these, so a unit holds its signature, a suggested WIT, samples, and a place for the gain
//! that was measured after the move beside the one that was predicted.

use crate::cost::{Cost, Flame};
use crate::crates::Work;
use crate::facts::Signals;
use crate::frameworks::Framework;
use crate::model::{Gain, Interval};
use crate::notes::Note;
use crate::portability::Status;
use serde::Serialize;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum UnitKind {
    Route,
    Middleware,
    /// Calls of a package that is in the map, from one function.
    CallSite,
    Function,
    Module,
}

impl UnitKind {
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Route => "route",
            Self::Middleware => "middleware",
            Self::CallSite => "call site",
            Self::Function => "function",
            Self::Module => "module",
        }
    }
}

/// A line of source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Spot {
    pub file: String,
    pub line: u32,
    /// The function it is in; empty for the module itself.
    pub within: String,
}

/// An API that a unit reaches, what that means, and how it is reached.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Reach {
    pub api: String,
    pub status: Status,
    pub note: String,
    /// From the unit to the line that uses the API.
    pub chain: Vec<Spot>,
    /// The chain goes through a dependency.
    pub by_package: Option<String>,
}

/// A package of the map that a unit uses.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PackageUse {
    pub name: String,
    pub version: String,
    /// What is read from it: `sign`, `parse`.
    pub members: Vec<String>,
    pub at: Vec<Spot>,
    #[serde(rename = "crate")]
    pub krate: String,
    pub crate_version: String,
    pub work: Work,
    pub differences: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Parameter {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Signature {
    pub parameters: Vec<Parameter>,
    pub returns: Option<String>,
    pub is_async: bool,
    /// A WIT function or world that would carry it; absent when the types don't tell.
    pub wit: Option<String>,
}

/// How much code a move takes along.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Size {
    /// Lines of the project's own functions.
    pub lines: u32,
    pub functions: u32,
    pub files: u32,
    pub packages: Vec<String>,
    /// Variables that it shares with code that stays.
    pub state: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Use an existing crate.
    Adopt,
    Rewrite,
    /// The whole route or middleware, as a JavaScript component.
    Move,
    Leave,
}

impl Action {
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Adopt => "adopt",
            Self::Rewrite => "rewrite",
            Self::Move => "move",
            Self::Leave => "leave",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The whole interval is a gain.
    Now,
    /// It may gain: try it, or measure first.
    Prototype,
    NotYet,
    Never,
}

impl Verdict {
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Now => "now",
            Self::Prototype => "prototype",
            Self::NotYet => "not yet",
            Self::Never => "never",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Advice {
    pub action: Action,
    pub verdict: Verdict,
    /// One sentence.
    pub summary: String,
    pub reasons: Vec<String>,
    /// What stands against it.
    pub against: Vec<String>,
}

/// A part of the score with what it rests on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Term {
    pub name: &'static str,
    pub value: f64,
    pub weight: f64,
    pub evidence: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Score {
    /// 0 to 100.
    pub value: f64,
    pub terms: Vec<Term>,
    pub portability: f64,
    pub effort: f64,
    /// 0 to 1; what is missing lowers it.
    pub confidence: f64,
    pub missing: Vec<String>,
}

/// A request and its answer, as recorded: what a replacement must give too.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sample {
    pub method: String,
    pub url: String,
    pub status: u16,
    pub bytes_in: u64,
    pub bytes_out: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Unit {
    /// Stays the same while the code around it changes: kind, file and name.
    pub id: String,
    pub kind: UnitKind,
    pub name: String,
    pub file: String,
    pub line: u32,
    pub end_line: u32,
    /// The route or middleware whose move would take it along.
    pub part_of: Option<String>,
    pub framework: Option<Framework>,
    pub signature: Signature,
    pub size: Size,
    pub signals: Signals,
    pub work: Work,
    pub reaches: Vec<Reach>,
    pub packages: Vec<PackageUse>,
    /// Why it is good to have it isolated.
    pub isolation: Vec<String>,
    pub cost: Option<Cost>,
    /// Bytes in and out of a call, and where the numbers come from.
    pub bytes: Interval,
    pub bytes_from: &'static str,
    pub gain: Option<Gain>,
    /// The gain after the move, as a part of the busy time; filled in by `--measured`.
    pub measured_gain: Option<f64>,
    pub advice: Advice,
    pub score: Score,
    pub samples: Vec<Sample>,
    /// Lines of the source, the first few.
    pub excerpt: String,
}

impl Unit {
    /// It is no part of another unit that is worth moving.
    #[must_use]
    pub fn stands_alone(&self) -> bool {
        self.part_of.is_none()
    }
}

/// What was read.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Scope {
    pub root: String,
    pub entries: Vec<String>,
    pub files: usize,
    pub lines: u64,
    pub own_files: usize,
    pub own_lines: u64,
    pub packages: usize,
    pub from_cache: usize,
}

/// The versions of the data that the result rests on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rests {
    pub portability: String,
    pub crates: String,
    pub constants: String,
}

/// The result of a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Inventory {
    /// The version of this form.
    pub format: u32,
    pub scope: Scope,
    pub rests_on: Rests,
    pub profiled: bool,
    /// Whether anything is worth moving, in one sentence.
    pub verdict: String,
    /// The best first.
    pub units: Vec<Unit>,
    pub notes: Vec<Note>,
    pub busy_us: f64,
    pub duration_us: f64,
    pub flame: Vec<Flame>,
}
