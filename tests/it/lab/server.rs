//! A running Odoo server and what it answers.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use super::odoo::Odoo;
use crate::world::{docker, eventually};

/// A container that serves; removed at the end.
pub struct Server {
    pub container: String,
    http: u16,
    evented: u16,
}

/// One answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Server {
    /// Starts a server with these arguments and waits until it answers anything.
    pub fn start(odoo: &Odoo, arguments: &[&str]) -> Server {
        Server::start_with(odoo, &[], &[&["odoo"], arguments].concat())
    }

    /// The same with further options of the engine, and a command that is given whole.
    pub fn start_with(odoo: &Odoo, options: &[&str], arguments: &[&str]) -> Server {
        let ports = ["-d", "-p", "127.0.0.1::8069", "-p", "127.0.0.1::8072"];
        let mut words = odoo.container(&[&ports, options].concat());
        words.extend(arguments.iter().map(|word| (*word).to_owned()));
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let container = docker(&words).trim().to_owned();
        let http = port(&container, "8069");
        let evented = port(&container, "8072");
        let server = Server { container, http, evented };
        eventually(120, "the server answers", || server.try_get("/web/health").is_some());
        server
    }

    /// An answer on the main port.
    pub fn get(&self, path: &str) -> Answer {
        self.try_get(path).unwrap_or_else(|| panic!("no answer to {path}\n{}", self.log()))
    }

    fn try_get(&self, path: &str) -> Option<Answer> {
        ask(self.http, "GET", path, &[], "")
    }

    /// An answer to a form or a document.
    pub fn post(&self, path: &str, headers: &[&str], body: &str) -> Answer {
        ask(self.http, "POST", path, headers, body).unwrap()
    }

    /// The result of a remote call by the administrator, or its error, as text.
    pub fn call(&self, service: &str, method: &str, arguments: &serde_json::Value) -> serde_json::Value {
        let body = serde_json::json!({
            "jsonrpc": "2.0", "method": "call",
            "params": {"service": service, "method": method, "args": arguments},
        });
        let answer = self.post("/jsonrpc", &["Content-Type: application/json"], &body.to_string());
        assert_eq!(answer.status, 200, "{answer:?}");
        serde_json::from_str(&answer.body).unwrap()
    }

    /// The result of a method of a model.
    pub fn execute(
        &self,
        database: &str,
        model: &str,
        method: &str,
        arguments: serde_json::Value,
    ) -> serde_json::Value {
        let all = serde_json::json!([database, 2, "admin", model, method, arguments]);
        let answer = self.call("object", "execute_kw", &all);
        assert!(answer.get("error").is_none(), "{answer}");
        answer.get("result").cloned().unwrap_or_default()
    }

    /// The answer to a websocket's handshake on the main or the evented port, with or without an origin.
    pub fn handshake(&self, evented: bool, origin: bool) -> Answer {
        let headers = [
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            "Origin: http://127.0.0.1",
        ];
        let headers = &headers[..if origin { headers.len() } else { headers.len() - 1 }];
        ask(if evented { self.evented } else { self.http }, "GET", "/websocket", headers, "").unwrap()
    }

    /// An answer on the evented port, if it answers.
    pub fn get_evented(&self, path: &str) -> Option<Answer> {
        ask(self.evented, "GET", path, &[], "")
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        let output = Command::new("docker").args(["logs", &self.container]).output().unwrap();
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    /// Asks it to end; its exit code.
    pub fn stop(&self) -> String {
        docker(&["stop", "-t", "20", &self.container]);
        docker(&["inspect", "-f", "{{.State.ExitCode}}", &self.container]).trim().to_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = Command::new("docker").args(["rm", "-fv", &self.container]).output();
    }
}

impl Answer {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        let wanted = |line: &&str| line.split(':').next().is_some_and(|key| key.eq_ignore_ascii_case(name));
        self.head.lines().find(wanted).and_then(|line| line.split_once(": ")).map(|(_, value)| value)
    }

    /// The session's cookie, as a browser would send it back.
    pub fn cookie(&self) -> String {
        let value = self.header("Set-Cookie").unwrap_or_else(|| panic!("no cookie: {}", self.head));
        format!("Cookie: {}", value.split(';').next().unwrap())
    }

    /// The token of the form in the page.
    pub fn csrf_token(&self) -> &str {
        let (_, rest) =
            self.body.split_once("name=\"csrf_token\" value=\"").unwrap_or_else(|| panic!("{}", self.body));
        rest.split('"').next().unwrap()
    }
}

fn port(container: &str, inside: &str) -> u16 {
    let shown = docker(&["port", container, inside]);
    shown.lines().next().unwrap().rsplit(':').next().unwrap().parse().unwrap()
}

/// One request; nothing when nobody answers.
fn ask(port: u16, method: &str, path: &str, headers: &[&str], body: &str) -> Option<Answer> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(90))).ok()?;
    let upgrade = headers.iter().any(|line| line.starts_with("Upgrade"));
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n");
    if !upgrade {
        head.push_str("Connection: close\r\n");
    }
    if !body.is_empty() {
        head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        if !headers.iter().any(|line| line.starts_with("Content-Type")) {
            head.push_str("Content-Type: application/x-www-form-urlencoded\r\n");
        }
    }
    for line in headers {
        head.push_str(&format!("{line}\r\n"));
    }
    stream.write_all(format!("{head}\r\n{body}").as_bytes()).ok()?;
    let mut bytes = Vec::new();
    if upgrade {
        // An upgraded connection stays open: its head is all there is to read.
        let mut buffer = [0; 4096];
        while !bytes.windows(4).any(|four| four == b"\r\n\r\n") {
            let count = stream.read(&mut buffer).ok().filter(|count| *count > 0)?;
            bytes.extend_from_slice(&buffer[..count]);
        }
    } else {
        stream.read_to_end(&mut bytes).ok()?;
    }
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split_whitespace().nth(1)?.parse().ok()?;
    Some(Answer { status, head: head.to_owned(), body: body.to_owned() })
}
