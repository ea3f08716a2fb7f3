//! As much of HTTP as a page needs: one GET per connection, everything bounded, and nothing for other sites.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Shutdown, TcpStream};
use std::time::{Duration, Instant};

/// The longest request that is read.
const LONGEST: usize = 8192;
/// A request must be complete within this time.
const PATIENCE: Duration = Duration::from_secs(5);

/// The parts of a request that matter here.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Request {
    method: String,
    pub(super) path: String,
    host: Option<String>,
    origin: Option<String>,
    /// `Sec-Fetch-Site`, which browsers set and pages cannot.
    site: Option<String>,
}

/// Why a request is refused, as a status code with its reason.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal(pub(super) &'static str);

impl Request {
    /// Reads a request up to the end of its head.
    pub(super) fn read(stream: &mut TcpStream) -> io::Result<Result<Self, Refusal>> {
        let start = Instant::now();
        let mut head = Vec::new();
        let mut buffer = [0; 1024];
        loop {
            let left = PATIENCE.saturating_sub(start.elapsed());
            if left.is_zero() {
                return Err(ErrorKind::TimedOut.into());
            }
            stream.set_read_timeout(Some(left))?;
            match stream.read(&mut buffer)? {
                0 => return Err(ErrorKind::UnexpectedEof.into()),
                n => head.extend_from_slice(&buffer[..n]),
            }
            if head.len() > LONGEST {
                return Ok(Err(Refusal("431 Request Header Fields Too Large")));
            }
            match Self::parse(&head) {
                Ok(Some(request)) => return Ok(Ok(request)),
                Ok(None) => {}
                Err(refusal) => return Ok(Err(refusal)),
            }
        }
    }

    /// `None` while the head is incomplete.
    fn parse(head: &[u8]) -> Result<Option<Self>, Refusal> {
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut parsed = httparse::Request::new(&mut headers);
        match parsed.parse(head) {
            Ok(httparse::Status::Complete(_)) => {}
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(_) => return Err(Refusal("400 Bad Request")),
        }
        let mut request = Self {
            method: parsed.method.unwrap_or_default().to_owned(),
            path: parsed.path.unwrap_or_default().to_owned(),
            ..Self::default()
        };
        for header in parsed.headers.iter() {
            let value = || Some(String::from_utf8_lossy(header.value).trim().to_ascii_lowercase());
            match header.name.to_ascii_lowercase().as_str() {
                "host" => request.host = value(),
                "origin" => request.origin = value(),
                "sec-fetch-site" => request.site = value(),
                _ => {}
            }
        }
        Ok(Some(request))
    }

    /// Refuses what a browser sends on behalf of another site. `Host` gives away a name that an attacker has pointed
    /// here (DNS rebinding); `Origin` and `Sec-Fetch-Site` give away a page elsewhere.
    pub(super) fn check(&self, remote: bool) -> Result<(), Refusal> {
        if self.method != "GET" {
            return Err(Refusal("405 Method Not Allowed"));
        }
        let host = self.host.as_deref().unwrap_or_default();
        if !is_ours(host_name(host), remote) {
            return Err(Refusal("403 Forbidden"));
        }
        let foreign = self.origin.as_ref().is_some_and(|origin| *origin != format!("http://{host}"));
        // "none" is the address bar.
        let elsewhere = self.site.as_ref().is_some_and(|site| site != "same-origin" && site != "none");
        // A link from another site to the page itself does no harm.
        if foreign || elsewhere && self.path != "/" {
            return Err(Refusal("403 Forbidden"));
        }
        Ok(())
    }
}

/// A `Host` without its port, and without an IPv6 address's brackets.
fn host_name(host: &str) -> &str {
    match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    }
}

/// Whether a name can only mean this machine. If other machines may watch, that includes all addresses, and names
/// that nobody can register: single words and `.local`.
fn is_ours(name: &str, remote: bool) -> bool {
    match name.parse::<IpAddr>() {
        Ok(address) => remote || address.is_loopback(),
        Err(_) if name == "localhost" => true,
        Err(_) => remote && !name.is_empty() && (!name.contains('.') || name.ends_with(".local")),
    }
}

/// Sends a complete short response.
pub(super) fn answer(stream: &mut TcpStream, status: &str, kind: &str, body: &[u8]) -> io::Result<()> {
    begin(stream, status, &format!("Content-Type: {kind}\r\nContent-Length: {}\r\n", body.len()))?;
    stream.write_all(body)
}

/// Reads what is left of a refused request, within limits. Closing the connection before would reset it, and the answer
/// could be lost.
pub(super) fn drain(stream: &mut TcpStream) -> io::Result<()> {
    stream.shutdown(Shutdown::Write)?;
    stream.set_read_timeout(Some(Duration::from_millis(200)))?;
    // Whatever goes wrong here, the answer has been sent.
    let _ = io::copy(&mut stream.take(8 * LONGEST as u64), &mut io::sink());
    Ok(())
}

/// Sends the head of a response. `headers` are complete lines.
pub(super) fn begin(stream: &mut TcpStream, status: &str, headers: &str) -> io::Result<()> {
    let head = format!(
        "HTTP/1.1 {status}\r\n{headers}Connection: close\r\nCache-Control: no-store\r\n\
         X-Content-Type-Options: nosniff\r\nX-Frame-Options: DENY\r\n\
         Cross-Origin-Resource-Policy: same-origin\r\nReferrer-Policy: no-referrer\r\n\
         Content-Security-Policy: default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; \
         connect-src 'self'; img-src 'self' blob: data:\r\n\r\n"
    );
    stream.write_all(head.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(text: &str) -> Request {
        Request::parse(text.as_bytes()).unwrap().unwrap()
    }

    fn allowed(lines: &str, remote: bool) -> bool {
        request(&format!("GET /stream HTTP/1.1\r\n{lines}\r\n\r\n")).check(remote).is_ok()
    }

    #[test]
    fn a_head_is_read_when_it_is_complete() {
        assert_eq!(Request::parse(b"GET / HTTP/1.1\r\nHost: a"), Ok(None));
        assert_eq!(Request::parse(b"\0\0\0\0"), Err(Refusal("400 Bad Request")));
        let read = request("GET /x HTTP/1.1\r\nHOST: LocalHost:8080\r\nOrigin: http://a\r\n\r\n");
        assert_eq!((read.path.as_str(), read.host.as_deref()), ("/x", Some("localhost:8080")));
    }

    #[test]
    fn only_names_of_this_machine_are_served() {
        for host in ["localhost", "localhost:8080", "127.0.0.1:8080", "[::1]:8080", "127.9.9.9"] {
            assert!(allowed(&format!("Host: {host}"), false), "{host}");
        }
        for host in ["evil.example:8080", "192.168.0.2", "board", "", "localhost.evil.example"] {
            assert!(!allowed(&format!("Host: {host}"), false), "{host}");
        }
        for host in ["192.168.0.2:8080", "board:8080", "board.local", "[fe80::1]:80", "localhost"] {
            assert!(allowed(&format!("Host: {host}"), true), "{host}");
        }
        assert!(!allowed("Host: evil.example:8080", true));
    }

    #[test]
    fn other_sites_and_other_methods_are_refused() {
        assert!(allowed("Host: localhost:80\r\nOrigin: http://localhost:80", false));
        assert!(!allowed("Host: localhost:80\r\nOrigin: http://evil.example", false));
        assert!(!allowed("Host: localhost:80\r\nOrigin: null", false));
        assert!(!allowed("Host: localhost:80\r\nSec-Fetch-Site: cross-site", false));
        assert!(allowed("Host: localhost:80\r\nSec-Fetch-Site: same-origin", false));
        let link = request("GET / HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: cross-site\r\n\r\n");
        assert!(link.check(false).is_ok());
        let post = request("POST / HTTP/1.1\r\nHost: localhost\r\n\r\n");
        assert_eq!(post.check(false), Err(Refusal("405 Method Not Allowed")));
    }
}
