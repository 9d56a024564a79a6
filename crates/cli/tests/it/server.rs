//! A running `coracle up`: waits for its first line, asks it over HTTP, sends it signals, hears its log.

use crate::support::Folder;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// Nothing here takes that long; a test that waits for it has failed.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Server {
    pub addr: SocketAddr,
    child: Child,
    stdout: Receiver<String>,
    stderr: Receiver<String>,
    /// Lines of standard error that were read while waiting for another.
    pub heard: Vec<String>,
}

impl Server {
    /// Starts `coracle up` with these arguments on a free port and without an admin listener.
    pub fn start(folder: &Folder, args: &[&str]) -> Self {
        Self::start_with(folder, &[&["--no-admin"], args].concat())
    }

    /// Starts `coracle up` with these arguments on a free port.
    pub fn start_with(folder: &Folder, args: &[&str]) -> Self {
        let args = [&["up", "--listen", "127.0.0.1:0"], args].concat();
        let mut child = folder.command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stdout = lines(child.stdout.take().unwrap());
        let stderr = lines(child.stderr.take().unwrap());
        let Ok(first) = stdout.recv_timeout(PATIENCE) else {
            let _ = child.kill();
            panic!("nothing on standard output; on standard error: {:#?}", stderr.iter().collect::<Vec<_>>());
        };
        let addr = first.strip_prefix("listening on http://").unwrap_or_else(|| panic!("the first line is {first:?}"));
        Self { addr: addr.parse().unwrap(), child, stdout, stderr, heard: Vec::new() }
    }

    /// GETs a path: status and body.
    pub fn get(&self, path: &str) -> (u16, String) {
        get(self.addr, path)
    }

    /// PUTs a text: status and body.
    pub fn put(&self, path: &str, text: &str) -> (u16, String) {
        answer(send(self.addr, "PUT", path, text))
    }

    /// Sends a request whose answer is still to be read.
    pub fn ask(&self, path: &str) -> TcpStream {
        send(self.addr, "GET", path, "")
    }

    pub fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).unwrap();
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().try_into().unwrap())
    }

    /// Waits for a line on standard error that contains `text`.
    #[track_caller]
    pub fn hear(&mut self, text: &str) -> String {
        loop {
            let Ok(line) = self.stderr.recv_timeout(PATIENCE) else {
                panic!("no line with {text:?} among {:#?}", self.heard)
            };
            self.heard.push(line.clone());
            if line.contains(text) {
                return line;
            }
        }
    }

    /// The next line on standard output.
    pub fn line(&self) -> String {
        self.stdout.recv_timeout(PATIENCE).unwrap()
    }

    /// Waits for the end: the exit code, and what remained on standard output and error.
    pub fn end(mut self) -> (i32, Vec<String>, Vec<String>) {
        // The streams end with the process.
        let (stdout, stderr) = (self.stdout.iter().collect(), self.stderr.iter().collect());
        (self.child.wait().unwrap().code().unwrap(), stdout, stderr)
    }

    /// Ends it by SIGTERM, which must be clean.
    #[track_caller]
    pub fn stop(self) {
        self.signal(Signal::SIGTERM);
        let (code, _, stderr) = self.end();
        assert_eq!(code, 0, "{stderr:#?}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A test that failed leaves nothing running.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lines(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    receiver
}

fn send(addr: SocketAddr, method: &str, path: &str, body: &str) -> TcpStream {
    let mut stream = TcpStream::connect(addr).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let length = body.len();
    let head =
        format!("{method} {path} HTTP/1.1\r\nhost: {addr}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
    stream.write_all((head + body).as_bytes()).unwrap();
    stream
}

/// GETs `http://addr/path`: status and body as sent.
pub fn get(addr: SocketAddr, path: &str) -> (u16, String) {
    answer(send(addr, "GET", path, ""))
}

/// Reads the whole answer: status and body as sent.
pub fn answer(mut stream: TcpStream) -> (u16, String) {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer but {text:?}"));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.unwrap_or_else(|| panic!("no status in {head:?}")), body.to_owned())
}
