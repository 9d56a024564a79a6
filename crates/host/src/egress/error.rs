//! From the errors of the HTTP client to the error codes of `wasi:http`, so that a guest can tell a refused
//! connection from a bad certificate. Texts that guests get name no address and no path of this machine.

use super::connect::{Prohibited, Unresolved};
use hyper_util::client::legacy;
use std::error::Error as StdError;
use std::io;
use wasmtime_wasi_http::Error;

/// What became of a request that got no response.
pub(super) fn of_request(error: &legacy::Error) -> Error {
    if error.is_connect() { of_connect(error) } else { cause(error).map_or(Error::ConnectionTerminated, of_hyper) }
}

/// What became of a body that broke off, and of everything else hyper reports.
pub(super) fn of_hyper(error: &hyper::Error) -> Error {
    if let Some(error) = cause::<Error>(error) {
        // The guest's own body failed; it knows more than we could tell it.
        return match error {
            Error::HttpRequestBodySize(size) => Error::HttpRequestBodySize(*size),
            _ => Error::InternalError(Some("the request's body ended with an error".to_owned())),
        };
    }
    if error.is_canceled()
        && let Some(why) = cause::<hyper::Error>(error)
    {
        return of_hyper(why);
    }
    if error.is_timeout() {
        Error::HttpResponseTimeout
    } else if error.is_parse_too_large() {
        Error::HttpResponseHeaderSectionSize(None)
    } else if error.is_incomplete_message() || io_kind(error) == Some(io::ErrorKind::UnexpectedEof) {
        Error::HttpResponseIncomplete
    } else if error.is_parse() {
        Error::HttpProtocolError
    } else if error.is_closed() || error.is_canceled() || io_kind(error).is_some() {
        Error::ConnectionTerminated
    } else {
        Error::HttpProtocolError
    }
}

fn of_connect(error: &legacy::Error) -> Error {
    if cause::<Prohibited>(error).is_some() {
        return Error::DestinationIpProhibited;
    }
    if cause::<Unresolved>(error).is_some() {
        return Error::DnsError { rcode: Some("the name could not be resolved".to_owned()), info_code: None };
    }
    if let Some(error) = cause::<rustls::Error>(error) {
        return of_tls(error);
    }
    if let Some(error) = cause::<hyper::Error>(error) {
        return of_hyper(error);
    }
    match io_kind(error) {
        Some(io::ErrorKind::ConnectionRefused) => Error::ConnectionRefused,
        Some(io::ErrorKind::TimedOut) => Error::ConnectionTimeout,
        Some(io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable) => Error::DestinationIpUnroutable,
        Some(io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe) => {
            Error::ConnectionTerminated
        }
        _ => Error::DestinationUnavailable,
    }
}

fn of_tls(error: &rustls::Error) -> Error {
    match error {
        rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented => Error::TlsCertificateError,
        rustls::Error::AlertReceived(alert) => {
            Error::TlsAlertReceived { alert_id: Some(u8::from(*alert)), alert_message: Some(format!("{alert:?}")) }
        }
        _ => Error::TlsProtocolError,
    }
}

fn io_kind(error: &(dyn StdError + 'static)) -> Option<io::ErrorKind> {
    cause::<io::Error>(error).map(io::Error::kind)
}

/// The first error of type `T` behind `error`. An I/O error hides the error it wraps from `source`, so it is asked too.
fn cause<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    let mut next = error.source();
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<T>() {
            return Some(found);
        }
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = match wrapped {
            Some(wrapped) => match (wrapped as &(dyn StdError + 'static)).downcast_ref::<T>() {
                Some(found) => return Some(found),
                None => Some(wrapped),
            },
            None => error.source(),
        };
    }
    None
}
