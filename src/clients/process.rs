//! Runs a program: an argv, an environment of its own, a deadline, bounded output.
//!
//! There is no shell and nothing is inherited but what is listed. On the deadline, and when the
//! caller stops waiting, the program's whole process group is killed.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::Command;

/// The most that is kept of standard output when nothing else is asked for.
pub const OUTPUT_BYTES_MAX: usize = 1 << 20;
/// The most that is kept of standard error; the end counts, because programs say last why they failed.
const ERROR_BYTES_MAX: usize = 16 << 10;
/// How long a reader may go on after the program ended: a grandchild may hold the pipe open.
const DRAIN_TIME_MAX: Duration = Duration::from_secs(2);

/// A program to run.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// The program's name or path.
    pub program: String,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// Its whole environment.
    pub environment: Vec<(String, OsString)>,
    /// Where it runs; the root directory without it.
    pub directory: Option<PathBuf>,
    /// When it is killed.
    pub deadline: Duration,
    /// The most that is kept of standard output.
    pub output_bytes_max: usize,
}

/// What a program said.
#[derive(Debug)]
pub struct Output {
    /// How it ended.
    pub status: ExitStatus,
    /// Standard output, cut to the invocation's bound.
    pub stdout: Vec<u8>,
    /// Whether standard output was cut.
    pub truncated: bool,
    /// The end of standard error.
    pub stderr: String,
}

/// Why a program gave no result.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// There is no such program.
    #[error("the program `{program}` was not found")]
    NotFound {
        /// The program.
        program: String,
    },
    /// It could not be started or read.
    #[error("failed to run `{program}`")]
    Run {
        /// The program.
        program: String,
        /// Why.
        #[source]
        err: std::io::Error,
    },
    /// It took too long and was killed.
    #[error("`{program}` took longer than {} s and was killed", after.as_secs())]
    Timeout {
        /// The program.
        program: String,
        /// The deadline.
        after: Duration,
    },
}

impl Invocation {
    /// A program without arguments and environment.
    pub fn new(program: impl Into<String>, deadline: Duration) -> Self {
        Invocation {
            program: program.into(),
            arguments: Vec::new(),
            environment: Vec::new(),
            directory: None,
            deadline,
            output_bytes_max: OUTPUT_BYTES_MAX,
        }
    }

    /// Adds arguments.
    pub fn args<S: Into<OsString>>(mut self, arguments: impl IntoIterator<Item = S>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Sets a variable.
    pub fn env(mut self, name: impl Into<String>, value: impl Into<OsString>) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }
}

/// Runs a program to its end.
pub async fn run(invocation: &Invocation) -> Result<Output, ProcessError> {
    run_telling(invocation, &|_| {}).await
}

/// Runs a program to its end; `said` hears each line that it writes to standard error, as it comes.
pub async fn run_telling(
    invocation: &Invocation,
    said: &(dyn Fn(&str) + Sync),
) -> Result<Output, ProcessError> {
    let program = || invocation.program.clone();
    let mut command = Command::new(&invocation.program);
    command
        .args(&invocation.arguments)
        .env_clear()
        .envs(invocation.environment.iter().map(|(name, value)| (name, value)))
        .current_dir(invocation.directory.as_deref().unwrap_or(std::path::Path::new("/")))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    let mut child = command.spawn().map_err(|err| match err.kind() {
        std::io::ErrorKind::NotFound if invocation.directory.as_ref().is_none_or(|dir| dir.is_dir()) => {
            ProcessError::NotFound { program: program() }
        }
        _ => ProcessError::Run { program: program(), err },
    })?;
    let leader = child.id();
    let mut group = Group { leader };
    let stdout = child.stdout.take().expect("stdout is piped");
    let stderr = child.stderr.take().expect("stderr is piped");
    let work = async {
        let outputs = futures_util::future::join(
            keep_start(stdout, invocation.output_bytes_max),
            keep_end(stderr, said),
        );
        tokio::pin!(outputs);
        // The pipes may stay open in a grandchild, so the program's own end bounds the reading.
        let (status, done) = tokio::select! {
            done = &mut outputs => (child.wait().await, Some(done)),
            status = child.wait() => (status, None),
        };
        let (stdout, stderr) = match done {
            Some(done) => done,
            None => match tokio::time::timeout(DRAIN_TIME_MAX, &mut outputs).await {
                Ok(done) => done,
                Err(_) => {
                    drop(Group { leader });
                    outputs.await
                }
            },
        };
        status.map(|status| Output { status, stdout: stdout.0, truncated: stdout.1, stderr })
    };
    let result = tokio::time::timeout(invocation.deadline, work).await;
    match result {
        Ok(Ok(output)) => {
            group.leader = None;
            Ok(output)
        }
        Ok(Err(err)) => Err(ProcessError::Run { program: program(), err }),
        Err(_) => Err(ProcessError::Timeout { program: program(), after: invocation.deadline }),
    }
}

/// Kills the process group of a program that did not end by itself.
struct Group {
    leader: Option<u32>,
}

impl Drop for Group {
    fn drop(&mut self) {
        let leader =
            self.leader.and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
        if let Some(leader) = leader {
            // An error means that the group has ended already.
            let _ = rustix::process::kill_process_group(leader, rustix::process::Signal::KILL);
        }
    }
}

/// Reads to the end, keeping the first bytes; the rest is read and dropped so that the program can go on.
async fn keep_start(mut from: impl AsyncRead + Unpin, max: usize) -> (Vec<u8>, bool) {
    let mut kept = Vec::new();
    let mut truncated = false;
    let mut buffer = [0; 8192];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        let room = max.saturating_sub(kept.len()).min(count);
        kept.extend_from_slice(&buffer[..room]);
        truncated |= room < count;
    }
    (kept, truncated)
}

/// Reads to the end, keeping the last bytes as text, and tells each line; progress is a line that ends with a return.
async fn keep_end(mut from: impl AsyncRead + Unpin, said: &(dyn Fn(&str) + Sync)) -> String {
    let mut kept = Vec::new();
    let mut line = Vec::new();
    let mut buffer = [0; 8192];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        kept.extend_from_slice(&buffer[..count]);
        for byte in &buffer[..count] {
            match byte {
                b'\r' | b'\n' => said(String::from_utf8_lossy(&std::mem::take(&mut line)).trim()),
                byte if line.len() < ERROR_BYTES_MAX => line.push(*byte),
                _ => {}
            }
        }
        if kept.len() > 2 * ERROR_BYTES_MAX {
            kept.drain(..kept.len() - ERROR_BYTES_MAX);
        }
    }
    let start = kept.len().saturating_sub(ERROR_BYTES_MAX);
    String::from_utf8_lossy(&kept[start..]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str, seconds: u64) -> Invocation {
        Invocation::new("/bin/sh", Duration::from_secs(seconds)).args(["-c", script])
    }

    #[tokio::test]
    async fn a_program_sees_only_its_own_environment() {
        let output = run(&sh("echo \"$HOME-$A\"; echo oops >&2; exit 3", 5).env("A", "b")).await.unwrap();
        assert_eq!(output.stdout, b"-b\n");
        assert_eq!((output.stderr.as_str(), output.status.code()), ("oops\n", Some(3)));
    }

    #[tokio::test]
    async fn output_is_cut_but_the_program_goes_on() {
        let mut invocation = sh("i=0; while [ $i -lt 5000 ]; do echo 0123456789; i=$((i+1)); done", 20);
        invocation.output_bytes_max = 100;
        let output = run(&invocation).await.unwrap();
        assert!(output.truncated && output.stdout.len() == 100 && output.status.success());
    }

    #[tokio::test]
    async fn the_deadline_kills_the_whole_group() {
        let folder = tempfile::tempdir().unwrap();
        let mark = folder.path().join("alive");
        let script = format!("(sleep 1; touch {}) & sleep 30", mark.display());
        let mut invocation = sh(&script, 1).env("PATH", "/usr/bin:/bin");
        invocation.deadline = Duration::from_millis(200);
        assert!(matches!(run(&invocation).await, Err(ProcessError::Timeout { .. })));
        tokio::time::sleep(Duration::from_millis(1500)).await;
        assert!(!mark.exists(), "a grandchild went on");
    }

    #[tokio::test]
    async fn a_missing_program_is_named() {
        let err = run(&Invocation::new("no-such-program", Duration::from_secs(1))).await.unwrap_err();
        assert_eq!(err.to_string(), "the program `no-such-program` was not found");
    }
}
