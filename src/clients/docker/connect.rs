//! The way to an engine: a socket of this machine, one of another machine through `ssh`, or a port with mutual TLS.
//!
//! `ssh` runs without a terminal, an agent or forwarding of anything else, and only to machines whose host key is
//! known already. `tcp://` without certificates is refused: it hands the machine to anyone who reaches the port.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::Mutex as StdMutex;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::process::{Child, Command};
use tokio::sync::RwLock;
use tokio::time::{Instant, sleep};

use super::tls::{EngineTls, listener};
use super::transport::{Listener, client, parse_api_version};
use super::{Docker, DockerError, READ_DEADLINE, Shared};

/// How long the tunnel may take; a far machine needs some round trips.
const TUNNEL_DEADLINE: Duration = Duration::from_secs(20);
/// How often the tunnel's socket is looked for.
const TUNNEL_POLL: Duration = Duration::from_millis(50);
/// Bytes kept of what `ssh` says; its errors are a line or two.
const SSH_OUTPUT_MAX: u64 = 4 << 10;
/// The engine's socket on the other machine.
const REMOTE_SOCKET: &str = "/var/run/docker.sock";

/// A running `ssh` that carries a socket; ends with the last connection.
pub(super) struct Tunnel {
    child: StdMutex<Child>,
    directory: PathBuf,
}

impl Tunnel {
    /// Whether `ssh` still runs.
    pub fn is_open(&self) -> bool {
        let mut child = self.child.lock().expect("no holder of this lock panics");
        matches!(child.try_wait(), Ok(None))
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        // The child is killed with its handle; what is left is its socket.
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// Connects and finds out what the engine is.
pub(super) async fn connect(endpoint: &str, tls: Option<&EngineTls>) -> Result<Docker, DockerError> {
    let refuse = |why: &str| DockerError::Endpoint { endpoint: endpoint.to_owned(), why: why.to_owned() };
    let (listener, tunnel) = match endpoint.split_once("://") {
        Some(("unix", path)) if path.starts_with('/') => (Listener::Socket(PathBuf::from(path)), None),
        Some(("unix", _)) => return Err(refuse("has no absolute path")),
        Some(("ssh", target)) => {
            let tunnel = open_tunnel(endpoint, target).await?;
            (Listener::Socket(tunnel.directory.join("docker.sock")), Some(tunnel))
        }
        Some(("tcp", address)) => {
            let tls = tls.ok_or_else(|| {
                refuse("is not opened without `tls`: a certificate, its key and an authority")
            })?;
            (listener(address, tls).map_err(|why| refuse(&why))?, None)
        }
        _ => return Err(refuse("is neither `unix:///path`, `ssh://user@machine` nor `tcp://machine:port`")),
    };
    open(endpoint, listener, tunnel).await
}

async fn open(endpoint: &str, listener: Listener, tunnel: Option<Tunnel>) -> Result<Docker, DockerError> {
    let question = "say what it is";
    let is_local = tunnel.is_none() && matches!(listener, Listener::Socket(_));
    let (api, seen) = client(listener).map_err(|source| DockerError::Unreachable {
        endpoint: endpoint.to_owned(),
        what: question,
        which: String::new(),
        source: Box::new(source),
    })?;
    let shared = Shared { endpoint: endpoint.to_owned(), seen, tunnel, is_local, starts: RwLock::new(()) };
    let docker = Docker { api, shared: Arc::new(shared) };
    docker.call(question, "", READ_DEADLINE, docker.api.ping()).await?;
    if docker.version().is_empty() {
        // Something in between took the headers away: asked for in so many words, which costs the engine more.
        let version = docker.call(question, "", READ_DEADLINE, docker.api.version()).await?;
        let mut seen = docker.shared.seen.lock().expect("no holder of this lock panics");
        seen.engine = version.version.unwrap_or_default();
        seen.api = parse_api_version(&version.api_version.unwrap_or_default());
    }
    Ok(docker)
}

/// The arguments of `ssh` for a target `user@machine[:port]`; `None` when it is not one.
fn ssh_arguments(target: &str, socket: &Path) -> Option<Vec<String>> {
    let target = target.trim_end_matches('/');
    let (machine, port) = match target.rsplit_once(':') {
        Some((machine, port)) => (machine, Some(port.parse::<u16>().ok()?)),
        None => (target, None),
    };
    let is_name = |c: char| c.is_ascii_alphanumeric() || "._-@".contains(c);
    if machine.is_empty()
        || machine.starts_with('-')
        || machine.contains("@-")
        || !machine.chars().all(is_name)
    {
        return None;
    }
    let mut arguments = vec!["-nNT".to_owned()];
    for option in [
        "BatchMode=yes",
        "StrictHostKeyChecking=yes",
        "ForwardAgent=no",
        "ForwardX11=no",
        "PermitLocalCommand=no",
        "ControlMaster=no",
        "ControlPath=none",
        "ExitOnForwardFailure=yes",
        "StreamLocalBindMask=0177",
        "ConnectTimeout=15",
        "ServerAliveInterval=15",
        "ServerAliveCountMax=3",
    ] {
        arguments.extend(["-o".to_owned(), option.to_owned()]);
    }
    if let Some(port) = port {
        arguments.extend(["-p".to_owned(), port.to_string()]);
    }
    arguments.extend(["-L".to_owned(), format!("{}:{REMOTE_SOCKET}", socket.display())]);
    arguments.extend(["--".to_owned(), machine.to_owned()]);
    Some(arguments)
}

async fn open_tunnel(endpoint: &str, target: &str) -> Result<Tunnel, DockerError> {
    let failed = |why: String| DockerError::Tunnel { endpoint: endpoint.to_owned(), why };
    let directory =
        private_directory().map_err(|err| failed(format!("no directory for its socket: {err}")))?;
    let socket = directory.join("docker.sock");
    let Some(arguments) = ssh_arguments(target, &socket) else {
        let _ = std::fs::remove_dir_all(&directory);
        let why = "is no `ssh://user@machine` or `ssh://user@machine:port`".to_owned();
        return Err(DockerError::Endpoint { endpoint: endpoint.to_owned(), why });
    };
    let child = Command::new("ssh")
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn();
    let child = match child {
        Ok(child) => child,
        Err(err) => {
            let _ = std::fs::remove_dir_all(&directory);
            return Err(failed(format!("can't run `ssh`: {err}")));
        }
    };
    let tunnel = Tunnel { child: StdMutex::new(child), directory };
    let give_up = Instant::now() + TUNNEL_DEADLINE;
    while !socket.exists() {
        if !tunnel.is_open() {
            return Err(failed(last_words(&tunnel).await));
        }
        if Instant::now() > give_up {
            return Err(failed(format!("it was not there within {} s", TUNNEL_DEADLINE.as_secs())));
        }
        sleep(TUNNEL_POLL).await;
    }
    Ok(tunnel)
}

/// What `ssh` said before it ended.
async fn last_words(tunnel: &Tunnel) -> String {
    let stderr = tunnel.child.lock().expect("no holder of this lock panics").stderr.take();
    let mut text = String::new();
    if let Some(stderr) = stderr {
        let _ = stderr.take(SSH_OUTPUT_MAX).read_to_string(&mut text).await;
    }
    let text = text.trim();
    if text.is_empty() { "`ssh` ended without a word".to_owned() } else { text.replace(['\r', '\n'], " ") }
}

/// A new directory that only we may enter.
fn private_directory() -> std::io::Result<PathBuf> {
    use std::os::unix::fs::DirBuilderExt as _;
    let path = std::env::temp_dir().join(format!("ipaictl-{:016x}", rand::random::<u64>()));
    std::fs::DirBuilder::new().mode(0o700).create(&path)?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ssh_gets_no_argument_that_a_target_could_smuggle_in() {
        let socket = Path::new("/tmp/s");
        let arguments = ssh_arguments("root@machine:2222", socket).unwrap();
        assert!(arguments.ends_with(
            &["-p", "2222", "-L", "/tmp/s:/var/run/docker.sock", "--", "root@machine"].map(str::to_owned)
        ));
        for bad in ["", "-oProxyCommand=x", "root@-x", "a b", "a;b", "machine:port", "a/../b"] {
            assert_eq!(ssh_arguments(bad, socket), None, "{bad}");
        }
    }

    #[tokio::test]
    async fn endpoints_that_are_not_supported_say_so() {
        for endpoint in ["tcp://machine:2376", "http://x", "unix://relative", "nonsense", "ssh://-x"] {
            let Err(err) = Docker::connect(endpoint, None).await else { panic!("{endpoint} connected") };
            assert!(matches!(err, DockerError::Endpoint { .. }), "{err}");
        }
        let Err(err) = Docker::connect("unix:///nowhere/docker.sock", None).await else {
            panic!("connected")
        };
        assert!(err.is_transient(), "{err}");
    }
}
