//! No input makes the checker or its report panic, hang or overflow.

use crate::support::{checked, options};
use coracle_manifest::{App, Flags, MAX_BYTES, PathPattern, Source};
use proptest::prelude::*;
use std::path::PathBuf;
use std::time::{Duration, Instant};

const GOOD: &str = include_str!("../good/storefront.toml");

/// Checks, renders and gives JSON for any bytes.
fn survives(bytes: Vec<u8>) {
    for env in [None, Some("prod")] {
        let (_, diags, source) = checked(Source::from_bytes("coracle.toml", bytes.clone()), env);
        let report = diags.render(&source, false);
        assert!(!report.contains('\u{1b}'), "an escape sequence reached the terminal");
        diags.render(&source, true);
        diags.to_json(&source);
    }
}

#[derive(Debug, Clone)]
enum Change {
    Delete(usize, usize),
    Insert(usize, String),
    Copy(usize, usize, usize),
}

fn change() -> impl Strategy<Value = Change> {
    let piece = prop_oneof![
        Just("\"".to_owned()),
        Just("[".to_owned()),
        Just("]]".to_owned()),
        Just("{{ X }}".to_owned()),
        Just("{{".to_owned()),
        Just(" = ".to_owned()),
        Just("\n[env.prod]\n".to_owned()),
        Just("'''".to_owned()),
        Just("\\u001b[31m".to_owned()),
        Just("-99999999999999999999999".to_owned()),
        Just("é\u{202e}".to_owned()),
        any::<String>(),
    ];
    prop_oneof![
        (any::<usize>(), 0usize..40).prop_map(|(at, length)| Change::Delete(at, length)),
        (any::<usize>(), piece).prop_map(|(at, text)| Change::Insert(at, text)),
        (any::<usize>(), 0usize..80, any::<usize>()).prop_map(|(from, length, to)| Change::Copy(from, length, to)),
    ]
}

fn apply(bytes: &mut Vec<u8>, change: &Change) {
    let size = bytes.len() + 1;
    match change {
        Change::Delete(at, length) => {
            let at = at % size;
            let end = (at + length).min(bytes.len());
            bytes.drain(at..end);
        }
        Change::Insert(at, text) => {
            let at = at % size;
            bytes.splice(at..at, text.bytes());
        }
        Change::Copy(from, length, to) => {
            let from = from % size;
            let piece = bytes[from..(from + length).min(bytes.len())].to_vec();
            let to = to % size;
            bytes.splice(to..to, piece);
        }
    }
}

/// Found by chance: a key with an escape sequence, quoted in a message, a label or a help.
#[test]
fn quoted_escape_sequences_are_spelled_out() {
    for text in [
        "[env.prod.\"\\u001b[31m\"]\na = 1\n",
        "name = \"\\u001b[31m\"\n",
        "[\"\\u001b[31m\"]\n",
        "[env.\"\\u001b[31m\"]\nroute = 1\n",
        "[component.\"\\u001b[31m\"]\nsource = 1\n[component.\"\\u001b[31m\".limits]\nmemory = \"\\u001b[31m\"\n",
        "[[route]]\npath = \"/\\u001b[31m\"\nto = \"\\u001b[31m\"\n",
    ] {
        survives(text.as_bytes().to_vec());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        survives(bytes);
    }

    #[test]
    fn random_text(text in "\\PC{0,200}") {
        survives(text.into_bytes());
    }

    #[test]
    fn mutations_of_a_good_manifest(changes in proptest::collection::vec(change(), 1..8)) {
        let mut bytes = GOOD.as_bytes().to_vec();
        for change in &changes {
            apply(&mut bytes, change);
        }
        survives(bytes);
    }

    #[test]
    fn any_path_pattern_is_taken_or_refused(text in "/?[a:/*%.{é ]{0,12}") {
        if let Ok(pattern) = text.parse::<PathPattern>() {
            prop_assert_eq!(pattern.to_string(), text);
        }
    }

    #[test]
    fn any_command_line(texts in proptest::collection::vec("\\PC{0,20}|[a-z]{1,4}=[\\[{'\"a-z=, \\n]{0,12}", 6), reuse in ".{0,20}") {
        let one = |at: usize| vec![texts[at].clone()];
        let flags = Flags {
            component: PathBuf::from(&texts[0]),
            env: one(1),
            config: one(5),
            grants: one(2),
            dirs: one(3),
            stores: one(4),
            reuse: Some(reuse),
            limits: one(1),
            strict: true,
        };
        let (app, diags, source) = App::single(&flags, &options(None));
        prop_assert_eq!(app.is_none(), diags.has_errors());
        diags.render(&source, true);
    }
}

/// The largest texts of a kind that could cost more than linear time.
#[test]
fn large_texts_end_soon() {
    let fill = |piece: &str| piece.repeat(MAX_BYTES / piece.len());
    let many = |line: fn(usize) -> String| {
        let mut text = String::new();
        for number in 0.. {
            let line = line(number);
            if text.len() + line.len() > MAX_BYTES {
                return text;
            }
            text.push_str(&line);
        }
        text
    };
    for text in [
        fill("["),
        fill("{a="),
        fill("a."),
        fill("\""),
        fill("[[a]]\n"),
        fill("[[route]]\n"),
        fill("x = storefront\n"),
        format!("x = \"{}\"", &fill("{{")[64..]),
        format!("x = [{}]", &fill("\"{{ A }}\",")[64..]),
        many(|number| format!("k{number} = 1\n")),
        many(|number| format!("[env.v{number}]\na=1\n")),
        many(|number| format!("[component.c{number}]\n")),
        many(|number| format!("[component.c{number}]\nsource='c'\n[[route]]\npath='/{number}'\nto='c{number}'\n")),
        many(|_| "[[route]]\npath='/a'\nto='b'\n".to_owned()),
    ] {
        let start = Instant::now();
        survives(text.clone().into_bytes());
        let took = start.elapsed();
        println!("{took:?} for {:?}", text.chars().take(20).collect::<String>());
        assert!(took < Duration::from_secs(30), "{took:?} for {:?}…", text.chars().take(40).collect::<String>());
    }
}
