//! Requests at a fixed rate, whatever the answers take, for `cargo xtask bench peers`: `open-loop --port P --rate R …`.
//!
//! Request i is due at i / rate. Each connection has a thread that takes the next number, waits until it is due, asks, and
//! counts the time from when it was *due* to the end of the answer: when all connections are busy, waiting for one is part
//! of the latency, as it is for a user. Threads and blocking sockets, because a runtime's timers are too coarse. Prints JSON.

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use clap::Parser;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

#[derive(Parser)]
struct Options {
    #[arg(long)]
    port: u16,
    #[arg(long, default_value = "/")]
    path: String,
    /// Requests a second.
    #[arg(long)]
    rate: f64,
    #[arg(long)]
    seconds: f64,
    /// Requests that can be under way at once.
    #[arg(long, default_value_t = 64)]
    connections: usize,
}

fn main() -> Result<()> {
    let options = Options::parse();
    let number = AtomicU64::new(0);
    // Connections are made before the first request is due.
    let begin = Instant::now() + Duration::from_millis(200);
    let work = || ask(&options, &number, begin);
    let outcomes: Vec<Result<Outcome>> = thread::scope(|scope| {
        let threads: Vec<_> = (0..options.connections).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err(anyhow!("a thread died")))).collect()
    });
    let took = begin.elapsed().as_secs_f64();
    let mut latencies = Vec::new();
    let mut failed = 0;
    for outcome in outcomes {
        let outcome = outcome?;
        latencies.extend(outcome.latencies);
        failed += outcome.failed;
    }
    ensure!(!latencies.is_empty(), "no request was answered");
    latencies.sort_unstable();
    let quantile = |q: f64| {
        let index = ((latencies.len() as f64 * q) as usize).min(latencies.len() - 1);
        latencies.get(index).map_or(0.0, |latency| latency.as_secs_f64() * 1e3)
    };
    let answers = latencies.len();
    let (p50, p90, p99, p999) = (quantile(0.5), quantile(0.9), quantile(0.99), quantile(0.999));
    let json = serde_json::json!({
        "answers": answers, "failed": failed, "rate": answers as f64 / took, "p50": p50, "p90": p90, "p99": p99, "p99.9": p999,
    });
    println!("{json}");
    Ok(())
}

#[derive(Default)]
struct Outcome {
    latencies: Vec<Duration>,
    /// Answers other than 200, and connections that broke.
    failed: u64,
}

fn ask(options: &Options, number: &AtomicU64, begin: Instant) -> Result<Outcome> {
    let request = format!("GET {} HTTP/1.1\r\nhost: 127.0.0.1:{}\r\n\r\n", options.path, options.port);
    let mut stream = connect(options.port)?;
    let mut outcome = Outcome::default();
    loop {
        let due = Duration::from_secs_f64(number.fetch_add(1, Ordering::Relaxed) as f64 / options.rate);
        // A server that can't keep up is given as long again; what is not asked by then is missing from the rate.
        if due.as_secs_f64() >= options.seconds || begin.elapsed().as_secs_f64() >= 2.0 * options.seconds {
            return Ok(outcome);
        }
        let due = begin + due;
        thread::sleep(due.saturating_duration_since(Instant::now()));
        match stream.get_mut().write_all(request.as_bytes()).map_err(Into::into).and_then(|()| answer(&mut stream)) {
            Ok(200) => outcome.latencies.push(due.elapsed()),
            Ok(_) => outcome.failed += 1,
            Err(_) => {
                outcome.failed += 1;
                stream = connect(options.port)?;
            }
        }
    }
}

fn connect(port: u16) -> Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).context("nobody listens")?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    Ok(BufReader::new(stream))
}

/// Reads one answer to its end and gives its status. It must have a length, or come in chunks.
fn answer(stream: &mut BufReader<TcpStream>) -> Result<u16> {
    let head = line(stream)?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).context("no status")?;
    let (mut length, mut chunked) = (None, false);
    loop {
        let line = line(stream)?.to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = Some(value.trim().parse()?);
        }
        chunked |= line.starts_with("transfer-encoding:") && line.ends_with("chunked");
    }
    match length {
        Some(length) => skip(stream, length)?,
        None if chunked => loop {
            let length = u64::from_str_radix(line(stream)?.split(';').next().unwrap_or_default(), 16)?;
            skip(stream, length)?;
            line(stream)?;
            if length == 0 {
                break;
            }
        },
        None => bail!("the answer has no length"),
    }
    Ok(status)
}

fn line(stream: &mut BufReader<TcpStream>) -> Result<String> {
    let mut line = String::new();
    ensure!(stream.read_line(&mut line)? > 0, "the connection was closed");
    Ok(line.trim_end().to_owned())
}

fn skip(stream: &mut BufReader<TcpStream>, length: u64) -> Result<()> {
    let skipped = std::io::copy(&mut stream.take(length), &mut std::io::sink())?;
    ensure!(skipped == length, "the connection was closed");
    Ok(())
}
