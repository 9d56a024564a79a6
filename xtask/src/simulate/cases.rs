//! What is simulated: traffic, what is wrong with the new version, and the bars that the verdict must pass.

/// One situation.
#[derive(Clone)]
pub struct Case {
    /// The section of the table it belongs to.
    pub group: &'static str,
    pub title: String,
    /// Requests a second, of both versions.
    pub total: f64,
    /// The share of the new version, from so many minutes on.
    pub shares: Vec<(f64, f64)>,
    pub minutes: f64,
    /// Failures of the old version, 0 to 1.
    pub errors: f64,
    pub wrong: Wrong,
    /// When it begins, in minutes.
    pub from: f64,
    pub bar: Bar,
}

/// What is wrong with the new version.
#[derive(Clone, Copy, PartialEq)]
pub enum Wrong {
    Nothing,
    /// It fails so many times as often.
    Errors(f64),
    /// Everything takes so many times as long.
    Slower(f64),
    /// The slow ones, 1.5 % of all, take so many times as long.
    Tail(f64),
    /// It traps at this rate.
    Traps(f64),
    /// This share of compared answers differs.
    Mismatches(f64),
}

/// What must come out.
#[derive(Clone, Copy, PartialEq)]
pub enum Bar {
    None,
    /// At most this share is rolled back.
    FalseAlarms(f64),
    /// At least 99 % are rolled back, half of them within so many minutes.
    Caught(f64),
    /// Never an alarm, never a proof: not enough to tell, in at least this share.
    NotEnough(f64),
}

/// 0.2 %.
const FALSE_ALARMS: f64 = 0.002;

pub fn all() -> Vec<Case> {
    let mut cases = errors();
    cases.extend(latency());
    cases.extend(others());
    cases
}

fn case(group: &'static str, (total, share): (f64, f64), errors: f64, wrong: Wrong, bar: Bar) -> Case {
    let title =
        format!("{total} a second, {} % to the new version ({:.0} a minute)", share * 100.0, total * share * 60.0);
    Case { group, title, total, shares: vec![(0.0, share)], minutes: 30.0, errors, wrong, from: 0.0, bar }
}

fn errors() -> Vec<Case> {
    let mut cases = Vec::new();
    let few = (1.0, 0.05);
    let usual = (50.0, 0.05);
    let many = (1000.0, 0.01);
    for (traffic, base, bars) in [
        (few, 0.002, [Bar::NotEnough(0.99), Bar::None, Bar::None]),
        (usual, 0.002, [Bar::FalseAlarms(FALSE_ALARMS), Bar::None, Bar::Caught(2.0)]),
        (usual, 0.02, [Bar::FalseAlarms(FALSE_ALARMS), Bar::None, Bar::Caught(2.0)]),
        (many, 0.002, [Bar::FalseAlarms(FALSE_ALARMS), Bar::None, Bar::Caught(2.0)]),
    ] {
        for (wrong, bar) in [Wrong::Nothing, Wrong::Errors(3.0), Wrong::Errors(10.0)].into_iter().zip(bars) {
            cases.push(case("Failures", traffic, base, wrong, bar));
        }
    }
    cases
}

fn latency() -> Vec<Case> {
    let mut cases = Vec::new();
    for (traffic, bars) in [
        ((5.0, 0.1), [Bar::FalseAlarms(FALSE_ALARMS), Bar::None, Bar::None, Bar::None]),
        ((50.0, 0.05), [Bar::FalseAlarms(FALSE_ALARMS), Bar::None, Bar::Caught(6.0), Bar::Caught(5.0)]),
        ((200.0, 0.1), [Bar::FalseAlarms(FALSE_ALARMS), Bar::None, Bar::Caught(6.0), Bar::Caught(5.0)]),
    ] {
        let wrongs = [Wrong::Nothing, Wrong::Slower(1.1), Wrong::Slower(1.3), Wrong::Tail(3.0)];
        for (wrong, bar) in wrongs.into_iter().zip(bars) {
            cases.push(case("Latency", traffic, 0.002, wrong, bar));
        }
    }
    cases
}

fn others() -> Vec<Case> {
    let usual = (50.0, 0.05);
    let ramp = vec![(0.0, 0.01), (5.0, 0.1), (10.0, 0.5)];
    let ramped = |wrong, bar| Case {
        title: "50 a second, 1 % → 10 % → 50 %".to_owned(),
        shares: ramp.clone(),
        ..case("A whole rollout", usual, 0.002, wrong, bar)
    };
    vec![
        ramped(Wrong::Nothing, Bar::FalseAlarms(FALSE_ALARMS)),
        Case { minutes: 120.0, ..ramped(Wrong::Nothing, Bar::FalseAlarms(FALSE_ALARMS)) },
        Case {
            from: 60.0,
            minutes: 120.0,
            title: "50 a second, 1 % → 10 % → 50 %; begins after an hour without a fault".to_owned(),
            ..ramped(Wrong::Errors(10.0), Bar::Caught(2.0))
        },
        case("Traps and shadows", usual, 0.002, Wrong::Traps(0.05), Bar::Caught(1.0)),
        Case {
            title: "shadow of 150 a minute".to_owned(),
            ..case("Traps and shadows", usual, 0.0, Wrong::Mismatches(0.0005), Bar::FalseAlarms(FALSE_ALARMS))
        },
        Case {
            title: "shadow of 150 a minute".to_owned(),
            ..case("Traps and shadows", usual, 0.0, Wrong::Mismatches(0.05), Bar::Caught(2.0))
        },
    ]
}

impl std::fmt::Display for Wrong {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Nothing => write!(out, "nothing"),
            Self::Errors(times) => write!(out, "fails {times} × as often"),
            Self::Slower(times) => write!(out, "everything {:.0} % slower", (times - 1.0) * 100.0),
            Self::Tail(times) => write!(out, "the slowest 1.5 % take {times} × as long"),
            Self::Traps(rate) => write!(out, "traps at {} %", rate * 100.0),
            Self::Mismatches(rate) => write!(out, "{} % of answers differ", rate * 100.0),
        }
    }
}
