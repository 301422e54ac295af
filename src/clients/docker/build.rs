//! Builds an image with the engine's classic builder, from a context on this machine.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};
use std::path::PathBuf;

use bollard::body_try_stream;
use bollard::query_parameters::BuildImageOptionsBuilder;
use bytes::Bytes;
use futures_util::TryStreamExt as _;
use futures_util::stream;
use tokio::sync::mpsc;

use super::context::{INLINE_DOCKERFILE, write_context};
use super::{BUILD_DEADLINE, Docker, DockerError};

/// Pieces of the archive that wait to be sent.
const QUEUE_LENGTH: usize = 8;
/// Bytes in one piece.
const PIECE_BYTES: usize = 256 << 10;
/// Lines of the builder's output that an error repeats.
const ERROR_LINES_MAX: usize = 10;

/// What to build.
#[derive(Debug, Clone, Default)]
pub struct BuildRequest {
    /// The tag to give the image.
    pub reference: String,
    /// The context, an absolute directory on this machine.
    pub context: PathBuf,
    /// The Dockerfile, relative to the context.
    pub dockerfile: String,
    /// The Dockerfile's text instead.
    pub dockerfile_inline: Option<String>,
    /// Build arguments.
    pub args: BTreeMap<String, String>,
    /// The stage to build.
    pub target: Option<String>,
    /// Labels of the image.
    pub labels: BTreeMap<String, String>,
    /// Further query parameters: `extrahosts`, `networkmode`, `nocache`, `pull`, `shmsize`, `cachefrom`, `platform`.
    pub options: BTreeMap<String, String>,
}

impl Docker {
    /// Builds an image; `progress` hears what the builder prints.
    pub async fn build(
        &self,
        request: BuildRequest,
        progress: &(dyn Fn(&str) + Sync),
    ) -> Result<(), DockerError> {
        let what = "build image";
        let reference = Docker::checked(what, &request.reference)?.to_owned();
        let options = options(&request).map_err(|name| DockerError::Local {
            what,
            which: reference.clone(),
            why: format!("build option `{name}` is not supported by this version"),
        })?;
        let (sender, receiver) = mpsc::channel::<io::Result<Bytes>>(QUEUE_LENGTH);
        let packing = tokio::task::spawn_blocking(move || pack(&request, sender));
        let pieces = stream::unfold(receiver, |mut receiver| async move {
            receiver.recv().await.map(|piece| (piece, receiver))
        });
        let mut last_lines: Vec<String> = Vec::new();
        let build = async {
            let answers = self.api.build_image(options, None, Some(body_try_stream(pieces)));
            let mut answers = std::pin::pin!(answers);
            while let Some(answer) = answers.try_next().await? {
                // An error can come as the last answer of a stream that otherwise went well.
                if let Some(message) = answer.error_detail.and_then(|detail| detail.message) {
                    return Err(bollard::errors::Error::DockerStreamError { error: message });
                }
                for line in answer.stream.iter().flat_map(|text| text.lines()).filter(|line| !line.is_empty())
                {
                    progress(line);
                    last_lines.push(line.to_owned());
                    if last_lines.len() > ERROR_LINES_MAX {
                        last_lines.remove(0);
                    }
                }
            }
            Ok(())
        };
        let built = self.call(what, &reference, BUILD_DEADLINE, build).await;
        // A context that could not be packed explains the engine's error better than the engine does.
        if let Ok(Err(err)) = packing.await
            && err.kind() != io::ErrorKind::BrokenPipe
        {
            return Err(DockerError::Local { what, which: reference, why: err.to_string() });
        }
        built.map_err(|err| match err {
            DockerError::Refused { what, which, status, message } if !last_lines.is_empty() => {
                let message = format!("{message} (the builder's last words: {})", last_lines.join(" | "));
                DockerError::Refused { what, which, status, message }
            }
            err => err,
        })
    }
}

fn pack(request: &BuildRequest, sender: mpsc::Sender<io::Result<Bytes>>) -> io::Result<()> {
    let pieces = io::BufWriter::with_capacity(PIECE_BYTES, Pieces { sender: sender.clone() });
    let packed =
        write_context(&request.context, &request.dockerfile, request.dockerfile_inline.as_deref(), pieces);
    if let Err(err) = &packed {
        // Breaks the request off: half an archive must not be built.
        let _ = sender.blocking_send(Err(io::Error::new(err.kind(), err.to_string())));
    }
    packed
}

/// Sends what is written.
struct Pieces {
    sender: mpsc::Sender<io::Result<Bytes>>,
}

impl Write for Pieces {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        let sent = self.sender.blocking_send(Ok(Bytes::copy_from_slice(piece)));
        sent.map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The request's query parameters, or the name of an option that is none of them.
fn options(request: &BuildRequest) -> Result<bollard::query_parameters::BuildImageOptions, String> {
    let dockerfile = match &request.dockerfile_inline {
        Some(_) => INLINE_DOCKERFILE,
        None => request.dockerfile.as_str(),
    };
    let args: HashMap<&str, &str> =
        request.args.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let labels: HashMap<&str, &str> =
        request.labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let mut options = BuildImageOptionsBuilder::default()
        .dockerfile(dockerfile)
        .t(&request.reference)
        .buildargs(&args)
        .labels(&labels)
        .target(request.target.as_deref().unwrap_or_default())
        .rm(true)
        .forcerm(true);
    for (name, value) in &request.options {
        options = match name.as_str() {
            "extrahosts" => options.extrahosts(value),
            "networkmode" => options.networkmode(value),
            "nocache" => options.nocache(value == "true"),
            "pull" => options.pull(value),
            "platform" => options.platform(value),
            "shmsize" => options.shmsize(value.parse().map_err(|_| name.clone())?),
            "cachefrom" => {
                let images: Vec<String> = serde_json::from_str(value).map_err(|_| name.clone())?;
                options.cachefrom(&images)
            }
            _ => return Err(name.clone()),
        };
    }
    Ok(options.build())
}
