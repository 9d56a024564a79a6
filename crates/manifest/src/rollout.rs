//! How a route's requests move from one version to another, as meant: steps, goals, keys. The forms that a person types
//! ("shadow 20% for 10m", "1%", "ask", "bake 30m") are read here, for manifest and command line alike.
//!
//! What is done with it is the business of the crate `rollout`; here nothing happens.

use crate::{Span, Target};
use std::fmt::{self, Display, Formatter};
use std::str::FromStr;
use std::time::Duration;

/// A part of all requests, in hundredths of a percent: 0 to 10 000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Share(u16);

/// A rollout as meant. The new version is the route's `to`.
#[derive(Debug, Clone, PartialEq)]
pub struct Rollout {
    /// The old version.
    pub from: Target,
    /// At least one; shadows first, weights growing, a bake last if there is one.
    pub steps: Vec<Step>,
    pub slo: Slo,
    /// Where the key of a request comes from: the first that has one.
    pub keys: Vec<KeySource>,
    /// How many times as often the new version may fail and still count as not worse. 2.
    pub tolerance: f64,
    /// So many failed requests on the new version end the rollout, whatever the statistics say.
    pub budget: Option<u32>,
    pub inconclusive: Inconclusive,
    /// How long a page of the old version may go on talking to it. 1 h.
    pub skew: Duration,
    /// What a comparison of two answers overlooks: "header date", "$.generated_at", `$.items[*].id`.
    pub ignore: Vec<String>,
    pub span: Span,
}

/// One step on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Copies of a share of the requests go to the new version; its answers are compared and never sent.
    Shadow { share: Share, time: Duration },
    /// A share of the keys is answered by the new version.
    Weight { share: Share, time: Duration },
    /// Waits for a person.
    Ask,
    /// The new version answers everything, the old one stays warm.
    Bake { time: Duration },
}

/// What the route has promised, whichever version answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Slo {
    /// At most this share of the requests fails.
    pub errors: Option<Share>,
    /// 99 % of the answers begin within this time.
    pub p99: Option<Duration>,
}

/// Where the key comes from by which a request is assigned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// A request header, in lower case.
    Header(String),
    /// A claim of the bearer token. It isn't verified: it decides between two versions, not what one may do.
    Claim(String),
    /// A cookie of ours, set for both versions.
    Cookie,
    /// The address of the client.
    Address,
}

/// What happens when a step's time is over and the evidence isn't enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Inconclusive {
    /// Wait for more requests, or a person.
    #[default]
    Hold,
    /// Go back.
    RollBack,
}

/// Why a text is no step, share or key, and what to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadForm {
    pub message: String,
    pub help: &'static str,
}

const STEP_HELP: &str = "write \"shadow 20% for 10m\", \"1% for 5m\", \"50%\", \"ask\" or \"bake 30m\"";
const SHARE_HELP: &str = "write a share such as \"20%\" or \"0.5%\"; hundredths of a percent are the finest";
const KEY_HELP: &str = "write \"header x-user-id\", \"claim sub\", \"cookie\" or \"address\"";

/// How long a step without a time lasts at least.
pub const STEP_TIME: Duration = Duration::from_secs(5 * 60);
const LONGEST: Duration = Duration::from_secs(30 * 24 * 3600);

impl Share {
    /// All.
    pub const ALL: Self = Self(10_000);

    /// From hundredths of a percent; more than all is all.
    pub fn from_basis_points(points: u16) -> Self {
        Self(points.min(10_000))
    }

    pub fn basis_points(self) -> u16 {
        self.0
    }

    /// 0 to 1.
    pub fn fraction(self) -> f64 {
        f64::from(self.0) / 10_000.0
    }
}

impl Display for Share {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match (self.0 / 100, self.0 % 100) {
            (whole, 0) => write!(out, "{whole}%"),
            (whole, rest) if rest % 10 == 0 => write!(out, "{whole}.{}%", rest / 10),
            (whole, rest) => write!(out, "{whole}.{rest:02}%"),
        }
    }
}

impl FromStr for Share {
    type Err = BadForm;

    fn from_str(text: &str) -> Result<Self, BadForm> {
        let bad = || BadForm { message: format!("`{text}` is no share"), help: SHARE_HELP };
        let number = text.trim().strip_suffix('%').map(str::trim_end).ok_or_else(bad)?;
        let (whole, rest) = number.split_once('.').unwrap_or((number, "0"));
        let digits = |part: &str| !part.is_empty() && part.len() <= 3 && part.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(rest) || rest.len() > 2 {
            return Err(bad());
        }
        let whole: u16 = whole.parse().map_err(|_| bad())?;
        let hundredths: u16 = format!("{rest:0<2}").parse().map_err(|_| bad())?;
        let points = whole * 100 + hundredths;
        if points > 10_000 {
            return Err(BadForm { message: format!("`{text}` is more than everything"), help: SHARE_HELP });
        }
        Ok(Self(points))
    }
}

impl FromStr for Step {
    type Err = BadForm;

    fn from_str(text: &str) -> Result<Self, BadForm> {
        let bad = |message: String| BadForm { message, help: STEP_HELP };
        let words: Vec<_> = text.split_whitespace().collect();
        let time = |word: &str| match humantime::parse_duration(word) {
            Ok(time) if time <= LONGEST => Ok(time),
            Ok(_) => Err(bad(format!("the step `{text}` lasts longer than 30 days"))),
            Err(_) => Err(bad(format!("the step `{text}`: `{word}` is no duration"))),
        };
        let share = |word: &str| {
            word.parse::<Share>()
                .map_err(|error| BadForm { message: format!("the step `{text}`: {}", error.message), ..error })
        };
        match words.as_slice() {
            ["ask"] => Ok(Self::Ask),
            ["bake", word] | ["bake", "for", word] => Ok(Self::Bake { time: time(word)? }),
            ["shadow", part] => Ok(Self::Shadow { share: share(part)?, time: STEP_TIME }),
            ["shadow", part, "for", word] => Ok(Self::Shadow { share: share(part)?, time: time(word)? }),
            [part] if part.ends_with('%') => Ok(Self::Weight { share: share(part)?, time: STEP_TIME }),
            [part, "for", word] if part.ends_with('%') => Ok(Self::Weight { share: share(part)?, time: time(word)? }),
            _ => Err(bad(format!("`{text}` is no step of a rollout"))),
        }
    }
}

impl Display for Step {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let time = |time: &Duration| humantime::format_duration(*time).to_string().replace(' ', "");
        match self {
            Self::Shadow { share, time: long } => write!(out, "shadow {share} for {}", time(long)),
            Self::Weight { share, time: long } => write!(out, "{share} for {}", time(long)),
            Self::Ask => write!(out, "ask"),
            Self::Bake { time: long } => write!(out, "bake {}", time(long)),
        }
    }
}

impl FromStr for KeySource {
    type Err = BadForm;

    fn from_str(text: &str) -> Result<Self, BadForm> {
        let token = |name: &str| {
            !name.is_empty()
                && name.len() <= 64
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        };
        match text.split_whitespace().collect::<Vec<_>>().as_slice() {
            ["cookie"] => Ok(Self::Cookie),
            ["address"] => Ok(Self::Address),
            ["header", name] if token(name) => Ok(Self::Header(name.to_ascii_lowercase())),
            ["claim", name] if token(name) => Ok(Self::Claim((*name).to_owned())),
            _ => Err(BadForm { message: format!("`{text}` is no key of a rollout"), help: KEY_HELP }),
        }
    }
}

impl Display for KeySource {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header(name) => write!(out, "header {name}"),
            Self::Claim(name) => write!(out, "claim {name}"),
            Self::Cookie => write!(out, "cookie"),
            Self::Address => write!(out, "address"),
        }
    }
}

/// The steps of a rollout that names none.
pub fn default_steps() -> Vec<Step> {
    let minutes = |count: u64| Duration::from_secs(count * 60);
    let weight = |points, time: u64| Step::Weight { share: Share(points), time: minutes(time) };
    vec![
        Step::Shadow { share: Share(2000), time: minutes(10) },
        weight(100, 5),
        weight(1000, 5),
        weight(5000, 10),
        Step::Bake { time: minutes(30) },
    ]
}

/// What is wrong with the order of steps: the position of the first that is out of place, and why.
///
/// # Errors
/// Shadows come first, weights grow, a bake ends it, and something must happen.
pub fn check_order(steps: &[Step]) -> Result<(), (usize, BadForm)> {
    let bad = |at: usize, message: String, help: &'static str| Err((at, BadForm { message, help }));
    let mut weight = Share(0);
    let mut baked = false;
    for (at, step) in steps.iter().enumerate() {
        match step {
            _ if baked => {
                return bad(
                    at,
                    format!("`{step}` comes after the bake, which ends a rollout"),
                    "move it before the bake",
                );
            }
            Step::Shadow { .. } if weight > Share(0) => {
                return bad(
                    at,
                    format!("`{step}` comes after {weight} of the requests were moved"),
                    "put shadows first: nothing is at stake then",
                );
            }
            Step::Shadow { share, .. } if *share == Share(0) => {
                return bad(at, format!("`{step}` copies nothing"), SHARE_HELP);
            }
            Step::Weight { share, .. } if *share <= weight => {
                return bad(
                    at,
                    format!("`{step}` is no more than the {weight} before it"),
                    "weights grow from step to step; `coracle rollout abort` goes back",
                );
            }
            Step::Weight { share, .. } if *share == Share::ALL => {
                return bad(
                    at,
                    format!("`{step}` leaves nothing to compare with"),
                    "write \"bake 30m\": the new version answers everything, the old one stays warm",
                );
            }
            Step::Weight { share, .. } => weight = *share,
            Step::Bake { .. } => baked = true,
            Step::Shadow { .. } | Step::Ask => {}
        }
    }
    if weight == Share(0) {
        return bad(
            steps.len(),
            "no step gives the new version requests to answer, so nothing could be proven".to_owned(),
            "add one such as \"10% for 5m\"",
        );
    }
    Ok(())
}
