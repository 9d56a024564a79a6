//! Values of options as people type them, and what is said when they can't be read. Pure; clap calls these.

use coracle_edge::Listen;
use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

/// An address: `127.0.0.1:8080`, `[::1]:8080`, `localhost:8080`, or a port alone, which means this machine only.
pub fn address(text: &str) -> Result<SocketAddr, String> {
    let local = |port: &str| port.parse().ok().map(|port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port));
    let known = text.parse().ok().or_else(|| local(text.strip_prefix("localhost:").unwrap_or(text)));
    known.ok_or_else(|| {
        "write an address and a port, such as 127.0.0.1:8080, 0.0.0.0:80 or [::1]:8080; port 0 picks a free one"
            .to_owned()
    })
}

/// An address to listen on: as [`address`], with `https://` before it where it speaks TLS.
pub fn listen(text: &str) -> Result<Listen, String> {
    let (tls, rest) = match text.split_once("://") {
        Some(("https", rest)) => (true, rest),
        Some(("http", rest)) => (false, rest),
        Some((other, _)) => return Err(format!("{other}:// can't be listened on; write http:// or https://")),
        None => (false, text),
    };
    Ok(Listen { addr: address(rest.trim_end_matches('/'))?, tls })
}

/// An address or a network, such as `10.0.0.0/8`.
pub fn network(text: &str) -> Result<IpNet, String> {
    let network = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    network.map_err(|_| "write an address or a network, such as 10.0.0.1 or 10.0.0.0/8".to_owned())
}

/// A size: `512MiB`, `2 GB`, or a number of bytes; at least one page of WebAssembly.
pub fn size(text: &str) -> Result<u64, String> {
    match text.parse::<bytesize::ByteSize>() {
        Ok(size) if size.as_u64() >= 65536 => Ok(size.as_u64()),
        Ok(_) => Err("write at least 64KiB".to_owned()),
        Err(_) => Err("write a size such as 512MiB or 2GiB".to_owned()),
    }
}

/// A duration: `10s`, `1m 30s`, or a number of seconds.
pub fn duration(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().map(Duration::from_secs);
    let duration = seconds.or_else(|| humantime::parse_duration(text).ok());
    let longest = Duration::from_secs(24 * 3600);
    duration
        .filter(|duration| *duration <= longest)
        .ok_or_else(|| "write seconds, such as 10, or a time such as 500ms or 1m; at most a day".to_owned())
}

/// `NAME=VALUE`.
pub fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or("write NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_people_write_them() {
        for (text, meant) in [
            ("127.0.0.1:0", "127.0.0.1:0"),
            ("localhost:81", "127.0.0.1:81"),
            ("8080", "127.0.0.1:8080"),
            ("[::1]:80", "[::1]:80"),
            ("0.0.0.0:80", "0.0.0.0:80"),
        ] {
            assert_eq!(address(text), Ok(meant.parse().unwrap()), "{text}");
        }
        for text in ["", "example.com:80", "127.0.0.1", "70000", "::1:80x"] {
            assert!(address(text).unwrap_err().contains("127.0.0.1:8080"), "{text}");
        }
    }

    #[test]
    fn sizes_and_durations_have_units() {
        assert_eq!(size("512MiB"), Ok(512 << 20));
        assert_eq!(size("1 MB"), Ok(1_000_000));
        assert!(size("12").is_err() && size("lots").is_err());
        assert_eq!(duration("10"), Ok(Duration::from_secs(10)));
        assert_eq!(duration("1m 30s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("0"), Ok(Duration::ZERO));
        assert!(duration("soon").is_err() && duration("2days").is_err());
    }

    #[test]
    fn a_pair_may_hold_more_equals_signs() {
        assert_eq!(pair("URL=a=b"), Ok(("URL".to_owned(), "a=b".to_owned())));
        assert!(pair("=x").is_err() && pair("x").is_err());
    }
}
