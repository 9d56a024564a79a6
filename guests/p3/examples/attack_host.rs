//! Attacks by way of host calls, chosen by `do=`: see `attack` for what each does. Without `do`: 200 "alive\n".

use coracle_guests_p3::{
    Answer, Body, body, fetch, respond, service, spawn_local, target, text, text_headers, wait, wit_stream,
};
use futures::future::join_all;
use wasip3::cli::stdout;
use wasip3::clocks::monotonic_clock;
use wasip3::http::types::{Fields, Method, Request};
use wasip3::random::random;

service!(handle);

const HOUR_MS: u64 = 3_600_000;

async fn handle(request: Request) -> Answer {
    let target = target(&request);
    match target.get("do") {
        None => Ok(text(200, "alive\n")),
        Some("ignore-body") => {
            let _unread = body(request);
            wait(HOUR_MS).await;
            Ok(text(200, "unread\n"))
        }
        Some("write-never") => {
            let (writer, reader): (_, Body) = wit_stream::new();
            spawn_local(async move {
                let _kept = writer;
                wait(HOUR_MS).await;
            });
            Ok(respond(200, text_headers(), Some(reader)))
        }
        Some("answer-headers") => {
            let large = vec![b'x'; usize::try_from(target.number("bytes", 0)).unwrap_or(0)];
            let headers = Fields::from_list(&[("x-large".to_owned(), large)]).expect("as many bytes as the host takes");
            Ok(respond(200, headers, None))
        }
        // All at once: of somebody else, or of this very address once more.
        Some("fetch") => {
            let path = if target.get("again").is_some() { request.get_path_with_query() } else { None };
            let url = format!("{}{}", target.get("url").unwrap_or_default(), path.unwrap_or_default());
            let all = join_all((0..target.number("n", 0)).map(|_| fetch(Method::Get, &url, None))).await;
            let whole = all.iter().filter(|fetched| matches!(fetched, Ok((200, _)))).count();
            Ok(text(200, format!("{whole} of {}\n", all.len())))
        }
        Some(way) => attack(way, target.number("n", 0)).await,
    }
}

/// Goes on until the host ends it.
async fn attack(way: &str, count: u64) -> Answer {
    match way {
        "clock" => loop {
            std::hint::black_box(monotonic_clock::now());
        },
        "random" => loop {
            std::hint::black_box(random::get_random_bytes(1 << 20));
        },
        // Handles without end.
        "fields" => {
            let mut kept = Vec::new();
            loop {
                kept.push(Fields::new());
            }
        }
        // As many handles as there may be, each with as much in it as there may be: memory of the host's.
        "hoard" => {
            let value = vec![b'x'; 100 << 10];
            let mut kept = Vec::new();
            while (kept.len() as u64) < count {
                let fields = Fields::new();
                fields.append("x-hoard", &value).expect("below the limit of one");
                kept.push(fields);
            }
            wait(HOUR_MS).await;
            Ok(text(200, "held\n"))
        }
        // Host calls that are all under way at once.
        "timers" => {
            join_all((0..count).map(|_| wait(HOUR_MS))).await;
            Ok(text(200, "waited\n"))
        }
        "streams" => {
            let mut kept: Vec<(_, Body)> = Vec::new();
            loop {
                kept.push(wit_stream::new());
            }
        }
        // Standard output without end, and without a line's end.
        "stdout" => {
            let (mut writer, reader) = wit_stream::new();
            let written = stdout::write_via_stream(reader);
            let mut chunk = vec![b'x'; 64 << 10];
            loop {
                chunk = writer.write_all(chunk).await;
                if !chunk.is_empty() {
                    break;
                }
                chunk.resize(64 << 10, b'x');
            }
            Ok(text(200, format!("{:?}", written.await)))
        }
        other => Ok(text(400, format!("no such attack: {other}\n"))),
    }
}
