//! A library that others use: it exports `acme:codec/text` and answers no HTTP.

wit_bindgen::generate!({ path: "../wit", world: "codec", generate_all });

use exports::acme::codec::text::{Guest, How, Measure};

struct Codec;

impl Guest for Codec {
    fn change(text: String, how: How) -> Result<String, String> {
        match how {
            How::Upper => Ok(text.to_uppercase()),
            How::Lower => Ok(text.to_lowercase()),
            How::Repeat(0) => Err("nothing would be left".to_owned()),
            How::Repeat(times) => Ok(text.repeat(times as usize)),
        }
    }

    fn look(text: String) -> Measure {
        let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        let longest = words.iter().max_by_key(|word| word.len()).cloned();
        Measure { letters: u32::try_from(text.chars().count()).unwrap_or(u32::MAX), words, longest }
    }

    fn fail(mode: String) -> String {
        go_wrong(&mode);
        format!("{mode} is no way to go wrong")
    }

    fn try_fail(mode: String) -> Result<String, String> {
        go_wrong(&mode);
        Err(format!("{mode} is no way to go wrong"))
    }

    fn reach(what: String) -> Result<String, String> {
        match what.strip_prefix('$') {
            Some(name) => std::env::var(name).map_err(|error| error.to_string()),
            None => std::fs::read_to_string(what).map_err(|error| error.to_string()),
        }
    }
}

fn go_wrong(mode: &str) {
    match mode {
        "trap" => core::arch::wasm32::unreachable(),
        "spin" => loop {
            std::hint::black_box(mode);
        },
        "grow" => {
            let mut held = Vec::new();
            loop {
                held.push(std::hint::black_box(vec![1_u8; 1 << 20]));
            }
        }
        _ => {}
    }
}

export!(Codec);
